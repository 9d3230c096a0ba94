use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{EpisodeRecord, GapRecord, IntentRecord};

use crate::{Decision, DeliveryView, EpisodeView, GapView, RuleView, Stored, Time, VERSION};

/// How many episodes, deliveries and gaps an explanation has, of each.
pub const SHOWN_MAX: u32 = 10;

/// Why a rule did what it did: `watchbell explain --json` and `GET /explain/{rule}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The version of this document's shape.
    #[schemars(extend("const" = VERSION))]
    pub version: u32,
    /// The environment that the rule belongs to.
    pub environment: String,
    /// When `rule` and `decisions` were so. A host's answer is at most a second old.
    pub at: Time,
    /// Who knows this.
    pub source: Source,
    /// The rule.
    pub rule: RuleView,
    /// Why the rule, its episodes and its messages are where they are, then the last decisions, oldest first. Empty
    /// unless `source` is `host`.
    pub decisions: Vec<Decision>,
    /// Its newest episodes, newest first; at most 10.
    pub episodes: Vec<EpisodeView>,
    /// Its newest messages, newest first; at most 10.
    pub deliveries: Vec<DeliveryView>,
    /// Its newest gaps, newest first; at most 10.
    pub gaps: Vec<GapView>,
}

/// Who knows what an explanation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The host that runs the rule.
    Host,
    /// No host answers: this is what the store holds.
    Store,
    /// The rule has no manifest any more: this is what the store holds of it.
    Ended,
}

/// What a store keeps of one rule's past: the newest first, at most `SHOWN_MAX` of each.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Levels as people saw them.
    pub episodes: Vec<EpisodeRecord>,
    /// Messages.
    pub intents: Vec<IntentRecord>,
    /// What was not evaluated.
    pub gaps: Vec<GapRecord>,
}

impl History {
    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.episodes.is_empty() && self.intents.is_empty() && self.gaps.is_empty()
    }
}

impl Explanation {
    /// Of a rule that no host runs.
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
