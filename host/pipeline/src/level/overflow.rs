//! A rule has a limited number of open episodes (`RuleSpec::episodes_max`). The keys beyond it share one, the overflow,
//! which names how many they are and the worst of them. A key gets an episode of its own in the order of first instants,
//! then of labels; a place that one window frees is filled by the next.
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use watchbell_contract::{Label, Severity, Signal, Timestamp};

use crate::action::Note;
use crate::digest;
use crate::record::{
    Change, CountedKey, Ending, EpisodeId, Incarnation, LastSignal, Level, NamedKey, OVERFLOW_COUNTED_MAX,
    OVERFLOW_NAMED_MAX, OVERFLOW_WAITING_BYTES_MAX, OVERFLOW_WAITING_MAX, Overflow,
};
use crate::signals;
use crate::spec::RuleSpec;

use super::{Changes, Open, WindowClock};

/// The name of the label that an overflow has instead of a key. Manifests may not use it as a key.
pub const OVERFLOW_LABEL: &str = "watchbell.overflow";

/// People are notified again when an overflow has grown by this factor.
const GROWTH: u64 = 10;

/// Maximum bytes of a label's value in the list of keys.
const LISTED_BYTES_MAX: usize = 200;

fn labels() -> Vec<Label> {
    vec![Label { name: OVERFLOW_LABEL.into(), value: Some("true".into()) }]
}

pub(crate) fn is_overflow(labels: &[Label]) -> bool {
    matches!(labels, [label] if label.name == OVERFLOW_LABEL)
}

/// The host's own levels, which need no place.
fn is_own(labels: &[Label]) -> bool {
    is_overflow(labels) || labels == super::no_data_labels()
}

/// The level of the overflow, while there is one.
pub(crate) fn level(open: &Open) -> Option<&Level> {
    open.get(&labels())
}

/// What is logged when a rule comes beyond its limit, or back within it.
pub(crate) fn note(spec: &RuleSpec, was_within: bool, changes: &[Change]) -> Option<Note> {
    let (rule, limit) = (spec.name.clone(), spec.episodes_max);
    changes.iter().find_map(|change| match change {
        Change::Level { level, .. } if was_within && is_overflow(&level.labels) => {
            Some(Note::Overflowed { rule: rule.clone(), limit, message: level.last.summary.clone() })
        }
        Change::Ended { level, .. } if is_overflow(&level.labels) => Some(match was_within {
            // It came and went within one window.
            true => Note::Overflowed { rule: rule.clone(), limit, message: level.last.summary.clone() },
            false => Note::WithinLimit { rule: rule.clone(), limit },
        }),
        _ => None,
    })
}

/// What a message about an overflow says beside its summary: how many keys there are, and a line for each one listed.
pub(crate) fn told(last: &LastSignal) -> (u32, Vec<String>) {
    let details: Value = serde_json::from_str(&last.details).unwrap_or_default();
    let count = details["keys"].as_u64().unwrap_or(0) + details["passed"].as_u64().unwrap_or(0);
    let listed = details["worst"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |key: &Value| {
        let labels = key["labels"].as_object().into_iter().flatten();
        let labels = labels.map(|(name, value)| format!("{name} {}", value.as_str().unwrap_or("(missing)")));
        let value = key["value"].as_f64().map(|value| format!(", value {value}")).unwrap_or_default();
        let severity = key["severity"].as_str().unwrap_or_default();
        format!("{}: {severity}{value}", labels.collect::<Vec<_>>().join(", "))
    };
    (u32::try_from(count).unwrap_or(u32::MAX), listed.iter().map(line).collect())
}

/// Settles which levels of one window have an episode of their own.
pub(super) struct Admission {
    /// The level of the overflow, as it was passed on.
    before: Option<Level>,
    /// How many levels had a place when the window began. What ends in it frees a place for the next.
    residents: usize,
    /// Those that had none.
    waiting: BTreeSet<EpisodeId>,
    /// Of what stays outside: the highest severity and the newest signal that this window brought, and the first instant.
    severity: Option<Severity>,
    newest: Option<Timestamp>,
    first: Option<Timestamp>,
    /// Until when what is over by the end of this window held, as far as known.
    held_until: Option<Timestamp>,
}

/// A level that needs a place.
struct Candidate {
    since: Timestamp,
    labels: Vec<Label>,
    /// Its place among the levels that ended in this window; `None`: it holds.
    ended: Option<usize>,
}

impl Admission {
    /// Lets the keys that wait take part in the window like those that have a place.
    pub(super) fn begin(open: &mut Open, overflow: &mut Overflow) -> Self {
        let before = open.remove(&labels());
        let residents = open.len() - usize::from(open.contains_key(&super::no_data_labels()));
        let mut waiting = BTreeSet::new();
        let held_until = before.as_ref().map(|before| before.until).max(overflow.until());
        for level in std::mem::take(&mut overflow.waiting) {
            waiting.insert(level.id.clone());
            open.insert(level.labels.clone(), level);
        }
        Self { before, residents, waiting, severity: None, newest: None, first: None, held_until }
    }

    /// A counted key fires again: what is known of it. If the signal is its newest, the key takes part in the window
    /// from now on, as if it began here; otherwise it only lasts as long as that signal says.
    pub(super) fn fires_again(
        &mut self,
        spec: &RuleSpec,
        overflow: &mut Overflow,
        signal: &Signal,
        until: Timestamp,
    ) -> Option<CountedKey> {
        if overflow.counted.is_empty() {
            return None;
        }
        let hash = digest::labels_hash(&signal.labels);
        let key = *overflow.counted.get(&hash)?;
        if has_lapsed(spec, key.until, signal.at) {
            overflow.counted.remove(&hash);
            overflow.pass(1);
            return None;
        }
        self.value(spec, overflow, signal);
        if signal.at < key.last_at {
            overflow.counted.insert(hash, CountedKey { until: key.until.max(until), ..key });
        } else {
            overflow.counted.remove(&hash);
        }
        Some(key)
    }

    /// Late documents give a counted key a new value.
    pub(super) fn seen_again(&mut self, spec: &RuleSpec, overflow: &mut Overflow, signal: &Signal) {
        if !overflow.counted.is_empty() && overflow.counted.contains_key(&digest::labels_hash(&signal.labels))
        {
            self.value(spec, overflow, signal);
        }
    }

    fn value(&mut self, spec: &RuleSpec, overflow: &mut Overflow, signal: &Signal) {
        let severity = super::severity(spec, signal.value);
        self.severity = self.severity.max(Some(severity));
        overflow.name(NamedKey { labels: signal.labels.clone(), severity, value: signal.value });
    }

    /// Gives the places that were free when the window began to those that come first, and passes on what became of the
    /// others.
    pub(super) fn end(
        mut self,
        incarnation: &Incarnation,
        spec: &RuleSpec,
        (open, overflow): (&mut Open, &mut Overflow),
        clock: WindowClock,
        changes: &mut Changes,
    ) {
        let begun = std::mem::take(&mut changes.begun);
        let is_quiet = self.before.is_none() && self.waiting.is_empty() && overflow.is_over();
        if is_quiet && self.residents + begun.len() <= spec.episodes_max {
            return;
        }
        overflow.lapse(spec, clock.judged);
        let mut candidates = self.candidates(&begun, open, changes);
        let places = spec.episodes_max.saturating_sub(self.residents).min(candidates.len());
        let outside = candidates.split_off(places);
        for Candidate { labels, .. } in candidates {
            overflow.forget(&labels);
            if open.contains_key(&labels) {
                changes.touched.insert(labels);
            }
        }
        self.leave_outside(outside, (open, overflow), changes);
        // Levels that ended while they waited were never passed on.
        let passed_on = changes.ended.len();
        let over = changes.ended.iter().filter(|(level, _)| self.waiting.contains(&level.id));
        self.held_until = self.held_until.max(over.map(|(level, _)| level.until).max());
        changes.ended.retain(|(level, _)| !self.waiting.contains(&level.id));
        overflow.pass(passed_on - changes.ended.len());
        overflow.tidy();
        self.pass_on(incarnation, spec, (open, overflow), clock, changes);
    }

    /// Who needs a place, in the order in which places are given.
    fn candidates(&self, begun: &BTreeSet<EpisodeId>, open: &Open, changes: &Changes) -> Vec<Candidate> {
        let of = |level: &Level, ended| Candidate { since: level.since, labels: level.labels.clone(), ended };
        let is_outside = |level: &&Level| {
            (begun.contains(&level.id) || self.waiting.contains(&level.id)) && !is_own(&level.labels)
        };
        let open = open.values().filter(is_outside).map(|level| of(level, None));
        let ended = changes
            .ended
            .iter()
            .enumerate()
            .filter(|(_, (level, _))| begun.contains(&level.id) && !is_own(&level.labels));
        let ended = ended.map(|(place, (level, _))| of(level, Some(place)));
        let mut candidates: Vec<Candidate> = open.chain(ended).collect();
        candidates.sort_by(|a, b| (a.since, &a.labels, a.ended).cmp(&(b.since, &b.labels, b.ended)));
        candidates
    }

    fn leave_outside(
        &mut self,
        outside: Vec<Candidate>,
        (open, overflow): (&mut Open, &mut Overflow),
        changes: &mut Changes,
    ) {
        let mut passed = BTreeSet::new();
        let mut bytes = 0;
        for Candidate { labels, ended, .. } in outside {
            overflow.forget(&labels);
            if let Some(place) = ended {
                let (level, _) = &changes.ended[place];
                self.meet(level);
                self.held_until = self.held_until.max(Some(level.until));
                passed.insert(place);
                continue;
            }
            let Some(mut level) = open.remove(&labels) else { continue };
            self.meet(&level);
            changes.touched.remove(&labels);
            changes.renewed.remove(&labels);
            changes.worse.remove(&labels);
            signals::shorten(&mut level.last);
            bytes += size(&level);
            if overflow.waiting.len() < OVERFLOW_WAITING_MAX && bytes <= OVERFLOW_WAITING_BYTES_MAX {
                overflow.waiting.push(level);
            } else {
                overflow.count(level);
            }
        }
        overflow.pass(passed.len());
        let mut place = 0..;
        changes.ended.retain(|_| place.next().is_none_or(|place| !passed.contains(&place)));
    }

    fn meet(&mut self, level: &Level) {
        self.severity = self.severity.max(Some(level.severity));
        self.newest = self.newest.max(Some(level.last.at));
        self.first = Some(self.first.map_or(level.since, |first| first.min(level.since)));
    }

    /// Updates the level of the overflow, which is passed on like any other.
    fn pass_on(
        self,
        incarnation: &Incarnation,
        spec: &RuleSpec,
        (open, overflow): (&mut Open, &mut Overflow),
        clock: WindowClock,
        changes: &mut Changes,
    ) {
        let Self { before, severity, newest, first, held_until, .. } = self;
        match before {
            None if first.is_none() && overflow.is_over() => return,
            Some(before) if overflow.is_over() => {
                let until = held_until.map_or(before.until, |held| held.max(before.until));
                changes.ended.push((Level { until, ..before }, Ending::WithinLimit));
                return *overflow = Overflow::default();
            }
            _ => {}
        }
        let since = before.as_ref().map(|before| before.since).or(first).unwrap_or(clock.judged);
        let at = newest.or(before.as_ref().map(|before| before.last.at)).unwrap_or(since);
        let was = before.as_ref().map(|before| before.severity);
        let until = overflow.until().max(held_until).unwrap_or(at);
        let began = before.as_ref().is_some_and(|before| before.has_begun);
        let labels = labels();
        let level = Level {
            id: before.as_ref().map_or_else(
                || digest::episode_id(incarnation, &spec.name, &labels, clock.window.end, since),
                |before| before.id.clone(),
            ),
            labels: labels.clone(),
            has_begun: began
                || super::begins(spec, since).is_some_and(|begins| begins <= until.min(clock.judged)),
            severity: was.max(severity).unwrap_or(spec.severity),
            since,
            until,
            last: overflow.signal(spec, at),
        };
        if overflow.is_over() {
            changes.ended.push((level, Ending::WithinLimit));
            return *overflow = Overflow::default();
        }
        let Some(before) = before else {
            overflow.announced = overflow.keys();
            changes.touched.insert(labels.clone());
            open.insert(labels, level);
            return;
        };
        let has_grown = overflow.keys() >= overflow.announced.saturating_mul(GROWTH);
        if level.severity > before.severity || has_grown {
            overflow.announced = overflow.announced.max(overflow.keys());
            changes.worse.insert(labels.clone(), before.severity);
        } else if level.has_begun == before.has_begun
            && !super::has_changed(before.last.value, level.last.value)
        {
            // Nearly unchanged: not worth a write.
            open.insert(labels, Level { until, ..before });
            return;
        }
        changes.touched.insert(labels.clone());
        open.insert(labels, level);
    }
}

pub(super) fn has_lapsed(spec: &RuleSpec, until: Timestamp, at: Timestamp) -> bool {
    until + spec.alert.resolve_after < at
}

/// The bytes of a level's texts.
pub(super) fn size(level: &Level) -> usize {
    let label = |label: &Label| label.name.len() + label.value.as_ref().map_or(0, String::len);
    level.labels.iter().map(label).sum::<usize>() + level.last.bytes()
}

impl Overflow {
    /// Keys that no signal has extended are over.
    fn lapse(&mut self, spec: &RuleSpec, judged: Timestamp) {
        let before = self.counted.len();
        self.counted.retain(|_, key| !has_lapsed(spec, key.until, judged));
        self.pass(before - self.counted.len());
        self.uncounted_until = self.uncounted_until.filter(|until| !has_lapsed(spec, *until, judged));
    }

    fn pass(&mut self, keys: usize) {
        self.passed = self.passed.saturating_add(keys as u64);
    }

    /// The key is not among the counted ones any more.
    fn forget(&mut self, labels: &[Label]) {
        if !self.counted.is_empty() {
            self.counted.remove(&digest::labels_hash(labels));
        }
    }

    /// Keeps no more of a key than when it ends. Beyond the number of keys that can be counted, not even that.
    fn count(&mut self, level: Level) {
        if self.counted.len() >= OVERFLOW_COUNTED_MAX {
            self.uncounted_until = self.uncounted_until.max(Some(level.until));
            return;
        }
        let key = CountedKey { last_at: level.last.at, until: level.until };
        self.counted.insert(digest::labels_hash(&level.labels), key);
        self.name(NamedKey { labels: level.labels, severity: level.severity, value: level.last.value });
    }

    /// Lists a key if it is one of the worst.
    fn name(&mut self, key: NamedKey) {
        self.named.retain(|named| named.labels != key.labels);
        self.named.push(key);
        sort(&mut self.named);
        self.named.truncate(OVERFLOW_NAMED_MAX);
    }

    /// Lists only keys that are counted.
    fn tidy(&mut self) {
        let Self { named, counted, .. } = self;
        named.retain(|key| counted.contains_key(&digest::labels_hash(&key.labels)));
    }

    fn until(&self) -> Option<Timestamp> {
        let waiting = self.waiting.iter().map(|level| level.until);
        let counted = self.counted.values().map(|key| key.until);
        waiting.chain(counted).chain(self.uncounted_until).max()
    }

    /// What its level says.
    fn signal(&self, spec: &RuleSpec, at: Timestamp) -> LastSignal {
        let waiting = self.waiting.iter().map(|level| NamedKey {
            labels: level.labels.clone(),
            severity: level.severity,
            value: level.last.value,
        });
        let mut worst: Vec<NamedKey> = waiting.chain(self.named.iter().cloned()).collect();
        sort(&mut worst);
        worst.truncate(OVERFLOW_NAMED_MAX);
        let (keys, limit) = (self.keys(), spec.episodes_max);
        let summary = match (keys, self.is_exact()) {
            (0, true) => format!(
                "{} came and went beyond its limit of {limit} open episodes (`limits.episodes`)",
                count(self.passed)
            ),
            (_, true) => {
                format!("{} fire beyond its limit of {limit} open episodes (`limits.episodes`)", count(keys))
            }
            (_, false) => format!(
                "at least {} fire beyond its limit of {limit} open episodes (`limits.episodes`)",
                count(keys)
            ),
        };
        let details = json!({
            "keys": keys,
            "exact": self.is_exact(),
            "limit": limit,
            "passed": self.passed,
            "worst": worst.iter().map(listed).collect::<Vec<_>>(),
        });
        LastSignal {
            at,
            value: Some(keys as f64),
            threshold: Some(limit as f64),
            summary,
            details: details.to_string(),
            link: None,
        }
    }
}

fn count(keys: u64) -> String {
    if keys == 1 { "1 key".into() } else { format!("{keys} keys") }
}

/// The worst first: by severity, then by value, then by labels.
fn sort(keys: &mut [NamedKey]) {
    let value = |key: &NamedKey| key.value.unwrap_or(f64::NEG_INFINITY);
    keys.sort_by(|a, b| {
        let worse = b.severity.cmp(&a.severity).then_with(|| value(b).total_cmp(&value(a)));
        worse.then_with(|| a.labels.cmp(&b.labels))
    });
}

fn listed(key: &NamedKey) -> Value {
    let value = |text: &String| match text.len() > LISTED_BYTES_MAX {
        true => format!("{}…", &text[..text.floor_char_boundary(LISTED_BYTES_MAX)]),
        false => text.clone(),
    };
    let labels: BTreeMap<&str, Option<String>> =
        key.labels.iter().map(|label| (label.name.as_str(), label.value.as_ref().map(value))).collect();
    json!({ "labels": labels, "severity": key.severity.as_str(), "value": key.value })
}
