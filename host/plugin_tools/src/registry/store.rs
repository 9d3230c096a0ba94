//! Fetched modules, by digest: a folder whose files are named by the digest of their content, verified on every read.
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::artifact::{self, MODULE_BYTES_MAX};
use crate::signature;

/// Modules that no longer need a registry.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A module as a registry's manifest vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes, in hexadecimal.
    pub digest: String,
    /// Signatures as received.
    pub signatures: String,
    /// The keys with valid signatures, in base64.
    pub signers: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    #[error("`{}` cannot be written", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("`{}` cannot be read", .path.display())]
    Read { path: PathBuf, source: io::Error },
}

impl Store {
    /// Modules are kept in `folder`, which need not exist yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The module of the manifest with this digest; `None` where it was not fetched, or is damaged.
    ///
    /// # Errors
    /// It exists but cannot be read.
    pub fn module(&self, manifest: &str) -> Result<Option<Module>, StoreFault> {
        let Some(manifest) = self.get(manifest)? else { return Ok(None) };
        let Ok(layer) = artifact::read(&manifest) else { return Ok(None) };
        let Some(bytes) = self.get(&layer.digest)? else { return Ok(None) };
        let signers = signature::signers(&layer.signatures, &layer.digest);
        Ok(Some(Module { bytes, digest: layer.digest, signatures: layer.signatures, signers }))
    }

    fn get(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        let path = self.path(digest);
        let bytes = match watchbell_outside::read(&path, MODULE_BYTES_MAX).map_err(io::Error::from) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreFault::Read { path, source }),
        };
        Ok((hex::encode(Sha256::digest(&bytes)) == digest).then_some(bytes))
    }

    /// Stores `bytes` atomically.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<(), StoreFault> {
        let path = self.path(&hex::encode(Sha256::digest(bytes)));
        let fault = |source| StoreFault::Write { path: path.clone(), source };
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(fault)?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fault)?;
        file.write_all(bytes).map_err(fault)?;
        file.persist(&path).map_err(|error| fault(error.error))?;
        Ok(())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join("sha256").join(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_counts_as_not_fetched() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::new(scratch.path().join("registry"));
        let digest = hex::encode(Sha256::digest(b"words"));
        assert_eq!(store.get(&digest).unwrap(), None);
        store.put(b"words").unwrap();
        assert_eq!(store.get(&digest).unwrap().as_deref(), Some(&b"words"[..]));
        fs::write(store.path(&digest), "other words").unwrap();
        assert_eq!(store.get(&digest).unwrap(), None);
        // Fetched again, it is whole.
        store.put(b"words").unwrap();
        assert!(store.get(&digest).unwrap().is_some());
    }
}
