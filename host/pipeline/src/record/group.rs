use watchbell_contract::{Label, Timestamp};

use crate::spec::{DestinationName, RuleName};

use super::EpisodeId;

/// hash(rule, labels that it is grouped by, destination), in hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub String);

/// Messages of one rule to one destination that are gathered and sent as one.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRecord {
    pub id: GroupId,
    pub rule: RuleName,
    /// The labels that the rule is grouped by, with the values that the members share.
    pub labels: Vec<Label>,
    pub destination: DestinationName,
    /// What its messages are about, for receivers: from one that names open episodes to the one that says that all of
    /// them are over.
    pub episode: EpisodeId,
    /// How many messages about `episode` there were.
    pub ordinal: u32,
    /// When the gathered messages are sent; `None` if there are none.
    pub due: Option<Timestamp>,
    /// No other message is sent before.
    pub rests_until: Option<Timestamp>,
    /// The open episodes that its messages have named.
    pub open: Vec<GroupKey>,
    /// The open episodes that its messages have only counted.
    pub unnamed: Vec<GroupKey>,
}

/// An episode, and where to find it among those of its rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupKey {
    pub episode: EpisodeId,
    pub labels: Vec<Label>,
}

/// What a message has to do with a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// It waits to be merged into a message of this group.
    Gathered(GroupId),
    /// It is the message of a group, and names these episodes.
    Merged { group: GroupId, named: Vec<NamedEpisode> },
}

/// An episode that the message of a group names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedEpisode {
    pub key: GroupKey,
    /// The destination had not been notified of it before.
    pub begins: bool,
    /// It was not over when the message was made.
    pub is_open: bool,
}
