//! The messages to one destination: which may be picked next, and how many at once.
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use watchbell_contract::{Duration, Timestamp};

use crate::backoff::backoff;
use crate::limit::Limit;
use crate::record::{DestinationRecord, IntentId, IntentRecord};
use crate::spec::{DestinationSpec, RuleName};

use super::counts::{self, Reached};
use super::turns::{Place, Turns};

#[derive(Debug, Default)]
pub(super) struct DestinationQueue {
    /// `None`: the destination is not configured (any more), and its messages wait until their deadline.
    pub(super) spec: Option<DestinationSpec>,
    /// Its last known deadline.
    pub(super) deadline: Option<Duration>,
    /// The first messages of lanes: those that are not due yet, those that are, and all by age.
    later: BTreeMap<Place, Waiting>,
    due: Turns,
    /// Those of the due ones that were attempted before: its limit does not hold them.
    retries: BTreeMap<Place, Waiting>,
    ages: BTreeSet<(Timestamp, IntentId)>,
    /// The messages of each rule.
    queued: BTreeMap<RuleName, Queued>,
    /// Messages that are no longer waiting: their text is being rendered, they are claimed or they are being sent.
    pub(super) picked: usize,
    /// Of these, the ones whose claim is written and that wait to be sent, in their order.
    pub(super) claimed: VecDeque<IntentId>,
    /// Of these, the ones that are being sent.
    pub(super) sending: usize,
    /// The receiver asked for a pause until then. After it, one message at a time is sent until one gets through.
    pub(super) paused_until: Option<Timestamp>,
    pace: Pace,
    /// When its newest message was queued.
    pub(super) newest: Option<Timestamp>,
    /// Messages that were never attempted, and how many of these are picked and not yet claimed.
    unattempted: usize,
    pub(super) reserved: usize,
    /// What the store has of it.
    pub(super) record: DestinationRecord,
}

/// A message that waits.
#[derive(Clone, Debug)]
struct Waiting {
    rule: RuleName,
    is_urgent: bool,
    is_retry: bool,
}

/// The messages of one rule for one destination.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Queued {
    pub(crate) count: usize,
    /// Of their texts.
    pub(crate) bytes: usize,
}

impl Queued {
    pub(crate) fn of(record: &IntentRecord) -> Self {
        Self { count: 1, bytes: record.message.last.bytes() }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, bytes: self.bytes + other.bytes }
    }
}

/// For messages to a destination of which only the name is known.
const DEADLINE_UNKNOWN: Duration = Duration::from_hours(24);
/// How many messages may be claimed ahead of the slots.
const AHEAD_MAX: usize = 256;
/// However long a pause the receiver asks for, one message is tried after this time.
const PAUSE_MAX: Duration = Duration::from_hours(1);

impl DestinationQueue {
    /// Counts a new message. Returns whether it is the only one of its rule.
    pub(super) fn enter(&mut self, record: &IntentRecord) -> bool {
        let queued = self.queued.entry(record.message.rule.clone()).or_default();
        queued.count += 1;
        queued.bytes += record.message.last.bytes();
        self.unattempted += usize::from(is_new(record));
        queued.count == 1
    }

    pub(super) fn leave(&mut self, record: &IntentRecord) {
        self.unattempted -= usize::from(is_new(record));
        if let Some(queued) = self.queued.get_mut(&record.message.rule) {
            queued.count -= 1;
            queued.bytes -= record.message.last.bytes();
            if queued.count == 0 {
                self.queued.remove(&record.message.rule);
            }
        }
    }

    pub(super) fn queued(&self, rule: &RuleName) -> Queued {
        self.queued.get(rule).copied().unwrap_or_default()
    }

    /// A message is the first of its lane and waits to be picked.
    pub(super) fn wait(&mut self, record: &IntentRecord, is_urgent: bool, due: Timestamp) {
        let place = (due, record.created_at, record.id.clone());
        self.ages.insert((record.created_at, record.id.clone()));
        let rule = record.message.rule.clone();
        self.later.insert(place, Waiting { rule, is_urgent, is_retry: !is_new(record) });
    }

    /// It does not wait any more.
    pub(super) fn withdraw(&mut self, record: &IntentRecord, is_urgent: bool, due: Timestamp) {
        let place = (due, record.created_at, record.id.clone());
        self.ages.remove(&(record.created_at, record.id.clone()));
        if self.later.remove(&place).is_none() {
            self.due.remove(&record.message.rule, is_urgent, &place);
            self.retries.remove(&place);
        }
    }

    /// Takes the message that is next, if there is room for it and `may` says that it can be picked now.
    pub(super) fn pick(
        &mut self,
        now: Timestamp,
        may: impl Fn(&RuleName, &IntentId) -> bool,
    ) -> Option<IntentId> {
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= now) {
            let (place, waiting) = first.remove_entry();
            if waiting.is_retry {
                self.retries.insert(place.clone(), waiting.clone());
            }
            self.due.insert(&waiting.rule, waiting.is_urgent, place);
        }
        if self.room(now) == 0 {
            return None;
        }
        let place = match self.held_until(now) {
            None => self.due.take(may)?,
            Some(_) => self.take_retry(may)?,
        };
        self.retries.remove(&place);
        let (_, created_at, id) = place;
        self.ages.remove(&(created_at, id.clone()));
        Some(id)
    }

    /// Takes the oldest message that was attempted before: it is counted already.
    fn take_retry(&mut self, may: impl Fn(&RuleName, &IntentId) -> bool) -> Option<Place> {
        let mut retries = self.retries.iter();
        let (place, waiting) = retries.find(|(place, waiting)| may(&waiting.rule, &place.2))?;
        self.due.remove(&waiting.rule, waiting.is_urgent, place);
        Some(place.clone())
    }

    /// For a missing destination: the message that expires first, and when.
    pub(super) fn orphan(&self) -> Option<(Timestamp, &IntentId)> {
        let deadline = self.deadline.unwrap_or(DEADLINE_UNKNOWN);
        self.ages.first().map(|(created_at, id)| (*created_at + deadline, id))
    }

    /// When another message can be picked, if that depends on time alone.
    pub(super) fn next_pick(&self, now: Timestamp) -> Option<Timestamp> {
        if self.spec.is_none() || self.ages.is_empty() {
            return None;
        }
        match self.paused_until {
            Some(until) if until > now => Some(until),
            _ if self.room(now) == 0 => None,
            _ => {
                let due = self.later.keys().next().map(|(due, _, _)| *due);
                let is_held = self.unattempted > self.reserved;
                due.into_iter().chain(self.held_until(now).filter(|_| is_held)).min()
            }
        }
    }

    /// How many more messages may be picked: those that can be sent at once, and as many as the receiver has lately
    /// taken in half a second. A message waits up to one commit for its claim and as long as the commit takes: if that
    /// were longer than this span, the number would not grow to what the receiver can take.
    fn room(&self, now: Timestamp) -> usize {
        self.most(now, self.pace.lately(now).min(AHEAD_MAX)).saturating_sub(self.picked)
    }

    /// How many more messages may be sent.
    pub(super) fn slots(&self, now: Timestamp) -> usize {
        self.most(now, 0).saturating_sub(self.sending)
    }

    /// As many as the destination takes at once, and `ahead`; one while a pause is probed, and none during it.
    fn most(&self, now: Timestamp, ahead: usize) -> usize {
        match self.paused_until {
            Some(until) => usize::from(until <= now),
            None => self.spec.as_ref().map_or(0, |spec| spec.concurrency.max(1)) + ahead,
        }
    }

    /// Until when its limit has no room for further messages besides those that are picked.
    pub(super) fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        let limit = self.limit()?;
        counts::full_until(&self.record.counts, limit, self.reserved, now)
    }

    /// Until when its limit has no room for further messages besides all that wait.
    pub(super) fn full_until(&self, now: Timestamp) -> Option<Timestamp> {
        let limit = self.limit()?;
        counts::full_until(&self.record.counts, limit, self.unattempted, now)
    }

    pub(super) fn limit(&self) -> Option<&Limit> {
        self.spec.as_ref()?.limit.as_ref()
    }

    /// A picked message waits again, or is gone.
    pub(super) fn unreserve(&mut self, record: &IntentRecord) {
        self.reserved -= usize::from(is_new(record));
    }

    /// A picked message, given as it was before, is claimed: the first time it is counted. Gives the limits that are
    /// reached with it.
    pub(super) fn claim(&mut self, record: &IntentRecord, now: Timestamp) -> Vec<Reached> {
        if !is_new(record) {
            return Vec::new();
        }
        self.unattempted -= 1;
        self.reserved -= 1;
        let Some(limit) = self.spec.as_ref().and_then(|spec| spec.limit.as_ref()) else { return Vec::new() };
        let destination = &record.destination;
        let reached = counts::count(&mut self.record.counts, limit, now).into_iter();
        let reached = reached.map(|(span, most, bounds)| Reached {
            destination: destination.clone(),
            span,
            most,
            bounds,
        });
        reached.collect()
    }

    /// A claim was given back before anything was sent; `record` is what is left of it.
    pub(super) fn give_back(&mut self, record: &IntentRecord, now: Timestamp) {
        if !is_new(record) {
            return;
        }
        self.unattempted += 1;
        if let Some(limit) = self.spec.as_ref().and_then(|spec| spec.limit.as_ref()) {
            counts::uncount(&mut self.record.counts, limit, now);
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.queued.values().map(|queued| queued.count).sum()
    }

    pub(super) fn is_paused(&self, now: Timestamp) -> bool {
        self.paused_until.is_some_and(|until| until > now)
    }

    /// The receiver has answered a message that was sent at `sent_at`, whether it accepted it or not. Only a message that
    /// was sent after a pause shows that the pause is over.
    pub(super) fn answered(&mut self, sent_at: Timestamp, now: Timestamp) {
        self.paused_until.take_if(|until| sent_at >= *until);
        self.pace.count(now);
    }

    /// The receiver did not take a message, and asked for a pause if `retry_after`. While it is being probed, that the
    /// probe failed is enough: the next one is due at `due`. Returns whether a pause has begun.
    pub(super) fn postponed(
        &mut self,
        retry_after: Option<Duration>,
        due: Timestamp,
        now: Timestamp,
    ) -> bool {
        let until = match retry_after {
            Some(pause) => now + pause,
            None if self.paused_until.is_some() => due,
            None => return false,
        };
        let until = until.min(now + PAUSE_MAX);
        self.paused_until = Some(self.paused_until.map_or(until, |earlier| earlier.max(until)));
        self.is_paused(now)
    }
}

/// It was never attempted.
pub(super) fn is_new(record: &IntentRecord) -> bool {
    record.delivery.attempts() == 0
}

/// How many messages a receiver answers.
#[derive(Debug, Default)]
struct Pace {
    /// The end of the span in progress, and what was counted in it and in the one before.
    until: Timestamp,
    this: usize,
    last: usize,
}

impl Pace {
    const SPAN: Duration = Duration(500);

    fn count(&mut self, now: Timestamp) {
        if now >= self.until {
            self.last = if now < self.until + Self::SPAN { self.this } else { 0 };
            (self.until, self.this) = (now + Self::SPAN, 0);
        }
        self.this += 1;
    }

    /// In about the last span.
    fn lately(&self, now: Timestamp) -> usize {
        match now {
            now if now < self.until => self.this.max(self.last),
            now if now < self.until + Self::SPAN => self.this,
            _ => 0,
        }
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
