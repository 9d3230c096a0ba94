//! What is kept, and what one commit changes. The store converts these by hand; nothing here knows SQL or JSON.
use watchbell_contract::{Duration, Label, Range, Severity, Timestamp};

use crate::message::Message;
use crate::spec::{DestinationName, Meaning, RuleName, StepId};
use crate::text::Text;

/// One process that may own partitions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostId(pub String);

/// Raised by every takeover of a partition; a commit of an older epoch is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// A share of the rules, owned by one host at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u16);

/// hash(rule, labels, end of the window that opened it), in hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpisodeId(pub String);

/// hash(episode, cause, ordinal, destination), in hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentId(pub String);

/// What is kept of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleRecord {
    pub rule: RuleName,
    pub meaning: Meaning,
    /// The end of the last committed window: everything before it was judged.
    pub cursor: Timestamp,
    /// `None` until primed.
    pub state: Option<StateRecord>,
    /// How far priming has come, while it lasts.
    pub priming: Option<Priming>,
    /// Signals committed at or after `state.settled`, so that judging that span again announces nothing twice.
    pub told: Vec<Told>,
    /// What lies before this was told for good. Where the grid moves, rows before it are read once more.
    pub told_from: Timestamp,
    /// Events of hours in which nothing begins, until they are over.
    pub later: Later,
    /// Wall time of the last commit that moved the cursor.
    pub committed_at: Option<Timestamp>,
    pub last_run: Option<RunSummary>,
    /// The last failure, kept until a run commits.
    pub failure: Option<Failure>,
    /// Its destinations were told of a gap since a run last committed: the gaps after it are recorded and told to nobody.
    pub gap_told: bool,
    /// Wall time at which it was disabled or its file removed. It is kept for a while, without a state, so that nothing
    /// is told twice should it come back.
    pub off_since: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecord {
    /// The state is the fold of all rows before this.
    pub settled: Timestamp,
    pub version: u32,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priming {
    /// Rows before this have been folded into the state.
    pub reached: Timestamp,
    /// Where live windows begin.
    pub until: Timestamp,
}

/// The instant of a signal that was committed, and hash(labels, kind), of an event with its summary, its details and the
/// document that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Told {
    pub at: Timestamp,
    pub signal: u64,
}

/// Events that are told as one list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Later {
    pub events: Vec<LaterEvent>,
    /// How many were too many to keep.
    pub more: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LaterEvent {
    pub labels: Vec<Label>,
    pub last: LastSignal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    pub window: Range,
    pub rows: u64,
    pub signals: u32,
    pub took: Duration,
    /// Wall time of its end.
    pub ended_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub at: Timestamp,
    pub window: Range,
    /// As a person reads it, causes included.
    pub message: String,
    /// Runs that failed since the last one that committed.
    pub streak: u32,
}

/// A slice of time that was not judged, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapRecord {
    pub rule: RuleName,
    pub over: Range,
    pub reason: GapReason,
    pub recorded_at: Timestamp,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// `catch_up: latest` left it out.
    Skipped,
    /// The smallest slice on which the rule fails again and again, or which is too much for one run.
    Poisoned,
    /// The rule was switched off.
    Disabled,
}

/// What the host keeps per rule and labels, from first signal to end.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeRecord {
    pub id: EpisodeId,
    pub rule: RuleName,
    pub labels: Vec<Label>,
    pub phase: Phase,
    pub severity: Severity,
    /// The first signal's instant.
    pub since: Timestamp,
    /// Wall time of the commit that opened it: escalation counts from here.
    pub opened_at: Timestamp,
    /// The level holds until then, on the data's clock.
    pub until: Timestamp,
    pub last: LastSignal,
    /// The rule's steps when the escalation was last carried out: what is not among them came by an edit since.
    pub steps: Vec<StepId>,
    /// The rule's `repeat` at that time: what is due by the one in force, and would not be by this, came by an edit.
    /// `None` also in records from before this was kept.
    pub repeat: Option<Duration>,
    /// Steps that fired before their time, when the severity rose to the one they ask for.
    pub early: Vec<StepId>,
    /// Steps that were due by this wall time are done.
    pub stepped_until: Option<Timestamp>,
    /// Wall time of the last announcement.
    pub announced_at: Option<Timestamp>,
    /// Who heard of it and is to hear of its end, each once.
    pub told: Vec<Notified>,
    /// How many announcements it has made.
    pub ordinal: u32,
}

/// A destination that heard of an episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notified {
    pub destination: DestinationName,
    /// Wall time of the first message to it.
    pub at: Timestamp,
    /// The step that brought that message, where one did.
    pub step: Option<StepId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Pending,
    Active,
    Acknowledged {
        at: Timestamp,
        by: String,
    },
    /// A person ended it while its level held. It stays open and says nothing until the level has ended once, so
    /// that the next firing is a new episode.
    ResolvedByHand {
        at: Timestamp,
        by: String,
    },
    Resolved {
        at: Timestamp,
        why: Ending,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The rule said so.
    Cleared,
    /// `until` passed in committed window time.
    Lapsed,
    /// The rule's file is gone, or the rule was disabled.
    RuleEnded,
}

/// The newest signal of an episode, for texts and for `status`.
#[derive(Clone, Debug, PartialEq)]
pub struct LastSignal {
    pub at: Timestamp,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    pub summary: String,
    /// A JSON object as text.
    pub details: String,
    pub link: Option<String>,
}

/// What is owed to one destination, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct IntentRecord {
    pub id: IntentId,
    pub destination: DestinationName,
    pub message: Message,
    /// As it is sent: rendered for its first claim, and repeated byte for byte.
    pub text: Option<Text>,
    pub created_at: Timestamp,
    /// An attempt may have arrived whose outcome is not known.
    pub maybe_repeated: bool,
    pub delivery: Delivery,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    Owed {
        due: Timestamp,
        attempt: u32,
        last: Option<String>,
    },
    /// Committed before the request goes out: found so after a crash, it may have arrived.
    Claimed {
        owner: HostId,
        epoch: Epoch,
        attempt: u32,
    },
    Delivered {
        at: Timestamp,
        attempt: u32,
        reference: Option<String>,
    },
    Dead {
        at: Timestamp,
        attempt: u32,
        last: String,
    },
}

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

/// Everything that one write changes. Records replace those of the same key; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    pub partition: Partition,
    pub epoch: Epoch,
    /// Tells two writes apart when the outcome of one is unknown.
    pub nonce: u64,
    /// The digest of the bundle in force, when it changes.
    pub bundle: Option<String>,
    pub rules: Vec<RuleRecord>,
    pub rules_ended: Vec<RuleName>,
    pub episodes: Vec<EpisodeRecord>,
    pub intents: Vec<IntentRecord>,
    pub gaps: Vec<GapRecord>,
    /// In order of their numbers.
    pub commands: Vec<CommandRecord>,
}

/// What a host finds when it takes a partition over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub partition: Partition,
    /// Already raised for the new owner.
    pub epoch: Epoch,
    pub bundle: Option<String>,
    pub rules: Vec<RuleRecord>,
    /// Those not resolved.
    pub episodes: Vec<EpisodeRecord>,
    /// Those owed or claimed.
    pub intents: Vec<IntentRecord>,
    pub commands: CommandLog,
}

impl Commit {
    pub fn is_empty(&self) -> bool {
        self.bundle.is_none()
            && self.rules.is_empty()
            && self.rules_ended.is_empty()
            && self.episodes.is_empty()
            && self.intents.is_empty()
            && self.gaps.is_empty()
            && self.commands.is_empty()
    }
}
