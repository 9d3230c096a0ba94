use watchbell_contract::{Range, Timestamp};

use crate::action::{Note, Purpose};
use crate::backoff::backoff;
use crate::fault::{RunFault, RunFaultKind};
use crate::priming;
use crate::record::{Change, Failure, GapReason, StateRecord};
use crate::window::{self, Recovery, Slice};

use super::Underway;
use super::rule::{Activity, Retry, Rule, Scope};

impl Rule {
    pub(super) fn failed(&mut self, underway: &Underway, fault: RunFault, scope: &mut Scope<'_>) {
        let RunFault { kind, message } = fault;
        let window = underway.window;
        let (streak, since) = self
            .record
            .failure
            .as_ref()
            .map_or((1, scope.now), |failure| (failure.streak + 1, failure.since));
        let over = Range { start: window.start, end: window.end };
        let failure = Failure { at: scope.now, window: over, message: message.clone(), streak, since };
        self.cannot_run(&failure, scope);
        self.record.failure = Some(failure);
        let retry = self.next_try(underway, kind, streak, scope);
        let next = match self.recovery(underway, kind, retry.certain, scope) {
            Recovery::Retry => {
                self.retry = Some(retry);
                retry.at
            }
            Recovery::Narrow(slice) => {
                self.slice = slice;
                // A smaller window is a different window, so there is no need to wait, unless the state itself was
                // refused.
                self.retry = None;
                if kind == RunFaultKind::State {
                    self.ended_at = retry.at;
                    retry.at
                } else {
                    self.slice_ready().unwrap_or(scope.now).max(scope.now)
                }
            }
            Recovery::Skip(over) => {
                self.slice = Slice::Whole;
                self.retry = None;
                self.leave_out(over, underway.purpose, scope);
                scope.now
            }
        };
        let rule = self.spec.name.clone();
        scope.notes.push(Note::RunFailed { rule, window, attempt: underway.attempt, message, next });
        // Writing every failure of an outage would cost more than it is worth.
        if streak.is_power_of_two() || kind != RunFaultKind::Outside {
            scope.draft.rule(&self.record);
        }
    }

    /// The next attempt at the failed window, if it is retried unchanged.
    fn next_try(&self, underway: &Underway, kind: RunFaultKind, streak: u32, scope: &Scope<'_>) -> Retry {
        let failures = self.retry.map_or(0, |retry| retry.failures) + 1;
        let certain = self.retry.map_or(0, |retry| retry.certain) + u32::from(kind.is_certain());
        // Part of a failed window is a new question, so its attempts start at the first pause.
        let nth = if kind.is_certain() { failures } else { streak };
        let (config, name) = (scope.config, &self.spec.name.0);
        let pause = backoff(config.backoff_first, config.backoff_max, nth, name, config.seed);
        let Underway { window, purpose, .. } = *underway;
        Retry { window, purpose, failures, certain, at: scope.now + pause }
    }

    fn recovery(
        &mut self,
        underway: &Underway,
        kind: RunFaultKind,
        certain: u32,
        scope: &mut Scope<'_>,
    ) -> Recovery {
        let window = underway.window;
        let cursor = match (&self.record.priming, underway.purpose) {
            (Some(progress), Purpose::Priming) => priming::cursor(progress),
            _ => self.record.cursor,
        };
        let (grid, slice) = (self.grid(window.end), self.slice);
        let oversize_max = scope.config.oversize_attempts.max(1);
        let poison_max = scope.config.poison_attempts.max(1);
        match kind {
            RunFaultKind::Outside => Recovery::Retry,
            RunFaultKind::Slow => window::too_slow(grid, window, cursor, slice),
            RunFaultKind::TooLarge => window::too_large(grid, window, cursor, slice, certain, oversize_max),
            RunFaultKind::Limit => window::too_large(grid, window, cursor, slice, certain, poison_max),
            RunFaultKind::Rule => window::poisoned(grid, window, slice, certain, poison_max),
            RunFaultKind::State => {
                if self.record.state.is_some() {
                    let reason = self
                        .record
                        .failure
                        .as_ref()
                        .map(|failure| failure.message.clone())
                        .unwrap_or_default();
                    scope.notes.push(Note::PrimesAnew { rule: self.spec.name.clone(), reason });
                }
                self.forget_state();
                Recovery::Narrow(Slice::Whole)
            }
        }
    }

    /// The smallest slice on which the rule fails becomes a gap with its own alert, and the rule continues after it.
    fn leave_out(&mut self, over: Range, purpose: Purpose, scope: &mut Scope<'_>) {
        let message = self.record.failure.as_ref().map(|failure| failure.message.clone()).unwrap_or_default();
        if let Some(state) = &mut self.record.state {
            state.settled = over.end;
        }
        let suspended = match (&mut self.record.priming, purpose) {
            (Some(progress), Purpose::Priming) => {
                progress.reached = over.end;
                if progress.reached >= progress.until {
                    self.begin_without_history(over.end);
                }
                Vec::new()
            }
            _ => {
                let suspended = self.suspend(over.end.since(self.record.cursor));
                self.record.cursor = self.record.cursor.max(over.end);
                self.record.final_before = self.record.final_before.max(over.end);
                self.record.committed_at = Some(scope.now);
                suspended
            }
        };
        self.record.seen.retain(|seen| seen.at >= over.end);
        self.activity = Activity::Committing;
        // A module that fails on everything is announced once, not once per slice. A gap in the rule's history is not
        // announced at all, and a failure there does not count as the current one.
        let announces = purpose == Purpose::Live && !std::mem::replace(&mut self.record.gap_announced, true);
        scope.draft.rule(&self.record);
        self.pass(suspended, scope);
        scope.draft.gap(scope.now, &self.spec.name, over, GapReason::Poisoned, message.clone());
        if announces {
            self.pass([Change::Gap { over, message }], scope);
        }
    }

    /// The rule starts without history: better blind for a while than forever.
    fn begin_without_history(&mut self, settled: Timestamp) {
        self.record.priming = None;
        self.primed_from = None;
        self.primed.clear();
        let version = self.spec.state_version;
        self.record.state.get_or_insert(StateRecord { settled, version, bytes: Vec::new() });
    }
}
