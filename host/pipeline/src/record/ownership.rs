use crate::digest;
use crate::spec::RuleName;

/// One process that may own partitions and the notifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub String);

/// Random, made once with the store. Ids and nonces derived from it differ from those of every other store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Incarnation(pub String);

/// Raised by every takeover; a commit of an older epoch is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// How many partitions a store has, for ever: rules never move between them.
pub const PARTITIONS: u16 = 16;

/// A share of the rules, owned by one host at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u16);

/// What a host may own, each under an epoch of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owned {
    Partition(PartitionId),
    Notifier,
}

/// By which right a part of a commit is written. The store compares it with its own: a part of another epoch, or one
/// that does not follow the last, is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tenure {
    pub epoch: Epoch,
    /// Commits of the owned thing before this one, over all epochs.
    pub number: u64,
}

/// Tells two writes apart when the outcome of one is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(pub u64);

/// A place in a partition's transitions: everything up to `number` has been decided. They are numbered from 1.
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

    /// All of them.
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
