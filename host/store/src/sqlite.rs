//! The default store: an SQLite file beside its host, one transaction to a commit.
mod open; // from a path to a store that is known to be whole, ours and writable; or a refusal in words
mod lock; // one host to a file
mod json; // the columns that hold more than one value
pub(crate) mod names; // how enums are spelled in columns
mod rows; // rows, converted by hand into records
mod write; // what a commit changes
mod fault; // what SQLite said, in our words

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{
    COMMAND_IDS_MAX, CommandId, CommandLog, Commit, Epoch, HostId, Partition, Snapshot,
};

use crate::{CommitError, Pruned, Reader, Store, StoreError};

pub(crate) use fault::store_error;
pub use open::OpenError;
pub(crate) use rows::{FromRow, RowError, Unread, all, epoch};

/// The store in one file, with a write-ahead log (`…-wal`, `…-shm`) and a lock (`….lock`) beside it.
///
/// A commit is durable when it returns (`synchronous=FULL`): expect one to cost an fsync of the volume.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    db: Connection,
    is_new: bool,
    /// Held, never read: closing it lets the next host in. Declared last, so it outlives the connection.
    _lock: File,
}

impl Sqlite {
    /// Opens the store at `path` and keeps others out until it is dropped.
    ///
    /// - A missing file is created, readable by its owner alone, and so are the missing folders above it (mode
    ///   0700); `is_new` tells. Everything else that is not a whole, writable store of this program is refused.
    /// - Reads the whole file once (`quick_check`).
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_within(path, u64::MAX)
    }

    /// As `open`, but the file never grows beyond `bytes_max` (the log beside it may, for a while, by 64 MiB).
    /// A store that has reached it refuses commits as it would on a full volume.
    pub fn open_within(path: &Path, bytes_max: u64) -> Result<Self, OpenError> {
        let opened = open::open(path, bytes_max)?;
        Ok(Self { path: path.to_owned(), db: opened.db, is_new: opened.is_new, _lock: opened.lock })
    }

    /// Opens the store at `path` to look at it, which works while a host owns it.
    pub fn open_reader(path: &Path) -> Result<Reader, OpenError> {
        Ok(Reader::new(path.to_owned(), open::open_read_only(path)?))
    }

    /// Whether `open` created the file.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long another program's transaction is waited for; a test has no time for that.
    #[cfg(test)]
    pub(crate) fn wait_at_most(&self, span: std::time::Duration) {
        self.db.busy_timeout(span).unwrap();
    }
}

impl Store for Sqlite {
    fn take_over(&mut self, partition: Partition, owner: &HostId) -> Result<Snapshot, StoreError> {
        let Self { path, db, .. } = self;
        take_over(db, partition, owner).map_err(|error| store_error(path, error))
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), CommitError> {
        let Self { path, db, .. } = self;
        let refused = |error: RowError| CommitError::Refused(store_error(path, error));
        let tx = db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| refused(error.into()))?;
        let (owner, epoch, nonce) = match head(&tx, commit.partition).map_err(refused)? {
            Some(head) => head,
            None => return Err(CommitError::Refused(StoreError::Unowned(commit.partition))),
        };
        if epoch != commit.epoch {
            return Err(CommitError::Superseded { epoch, owner });
        }
        if nonce == Some(commit.nonce) {
            return Ok(());
        }
        write::commit(&tx, commit).map_err(|error| refused(error.into()))?;
        // Only an error of the COMMIT itself leaves open whether the log holds it.
        tx.commit().map_err(|error| CommitError::Unknown(store_error(path, error.into())))
    }

    fn prune(&mut self, before: Timestamp, rows_max: u32) -> Result<Pruned, StoreError> {
        let Self { path, db, .. } = self;
        prune(db, before, rows_max.max(1)).map_err(|error| store_error(path, error.into()))
    }
}

fn take_over(db: &mut Connection, partition: Partition, owner: &HostId) -> Result<Snapshot, RowError> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (epoch_raised, bundle) = tx.query_row(
        "INSERT INTO heads (partition, owner, epoch) VALUES (?1, ?2, 1)
         ON CONFLICT (partition) DO UPDATE SET owner = excluded.owner, epoch = epoch + 1, nonce = NULL
         RETURNING epoch, bundle",
        params![partition.0, owner.0],
        |row| Ok((epoch(row.get(0)?), row.get(1)?)),
    )?;
    let snapshot = Snapshot {
        partition,
        epoch: epoch_raised,
        bundle,
        rules: rows::all(
            &tx,
            "SELECT rules.*, states.bytes FROM rules LEFT JOIN states ON states.rule = rules.name
             WHERE partition = ?1 ORDER BY name",
            [partition.0],
        )?,
        episodes: rows::all(
            &tx,
            "SELECT * FROM episodes WHERE partition = ?1 AND phase <> 'resolved' ORDER BY id",
            [partition.0],
        )?,
        intents: rows::all(
            &tx,
            "SELECT * FROM intents WHERE partition = ?1 AND delivery IN ('owed', 'claimed') ORDER BY ordinal",
            [partition.0],
        )?,
        commands: commands(&tx)?,
    };
    tx.commit()?;
    Ok(snapshot)
}

/// How far the log of commands has come, which is the store's and no partition's.
fn commands(db: &Connection) -> rusqlite::Result<CommandLog> {
    let mut statement = db.prepare_cached("SELECT number, id FROM commands ORDER BY number DESC LIMIT ?1")?;
    let newest = statement.query_map([COMMAND_IDS_MAX as i64], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), CommandId(row.get(1)?)))
    })?;
    let mut newest: Vec<(u64, CommandId)> = newest.collect::<rusqlite::Result<_>>()?;
    newest.reverse();
    let last = newest.last().map_or(0, |(number, _)| *number);
    Ok(CommandLog { last, recent: newest.into_iter().map(|(_, id)| id).collect() })
}

fn head(db: &Connection, partition: Partition) -> Result<Option<(HostId, Epoch, Option<u64>)>, RowError> {
    let mut statement = db.prepare_cached("SELECT owner, epoch, nonce FROM heads WHERE partition = ?1")?;
    let head = statement
        .query_row([partition.0], |row| {
            let nonce: Option<i64> = row.get(2)?;
            Ok((HostId(row.get(0)?), epoch(row.get(1)?), nonce.map(i64::cast_unsigned)))
        })
        .optional()?;
    Ok(head)
}

fn prune(db: &mut Connection, before: Timestamp, rows_max: u32) -> rusqlite::Result<Pruned> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let intents = tx.execute(
        "DELETE FROM intents WHERE ordinal IN (SELECT ordinal FROM intents
         WHERE delivery IN ('delivered', 'dead') AND at < ?1 ORDER BY at, ordinal LIMIT ?2)",
        params![before.0, rows_max],
    )?;
    let episodes = tx.execute(
        "DELETE FROM episodes WHERE id IN (SELECT id FROM episodes
         WHERE phase = 'resolved' AND phase_at < ?1
           AND NOT EXISTS (SELECT 1 FROM intents WHERE intents.episode = episodes.id)
         ORDER BY phase_at, id LIMIT ?2)",
        params![before.0, rows_max],
    )?;
    let gaps = tx.execute(
        "DELETE FROM gaps WHERE (rule, starts, ends, reason) IN (SELECT rule, starts, ends, reason FROM gaps
         WHERE recorded_at < ?1 ORDER BY recorded_at, rule, starts, ends, reason LIMIT ?2)",
        params![before.0, rows_max],
    )?;
    // The newest stay, however old they are: their ids and the last number are still needed.
    let commands = tx.execute(
        "DELETE FROM commands WHERE number IN (SELECT number FROM commands
         WHERE at < ?1 AND number <= (SELECT max(number) FROM commands) - ?3 ORDER BY number LIMIT ?2)",
        params![before.0, rows_max, COMMAND_IDS_MAX as i64],
    )?;
    tx.commit()?;
    let more = [intents, episodes, gaps, commands].contains(&(rows_max as usize));
    Ok(Pruned {
        episodes: episodes as u64,
        intents: intents as u64,
        gaps: gaps as u64,
        commands: commands as u64,
        more,
    })
}
