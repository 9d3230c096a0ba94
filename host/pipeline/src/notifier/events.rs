use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;
use watchbell_contract::{Cause, Label, Timestamp};
use watchbell_text::{DOCUMENTS, DOCUMENTS_NOTE};

use crate::level;
use crate::message::{Message, Route, Wording};
use crate::reason::HoldReason;
use crate::record::{EpisodeId, Incarnation, LastSignal, Occurrence};
use crate::spec::{RuleName, RuleSpec};
use crate::{digest, discover};

use super::decider::{Context, Decider};
use super::escalation::{self, Clock, Verdict};
use super::hold::{self, Event, What};

/// Maximum keys listed by a message that covers too many keys to announce one by one.
const KEYS_LISTED_MAX: usize = 10;

/// Values of a label that represent all of them.
const VALUES_NAMED_MAX: usize = 3;

/// Maximum documents of a group that its text may show, and their total size in bytes.
const DOCUMENTS_MAX: usize = 20;
const DOCUMENTS_BYTES_MAX: usize = 64 << 10;

impl Decider {
    /// One message per event, in the order of the events; if there are many, one per key; if that is still many, one
    /// for all.
    pub(super) fn announce_events(
        &mut self,
        spec: &RuleSpec,
        events: &[Occurrence],
        window_end: Timestamp,
        context: &mut Context<'_>,
    ) {
        let most = context.config.events_max;
        let events = &self.unheld(spec, events, context)[..];
        if events.len() <= most {
            for event in events {
                self.announce_group(spec, std::slice::from_ref(event), window_end, context);
            }
            return;
        }
        // In the order of each key's first event.
        let mut places: BTreeMap<&[Label], usize> = BTreeMap::new();
        let mut keys: Vec<Vec<Occurrence>> = Vec::new();
        for event in events {
            let next = keys.len();
            let place = *places.entry(&event.labels).or_insert(next);
            if place == next {
                keys.push(Vec::new());
            }
            keys[place].push(event.clone());
        }
        if keys.len() > most {
            return self.announce_group(spec, events, window_end, context);
        }
        for key in keys {
            self.announce_group(spec, &key, window_end, context);
        }
    }

    /// Everything that was kept until the hours began, in one message.
    pub(super) fn announce_later(
        &mut self,
        spec: &RuleSpec,
        events: &[Occurrence],
        left_out: u64,
        context: &mut Context<'_>,
    ) {
        let events = &self.unheld(spec, events, context)[..];
        let Some(first) = events.first() else { return };
        let mut more: Vec<String> = events.iter().skip(1).map(|event| event.last.summary.clone()).collect();
        if left_out > 0 {
            more.push(format!("and {left_out} more"));
        }
        let count = events.len().to_string();
        let id = digest::once_id(
            context.incarnation,
            "later",
            &[&count],
            &spec.name,
            &first.labels,
            first.last.at,
        );
        self.announce_list(spec, events, id, more, context);
    }

    /// The events that nothing holds now. The others are dropped, and counted.
    fn unheld(
        &mut self,
        spec: &RuleSpec,
        events: &[Occurrence],
        context: &mut Context<'_>,
    ) -> Vec<Occurrence> {
        let mut kept = Vec::new();
        for event in events {
            let clock = Clock { judged: context.now, now: context.now, standing: &self.standing };
            let severity = level::severity(spec, event.last.value);
            // The hours were judged by the partition, which may have kept it for later.
            let about = Event { spec, labels: &event.labels, severity, at: event.last.at, clock };
            let holds = hold::all(&What::Event(about));
            match holds.into_iter().find(|hold| !matches!(hold, HoldReason::Inactive { .. })) {
                Some(reason) => self.remember(&spec.name, &Verdict::Hold(reason), context),
                None => kept.push(event.clone()),
            }
        }
        kept
    }

    /// One message for `events`.
    fn announce_group(
        &mut self,
        spec: &RuleSpec,
        events: &[Occurrence],
        window_end: Timestamp,
        context: &mut Context<'_>,
    ) {
        if !events.is_empty() {
            let more = more(events, context.config.events_max);
            self.announce_list(
                spec,
                events,
                id(context.incarnation, &spec.name, events, window_end),
                more,
                context,
            );
        }
    }

    /// One message for `events` with the id `id`: the first event in full, then `more`.
    fn announce_list(
        &mut self,
        spec: &RuleSpec,
        events: &[Occurrence],
        id: EpisodeId,
        more: Vec<String>,
        context: &mut Context<'_>,
    ) {
        let Some(first) = events.first() else { return };
        let severities = events.iter().map(|event| level::severity(spec, event.last.value));
        let severity = severities.max().unwrap_or(spec.severity);
        let clock = Clock { judged: context.now, now: context.now, standing: &self.standing };
        let verdict = escalation::on_event(&spec.alert.steps, severity, clock);
        self.remember(&spec.name, &verdict, context);
        let Verdict::Send { cause, to, .. } = verdict else { return };
        let cause = if events.len() > 1 { Cause::Summary } else { cause };
        let last = LastSignal {
            details: details(events),
            link: discover::covering(events.iter().filter_map(|event| event.last.link.as_deref())),
            ..first.last.clone()
        };
        let labels: Vec<&[Label]> = events.iter().map(|event| event.labels.as_slice()).collect();
        let message = Message {
            episode: id,
            rule: spec.name.clone(),
            owner: spec.owner.clone(),
            environment: context.config.environment.clone(),
            labels: shared_labels(&labels),
            named: named_labels(&labels),
            severity,
            cause,
            person: None,
            since: last.at,
            last,
            count: u32::try_from(events.len()).unwrap_or(u32::MAX),
            more,
            wording: Wording::Rule,
            route: Route::default(),
        };
        self.send(&message, 0, &to, context);
    }
}

/// The same id for the same events, however often they are found.
fn id(incarnation: &Incarnation, name: &RuleName, events: &[Occurrence], window_end: Timestamp) -> EpisodeId {
    let first = &events[0];
    if events.len() == 1 {
        let (mark, nth) = (first.mark.to_string(), first.nth.to_string());
        return digest::once_id(incarnation, "event", &[&mark, &nth], name, &first.labels, first.last.at);
    }
    // The number of signals is part of the id, because a later look at the same span may find a few more.
    digest::once_id(incarnation, "events", &[&events.len().to_string()], name, &first.labels, window_end)
}

/// The labels that all have.
pub(super) fn shared_labels(all: &[&[Label]]) -> Vec<Label> {
    let shared = |label: &&Label| all.iter().all(|labels| labels.contains(label));
    all.first().into_iter().copied().flatten().filter(shared).cloned().collect()
}

/// The labels as the text shows them: where they have different values, the most frequent ones.
pub(super) fn named_labels(all: &[&[Label]]) -> Vec<Label> {
    let named = |label: &Label| {
        let values = all.iter().filter_map(|labels| {
            let own = labels.iter().find(|own| own.name == label.name)?;
            Some(own.value.as_deref())
        });
        let values = by_count(values);
        if let [(only, _)] = values[..] {
            return Label { name: label.name.clone(), value: only.map(str::to_owned) };
        }
        let listed: Vec<&str> =
            values.iter().take(VALUES_NAMED_MAX).map(|(value, _)| value.unwrap_or("(missing)")).collect();
        let more = match values.len() - listed.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Label { name: label.name.clone(), value: Some(listed.join(", ") + &more) }
    };
    all.first().into_iter().copied().flatten().map(named).collect()
}

/// One line each: the other events of a key, or the keys with the most events.
fn more(events: &[Occurrence], most: usize) -> Vec<String> {
    let keys = by_count(events.iter().map(|event| event.labels.as_slice()));
    let (mut lines, left): (Vec<String>, usize) = if keys.len() == 1 {
        let lines = events.iter().skip(1).take(most).map(|event| event.last.summary.clone());
        (lines.collect(), (events.len() - 1).saturating_sub(most))
    } else {
        let line = |(labels, count): &(&[Label], usize)| {
            let value =
                |label: &Label| format!("{} {}", label.name, label.value.as_deref().unwrap_or("(missing)"));
            format!("{}: {count}", labels.iter().map(value).collect::<Vec<_>>().join(", "))
        };
        (keys.iter().take(KEYS_LISTED_MAX).map(line).collect(), keys.len().saturating_sub(KEYS_LISTED_MAX))
    };
    if left > 0 {
        lines.push(format!("and {left} more{}", if keys.len() == 1 { "" } else { " keys" }));
    }
    lines
}

/// The distinct items with their counts: the most frequent first, ties by first occurrence.
fn by_count<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Vec<(T, usize)> {
    let mut counts: BTreeMap<T, (usize, usize)> = BTreeMap::new();
    for (place, value) in values.enumerate() {
        counts.entry(value).or_insert((0, place)).0 += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, (count, place))| (Reverse(*count), *place));
    counts.into_iter().map(|(value, (count, _))| (value, count)).collect()
}

/// The first event's details, with the documents of all events.
fn details(events: &[Occurrence]) -> String {
    let first = &events[0].last.details;
    let read = |details: &str| serde_json::from_str::<Value>(details).unwrap_or_default();
    if events.len() == 1 {
        return first.clone();
    }
    let documents = events.iter().take(DOCUMENTS_MAX).flat_map(|event| {
        match read(&event.last.details).get_mut("documents").map(Value::take) {
            Some(Value::Array(documents)) => documents,
            _ => Vec::new(),
        }
    });
    let mut bytes = 0;
    let fits = |document: &Value| {
        bytes += document.to_string().len();
        bytes <= DOCUMENTS_BYTES_MAX
    };
    let documents: Vec<Value> = documents.take(DOCUMENTS_MAX).take_while(fits).collect();
    match read(first) {
        Value::Object(mut members) if !documents.is_empty() => {
            let missing = events.len().saturating_sub(documents.len());
            if missing > 0 {
                let note = format!("documents of {missing} more were not fetched");
                members.insert(DOCUMENTS_NOTE.into(), note.into());
            }
            members.insert(DOCUMENTS.into(), documents.into());
            Value::Object(members).to_string()
        }
        _ => first.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(user: &str, at: i64) -> Occurrence {
        let labels = [("zone", "a"), ("user", user)];
        let last = LastSignal {
            at: Timestamp(at),
            value: None,
            threshold: None,
            summary: format!("{user} at {at}"),
            details: format!(r#"{{"n":{at},"documents":[{{"at":{at}}}]}}"#),
            link: None,
        };
        let labels = labels.map(|(name, value)| Label { name: name.into(), value: Some(value.into()) });
        Occurrence { labels: labels.into(), last, nth: 0, mark: 0 }
    }

    fn labels(events: &[Occurrence]) -> Vec<&[Label]> {
        events.iter().map(|event| event.labels.as_slice()).collect()
    }

    fn values(labels: &[Label]) -> Vec<&str> {
        labels.iter().filter_map(|label| label.value.as_deref()).collect()
    }

    #[test]
    fn a_group_has_the_labels_that_its_events_share() {
        let events: Vec<Occurrence> =
            (0..12).map(|n| event(["ada", "bob", "eve", "joe"][n % 4 % 3], n as i64)).collect();
        assert_eq!(values(&shared_labels(&labels(&events))), ["a"]);
        assert_eq!(values(&named_labels(&labels(&events))), ["a", "ada, bob, eve"]);
        assert_eq!(more(&events, 20), ["zone a, user ada: 6", "zone a, user bob: 3", "zone a, user eve: 3"]);
        let many: Vec<Occurrence> = (0..25).map(|n| event(&format!("u{n}"), n)).collect();
        assert_eq!(values(&named_labels(&labels(&many))), ["a", "u0, u1, u2 and 22 more"]);
        assert_eq!((more(&many, 20).len(), more(&many, 20)[10].as_str()), (11, "and 15 more keys"));
    }

    #[test]
    fn a_group_of_one_key_lists_its_events() {
        let events: Vec<Occurrence> = (0..25).map(|n| event("ada", n)).collect();
        let lines = more(&events, 20);
        assert_eq!((lines.len(), lines[0].as_str(), lines[20].as_str()), (21, "ada at 1", "and 4 more"));
        assert!(details(&events).starts_with(r#"{"n":0,"documents":[{"at":0},{"at":1},"#));
    }
}
