use watchbell_contract::{Duration, Range, Timestamp, Window};

use crate::action::{Purpose, Run, RunId};
use crate::priming;
use crate::queue::{Line, Pace};
use crate::record::GapReason;
use crate::window::{self, Decision, Slice};

use super::rule::{Activity, Rule, Scope};

/// What a rule does when its turn comes.
pub(super) enum Plan {
    Run {
        window: Window,
        purpose: Purpose,
    },
    /// `catch_up: latest`: this range is skipped first.
    SkipToLatest(Range),
    /// The checks of the next window are at other instants, because of a clock change or a changed schedule. State that
    /// counts per check interval must be rebuilt.
    PrimeAnew,
    Nothing,
}

impl Rule {
    /// Where the rule waits for its next run, and from when; `None` while it runs, or if it never will.
    pub(super) fn place(&self, jitter_max: Duration) -> Option<(Line, Pace, Timestamp)> {
        if self.activity != Activity::Idle || !self.spec.enabled {
            return None;
        }
        let line = match self.purpose() {
            Purpose::Live => Line::Cluster(self.spec.cluster.clone()),
            Purpose::Priming => Line::Priming(self.spec.cluster.clone()),
        };
        let ready = match (&self.retry, &line) {
            (Some(retry), _) => Some(retry.at),
            (None, Line::Priming(_)) => {
                let settled = self.slice_ready().unwrap_or(self.ended_at);
                self.table.as_ref().map(|_| settled.max(self.ended_at))
            }
            // Behind the rules that became due while it ran: a rule that is catching up does not crowd out the others.
            (None, Line::Cluster(_)) => self.due(jitter_max).map(|due| due.max(self.ended_at)),
        };
        Some((line, self.pace, ready?))
    }

    pub(super) fn plan(&mut self, now: Timestamp, jitter_max: Duration) -> Plan {
        let plan = match self.purpose() {
            Purpose::Priming => self.plan_priming(),
            Purpose::Live => self.plan_live(now - self.jitter(jitter_max)),
        };
        // A failed window is retried unchanged.
        match &self.retry {
            Some(retry) => Plan::Run { window: retry.window, purpose: retry.purpose },
            None => plan,
        }
    }

    fn plan_priming(&mut self) -> Plan {
        if self.record.priming.is_none() {
            self.record.priming = priming::needed(self.table.as_ref(), &self.spec, &self.record);
        }
        let Some(progress) = &self.record.priming else { return Plan::Nothing };
        self.primed_from.get_or_insert(progress.reached);
        Plan::Run { window: priming::window(&self.spec, progress, self.slice), purpose: Purpose::Priming }
    }

    fn plan_live(&self, own_now: Timestamp) -> Plan {
        let Some(table) = &self.table else { return Plan::Nothing };
        let (spec, cursor) = (&self.spec, self.record.cursor);
        let window = match window::decide(table, spec, self.settled(), cursor, own_now) {
            Decision::Judge { skip: Some(skip), .. } if self.slice == Slice::Whole => {
                return Plan::SkipToLatest(skip);
            }
            Decision::Judge { end, .. } if self.is_elsewhere(end) => return Plan::PrimeAnew,
            Decision::Judge { end, .. } => {
                window::window(self.grid(end), spec.lateness, self.start(end), cursor, end, self.slice)
            }
            // All of it is settled after that.
            Decision::Again { end } => {
                let slice = match self.slice {
                    Slice::Advance { .. } => Slice::Whole,
                    slice => slice,
                };
                window::window(self.grid(end), Duration::ZERO, self.start(end), end, end, slice)
            }
            Decision::Wait(_) | Decision::Never => return Plan::Nothing,
        };
        Plan::Run { window, purpose: Purpose::Live }
    }

    /// Starts run `id` over `window`.
    pub(super) fn begin(&mut self, id: RunId, window: Window, purpose: Purpose) -> Run {
        self.activity = Activity::Running(id);
        Run {
            id,
            rule: self.spec.name.clone(),
            purpose,
            window,
            grid: if self.spec.checks { self.grid(window.end).step } else { Duration::ZERO },
            judged: self.record.cursor,
            state: self.record.state.clone(),
            seen: if purpose == Purpose::Live { self.record.seen.clone() } else { Vec::new() },
            attempt: self.retry.map_or(1, |retry| retry.failures + 1),
            deadline: self.spec.deadline,
        }
    }

    /// `catch_up: latest`: the missed time becomes a gap, and the rule reads its history again.
    pub(super) fn skip_to_latest(&mut self, skip: Range, scope: &mut Scope<'_>) {
        self.record.cursor = skip.end;
        self.record.final_before = skip.end;
        self.forget_state();
        self.record.seen.clear();
        self.activity = Activity::Committing;
        let suspended = self.suspend(skip.end.since(skip.start));
        scope.draft.rule(&self.record);
        self.pass(suspended, scope);
        scope.draft.gap(
            scope.now,
            &self.spec.name,
            skip,
            GapReason::Skipped,
            "left out by `catch_up: latest`".into(),
        );
    }

    /// The stored state is unusable: the rule reads its history again.
    pub(super) fn forget_state(&mut self) {
        self.record.state = None;
        self.record.priming = priming::needed(self.table.as_ref(), &self.spec, &self.record);
        self.primed_from = None;
        self.primed.clear();
        self.slice = Slice::Whole;
    }
}
