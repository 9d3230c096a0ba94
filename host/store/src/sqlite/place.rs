use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use crate::StoreError;

/// Identifies the file at a path. SQLite keeps using the file that it opened even if it is renamed or removed: what it
/// writes to a removed file is lost when the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Device and inode, where they exist.
    file: Option<(u64, u64)>,
}

impl Place {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|file| Self::from(&file))
    }

    /// Fails if `path` no longer leads to this file. Costs one `stat`.
    pub(crate) fn check(self, path: &Path) -> Result<(), StoreError> {
        let gone = |what| Err(StoreError::Gone { store: path.to_owned(), what });
        match fs::metadata(path) {
            Ok(file) if Self::from(&file) != self => gone("replaced by another file"),
            Ok(file) if file.len() == 0 => gone("emptied"),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => gone("removed"),
            Err(error) => Err(StoreError::Failed { store: path.to_owned(), source: error.into() }),
        }
    }
}

impl From<&Metadata> for Place {
    #[cfg(unix)]
    fn from(file: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { file: Some((file.dev(), file.ino())) }
    }

    #[cfg(not(unix))]
    fn from(_: &Metadata) -> Self {
        Self { file: None }
    }
}
