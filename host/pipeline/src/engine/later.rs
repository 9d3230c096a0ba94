use serde_json::Value;
use watchbell_contract::{SignalKind, Timestamp};

use crate::active::Outside;
use crate::notifier::hold::{self, What};
use crate::record::{LastSignal, Later, LaterEvent};
use crate::signals::LinkedSignal;
use crate::spec::RuleName;
use crate::transition::Change;

use super::Engine;

/// Events of one rule that are kept for later, and what is kept of each; the rest are counted.
const EVENTS_MAX: usize = 100;
const TEXT_BYTES_MAX: usize = 1_024;

impl Engine {
    /// Takes out what may not begin to be told at its hour: levels wait in their episodes, events here.
    pub(super) fn put_off(&mut self, name: &RuleName, signals: &mut Vec<LinkedSignal>) {
        let Some(rule) = self.rules.get_mut(name) else { return };
        let Some(active) = &rule.spec.active else { return };
        let held = |at| hold::first(&What::Event(&rule.spec, at));
        let is_held = |linked: &mut LinkedSignal| {
            linked.signal.kind == SignalKind::Event && held(linked.signal.at).is_some()
        };
        let outside: Vec<LinkedSignal> = signals.extract_if(.., is_held).collect();
        let Some(reason) = outside.last().and_then(|last| held(last.signal.at)) else { return };
        if active.outside == Outside::Later {
            rule.record.later.keep(outside);
        }
        self.pass(name, [Change::Withheld { reason }]);
    }

    /// Tells what was put off once its hours have come, all of it as one.
    pub(super) fn tell_later(&mut self, name: &RuleName, judged: Timestamp) {
        let Some(rule) = self.rules.get_mut(name) else { return };
        let Some(first) = rule.record.later.events.first() else { return };
        let begins = match &rule.spec.active {
            Some(active) => active.next_from(first.last.at),
            None => Some(judged),
        };
        if begins.is_none_or(|begins| begins > judged) {
            return;
        }
        let later = std::mem::take(&mut rule.record.later);
        let events: Vec<LinkedSignal> = later.events.into_iter().map(LaterEvent::into_signal).collect();
        self.pass(name, [Change::Later { events, more: later.more }]);
    }
}

/// What a rule said of an event, as far as it is short: of the documents behind it, a list shows none.
fn without_documents(details: &str) -> String {
    let mut details = serde_json::from_str::<Value>(details).unwrap_or_default();
    if let Some(members) = details.as_object_mut() {
        members.remove("documents");
    }
    let text = details.to_string();
    if details.is_object() && text.len() <= TEXT_BYTES_MAX { text } else { "{}".into() }
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
        let mut summary = signal.summary;
        summary.truncate(summary.floor_char_boundary(TEXT_BYTES_MAX));
        let details = without_documents(&signal.details);
        let (at, value, threshold) = (signal.at, signal.value, signal.threshold);
        Self { labels: signal.labels, last: LastSignal { at, value, threshold, summary, details, link } }
    }

    fn into_signal(self) -> LinkedSignal {
        let LastSignal { at, value, threshold, summary, details, link } = self.last;
        let signal = watchbell_contract::Signal {
            labels: self.labels,
            at,
            until: None,
            kind: SignalKind::Event,
            value,
            threshold,
            summary,
            details,
            evidence: None,
        };
        LinkedSignal { signal, link, documents: None, nth: 0, mark: 0, seen: false }
    }
}
