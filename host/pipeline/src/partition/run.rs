use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Label, Range, SignalKind, Timestamp, Window};

use crate::action::{Note, Purpose};
use crate::input::{Evaluation, UNMAPPED_MAX};
use crate::level::{self, Held, WindowClock, overflow};
use crate::queue::Pace;
use crate::record::{Change, RunSummary, StateRecord};
use crate::signals::{self, LinkedSignal, fresh_signals};
use crate::spec::NoData;
use crate::window::{self, Slice};

use super::Underway;
use super::rule::{Activity, Rule, Scope};

impl Rule {
    /// The rule's run has ended, with any outcome.
    pub(super) fn ended(&mut self, underway: &Underway, is_written: bool, scope: &Scope<'_>) {
        self.activity = if is_written { Activity::Idle } else { Activity::Committing };
        self.ended_at = scope.now;
        let judged_at = underway.judged_at.unwrap_or(scope.now);
        let slow = judged_at.since(underway.since) >= scope.config.slow_run;
        self.pace = if slow { Pace::Slow } else { Pace::Quick };
    }

    pub(super) fn succeeded(&mut self, underway: &Underway, evaluation: Evaluation, scope: &mut Scope<'_>) {
        let window = underway.window;
        let before = self.record.cursor;
        let Evaluation { finding, rows, took, links, documents, no_data, unmapped } = evaluation;
        let count = u32::try_from(finding.signals.len()).unwrap_or(u32::MAX);
        let linked = signals::link(finding.signals, links, documents);
        // If the grid moved, the window begins with a step that reaches into final time.
        let final_before = match underway.purpose {
            Purpose::Live => window.start.max(self.record.final_before),
            Purpose::Priming => window.start,
        };
        let fresh = fresh_signals(&mut self.record.seen, linked, Window { start: final_before, ..window });
        let version = self.spec.state_version;
        self.record.state = Some(StateRecord { settled: window.settled, version, bytes: finding.state });
        self.warn_of_unmapped(unmapped, scope);
        self.slice = window::heal(&self.spec, window, self.slice);
        self.retry = None;
        // While parts of a chunk of the history are read because the whole failed, its failure is the current one.
        if underway.purpose == Purpose::Live || self.slice == Slice::Whole {
            self.is_well(scope);
        }
        self.record.last_run = Some(RunSummary {
            window: Range { start: window.start, end: window.end },
            rows,
            signals: count,
            took,
            ended_at: scope.now,
        });
        self.activity = Activity::Committing;
        match underway.purpose {
            Purpose::Priming => self.primed(window, fresh, scope),
            Purpose::Live => {
                self.record.cursor = before.max(window.end);
                self.record.final_before = final_before.max(window.settled);
                self.record.committed_at = Some(scope.now);
                let rule = self.spec.name.clone();
                scope.draft.note(Note::Committed { rule, window, rows, signals: count, took });
                self.apply_signals(fresh, window, before, no_data, scope);
            }
        }
        scope.draft.rule(&self.record);
    }

    fn is_well(&mut self, scope: &mut Scope<'_>) {
        self.record.gap_announced = false;
        self.record.failure = None;
        self.runs_again(scope);
    }

    /// Says which fields are newly in no mapping, and keeps all of them.
    fn warn_of_unmapped(&mut self, unmapped: Vec<String>, scope: &mut Scope<'_>) {
        let unmapped: BTreeSet<String> = unmapped.into_iter().collect();
        let unmapped: BTreeSet<String> = unmapped.into_iter().take(UNMAPPED_MAX).collect();
        for field in unmapped.difference(&self.unmapped) {
            let message = self.spec.unmapped(field);
            let (rule, field) = (self.spec.name.clone(), field.clone());
            scope.notes.push(Note::FieldUnmapped { rule, field, message });
        }
        self.unmapped = unmapped;
    }

    /// A chunk of the history was read.
    fn primed(&mut self, window: Window, fresh: Vec<LinkedSignal>, scope: &mut Scope<'_>) {
        let primed = match &mut self.record.priming {
            Some(progress) => {
                progress.reached = window.settled;
                (window.end >= progress.until).then_some(progress.until)
            }
            None => None,
        };
        // What it says of other keys changes nothing.
        let overflow = &self.record.overflow;
        let waiting: BTreeSet<&[Label]> =
            overflow.waiting.iter().map(|level| level.labels.as_slice()).collect();
        for LinkedSignal { signal, .. } in fresh {
            let is_held = self.open.contains_key(&signal.labels) || overflow.holds(&signal.labels, &waiting);
            if signal.kind != SignalKind::Event && is_held {
                self.primed.insert(signal.labels, (signal.at, signal.kind));
            }
        }
        let Some(until) = primed else { return };
        self.record.priming = None;
        self.primed_from = None;
        self.is_well(scope);
        scope.draft.note(Note::Primed { rule: self.spec.name.clone(), until });
        // Priming announces nothing, but a level ends if the whole history says so.
        let levels = std::mem::take(&mut self.primed);
        let cleared = levels.into_iter().filter(|(_, (_, kind))| *kind == SignalKind::Clear);
        let cleared: BTreeMap<Vec<Label>, Timestamp> =
            cleared.map(|(labels, (at, _))| (labels, at)).collect();
        self.record.overflow.clear(&cleared);
        let ended: Vec<Change> =
            cleared.iter().filter_map(|(labels, at)| level::clear(&mut self.open, labels, *at)).collect();
        self.pass(ended, scope);
    }

    fn apply_signals(
        &mut self,
        mut fresh: Vec<LinkedSignal>,
        window: Window,
        before: Timestamp,
        no_data: bool,
        scope: &mut Scope<'_>,
    ) {
        let judged = self.record.cursor;
        // Absent is not resolved: while no data arrives, levels do not lapse, and with `hold` none begin.
        if no_data && self.spec.no_data != NoData::Ignore {
            let suspended = self.suspend(judged.since(before));
            self.pass(suspended, scope);
        }
        match self.spec.no_data {
            NoData::Hold if no_data => {
                fresh.retain(|linked| linked.signal.kind == SignalKind::Event);
            }
            // For a span that was evaluated before, nothing is announced again.
            NoData::Alert if before < judged => fresh.push(level::silence(no_data, window.end, &self.spec)),
            _ => {}
        }
        self.put_off(&mut fresh, scope);
        let clock = WindowClock { window, judged };
        let (open, unwritten, overflow) = (&mut self.open, &mut self.unwritten, &mut self.record.overflow);
        let held = Held { open, unwritten, overflow };
        let was_within = overflow::level(held.open).is_none();
        let changes = level::fold(scope.incarnation, &self.spec, held, fresh, clock);
        let note = overflow::note(&self.spec, was_within, &changes);
        note.into_iter().for_each(|note| scope.draft.note(note));
        self.pass(changes, scope);
        self.announce_later(judged, scope);
    }
}
