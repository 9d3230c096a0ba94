use watchbell_contract::{Severity, Timestamp};

use crate::spec::DestinationName;

use super::EpisodeId;

/// What the host remembers of a destination besides its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DestinationRecord {
    /// How many messages were sent in this minute, hour and day: see `LimitSpan::ALL`.
    pub counts: [Counted; 3],
    /// What its limit left out that nobody was told of yet.
    pub left_out: Option<LeftOut>,
    /// It has failed since it last took a message.
    pub trouble: Option<Trouble>,
}

/// Messages counted in one span of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub start: Timestamp,
    pub count: u32,
    /// The end of the last span in which the limit was reached.
    pub reached_until: Option<Timestamp>,
}

/// Messages that were left out because a limit was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub since: Timestamp,
    /// The limit's span ends then, and one message says what was left out.
    pub until: Timestamp,
    pub count: u32,
    /// The highest of them.
    pub severity: Severity,
    /// The first ones, each with its rule and key.
    pub lines: Vec<String>,
}

/// How many messages that were left out are named.
pub const LEFT_OUT_LINES_MAX: usize = 10;

/// A destination's failures since it last took a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub since: Timestamp,
    pub attempts: u32,
    /// Messages that became dead letters.
    pub dead: u32,
    /// The last error.
    pub last: String,
    /// It keeps failing: who was told.
    pub told: Option<Told>,
}

/// The host's own alert that a destination keeps failing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub episode: EpisodeId,
    /// They will be told of the end. Empty if there was nobody to tell.
    pub to: Vec<DestinationName>,
}
