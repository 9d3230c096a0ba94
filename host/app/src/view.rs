//! What the host says of itself: the same for `/status`, for `watchbell status` and for health.
use serde::{Deserialize, Serialize};
use watchbell_contract::Timestamp;
use watchbell_pipeline::RuleStatus;
use watchbell_pipeline::health::Cause;

use crate::clock::rfc3339;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub environment: String,
    pub host: String,
    /// RFC 3339.
    pub at: String,
    pub bundle: Option<String>,
    pub generation: u64,
    pub rules: Vec<RuleView>,
    /// Deliveries owed or under way.
    pub owed: u64,
    pub clock_drift_seconds: f64,
    pub alive: Health,
    pub ready: Health,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleView {
    pub name: String,
    pub enabled: bool,
    /// The end of the last committed window, RFC 3339.
    pub evaluated_until: Option<String>,
    pub window_age_seconds: f64,
    /// How far the rule is behind what could be evaluated by now.
    pub lag_seconds: f64,
    pub next_due: Option<String>,
    pub running: bool,
    /// How far priming has come, while it lasts.
    pub priming: Option<String>,
    pub last_error: Option<String>,
    pub failures_in_a_row: u32,
    pub open_episodes: u64,
    pub last_run: Option<LastRun>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    pub window_start: String,
    pub window_end: String,
    pub rows: u64,
    pub signals: u32,
    pub took_ms: u64,
    pub ended_at: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub ok: bool,
    /// What is wrong; empty if nothing is.
    pub causes: Vec<CauseView>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseView {
    /// For example `late`, `run_stalled` or `store_refuses`.
    pub kind: String,
    pub rule: Option<String>,
    pub cluster: Option<String>,
    /// RFC 3339, where it is known.
    pub since: Option<String>,
    /// As a person reads it.
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    pub rule: RuleView,
    /// One decision a line, with its reason.
    pub decisions: Vec<String>,
}

impl Health {
    pub fn of(causes: &[Cause]) -> Self {
        Self { ok: causes.is_empty(), causes: causes.iter().map(CauseView::of).collect() }
    }
}

impl CauseView {
    fn of(cause: &Cause) -> Self {
        Self {
            kind: cause.kind.name().into(),
            rule: cause.rule.as_ref().map(|rule| rule.0.clone()),
            cluster: cause.cluster.clone(),
            since: cause.since.map(rfc3339),
            message: cause.message.clone(),
        }
    }
}

impl RuleView {
    pub fn of(status: &RuleStatus, now: Timestamp) -> Self {
        Self {
            name: status.name.0.clone(),
            enabled: status.enabled,
            evaluated_until: Some(rfc3339(status.cursor)),
            window_age_seconds: now.since(status.cursor).secs_f64(),
            lag_seconds: status.lag(now).secs_f64(),
            next_due: status.next_due.map(rfc3339),
            running: status.running.is_some(),
            priming: status.priming.as_ref().map(|priming| rfc3339(priming.reached)),
            last_error: status.failure.as_ref().map(|failure| failure.message.clone()),
            failures_in_a_row: status.failure.as_ref().map_or(0, |failure| failure.streak),
            open_episodes: status.open_episodes as u64,
            last_run: status.last_run.as_ref().map(|run| LastRun {
                window_start: rfc3339(run.window.start),
                window_end: rfc3339(run.window.end),
                rows: run.rows,
                signals: run.signals,
                took_ms: run.took.millis(),
                ended_at: rfc3339(run.ended_at),
            }),
        }
    }
}
