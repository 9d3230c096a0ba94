use watchbell_contract::{Label, Range, Severity, Timestamp};

use crate::spec::RuleName;

use super::{Ending, LastSignal, Level, PartitionId};

/// One change in what a rule found. Transitions are all that passes from the partitions to the notifier.
#[derive(Clone, Debug, PartialEq)]
pub struct TransitionRecord {
    pub partition: PartitionId,
    /// Starts at 1, without gaps, over all epochs of the partition.
    pub number: u64,
    /// The generation of the bundle under which it was evaluated.
    pub generation: u64,
    pub rule: RuleName,
    /// The rule's windows are evaluated up to here, including this transition.
    pub judged: Timestamp,
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A level is new or has changed. `worse` is the previous severity, if it rose.
    Level {
        level: Level,
        worse: Option<Severity>,
    },
    /// The level is nearly unchanged: not worth a write of its own.
    Renewed {
        level: Level,
    },
    /// The level holds longer, because its time did not advance; there is nothing to announce.
    Suspended {
        level: Level,
    },
    Ended {
        level: Level,
        why: Ending,
    },
    /// The events of one window, in order of time; never empty.
    Events {
        events: Vec<Occurrence>,
        window_end: Timestamp,
    },
    /// Events outside the `active:` hours, the last of them at this instant: they are dropped, or kept for later.
    Withheld {
        at: Timestamp,
    },
    /// Events that were kept until the hours began; `more` is how many more could not be kept.
    Later {
        events: Vec<Occurrence>,
        more: u64,
    },
    /// A slice of time that cannot be evaluated; the first since a run committed.
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
    /// How many events with the same identity came before it in its window.
    pub nth: u32,
    /// hash(labels, identity).
    pub mark: u64,
}
