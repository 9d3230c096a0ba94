use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{EpisodeRecord, GapRecord, IntentRecord};

use crate::{Decision, DeliveryView, EpisodeView, GapView, RuleView, Stored, Time, VERSION};

/// The maximum number of episodes, of deliveries and of gaps in an explanation.
pub const SHOWN_MAX: u32 = 10;

/// Why a rule did what it did: `watchbell explain --json` and `GET /explain/{rule}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The version of this document's format.
    #[schemars(extend("const" = VERSION))]
    pub version: u32,
    /// The rule's environment.
    pub environment: String,
    /// When `rule` and `decisions` were current. A host's answer is at most a second old.
    pub at: Time,
    /// Where this information comes from.
    pub source: Source,
    /// The rule.
    pub rule: RuleView,
    /// Why the rule, its episodes and its messages are in their current state, followed by the last decisions, oldest
    /// first. Empty unless `source` is `host`.
    pub decisions: Vec<Decision>,
    /// Its newest episodes, newest first; at most 10.
    pub episodes: Vec<EpisodeView>,
    /// Its newest messages, newest first; at most 10.
    pub deliveries: Vec<DeliveryView>,
    /// Its newest gaps, newest first; at most 10.
    pub gaps: Vec<GapView>,
}

/// Where an explanation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The host that runs the rule.
    Host,
    /// No host responds: this comes from the store.
    Store,
    /// The rule has no manifest any more: this comes from the store.
    Ended,
}

/// A rule's history in a store: the newest first, at most `SHOWN_MAX` of each.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Levels as people saw them.
    pub episodes: Vec<EpisodeRecord>,
    /// Messages.
    pub intents: Vec<IntentRecord>,
    /// Time that was not evaluated.
    pub gaps: Vec<GapRecord>,
}

impl History {
    /// Whether there is no history.
    pub fn is_empty(&self) -> bool {
        self.episodes.is_empty() && self.intents.is_empty() && self.gaps.is_empty()
    }
}

impl Explanation {
    /// Explains a rule that no host runs.
    pub fn stored(
        environment: String,
        source: Source,
        rule: &Stored<'_>,
        history: &History,
        at: Timestamp,
    ) -> Self {
        Self::of(environment, source, RuleView::stored(rule, at), Vec::new(), history, at)
    }

    pub(crate) fn of(
        environment: String,
        source: Source,
        rule: RuleView,
        decisions: Vec<Decision>,
        history: &History,
        at: Timestamp,
    ) -> Self {
        Self {
            version: VERSION,
            environment,
            at: Time(at),
            source,
            rule,
            decisions,
            episodes: history.episodes.iter().map(EpisodeView::of).collect(),
            deliveries: history.intents.iter().map(DeliveryView::of).collect(),
            gaps: history.gaps.iter().map(GapView::of).collect(),
        }
    }
}
