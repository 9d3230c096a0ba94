//! References to secrets. An environment never contains the secret itself.
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use watchbell_outside::ReadError;

use crate::limits::{SECRET_BYTES_MAX, SECRET_WAIT_MAX};

/// Where to find a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretRef {
    /// An environment variable of the process.
    Env(String),
    /// A file, as Docker, Kubernetes and systemd provide secrets. A single trailing line break is removed.
    File(PathBuf),
    /// A program and its arguments. The secret is its output; a single trailing line break is removed.
    Exec(Vec<String>),
}

/// A secret's value. Only `expose` gives access to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

#[derive(Debug, thiserror::Error)]
pub enum SecretFault {
    #[error("the variable `{0}` is not set")]
    NotSet(String),
    #[error("cannot read `{path}`")]
    Unreadable { path: PathBuf, source: ReadError },
    #[error("cannot run `{program}`")]
    NotRun { program: String, source: std::io::Error },
    #[error("`{program}` failed: {status}")]
    Failed { program: String, status: String },
    #[error("{0} is empty")]
    Empty(String),
    #[error("{0} is larger than 64 KiB")]
    TooLarge(String),
    #[error("{0} is not UTF-8")]
    NotText(String),
}

impl SecretRef {
    /// Fetches the value. An `Exec` runs for at most 10 seconds.
    ///
    /// # Errors
    /// It is missing, empty, larger than 64 KiB, or not UTF-8.
    pub fn reveal(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Secret, SecretFault> {
        let bytes = match self {
            Self::Env(name) => env(name).ok_or_else(|| SecretFault::NotSet(name.clone()))?.into_bytes(),
            Self::File(path) => {
                watchbell_outside::read(path, SECRET_BYTES_MAX).map_err(|error| match error {
                    ReadError::TooLarge { .. } => SecretFault::TooLarge(self.to_string()),
                    source => SecretFault::Unreadable { path: path.clone(), source },
                })?
            }
            Self::Exec(command) => output(command, SECRET_WAIT_MAX)?,
        };
        if bytes.len() as u64 > SECRET_BYTES_MAX {
            return Err(SecretFault::TooLarge(self.to_string()));
        }
        let mut text = String::from_utf8(bytes).map_err(|_| SecretFault::NotText(self.to_string()))?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        if text.is_empty() {
            return Err(SecretFault::Empty(self.to_string()));
        }
        Ok(Secret(text))
    }

    /// Checks that it exists, without running anything.
    ///
    /// # Errors
    /// As `reveal`; for a program, only that it does not exist.
    pub fn check(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<(), SecretFault> {
        match self {
            Self::Exec(command) => {
                let program = command.first().map_or("", String::as_str);
                let there = match (program.contains('/'), env("PATH")) {
                    (true, _) => Path::new(program).is_file(),
                    (false, Some(path)) => std::env::split_paths(&path).any(|at| at.join(program).is_file()),
                    (false, None) => true,
                };
                let source = std::io::Error::from_raw_os_error(ENOENT);
                there.then_some(()).ok_or_else(|| SecretFault::NotRun { program: program.into(), source })
            }
            _ => self.reveal(env).map(|_| ()),
        }
    }
}

/// No such file or directory.
const ENOENT: i32 = 2;
/// How often to check whether a program with closed output has exited.
const LOOK: Duration = Duration::from_millis(10);

fn output(command: &[String], wait: Duration) -> Result<Vec<u8>, SecretFault> {
    let program = command.first().cloned().unwrap_or_default();
    let not_run = |source| SecretFault::NotRun { program: program.clone(), source };
    let mut child = Command::new(&program)
        .args(command.get(1..).unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(not_run)?;
    let stdout = child.stdout.take();
    let (send, receive) = mpsc::channel();
    // Dropped at the end of this function; nothing is written to it.
    let (_open, pause) = mpsc::channel::<()>();
    // A separate thread reads, so that a hanging program costs no more than the time limit.
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.map_or(Ok(0), |out| out.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes));
        // If the time limit has passed, the receiver is gone.
        let _ = send.send(read.map(|_| bytes));
    });
    let late = |mut child: Child, program| {
        let _ = child.kill();
        let _ = child.wait();
        let status = format!("no output within {} s", wait.as_secs_f32());
        Err(SecretFault::Failed { program, status })
    };
    let Ok(bytes) = receive.recv_timeout(wait) else { return late(child, program) };
    let bytes = bytes.map_err(not_run)?;
    if bytes.len() as u64 > SECRET_BYTES_MAX {
        let _ = child.kill();
    }
    // It may close its output and keep running.
    let mut looks = wait.as_millis() / LOOK.as_millis();
    let status = loop {
        match child.try_wait().map_err(not_run)? {
            Some(status) => break status,
            None if looks == 0 => return late(child, program),
            None => {
                looks -= 1;
                _ = pause.recv_timeout(LOOK);
            }
        }
    };
    if !status.success() && bytes.len() as u64 <= SECRET_BYTES_MAX {
        return Err(SecretFault::Failed { program, status: status.to_string() });
    }
    Ok(bytes)
}

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// By name: `env:OPS_TOKEN`, `file:/run/secrets/x`, `exec:vault …`.
impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Exec(command) => write!(f, "exec:{}", command.first().map_or("", String::as_str)),
        }
    }
}

/// A value, or where to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretOr<T> {
    Plain(T),
    Secret(SecretRef),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn a_secret_is_found_where_it_is_named() {
        let env = |name: &str| (name == "TOKEN").then(|| "abc".to_string());
        assert_eq!(SecretRef::Env("TOKEN".into()).reveal(&env).unwrap().expose(), "abc");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from-file\n").unwrap();
        assert_eq!(SecretRef::File(file.path().into()).reveal(&none).unwrap().expose(), "from-file");
        let exec = SecretRef::Exec(vec!["sh".into(), "-c".into(), "echo from-exec".into()]);
        assert_eq!(exec.reveal(&none).unwrap().expose(), "from-exec");
    }

    #[test]
    fn a_program_that_never_ends_is_ended() {
        for script in ["exec sleep 600", "exec >&-; exec sleep 600"] {
            let command = ["sh", "-c", script].map(String::from);
            let fault = output(&command, Duration::from_millis(200)).unwrap_err();
            assert_eq!(fault.to_string(), "`sh` failed: no output within 0.2 s");
        }
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_there_is_not_shown() {
        assert_eq!(
            SecretRef::Env("TOKEN".into()).reveal(&none).unwrap_err().to_string(),
            "the variable `TOKEN` is not set"
        );
        let failing = SecretRef::Exec(vec!["false".into()]);
        assert!(failing.reveal(&none).unwrap_err().to_string().starts_with("`false` failed"));
        let empty = |_: &str| Some(String::new());
        assert!(matches!(SecretRef::Env("E".into()).reveal(&empty), Err(SecretFault::Empty(_))));
        assert_eq!(format!("{:?}", Secret("hunter2".into())), "Secret(…)");
    }
}
