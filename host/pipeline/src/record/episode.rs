use watchbell_contract::{Duration, Label, Severity, Timestamp};

use crate::spec::{DestinationName, RuleName, StepId};

/// hash(rule, labels, end of the window that opened it), in hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpisodeId(pub String);

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
    /// Who was notified of it, and is to be notified of its end: each once.
    pub notified: Vec<Notified>,
    /// How many announcements it has made.
    pub ordinal: u32,
}

/// A destination that was notified of an episode.
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
