//! Why something was held or sent: logged, counted, and shown by `explain`.
use std::fmt;

use watchbell_contract::{Severity, Timestamp};

use crate::spec::DestinationName;

/// A reason. `Display` is a sentence without its first capital and its full stop.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Because {
    // of runs
    Disabled,
    Draining,
    /// `schedule` cannot be read; the manifest's check says so first.
    NeverDue,
    NotDue {
        until: Timestamp,
    },
    RunUnderWay {
        since: Timestamp,
    },
    /// The run has ended; its result is being written.
    CommitUnderWay,
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
    // of announcements
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
    SignalOnce,
    /// `for:` has not passed.
    Pending {
        until: Timestamp,
    },
    /// Outside the hours of `active:`.
    Inactive {
        until: Option<Timestamp>,
    },
    StepLater {
        step: u32,
        until: Timestamp,
    },
    RepeatLater {
        until: Timestamp,
    },
    Acknowledged,
    ResolvedByHand,
    BelowSeverity {
        step: u32,
        severity: Severity,
    },
    /// It is too old for a step that an edit put in its past.
    TooOld {
        step: u32,
    },
    NobodyToTell,
    NobodyWasTold,
    AlreadySent,
    // of deliveries
    Owed {
        destination: DestinationName,
    },
    RetryLater {
        destination: DestinationName,
        until: Timestamp,
        attempt: u32,
        last: String,
    },
    DeliveryUnderWay {
        destination: DestinationName,
        attempt: u32,
    },
    EarlierMessageFirst {
        destination: DestinationName,
    },
    UnknownDestination {
        destination: DestinationName,
    },
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |at: &Timestamp| {
            jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
        };
        match self {
            Self::Disabled => write!(f, "the rule is disabled"),
            Self::Draining => write!(f, "the host is stopping"),
            Self::NeverDue => write!(f, "its schedule is never due"),
            Self::NotDue { until } => write!(f, "not due before {}", time(until)),
            Self::RunUnderWay { since } => write!(f, "a run is under way since {}", time(since)),
            Self::CommitUnderWay => write!(f, "its last run is being committed"),
            Self::ClusterBusy { cluster } => write!(f, "due, waiting for a free slot of cluster `{cluster}`"),
            Self::Backoff { until, streak, message } => {
                write!(f, "failed {streak} times, again at {}: {message}", time(until))
            }
            Self::Priming { reached, until } => {
                write!(f, "priming: read up to {} of {}", time(reached), time(until))
            }
            Self::FirstSignal => write!(f, "first signal"),
            Self::Worse(severity) => write!(f, "severity rose to {}", severity.as_str()),
            Self::RepeatDue => write!(f, "`repeat` is due"),
            Self::StepDue { step } => write!(f, "step {} of the escalation is due", step + 1),
            Self::StepAdded { step } => {
                write!(f, "step {} of the escalation was added after its time", step + 1)
            }
            Self::Ended => write!(f, "the episode ended"),
            Self::CameAndWent => write!(f, "the episode ended before anybody was told"),
            Self::SignalOnce => write!(f, "an event is told once"),
            Self::Pending { until } => write!(f, "`for` holds it until window time {}", time(until)),
            Self::Inactive { until: Some(until) } => {
                write!(f, "outside the hours of `active`, which begin again at {}", time(until))
            }
            Self::Inactive { until: None } => write!(f, "outside the hours of `active`"),
            Self::StepLater { step, until } => {
                write!(f, "step {} of the escalation is due at {}", step + 1, time(until))
            }
            Self::RepeatLater { until } => write!(f, "`repeat` is due at {}", time(until)),
            Self::Acknowledged => write!(f, "it is acknowledged"),
            Self::ResolvedByHand => write!(f, "it was resolved by hand, and its level has not ended yet"),
            Self::BelowSeverity { step, severity } => {
                write!(f, "step {} asks for severity {}", step + 1, severity.as_str())
            }
            Self::TooOld { step } => {
                write!(f, "step {} of the escalation was added when the episode was a day old", step + 1)
            }
            Self::NobodyToTell => write!(f, "the rule tells nobody"),
            Self::NobodyWasTold => write!(f, "nobody heard of its beginning"),
            Self::AlreadySent => write!(f, "already told"),
            Self::Owed { destination } => write!(f, "owed to `{destination}`"),
            Self::RetryLater { destination, until, attempt, last } => {
                write!(f, "`{destination}` refused attempt {attempt}, again at {}: {last}", time(until))
            }
            Self::DeliveryUnderWay { destination, attempt } => {
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
