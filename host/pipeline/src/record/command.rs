use watchbell_contract::Timestamp;

use super::{EpisodeId, IntentId, SilenceId, SilenceSpec};

/// Made by the sender, so that sending a command twice applies it once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub String);

/// What a person may request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Somebody is working on it: it is not repeated, and steps with `unless: acknowledged` do not fire. A rise in
    /// severity ends this, and so does the rule's `ack: { for }`. Whoever was notified of the episode is told.
    Acknowledge {
        episode: EpisodeId,
    },
    Unacknowledge {
        episode: EpisodeId,
    },
    /// The episode is over: those who were notified of it are notified of that, and it stays quiet until its level has
    /// ended once.
    Resolve {
        episode: EpisodeId,
    },
    /// Adds a remark to the log only.
    Note {
        episode: EpisodeId,
        text: String,
    },
    /// Send a dead letter once more, with a deadline that begins now.
    Retry {
        intent: IntentId,
    },
    /// Nobody will send this dead letter again.
    Drop {
        intent: IntentId,
    },
    /// Hold back what these conditions choose. The silence has the command's id.
    Silence(SilenceSpec),
    /// End a silence, or take back one that has not begun.
    Unsilence {
        silence: SilenceId,
    },
    /// Send nothing until then; a second one replaces the first.
    Pause {
        until: Timestamp,
        reason: String,
    },
    Unpause,
}

/// An entry of the audit log: what was requested, by whom, and the outcome. Entries are applied in the order of their
/// numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRecord {
    /// Starts at 1, without gaps.
    pub number: u64,
    pub id: CommandId,
    /// Wall time when it was applied.
    pub at: Timestamp,
    pub by: String,
    pub command: Command,
    /// Why it was refused, human-readable; `None` if it was carried out.
    pub refused: Option<String>,
}

/// The position of the command log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLog {
    /// The number of the last command; 0 if there is none.
    pub last: u64,
    /// The newest ids, at most `COMMAND_IDS_MAX`, to recognise a command that is sent again.
    pub recent: Vec<CommandId>,
}

/// How many command ids are read on takeover.
pub const COMMAND_IDS_MAX: usize = 1_000;
