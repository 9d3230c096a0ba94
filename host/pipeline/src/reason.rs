//! Why something waits, goes out or does not. Each decision returns its reason; it is logged, counted, and shown by
//! `explain`.
use std::fmt;

use watchbell_contract::{Severity, Timestamp};

use crate::spec::DestinationName;

/// A reason of any kind, as `explain` lists them. `Display` is a sentence without its first capital and its full stop.
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
    /// `schedule` cannot be read; the manifest's check says so first.
    NeverDue,
    NotDue {
        until: Timestamp,
    },
    UnderWay {
        since: Timestamp,
    },
    /// The run has ended; its result is being written.
    Committing,
    /// Due, and waiting for its turn at the cluster.
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

/// Why somebody is told of an episode or an event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SendReason {
    FirstSignal,
    Worse(Severity),
    RepeatDue,
    StepDue {
        step: u32,
    },
    /// An edit of the rule put it in the past of an open episode.
    StepAdded {
        step: u32,
    },
    Ended,
    CameAndWent,
    Event,
}

/// Why nobody is told now.
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
    BelowSeverity {
        step: u32,
        severity: Severity,
    },
    Acknowledged,
    StepLater {
        step: u32,
        until: Timestamp,
    },
    RepeatLater {
        until: Timestamp,
    },
    /// It is too old for a step that an edit put in its past.
    TooOld {
        step: u32,
    },
    NobodyToNotify,
    NobodyNotified,
    AlreadySent,
    /// It was found before its rule was switched off, and nobody knows any more whom it concerns.
    RuleGone,
}

/// Where a message is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DeliveryReason {
    Owed { destination: DestinationName },
    RetryLater { destination: DestinationName, until: Timestamp, attempt: u32, last: String },
    UnderWay { destination: DestinationName, attempt: u32 },
    EarlierMessageFirst { destination: DestinationName },
    UnknownDestination { destination: DestinationName },
}

impl Reason {
    /// As metrics and JSON name it.
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
    /// As JSON names it.
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
    /// As metrics name it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FirstSignal => "first_signal",
            Self::Worse(_) => "worse",
            Self::RepeatDue => "repeat",
            Self::StepDue { .. } => "step",
            Self::StepAdded { .. } => "step_added",
            Self::Ended => "ended",
            Self::CameAndWent => "came_and_went",
            Self::Event => "event",
        }
    }
}

impl HoldReason {
    /// As metrics name it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Inactive { .. } => "inactive",
            Self::ResolvedByHand => "resolved_by_hand",
            Self::BelowSeverity { .. } => "below_severity",
            Self::Acknowledged => "acknowledged",
            Self::StepLater { .. } => "step_later",
            Self::RepeatLater { .. } => "repeat_later",
            Self::TooOld { .. } => "too_old",
            Self::NobodyToNotify => "nobody_to_notify",
            Self::NobodyNotified => "nobody_notified",
            Self::AlreadySent => "already_sent",
            Self::RuleGone => "rule_gone",
        }
    }
}

impl DeliveryReason {
    /// As JSON names it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Owed { .. } => "owed",
            Self::RetryLater { .. } => "retry_later",
            Self::UnderWay { .. } => "under_way",
            Self::EarlierMessageFirst { .. } => "earlier_message_first",
            Self::UnknownDestination { .. } => "unknown_destination",
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
            Self::NeverDue => write!(f, "its schedule is never due"),
            Self::NotDue { until } => write!(f, "not due before {}", until),
            Self::UnderWay { since } => write!(f, "a run is under way since {}", since),
            Self::Committing => write!(f, "its last run is being committed"),
            Self::ClusterBusy { cluster } => write!(f, "due, waiting for a free slot of cluster `{cluster}`"),
            Self::Backoff { until, streak, message } => {
                write!(f, "failed {streak} times, again at {}: {message}", until)
            }
            Self::Priming { reached, until } => {
                write!(f, "priming: read up to {} of {}", reached, until)
            }
        }
    }
}

impl fmt::Display for SendReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstSignal => write!(f, "first signal"),
            Self::Worse(severity) => write!(f, "severity rose to {}", severity.as_str()),
            Self::RepeatDue => write!(f, "`repeat` is due"),
            Self::StepDue { step } => write!(f, "step {} of the escalation is due", step + 1),
            Self::StepAdded { step } => {
                write!(f, "step {} of the escalation was added after its time", step + 1)
            }
            Self::Ended => write!(f, "the episode ended"),
            Self::CameAndWent => write!(f, "the episode ended before anybody was told"),
            Self::Event => write!(f, "an event is told once"),
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending { until } => write!(f, "`for` holds it until window time {}", until),
            Self::Inactive { until: Some(until) } => {
                write!(f, "outside the hours of `active`, which begin again at {}", until)
            }
            Self::Inactive { until: None } => write!(f, "outside the hours of `active`"),
            Self::ResolvedByHand => write!(f, "it was resolved by hand, and its level has not ended yet"),
            Self::BelowSeverity { step, severity } => {
                write!(f, "step {} asks for severity {}", step + 1, severity.as_str())
            }
            Self::Acknowledged => write!(f, "it is acknowledged"),
            Self::StepLater { step, until } => {
                write!(f, "step {} of the escalation is due at {}", step + 1, until)
            }
            Self::RepeatLater { until } => write!(f, "`repeat` is due at {}", until),
            Self::TooOld { step } => {
                write!(f, "step {} of the escalation was added when the episode was a day old", step + 1)
            }
            Self::NobodyToNotify => write!(f, "the rule tells nobody"),
            Self::NobodyNotified => write!(f, "nobody heard of its beginning"),
            Self::AlreadySent => write!(f, "already told"),
            Self::RuleGone => write!(f, "the rule is gone, and nobody knows whom it notified"),
        }
    }
}

impl fmt::Display for DeliveryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owed { destination } => write!(f, "owed to `{destination}`"),
            Self::RetryLater { destination, until, attempt, last } => {
                write!(f, "`{destination}` refused attempt {attempt}, again at {}: {last}", until)
            }
            Self::UnderWay { destination, attempt } => {
                write!(f, "attempt {attempt} at `{destination}` is under way")
            }
            Self::EarlierMessageFirst { destination } => {
                write!(f, "an earlier message of the episode is still owed to `{destination}`")
            }
            Self::UnknownDestination { destination } => {
                write!(f, "destination `{destination}` is not configured")
            }
        }
    }
}
