use watchbell_contract::{SignalKind, Timestamp};

use crate::active::Outside;
use crate::record::{Change, LastSignal, Later, LaterEvent, Occurrence};
use crate::signals::{self, LinkedSignal};

use super::rule::{Rule, Scope};

/// Limit for the events of one rule that are kept for later; further events are counted.
const EVENTS_MAX: usize = 100;

impl Rule {
    /// Removes what may not be announced at this hour. Levels wait until they may begin; events wait here.
    pub(super) fn put_off(&mut self, signals: &mut Vec<LinkedSignal>, scope: &mut Scope<'_>) {
        let Some(active) = &self.spec.active else { return };
        let is_held = |linked: &mut LinkedSignal| {
            linked.signal.kind == SignalKind::Event && !active.holds(linked.signal.at)
        };
        let outside: Vec<LinkedSignal> = signals.extract_if(.., is_held).collect();
        let Some(at) = outside.last().map(|last| last.signal.at) else { return };
        if active.outside == Outside::Later {
            self.record.later.keep(outside);
        }
        self.pass([Change::Withheld { at }], scope);
    }

    /// Announces the postponed events in one message once the hours have begun.
    pub(super) fn announce_later(&mut self, judged: Timestamp, scope: &mut Scope<'_>) {
        let Some(first) = self.record.later.events.first() else { return };
        let begins = match &self.spec.active {
            Some(active) => active.next_from(first.last.at),
            None => Some(judged),
        };
        if begins.is_none_or(|begins| begins > judged) {
            return;
        }
        let Later { events, more } = std::mem::take(&mut self.record.later);
        let once = |LaterEvent { labels, last }| Occurrence { labels, last, nth: 0, mark: 0 };
        self.pass([Change::Later { events: events.into_iter().map(once).collect(), more }], scope);
    }
}

impl Later {
    fn keep(&mut self, events: Vec<LinkedSignal>) {
        let room = EVENTS_MAX.saturating_sub(self.events.len());
        self.more += events.len().saturating_sub(room) as u64;
        self.events.extend(events.into_iter().take(room).map(LaterEvent::of));
    }
}

impl LaterEvent {
    fn of(LinkedSignal { signal, link, .. }: LinkedSignal) -> Self {
        let (at, value, threshold) = (signal.at, signal.value, signal.threshold);
        let (summary, details) = (signal.summary, signal.details);
        let mut last = LastSignal { at, value, threshold, summary, details, link };
        // A list shows no documents, so none are kept.
        signals::shorten(&mut last);
        Self { labels: signal.labels, last }
    }
}
