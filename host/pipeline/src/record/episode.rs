use watchbell_contract::{Duration, Label, Severity, Timestamp};

use crate::spec::{DestinationName, RuleName, StepId};

/// hash(rule, labels, end of the window that opened it), in hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpisodeId(pub String);

/// What the host stores per rule and set of labels, from first signal to end.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeRecord {
    pub id: EpisodeId,
    pub rule: RuleName,
    pub labels: Vec<Label>,
    pub phase: Phase,
    pub severity: Severity,
    /// The instant of the first signal.
    pub since: Timestamp,
    /// Wall time of the commit that opened it: escalation counts from here.
    pub opened_at: Timestamp,
    /// The level holds until then, on the data's clock.
    pub until: Timestamp,
    pub last: LastSignal,
    /// The rule's steps when the escalation last ran. Any other step was added by an edit since.
    pub steps: Vec<StepId>,
    /// The rule's `repeat` at that time. If a repeat is due under the current value but would not be under this one, an
    /// edit made it due. `None` also in records from before this field existed.
    pub repeat: Option<Duration>,
    /// Steps that fired ahead of the episode's clock: because the severity rose to the one they require, or because the
    /// clock was set back after them.
    pub early: Vec<StepId>,
    /// Steps that were due by this wall time are done, as the episode's clock now goes.
    pub stepped_until: Option<Timestamp>,
    /// Wall time of the last announcement.
    pub announced_at: Option<Timestamp>,
    /// The destinations notified of it, each once. They will be notified of its end.
    pub notified: Vec<Notified>,
    /// How many announcements were made of it.
    pub ordinal: u32,
    pub progress: EpisodeProgress,
}

/// How far an episode's escalation is, beyond its steps. An episode has a clock of its own: wall time since it opened,
/// less the time for which it stood still.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpisodeProgress {
    /// For how long its clock stood still, without the present standstill.
    pub stood: Duration,
    /// Its clock stands now.
    pub held: Option<Standstill>,
    /// The severity that its messages have reached. If it rose further, that is still to be said.
    pub followed: Severity,
    /// How often it was repeated since something else was said of it.
    pub repeats: u32,
    /// A repeat that fell due while it was held was dropped then: the next is counted from here.
    pub repeat_dropped_at: Option<Timestamp>,
    /// Steps whose time has come and that wait for their hours.
    pub late: Vec<StepId>,
    /// When its acknowledgement ends.
    pub acknowledged_until: Option<Timestamp>,
    /// Where its clock was when it was acknowledged: it goes on from there when that is over.
    pub acknowledged_clock: Option<Duration>,
}

/// A time in which an episode's clock stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standstill {
    pub since: Timestamp,
    /// When it ends, if that is known now.
    pub until: Option<Timestamp>,
}

/// A destination that was notified of an episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notified {
    pub destination: DestinationName,
    /// Wall time of the first message sent to it.
    pub at: Timestamp,
    /// The step that sent that message, if any.
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
    /// A person resolved it while its level held. It stays open and quiet until the level has ended once; the next
    /// firing is a new episode.
    ResolvedByHand {
        at: Timestamp,
        by: String,
    },
    Resolved {
        at: Timestamp,
        why: Ending,
    },
}

impl Phase {
    /// Who has acknowledged or resolved the episode, if a person did.
    pub fn person(&self) -> Option<&str> {
        match self {
            Self::Acknowledged { by, .. } | Self::ResolvedByHand { by, .. } => Some(by),
            Self::Pending | Self::Active | Self::Resolved { .. } => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The rule cleared it.
    Cleared,
    /// `until` passed in committed window time.
    Lapsed,
    /// The rule's file was removed, or the rule was disabled.
    RuleEnded,
    /// No key fires beyond the rule's limit of open episodes any more: the end of an overflow.
    WithinLimit,
}

/// The newest signal of an episode, for message texts and `status`.
#[derive(Clone, Debug, PartialEq)]
pub struct LastSignal {
    pub at: Timestamp,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    pub summary: String,
    /// A JSON object, serialized.
    pub details: String,
    pub link: Option<String>,
}

impl LastSignal {
    /// What the host itself says, with nothing but words.
    pub(crate) fn said(at: Timestamp, summary: String) -> Self {
        Self { at, value: None, threshold: None, summary, details: "{}".into(), link: None }
    }

    /// The bytes of its texts.
    pub(crate) fn bytes(&self) -> usize {
        self.summary.len() + self.details.len() + self.link.as_ref().map_or(0, String::len)
    }
}
