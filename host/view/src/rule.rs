use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_contract::Timestamp;
use watchbell_pipeline::RuleStatus;
use watchbell_pipeline::record::{Failure, Overflow, RuleRecord, RunSummary};
use watchbell_pipeline::spec::RuleName;

use crate::{RunView, Time};

/// The status of one rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleView {
    /// Its name in the manifest.
    pub name: String,
    /// Whether it runs. It does not if it is disabled or has no manifest.
    pub enabled: bool,
    /// The cluster that it queries; null if no host responds.
    pub cluster: Option<String>,
    /// The end of the last committed window: everything before it was evaluated. Null before the first.
    pub evaluated_until: Option<Time>,
    /// Seconds from `evaluated_until` to `at`; null before the first window.
    pub window_age_seconds: Option<f64>,
    /// How far the rule is behind what could be evaluated by now, in seconds: 0 unless a window is due. Null if no host
    /// responds.
    pub lag_seconds: Option<f64>,
    /// How long after a document is searchable the rule evaluates it. Null if no host responds.
    pub evaluates_after: Option<EvaluatesAfter>,
    /// When its next run may start; null if never, or if no host responds.
    pub next_due: Option<Time>,
    /// Whether a run is in progress.
    pub running: bool,
    /// How far it has read its history; null unless it is doing so.
    pub priming: Option<PrimingView>,
    /// Why the last run failed; null if it did not.
    pub last_error: Option<String>,
    /// The number of failed runs since the last committed one.
    pub failures_in_a_row: u32,
    /// A sentence for each field that the rule or its texts use and no mapping has; at most 64. Empty if no host responds.
    pub warnings: Vec<String>,
    /// Episodes that have not ended.
    pub open_episodes: u64,
    /// The keys beyond its limit of open episodes, which share one of them; null if there are none.
    pub overflow: Option<OverflowView>,
    /// The last committed run; null before the first.
    pub last_run: Option<RunView>,
}

/// How long a document waits to be evaluated, if its timestamp is the instant from which it was searchable. What the rule
/// finds is told right after, unless something holds it back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluatesAfter {
    /// Seconds at least: `delay`.
    pub soonest_seconds: f64,
    /// Seconds at most, while its runs succeed: `delay`, the time to the next window, and as long as the last run took.
    pub latest_seconds: f64,
}

impl EvaluatesAfter {
    fn of(status: &RuleStatus) -> Self {
        let took = status.last_run.as_ref().map_or(0.0, |run| run.took.secs_f64());
        let soonest_seconds = status.delay.secs_f64();
        Self { soonest_seconds, latest_seconds: soonest_seconds + status.interval.secs_f64() + took }
    }
}

/// Keys that fire beyond a rule's limit of open episodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverflowView {
    /// How many there are; at least that many if `exact` is false.
    pub keys: u64,
    /// Whether all of them are counted. At most 21,000 are.
    pub exact: bool,
}

impl OverflowView {
    fn of(overflow: &Overflow) -> Option<Self> {
        (!overflow.is_over()).then(|| Self { keys: overflow.keys(), exact: overflow.is_exact() })
    }
}

/// A rule that is reading its history before its first window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrimingView {
    /// It has read everything before this.
    pub reached: Time,
    /// Where its first window begins.
    pub until: Time,
}

/// A rule as stored.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Its name.
    pub name: &'a RuleName,
    /// Whether its manifest lets it run.
    pub enabled: bool,
    /// `None`: it has never committed.
    pub record: Option<&'a RuleRecord>,
    /// Episodes that have not ended.
    pub open_episodes: u64,
}

/// What both hosts and stores know.
struct Known<'a> {
    name: &'a RuleName,
    enabled: bool,
    cursor: Option<Timestamp>,
    /// The time reached, and until when.
    priming: Option<(Timestamp, Timestamp)>,
    failure: Option<&'a Failure>,
    last_run: Option<&'a RunSummary>,
    open_episodes: u64,
    overflow: Option<OverflowView>,
}

impl RuleView {
    /// The view at `now` of a rule that a host runs.
    pub fn live(status: &RuleStatus, now: Timestamp) -> Self {
        let known = Known {
            name: &status.name,
            enabled: status.enabled,
            cursor: Some(status.cursor),
            priming: status.priming.as_ref().map(|priming| (priming.reached, priming.until)),
            failure: status.failure.as_ref(),
            last_run: status.last_run.as_ref(),
            open_episodes: status.open_episodes as u64,
            overflow: status
                .overflow
                .map(|overflow| OverflowView { keys: overflow.keys, exact: overflow.is_exact }),
        };
        Self {
            cluster: Some(status.cluster.clone()),
            lag_seconds: Some(status.lag(now).secs_f64()),
            evaluates_after: Some(EvaluatesAfter::of(status)),
            next_due: status.next_due.map(Time),
            running: status.running.is_some(),
            warnings: status.warnings.clone(),
            ..Self::of(&known, now)
        }
    }

    /// The view at `now` of a rule that no host runs.
    pub fn stored(stored: &Stored<'_>, now: Timestamp) -> Self {
        let record = stored.record;
        let priming = record.and_then(|record| record.priming.as_ref());
        let known = Known {
            name: stored.name,
            enabled: stored.enabled,
            cursor: record.map(|record| record.cursor),
            priming: priming.map(|priming| (priming.reached, priming.until)),
            failure: record.and_then(|record| record.failure.as_ref()),
            last_run: record.and_then(|record| record.last_run.as_ref()),
            open_episodes: stored.open_episodes,
            overflow: record.and_then(|record| OverflowView::of(&record.overflow)),
        };
        Self::of(&known, now)
    }

    fn of(known: &Known<'_>, now: Timestamp) -> Self {
        Self {
            name: known.name.0.clone(),
            enabled: known.enabled,
            cluster: None,
            evaluated_until: known.cursor.map(Time),
            window_age_seconds: known.cursor.map(|cursor| now.since(cursor).secs_f64()),
            lag_seconds: None,
            evaluates_after: None,
            next_due: None,
            running: false,
            priming: known
                .priming
                .map(|(reached, until)| PrimingView { reached: Time(reached), until: Time(until) }),
            last_error: known.failure.map(|failure| failure.message.clone()),
            failures_in_a_row: known.failure.map_or(0, |failure| failure.streak),
            warnings: Vec::new(),
            open_episodes: known.open_episodes,
            overflow: known.overflow,
            last_run: known.last_run.map(RunView::of),
        }
    }
}
