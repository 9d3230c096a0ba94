use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_contract::Cause;
use watchbell_pipeline::record::{Delivery, IntentRecord};

use crate::Time;

/// A message to one destination, and the state of its delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryView {
    /// Its id, in hex, for receivers to deduplicate by.
    pub id: String,
    /// The episode that it is about; for an event, an id of its own.
    pub episode: String,
    /// Its destination's name in the environment.
    pub destination: String,
    /// Why it is sent.
    pub cause: MessageCause,
    /// Wall time when it was decided.
    pub created_at: Time,
    /// The number of attempts started.
    pub attempts: u32,
    /// Whether it may have arrived more than once, because the outcome of an attempt is unknown.
    pub maybe_repeated: bool,
    /// The state of the delivery; the members next to `fate` depend on it.
    #[serde(flatten)]
    pub fate: Fate,
}

/// The state of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// It is waiting to be sent.
    Owed {
        /// Wall time of the next attempt, at the earliest.
        due: Time,
        /// Why the last attempt failed; null before the first.
        last_error: Option<String>,
    },
    /// An attempt is in progress, or its outcome was lost in a crash.
    UnderWay,
    /// The receiver accepted it.
    Delivered {
        /// Wall time when the receiver accepted it.
        delivered_at: Time,
        /// The receiver's own reference for it; null if it gave none.
        reference: Option<String>,
    },
    /// It was refused permanently, or its deadline passed: a dead letter.
    Dead {
        /// Wall time when it became a dead letter.
        dead_at: Time,
        /// Why the last attempt failed.
        last_error: String,
    },
    /// It was never sent by itself: another message says what it would have said.
    Merged {
        /// Wall time when that message was made.
        merged_at: Time,
        /// That message's id.
        into: String,
    },
}

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageCause {
    /// An episode was announced for the first time.
    Opened,
    /// Its severity rose.
    Worse,
    /// A `repeat` was due.
    Repeat,
    /// A later escalation step was due.
    Escalated,
    /// A person has taken the episode over.
    Acknowledged,
    /// The episode was resolved.
    Resolved,
    /// An event: it has no end.
    Event,
    /// The episode came and went before anyone was notified.
    Was,
    /// Several episodes or events in one message.
    Summary,
    /// A test of the destination.
    Test,
}

impl DeliveryView {
    /// As it is stored.
    pub fn of(intent: &IntentRecord) -> Self {
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
            Delivery::Dead { at, last, dropped_by, .. } => {
                let last_error = match dropped_by {
                    Some(by) => format!("dropped by {by}: {last}"),
                    None => last.clone(),
                };
                Self::Dead { dead_at: Time(*at), last_error }
            }
            Delivery::Merged { at, into } => Self::Merged { merged_at: Time(*at), into: into.0.clone() },
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
            Cause::Acknowledged => Self::Acknowledged,
            Cause::Resolved => Self::Resolved,
            Cause::Event => Self::Event,
            Cause::Was => Self::Was,
            Cause::Summary => Self::Summary,
            Cause::Test => Self::Test,
        }
    }
}
