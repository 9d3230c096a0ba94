//! The messages to one destination that may be sent next.
use std::collections::BTreeSet;

use watchbell_contract::{Duration, Timestamp};

use crate::backoff::backoff;
use crate::record::{IntentId, IntentRecord};
use crate::spec::DestinationSpec;

#[derive(Debug, Default)]
pub(super) struct DestinationQueue {
    /// `None`: the destination is not configured (any more), and its messages wait until their deadline.
    pub(super) spec: Option<DestinationSpec>,
    /// Its last known deadline.
    pub(super) deadline: Option<Duration>,
    /// The first message of each lane, by due time, then by age.
    pub(super) ready: BTreeSet<(Timestamp, Timestamp, IntentId)>,
    /// Messages claimed or being sent.
    pub(super) busy: usize,
    /// When its newest message was queued.
    pub(super) newest: Option<Timestamp>,
}

/// For messages to a destination of which only the name is known.
const DEADLINE_UNKNOWN: Duration = Duration::from_hours(24);

impl DestinationQueue {
    /// For a missing destination: the message that expires first, and when.
    pub(super) fn orphan(&self) -> Option<(Timestamp, &IntentId)> {
        let deadline = self.deadline.unwrap_or(DEADLINE_UNKNOWN);
        self.ready.iter().map(|(_, created_at, id)| (*created_at + deadline, id)).min()
    }

    pub(super) fn room(&self) -> usize {
        self.spec.as_ref().map_or(0, |spec| spec.concurrency.max(1).saturating_sub(self.busy))
    }

    pub(super) fn due(&self, now: Timestamp) -> Option<IntentId> {
        if self.room() == 0 {
            return None;
        }
        self.ready.first().filter(|(due, _, _)| *due <= now).map(|(_, _, id)| id.clone())
    }
}

/// The delay doubles each time up to the destination's limit, with jitter over its upper half, and is never shorter
/// than the receiver asked. It ends at the deadline at the latest, when the message becomes a dead letter.
pub(super) fn retry_at(
    spec: Option<&DestinationSpec>,
    record: &IntentRecord,
    attempt: u32,
    retry_after: Option<Duration>,
    now: Timestamp,
    seed: u64,
) -> Timestamp {
    let (first, most, deadline) = spec
        .map_or((Duration::from_secs(5), Duration::from_mins(5), Duration(u64::MAX)), |spec| {
            (spec.retry_first, spec.retry_max, spec.deadline)
        });
    let pause = backoff(first, most, attempt, &record.id.0, seed).max(retry_after.unwrap_or(Duration::ZERO));
    (now + pause).min((record.created_at + deadline).max(now + Duration(1)))
}
