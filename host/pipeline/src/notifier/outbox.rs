//! Queued messages and the outcome of their deliveries. Delivery is first in, first out per episode and destination,
//! and per rule and labels for events, which have no episode; messages queued together are sent in their order. A
//! destination never has more concurrent deliveries than it allows, and none waits for another.
mod destination_queue; // the messages to one destination
mod threads; // what the first messages of episodes were answered with
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use watchbell_contract::{AlertText, Cause, Duration, Intent, Receipt, RecordedCall, Refusal, Timestamp};
use watchbell_text::Text;

use crate::action::{Action, Note};
use crate::message::Message;
use crate::reason::DeliveryReason;
use crate::record::{DEAD_LETTERS_MAX, Delivery, Epoch, HostId, IntentId, IntentRecord};
use crate::spec::{DestinationName, DestinationSpec, RuleName};
use destination_queue::{DestinationQueue, retry_at};
use threads::Threads;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    entries: BTreeMap<IntentId, Entry>,
    /// The messages of each rule.
    by_rule: BTreeMap<RuleName, BTreeSet<IntentId>>,
    lanes: BTreeMap<Lane, VecDeque<IntentId>>,
    queues: BTreeMap<DestinationName, DestinationQueue>,
    /// Lanes of open episodes in which a message has been delivered.
    arrived: BTreeSet<Lane>,
    /// Lanes that held messages when they were taken over: whether anything was delivered before is unknown.
    inherited: BTreeSet<Lane>,
    threads: Threads,
    /// The newest dead letters, oldest first.
    dead_letters: VecDeque<IntentRecord>,
    /// Whether the set of destinations is known.
    configured: bool,
}

/// Messages of one episode, or events of one rule and set of labels, to one destination.
type Lane = (String, DestinationName);

/// After an event was refused temporarily this many times, later events pass it: it may never be delivered.
const EVENT_ATTEMPTS_FIRST: u32 = 8;

#[derive(Debug)]
struct Entry {
    record: IntentRecord,
    stage: Stage,
    /// The next attempt is made even after the deadline: it is the first, or the outcome of the last is unknown.
    granted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// Its claim is in a commit that may not be written yet.
    Claiming,
    Sending,
}

/// The outcome of an attempt, for the commit that records it.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) record: IntentRecord,
    pub(crate) note: Note,
}

/// What happens to a message that is due.
#[derive(Debug)]
pub(crate) enum Claim {
    /// To be sent once this is written.
    Sent(IntentRecord),
    /// Its deadline has passed.
    Dead(Settled),
}

impl Outbox {
    /// Takes over what the store holds. A claim found there may have been sent: it is sent again and flagged.
    /// `notified` are the destinations that were notified of open episodes.
    pub(crate) fn recover(
        &mut self,
        mut records: Vec<IntentRecord>,
        notified: impl Iterator<Item = (String, DestinationName)>,
        now: Timestamp,
    ) -> Vec<Note> {
        self.inherited = records.iter().map(lane).collect();
        self.arrived = notified.filter(|lane| !self.inherited.contains(lane)).collect();
        records.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        let mut notes = Vec::new();
        for mut record in records {
            let mut lost = false;
            match record.delivery.clone() {
                Delivery::Owed { .. } => {}
                // The store keeps the claim until the next one replaces it, so that a second crash finds it as well.
                Delivery::Claimed { attempt, .. } => {
                    lost = true;
                    record.maybe_repeated = true;
                    record.delivery = Delivery::Owed {
                        due: now,
                        attempt,
                        last: Some("its outcome was lost in a crash".into()),
                    };
                    notes.push(Note::ClaimRecovered {
                        destination: record.destination.clone(),
                        intent: record.id.clone(),
                    });
                }
                Delivery::Delivered { .. } | Delivery::Dead { .. } => continue,
            }
            let id = record.id.clone();
            self.push(record);
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.granted |= lost;
            }
        }
        notes
    }

    /// Keeps a message that will not be tried again, should a person ask for that all the same.
    pub(crate) fn keep_dead_letter(&mut self, record: IntentRecord) {
        self.dead_letters.retain(|other| other.id != record.id);
        self.dead_letters.push_back(record);
        if self.dead_letters.len() > DEAD_LETTERS_MAX
            && let Some(gone) = self.dead_letters.pop_front()
        {
            self.forget_thread(&gone);
        }
    }

    /// Owes a dead letter once more, and gives it back as it is to be committed. `None`: it is not one of those kept.
    pub(crate) fn revive(&mut self, id: &IntentId, now: Timestamp) -> Option<IntentRecord> {
        let place = self.dead_letters.iter().position(|record| record.id == *id)?;
        let mut record = self.dead_letters.remove(place)?;
        let (attempt, last) = match record.delivery {
            Delivery::Dead { attempt, last, .. } => (attempt, Some(last)),
            _ => return None,
        };
        record.delivery = Delivery::Owed { due: now, attempt, last };
        record.created_at = now;
        self.push(record)
    }

    pub(crate) fn configure(&mut self, specs: Vec<DestinationSpec>) {
        self.queues.values_mut().for_each(|queue| queue.spec = None);
        for spec in specs {
            let queue = self.queues.entry(spec.name.clone()).or_default();
            queue.deadline = Some(spec.deadline);
            queue.spec = Some(spec);
        }
        self.configured = true;
    }

    /// Whether any message of its episode was delivered to the destination of `record`, as far as known.
    pub(crate) fn has_arrived(&self, record: &IntentRecord) -> bool {
        let lane = lane(record);
        let unknown = record.message.cause != Cause::Opened && self.inherited.contains(&lane);
        unknown || self.arrived.contains(&lane)
    }

    /// The opening message in `dead` was not delivered: withdraw an end that comes next in its lane, since its
    /// recipient never knew of the episode.
    pub(crate) fn withdraw_end(&mut self, dead: &IntentRecord, now: Timestamp) -> Option<Settled> {
        let id = self.lanes.get(&lane(dead))?.front()?.clone();
        let entry = self.entries.get_mut(&id)?;
        if entry.record.message.cause != Cause::Resolved || entry.stage != Stage::Waiting {
            return None;
        }
        let reason = "its opening message was not delivered".to_owned();
        let attempt = entry.record.delivery.attempts();
        entry.record.delivery = Delivery::Dead { at: now, attempt, last: reason.clone() };
        let record = entry.record.clone();
        self.remove(&id);
        let note = Note::DeadLetter { destination: record.destination.clone(), intent: id, reason };
        Some(Settled { record, note })
    }

    /// The rules that have undelivered messages.
    pub(crate) fn rules(&self) -> BTreeSet<RuleName> {
        self.by_rule.keys().cloned().collect()
    }

    /// Adds a message after the earlier ones to its destination, and returns the record to commit.
    pub(crate) fn push(&mut self, mut record: IntentRecord) -> Option<IntentRecord> {
        if self.entries.contains_key(&record.id) {
            return None;
        }
        let lane = lane(&record);
        // The store keeps no other order than this.
        let queue = self.queues.entry(record.destination.clone()).or_default();
        if let Some(newest) = queue.newest {
            record.created_at = record.created_at.max(newest + Duration(1));
        }
        queue.newest = Some(record.created_at);
        let ids = self.lanes.entry(lane.clone()).or_default();
        ids.push_back(record.id.clone());
        let first = ids.len() == 1;
        let given = record.clone();
        let granted = record.delivery.attempts() == 0;
        self.by_rule.entry(record.message.rule.clone()).or_default().insert(record.id.clone());
        self.entries.insert(record.id.clone(), Entry { record, stage: Stage::Waiting, granted });
        if first {
            self.ready_head(&lane);
        }
        Some(given)
    }

    pub(crate) fn depth(&self) -> usize {
        self.entries.len()
    }

    /// Messages claimed or being sent.
    pub(crate) fn busy(&self) -> usize {
        self.queues.values().map(|queue| queue.busy).sum()
    }

    /// When the next message can be claimed whose destination has capacity now.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let due = self.queues.values().filter_map(|queue| match &queue.spec {
            Some(_) => queue.ready.first().filter(|_| queue.room() > 0).map(|(due, _, _)| *due),
            None => queue.orphan().filter(|_| self.configured).map(|(dies, _)| dies),
        });
        due.min()
    }

    /// Claims due messages for the commit in the making. Messages past their deadline become dead letters here.
    /// `render` makes the text of a message that has none.
    pub(crate) fn claim(
        &mut self,
        now: Timestamp,
        owner: &HostId,
        epoch: Epoch,
        render: impl Fn(&Message, AlertText) -> Text,
    ) -> Vec<Claim> {
        let mut changed = Vec::new();
        let names: Vec<DestinationName> = self.queues.keys().cloned().collect();
        for name in names {
            while let Some(id) = self.queues.get(&name).and_then(|queue| queue.due(now)) {
                changed.extend(self.claim_one(&id, now, (owner, epoch), &render));
            }
            while let Some(id) = self.orphan_due(&name, now) {
                changed.extend(self.bury(&id, now).map(Claim::Dead));
            }
        }
        changed
    }

    /// When a message has waited too long for its destination to be configured again.
    fn orphan_due(&self, name: &DestinationName, now: Timestamp) -> Option<IntentId> {
        let queue = self.queues.get(name).filter(|queue| self.configured && queue.spec.is_none())?;
        queue.orphan().filter(|(dies, _)| *dies <= now).map(|(_, id)| id.clone())
    }

    fn bury(&mut self, id: &IntentId, now: Timestamp) -> Option<Settled> {
        let entry = self.entries.get_mut(id)?;
        let name = entry.record.destination.clone();
        let reason = format!("destination `{name}` is no longer configured, and the deadline has passed");
        let attempt = entry.record.delivery.attempts();
        entry.record.delivery = Delivery::Dead { at: now, attempt, last: reason.clone() };
        let record = entry.record.clone();
        self.remove(id);
        Some(Settled { record, note: Note::DeadLetter { destination: name, intent: id.clone(), reason } })
    }

    fn claim_one(
        &mut self,
        id: &IntentId,
        now: Timestamp,
        (owner, epoch): (&HostId, Epoch),
        render: impl Fn(&Message, AlertText) -> Text,
    ) -> Option<Claim> {
        let entry = self.entries.get_mut(id)?;
        let queue = self.queues.get_mut(&entry.record.destination)?;
        queue.ready.pop_first();
        let Delivery::Owed { attempt, last, .. } = entry.record.delivery.clone() else { return None };
        let deadline = queue.spec.as_ref().map_or(Duration(u64::MAX), |spec| spec.deadline);
        // However long the host was down, a message gets one attempt, and one more if the outcome of that one was lost.
        if !entry.granted && now >= entry.record.created_at + deadline {
            let reason = last.unwrap_or_else(|| "not delivered in time".into());
            entry.record.delivery = Delivery::Dead { at: now, attempt, last: reason.clone() };
            let record = entry.record.clone();
            let reason = format!("its deadline of {deadline} has passed; last attempt: {reason}");
            let note =
                Note::DeadLetter { destination: record.destination.clone(), intent: id.clone(), reason };
            self.remove(id);
            return Some(Claim::Dead(Settled { record, note }));
        }
        queue.busy += 1;
        entry.stage = Stage::Claiming;
        entry.granted = false;
        if let Some(spec) = &queue.spec {
            entry.record.text.get_or_insert_with(|| render(&entry.record.message, spec.text));
        }
        entry.record.delivery = Delivery::Claimed { owner: owner.clone(), epoch, attempt: attempt + 1 };
        Some(Claim::Sent(entry.record.clone()))
    }

    /// The claim of `id` is written: returns the message to send.
    pub(crate) fn start(&mut self, id: &IntentId) -> Option<Action> {
        let entry = self.entries.get_mut(id).filter(|entry| entry.stage == Stage::Claiming)?;
        let Delivery::Claimed { epoch, .. } = entry.record.delivery else { return None };
        entry.stage = Stage::Sending;
        Some(Action::Deliver {
            id: id.clone(),
            epoch,
            destination: entry.record.destination.clone(),
            intent: Box::new(Intent { previous: self.threads.root(&entry.record), ..entry.record.intent() }),
        })
    }

    /// The claim of `id` is written, but the host starts nothing new: releases it unsent.
    pub(crate) fn release(&mut self, id: &IntentId, now: Timestamp) -> Option<IntentRecord> {
        let entry = self.entries.get_mut(id).filter(|entry| entry.stage == Stage::Claiming)?;
        let Delivery::Claimed { attempt, .. } = entry.record.delivery else { return None };
        let last = (attempt > 1).then(|| "the host stopped before the next attempt".into());
        entry.record.delivery = Delivery::Owed { due: now, attempt: attempt - 1, last };
        entry.granted = true;
        Some(self.back_to_waiting(id))
    }

    /// Keeps what receivers accepted in an attempt that is about to be settled.
    pub(crate) fn record(&mut self, id: &IntentId, calls: Vec<RecordedCall>) {
        if let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.stage == Stage::Sending) {
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
        let entry = self.entries.get_mut(id).filter(|entry| entry.stage == Stage::Sending)?;
        let Delivery::Claimed { attempt, .. } = entry.record.delivery else { return None };
        let maybe_repeated = entry.record.maybe_repeated;
        let destination = entry.record.destination.clone();
        let intent = id.clone();
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
            Err(Refusal::Refused(reason)) => {
                entry.record.delivery = Delivery::Dead { at: now, attempt, last: reason.clone() };
                let record = entry.record.clone();
                self.remove(id);
                Some(Settled { record, note: Note::DeadLetter { destination, intent, reason } })
            }
            // A message that the receiver may already have is flagged when it is sent again, whichever host sends it.
            Err(Refusal::Unanswered { reason, retry_after }) => {
                entry.record.maybe_repeated = true;
                self.settle(id, Err(Refusal::Unavailable { reason, retry_after }), now, seed)
            }
            Err(Refusal::Unavailable { reason, retry_after }) => {
                let spec = self.queues.get(&destination).and_then(|queue| queue.spec.as_ref());
                let due = retry_at(spec, &entry.record, attempt, retry_after, now, seed);
                entry.record.delivery = Delivery::Owed { due, attempt, last: Some(reason.clone()) };
                if matches!(entry.record.message.cause, Cause::Event | Cause::Summary)
                    && attempt >= EVENT_ATTEMPTS_FIRST
                {
                    let lane = lane(&entry.record);
                    self.lanes.get_mut(&lane).into_iter().for_each(|ids| ids.rotate_left(1));
                }
                let record = self.back_to_waiting(id);
                let note = Note::DeliveryPostponed { destination, intent, reason, due, attempt };
                Some(Settled { record, note })
            }
        }
    }

    /// Why each message of `rule` is in its current state.
    pub(crate) fn explain(&self, rule: &RuleName) -> impl Iterator<Item = DeliveryReason> {
        let ids = self.by_rule.get(rule).into_iter().flatten();
        ids.filter_map(|id| self.entries.get(id)).map(|entry| {
            let destination = entry.record.destination.clone();
            let head = self.lanes.get(&lane(&entry.record)).and_then(|ids| ids.front());
            match &entry.record.delivery {
                Delivery::Claimed { attempt, .. } => {
                    DeliveryReason::UnderWay { destination, attempt: *attempt }
                }
                _ if head != Some(&entry.record.id) => DeliveryReason::EarlierMessageFirst { destination },
                _ if self.queues.get(&destination).is_none_or(|queue| queue.spec.is_none()) => {
                    DeliveryReason::UnknownDestination { destination }
                }
                Delivery::Owed { due, attempt, last: Some(last) } => DeliveryReason::RetryLater {
                    destination,
                    until: *due,
                    attempt: *attempt,
                    last: last.clone(),
                },
                _ => DeliveryReason::Owed { destination },
            }
        })
    }

    fn back_to_waiting(&mut self, id: &IntentId) -> IntentRecord {
        let entry = self.entries.get_mut(id).expect("its caller has just looked at it");
        entry.stage = Stage::Waiting;
        let record = entry.record.clone();
        if let Some(queue) = self.queues.get_mut(&record.destination) {
            queue.busy = queue.busy.saturating_sub(1);
        }
        self.ready_head(&lane(&record));
        record
    }

    /// Removes a finished message, and lets the next one in its lane come forward.
    fn remove(&mut self, id: &IntentId) {
        let Some(entry) = self.entries.remove(id) else { return };
        if let Some(ids) = self.by_rule.get_mut(&entry.record.message.rule) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_rule.remove(&entry.record.message.rule);
            }
        }
        if let Some(queue) = self.queues.get_mut(&entry.record.destination) {
            if entry.stage == Stage::Waiting {
                queue.ready.retain(|(_, _, other)| other != id);
            } else {
                queue.busy = queue.busy.saturating_sub(1);
            }
        }
        self.threads.sent(&entry.record);
        let lane = lane(&entry.record);
        // Nothing follows an end.
        if entry.record.message.cause == Cause::Resolved {
            self.arrived.remove(&lane);
            self.inherited.remove(&lane);
        }
        if let Some(ids) = self.lanes.get_mut(&lane) {
            ids.retain(|other| other != id);
            if ids.is_empty() {
                self.lanes.remove(&lane);
            } else {
                self.ready_head(&lane);
            }
        }
    }

    fn ready_head(&mut self, lane: &Lane) {
        let Some(id) = self.lanes.get(lane).and_then(|ids| ids.front()) else { return };
        let Some(Entry { record, stage: Stage::Waiting, .. }) = self.entries.get(id) else { return };
        if let Delivery::Owed { due, .. } = record.delivery {
            let queue = self.queues.entry(lane.1.clone()).or_default();
            queue.ready.insert((due, record.created_at, id.clone()));
        }
    }
}

fn lane(record: &IntentRecord) -> Lane {
    let message = &record.message;
    let messages = match message.cause {
        // Each event has its own id, but the last message a person reads should be the last event that happened.
        Cause::Event | Cause::Summary => format!("{} {:?}", message.rule, message.labels),
        _ => message.episode.0.clone(),
    };
    (messages, record.destination.clone())
}

/// A message that has not been attempted yet.
pub(crate) fn owed(
    id: IntentId,
    destination: DestinationName,
    message: Message,
    now: Timestamp,
) -> IntentRecord {
    let delivery = Delivery::Owed { due: now, attempt: 0, last: None };
    IntentRecord {
        id,
        destination,
        message,
        text: None,
        created_at: now,
        maybe_repeated: false,
        recorded: Vec::new(),
        delivery,
    }
}
