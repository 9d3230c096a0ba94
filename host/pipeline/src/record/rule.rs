use watchbell_contract::{Duration, Label, Range, Timestamp};

use crate::spec::{Meaning, RuleName};

use super::{LastSignal, Overflow};

/// What is stored of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleRecord {
    pub rule: RuleName,
    pub meaning: Meaning,
    /// The end of the last committed window: everything before it has been evaluated.
    pub cursor: Timestamp,
    /// `None` until primed.
    pub state: Option<StateRecord>,
    /// Progress of priming, while it lasts.
    pub priming: Option<Priming>,
    /// Signals committed at or after `state.settled`, so that evaluating that span again announces nothing twice.
    pub seen: Vec<SeenSignal>,
    /// Time before this is final. If the grid moves, rows before it are read once more.
    pub final_before: Timestamp,
    /// Events from outside the `active:` hours, until the hours begin.
    pub later: Later,
    /// Keys that fire beyond `RuleSpec::episodes_max`.
    pub overflow: Overflow,
    /// Wall time of the last commit that moved the cursor.
    pub committed_at: Option<Timestamp>,
    pub last_run: Option<RunSummary>,
    /// The last failure, until a run commits; while the rule is primed, until a whole chunk is read.
    pub failure: Option<Failure>,
    /// A gap was announced since a run last committed: further gaps are recorded but not announced.
    pub gap_announced: bool,
    /// Wall time when it was disabled or its file removed. The record is kept for a while, without state, so that
    /// nothing is sent twice if the rule comes back.
    pub off_since: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecord {
    /// The state includes all rows before this.
    pub settled: Timestamp,
    pub version: u32,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priming {
    /// Rows before this are included in the state.
    pub reached: Timestamp,
    /// Where live windows begin.
    pub until: Timestamp,
}

/// The instant of a committed signal, and a hash of the rest of its identity: of levels and their ends hash(labels,
/// kind), of events hash(labels, identity). A store may still contain hashes of earlier versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeenSignal {
    pub at: Timestamp,
    pub signal: u64,
}

/// Events that are announced together as one list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Later {
    pub events: Vec<LaterEvent>,
    /// How many more there were than could be kept.
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
    /// Wall time when it ended.
    pub ended_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub at: Timestamp,
    pub window: Range,
    /// Human-readable, with its causes.
    pub message: String,
    /// Failed runs since the last run that committed.
    pub streak: u32,
    /// When the first of them failed.
    pub since: Timestamp,
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
    /// Skipped by `catch_up: latest`.
    Skipped,
    /// The smallest slice on which the rule keeps failing, or which is too much for one run.
    Poisoned,
    /// The rule was disabled or removed.
    Disabled,
}
