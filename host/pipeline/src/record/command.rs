use watchbell_contract::Timestamp;

use super::{EpisodeId, IntentId};

/// Made by whoever asks, so that asking twice is asking once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub String);

/// What a person may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Somebody is at it: it is not repeated, and steps `unless: acknowledged` do not fire. Worse ends it.
    Acknowledge {
        episode: EpisodeId,
    },
    Unacknowledge {
        episode: EpisodeId,
    },
    /// It is over: those who heard of it hear that, and it is quiet until its level has ended once.
    Resolve {
        episode: EpisodeId,
    },
    /// Says something for the log alone.
    Note {
        episode: EpisodeId,
        text: String,
    },
    /// Send a dead letter once more, with a deadline that begins now.
    Retry {
        intent: IntentId,
    },
}

/// A line of the audit log: what was asked, by whom, and what became of it. Applied in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRecord {
    /// From 1, without gaps.
    pub number: u64,
    pub id: CommandId,
    /// Wall time at which it was applied.
    pub at: Timestamp,
    pub by: String,
    pub command: Command,
    /// Why it was refused, as a person reads it; `None`: it was done.
    pub refused: Option<String>,
}

/// How far the log of commands has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLog {
    /// The number of the last one; 0: there is none.
    pub last: u64,
    /// The newest ids, at most `COMMAND_IDS_MAX`: one that comes again is known.
    pub recent: Vec<CommandId>,
}

/// Ids of commands that a takeover reads.
pub const COMMAND_IDS_MAX: usize = 1_000;
