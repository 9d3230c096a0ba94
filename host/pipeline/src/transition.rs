//! What passes from the evaluation of rules to the notifier, and nothing else does: what rules' windows changed, in the
//! order in which it happened.
use watchbell_contract::{Range, Severity, Timestamp};

use crate::level::Level;
use crate::reason::HoldReason;
use crate::record::Ending;
use crate::signals::LinkedSignal;
use crate::spec::RuleName;

/// One change of what a rule says.
#[derive(Clone, Debug)]
pub(crate) struct Transition {
    pub(crate) rule: RuleName,
    /// Up to where the rule's windows are judged with it.
    pub(crate) judged: Timestamp,
    pub(crate) change: Change,
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A level is new, or says something new. `worse` is the severity that it had, where that rose.
    Level {
        level: Level,
        worse: Option<Severity>,
    },
    /// It says nearly the same: worth no write and no message of its own.
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
        events: Vec<LinkedSignal>,
        window_end: Timestamp,
    },
    /// Events that nobody is told of now: they are dropped, or kept for later.
    Withheld {
        reason: HoldReason,
    },
    /// Events that were kept until their hours came; `more` were too many to keep.
    Later {
        events: Vec<LinkedSignal>,
        more: u64,
    },
    /// A slice of time that cannot be judged, the first since a run committed.
    Gap {
        over: Range,
        message: String,
    },
}
