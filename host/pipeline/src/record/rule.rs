use watchbell_contract::{Duration, Label, Range, Timestamp};

use crate::spec::{Meaning, RuleName};

use super::LastSignal;

/// What is kept of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleRecord {
    pub rule: RuleName,
    pub meaning: Meaning,
    /// The end of the last committed window: everything before it was evaluated.
    pub cursor: Timestamp,
    /// `None` until primed.
    pub state: Option<StateRecord>,
    /// How far priming has come, while it lasts.
    pub priming: Option<Priming>,
    /// Signals committed at or after `state.settled`, so that evaluating that span again announces nothing twice.
    pub seen: Vec<SeenSignal>,
    /// What lies before this is final. Where the grid moves, rows before it are read once more.
    pub final_before: Timestamp,
    /// Events of hours in which nothing begins, until they are over.
    pub later: Later,
    /// Wall time of the last commit that moved the cursor.
    pub committed_at: Option<Timestamp>,
    pub last_run: Option<RunSummary>,
    /// The last failure, kept until a run commits.
    pub failure: Option<Failure>,
    /// A gap was announced since a run last committed: the gaps after it are recorded, and not announced.
    pub gap_announced: bool,
    /// Wall time at which it was disabled or its file removed. It is kept for a while, without a state, so that nothing
    /// is sent twice should it come back.
    pub off_since: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecord {
    /// The state is the fold of all rows before this.
    pub settled: Timestamp,
    pub version: u32,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priming {
    /// Rows before this have been folded into the state.
    pub reached: Timestamp,
    /// Where live windows begin.
    pub until: Timestamp,
}

/// The instant of a signal that was committed, and hash(labels, kind), of an event with its summary, its details and the
/// document that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeenSignal {
    pub at: Timestamp,
    pub signal: u64,
}

/// Events that are announced as one list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Later {
    pub events: Vec<LaterEvent>,
    /// How many were too many to keep.
    pub more: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LaterEvent {
    pub labels: Vec<Label>,
    pub last: LastSignal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    pub window: Range,
    pub rows: u64,
    pub signals: u32,
    pub took: Duration,
    /// Wall time of its end.
    pub ended_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub at: Timestamp,
    pub window: Range,
    /// As a person reads it, causes included.
    pub message: String,
    /// Runs that failed since the last one that committed.
    pub streak: u32,
}

/// A slice of time that was not evaluated, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapRecord {
    pub rule: RuleName,
    pub over: Range,
    pub reason: GapReason,
    pub recorded_at: Timestamp,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// `catch_up: latest` left it out.
    Skipped,
    /// The smallest slice on which the rule fails again and again, or which is too much for one run.
    Poisoned,
    /// The rule was switched off.
    Disabled,
}
