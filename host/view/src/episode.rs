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
    /// Its severity now.
    pub severity: Severity,
    /// The values of the rule's key fields, null where the field is missing; empty without a key.
    pub labels: BTreeMap<String, Option<String>>,
    /// The instant of its first signal, on the data's clock.
    pub since: Time,
    /// Wall time from which its escalation counts.
    pub opened_at: Time,
    /// It holds until then unless another signal extends it, on the data's clock.
    pub until: Time,
    /// Where it stands; the members beside `phase` depend on it.
    #[serde(flatten)]
    pub phase: Phase,
    /// Destinations that were notified of it, in that order.
    pub notified: Vec<NotifiedView>,
    /// What its newest signal says.
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
    /// Wall time at which the first message to it was decided.
    pub at: Time,
}

/// Where an episode stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// `for` has not passed, or its hours have not come: nobody was notified.
    Pending,
    /// It is open.
    Active,
    /// It is open, and somebody is at it.
    Acknowledged {
        /// Wall time of that.
        acknowledged_at: Time,
        /// Who.
        acknowledged_by: String,
    },
    /// A person ended it; it is quiet until its level has ended once.
    ResolvedByHand {
        /// Wall time of that.
        resolved_at: Time,
        /// Who.
        resolved_by: String,
    },
    /// It has ended.
    Resolved {
        /// Wall time of that.
        resolved_at: Time,
        /// Why.
        ending: Ending,
    },
}

/// Why an episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The rule said so.
    Cleared,
    /// No signal extended it.
    Lapsed,
    /// The rule's manifest is gone, or the rule was disabled.
    RuleEnded,
}

/// How bad it is.
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
    pub(crate) fn of(episode: &EpisodeRecord) -> Self {
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
