use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_contract::Cause;
use watchbell_pipeline::record::{Delivery, IntentRecord};

use crate::Time;

/// A message to one destination, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryView {
    /// Its id, in hex: what receivers deduplicate by.
    pub id: String,
    /// The episode that it is about, or, of an event, an id of its own.
    pub episode: String,
    /// Its destination's name in the environment.
    pub destination: String,
    /// What it is sent for.
    pub cause: MessageCause,
    /// Wall time at which it was decided.
    pub created_at: Time,
    /// Attempts begun.
    pub attempts: u32,
    /// Whether it may have arrived more than once: an attempt's outcome is not known.
    pub maybe_repeated: bool,
    /// What became of it; the members beside `fate` depend on it.
    #[serde(flatten)]
    pub fate: Fate,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// It is to be sent.
    Owed {
        /// Wall time of the next attempt, at the earliest.
        due: Time,
        /// Why the last attempt failed; null before the first.
        last_error: Option<String>,
    },
    /// An attempt is under way, or its outcome was lost in a crash.
    UnderWay,
    /// Its receiver has taken it.
    Delivered {
        /// Wall time of that.
        delivered_at: Time,
        /// What the receiver calls it; null if it does not say.
        reference: Option<String>,
    },
    /// It was refused for good, or its deadline passed: a dead letter.
    Dead {
        /// Wall time of that.
        dead_at: Time,
        /// Why the last attempt failed.
        last_error: String,
    },
}

/// What a message is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageCause {
    /// An episode was announced for the first time.
    Opened,
    /// Its severity rose.
    Worse,
    /// `repeat` was due.
    Repeat,
    /// A later step of the escalation was due.
    Escalated,
    /// The episode ended.
    Resolved,
    /// An event: it has no end.
    Event,
    /// The episode came and went before anybody was notified.
    Was,
    /// A trial of the destination.
    Test,
}

impl DeliveryView {
    pub(crate) fn of(intent: &IntentRecord) -> Self {
        Self {
            id: intent.id.0.clone(),
            episode: intent.message.episode.0.clone(),
            destination: intent.destination.0.clone(),
            cause: intent.message.cause.into(),
            created_at: Time(intent.created_at),
            attempts: intent.delivery.attempts(),
            maybe_repeated: intent.maybe_repeated,
            fate: Fate::of(&intent.delivery),
        }
    }
}

impl Fate {
    fn of(delivery: &Delivery) -> Self {
        match delivery {
            Delivery::Owed { due, last, .. } => Self::Owed { due: Time(*due), last_error: last.clone() },
            Delivery::Claimed { .. } => Self::UnderWay,
            Delivery::Delivered { at, reference, .. } => {
                Self::Delivered { delivered_at: Time(*at), reference: reference.clone() }
            }
            Delivery::Dead { at, last, .. } => Self::Dead { dead_at: Time(*at), last_error: last.clone() },
        }
    }
}

impl From<Cause> for MessageCause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Opened => Self::Opened,
            Cause::Worse => Self::Worse,
            Cause::Repeat => Self::Repeat,
            Cause::Escalated => Self::Escalated,
            Cause::Resolved => Self::Resolved,
            Cause::Event => Self::Event,
            Cause::Was => Self::Was,
            Cause::Test => Self::Test,
        }
    }
}
