use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_contract::Timestamp;
use watchbell_pipeline::{Reason, RuleStatus, RunReason};

/// Why something waits, is sent, or is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// What the decision was about.
    pub kind: DecisionKind,
    /// The reason's name, as in metrics: `not_due`, `first_signal`, `pending`, `owed`.
    pub reason: String,
    /// A human-readable sentence.
    pub message: String,
}

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Why the rule is not running now, or what its run is doing.
    Run,
    /// Why a message was sent.
    Send,
    /// Why nothing is sent now.
    Hold,
    /// The state of a message.
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

    /// The decision as of `now`. A rule that was not due when its reasons were published, but is now, is waiting for
    /// its cluster: becoming due does not change a rule, so that it is not published again.
    pub(crate) fn as_of(now: Timestamp, status: &RuleStatus, reason: &Reason) -> Self {
        match reason {
            Reason::Run(RunReason::NotDue { until }) if *until <= now => {
                Self::of(&Reason::Run(RunReason::ClusterBusy { cluster: status.cluster.clone() }))
            }
            reason => Self::of(reason),
        }
    }
}
