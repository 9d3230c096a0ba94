//! Queued messages and the outcome of their deliveries. Delivery is first in, first out per episode and destination,
//! and per rule and labels for events, which have no episode. A message is *picked* when its turn comes (`turns`); its
//! text is rendered if it has none, its claim is written, and it is sent as soon as a slot is free. Messages that are
//! picked together are sent in their order. None waits for another destination's.
mod turns; // whose message is next
mod destination_queue; // the messages to one destination
mod texts; // the texts being rendered
mod picks; // from waiting to claimed
mod counts; // how many messages were sent to a destination that has a limit
mod remembered; // what is remembered of destinations
mod attempts; // from claimed to the outcome of an attempt
mod recovery; // what the store held, and dead letters
mod threads; // what the first messages of episodes were answered with
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use watchbell_contract::{Cause, Duration, Severity, Timestamp};

use crate::action::Note;
use crate::message::Message;
use crate::reason::DeliveryReason;
use crate::record::{Delivery, EpisodeId, IntentId, IntentRecord, NamedEpisode};
use crate::spec::{DestinationName, DestinationSpec, RuleName};
use destination_queue::DestinationQueue;
use texts::Texts;
use threads::Threads;
use watchbell_text::Text;

pub(crate) use counts::Reached;
pub(crate) use destination_queue::Queued;
pub(crate) use picks::Wanted;
pub use texts::TextOrder;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    entries: BTreeMap<IntentId, Entry>,
    /// The messages of each rule.
    by_rule: BTreeMap<RuleName, BTreeSet<IntentId>>,
    lanes: BTreeMap<Lane, BTreeMap<u64, IntentId>>,
    /// Counts places in lanes.
    places: u64,
    queues: BTreeMap<DestinationName, DestinationQueue>,
    texts: Texts,
    /// Messages whose text is known and that the next commit claims, in their order.
    to_claim: VecDeque<IntentId>,
    /// Messages claimed by a commit that may not be written yet, waiting to be sent or being sent.
    busy: usize,
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
    /// Its place in its lane.
    place: u64,
    /// It is critical, or the only message of its rule at its destination when it was queued.
    is_urgent: bool,
    /// The next attempt is made even after the deadline: it is the first, or the outcome of the last is unknown.
    granted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// Its text is being rendered.
    Rendering(TextOrder),
    /// The next commit claims it, with this text if it has none yet.
    Rendered(Option<Text>),
    /// Its claim is in a commit that may not be written yet.
    Claiming,
    /// Its claim is written, and it waits for a slot.
    Claimed,
    Sending {
        since: Timestamp,
    },
}

impl Stage {
    fn is_claimed(&self) -> bool {
        matches!(self, Self::Claiming | Self::Claimed | Self::Sending { .. })
    }
}

/// The outcome of an attempt, for the commit that records it.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) record: IntentRecord,
    pub(crate) note: Note,
}

impl Outbox {
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
        let id = self.head(&lane(dead))?.clone();
        let entry = self.entries.get(&id)?;
        if entry.record.message.cause != Cause::Resolved || entry.stage.is_claimed() {
            return None;
        }
        // The end of a group may name keys of which another message told.
        let began = |named: &NamedEpisode| {
            dead.named().iter().any(|other| other.begins && other.key.episode == named.key.episode)
        };
        if !entry.record.named().iter().all(began) {
            return None;
        }
        let record = self.remove(&id)?.record;
        Some(untold(record, now))
    }

    /// Takes back what waits for `destination` about `episode`, oldest first, if nothing of it can have been received yet:
    /// no message is claimed or was ever attempted.
    pub(crate) fn take_back(
        &mut self,
        episode: &EpisodeId,
        destination: &DestinationName,
    ) -> Vec<IntentRecord> {
        let lane = (episode.0.clone(), destination.clone());
        let ids: Vec<IntentId> =
            self.lanes.get(&lane).into_iter().flat_map(BTreeMap::values).cloned().collect();
        let waits = |id: &IntentId| {
            self.entries.get(id).is_some_and(|Entry { record, stage, .. }| {
                !stage.is_claimed() && record.delivery.attempts() == 0 && !record.maybe_repeated
            })
        };
        let first = ids.first().and_then(|id| self.entries.get(id));
        let begins = |entry: &Entry| {
            let cause = entry.record.message.cause;
            matches!(cause, Cause::Opened | Cause::Escalated | Cause::Worse)
                && !self.has_arrived(&entry.record)
        };
        if !first.is_some_and(begins) || !ids.iter().all(waits) {
            return Vec::new();
        }
        ids.iter().filter_map(|id| self.remove(id)).map(|entry| entry.record).collect()
    }

    /// Whether a message about `episode` waits for `destination`, or has reached it.
    pub(crate) fn concerns(&self, episode: &EpisodeId, destination: &DestinationName) -> bool {
        let lane = (episode.0.clone(), destination.clone());
        self.lanes.contains_key(&lane) || self.arrived.contains(&lane)
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
        let is_only = queue.enter(&record);
        let is_urgent = is_only || record.message.severity == Severity::Critical;
        self.places += 1;
        let place = self.places;
        let ids = self.lanes.entry(lane.clone()).or_default();
        ids.insert(place, record.id.clone());
        let first = ids.len() == 1;
        let given = record.clone();
        let granted = record.delivery.attempts() == 0;
        self.by_rule.entry(record.message.rule.clone()).or_default().insert(record.id.clone());
        let entry = Entry { record, stage: Stage::Waiting, place, is_urgent, granted };
        self.entries.insert(given.id.clone(), entry);
        if first {
            self.ready_head(&lane);
        }
        Some(given)
    }

    /// The messages of a rule for a destination.
    pub(crate) fn queued(&self, rule: &RuleName, destination: &DestinationName) -> Queued {
        self.queues.get(destination).map(|queue| queue.queued(rule)).unwrap_or_default()
    }

    pub(crate) fn depth(&self) -> usize {
        self.entries.len()
    }

    /// Messages that are claimed or being sent.
    pub(crate) fn busy(&self) -> usize {
        self.busy
    }

    /// Why the first messages of `rule` are in their current state, at most `most` of them, and how many more there are.
    pub(crate) fn explain(
        &self,
        rule: &RuleName,
        most: usize,
        now: Timestamp,
    ) -> impl Iterator<Item = DeliveryReason> {
        let ids = self.by_rule.get(rule).into_iter().flatten().take(most);
        let reasons = ids.filter_map(|id| self.entries.get(id)).map(move |entry| self.reason(entry, now));
        let count = self.by_rule.get(rule).map_or(0, BTreeSet::len).saturating_sub(most);
        reasons.chain((count > 0).then_some(DeliveryReason::Others { count }))
    }

    fn reason(&self, entry: &Entry, now: Timestamp) -> DeliveryReason {
        let destination = entry.record.destination.clone();
        let queue = self.queues.get(&destination).filter(|queue| queue.spec.is_some());
        let paused_until = queue.and_then(|queue| queue.paused_until).filter(|until| *until > now);
        match &entry.record.delivery {
            Delivery::Claimed { attempt, .. } => DeliveryReason::UnderWay { destination, attempt: *attempt },
            _ if self.head(&lane(&entry.record)) != Some(&entry.record.id) => {
                DeliveryReason::EarlierMessageFirst { destination }
            }
            _ if queue.is_none() => DeliveryReason::UnknownDestination { destination },
            Delivery::Owed { due, attempt, last: Some(last) } => DeliveryReason::RetryLater {
                destination,
                until: paused_until.map_or(*due, |until| until.max(*due)),
                attempt: *attempt,
                last: last.clone(),
            },
            _ => match (paused_until, queue.and_then(|queue| queue.held_until(now))) {
                (Some(until), _) => DeliveryReason::Paused { destination, until },
                (None, Some(until)) if entry.stage == Stage::Waiting => {
                    DeliveryReason::Limited { destination, until }
                }
                _ => DeliveryReason::Owed { destination },
            },
        }
    }

    /// Ends what was under way for a message, which waits or is finished from now on.
    fn leave(&mut self, record: &IntentRecord, stage: &Stage) {
        let Some(queue) = self.queues.get_mut(&record.destination) else { return };
        match stage {
            Stage::Waiting => return,
            Stage::Rendering(order) => {
                drop(self.texts.end(*order));
                queue.unreserve(record);
            }
            Stage::Rendered(_) => {
                self.to_claim.retain(|id| *id != record.id);
                queue.unreserve(record);
            }
            Stage::Claiming => self.busy -= 1,
            Stage::Claimed => {
                queue.claimed.retain(|id| *id != record.id);
                self.busy -= 1;
            }
            Stage::Sending { .. } => {
                queue.sending -= 1;
                self.busy -= 1;
            }
        }
        queue.picked -= 1;
    }

    fn back_to_waiting(&mut self, id: &IntentId) -> Option<IntentRecord> {
        let entry = self.entries.get_mut(id)?;
        let stage = std::mem::replace(&mut entry.stage, Stage::Waiting);
        let record = entry.record.clone();
        self.leave(&record, &stage);
        self.ready_head(&lane(&record));
        Some(record)
    }

    /// Removes a finished message, and lets the next one in its lane come forward.
    fn remove(&mut self, id: &IntentId) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        let Entry { record, stage, place, is_urgent, .. } = &entry;
        if let Some(ids) = self.by_rule.get_mut(&record.message.rule) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_rule.remove(&record.message.rule);
            }
        }
        self.leave(record, stage);
        if let Some(queue) = self.queues.get_mut(&record.destination) {
            queue.leave(record);
            if let (Stage::Waiting, Delivery::Owed { due, .. }) = (stage, &record.delivery) {
                queue.withdraw(record, *is_urgent, *due);
            }
        }
        self.threads.sent(record);
        let lane = lane(record);
        // Nothing follows an end.
        if record.message.cause == Cause::Resolved {
            self.arrived.remove(&lane);
            self.inherited.remove(&lane);
        }
        if let Some(ids) = self.lanes.get_mut(&lane) {
            let was_head = ids.keys().next() == Some(place);
            ids.remove(place);
            if ids.is_empty() {
                self.lanes.remove(&lane);
            } else if was_head {
                self.ready_head(&lane);
            }
        }
        Some(entry)
    }

    /// The first message of a lane.
    fn head(&self, lane: &Lane) -> Option<&IntentId> {
        self.lanes.get(lane)?.values().next()
    }

    fn ready_head(&mut self, lane: &Lane) {
        let Some(id) = self.head(lane) else { return };
        let Some(Entry { record, stage: Stage::Waiting, is_urgent, .. }) = self.entries.get(id) else {
            return;
        };
        if let Delivery::Owed { due, .. } = record.delivery {
            let queue = self.queues.entry(lane.1.clone()).or_default();
            queue.wait(record, *is_urgent, due);
        }
    }
}

/// A message that will not be sent.
fn buried(mut record: IntentRecord, now: Timestamp, reason: String) -> Settled {
    let attempt = record.delivery.attempts();
    record.delivery = Delivery::Dead { at: now, attempt, last: reason.clone(), dropped_by: None };
    let note = dead_letter(&record, reason);
    Settled { record, note }
}

/// The end of something that its receiver never knew of.
pub(crate) fn untold(record: IntentRecord, now: Timestamp) -> Settled {
    buried(record, now, "its opening message was not delivered".to_owned())
}

fn dead_letter(record: &IntentRecord, reason: String) -> Note {
    Note::DeadLetter { destination: record.destination.clone(), intent: record.id.clone(), reason }
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
        grouping: None,
        delivery,
    }
}
