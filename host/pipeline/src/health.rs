//! Whether a host does its work, in two measures, and warnings, which neither depends on. All are pure functions: they
//! take what the engine and the host report about themselves, and return causes.
mod progress; // would restarting the host help?
mod freshness; // was every rule evaluated lately?
mod warnings; // what is doubtful, and no failure
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use watchbell_contract::{Duration, Timestamp};

use crate::partition::RuleStatus;
use crate::spec::RuleName;

pub use freshness::freshness;
pub use progress::{Progress, progress};
pub use warnings::warnings;

/// If the wall clock is further from the engine's time than this, no windows are evaluated.
pub const DRIFT_MAX: Duration = Duration::from_secs(5);

/// Maximum causes of one kind that are listed one by one.
const CAUSES_MAX: usize = 50;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCause {
    pub kind: CauseKind,
    pub rule: Option<RuleName>,
    pub cluster: Option<String>,
    /// When it started, if known.
    pub since: Option<Timestamp>,
    /// Human-readable, including names.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// A commit does not finish.
    StoreStalled,
    /// The store responds, but refuses every commit.
    StoreRefuses,
    /// A run outlives its deadline.
    RunStalled,
    /// A rule is due and its cluster has capacity, but it does not start.
    RuleStalled,
    /// The wall clock drifted from the engine's time.
    ClockDrift,
    /// A cluster's time differs from the host's, or is not known yet.
    ClockApart,
    /// A rule is reading its history.
    Priming,
    /// A rule has not been evaluated recently.
    Late,
    /// A rule or its texts use fields that no mapping has: a warning.
    FieldsUnmapped,
    /// A warning: more keys of a rule fire than its limit of open episodes allows.
    Overflow,
    /// A warning: a destination keeps failing.
    DestinationFails,
    /// A warning: a destination's limit is reached.
    DestinationLimited,
    /// The main loop is stuck.
    LoopStalled,
    /// No host responds.
    Silent,
    /// Stands for further causes of the previous kind, as a count.
    More,
}

/// What the host reports about itself.
#[derive(Clone, Copy, Debug)]
pub struct Vitals<'a> {
    pub now: Timestamp,
    /// How far the wall clock is from the engine's time.
    pub drift: Duration,
    /// Causes from comparing the host's clock with the clusters', where they stop evaluation.
    pub apart: &'a [HealthCause],
    pub progress: Progress,
    /// Why the store refuses commits, if it does.
    pub store_fault: Option<&'a str>,
    /// Maximum concurrent requests per cluster.
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
    /// The name in JSON.
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
            Self::FieldsUnmapped => "fields_unmapped",
            Self::Overflow => "overflow",
            Self::DestinationFails => "destination_fails",
            Self::DestinationLimited => "destination_limited",
            Self::LoopStalled => "loop_stalled",
            Self::Silent => "silent",
            Self::More => "more",
        }
    }
}

/// As many causes as a person will read, followed by the number of the rest.
fn first(mut causes: impl Iterator<Item = HealthCause>) -> Vec<HealthCause> {
    let mut shown: Vec<HealthCause> = causes.by_ref().take(CAUSES_MAX).collect();
    match causes.count() {
        0 => {}
        more => shown.push(HealthCause::new(CauseKind::More, format!("and {more} more rules"))),
    }
    shown
}

/// The rules as published by the engine.
type Rules = [Arc<RuleStatus>];
