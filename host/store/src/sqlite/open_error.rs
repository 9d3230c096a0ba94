use std::io;
use std::path::PathBuf;

use crate::store::BoxedError;

/// Why a store was not opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the store `{}` is in use by {}: stop that host, or give this one a store of its own",
            store.display(), Holder(*holder))]
    Locked { store: PathBuf, holder: Option<u32> },
    #[error("the store `{0}` has {names} names (hard links), and a host by another name would not notice this one: \
             remove the others (`find DIRECTORY -samefile {0}` lists them)", store.display())]
    Linked { store: PathBuf, names: u64 },
    #[error("the store `{0}` is a directory: name a file in it, for example `{0}/watchbell.db`", store.display())]
    Directory { store: PathBuf },
    #[error("cannot write `{}`, which the store `{}` needs: give the host's user write access to that directory",
            file.display(), store.display())]
    Unwritable { store: PathBuf, file: PathBuf, source: io::Error },
    #[error("the store `{}` is read-only: give the host's user write access to it", store.display())]
    ReadOnly { store: PathBuf },
    #[error("the store `{}` is full: free space on its volume, or move it to a larger one", store.display())]
    Full { store: PathBuf, source: BoxedError },
    #[error("the store `{0}` is an empty file, not a store: restore a backup, or remove it \
             to start over (rules then start from now, and open episodes are forgotten)", store.display())]
    Empty { store: PathBuf },
    #[error("the store `{0}` is missing, but its log `{0}-wal` is there: restore the store, or remove the log \
             to start over", store.display())]
    LogWithoutStore { store: PathBuf },
    #[error("`{}` is not a store: it is {what}; name another file", store.display())]
    Foreign { store: PathBuf, what: &'static str },
    #[error("the store `{}` is damaged: {what}; restore a backup", store.display())]
    Damaged { store: PathBuf, what: String },
    #[error("the store `{}` has layout {found}, but this version supports layouts up to {known}: run the version \
             that wrote it, or a later one", store.display())]
    Newer { store: PathBuf, found: i32, known: i32 },
    #[error("the store `{}` has layout {found}, but this version reads {known}: start a host of this version \
             once to upgrade it", store.display())]
    Older { store: PathBuf, found: i32, known: i32 },
    #[error("there is no store at `{}`: check the path, or start a host, which creates it", store.display())]
    Missing { store: PathBuf },
    #[error("the store `{}` is locked by another program: end the program that holds a transaction on it",
            store.display())]
    Busy { store: PathBuf, source: BoxedError },
    #[error("the volume of the store `{}` cannot hold a write-ahead log (journal mode `{mode}`): put it on a \
             local file system", store.display())]
    NoLog { store: PathBuf, mode: String },
    #[error("the store `{}` cannot be opened", store.display())]
    Failed { store: PathBuf, source: BoxedError },
}

/// `process 123`, or a phrase without a number.
struct Holder(Option<u32>);

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}
