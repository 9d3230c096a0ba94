use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_contract as contract;
use watchbell_pipeline::record::{self, EpisodeRecord};

use crate::Time;

/// What a rule found for a set of labels, from first signal to end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EpisodeView {
    /// Its id, in hex; the same in every message about it.
    pub id: String,
    /// Its current severity.
    pub severity: Severity,
    /// The values of the rule's key fields, null where the field is missing; empty without a key.
    pub labels: BTreeMap<String, Option<String>>,
    /// The instant of its first signal, on the data's clock.
    pub since: Time,
    /// Wall time from which its escalation counts.
    pub opened_at: Time,
    /// It holds until then, on the data's clock, unless another signal extends it.
    pub until: Time,
    /// The state of the episode; the members next to `phase` depend on it.
    #[serde(flatten)]
    pub phase: Phase,
    /// The destinations that were notified of it, in that order.
    pub notified: Vec<NotifiedView>,
    /// The summary of its newest signal.
    pub summary: String,
    /// The value of its newest signal; null if it has none.
    pub value: Option<f64>,
    /// The threshold of its newest signal; null if it has none.
    pub threshold: Option<f64>,
    /// A link to the documents of its newest signal; null without a Kibana.
    pub link: Option<String>,
}

/// A destination that was notified of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotifiedView {
    /// Its name in the environment.
    pub destination: String,
    /// Wall time when the first message to it was decided.
    pub at: Time,
}

/// The state of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// `for` has not passed, or its hours have not come: nobody has been notified.
    Pending,
    /// It is open.
    Active,
    /// It is open, and somebody is working on it.
    Acknowledged {
        /// Wall time when it was acknowledged.
        acknowledged_at: Time,
        /// Who acknowledged it.
        acknowledged_by: String,
    },
    /// A person resolved it; it is quiet until its level has ended once.
    ResolvedByHand {
        /// Wall time when it was resolved.
        resolved_at: Time,
        /// Who resolved it.
        resolved_by: String,
    },
    /// It has ended.
    Resolved {
        /// Wall time when it was resolved.
        resolved_at: Time,
        /// Why it ended.
        ending: Ending,
    },
}

/// Why an episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The rule cleared it.
    Cleared,
    /// No signal extended it.
    Lapsed,
    /// The rule's manifest was removed, or the rule was disabled.
    RuleEnded,
    /// It stood for the keys beyond the rule's limit of open episodes, and none is any more.
    WithinLimit,
}

/// How severe it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For information.
    Info,
    /// Somebody should look at it.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

impl EpisodeView {
    /// As it is stored.
    pub fn of(episode: &EpisodeRecord) -> Self {
        let last = &episode.last;
        Self {
            id: episode.id.0.clone(),
            severity: episode.severity.into(),
            labels: episode.labels.iter().map(|label| (label.name.clone(), label.value.clone())).collect(),
            since: Time(episode.since),
            opened_at: Time(episode.opened_at),
            until: Time(episode.until),
            phase: Phase::of(&episode.phase),
            notified: episode
                .notified
                .iter()
                .map(|told| NotifiedView { destination: told.destination.0.clone(), at: Time(told.at) })
                .collect(),
            summary: last.summary.clone(),
            value: last.value,
            threshold: last.threshold,
            link: last.link.clone(),
        }
    }
}

impl Phase {
    fn of(phase: &record::Phase) -> Self {
        match phase {
            record::Phase::Pending => Self::Pending,
            record::Phase::Active => Self::Active,
            record::Phase::Acknowledged { at, by } => {
                Self::Acknowledged { acknowledged_at: Time(*at), acknowledged_by: by.clone() }
            }
            record::Phase::ResolvedByHand { at, by } => {
                Self::ResolvedByHand { resolved_at: Time(*at), resolved_by: by.clone() }
            }
            record::Phase::Resolved { at, why } => {
                Self::Resolved { resolved_at: Time(*at), ending: (*why).into() }
            }
        }
    }
}

impl From<record::Ending> for Ending {
    fn from(ending: record::Ending) -> Self {
        match ending {
            record::Ending::Cleared => Self::Cleared,
            record::Ending::Lapsed => Self::Lapsed,
            record::Ending::RuleEnded => Self::RuleEnded,
            record::Ending::WithinLimit => Self::WithinLimit,
        }
    }
}

impl From<contract::Severity> for Severity {
    fn from(severity: contract::Severity) -> Self {
        match severity {
            contract::Severity::Info => Self::Info,
            contract::Severity::Warning => Self::Warning,
            contract::Severity::Critical => Self::Critical,
        }
    }
}
