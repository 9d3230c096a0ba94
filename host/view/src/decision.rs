use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_contract::Timestamp;
use watchbell_pipeline::{Reason, RuleStatus, RunReason};

/// Why something waits, goes out or does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// What was decided about.
    pub kind: DecisionKind,
    /// The reason's name, as metrics have it: `not_due`, `first_signal`, `pending`, `owed`.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Why the rule does not run now, or what its run is doing.
    Run,
    /// Why somebody was notified.
    Send,
    /// Why nobody is notified now.
    Hold,
    /// Why a message is where it is.
    Delivery,
}

impl Decision {
    pub(crate) fn of(reason: &Reason) -> Self {
        let kind = match reason {
            Reason::Run(_) => DecisionKind::Run,
            Reason::Send(_) => DecisionKind::Send,
            Reason::Hold(_) => DecisionKind::Hold,
            Reason::Delivery(_) => DecisionKind::Delivery,
        };
        Self { kind, reason: reason.name().into(), message: reason.to_string() }
    }

    /// As of `now`. A rule that was not due when its reasons were published, and is now, waits for its cluster: nothing
    /// changes of a rule by becoming due, so that it is not published again.
    pub(crate) fn as_of(now: Timestamp, status: &RuleStatus, reason: &Reason) -> Self {
        match reason {
            Reason::Run(RunReason::NotDue { until }) if *until <= now => {
                Self::of(&Reason::Run(RunReason::ClusterBusy { cluster: status.cluster.clone() }))
            }
            reason => Self::of(reason),
        }
    }
}
