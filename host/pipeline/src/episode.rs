//! What rules found, per labels, from first signal to end. Levels hold and lapse on the data's clock: time that was
//! not judged does not pass.
use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Duration, Label, Severity, Signal, SignalKind, Timestamp};

use crate::digest;
use crate::grid::Grid;
use crate::notifier::escalation;
use crate::order::Documents;
use crate::record::{Ending, EpisodeRecord, LastSignal, Phase};
use crate::signals;
use crate::spec::RuleSpec;

/// A rule's open episodes.
pub(crate) type Open = BTreeMap<Vec<Label>, EpisodeRecord>;

/// Open episodes whose newest value is not written yet, since it is nearly the one that is: that one.
pub(crate) type Unwritten = BTreeMap<Vec<Label>, Option<f64>>;

/// A level that grew or shrank by less than this share of its value is the same to people.
const CHANGE_MIN: f64 = 0.1;

/// What one window changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Open episodes that are new or different.
    pub(crate) touched: BTreeSet<Vec<Label>>,
    /// Open ones whose severity rose after they were announced or passed a step, and the severity that they had.
    pub(crate) worse: BTreeMap<Vec<Label>, Severity>,
    pub(crate) opened: Vec<(String, String)>,
    pub(crate) ended: Vec<Ended>,
    pub(crate) events: Vec<LinkedSignal>,
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) episode: EpisodeRecord,
    /// It had passed `for:` and was not resolved by hand, so somebody might have been told.
    pub(crate) was_active: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct LinkedSignal {
    pub(crate) signal: Signal,
    pub(crate) link: Option<String>,
    /// Until they are part of the signal's details.
    pub(crate) documents: Option<Documents>,
    /// How many that say the same came before it.
    pub(crate) nth: u32,
    /// What it says, in short.
    pub(crate) mark: u64,
    /// A level that was committed before: it may say more now, but it is no other level.
    pub(crate) seen: bool,
}

/// Where the rule's window time stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    /// The end of the window that brought the signals.
    pub(crate) window_end: Timestamp,
    /// What lies before it is not judged again.
    pub(crate) settled: Timestamp,
    /// How far everything is judged with it.
    pub(crate) judged: Timestamp,
    /// Wall time.
    pub(crate) now: Timestamp,
}

/// Takes in the signals of a window, in order of time, and lets its time pass.
pub(crate) fn fold(
    spec: &RuleSpec,
    open: &mut Open,
    unwritten: &mut Unwritten,
    signals: Vec<LinkedSignal>,
    passage: Passage,
) -> Changes {
    let mut changes = Changes::default();
    for linked in signals {
        match linked.signal.kind {
            SignalKind::Event => changes.events.push(linked),
            SignalKind::Firing if linked.seen => seen_again(spec, open, unwritten, linked, &mut changes),
            SignalKind::Firing => firing(spec, open, unwritten, linked, passage, &mut changes),
            // One that arrives late says nothing of a level that fired again since.
            SignalKind::Clear if ends(open, &linked.signal.labels, linked.signal.at) => {
                let labels = linked.signal.labels;
                activate(spec, open, &labels, linked.signal.at, passage.now, &mut changes);
                end(open, &labels, passage.now, Ending::Cleared, &mut changes);
            }
            SignalKind::Clear => {}
        }
    }
    let all: Vec<Vec<Label>> = open.keys().cloned().collect();
    for labels in all {
        activate(spec, open, &labels, passage.judged, passage.now, &mut changes);
        if lapsed(spec, &open[&labels], passage.judged) {
            end(open, &labels, passage.now, Ending::Lapsed, &mut changes);
        }
    }
    unwritten.retain(|labels, _| match open.get(labels) {
        // It will not grow any more: the last of it is kept as well.
        Some(episode) if episode.last.at < passage.settled => {
            changes.touched.insert(labels.clone());
            false
        }
        Some(_) => !changes.touched.contains(labels),
        None => false,
    });
    changes
}

/// Time that nobody judged, or in which there was no data, does not count: levels hold that much longer.
pub(crate) fn suspend(open: &mut Open, span: Duration) {
    open.values_mut().for_each(|episode| episode.until = episode.until + span);
}

/// `no_data: alert`: silence of the index is an episode of its own, which data ends.
pub(crate) fn silence(no_data: bool, window_end: Timestamp, spec: &RuleSpec) -> LinkedSignal {
    let kind = if no_data { SignalKind::Firing } else { SignalKind::Clear };
    let signal = Signal {
        labels: vec![Label { name: "no_data".into(), value: Some("true".into()) }],
        at: window_end,
        until: Some(window_end + spec.grid),
        kind,
        value: None,
        threshold: None,
        summary: format!("{}: the index has no documents", spec.name),
        details: "{}".into(),
        evidence: None,
    };
    LinkedSignal { signal, link: None, documents: None, nth: 0, mark: 0, seen: false }
}

/// Ends every episode of a rule that is no more.
pub(crate) fn end_all(open: &mut Open, now: Timestamp) -> Vec<Ended> {
    let mut changes = Changes::default();
    let all: Vec<Vec<Label>> = open.keys().cloned().collect();
    for labels in all {
        end(open, &labels, now, Ending::RuleEnded, &mut changes);
    }
    changes.ended
}

/// Ends what a `clear` of priming ends, unless somebody was told of a later signal.
pub(crate) fn clear(open: &mut Open, labels: &[Label], at: Timestamp, now: Timestamp) -> Option<Ended> {
    if !ends(open, labels, at) {
        return None;
    }
    let mut changes = Changes::default();
    end(open, labels, now, Ending::Cleared, &mut changes);
    changes.ended.pop()
}

pub(crate) fn severity(spec: &RuleSpec, value: Option<f64>) -> Severity {
    let worse = spec.worse.iter().filter(|worse| value.is_some_and(|value| worse.when.holds(value)));
    worse.map(|worse| worse.severity).chain([spec.severity]).max().unwrap_or(spec.severity)
}

/// Whether a `clear` at `at` ends the level of `labels`.
fn ends(open: &Open, labels: &[Label], at: Timestamp) -> bool {
    open.get(labels).is_some_and(|episode| episode.last.at <= at)
}

/// Whether a level's time is over at `at`. Not at its last instant yet: a signal of that instant, which the next
/// window may bring, still extends it, so that it does not matter where windows are cut.
fn lapsed(spec: &RuleSpec, episode: &EpisodeRecord, at: Timestamp) -> bool {
    episode.until + spec.alert.resolve_after < at
}

fn firing(
    spec: &RuleSpec,
    open: &mut Open,
    unwritten: &mut Unwritten,
    linked: LinkedSignal,
    passage: Passage,
    changes: &mut Changes,
) {
    let signal = &linked.signal;
    let (labels, at) = (signal.labels.clone(), signal.at);
    // Long enough for the next step of the grid to fire anywhere within it.
    let point = Grid::ending(None, spec, passage.window_end).floor(at);
    let until = signal.until.unwrap_or(point + spec.grid + spec.grid).max(at);
    // In a long window a level may have lapsed before it fires again: that is a second episode, as it would have
    // been with short windows.
    if open.get(&labels).is_some_and(|episode| lapsed(spec, episode, at)) {
        activate(spec, open, &labels, at, passage.now, changes);
        end(open, &labels, passage.now, Ending::Lapsed, changes);
    }
    if let Some(episode) = open.get_mut(&labels) {
        if until > episode.until {
            episode.until = until;
            changes.touched.insert(labels);
        }
        return renew(spec, episode, unwritten, linked, changes);
    }
    let severity = severity(spec, signal.value);
    let last = last_signal(linked);
    let id = digest::episode_id(&spec.name, &labels, passage.window_end, at);
    if spec.active.as_ref().is_none_or(|active| active.holds(at)) {
        changes.opened.push((id.0.clone(), last.summary.clone()));
    }
    let episode = EpisodeRecord {
        id,
        rule: spec.name.clone(),
        labels: labels.clone(),
        phase: if begins(spec, at) == Some(at) { Phase::Active } else { Phase::Pending },
        severity,
        since: at,
        opened_at: passage.now,
        until,
        last,
        steps: escalation::step_ids(&spec.alert),
        repeat: spec.alert.repeat,
        early: Vec::new(),
        stepped_until: None,
        announced_at: None,
        told: Vec::new(),
        ordinal: 0,
    };
    open.insert(labels.clone(), episode);
    changes.touched.insert(labels);
}

/// Late documents make a level another value than it had: it opens nothing and lasts no longer for it.
fn seen_again(
    spec: &RuleSpec,
    open: &mut Open,
    unwritten: &mut Unwritten,
    linked: LinkedSignal,
    changes: &mut Changes,
) {
    let signal = &linked.signal;
    // One that belongs to an episode before this says nothing of this one.
    if let Some(episode) = open.get_mut(&signal.labels).filter(|episode| episode.since <= signal.at) {
        renew(spec, episode, unwritten, linked, changes);
    }
}

/// Takes in what a signal says of its open episode.
fn renew(
    spec: &RuleSpec,
    episode: &mut EpisodeRecord,
    unwritten: &mut Unwritten,
    linked: LinkedSignal,
    changes: &mut Changes,
) {
    let labels = &linked.signal.labels;
    let now = severity(spec, linked.signal.value);
    if now > episode.severity {
        let before = std::mem::replace(&mut episode.severity, now);
        changes.touched.insert(labels.clone());
        if episode.ordinal > 0 || episode.stepped_until.is_some() {
            changes.worse.entry(labels.clone()).or_insert(before);
        }
    }
    // Late documents may bring an older signal: it extends, but it is not the newest.
    if linked.signal.at < episode.last.at {
        return;
    }
    let (labels, seen) = (labels.clone(), linked.seen);
    let mut last = last_signal(linked);
    if seen {
        // Documents are fetched once, for a new signal.
        last.details = signals::keep_documents(&episode.last.details, last.details);
        last.link = last.link.or_else(|| episode.last.link.clone());
    }
    if last == episode.last {
        return;
    }
    let written = unwritten.get(&labels).copied().unwrap_or(episode.last.value);
    let matters = severity(spec, written) != severity(spec, last.value) || has_changed(written, last.value);
    episode.last = last;
    if matters {
        changes.touched.insert(labels);
    } else {
        unwritten.entry(labels).or_insert(written);
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

/// When a level that holds since `since` may begin to be told: after `for:`, in the hours of `active:`.
pub(crate) fn begins(spec: &RuleSpec, since: Timestamp) -> Option<Timestamp> {
    let held = since + spec.alert.hold;
    spec.active.as_ref().map_or(Some(held), |active| active.next_from(held))
}

/// A pending episode whose level has held for `for:`, and whose hours have come, becomes active; escalation counts from here.
fn activate(
    spec: &RuleSpec,
    open: &mut Open,
    labels: &[Label],
    judged: Timestamp,
    now: Timestamp,
    changes: &mut Changes,
) {
    if let Some(episode) = open.get_mut(labels)
        && episode.phase == Phase::Pending
        && begins(spec, episode.since).is_some_and(|begins| begins <= episode.until.min(judged))
    {
        if spec.active.as_ref().is_some_and(|active| !active.holds(episode.since)) {
            changes.opened.push((episode.id.0.clone(), episode.last.summary.clone()));
        }
        episode.phase = Phase::Active;
        episode.opened_at = now;
        episode.steps = escalation::step_ids(&spec.alert);
        episode.repeat = spec.alert.repeat;
        changes.touched.insert(labels.to_vec());
    }
}

fn end(open: &mut Open, labels: &[Label], now: Timestamp, why: Ending, changes: &mut Changes) {
    if let Some(mut episode) = open.remove(labels) {
        let was_active = matches!(episode.phase, Phase::Active | Phase::Acknowledged { .. });
        episode.phase = Phase::Resolved { at: now, why };
        changes.touched.remove(labels);
        changes.worse.remove(labels);
        changes.ended.push(Ended { episode, was_active });
    }
}
