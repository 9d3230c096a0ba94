//! The trait that every store fits, and the ways in which one can fail.
use std::path::PathBuf;

use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{Commit, Epoch, HostId, Partition, Snapshot};

/// Keeps partitions. A call returns when its write is durable.
pub trait Store: Send {
    /// Makes `owner` the owner of `partition`, in one write, and returns what is kept of it. A partition that
    /// was never owned is empty. From then on every commit of an older epoch is `Superseded`.
    fn take_over(&mut self, partition: Partition, owner: &HostId) -> Result<Snapshot, StoreError>;

    /// Writes all of `commit` or nothing.
    ///
    /// - `rules_ended` are forgotten first, then records take the place of those with the same key (rule name,
    ///   episode id, intent id; rule, span and reason of a gap).
    /// - A command whose number or id is there already stays as it was.
    /// - The nonce of the last commit again: `Ok`, and nothing is changed. So a write of unknown outcome is
    ///   repeated as it was.
    fn commit(&mut self, commit: &Commit) -> Result<(), CommitError>;

    /// Forgets what ended before `before`: delivered and dead intents, resolved episodes to which no intent
    /// belongs any more, gaps, and commands but the newest `COMMAND_IDS_MAX`. At most `rows_max` rows of each in a call, the longest ended first, so that
    /// commits are not held up; `Pruned::more` asks for another one.
    fn prune(&mut self, before: Timestamp, rows_max: u32) -> Result<Pruned, StoreError>;
}

/// How many rows a `prune` removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub episodes: u64,
    pub intents: u64,
    pub gaps: u64,
    pub commands: u64,
    /// `rows_max` was reached.
    pub more: bool,
}

/// Why a commit is not known to be written. The variant decides what comes next.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another host (or an earlier life of this one) owns the partition: stop working on it.
    #[error("the partition was taken over by host `{}` (epoch {})", owner.0, epoch.0)]
    Superseded { epoch: Epoch, owner: HostId },
    /// It may have been written: repeat it as it was, with the same nonce.
    #[error("the outcome of a commit is unknown")]
    Unknown(#[source] StoreError),
    /// Nothing was written. Repeating it helps once the cause is gone.
    #[error("a commit was refused")]
    Refused(#[source] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store `{}` is full: free space on its volume; nothing that was committed is lost", store.display())]
    Full { store: PathBuf, source: Cause },
    #[error("the store `{}` is locked by another program: end whatever holds a transaction on it", store.display())]
    Busy { store: PathBuf, source: Cause },
    #[error("the store `{}` is damaged: {what}; stop the host and put a backup in its place", store.display())]
    Damaged { store: PathBuf, what: String },
    #[error("the store `{}` cannot be used", store.display())]
    Failed { store: PathBuf, source: Cause },
    #[error("partition {} has no owner: take it over before committing to it", .0.0)]
    Unowned(Partition),
}

/// The error underneath, as the library told it.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;
