use crate::spec::{DestinationName, RuleName};

use super::{
    CommandLog, CommandRecord, DestinationRecord, EpisodeId, EpisodeRecord, Epoch, FirstReceipt, GapRecord,
    GroupId, GroupRecord, HostId, Incarnation, IntentRecord, Level, Nonce, Owned, PartitionId, PauseRecord,
    Position, RuleRecord, SilenceId, SilenceRecord, Tenure, TransitionRecord,
};

/// The bundle in force. Generations only go up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleRef {
    pub digest: String,
    pub generation: u64,
}

/// What identifies a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreMeta {
    pub incarnation: Incarnation,
    pub bundle: Option<BundleRef>,
}

/// Everything that one host writes at once. Records replace those with the same key; everything else stays.
///
/// Each part is written under its own tenure; all parts whose tenure is valid are written in one transaction:
///
/// - A part whose tenure does not match the store's is left out, and the others are written.
/// - The notifier's part is also left out if it has decided on transitions of a partition in this same commit
///   (`depends`) and that partition is left out: it would have announced transitions that were never written.
/// - A part that an earlier attempt at the same commit has written (the store has its number and nonce) counts as
///   written, so that a commit of unknown outcome can be repeated unchanged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    pub nonce: Nonce,
    /// The bundle in force, if it changed. A store that knows a later generation ignores it.
    pub bundle: Option<BundleRef>,
    /// At most one for each partition.
    pub partitions: Vec<PartitionCommit>,
    pub notifier: Option<NotifierCommit>,
}

/// What advances a rule's window, and what the window found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionCommit {
    pub partition: PartitionId,
    pub tenure: Tenure,
    pub rules: Vec<RuleRecord>,
    pub rules_ended: Vec<RuleName>,
    pub levels: Vec<(RuleName, Level)>,
    pub levels_ended: Vec<EpisodeId>,
    /// In order of their numbers, which continue from the last one in the store. Those up to the notifier's position
    /// after this commit need not be stored.
    pub transitions: Vec<TransitionRecord>,
    pub gaps: Vec<GapRecord>,
}

/// What advances the notifier's positions, and the messages for what lies before them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotifierCommit {
    pub tenure: Tenure,
    /// For the partitions in which something was decided.
    pub positions: Vec<Position>,
    /// Partitions of this commit whose transitions were decided on before they were written.
    pub depends: Vec<PartitionId>,
    pub episodes: Vec<EpisodeRecord>,
    pub intents: Vec<IntentRecord>,
    pub groups: Vec<GroupRecord>,
    pub groups_ended: Vec<GroupId>,
    pub silences: Vec<SilenceRecord>,
    pub silences_ended: Vec<SilenceId>,
    /// If it changed: the pause in force, or that there is none.
    pub pause: Option<Option<PauseRecord>>,
    pub destinations: Vec<(DestinationName, DestinationRecord)>,
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
    /// The store has fewer commits than this owner made: it went back in time.
    WentBack,
    /// A partition was left out on whose transitions it had decided.
    Depends(PartitionId),
}

/// What a host finds when it takes over a partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionSnapshot {
    pub partition: PartitionId,
    /// Its epoch is already raised for the new owner.
    pub tenure: Tenure,
    /// The generation of the bundle in the store. A host with an earlier one waits until it has this one.
    pub generation: u64,
    /// The number of its last transition; 0 if there is none.
    pub transitions: u64,
    pub rules: Vec<RuleRecord>,
    /// The levels that hold.
    pub levels: Vec<(RuleName, Level)>,
}

/// What a host finds when it takes over the notifier.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotifierSnapshot {
    pub tenure: Tenure,
    /// The generation of the bundle in the store. A host with an earlier one waits until it has this one.
    pub generation: u64,
    /// For every partition in which something was decided.
    pub positions: Vec<Position>,
    /// Episodes that are not resolved.
    pub episodes: Vec<EpisodeRecord>,
    /// Messages queued or claimed, in the order of their first commit.
    pub intents: Vec<IntentRecord>,
    /// The newest dead letters, oldest first, at most `DEAD_LETTERS_MAX`: a person may ask for another try.
    pub dead_letters: Vec<IntentRecord>,
    /// Of the episodes above, of those of the messages above and of those of groups; by episode and destination.
    pub receipts: Vec<FirstReceipt>,
    /// By id.
    pub groups: Vec<GroupRecord>,
    pub silences: Vec<SilenceRecord>,
    pub pause: Option<PauseRecord>,
    /// By name.
    pub destinations: Vec<(DestinationName, DestinationRecord)>,
    pub commands: CommandLog,
}

/// How many dead letters a takeover reads.
pub const DEAD_LETTERS_MAX: usize = 100;

/// The whole content of a store, found by a single host that owns everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holdings {
    pub meta: StoreMeta,
    pub partitions: Vec<PartitionSnapshot>,
    pub notifier: NotifierSnapshot,
}

impl BundleRef {
    /// The bundle with `digest`, put in force after `previous`.
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
    /// The parts that it writes, in order.
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
                write!(
                    f,
                    "partition {} was lost, along with transitions that were already decided",
                    partition.0
                )
            }
        }
    }
}
