//! Compiled modules on disk, keyed by the module's digest and the engine's settings, in a folder that only this user
//! may write to.
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::os;

/// The header of an entry, followed by the SHA-256 of the rest and the rest. wasmtime checks which version wrote an
/// entry, but not that it is intact.
const MAGIC: &[u8; 8] = b"wbcache1";
const HEAD_BYTES: usize = MAGIC.len() + 32;
/// The maximum size of all entries; the oldest are removed first. Every new version of a module or of this program adds
/// some.
pub(crate) const CACHE_BYTES_MAX: u64 = 1 << 30;

pub(crate) struct Cache {
    folder: PathBuf,
    engine: String,
    bytes_max: u64,
}

impl Cache {
    /// `None` if the folder cannot be created or is not private: anyone who can write to it could run machine code in
    /// this process.
    pub(crate) fn open(folder: &Path, engine: String, bytes_max: u64) -> Option<Self> {
        match private(folder) {
            Ok(()) => Some(Self { folder: folder.to_owned(), engine, bytes_max }),
            Err(error) => {
                let folder = folder.display();
                tracing::warn!(%folder, %error, "compiled modules are not cached: every start compiles them again");
                None
            }
        }
    }

    /// The compiled form of the module with this digest. Damaged entries, and those that others may have written, are
    /// ignored.
    pub(crate) fn get(&self, digest: &str) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let entry = match own(&path) {
            Ok(entry) => entry,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "a cached module is not trusted and will be compiled again");
                return None;
            }
        };
        let whole = entry.len() > HEAD_BYTES
            && entry.starts_with(MAGIC)
            && entry[MAGIC.len()..HEAD_BYTES] == Sha256::digest(&entry[HEAD_BYTES..])[..];
        if !whole {
            tracing::warn!(path = %path.display(), "a cached module is damaged and will be compiled again");
            return None;
        }
        Some(entry)
    }

    /// The compiled code in an entry from `get`.
    pub(crate) fn code(entry: &[u8]) -> &[u8] {
        &entry[HEAD_BYTES..]
    }

    /// Stores `code`. A failure only makes the next start slower.
    pub(crate) fn put(&self, digest: &str, code: &[u8]) {
        if let Err(error) = self.write(digest, code) {
            tracing::warn!(folder = %self.folder.display(), %error, "a compiled module could not be cached");
        }
    }

    fn write(&self, digest: &str, code: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(code))?;
        file.write_all(code)?;
        file.persist(self.path(digest))?;
        self.make_room()
    }

    /// Removes leftovers of interrupted writes, and the oldest entries until the rest fits.
    fn make_room(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Another process may have removed it in the meantime.
            if let Ok(found) = entry.metadata()
                && found.is_file()
            {
                entries.push((found.modified()?, entry.path(), found.len()));
            }
        }
        entries.sort_unstable();
        let mut total: u64 = entries.iter().map(|(.., bytes)| bytes).sum();
        // The newest is kept, whatever its size: it is in use.
        entries.pop();
        for (_, path, bytes) in entries {
            if total <= self.bytes_max {
                break;
            }
            let _ = fs::remove_file(path);
            total -= bytes;
        }
        Ok(())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}-{}.cwasm", self.engine))
    }
}

/// The content of a file that only this user can have written. The checks use the open file, not its name, which could
/// be replaced in between.
fn own(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let found = file.metadata()?;
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if !found.is_file() {
        return refuse("it is not a file");
    }
    if found.uid() != os::effective_user() {
        return refuse("it belongs to another user");
    }
    if found.mode() & 0o022 != 0 {
        return refuse("others may write to it");
    }
    let mut entry = Vec::new();
    file.read_to_end(&mut entry)?;
    Ok(entry)
}

fn private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let found = fs::symlink_metadata(folder)?;
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if !found.is_dir() {
        return refuse("it is not a folder");
    }
    if found.uid() != os::effective_user() {
        return refuse("it belongs to another user");
    }
    if found.mode() & 0o077 != 0 {
        return refuse("other users have access to it: run `chmod 700` on it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn cache(folder: &Path, bytes_max: u64) -> Cache {
        Cache::open(&folder.join("cache"), "engine".into(), bytes_max).unwrap()
    }

    #[test]
    fn an_entry_that_others_may_have_written_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), CACHE_BYTES_MAX);
        cache.put("a", b"code");
        let entry = cache.get("a").unwrap();
        assert_eq!(Cache::code(&entry), b"code");
        let path = cache.path("a");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        assert_eq!(cache.get("a"), None);
        // Created again, it belongs to this user only.
        cache.put("a", b"code");
        assert!(cache.get("a").is_some());
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert_eq!(cache.get("a"), None);
    }

    #[test]
    fn the_oldest_entries_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), 2_500);
        let written = |digest: &str, age: u64| {
            cache.put(digest, &[7; 1_000]);
            let at = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000 - age);
            File::options().write(true).open(cache.path(digest)).unwrap().set_modified(at).unwrap();
        };
        written("older", 10);
        written("oldest", 20);
        cache.put("newest", &[7; 1_000]);
        let kept = ["older", "oldest", "newest"].map(|digest| cache.get(digest).is_some());
        assert_eq!(kept, [true, false, true]);
    }
}
