use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_pipeline::health;

use crate::Time;

/// Whether one measure of health is met, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// What is wrong; empty if nothing is. At most 50 causes of a kind, then one of kind `more`.
    pub causes: Vec<CauseView>,
    /// What people should look at although nothing is wrong: `ok` does not depend on it. At most 50 of a kind, then one
    /// of kind `more`.
    pub warnings: Vec<CauseView>,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CauseView {
    /// What is wrong.
    pub kind: CauseKind,
    /// The rule; null if the cause does not concern a single rule.
    pub rule: Option<String>,
    /// The cluster; null if the cause does not concern a single cluster.
    pub cluster: Option<String>,
    /// Since when; null if unknown.
    pub since: Option<Time>,
    /// A human-readable sentence, including names.
    pub message: String,
}

/// What can be wrong with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// A commit does not finish.
    StoreStalled,
    /// The store responds, but refuses every commit.
    StoreRefuses,
    /// A run has exceeded its deadline.
    RunStalled,
    /// A rule is due and its cluster has capacity, but it does not start.
    RuleStalled,
    /// The wall clock drifted from the host's time.
    ClockDrift,
    /// A cluster's time differs from the host's, or is not known yet.
    ClockApart,
    /// A rule is reading its history.
    Priming,
    /// A rule has not been evaluated recently.
    Late,
    /// A rule or its texts use fields that no mapping has: a warning.
    FieldsUnmapped,
    /// More keys of a rule fire than its limit of open episodes allows: a warning.
    Overflow,
    /// A destination keeps failing: a warning.
    DestinationFails,
    /// As many messages were sent to a destination as its limit allows: a warning.
    DestinationLimited,
    /// The host's main loop is stuck.
    LoopStalled,
    /// No host responds: this comes from the store.
    Silent,
    /// Further causes of the previous kind, as a count.
    More,
}

impl Health {
    /// Converts the causes found by `watchbell_pipeline::health`.
    pub fn of(causes: &[health::HealthCause]) -> Self {
        let views = causes.iter().map(CauseView::of).collect();
        Self { ok: causes.is_empty(), causes: views, warnings: Vec::new() }
    }

    /// The same with the warnings found by `watchbell_pipeline::health`.
    pub fn warning(self, warnings: &[health::HealthCause]) -> Self {
        Self { warnings: warnings.iter().map(CauseView::of).collect(), ..self }
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
            Kind::FieldsUnmapped => Self::FieldsUnmapped,
            Kind::Overflow => Self::Overflow,
            Kind::DestinationFails => Self::DestinationFails,
            Kind::DestinationLimited => Self::DestinationLimited,
            Kind::LoopStalled => Self::LoopStalled,
            Kind::Silent => Self::Silent,
            Kind::More => Self::More,
        }
    }
}
