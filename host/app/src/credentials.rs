//! What is made of secrets, and made anew once a file that holds one of them has changed.
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::task::spawn_blocking;
use watchbell_manifest::SecretRef;
use watchbell_sandbox::Secret;

use crate::chain;

/// Finds the value of a secret.
pub(crate) type Reveal<'a> = &'a dyn Fn(&SecretRef) -> Result<Secret>;

/// The value itself, from the process's environment, a file or a program.
///
/// # Errors
/// It is missing or not usable; the message names the secret.
pub(crate) fn reveal(secret: &SecretRef) -> Result<Secret> {
    let env = |name: &str| std::env::var(name).ok();
    let revealed = secret.reveal(&env).with_context(|| format!("the secret `{secret}`"))?;
    Ok(Secret::new(revealed.expose()))
}

/// A `T` that holds secrets. Files are read before each use, so that a secret that was changed on disk is used from the
/// next attempt on. Programs and the environment's variables are asked when the manifests are loaded.
pub(crate) struct Refreshed<T>(Arc<Inner<T>>);

struct Inner<T> {
    /// Whose secrets they are, for the log.
    owner: String,
    files: Vec<SecretRef>,
    make: Box<dyn Fn(Reveal<'_>) -> Result<T> + Send + Sync>,
    held: Mutex<Held<T>>,
}

struct Held<T> {
    /// What the files held when they were last read, or why they could not be.
    read: Vec<Result<Secret, String>>,
    made: T,
}

impl<T: Clone + Send + 'static> Refreshed<T> {
    /// `owner`: whose secrets they are, for the log. `secrets`: those that `make` asks for.
    ///
    /// # Errors
    /// A secret that is missing now, or what `make` says.
    pub(crate) fn new<'a>(
        owner: String,
        secrets: impl IntoIterator<Item = &'a SecretRef>,
        make: impl Fn(Reveal<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Self> {
        let is_file = |secret: &&SecretRef| matches!(secret, SecretRef::File(_));
        let files: Vec<SecretRef> = secrets.into_iter().filter(is_file).cloned().collect();
        let held = Held { read: read(&files), made: make(&reveal)? };
        Ok(Self(Arc::new(Inner { owner, files, make: Box::new(make), held: Mutex::new(held) })))
    }

    /// As of now. What cannot be made anew stays as it was: a file may be missing while it is replaced.
    pub(crate) async fn now(&self) -> T {
        let inner = Arc::clone(&self.0);
        if inner.files.is_empty() {
            return inner.held().made.clone();
        }
        match spawn_blocking(move || inner.now()).await {
            Ok(made) => made,
            Err(_) => self.0.held().made.clone(),
        }
    }
}

impl<T: Clone> Inner<T> {
    fn now(&self) -> T {
        let read = read(&self.files);
        let mut held = self.held();
        if held.read == read {
            return held.made.clone();
        }
        let why = read.iter().find_map(|file| file.as_ref().err().cloned());
        let made = match why {
            Some(why) => Err(why),
            None => (self.make)(&reveal).map_err(|error| chain(error.as_ref())),
        };
        match made {
            Ok(made) => {
                tracing::info!("{}: a secret has changed, and is used from now on", self.owner);
                held.made = made;
            }
            Err(why) => tracing::warn!("{}: {why}; what was read before is used", self.owner),
        }
        held.read = read;
        held.made.clone()
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held<T>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(files: &[SecretRef]) -> Vec<Result<Secret, String>> {
    files.iter().map(|file| reveal(file).map_err(|error| chain(error.as_ref()))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct File(tempfile::NamedTempFile);

    impl File {
        fn holding(text: &str) -> Self {
            let file = Self(tempfile::NamedTempFile::new().unwrap());
            file.write(text);
            file
        }

        fn write(&self, text: &str) {
            std::fs::write(self.0.path(), text).unwrap();
        }

        fn secret(&self) -> SecretRef {
            SecretRef::File(self.0.path().to_owned())
        }
    }

    #[tokio::test]
    async fn a_changed_file_is_used_from_the_next_time_on() {
        let file = File::holding("old\n");
        let made = Arc::new(AtomicUsize::new(0));
        let (secret, count) = (file.secret(), Arc::clone(&made));
        let refreshed = Refreshed::new("destination `hook`".into(), [&file.secret()], move |reveal| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(reveal(&secret)?.expose().to_owned())
        })
        .unwrap();
        assert_eq!((refreshed.now().await, refreshed.now().await), ("old".into(), "old".into()));
        assert_eq!(made.load(Ordering::Relaxed), 1, "made anew only if the file has changed");
        file.write("new\n");
        assert_eq!(refreshed.now().await, "new");
        // Empty while it is written, or gone while it is replaced.
        file.write("");
        assert_eq!(refreshed.now().await, "new");
        file.write("newest");
        assert_eq!(refreshed.now().await, "newest");
    }

    #[tokio::test]
    async fn a_secret_that_cannot_be_used_changes_nothing() {
        let file = File::holding("old");
        let secret = file.secret();
        let refreshed = Refreshed::new("destination `hook`".into(), [&file.secret()], move |reveal| {
            let value = reveal(&secret)?.expose().to_owned();
            anyhow::ensure!(value != "bad", "not a token");
            Ok(value)
        })
        .unwrap();
        file.write("bad");
        assert_eq!(refreshed.now().await, "old");
    }

    #[test]
    fn a_missing_secret_is_told_at_once() {
        let secret = SecretRef::File("/nowhere/secret".into());
        let wanted = secret.clone();
        let refused = Refreshed::new("destination `hook`".into(), [&secret], move |reveal| {
            Ok(reveal(&wanted)?.expose().to_owned())
        });
        let told = refused.err().map(|error| error.to_string());
        assert_eq!(told.as_deref(), Some("the secret `file:/nowhere/secret`"));
    }
}
