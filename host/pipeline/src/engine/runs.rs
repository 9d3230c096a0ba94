use watchbell_contract::{Duration, Range, SignalKind, Timestamp, Window};

use crate::fault::{RunFault, RunFaultKind};
use crate::level::{self, Open, Passage};
use crate::notifier::outbox::backoff;
use crate::order::{Action, Evaluation, Note, Purpose, Run, RunId};
use crate::priming;
use crate::queue::{Line, Pace, Slot};
use crate::record::{Failure, GapReason, GapRecord, RunSummary, StateRecord};
use crate::signals::{self, LinkedSignal, fresh_signals};
use crate::spec::{NoData, RuleName};
use crate::transition::Change;
use crate::window::{self, Cure, Cut, Turn};

use super::Engine;
use super::rule::{Activity, Retry};

/// A run that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Underway {
    pub(super) rule: RuleName,
    /// Until the run asks its cluster no more.
    pub(super) slot: Option<Slot>,
    /// When that was.
    pub(super) judged_at: Option<Timestamp>,
    pub(super) purpose: Purpose,
    pub(super) window: Window,
    pub(super) since: Timestamp,
    pub(super) attempt: u32,
    /// Its rule has ended or means something else now: the result is dropped.
    pub(super) abandoned: bool,
}

/// A day of the calendar is one step, however many hours it has: a level that held where it began and fires at its end
/// has held through it.
fn hold_through(open: &mut Open, fresh: &[LinkedSignal], day: Window) {
    for signal in fresh.iter().map(|linked| &linked.signal).filter(|signal| signal.kind == SignalKind::Firing)
    {
        if let Some(level) = open.get_mut(&signal.labels).filter(|level| level.until >= day.start) {
            level.until = level.until.max(signal.at);
        }
    }
}

impl Engine {
    /// Lets a rule wait for its next run.
    pub(super) fn enqueue(&mut self, name: &RuleName) {
        let Some(rule) = self.rules.get(name) else { return };
        if rule.activity != Activity::Idle || !rule.spec.enabled || self.draining {
            return self.queue.remove(name);
        }
        let line = match rule.purpose() {
            Purpose::Live => Line::Cluster(rule.spec.cluster.clone()),
            Purpose::Priming => Line::Priming(rule.spec.cluster.clone()),
        };
        let ready = match (&rule.retry, &line) {
            (Some(retry), _) => Some(retry.at),
            (None, Line::Priming(_)) => {
                let settled = rule.slice_ready().unwrap_or(rule.ended_at);
                rule.table.as_ref().map(|_| settled.max(rule.ended_at))
            }
            // Behind those that became due while it ran: a rule that catches up does not crowd out the others.
            (None, Line::Cluster(_)) => rule.due(self.config.jitter_max).map(|due| due.max(rule.ended_at)),
        };
        let pace = rule.pace;
        match ready {
            Some(ready) => self.queue.put(name, line, pace, ready),
            None => self.queue.remove(name),
        }
    }

    pub(super) fn start_runs(&mut self) {
        while let Some((name, slot)) = self.queue.next(self.now, |line| self.config.room(line, self.clusters))
        {
            self.start_run(&name, slot);
        }
    }

    fn start_run(&mut self, name: &RuleName, slot: Slot) {
        let now = self.now;
        let jitter_max = self.config.jitter_max;
        let planned = match self.rules.get_mut(name) {
            Some(rule) if rule.purpose() == Purpose::Priming => {
                if rule.record.priming.is_none() {
                    rule.record.priming = priming::needed(rule.table.as_ref(), &rule.spec, &rule.record);
                }
                rule.record.priming.as_ref().map(|progress| {
                    rule.primed_from.get_or_insert(progress.reached);
                    (priming::window(&rule.spec, progress, rule.cut), Purpose::Priming)
                })
            }
            Some(rule) => {
                let own_now = now - rule.jitter(jitter_max);
                let turn = match &rule.table {
                    Some(table) => {
                        window::turn(table, &rule.spec, rule.settled(), rule.record.cursor, own_now)
                    }
                    None => Turn::Never,
                };
                match turn {
                    Turn::Judge { skip: Some(skip), .. }
                        if rule.retry.is_none() && rule.cut == Cut::Whole =>
                    {
                        self.queue.ended(&slot);
                        return self.skip_to_latest(name, skip);
                    }
                    Turn::Judge { end, .. } if rule.retry.is_none() && rule.is_elsewhere(end) => {
                        self.queue.ended(&slot);
                        return self.prime_anew(name);
                    }
                    Turn::Judge { end, .. } => {
                        let (start, cursor, grid) = (rule.start(end), rule.record.cursor, rule.grid(end));
                        let lateness = rule.spec.lateness;
                        Some((window::window(grid, lateness, start, cursor, end, rule.cut), Purpose::Live))
                    }
                    // All of it is settled then.
                    Turn::Again { end } => {
                        let (start, grid) = (rule.start(end), rule.grid(end));
                        let cut = match rule.cut {
                            Cut::Advance { .. } => Cut::Whole,
                            cut => cut,
                        };
                        Some((window::window(grid, Duration::ZERO, start, end, end, cut), Purpose::Live))
                    }
                    Turn::Wait(_) | Turn::Never => None,
                }
            }
            None => None,
        };
        let Some(rule) = self.rules.get_mut(name) else { return self.queue.ended(&slot) };
        // A window that failed is tried again as it was.
        let retried = rule.retry.map(|retry| (retry.window, retry.purpose));
        let Some((window, purpose)) = retried.or(planned) else {
            self.queue.ended(&slot);
            return self.enqueue(name);
        };
        self.runs += 1;
        let id = RunId(self.runs);
        let attempt = rule.retry.map_or(1, |retry| retry.failures + 1);
        rule.activity = Activity::Running(id);
        let run = Run {
            id,
            rule: name.clone(),
            purpose,
            window,
            grid: if rule.spec.checks { rule.grid(window.end).step } else { Duration::ZERO },
            judged: rule.record.cursor,
            state: rule.record.state.clone(),
            told: if purpose == Purpose::Live { rule.record.told.clone() } else { Vec::new() },
            attempt,
            deadline: rule.spec.deadline,
        };
        let underway = Underway {
            rule: name.clone(),
            slot: Some(slot),
            judged_at: None,
            purpose,
            window,
            since: now,
            attempt,
            abandoned: false,
        };
        self.underway.insert(id, underway);
        self.actions.push_back(Action::Evaluate(run));
    }

    /// The verdict stands. What the run still fetches for people keeps no other run from its cluster.
    pub(super) fn judged(&mut self, id: RunId) {
        if let Some(underway) = self.underway.get_mut(&id) {
            underway.judged_at.get_or_insert(self.now);
            if let Some(slot) = underway.slot.take() {
                self.queue.ended(&slot);
            }
        }
    }

    pub(super) fn evaluated(&mut self, id: RunId, outcome: Result<Evaluation, RunFault>) {
        self.judged(id);
        let Some(underway) = self.underway.remove(&id) else { return };
        let name = underway.rule.clone();
        let Some(rule) = self.rules.get_mut(&name).filter(|rule| rule.activity == Activity::Running(id))
        else {
            return;
        };
        // An abandoned one ends while its rule's record may still be on its way to the store.
        let is_written = !underway.abandoned || !self.ledger.is_writing(&name);
        rule.activity = if is_written { Activity::Idle } else { Activity::Committing };
        rule.ended_at = self.now;
        let judged_at = underway.judged_at.unwrap_or(self.now);
        let slow = judged_at.since(underway.since) >= self.config.slow_run;
        rule.pace = if slow { Pace::Slow } else { Pace::Quick };
        if !underway.abandoned {
            match outcome {
                Ok(evaluation) => self.succeeded(&name, &underway, evaluation),
                Err(fault) => self.failed(&name, &underway, fault),
            }
        }
        self.enqueue(&name);
    }

    fn succeeded(&mut self, name: &RuleName, underway: &Underway, evaluation: Evaluation) {
        let now = self.now;
        let window = underway.window;
        let Some(rule) = self.rules.get_mut(name) else { return };
        let before = rule.record.cursor;
        let Evaluation { finding, rows, took, links, documents, no_data } = evaluation;
        let count = u32::try_from(finding.signals.len()).unwrap_or(u32::MAX);
        let linked = signals::link(finding.signals, links, documents);
        // Where the grid moved, the window begins with a step that reaches into what was told.
        let told_from = match underway.purpose {
            Purpose::Live => window.start.max(rule.record.told_from),
            Purpose::Priming => window.start,
        };
        let fresh = fresh_signals(&mut rule.record.told, linked, Window { start: told_from, ..window });
        rule.record.state = Some(StateRecord {
            settled: window.settled,
            version: rule.spec.state_version,
            bytes: finding.state,
        });
        rule.cut = window::heal(&rule.spec, window, rule.cut);
        rule.retry = None;
        rule.record.gap_told = false;
        rule.record.failure = None;
        rule.record.last_run = Some(RunSummary {
            window: Range { start: window.start, end: window.end },
            rows,
            signals: count,
            took,
            ended_at: now,
        });
        rule.activity = Activity::Committing;
        match underway.purpose {
            Purpose::Priming => {
                let primed = match &mut rule.record.priming {
                    Some(progress) => {
                        progress.reached = window.settled;
                        (window.end >= progress.until).then_some(progress.until)
                    }
                    None => None,
                };
                for LinkedSignal { signal, .. } in fresh {
                    if signal.kind != SignalKind::Event {
                        rule.primed.insert(signal.labels, (signal.at, signal.kind));
                    }
                }
                if let Some(until) = primed {
                    rule.record.priming = None;
                    rule.primed_from = None;
                    self.ledger.note(Note::Primed { rule: name.clone(), until });
                    self.apply_clears(name);
                }
            }
            Purpose::Live => {
                rule.record.cursor = before.max(window.end);
                rule.record.told_from = told_from.max(window.settled);
                rule.record.committed_at = Some(now);
                self.ledger.note(Note::Committed { rule: name.clone(), window, rows, signals: count, took });
                self.apply_signals(name, fresh, window, before, no_data);
            }
        }
        if let Some(rule) = self.rules.get(name) {
            self.ledger.rule(&rule.record);
        }
    }

    /// Priming tells nobody; but who was told of a level is told of its end, if the whole of the history ends it.
    fn apply_clears(&mut self, name: &RuleName) {
        let Some(rule) = self.rules.get_mut(name) else { return };
        let levels = std::mem::take(&mut rule.primed);
        let cleared = levels.into_iter().filter(|(_, (_, kind))| *kind == SignalKind::Clear);
        let ended: Vec<Change> =
            cleared.filter_map(|(labels, (at, _))| level::clear(&mut rule.open, &labels, at)).collect();
        self.pass(name, ended);
    }

    fn apply_signals(
        &mut self,
        name: &RuleName,
        mut fresh: Vec<LinkedSignal>,
        window: Window,
        before: Timestamp,
        no_data: bool,
    ) {
        let Some(rule) = self.rules.get_mut(name) else { return };
        let judged = rule.record.cursor;
        // Absent is not resolved: while nothing arrives, levels neither lapse nor, with `hold`, begin.
        if no_data && rule.spec.no_data != NoData::Ignore {
            let suspended = level::suspend(&mut rule.open, judged.since(before));
            self.pass(name, suspended);
        }
        let Some(rule) = self.rules.get_mut(name) else { return };
        match rule.spec.no_data {
            NoData::Hold if no_data => {
                fresh.retain(|linked| linked.signal.kind == SignalKind::Event);
            }
            // Of a span that was judged before, nothing is said anew.
            NoData::Alert if before < judged => fresh.push(level::silence(no_data, window.end, &rule.spec)),
            _ => {}
        }
        if rule.spec.calendar {
            hold_through(&mut rule.open, &fresh, window);
        }
        self.put_off(name, &mut fresh);
        let Some(rule) = self.rules.get_mut(name) else { return };
        let passage = Passage { window_end: window.end, settled: window.settled, judged };
        let changes = level::fold(&rule.spec, &mut rule.open, &mut rule.unwritten, fresh, passage);
        self.pass(name, changes);
        self.tell_later(name, judged);
    }

    fn failed(&mut self, name: &RuleName, underway: &Underway, fault: RunFault) {
        let now = self.now;
        let seed = self.config.seed;
        let window = underway.window;
        let (first, most) = (self.config.backoff_first, self.config.backoff_max);
        let attempts_max = match fault.kind {
            RunFaultKind::TooLarge => self.config.oversize_attempts.max(1),
            _ => self.config.poison_attempts.max(1),
        };
        let Some(rule) = self.rules.get_mut(name) else { return };
        let RunFault { kind, message } = fault;
        let streak = rule.record.failure.as_ref().map_or(0, |failure| failure.streak) + 1;
        rule.record.failure = Some(Failure {
            at: now,
            window: Range { start: window.start, end: window.end },
            message,
            streak,
        });
        let failures = rule.retry.map_or(0, |retry| retry.failures) + 1;
        let certain = rule.retry.map_or(0, |retry| retry.certain) + u32::from(kind.is_certain());
        // A part of a window that fails is another question than the whole: its attempts begin at the first pause.
        let nth = if kind.is_certain() { failures } else { streak };
        let at = now + backoff(first, most, nth, &name.0, seed);
        let retry = Retry { window, purpose: underway.purpose, failures, certain, at };
        let cursor = match (&rule.record.priming, underway.purpose) {
            (Some(progress), Purpose::Priming) => priming::cursor(progress),
            _ => rule.record.cursor,
        };
        let grid = rule.grid(window.end);
        let cure = match kind {
            RunFaultKind::Outside => Cure::Retry,
            RunFaultKind::Slow => window::too_slow(grid, window, cursor, rule.cut),
            RunFaultKind::TooLarge | RunFaultKind::Limit => {
                window::too_large(grid, window, cursor, rule.cut, certain, attempts_max)
            }
            RunFaultKind::Rule => window::poisoned(grid, window, rule.cut, certain, attempts_max),
            RunFaultKind::State => {
                rule.record.state = None;
                rule.record.priming = priming::needed(rule.table.as_ref(), &rule.spec, &rule.record);
                rule.primed_from = None;
                rule.primed.clear();
                Cure::Cut(Cut::Whole)
            }
        };
        let mut next = at;
        match cure {
            Cure::Retry => rule.retry = Some(retry),
            Cure::Cut(cut) => {
                rule.cut = cut;
                // A smaller window is another window: no reason to wait, unless the state itself was refused.
                rule.retry = None;
                if kind == RunFaultKind::State {
                    rule.ended_at = at;
                } else {
                    next = rule.slice_ready().unwrap_or(now).max(now);
                }
            }
            Cure::Skip(over) => {
                rule.cut = Cut::Whole;
                rule.retry = None;
                next = now;
                self.leave_out(name, over, underway.purpose);
            }
        }
        let Some(rule) = self.rules.get(name) else { return };
        let Some(failure) = &rule.record.failure else { return };
        self.actions.push_back(Action::Note(Note::RunFailed {
            rule: name.clone(),
            window,
            attempt: underway.attempt,
            message: failure.message.clone(),
            next,
        }));
        // Writing each failure of an outage would cost more than it tells.
        if failure.streak.is_power_of_two() || kind != RunFaultKind::Outside {
            self.ledger.rule(&rule.record);
        }
    }

    /// The smallest slice on which the rule fails is a gap with its own alert, and the rule goes on after it.
    fn leave_out(&mut self, name: &RuleName, over: Range, purpose: Purpose) {
        let Some(rule) = self.rules.get_mut(name) else { return };
        let message = rule.record.failure.as_ref().map(|failure| failure.message.clone()).unwrap_or_default();
        if let Some(state) = &mut rule.record.state {
            state.settled = over.end;
        }
        let mut suspended = Vec::new();
        match (&mut rule.record.priming, purpose) {
            (Some(progress), Purpose::Priming) => {
                progress.reached = over.end;
                if progress.reached >= progress.until {
                    // The rule starts from nothing: better blind for a while than for ever.
                    rule.record.priming = None;
                    rule.primed_from = None;
                    rule.primed.clear();
                    rule.record.state.get_or_insert(StateRecord {
                        settled: over.end,
                        version: rule.spec.state_version,
                        bytes: Vec::new(),
                    });
                }
            }
            _ => {
                suspended = level::suspend(&mut rule.open, over.end.since(rule.record.cursor));
                rule.record.cursor = rule.record.cursor.max(over.end);
                rule.record.told_from = rule.record.told_from.max(over.end);
                rule.record.committed_at = Some(self.now);
            }
        }
        rule.record.told.retain(|told| told.at >= over.end);
        rule.activity = Activity::Committing;
        // A module that fails on everything is one thing to tell, not one per slice.
        // Nobody is told of the past, and what failed there does not stand for what fails now.
        let tells = purpose == Purpose::Live && !std::mem::replace(&mut rule.record.gap_told, true);
        self.ledger.rule(&rule.record);
        self.pass(name, suspended);
        self.record_gap(name, over, GapReason::Poisoned, message.clone());
        if tells {
            self.pass(name, [Change::Gap { over, message }]);
        }
    }

    /// The checks of the next window lie elsewhere, for the clock was changed or the manifest's schedule: what the state
    /// counted by cells is counted anew.
    fn prime_anew(&mut self, name: &RuleName) {
        let Some(rule) = self.rules.get_mut(name) else { return };
        rule.record.state = None;
        rule.record.priming = priming::needed(rule.table.as_ref(), &rule.spec, &rule.record);
        rule.primed_from = None;
        rule.primed.clear();
        rule.cut = Cut::Whole;
        self.enqueue(name);
    }

    /// `catch_up: latest`: what was missed is a gap, and the rule reads its history anew.
    fn skip_to_latest(&mut self, name: &RuleName, skip: Range) {
        let Some(rule) = self.rules.get_mut(name) else { return };
        rule.record.cursor = skip.end;
        rule.record.told_from = skip.end;
        rule.record.state = None;
        rule.record.priming = priming::needed(rule.table.as_ref(), &rule.spec, &rule.record);
        rule.record.told.clear();
        rule.primed.clear();
        rule.cut = Cut::Whole;
        rule.activity = Activity::Committing;
        let suspended = level::suspend(&mut rule.open, skip.end.since(skip.start));
        self.ledger.rule(&rule.record);
        self.pass(name, suspended);
        self.record_gap(name, skip, GapReason::Skipped, "left out by `catch_up: latest`".into());
    }

    pub(super) fn record_gap(&mut self, name: &RuleName, over: Range, reason: GapReason, message: String) {
        self.ledger.note(Note::GapRecorded {
            rule: name.clone(),
            start: over.start,
            end: over.end,
            reason: message.clone(),
        });
        self.ledger.draft.gaps.push(GapRecord {
            rule: name.clone(),
            over,
            reason,
            recorded_at: self.now,
            message,
        });
    }
}

#[cfg(test)]
mod tests;
