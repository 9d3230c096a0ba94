use watchbell_contract::{Label, Severity, Timestamp};

use super::{EpisodeId, EpisodeRecord, LastSignal, Phase};

/// What holds for a rule and a set of labels on the data's clock. What people hear of it is its episode, which is the
/// notifier's.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Its episode's.
    pub id: EpisodeId,
    pub labels: Vec<Label>,
    /// `for:` has passed, and the hours of `active:` have come: it may be announced.
    pub has_begun: bool,
    pub severity: Severity,
    /// The first signal's instant.
    pub since: Timestamp,
    /// It holds until then, unless another signal extends it.
    pub until: Timestamp,
    pub last: LastSignal,
}

impl Level {
    /// The level of an episode that was kept before levels were records of their own.
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
