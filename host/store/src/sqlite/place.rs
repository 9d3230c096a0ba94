use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::lock::beside;
use crate::StoreError;

/// Identifies the files behind a path. SQLite keeps using the files that it opened even if they are renamed or removed:
/// what it writes to a removed file is lost when the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    store: Inode,
    /// The write-ahead log and its inode. SQLite keeps one log for as long as it has the store open.
    log: Option<(PathBuf, Inode)>,
}

/// Device and inode, where they exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode(Option<(u64, u64)>);

impl Place {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { store: Inode::of(&fs::metadata(path)?), log: None })
    }

    /// The same with the log, once SQLite has created it.
    pub(crate) fn with_log(self, path: &Path) -> io::Result<Self> {
        // SQLite names the log after the file that symbolic links lead to.
        let log = beside(&fs::canonicalize(path)?, "-wal");
        let inode = Inode::of(&fs::metadata(&log)?);
        Ok(Self { log: Some((log, inode)), ..self })
    }

    /// Fails if `path` no longer leads to this file, if the file has a second name, or if its log is gone. Costs two
    /// `stat`s.
    pub(crate) fn check(&self, path: &Path) -> Result<(), StoreError> {
        let store = || path.to_owned();
        let gone = |what| Err(StoreError::Gone { store: store(), what });
        let file = match fs::metadata(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return gone("removed"),
            Err(error) => return Err(StoreError::Failed { store: store(), source: error.into() }),
        };
        if Inode::of(&file) != self.store {
            return gone("replaced by another file");
        }
        if file.len() == 0 {
            return gone("emptied");
        }
        if let names @ 2.. = names(&file) {
            return Err(StoreError::Linked { store: store(), names });
        }
        let Some((log, inode)) = &self.log else { return Ok(()) };
        match fs::metadata(log) {
            Ok(file) if Inode::of(&file) == *inode => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Failed { store: store(), source: error.into() })
            }
            _ => Err(StoreError::LogGone { store: store(), log: log.clone() }),
        }
    }
}

impl Inode {
    #[cfg(unix)]
    fn of(file: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(Some((file.dev(), file.ino())))
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self(None)
    }
}

/// How many hard links lead to a file.
pub(crate) fn names(file: &Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::nlink(file);
    #[cfg(not(unix))]
    return 1;
}
