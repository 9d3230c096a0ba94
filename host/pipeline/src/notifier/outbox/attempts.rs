use watchbell_contract::{Cause, Intent, Receipt, RecordedCall, Refusal, Timestamp};

use crate::action::{Action, Note};
use crate::record::{Delivery, IntentId, IntentRecord};

use super::destination_queue::retry_at;
use super::{EVENT_ATTEMPTS_FIRST, Outbox, Settled, Stage, buried, lane};

impl Outbox {
    /// The claim of `id` is written: the message is sent as soon as a slot is free.
    pub(crate) fn claimed(&mut self, id: &IntentId) {
        let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.stage == Stage::Claiming) else {
            return;
        };
        if let Some(queue) = self.queues.get_mut(&entry.record.destination) {
            entry.stage = Stage::Claimed;
            queue.claimed.push_back(id.clone());
        }
    }

    /// The messages to send now, for which slots are free.
    pub(crate) fn start(&mut self, now: Timestamp) -> Vec<Action> {
        let mut actions = Vec::new();
        for queue in self.queues.values_mut() {
            while queue.slots(now) > 0
                && let Some(id) = queue.claimed.pop_front()
            {
                let Some(entry) = self.entries.get_mut(&id) else { continue };
                let Delivery::Claimed { epoch, .. } = entry.record.delivery else { continue };
                entry.stage = Stage::Sending { since: now };
                queue.sending += 1;
                let previous = self.threads.root(&entry.record);
                actions.push(Action::Deliver {
                    acknowledges: entry.record.acknowledges().cloned(),
                    id,
                    epoch,
                    destination: entry.record.destination.clone(),
                    intent: Box::new(Intent { previous, ..entry.record.intent() }),
                });
            }
        }
        actions
    }

    /// Gives back the claims of messages that are not sent yet: of all, because the host starts nothing new, or of those
    /// whose receiver asked for a pause.
    pub(crate) fn release(&mut self, all: bool, now: Timestamp) -> Vec<IntentRecord> {
        let queues = self.queues.values().filter(|queue| all || queue.is_paused(now));
        let ids: Vec<IntentId> = queues.flat_map(|queue| queue.claimed.iter().cloned()).collect();
        ids.iter().filter_map(|id| self.release_one(id, now)).collect()
    }

    fn release_one(&mut self, id: &IntentId, now: Timestamp) -> Option<IntentRecord> {
        let entry = self.entries.get_mut(id)?;
        let Delivery::Claimed { attempt, .. } = entry.record.delivery else { return None };
        let last = (attempt > 1).then(|| "the next attempt was put off before it began".into());
        entry.record.delivery = Delivery::Owed { due: now, attempt: attempt - 1, last };
        entry.granted = true;
        if let Some(queue) = self.queues.get_mut(&entry.record.destination) {
            queue.give_back(&entry.record, now);
        }
        self.back_to_waiting(id)
    }

    /// Keeps what receivers accepted in an attempt that is about to be settled.
    pub(crate) fn record(&mut self, id: &IntentId, calls: Vec<RecordedCall>) {
        if let Some(entry) =
            self.entries.get_mut(id).filter(|entry| matches!(entry.stage, Stage::Sending { .. }))
        {
            entry.record.record(calls);
        }
    }

    /// Records the outcome of an attempt. `None` if it is not in progress.
    pub(crate) fn settle(
        &mut self,
        id: &IntentId,
        outcome: Result<Receipt, Refusal>,
        now: Timestamp,
        seed: u64,
    ) -> Option<Settled> {
        let entry = self.entries.get_mut(id)?;
        let Stage::Sending { since } = entry.stage else { return None };
        let Delivery::Claimed { attempt, .. } = entry.record.delivery else { return None };
        let maybe_repeated = entry.record.maybe_repeated;
        let destination = entry.record.destination.clone();
        let intent = id.clone();
        if matches!(outcome, Ok(_) | Err(Refusal::Refused(_)))
            && let Some(queue) = self.queues.get_mut(&destination)
        {
            queue.answered(since, now);
        }
        match outcome {
            Ok(receipt) => {
                self.threads.arrived(&entry.record, &receipt);
                entry.record.recorded.clear();
                entry.record.delivery =
                    Delivery::Delivered { at: now, attempt, reference: receipt.reference };
                let record = entry.record.clone();
                if matches!(
                    record.message.cause,
                    Cause::Opened | Cause::Escalated | Cause::Worse | Cause::Repeat
                ) {
                    self.arrived.insert(lane(&record));
                }
                self.remove(id);
                self.forget_thread(&record);
                Some(Settled {
                    record,
                    note: Note::Delivered { destination, intent, attempt, maybe_repeated },
                })
            }
            // What was recorded stays with a dead letter: a person may have it sent again, and it is still the same
            // message, of which the receiver already has a part.
            Err(Refusal::Refused(reason)) => self.remove(id).map(|entry| buried(entry.record, now, reason)),
            // A message that the receiver may already have is flagged when it is sent again, whichever host sends it.
            Err(Refusal::Unanswered { reason, retry_after }) => {
                entry.record.maybe_repeated = true;
                self.settle(id, Err(Refusal::Unavailable { reason, retry_after }), now, seed)
            }
            Err(Refusal::Unavailable { reason, retry_after }) => {
                let queue = self.queues.get_mut(&destination);
                let spec = queue.as_ref().and_then(|queue| queue.spec.as_ref());
                let due = retry_at(spec, &entry.record, attempt, retry_after, now, seed);
                let is_paused = queue.is_some_and(|queue| queue.postponed(retry_after, due, now));
                entry.record.delivery = Delivery::Owed { due, attempt, last: Some(reason.clone()) };
                if matches!(entry.record.message.cause, Cause::Event | Cause::Summary)
                    && attempt >= EVENT_ATTEMPTS_FIRST
                {
                    // It goes behind the others of its lane.
                    self.places += 1;
                    let earlier = std::mem::replace(&mut entry.place, self.places);
                    if let Some(ids) = self.lanes.get_mut(&lane(&entry.record)) {
                        ids.remove(&earlier);
                        ids.insert(self.places, id.clone());
                    }
                }
                let record = self.back_to_waiting(id)?;
                if is_paused {
                    self.unpick(|name| *name == destination);
                }
                let note = Note::DeliveryPostponed { destination, intent, reason, due, attempt };
                Some(Settled { record, note })
            }
        }
    }
}
