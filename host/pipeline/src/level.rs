//! What rules found, per set of labels, from first signal to end. Levels hold and lapse on the data's clock: time that
//! was not evaluated does not count.
pub(crate) mod overflow; // keys beyond the rule's limit of open episodes

use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Duration, Label, Severity, Signal, SignalKind, Timestamp, Window};

use crate::digest;
use crate::grid::Grid;
use crate::record::{
    Change, Ending, EpisodeId, Failure, Incarnation, LastSignal, Level, Occurrence, Overflow,
};
use crate::signals::{self, LinkedSignal};
use crate::spec::RuleSpec;
use overflow::Admission;

/// A rule's open levels.
pub(crate) type Open = BTreeMap<Vec<Label>, Level>;

/// Open levels whose newest value is not written yet because it is close to the written one; maps to the written level.
pub(crate) type Unwritten = BTreeMap<Vec<Label>, Option<f64>>;

/// People see no difference if a level grows or shrinks by less than this share of its value.
const CHANGE_MIN: f64 = 0.1;

/// What a rule holds.
pub(crate) struct Held<'a> {
    pub(crate) open: &'a mut Open,
    pub(crate) unwritten: &'a mut Unwritten,
    pub(crate) overflow: &'a mut Overflow,
}

/// How much text a rule's open levels may have together before what is new is kept in short.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// What one window changed.
#[derive(Debug, Default)]
struct Changes {
    /// Levels that began, whether they still hold or not.
    begun: BTreeSet<EpisodeId>,
    /// Open levels that are new or different.
    touched: BTreeSet<Vec<Label>>,
    /// Levels whose value is nearly unchanged.
    renewed: BTreeSet<Vec<Label>>,
    /// Levels whose severity rose, with the severity they had before.
    worse: BTreeMap<Vec<Label>, Severity>,
    ended: Vec<(Level, Ending)>,
    events: Vec<LinkedSignal>,
}

/// The rule's position in window time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowClock {
    /// The window that brought the signals. Time before its `settled` is not evaluated again.
    pub(crate) window: Window,
    /// How far everything is evaluated after this window.
    pub(crate) judged: Timestamp,
}

/// Applies the signals of a window, in order of time, and advances to the window's end. The keys beyond the rule's limit
/// take part like the others; which of them have a place of their own is settled at the end.
pub(crate) fn fold(
    incarnation: &Incarnation,
    spec: &RuleSpec,
    held: Held<'_>,
    signals: Vec<LinkedSignal>,
    clock: WindowClock,
) -> Vec<Change> {
    let Held { open, unwritten, overflow } = held;
    let mut changes = Changes::default();
    let mut admission = Admission::begin(open, overflow);
    if spec.calendar {
        hold_through(open, &signals, clock.window);
    }
    for linked in signals {
        match linked.signal.kind {
            SignalKind::Event => changes.events.push(linked),
            SignalKind::Firing if linked.seen => {
                admission.seen_again(spec, overflow, &linked.signal);
                seen_again(spec, open, unwritten, linked, &mut changes);
            }
            SignalKind::Firing => {
                let (labels, at) = (linked.signal.labels.clone(), linked.signal.at);
                let until = until(spec, &linked.signal, clock);
                let counted = admission.fires_again(spec, overflow, &linked.signal, until);
                if counted.is_some_and(|key| at < key.last_at) {
                    continue;
                }
                firing(incarnation, spec, (&mut *open, &mut *unwritten), linked, clock, &mut changes);
                if let (Some(level), Some(key)) = (open.get_mut(&labels), counted) {
                    level.until = level.until.max(key.until);
                }
            }
            // A late `clear` does not affect a level that has fired again since.
            SignalKind::Clear if ends(open, &linked.signal.labels, linked.signal.at) => {
                let labels = linked.signal.labels;
                begin(spec, open, &labels, linked.signal.at, &mut changes);
                end(open, &labels, Ending::Cleared, &mut changes);
            }
            SignalKind::Clear => overflow.clear_counted(&linked.signal.labels, linked.signal.at),
        }
    }
    let all: Vec<Vec<Label>> = open.keys().cloned().collect();
    for labels in all {
        begin(spec, open, &labels, clock.judged, &mut changes);
        if lapsed(spec, &open[&labels], clock.judged) {
            end(open, &labels, Ending::Lapsed, &mut changes);
        }
    }
    admission.end(incarnation, spec, (&mut *open, overflow), clock, &mut changes);
    changes.shorten(open);
    unwritten.retain(|labels, _| match open.get(labels) {
        // The level cannot change any more, so its last value is kept as well.
        Some(level) if level.last.at < clock.window.settled => {
            changes.touched.insert(labels.clone());
            false
        }
        Some(_) => !changes.touched.contains(labels),
        None => false,
    });
    changes.in_order(open, clock.window.end)
}

impl Changes {
    /// Bounds what is kept of the levels' texts: a module may say much in each of many levels.
    fn shorten(&self, open: &mut Open) {
        let mut bytes: usize = open.values().map(overflow::size).sum();
        for labels in self.touched.union(&self.renewed) {
            if bytes <= TEXT_BYTES_MAX {
                return;
            }
            if let Some(level) = open.get_mut(labels).filter(|level| !overflow::is_overflow(&level.labels)) {
                bytes -= overflow::size(level);
                signals::shorten(&mut level.last);
                bytes += overflow::size(level);
            }
        }
    }

    /// Ends first: an end and a new start of the same labels are passed on in that order.
    fn in_order(self, open: &Open, window_end: Timestamp) -> Vec<Change> {
        let Self { begun: _, touched, renewed, worse, ended, events } = self;
        let mut changes: Vec<Change> =
            ended.into_iter().map(|(level, why)| Change::Ended { level, why }).collect();
        let levels = touched.iter().filter_map(|labels| open.get(labels));
        changes.extend(
            levels.map(|level| Change::Level {
                level: level.clone(),
                worse: worse.get(&level.labels).copied(),
            }),
        );
        let quiet = renewed.difference(&touched).filter_map(|labels| open.get(labels));
        changes.extend(quiet.map(|level| Change::Renewed { level: level.clone() }));
        let events: Vec<Occurrence> = events.into_iter().map(LinkedSignal::into_occurrence).collect();
        if !events.is_empty() {
            changes.push(Change::Events { events, window_end });
        }
        changes
    }
}

/// Time that was not evaluated, or had no data, does not count: levels hold that much longer.
pub(crate) fn suspend(open: &mut Open, span: Duration) -> Vec<Change> {
    let longer = |level: &mut Level| {
        level.until = level.until + span;
        Change::Suspended { level: level.clone() }
    };
    open.values_mut().map(longer).collect()
}

/// `no_data: alert`: an index without documents is an episode of its own, which ends when data arrives.
pub(crate) fn silence(no_data: bool, window_end: Timestamp, spec: &RuleSpec) -> LinkedSignal {
    let kind = if no_data { SignalKind::Firing } else { SignalKind::Clear };
    let signal = Signal {
        labels: no_data_labels(),
        at: window_end,
        until: Some(window_end + spec.grid),
        kind,
        identity: None,
        value: None,
        threshold: None,
        summary: format!("{}: the index has no documents", spec.name),
        details: "{}".into(),
        evidence: None,
    };
    LinkedSignal { signal, link: None, documents: None, nth: 0, mark: 0, seen: false }
}

/// The labels of the host's own level for an index without documents.
fn no_data_labels() -> Vec<Label> {
    vec![Label { name: "no_data".into(), value: Some("true".into()) }]
}

/// The name of the label of the host's own level for a rule that cannot run. Manifests may not use it as a key.
pub const CANNOT_RUN_LABEL: &str = "watchbell.cannot_run";

/// A rule that has failed for too long: the host's own level, which a successful run ends. It begins at once, because
/// window time, on which `for:` runs, stands.
pub(crate) fn cannot_run(incarnation: &Incarnation, spec: &RuleSpec, failure: &Failure) -> Level {
    let labels = cannot_run_labels();
    Level {
        id: digest::episode_id(incarnation, &spec.name, &labels, failure.at, failure.since),
        labels,
        has_begun: true,
        severity: spec.severity,
        since: failure.since,
        until: failure.at,
        last: LastSignal::said(failure.at, signals::cut(&failure.message)),
    }
}

pub(crate) fn cannot_run_labels() -> Vec<Label> {
    vec![Label { name: CANNOT_RUN_LABEL.into(), value: Some("true".into()) }]
}

pub(crate) fn is_cannot_run(labels: &[Label]) -> bool {
    matches!(labels, [label] if label.name == CANNOT_RUN_LABEL)
}

/// Ends every level of a rule that no longer exists.
pub(crate) fn end_all(open: &mut Open) -> Vec<Change> {
    let all = std::mem::take(open).into_values();
    all.map(|level| Change::Ended { level, why: Ending::RuleEnded }).collect()
}

/// Ends the level that a `clear` found while priming would end, unless a later signal was already seen.
pub(crate) fn clear(open: &mut Open, labels: &[Label], at: Timestamp) -> Option<Change> {
    let level = if ends(open, labels, at) { open.remove(labels) } else { None };
    Some(Change::Ended { level: level?, why: Ending::Cleared })
}

pub(crate) fn severity(spec: &RuleSpec, value: Option<f64>) -> Severity {
    let worse = spec.worse.iter().filter(|worse| value.is_some_and(|value| worse.when.holds(value)));
    worse.map(|worse| worse.severity).chain([spec.severity]).max().unwrap_or(spec.severity)
}

/// Whether a `clear` at `at` ends the level of `labels`.
fn ends(open: &Open, labels: &[Label], at: Timestamp) -> bool {
    open.get(labels).is_some_and(|level| level.last.at <= at)
}

/// Whether a level has lapsed at `at`. It has not at its very last instant: the next window may bring a signal of that
/// instant, which still extends it. So it does not matter where windows are cut.
fn lapsed(spec: &RuleSpec, level: &Level, at: Timestamp) -> bool {
    overflow::has_lapsed(spec, level.until, at)
}

/// Until when a level holds because of `signal`.
fn until(spec: &RuleSpec, signal: &Signal, clock: WindowClock) -> Timestamp {
    // Long enough for the next grid step to fire at any point within it.
    let point = Grid::ending(None, spec, clock.window.end).floor(signal.at);
    signal.until.unwrap_or(point + spec.grid + spec.grid).max(signal.at)
}

fn firing(
    incarnation: &Incarnation,
    spec: &RuleSpec,
    (open, unwritten): (&mut Open, &mut Unwritten),
    linked: LinkedSignal,
    clock: WindowClock,
    changes: &mut Changes,
) {
    let signal = &linked.signal;
    let (labels, at) = (signal.labels.clone(), signal.at);
    let until = until(spec, signal, clock);
    // In a long window, a level may lapse and then fire again. That is a second level, as it would be with short
    // windows.
    if open.get(&labels).is_some_and(|level| lapsed(spec, level, at)) {
        begin(spec, open, &labels, at, changes);
        end(open, &labels, Ending::Lapsed, changes);
    }
    if let Some(level) = open.get_mut(&labels) {
        if until > level.until {
            level.until = until;
            changes.touched.insert(labels);
        }
        return renew(spec, level, unwritten, linked, changes);
    }
    let severity = severity(spec, signal.value);
    let last = last_signal(linked);
    let id = digest::episode_id(incarnation, &spec.name, &labels, clock.window.end, at);
    changes.begun.insert(id.clone());
    let has_begun = begins(spec, at) == Some(at);
    let level = Level { id, labels: labels.clone(), has_begun, severity, since: at, until, last };
    open.insert(labels.clone(), level);
    changes.touched.insert(labels);
}

/// Late documents give a known level a new value. This neither opens a level nor extends one.
fn seen_again(
    spec: &RuleSpec,
    open: &mut Open,
    unwritten: &mut Unwritten,
    linked: LinkedSignal,
    changes: &mut Changes,
) {
    let signal = &linked.signal;
    // A signal that belongs to an earlier level does not affect this one.
    if let Some(level) = open.get_mut(&signal.labels).filter(|level| level.since <= signal.at) {
        renew(spec, level, unwritten, linked, changes);
    }
}

/// Updates an open level from its signal.
fn renew(
    spec: &RuleSpec,
    level: &mut Level,
    unwritten: &mut Unwritten,
    linked: LinkedSignal,
    changes: &mut Changes,
) {
    let labels = &linked.signal.labels;
    let now = severity(spec, linked.signal.value);
    if now > level.severity {
        let before = std::mem::replace(&mut level.severity, now);
        changes.touched.insert(labels.clone());
        changes.worse.entry(labels.clone()).or_insert(before);
    }
    // Late documents may bring an older signal: it extends the level but does not replace the newest signal.
    if linked.signal.at < level.last.at {
        return;
    }
    let (labels, seen) = (labels.clone(), linked.seen);
    let mut last = last_signal(linked);
    if seen {
        // Documents are fetched once, for a new signal.
        last.details = signals::keep_documents(&level.last.details, last.details);
        last.link = last.link.or_else(|| level.last.link.clone());
    }
    if last == level.last {
        return;
    }
    let written = unwritten.get(&labels).copied().unwrap_or(level.last.value);
    let matters = severity(spec, written) != severity(spec, last.value) || has_changed(written, last.value);
    level.last = last;
    if matters {
        changes.touched.insert(labels);
    } else {
        changes.renewed.insert(labels.clone());
        unwritten.entry(labels).or_insert(written);
    }
}

/// A calendar day is one step, however many hours it has: a level that held at its start and fires at its end has held
/// throughout.
fn hold_through(open: &mut Open, fresh: &[LinkedSignal], day: Window) {
    for signal in fresh.iter().map(|linked| &linked.signal).filter(|signal| signal.kind == SignalKind::Firing)
    {
        if let Some(level) = open.get_mut(&signal.labels).filter(|level| level.until >= day.start) {
            level.until = level.until.max(signal.at);
        }
    }
}

fn has_changed(before: Option<f64>, after: Option<f64>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => {
            before.to_bits() != after.to_bits() && (after - before).abs() >= before.abs() * CHANGE_MIN
        }
        (before, after) => before.is_some() || after.is_some(),
    }
}

fn last_signal(linked: LinkedSignal) -> LastSignal {
    let LinkedSignal { signal, link, .. } = linked;
    LastSignal {
        at: signal.at,
        value: signal.value,
        threshold: signal.threshold,
        summary: signal.summary,
        details: signal.details,
        link,
    }
}

/// When a level that holds since `since` may be announced: after `for:`, within the `active:` hours.
pub(crate) fn begins(spec: &RuleSpec, since: Timestamp) -> Option<Timestamp> {
    let held = since + spec.alert.hold;
    spec.active.as_ref().map_or(Some(held), |active| active.next_from(held))
}

/// A level that has held for `for:`, and whose hours have come, may be announced from now on.
fn begin(spec: &RuleSpec, open: &mut Open, labels: &[Label], judged: Timestamp, changes: &mut Changes) {
    if let Some(level) = open.get_mut(labels)
        && !level.has_begun
        && begins(spec, level.since).is_some_and(|begins| begins <= level.until.min(judged))
    {
        level.has_begun = true;
        changes.touched.insert(labels.to_vec());
    }
}

fn end(open: &mut Open, labels: &[Label], why: Ending, changes: &mut Changes) {
    if let Some(level) = open.remove(labels) {
        changes.touched.remove(labels);
        changes.renewed.remove(labels);
        changes.worse.remove(labels);
        changes.ended.push((level, why));
    }
}
