use crate::spec::RuleName;

use super::{
    CommandLog, CommandRecord, EpisodeId, EpisodeRecord, Epoch, GapRecord, HostId, Incarnation, IntentRecord,
    Level, Nonce, Owned, PartitionId, Position, RuleRecord, Tenure, TransitionRecord,
};

/// The bundle in force. Generations only go up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleRef {
    pub digest: String,
    pub generation: u64,
}

/// What a store says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreMeta {
    pub incarnation: Incarnation,
    pub bundle: Option<BundleRef>,
}

/// Everything that one host writes at once. Records replace those of the same key; what is not named stays.
///
/// Each part is written under its own right, all parts that have it in one transaction:
///
/// - A part whose tenure is not the store's is left out, and the others are written.
/// - The notifier's part is also left out where a partition is left out whose transitions it has decided in this very
///   commit (`depends`): it would have announced what nobody found.
/// - A part that was written by the same commit before (its number and nonce are the store's) counts as written, so that
///   a commit of unknown outcome may be repeated as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    pub nonce: Nonce,
    /// The bundle in force, when it changes. Ignored by a store that knows a later generation.
    pub bundle: Option<BundleRef>,
    /// One for each partition at most.
    pub partitions: Vec<PartitionCommit>,
    pub notifier: Option<NotifierCommit>,
}

/// What moves a rule's window, and what that found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionCommit {
    pub partition: PartitionId,
    pub tenure: Tenure,
    pub rules: Vec<RuleRecord>,
    pub rules_ended: Vec<RuleName>,
    pub levels: Vec<(RuleName, Level)>,
    pub levels_ended: Vec<EpisodeId>,
    /// In order of their numbers, which follow the last one that the store has. Those up to the notifier's position
    /// after this commit need not be kept.
    pub transitions: Vec<TransitionRecord>,
    pub gaps: Vec<GapRecord>,
}

/// What moves the notifier's positions, and who will hear of what lies before them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotifierCommit {
    pub tenure: Tenure,
    /// Of the partitions in which something was decided.
    pub positions: Vec<Position>,
    /// Partitions of this commit whose transitions were decided before they were written.
    pub depends: Vec<PartitionId>,
    pub episodes: Vec<EpisodeRecord>,
    pub intents: Vec<IntentRecord>,
    /// In order of their numbers.
    pub commands: Vec<CommandRecord>,
}

/// A part of a commit that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    pub what: Owned,
    pub why: Loss,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Another host, or an earlier life of this one, owns it now.
    Superseded { epoch: Epoch, owner: HostId },
    /// The store has fewer commits of it than this owner made: it went back in time.
    WentBack,
    /// A partition was left out whose transitions it had decided.
    Depends(PartitionId),
}

/// What a host finds when it takes a partition over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionSnapshot {
    pub partition: PartitionId,
    /// Its epoch is already raised for the new owner.
    pub tenure: Tenure,
    /// Of the bundle that the store knows: a host with an earlier one waits until it has this.
    pub generation: u64,
    /// The number of its last transition; 0: there is none.
    pub transitions: u64,
    pub rules: Vec<RuleRecord>,
    /// Those that hold.
    pub levels: Vec<(RuleName, Level)>,
}

/// What a host finds when it takes the notifier over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotifierSnapshot {
    pub tenure: Tenure,
    /// Of the bundle that the store knows: a host with an earlier one waits until it has this.
    pub generation: u64,
    /// Of every partition in which something was decided.
    pub positions: Vec<Position>,
    /// Those not resolved.
    pub episodes: Vec<EpisodeRecord>,
    /// Those owed or claimed, in the order in which they were first committed.
    pub intents: Vec<IntentRecord>,
    /// The newest dead letters, oldest first, at most `DEAD_LETTERS_MAX`: a person may ask for another try.
    pub dead_letters: Vec<IntentRecord>,
    pub commands: CommandLog,
}

/// Dead letters that a takeover reads.
pub const DEAD_LETTERS_MAX: usize = 100;

/// Everything that a store keeps, found by the one host that owns it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holdings {
    pub meta: StoreMeta,
    pub partitions: Vec<PartitionSnapshot>,
    pub notifier: NotifierSnapshot,
}

impl BundleRef {
    /// The bundle of `digest`, put in force after `previous`.
    pub fn after(previous: Option<&Self>, digest: String) -> Self {
        let generation = match previous {
            Some(previous) if previous.digest == digest => previous.generation,
            Some(previous) => previous.generation + 1,
            None => 1,
        };
        Self { digest, generation }
    }
}

impl Commit {
    /// What it writes, in its order.
    pub fn parts(&self) -> impl Iterator<Item = Owned> + '_ {
        let partitions = self.partitions.iter().map(|part| Owned::Partition(part.partition));
        partitions.chain(self.notifier.as_ref().map(|_| Owned::Notifier))
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Superseded { epoch, owner } => {
                write!(f, "host `{}` has taken it over (epoch {})", owner.0, epoch.0)
            }
            Self::WentBack => f.write_str("the store has lost commits: it went back in time"),
            Self::Depends(partition) => {
                write!(f, "partition {} was lost with transitions that it had decided", partition.0)
            }
        }
    }
}
