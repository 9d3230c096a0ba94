use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_pipeline::health;

use crate::Time;

/// Whether a measure of health is met, and what keeps it from being so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// What is wrong; empty if nothing is. At most 50 causes of a kind, then one of kind `more`.
    pub causes: Vec<CauseView>,
}

/// What is wrong, and with whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CauseView {
    /// What is wrong.
    pub kind: CauseKind,
    /// The rule; null if it concerns no single rule.
    pub rule: Option<String>,
    /// The cluster; null if it concerns no single cluster.
    pub cluster: Option<String>,
    /// Since when; null if that is not known.
    pub since: Option<Time>,
    /// A sentence for people, names included.
    pub message: String,
}

/// What can be wrong with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// A commit does not end.
    StoreStalled,
    /// The store answers, and refuses every commit.
    StoreRefuses,
    /// A run has outlived its deadline.
    RunStalled,
    /// A rule is due, its cluster has room, and it does not begin.
    RuleStalled,
    /// The wall clock strays from the host's time.
    ClockDrift,
    /// A cluster's time differs from the host's, or is not known yet.
    ClockApart,
    /// A rule reads its past.
    Priming,
    /// A rule was not evaluated lately.
    Late,
    /// The host's loop does not turn.
    LoopStalled,
    /// No host answers: this is what the store holds.
    Silent,
    /// More causes of the kind before it, counted only.
    More,
}

impl Health {
    /// As the measures in `watchbell_pipeline::health` found it.
    pub fn of(causes: &[health::HealthCause]) -> Self {
        Self { ok: causes.is_empty(), causes: causes.iter().map(CauseView::of).collect() }
    }
}

impl CauseView {
    fn of(cause: &health::HealthCause) -> Self {
        Self {
            kind: cause.kind.into(),
            rule: cause.rule.as_ref().map(|rule| rule.0.clone()),
            cluster: cause.cluster.clone(),
            since: cause.since.map(Time),
            message: cause.message.clone(),
        }
    }
}

impl From<health::CauseKind> for CauseKind {
    fn from(kind: health::CauseKind) -> Self {
        use health::CauseKind as Kind;
        match kind {
            Kind::StoreStalled => Self::StoreStalled,
            Kind::StoreRefuses => Self::StoreRefuses,
            Kind::RunStalled => Self::RunStalled,
            Kind::RuleStalled => Self::RuleStalled,
            Kind::ClockDrift => Self::ClockDrift,
            Kind::ClockApart => Self::ClockApart,
            Kind::Priming => Self::Priming,
            Kind::Late => Self::Late,
            Kind::LoopStalled => Self::LoopStalled,
            Kind::Silent => Self::Silent,
            Kind::More => Self::More,
        }
    }
}
