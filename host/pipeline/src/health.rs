//! Whether a host does its work, in two measures. Both are pure: they look at what the engine says of its rules and at what
//! the host says of itself, and return causes.
mod progress; // would restarting the host help?
mod freshness; // was every rule evaluated lately?
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use watchbell_contract::{Duration, Timestamp};

use crate::partition::RuleStatus;
use crate::spec::RuleName;

pub use freshness::freshness;
pub use progress::{Progress, progress};

/// A wall clock that is further from the engine's time holds windows.
pub const DRIFT_MAX: Duration = Duration::from_secs(5);

/// Causes of one kind that are told one by one.
const CAUSES_MAX: usize = 50;

/// What is wrong, and with whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCause {
    pub kind: CauseKind,
    pub rule: Option<RuleName>,
    pub cluster: Option<String>,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// As a person reads it, names included.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// A commit does not end.
    StoreStalled,
    /// The store answers, and refuses every commit.
    StoreRefuses,
    /// A run outlives its deadline.
    RunStalled,
    /// A rule is due, its cluster has room, and it does not begin.
    RuleStalled,
    /// The wall clock strays from the engine's time.
    ClockDrift,
    /// A cluster's time differs from the host's, or is not known yet.
    ClockApart,
    /// A rule reads its past.
    Priming,
    /// A rule was not evaluated lately.
    Late,
    /// The loop does not turn.
    LoopStalled,
    /// No host answers.
    Silent,
    /// So many more of the kind before it that they are counted alone.
    More,
}

/// What the host says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Vitals<'a> {
    pub now: Timestamp,
    /// How far the wall clock is from the engine's time.
    pub drift: Duration,
    /// What clusters say of the host's clock, where it holds windows.
    pub apart: &'a [HealthCause],
    pub progress: Progress,
    /// Requests at once, per cluster.
    pub concurrency: &'a BTreeMap<String, usize>,
}

impl HealthCause {
    pub fn new(kind: CauseKind, message: impl Into<String>) -> Self {
        Self { kind, rule: None, cluster: None, since: None, message: message.into() }
    }

    fn of_rule(kind: CauseKind, rule: &RuleStatus, since: Option<Timestamp>, message: String) -> Self {
        let (name, cluster) = (rule.name.clone(), rule.cluster.clone());
        Self { kind, rule: Some(name), cluster: Some(cluster), since, message }
    }
}

impl CauseKind {
    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::StoreStalled => "store_stalled",
            Self::StoreRefuses => "store_refuses",
            Self::RunStalled => "run_stalled",
            Self::RuleStalled => "rule_stalled",
            Self::ClockDrift => "clock_drift",
            Self::ClockApart => "clock_apart",
            Self::Priming => "priming",
            Self::Late => "late",
            Self::LoopStalled => "loop_stalled",
            Self::Silent => "silent",
            Self::More => "more",
        }
    }
}

/// As many causes as a person reads, and the number of the others.
fn first(mut causes: impl Iterator<Item = HealthCause>) -> Vec<HealthCause> {
    let mut told: Vec<HealthCause> = causes.by_ref().take(CAUSES_MAX).collect();
    match causes.count() {
        0 => {}
        more => told.push(HealthCause::new(CauseKind::More, format!("and {more} more rules"))),
    }
    told
}

/// The rules that the engine published.
type Rules = [Arc<RuleStatus>];
