use watchbell_contract::{Receipt, RecordedCall, Timestamp};
use watchbell_text::Text;

use crate::message::Message;
use crate::spec::DestinationName;

use super::{EpisodeId, Epoch, GroupId, Grouping, HostId, NamedEpisode};

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
    /// The responses to requests that a receiver accepted in attempts that failed, by number: none of these requests is
    /// sent again. Empty once the message is delivered.
    pub recorded: Vec<RecordedCall>,
    /// What it has to do with a group, if its rule gathers messages.
    pub grouping: Option<Grouping>,
    pub delivery: Delivery,
}

/// What a destination returned for the first message of an episode that it accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstReceipt {
    pub episode: EpisodeId,
    pub destination: DestinationName,
    pub receipt: Receipt,
}

/// How many requests of a message are recorded, how large a response's body and how large its headers may be. A response
/// beyond these limits is not recorded, and its request is sent again.
pub const RECORDED_CALLS_MAX: usize = 16;
pub const RECORDED_BODY_BYTES_MAX: usize = 64 << 10;
pub const RECORDED_HEADERS_BYTES_MAX: usize = 16 << 10;

impl IntentRecord {
    /// Whether it is a dead letter that a person has dropped.
    pub fn is_dropped(&self) -> bool {
        matches!(self.delivery, Delivery::Dead { dropped_by: Some(_), .. })
    }

    /// The group in which it waits to be merged.
    pub fn gathered_in(&self) -> Option<&GroupId> {
        match &self.grouping {
            Some(Grouping::Gathered(group)) => Some(group),
            Some(Grouping::Merged { .. }) | None => None,
        }
    }

    /// The episodes that it names, if it is the message of a group.
    pub fn named(&self) -> &[NamedEpisode] {
        match &self.grouping {
            Some(Grouping::Merged { named, .. }) => named,
            Some(Grouping::Gathered(_)) | None => &[],
        }
    }

    /// The episode that is acknowledged by whoever acknowledges this message. A message about several open episodes
    /// has none.
    pub fn acknowledges(&self) -> Option<&EpisodeId> {
        let Some(Grouping::Merged { named, .. }) = &self.grouping else { return Some(&self.message.episode) };
        let mut open = named.iter().filter(|named| named.is_open);
        match (open.next(), open.next()) {
            (Some(only), None) => Some(&only.key.episode),
            _ => None,
        }
    }

    /// Adds what receivers accepted in an attempt. A request that is already recorded keeps its first response.
    pub fn record(&mut self, calls: Vec<RecordedCall>) {
        let is_within_limits = |call: &RecordedCall| {
            let headers: usize = call.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
            (call.number as usize) < RECORDED_CALLS_MAX
                && (200..=299).contains(&call.status)
                && headers <= RECORDED_HEADERS_BYTES_MAX
                && call.body.len() <= RECORDED_BODY_BYTES_MAX
        };
        self.recorded.extend(calls.into_iter().filter(is_within_limits));
        self.recorded.sort_by_key(|call| call.number);
        self.recorded.dedup_by_key(|call| call.number);
    }
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
        /// Who decided that nobody will send it again.
        dropped_by: Option<String>,
    },
    /// It was never sent by itself: another message says what it would have said.
    Merged {
        at: Timestamp,
        into: IntentId,
    },
}
