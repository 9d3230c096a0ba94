use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use crate::StoreError;

/// Which file lies at a path. SQLite goes on with the file that it opened, whatever becomes of its name: what it writes
/// to one that was removed is lost when the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Device and inode, where there are such.
    file: Option<(u64, u64)>,
}

impl Place {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|file| Self::from(&file))
    }

    /// Refuses where `path` no longer leads to this file. Costs one `stat`.
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
