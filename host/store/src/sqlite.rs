//! The default store: an SQLite file next to its host, one transaction per commit.
mod open_error; // why it was not opened
mod open; // from a path to a store that is known to be intact, ours and writable, or to an error message
mod lock; // one host per file
mod place; // checks that the file is still in place
mod json; // columns that hold more than one value
mod change; // the content of transitions, as JSON
mod overflow; // keys beyond the limit of open episodes, as JSON
pub(crate) mod names; // how enums are spelled in columns
mod rows; // rows, converted by hand into records
mod owned; // who owns what, and which parts of a commit are valid
mod take; // what a new owner finds
mod write; // writes a commit
mod holds; // what people ask for
mod destinations; // what is remembered of destinations
mod groups; // messages that are gathered and sent as one
mod outline; // what is read to be counted
mod prune; // deletes old rows
mod fault; // SQLite's errors as our own

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{
    Commit, Epoch, HostId, Lost, NotifierSnapshot, Owned, PartitionId, PartitionSnapshot, Position,
    StoreMeta, TransitionRecord,
};

use crate::{CommitError, Pruned, Reader, Store, StoreError, TakeoverError};

pub(crate) use fault::store_error;
pub use open_error::OpenError;
pub(crate) use owned::owned;
use place::Place;
pub(crate) use rows::{FromRow, RowError, Unread, all};
pub(crate) use take::meta;

/// A store in one file, with a write-ahead log (`…-wal`, `…-shm`) and a lock (`….lock`) next to it.
///
/// A commit is durable when it returns (`synchronous=FULL`): expect each to cost one fsync of the volume.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    db: Connection,
    is_new: bool,
    file: Place,
    /// Held but never read: closing them lets the next host in. Declared last, so that they outlive the connection.
    _locks: [File; 2],
}

impl Sqlite {
    /// Opens the store at `path` and locks it until it is dropped.
    ///
    /// - A missing file is created, readable only by its owner, as are missing parent folders (mode 0700); `is_new`
    ///   says so. Anything else that is not an intact, writable store of this program is refused.
    /// - Reads the whole file once (`quick_check`).
    /// - A file with several names (hard links) is refused: by another name, another host could open it.
    ///
    /// From then on, if the file is removed, replaced, emptied or linked to, or its log is removed, takeovers and commits
    /// are refused and nothing is created in its place.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_within(path, u64::MAX)
    }

    /// Like `open`, but the file never grows beyond `bytes_max` (the log next to it may exceed that for a while, by 64
    /// MiB). A store that has reached the limit refuses commits as it would on a full volume.
    pub fn open_within(path: &Path, bytes_max: u64) -> Result<Self, OpenError> {
        let open::Opened { db, locks, is_new, file } = open::open(path, bytes_max)?;
        Ok(Self { path: path.to_owned(), db, is_new, file, _locks: locks })
    }

    /// Opens the store at `path` for reading, which works while a host owns it.
    pub fn open_reader(path: &Path) -> Result<Reader, OpenError> {
        Ok(Reader::new(path.to_owned(), open::open_read_only(path)?))
    }

    /// Whether `open` created the file.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// When the file was made where it is now, by the machine's clock: by `open`, or by whoever restored a backup. `None`
    /// on file systems that do not keep that.
    pub fn made_at(&self) -> Option<Timestamp> {
        let made = std::fs::metadata(&self.path).and_then(|file| file.created()).ok()?;
        let since = made.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_millis()).ok().map(Timestamp)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long to wait for another program's transaction; tests have no time for that.
    #[cfg(test)]
    pub(crate) fn wait_at_most(&self, span: std::time::Duration) {
        self.db.busy_timeout(span).unwrap();
    }

    /// A transaction on the file at the store's path.
    fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        self.file.check(&self.path)?;
        self.db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| store_error(&self.path, error.into()))
    }

    /// Returns what `read` finds once `owner` owns `what`, in one transaction.
    fn take<T>(
        &mut self,
        what: Owned,
        owner: &HostId,
        seen: Option<Epoch>,
        read: impl FnOnce(&Connection, owned::Row) -> Result<T, RowError>,
    ) -> Result<T, TakeoverError> {
        let path = self.path.clone();
        let failed = |error| TakeoverError::Store(store_error(&path, error));
        let tx = self.begin()?;
        let row = match owned::take(&tx, what, owner, seen).map_err(failed)? {
            owned::Taken::Now(row) => row,
            owned::Taken::Not(None) => return Err(StoreError::Unowned(what).into()),
            owned::Taken::Not(Some(owned::Row { owner, tenure, .. })) => {
                return Err(TakeoverError::Superseded { what, epoch: tenure.epoch, owner });
            }
        };
        let found = read(&tx, row).map_err(failed)?;
        tx.commit().map_err(|error| failed(error.into()))?;
        Ok(found)
    }
}

impl Store for Sqlite {
    fn check(&mut self) -> Result<(), StoreError> {
        self.file.check(&self.path)
    }

    fn meta(&mut self) -> Result<StoreMeta, StoreError> {
        meta(&self.db).map_err(|error| store_error(&self.path, error.into()))
    }

    fn take_partition(
        &mut self,
        partition: PartitionId,
        owner: &HostId,
        seen: Option<Epoch>,
    ) -> Result<PartitionSnapshot, TakeoverError> {
        self.take(Owned::Partition(partition), owner, seen, |db, row| take::partition(db, partition, &row))
    }

    fn take_notifier(
        &mut self,
        owner: &HostId,
        seen: Option<Epoch>,
    ) -> Result<NotifierSnapshot, TakeoverError> {
        self.take(Owned::Notifier, owner, seen, |db, row| take::notifier(db, &row))
    }

    fn transitions(
        &mut self,
        after: &[Position],
        rows_max: u32,
    ) -> Result<Vec<TransitionRecord>, StoreError> {
        take::transitions(&self.db, after, rows_max).map_err(|error| store_error(&self.path, error))
    }

    fn commit(&mut self, commit: &Commit) -> Result<Vec<Lost>, CommitError> {
        let path = self.path.clone();
        let refused = |error: RowError| CommitError::Refused(store_error(&path, error));
        let tx = self.begin().map_err(CommitError::Refused)?;
        let owned::Verdict { stands, lost } = match owned::judge(&tx, commit).map_err(refused)? {
            Ok(verdict) => verdict,
            Err(unowned) => return Err(CommitError::Refused(StoreError::Unowned(unowned))),
        };
        if lost.len() == commit.parts().count() {
            return Ok(lost);
        }
        write::commit(&tx, commit, &stands).map_err(|error| refused(error.into()))?;
        // Only an error of the COMMIT itself leaves open whether it was written.
        tx.commit().map_err(|error| CommitError::Unknown(store_error(&path, error.into())))?;
        Ok(lost)
    }

    fn prune(&mut self, before: Timestamp, rows_max: u32) -> Result<Pruned, StoreError> {
        let path = self.path.clone();
        let tx = self.begin()?;
        prune::prune(&tx, before, rows_max.max(1))
            .and_then(|pruned| tx.commit().map(|()| pruned))
            .map_err(|error| store_error(&path, error.into()))
    }
}
