//! Compiled modules on disk, by the module's digest and the engine's settings, where only this user may write.
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::os;

/// An entry: this, the SHA-256 of the rest, the rest. wasmtime checks who wrote an entry, but not that it is whole.
const MAGIC: &[u8; 8] = b"wbcache1";
const HEAD_BYTES: usize = MAGIC.len() + 32;

pub(crate) struct Cache {
    folder: PathBuf,
    engine: String,
}

impl Cache {
    /// `None` where the folder cannot be had or is not private: whoever may write to it could run machine code in
    /// this process.
    pub(crate) fn open(folder: &Path, engine: String) -> Option<Self> {
        match private(folder) {
            Ok(()) => Some(Self { folder: folder.to_owned(), engine }),
            Err(error) => {
                let folder = folder.display();
                tracing::warn!(%folder, %error, "compiled modules are not kept: every start compiles them again");
                None
            }
        }
    }

    /// The compiled form of the module with this digest. A damaged entry counts as none.
    pub(crate) fn get(&self, digest: &str) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let entry = fs::read(&path).ok()?;
        let whole = entry.len() > HEAD_BYTES
            && entry.starts_with(MAGIC)
            && entry[MAGIC.len()..HEAD_BYTES] == Sha256::digest(&entry[HEAD_BYTES..])[..];
        if !whole {
            tracing::warn!(path = %path.display(), "a compiled module is damaged and is made again");
            return None;
        }
        Some(entry)
    }

    /// The compiled code in what `get` gave.
    pub(crate) fn code(entry: &[u8]) -> &[u8] {
        &entry[HEAD_BYTES..]
    }

    /// Keeps `code`. A failure costs only the next start's time.
    pub(crate) fn put(&self, digest: &str, code: &[u8]) {
        if let Err(error) = self.write(digest, code) {
            tracing::warn!(folder = %self.folder.display(), %error, "a compiled module could not be kept");
        }
    }

    fn write(&self, digest: &str, code: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(code))?;
        file.write_all(code)?;
        file.persist(self.path(digest))?;
        Ok(())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}-{}.cwasm", self.engine))
    }
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
        return refuse("others may use it: `chmod 700` it");
    }
    Ok(())
}
