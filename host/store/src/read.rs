//! What a store reports to people and programs that want to know what is going on.
use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{
    CommandRecord, Delivery, Ending, EpisodeId, EpisodeRecord, Epoch, GapRecord, HostId, IntentRecord, Level,
    Owned, PartitionId, PauseRecord, Phase, RuleRecord, SilenceRecord, StoreMeta,
};
use watchbell_pipeline::spec::{DestinationName, RuleName};

use crate::StoreError;

/// Reads a store without disturbing its owner. Each call sees the commits made before it; a commit may happen between
/// two calls. Calls wait for the disk.
pub trait Read: Send {
    /// The store's incarnation, and the bundle in force.
    fn meta(&self) -> Result<StoreMeta, StoreError>;

    /// Everything that was ever owned: the partitions by number, then the notifier.
    fn heads(&self) -> Result<Vec<Head>, StoreError>;

    /// All rules, by name.
    fn rules(&self) -> Result<Vec<StoredRule>, StoreError>;

    /// One rule; `None` if it has never committed.
    fn rule(&self, name: &RuleName) -> Result<Option<StoredRule>, StoreError>;

    /// The levels of one rule or of all, each with its rule: by rule, then by id.
    fn levels(&self, rule: Option<&RuleName>) -> Result<Vec<(RuleName, Level)>, StoreError>;

    /// Newest first; those of the same instant by id.
    fn episodes(&self, filter: &EpisodeFilter) -> Result<Vec<EpisodeRecord>, StoreError>;

    /// Newest first.
    fn intents(&self, filter: &IntentFilter) -> Result<Vec<IntentRecord>, StoreError>;

    /// The newest gaps, of one rule or of all; at most `rows_max`.
    fn gaps(&self, rule: Option<&RuleName>, rows_max: u32) -> Result<Vec<GapRecord>, StoreError>;

    /// The silences in force or to come, by id.
    fn silences(&self) -> Result<Vec<SilenceRecord>, StoreError>;

    /// The last pause that was not taken back; it may be over.
    fn pause(&self) -> Result<Option<PauseRecord>, StoreError>;

    /// The newest commands with their outcomes; at most `rows_max`.
    fn commands(&self, rows_max: u32) -> Result<Vec<CommandRecord>, StoreError>;

    /// All episodes, by id, without what they say.
    fn episode_outlines(&self) -> Result<Vec<EpisodeOutline>, StoreError>;

    /// All messages, oldest first, without what they say.
    fn message_outlines(&self) -> Result<Vec<MessageOutline>, StoreError>;
}

/// An episode, in so few bytes that all of them can be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpisodeOutline {
    pub id: EpisodeId,
    pub rule: RuleName,
    pub opened_at: Timestamp,
    /// When and how it ended.
    pub resolved: Option<(Timestamp, Ending)>,
}

/// A message, in as few bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageOutline {
    pub rule: RuleName,
    /// Of an event, an id of its own.
    pub episode: EpisodeId,
    pub destination: DestinationName,
    pub created_at: Timestamp,
}

impl EpisodeOutline {
    pub(crate) fn of(episode: &EpisodeRecord) -> Self {
        Self {
            id: episode.id.clone(),
            rule: episode.rule.clone(),
            opened_at: episode.opened_at,
            resolved: match episode.phase {
                Phase::Resolved { at, why } => Some((at, why)),
                _ => None,
            },
        }
    }
}

impl MessageOutline {
    pub(crate) fn of(intent: &IntentRecord) -> Self {
        Self {
            rule: intent.message.rule.clone(),
            episode: intent.message.episode.clone(),
            destination: intent.destination.clone(),
            created_at: intent.created_at,
        }
    }
}

/// Who owns what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub what: Owned,
    pub owner: HostId,
    pub epoch: Epoch,
    /// The number of its commits so far, over all epochs.
    pub commits: u64,
}

/// What is stored of a rule, without its state.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRule {
    pub partition: PartitionId,
    /// `record.state.bytes` is left empty here; `state_bytes` is its size.
    pub record: RuleRecord,
    pub state_bytes: u64,
}

/// Which episodes to read.
#[derive(Clone, Debug)]
pub struct EpisodeFilter {
    /// Only those that are not resolved.
    pub open: bool,
    pub rule: Option<RuleName>,
    pub id: Option<EpisodeId>,
    /// How the id begins, in hex.
    pub id_begins: Option<String>,
    pub rows_max: u32,
}

/// Which intents to read.
#[derive(Clone, Debug)]
pub struct IntentFilter {
    pub phase: Option<IntentPhase>,
    pub rule: Option<RuleName>,
    /// An episode's id.
    pub episode: Option<String>,
    pub destination: Option<DestinationName>,
    pub rows_max: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentPhase {
    /// Queued or claimed.
    Open,
    Delivered,
    Dead,
    /// Another message says what it would have said.
    Merged,
}

impl Default for EpisodeFilter {
    fn default() -> Self {
        Self { open: true, rule: None, id: None, id_begins: None, rows_max: 1_000 }
    }
}

impl Default for IntentFilter {
    fn default() -> Self {
        Self { phase: None, rule: None, episode: None, destination: None, rows_max: 1_000 }
    }
}

impl EpisodeFilter {
    pub(crate) fn takes(&self, episode: &EpisodeRecord) -> bool {
        let is_open = !matches!(episode.phase, Phase::Resolved { .. });
        (is_open || !self.open)
            && self.rule.as_ref().is_none_or(|rule| *rule == episode.rule)
            && self.id.as_ref().is_none_or(|id| *id == episode.id)
            && self.id_begins.as_ref().is_none_or(|begins| episode.id.0.starts_with(begins.as_str()))
    }
}

impl IntentFilter {
    pub(crate) fn takes(&self, intent: &IntentRecord) -> bool {
        self.phase.is_none_or(|phase| phase == IntentPhase::of(&intent.delivery))
            && self.rule.as_ref().is_none_or(|rule| *rule == intent.message.rule)
            && self.episode.as_ref().is_none_or(|episode| *episode == intent.message.episode.0)
            && self.destination.as_ref().is_none_or(|destination| *destination == intent.destination)
    }
}

impl IntentPhase {
    fn of(delivery: &Delivery) -> Self {
        match delivery {
            Delivery::Owed { .. } | Delivery::Claimed { .. } => Self::Open,
            Delivery::Delivered { .. } => Self::Delivered,
            Delivery::Dead { .. } => Self::Dead,
            Delivery::Merged { .. } => Self::Merged,
        }
    }
}
