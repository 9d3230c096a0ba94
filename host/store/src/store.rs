//! The trait that every store implements, and the ways in which one can fail.
use std::path::PathBuf;

use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{
    Commit, Epoch, Holdings, HostId, Lost, NotifierSnapshot, Owned, PartitionId, PartitionSnapshot, Position,
    StoreMeta, TransitionRecord,
};

/// Keeps the partitions and the notifier. A call returns when its write is durable.
pub trait Store: Send {
    /// Whether what is committed next would still be found later: a store can be removed or replaced while nothing is
    /// written.
    fn check(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// What identifies the store. Its incarnation was created with it and never changes.
    fn meta(&mut self) -> Result<StoreMeta, StoreError>;

    /// Makes `owner` the owner of `partition`, in one write, and returns what is stored of it. A partition that was
    /// never owned is empty. From then on, every part of a commit under an older epoch is left out.
    ///
    /// With `seen`, only if it is still owned under that epoch: a host that decided under an older epoch gets nothing.
    /// What was never owned has epoch 0; any other `seen` is then `StoreError::Unowned`, because the row that was seen
    /// is gone.
    fn take_partition(
        &mut self,
        partition: PartitionId,
        owner: &HostId,
        seen: Option<Epoch>,
    ) -> Result<PartitionSnapshot, TakeoverError>;

    /// The same for the notifier.
    fn take_notifier(
        &mut self,
        owner: &HostId,
        seen: Option<Epoch>,
    ) -> Result<NotifierSnapshot, TakeoverError>;

    /// Takes over everything, for the only host that uses the store.
    fn take_all(&mut self, owner: &HostId) -> Result<Holdings, TakeoverError> {
        let partitions = PartitionId::all().map(|partition| self.take_partition(partition, owner, None));
        let partitions = partitions.collect::<Result<_, _>>()?;
        let notifier = self.take_notifier(owner, None)?;
        Ok(Holdings { meta: self.meta()?, partitions, notifier })
    }

    /// The transitions after each position in `after`, in order of their numbers, at most `rows_max` per partition.
    fn transitions(&mut self, after: &[Position], rows_max: u32)
    -> Result<Vec<TransitionRecord>, StoreError>;

    /// Writes the valid parts of `commit` in one transaction, and returns the others; `Commit` says which are left out.
    /// If all are left out, nothing is written.
    ///
    /// - `rules_ended` are deleted first, then records replace those with the same key (rule name, episode id, intent
    ///   id; rule, span and reason of a gap).
    /// - A command whose number or id already exists is left unchanged.
    /// - Transitions that the notifier has processed in this commit are not stored.
    fn commit(&mut self, commit: &Commit) -> Result<Vec<Lost>, CommitError>;

    /// Deletes what ended before `before`: delivered, dead and merged intents, resolved episodes without intents, gaps, and all
    /// but the newest `COMMAND_IDS_MAX` commands. Deletes at most `rows_max` rows of each kind per call, oldest end
    /// first, so that commits are not delayed; `Pruned::more` asks for another call.
    fn prune(&mut self, before: Timestamp, rows_max: u32) -> Result<Pruned, StoreError>;
}

/// How many rows a `prune` deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub episodes: u64,
    pub intents: u64,
    pub gaps: u64,
    pub commands: u64,
    /// `rows_max` was reached.
    pub more: bool,
}

/// Why a commit may not be written. The variant decides what to do next.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// It may have been written: repeat it unchanged, with the same nonce.
    #[error("the outcome of a commit is unknown")]
    Unknown(#[source] StoreError),
    /// Nothing was written. Repeating it will succeed once the cause is gone.
    #[error("a commit was refused")]
    Refused(#[source] StoreError),
}

/// Why a takeover failed.
#[derive(Debug, thiserror::Error)]
pub enum TakeoverError {
    #[error("{what} was taken over by host `{}` (epoch {})", owner.0, epoch.0)]
    Superseded { what: Owned, epoch: Epoch, owner: HostId },
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store `{}` is full: free space on its volume; nothing that was committed is lost", store.display())]
    Full { store: PathBuf, source: BoxedError },
    #[error("the store `{}` is locked by another program: end the program that holds a transaction on it",
            store.display())]
    Busy { store: PathBuf, source: BoxedError },
    #[error("the store `{}` is damaged: {what}; stop the host and restore a backup", store.display())]
    Damaged { store: PathBuf, what: String },
    #[error("the store `{}` was {what} while the host was running: stop the host and restore the file or a backup, \
             or start the host without it to start over (rules then start from now, and open episodes are forgotten)",
            store.display())]
    Gone { store: PathBuf, what: &'static str },
    #[error("the store `{0}` has {names} names (hard links), so a second host could use it unseen: remove the others \
             (`find DIRECTORY -samefile {0}` lists them), and this host goes on", store.display())]
    Linked { store: PathBuf, names: u64 },
    #[error("the log `{}` of the store `{}` was removed or replaced while the host was running: stop the host with \
             SIGTERM, so that it writes what it has of the log into the store, and start it again",
            log.display(), store.display())]
    LogGone { store: PathBuf, log: PathBuf },
    #[error("the store `{}` cannot be used", store.display())]
    Failed { store: PathBuf, source: BoxedError },
    #[error("{0} has no owner: take it over before committing to it")]
    Unowned(Owned),
}

/// The underlying error, as reported by the library.
pub(crate) type BoxedError = Box<dyn std::error::Error + Send + Sync>;
