use watchbell_contract::{Label, Severity, Timestamp};

use super::{EpisodeId, EpisodeRecord, LastSignal, Phase};

/// What holds for a rule and a set of labels on the data's clock. Its episode is what people are notified of, and
/// belongs to the notifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// The id of its episode.
    pub id: EpisodeId,
    pub labels: Vec<Label>,
    /// `for:` has passed, and the `active:` hours have come: it may be announced.
    pub has_begun: bool,
    pub severity: Severity,
    /// The instant of the first signal.
    pub since: Timestamp,
    /// It holds until then, unless another signal extends it.
    pub until: Timestamp,
    pub last: LastSignal,
}

impl Level {
    /// The level of an episode that was stored before levels had their own records.
    pub fn of(episode: &EpisodeRecord) -> Self {
        Self {
            id: episode.id.clone(),
            labels: episode.labels.clone(),
            has_begun: episode.phase != Phase::Pending,
            severity: episode.severity,
            since: episode.since,
            until: episode.until,
            last: episode.last.clone(),
        }
    }
}
