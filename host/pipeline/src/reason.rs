//! Why something waits, is sent, or is held. Each decision returns its reason, which is logged, counted, and shown by
//! `explain`.
use std::fmt;

use watchbell_contract::{Severity, Timestamp};

use crate::record::{EpisodeId, SilenceId};
use crate::spec::DestinationName;

/// Any reason, as listed by `explain`. `Display` is a sentence without a capital first letter and full stop.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    Run(RunReason),
    Send(SendReason),
    Hold(HoldReason),
    Delivery(DeliveryReason),
}

/// What keeps a rule from running.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RunReason {
    Disabled,
    Draining,
    /// `schedule` cannot be parsed; checking the manifest reports it first.
    NeverDue,
    NotDue {
        until: Timestamp,
    },
    UnderWay {
        since: Timestamp,
    },
    /// The run has ended; its result is being written.
    Committing,
    /// Due, and waiting for a slot on the cluster.
    ClusterBusy {
        cluster: String,
    },
    Backoff {
        until: Timestamp,
        streak: u32,
        message: String,
    },
    Priming {
        reached: Timestamp,
        until: Timestamp,
    },
}

/// Why a message about an episode or event is sent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SendReason {
    FirstSignal,
    Worse(Severity),
    /// Many more keys fire beyond the rule's limit of open episodes.
    OverflowGrew,
    RepeatDue,
    StepDue {
        step: u32,
    },
    /// An edit of the rule inserted it into the past of an open episode.
    StepAdded {
        step: u32,
    },
    Ended,
    CameAndWent,
    Event,
    /// A person has acknowledged it: whoever was notified is told.
    Acknowledged,
    /// An acknowledgement is over, because its time has passed or a person took it back.
    Unacknowledged,
    /// Another destination did not take it.
    Instead {
        of: DestinationName,
    },
}

/// Why nothing is sent now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum HoldReason {
    /// `for:` has not passed.
    Pending {
        until: Timestamp,
    },
    /// Outside the hours of `active:`.
    Inactive {
        until: Option<Timestamp>,
    },
    ResolvedByHand,
    /// Everything is paused.
    Paused {
        until: Timestamp,
    },
    Silenced {
        silence: SilenceId,
        until: Timestamp,
    },
    /// A maintenance window of the environment.
    Maintenance {
        name: String,
        until: Timestamp,
    },
    /// An open episode mutes it.
    Inhibited {
        by: EpisodeId,
    },
    /// An episode that would mute it may be judged a little later.
    InhibitWait {
        until: Timestamp,
    },
    /// The rule cannot run, and that was said.
    ToldOnce,
    BelowSeverity {
        step: u32,
        severity: Severity,
    },
    Acknowledged,
    /// Outside the hours of a step's `when`.
    StepHours {
        step: u32,
        until: Option<Timestamp>,
    },
    StepLater {
        step: u32,
        until: Timestamp,
    },
    RepeatLater {
        until: Timestamp,
    },
    /// The episode is too old for a step that an edit inserted into its past.
    TooOld {
        step: u32,
    },
    NobodyToNotify,
    NobodyNotified,
    AlreadySent,
    /// Too many messages of the rule wait for the destination.
    Backlog {
        destination: DestinationName,
    },
    /// As many messages as its `limit` allows were sent to the destination, or wait for it.
    Limited {
        destination: DestinationName,
        until: Timestamp,
    },
    /// It was found before its rule was disabled or removed, and its destinations are no longer known.
    RuleGone,
}

/// The state of a message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DeliveryReason {
    Owed {
        destination: DestinationName,
    },
    RetryLater {
        destination: DestinationName,
        until: Timestamp,
        attempt: u32,
        last: String,
    },
    UnderWay {
        destination: DestinationName,
        attempt: u32,
    },
    EarlierMessageFirst {
        destination: DestinationName,
    },
    UnknownDestination {
        destination: DestinationName,
    },
    /// The receiver asked for a pause.
    Paused {
        destination: DestinationName,
        until: Timestamp,
    },
    /// As many messages were sent as the destination's `limit` allows.
    Limited {
        destination: DestinationName,
        until: Timestamp,
    },
    /// It is gathered with this many others of its group, and sent with them.
    Grouped {
        destination: DestinationName,
        until: Timestamp,
        others: usize,
    },
    /// This many more messages of the rule, which are not listed.
    Others {
        count: usize,
    },
}

impl Reason {
    /// The name in metrics and JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Run(reason) => reason.name(),
            Self::Send(reason) => reason.name(),
            Self::Hold(reason) => reason.name(),
            Self::Delivery(reason) => reason.name(),
        }
    }
}

impl RunReason {
    /// The name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Draining => "draining",
            Self::NeverDue => "never_due",
            Self::NotDue { .. } => "not_due",
            Self::UnderWay { .. } => "under_way",
            Self::Committing => "committing",
            Self::ClusterBusy { .. } => "cluster_busy",
            Self::Backoff { .. } => "backoff",
            Self::Priming { .. } => "priming",
        }
    }
}

impl SendReason {
    /// The name in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FirstSignal => "first_signal",
            Self::Worse(_) => "worse",
            Self::OverflowGrew => "overflow_grew",
            Self::RepeatDue => "repeat",
            Self::StepDue { .. } => "step",
            Self::StepAdded { .. } => "step_added",
            Self::Ended => "ended",
            Self::CameAndWent => "came_and_went",
            Self::Event => "event",
            Self::Acknowledged => "acknowledged",
            Self::Unacknowledged => "unacknowledged",
            Self::Instead { .. } => "instead",
        }
    }
}

impl HoldReason {
    /// Whether escalation stands while it holds, and until when, if that is known.
    pub(crate) fn stands(&self) -> Option<Option<Timestamp>> {
        match self {
            Self::Paused { until } | Self::Silenced { until, .. } | Self::Maintenance { until, .. } => {
                Some(Some(*until))
            }
            Self::Inhibited { .. } => Some(None),
            _ => None,
        }
    }

    /// The name in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Inactive { .. } => "inactive",
            Self::ResolvedByHand => "resolved_by_hand",
            Self::Paused { .. } => "paused",
            Self::Silenced { .. } => "silenced",
            Self::Maintenance { .. } => "maintenance",
            Self::Inhibited { .. } => "inhibited",
            Self::InhibitWait { .. } => "inhibit_wait",
            Self::StepHours { .. } => "step_hours",
            Self::ToldOnce => "told_once",
            Self::BelowSeverity { .. } => "below_severity",
            Self::Acknowledged => "acknowledged",
            Self::StepLater { .. } => "step_later",
            Self::RepeatLater { .. } => "repeat_later",
            Self::TooOld { .. } => "too_old",
            Self::NobodyToNotify => "nobody_to_notify",
            Self::NobodyNotified => "nobody_notified",
            Self::AlreadySent => "already_sent",
            Self::Backlog { .. } => "backlog",
            Self::Limited { .. } => "limited",
            Self::RuleGone => "rule_gone",
        }
    }
}

impl DeliveryReason {
    /// The name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Owed { .. } => "owed",
            Self::RetryLater { .. } => "retry_later",
            Self::UnderWay { .. } => "under_way",
            Self::EarlierMessageFirst { .. } => "earlier_message_first",
            Self::UnknownDestination { .. } => "unknown_destination",
            Self::Paused { .. } => "paused",
            Self::Limited { .. } => "limited",
            Self::Grouped { .. } => "grouped",
            Self::Others { .. } => "others",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(reason) => reason.fmt(f),
            Self::Send(reason) => reason.fmt(f),
            Self::Hold(reason) => reason.fmt(f),
            Self::Delivery(reason) => reason.fmt(f),
        }
    }
}

impl fmt::Display for RunReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => write!(f, "the rule is disabled"),
            Self::Draining => write!(f, "the host is stopping"),
            Self::NeverDue => write!(f, "its schedule never fires"),
            Self::NotDue { until } => write!(f, "not due before {}", until),
            Self::UnderWay { since } => write!(f, "a run has been in progress since {}", since),
            Self::Committing => write!(f, "its last run is being committed"),
            Self::ClusterBusy { cluster } => write!(f, "due, waiting for a free slot on cluster `{cluster}`"),
            Self::Backoff { until, streak, message } => {
                write!(f, "failures in a row: {streak}, next attempt at {}: {message}", until)
            }
            Self::Priming { reached, until } => {
                write!(f, "priming: history read up to {}, live windows begin at {}", reached, until)
            }
        }
    }
}

impl fmt::Display for SendReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstSignal => write!(f, "first signal"),
            Self::Worse(severity) => write!(f, "severity rose to {}", severity.as_str()),
            Self::OverflowGrew => write!(f, "ten times as many keys are beyond the limit as when last sent"),
            Self::RepeatDue => write!(f, "`repeat` is due"),
            Self::StepDue { step } => write!(f, "escalation step {} is due", step + 1),
            Self::StepAdded { step } => {
                write!(f, "escalation step {} was added after it was due", step + 1)
            }
            Self::Ended => write!(f, "the episode was resolved"),
            Self::CameAndWent => write!(f, "the episode was resolved before anyone was notified"),
            Self::Event => write!(f, "an event is sent once"),
            Self::Acknowledged => write!(f, "it was acknowledged"),
            Self::Unacknowledged => write!(f, "its acknowledgement is over"),
            Self::Instead { of } => write!(f, "`{of}` did not take it"),
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending { until } => write!(f, "`for` holds it until window time {}", until),
            Self::Inactive { until: Some(until) } => {
                write!(f, "outside the `active` hours, which begin again at {}", until)
            }
            Self::Inactive { until: None } => write!(f, "outside the `active` hours"),
            Self::ResolvedByHand => write!(f, "resolved by hand, and its level has not ended yet"),
            Self::Paused { until } => write!(f, "everything is paused until {until}"),
            Self::Silenced { silence, until } => {
                write!(f, "silenced until {until} by silence `{}`", silence.0)
            }
            Self::Maintenance { name, until } => write!(f, "under maintenance `{name}` until {until}"),
            Self::Inhibited { by } => write!(f, "muted by the open episode `{}`", by.0),
            Self::InhibitWait { until } => {
                write!(f, "waiting until {until} for an episode that would mute it")
            }
            Self::StepHours { step, until: Some(until) } => {
                write!(f, "escalation step {} waits for its hours, which begin at {until}", step + 1)
            }
            Self::StepHours { step, until: None } => {
                write!(f, "escalation step {} is outside its hours", step + 1)
            }
            Self::ToldOnce => write!(f, "that a rule cannot run is said once"),
            Self::BelowSeverity { step, severity } => {
                write!(f, "escalation step {} requires severity {}", step + 1, severity.as_str())
            }
            Self::Acknowledged => write!(f, "acknowledged"),
            Self::StepLater { step, until } => {
                write!(f, "escalation step {} is due at {}", step + 1, until)
            }
            Self::RepeatLater { until } => write!(f, "`repeat` is due at {}", until),
            Self::TooOld { step } => {
                write!(f, "escalation step {} was added when the episode was already a day old", step + 1)
            }
            Self::NobodyToNotify => write!(f, "the rule has no destinations"),
            Self::NobodyNotified => write!(f, "nobody was notified when it began"),
            Self::AlreadySent => write!(f, "already sent"),
            Self::Backlog { destination } => {
                write!(f, "left out: too many messages of the rule wait for `{destination}`")
            }
            Self::Limited { destination, until } => {
                write!(f, "left out: the limit of `{destination}` is reached until {until}")
            }
            Self::RuleGone => write!(f, "the rule is gone, and its destinations are no longer known"),
        }
    }
}

impl fmt::Display for DeliveryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owed { destination } => write!(f, "queued for `{destination}`"),
            Self::RetryLater { destination, until, attempt, last } => {
                write!(f, "attempt {attempt} at `{destination}` failed, next attempt at {}: {last}", until)
            }
            Self::UnderWay { destination, attempt } => {
                write!(f, "attempt {attempt} at `{destination}` is in progress")
            }
            Self::EarlierMessageFirst { destination } => {
                write!(f, "waiting until `{destination}` has received an earlier message of the episode")
            }
            Self::UnknownDestination { destination } => {
                write!(f, "destination `{destination}` is not configured")
            }
            Self::Paused { destination, until } => {
                write!(f, "`{destination}` asked for a pause until {}", until)
            }
            Self::Limited { destination, until } => {
                write!(f, "the limit of `{destination}` is reached until {until}")
            }
            Self::Grouped { destination, until, others: 0 } => {
                write!(f, "gathered for `{destination}`, due at {until}")
            }
            Self::Grouped { destination, until, others } => {
                write!(f, "gathered for `{destination}` with {others} more of its group, due at {until}")
            }
            Self::Others { count } => write!(f, "{count} more messages are queued"),
        }
    }
}
