use watchbell_contract::Timestamp;

use crate::health::{CauseKind, HealthCause};
use crate::message::Wording;
use crate::notifier::host_messages;
use crate::record::DestinationRecord;
use crate::spec::DestinationName;

use super::Outbox;

impl Outbox {
    /// Takes over what the store has of destinations.
    pub(crate) fn remember(&mut self, records: Vec<(DestinationName, DestinationRecord)>) {
        for (name, record) in records {
            self.queues.entry(name).or_default().record = record;
        }
    }

    /// What is remembered of a destination, to be changed.
    pub(crate) fn remembered(&mut self, name: &DestinationName) -> &mut DestinationRecord {
        &mut self.queues.entry(name.clone()).or_default().record
    }

    pub(crate) fn is_configured(&self, name: &DestinationName) -> bool {
        self.queues.get(name).is_some_and(|queue| queue.spec.is_some())
    }

    pub(crate) fn is_limited(&self, name: &DestinationName) -> bool {
        self.queues.get(name).is_some_and(|queue| queue.limit().is_some())
    }

    /// Until when a destination's limit has no room for further messages.
    pub(crate) fn full_until(&self, name: &DestinationName, now: Timestamp) -> Option<Timestamp> {
        self.queues.get(name)?.full_until(now)
    }

    /// Who gets what a destination did not take, if that is configured.
    pub(crate) fn fallback(&self, name: &DestinationName) -> Option<DestinationName> {
        let fallback = self.queues.get(name)?.spec.as_ref()?.fallback.as_ref()?;
        self.is_configured(fallback).then(|| fallback.clone())
    }

    /// How many messages wait for a destination or are being sent.
    pub(crate) fn waiting(&self, name: &DestinationName) -> usize {
        self.queues.get(name).map_or(0, |queue| queue.waiting())
    }

    /// Whether a message of the host with this wording waits for its first attempt.
    pub(crate) fn has_waiting(&self, name: &DestinationName, wording: Wording) -> bool {
        let of_host = self.by_rule.get(&host_messages::rule()).into_iter().flatten();
        of_host.filter_map(|id| self.entries.get(id)).any(|entry| {
            let record = &entry.record;
            record.destination == *name
                && record.message.wording == wording
                && record.delivery.attempts() == 0
        })
    }

    /// The destinations whose limit left something out, and whose span is over.
    pub(crate) fn left_out_until(&self, now: Timestamp) -> Vec<DestinationName> {
        let is_over = |until: Timestamp| until <= now;
        self.left_out().filter(|(_, until)| is_over(*until)).map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn next_left_out(&self) -> Option<Timestamp> {
        self.left_out().map(|(_, until)| until).min()
    }

    fn left_out(&self) -> impl Iterator<Item = (&DestinationName, Timestamp)> {
        self.queues.iter().filter_map(|(name, queue)| Some((name, queue.record.left_out.as_ref()?.until)))
    }

    /// Destinations that keep failing, and those whose limits are reached.
    pub(crate) fn warnings(&self, now: Timestamp) -> Vec<HealthCause> {
        let configured = || self.queues.iter().filter(|(_, queue)| queue.spec.is_some());
        let failing = configured().filter_map(|(name, queue)| {
            let trouble = queue.record.trouble.as_ref().filter(|trouble| trouble.told.is_some())?;
            let message = format!("messages to `{name}` keep failing: see `watchbell dead-letter list`");
            let cause = HealthCause::new(CauseKind::DestinationFails, message);
            Some(HealthCause { since: Some(trouble.since), ..cause })
        });
        let limited = configured().filter_map(|(name, queue)| {
            let until = queue.held_until(now)?;
            let message = format!("the limit of `{name}` is reached until {until}");
            Some(HealthCause::new(CauseKind::DestinationLimited, message))
        });
        failing.chain(limited).collect()
    }

    /// Destinations that had failed before they were removed from the environment.
    pub(crate) fn gone_in_trouble(&self) -> Vec<DestinationName> {
        let is_gone = self.queues.iter().filter(|(_, queue)| queue.spec.is_none());
        is_gone.filter(|(_, queue)| queue.record.trouble.is_some()).map(|(name, _)| name.clone()).collect()
    }
}
