//! The trait that every store fits, and the ways in which one can fail.
use std::path::PathBuf;

use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{
    Commit, Epoch, Holdings, HostId, Lost, NotifierSnapshot, Owned, PartitionId, PartitionSnapshot, Position,
    StoreMeta, TransitionRecord,
};

/// Keeps the partitions and the notifier. A call returns when its write is durable.
pub trait Store: Send {
    /// What the store says of itself. Its incarnation was made with it and never changes.
    fn meta(&mut self) -> Result<StoreMeta, StoreError>;

    /// Makes `owner` the owner of `partition`, in one write, and returns what is kept of it. A partition that was never
    /// owned is empty. From then on every part of a commit under an older epoch is left out.
    ///
    /// With `seen`, only if it is still owned under that epoch: whoever decided by an older one takes nothing. What
    /// was never owned has epoch 0; under any other it is `StoreError::Unowned`, for the row that was seen is gone.
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

    /// Takes everything over, for the one host that uses the store.
    fn take_all(&mut self, owner: &HostId) -> Result<Holdings, TakeoverError> {
        let partitions = PartitionId::all().map(|partition| self.take_partition(partition, owner, None));
        let partitions = partitions.collect::<Result<_, _>>()?;
        let notifier = self.take_notifier(owner, None)?;
        Ok(Holdings { meta: self.meta()?, partitions, notifier })
    }

    /// The transitions that come after each of `after`, in order of their numbers, at most `rows_max` of each partition.
    fn transitions(&mut self, after: &[Position], rows_max: u32)
    -> Result<Vec<TransitionRecord>, StoreError>;

    /// Writes the parts of `commit` to which it has the right, in one transaction, and returns the others: `Commit`
    /// says which are left out. Where all are left out, nothing is written.
    ///
    /// - `rules_ended` are forgotten first, then records take the place of those with the same key (rule name, episode
    ///   id, intent id; rule, span and reason of a gap).
    /// - A command whose number or id is there already stays as it was.
    /// - Transitions that the notifier has decided with this commit are not kept.
    fn commit(&mut self, commit: &Commit) -> Result<Vec<Lost>, CommitError>;

    /// Forgets what ended before `before`: delivered and dead intents, resolved episodes to which no intent belongs any
    /// more, gaps, and commands but the newest `COMMAND_IDS_MAX`. At most `rows_max` rows of each in a call, the longest
    /// ended first, so that commits are not held up; `Pruned::more` asks for another one.
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
    /// It may have been written: repeat it as it was, with the same nonce.
    #[error("the outcome of a commit is unknown")]
    Unknown(#[source] StoreError),
    /// Nothing was written. Repeating it helps once the cause is gone.
    #[error("a commit was refused")]
    Refused(#[source] StoreError),
}

/// Why nothing was taken over.
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
    #[error("the store `{}` is locked by another program: end whatever holds a transaction on it", store.display())]
    Busy { store: PathBuf, source: BoxedError },
    #[error("the store `{}` is damaged: {what}; stop the host and put a backup in its place", store.display())]
    Damaged { store: PathBuf, what: String },
    #[error("the store `{}` was {what} while the host runs: stop the host and put the file or a backup in its place, \
             or start the host without it to begin anew (rules then start from now, and open episodes are forgotten)",
            store.display())]
    Gone { store: PathBuf, what: &'static str },
    #[error("the store `{}` cannot be used", store.display())]
    Failed { store: PathBuf, source: BoxedError },
    #[error("{0} has no owner: take it over before committing to it")]
    Unowned(Owned),
}

/// The error underneath, as the library told it.
pub(crate) type BoxedError = Box<dyn std::error::Error + Send + Sync>;
