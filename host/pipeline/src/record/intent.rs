use watchbell_contract::Timestamp;

use crate::message::Message;
use crate::spec::DestinationName;
use crate::text::Text;

use super::{Epoch, HostId};

/// hash(episode, cause, ordinal, destination), in hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentId(pub String);

/// A message for one destination, and the state of its delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct IntentRecord {
    pub id: IntentId,
    pub destination: DestinationName,
    pub message: Message,
    /// The text as sent: rendered for the first claim, and repeated byte for byte.
    pub text: Option<Text>,
    pub created_at: Timestamp,
    /// An earlier attempt whose outcome is unknown may have arrived.
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
    /// Committed before the request is sent. If found after a crash, the message may have arrived.
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
