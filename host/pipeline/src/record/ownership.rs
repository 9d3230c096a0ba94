use crate::digest;
use crate::spec::RuleName;

/// A process that may own partitions and the notifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub String);

/// Random, created once with the store. Ids and nonces derived from it differ from those of every other store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Incarnation(pub String);

/// Incremented by every takeover; commits of an older epoch are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// The number of partitions in a store. It can never change, because rules never move between partitions.
pub const PARTITIONS: u16 = 16;

/// A share of the rules, owned by one host at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u16);

/// What a host may own, each under its own epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owned {
    Partition(PartitionId),
    Notifier,
}

/// The right to write a part of a commit. The store compares it with its own: a part is left out if its epoch differs,
/// or if it does not follow the last commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tenure {
    pub epoch: Epoch,
    /// The number of earlier commits of the owned thing, over all epochs.
    pub number: u64,
}

/// Distinguishes two writes when the outcome of one is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(pub u64);

/// A place in a partition's transitions: everything up to `number` has been processed. Numbers start at 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub partition: PartitionId,
    pub number: u64,
}

impl PartitionId {
    /// The partition of `rule` among the first `partitions`: `PARTITIONS` in every store, fewer in simulations.
    pub fn of(rule: &RuleName, partitions: u16) -> Self {
        Self(digest::partition(rule, partitions))
    }

    /// All partitions.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..PARTITIONS).map(Self)
    }
}

impl std::fmt::Display for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Partition(partition) => write!(f, "partition {}", partition.0),
            Self::Notifier => f.write_str("the notifier"),
        }
    }
}
