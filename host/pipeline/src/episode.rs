//! What rules found, per labels, from first signal to end. Levels hold and lapse on the data's clock: time that was
//! not judged does not pass.
use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Duration, Label, Severity, Signal, SignalKind, Timestamp};

use crate::digest;
use crate::grid::Grid;
use crate::order::Documents;
use crate::record::{Ending, EpisodeRecord, LastSignal, Phase};
use crate::spec::RuleSpec;

/// A rule's open episodes.
pub(crate) type Open = BTreeMap<Vec<Label>, EpisodeRecord>;

/// What one window changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Open episodes that are new or different.
    pub(crate) touched: BTreeSet<Vec<Label>>,
    /// Open ones whose severity rose after they were announced or passed a step.
    pub(crate) worse: BTreeSet<Vec<Label>>,
    pub(crate) opened: Vec<(String, String)>,
    pub(crate) ended: Vec<Ended>,
    pub(crate) events: Vec<LinkedSignal>,
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) episode: EpisodeRecord,
    /// It had passed `for:`, so somebody might have been told.
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
}

/// Where the rule's window time stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    /// The end of the window that brought the signals.
    pub(crate) window_end: Timestamp,
    /// How far everything is judged with it.
    pub(crate) judged: Timestamp,
    /// Wall time.
    pub(crate) now: Timestamp,
}

/// Takes in the signals of a window, in order of time, and lets its time pass.
pub(crate) fn fold(
    spec: &RuleSpec,
    open: &mut Open,
    signals: Vec<LinkedSignal>,
    passage: Passage,
) -> Changes {
    let mut changes = Changes::default();
    for linked in signals {
        match linked.signal.kind {
            SignalKind::Event => changes.events.push(linked),
            SignalKind::Firing => firing(spec, open, linked, passage, &mut changes),
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
    LinkedSignal { signal, link: None, documents: None, nth: 0, mark: 0 }
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

fn firing(spec: &RuleSpec, open: &mut Open, linked: LinkedSignal, passage: Passage, changes: &mut Changes) {
    let LinkedSignal { signal, link, .. } = linked;
    let labels = signal.labels.clone();
    // Long enough for the next step of the grid to fire anywhere within it.
    let point = Grid::ending(None, spec, passage.window_end).floor(signal.at);
    let until = signal.until.unwrap_or(point + spec.grid + spec.grid).max(signal.at);
    // In a long window a level may have lapsed before it fires again: that is a second episode, as it would have
    // been with short windows.
    if open.get(&labels).is_some_and(|episode| lapsed(spec, episode, signal.at)) {
        activate(spec, open, &labels, signal.at, passage.now, changes);
        end(open, &labels, passage.now, Ending::Lapsed, changes);
    }
    let severity = severity(spec, signal.value);
    let last = LastSignal {
        at: signal.at,
        value: signal.value,
        threshold: signal.threshold,
        summary: signal.summary,
        details: signal.details,
        link,
    };
    if let Some(episode) = open.get_mut(&labels) {
        episode.until = episode.until.max(until);
        // Late documents may bring an older signal: it extends, but it is not the newest.
        if last.at >= episode.last.at {
            episode.last = last;
        }
        if severity > episode.severity {
            episode.severity = severity;
            if episode.ordinal > 0 || episode.step > 0 {
                changes.worse.insert(labels.clone());
            }
        }
    } else {
        let id = digest::episode_id(&spec.name, &labels, passage.window_end, last.at);
        if spec.active.as_ref().is_none_or(|active| active.holds(last.at)) {
            changes.opened.push((id.0.clone(), last.summary.clone()));
        }
        let episode = EpisodeRecord {
            id,
            rule: spec.name.clone(),
            labels: labels.clone(),
            phase: if begins(spec, last.at) == Some(last.at) { Phase::Active } else { Phase::Pending },
            severity,
            since: last.at,
            opened_at: passage.now,
            until,
            last,
            chain: spec.alert.steps.clone(),
            step: 0,
            repeat: spec.alert.repeat,
            announced_at: None,
            told: Vec::new(),
            ordinal: 0,
        };
        open.insert(labels.clone(), episode);
    }
    changes.touched.insert(labels);
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
        changes.touched.insert(labels.to_vec());
    }
}

fn end(open: &mut Open, labels: &[Label], now: Timestamp, why: Ending, changes: &mut Changes) {
    if let Some(mut episode) = open.remove(labels) {
        let was_active = episode.phase != Phase::Pending;
        episode.phase = Phase::Resolved { at: now, why };
        changes.touched.remove(labels);
        changes.worse.remove(labels);
        changes.ended.push(Ended { episode, was_active });
    }
}
