use watchbell_contract::{Label, Range, Severity, Timestamp};

use crate::spec::RuleName;

use super::{Ending, LastSignal, Level, PartitionId};

/// One change of what a rule says: what passes from the partitions to the notifier, and nothing else does.
#[derive(Clone, Debug, PartialEq)]
pub struct TransitionRecord {
    pub partition: PartitionId,
    /// From 1, without gaps, over all epochs of the partition.
    pub number: u64,
    /// Of the bundle under which it was evaluated.
    pub generation: u64,
    pub rule: RuleName,
    /// The rule's windows are evaluated up to here, this transition included.
    pub judged: Timestamp,
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A level is new, or says something new. `worse` is the severity that it had, where that rose.
    Level {
        level: Level,
        worse: Option<Severity>,
    },
    /// It says nearly the same: not worth a write of its own.
    Renewed {
        level: Level,
    },
    /// It holds longer, since its time did not pass; there is nothing to say.
    Suspended {
        level: Level,
    },
    Ended {
        level: Level,
        why: Ending,
    },
    /// What one window announces once, in order of time; never empty.
    Events {
        events: Vec<Occurrence>,
        window_end: Timestamp,
    },
    /// Events outside the hours of `active:`, the last of them of this instant: they are dropped, or kept for later.
    Withheld {
        at: Timestamp,
    },
    /// Events that were kept until their hours came; `more` were too many to keep.
    Later {
        events: Vec<Occurrence>,
        more: u64,
    },
    /// A slice of time that cannot be evaluated, the first since a run committed.
    Gap {
        over: Range,
        message: String,
    },
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Occurrence {
    pub labels: Vec<Label>,
    pub last: LastSignal,
    /// How many that say the same came before it in its window.
    pub nth: u32,
    /// hash(labels, kind, summary, details, document).
    pub mark: u64,
}
