use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchbell_contract::{Duration, Label, SignalKind, Timestamp, Window};

use crate::action::{Note, Purpose, RunId};
use crate::config::Config;
use crate::digest;
use crate::grid::Grid;
use crate::level::{self, Open, Unwritten};
use crate::priming;
use crate::queue::Pace;
use crate::record::{Change, Incarnation, RuleRecord};
use crate::schedule::Timetable;
use crate::spec::{RuleSpec, Schedule};
use crate::window::{self, Slice};

use super::draft::Draft;

/// What a rule may read while it changes, and where its changes are written.
pub(super) struct Scope<'a> {
    pub(super) now: Timestamp,
    pub(super) config: &'a Config,
    pub(super) incarnation: &'a Incarnation,
    pub(super) draft: &'a mut Draft,
    /// Logged at once.
    pub(super) notes: &'a mut Vec<Note>,
}

/// One rule: its stored record and current activity.
pub(super) struct Rule {
    pub(super) spec: Arc<RuleSpec>,
    /// `None`: the schedule cannot be parsed, and the rule is never due.
    pub(super) table: Option<Timetable>,
    /// Runs ahead of the store by at most one commit.
    pub(super) record: RuleRecord,
    /// The cursor in the store.
    pub(super) committed: Timestamp,
    pub(super) open: Open,
    pub(super) unwritten: Unwritten,
    pub(super) activity: Activity,
    pub(super) slice: Slice,
    pub(super) retry: Option<Retry>,
    /// When its last run ended; it has been waiting for its next turn since then.
    pub(super) ended_at: Timestamp,
    /// Where priming began, to report progress.
    pub(super) primed_from: Option<Timestamp>,
    /// The last signal of each level found so far while priming.
    pub(super) primed: BTreeMap<Vec<Label>, (Timestamp, SignalKind)>,
    pub(super) pace: Pace,
    /// The fields that its last run found in no mapping.
    pub(super) unmapped: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    Idle,
    Running(RunId),
    /// A run has ended. The next starts from its result, once that is known to be committed.
    Committing,
}

/// A failed window that is retried unchanged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    pub(super) window: Window,
    pub(super) purpose: Purpose,
    /// Failures of this window, from any cause.
    pub(super) failures: u32,
    /// Those failures that the same rows will cause again: the rule's own, and answers that are too large.
    pub(super) certain: u32,
    pub(super) at: Timestamp,
}

impl Rule {
    /// Passes on changes in order.
    pub(super) fn pass(&self, changes: impl IntoIterator<Item = Change>, scope: &mut Scope<'_>) {
        scope.draft.pass(&self.spec.name, self.record.cursor, changes);
    }

    /// Time that was not evaluated, or had no data, does not count: levels hold that much longer.
    pub(super) fn suspend(&mut self, span: Duration) -> Vec<Change> {
        self.record.overflow.suspend(span);
        level::suspend(&mut self.open, span)
    }

    pub(super) fn new(spec: Arc<RuleSpec>, record: RuleRecord, open: Open, now: Timestamp) -> Self {
        Self {
            table: Timetable::of(&spec.schedule).ok(),
            committed: record.cursor,
            spec,
            record,
            open,
            unwritten: Unwritten::new(),
            activity: Activity::Idle,
            slice: Slice::Whole,
            retry: None,
            ended_at: now,
            primed_from: None,
            primed: BTreeMap::new(),
            pace: Pace::Quick,
            unmapped: BTreeSet::new(),
        }
    }

    /// The rule now has the meaning of `spec`: its stored state is unusable.
    pub(super) fn mean(&mut self, spec: &RuleSpec) {
        self.record.meaning = spec.meaning.clone();
        self.record.failure = None;
        self.record.state = None;
        self.record.priming = None;
        let table = Timetable::of(&spec.schedule).ok();
        self.record.priming = priming::needed(table.as_ref(), spec, &self.record);
        self.primed.clear();
        self.slice = Slice::Whole;
        self.retry = None;
        self.unmapped.clear();
    }

    /// The same rule under another manifest: it continues where it was.
    pub(super) fn follow(self, spec: Arc<RuleSpec>) -> Self {
        let changed = Self::new(spec, self.record, self.open, self.ended_at);
        Self {
            committed: self.committed,
            unwritten: self.unwritten,
            activity: self.activity,
            slice: self.slice,
            retry: self.retry,
            primed_from: self.primed_from,
            primed: self.primed,
            pace: self.pace,
            unmapped: self.unmapped,
            ..changed
        }
    }

    /// How long after they are due its runs start.
    pub(super) fn jitter(&self, most: Duration) -> Duration {
        let span = match &self.spec.schedule {
            Schedule::Every(every) => Duration(every.0 / 4).min(most),
            Schedule::Cron { .. } => Duration(self.spec.grid.0 / 4).min(most),
        };
        digest::spread(span, &self.spec.name.0, 0)
    }

    /// The grid of a window that ends at `end`.
    pub(super) fn grid(&self, end: Timestamp) -> Grid {
        Grid::ending(self.table.as_ref(), &self.spec, end)
    }

    /// Where the rows of a live window that ends at `end` begin: at the time of the stored state; otherwise at the
    /// earliest time that is not final or, if the module checks, at the start of the grid step that contains it.
    pub(super) fn start(&self, end: Timestamp) -> Timestamp {
        // A rule that was off, or whose state was lost, still has late documents to look for before its cursor.
        let begin = self.record.cursor.min(self.record.final_before);
        match &self.record.state {
            Some(state) => state.settled,
            None if self.spec.checks => self.grid(end).floor(begin),
            None => begin,
        }
    }

    /// Up to when the stored state is complete.
    pub(super) fn settled(&self) -> Option<Timestamp> {
        self.record.state.as_ref().map(|state| state.settled)
    }

    /// Whether the stored state was made with checks at other instants than those of a window that ends at `end`.
    pub(super) fn is_elsewhere(&self, end: Timestamp) -> bool {
        self.spec.checks && self.settled().is_some_and(|settled| !self.grid(end).holds(settled))
    }

    pub(super) fn purpose(&self) -> Purpose {
        if self.record.priming.is_some()
            || priming::needed(self.table.as_ref(), &self.spec, &self.record).is_some()
        {
            Purpose::Priming
        } else {
            Purpose::Live
        }
    }

    /// When its next live run may begin; `None`: never.
    pub(super) fn due(&self, jitter_max: Duration) -> Option<Timestamp> {
        if let Some(settled) = self.slice_ready() {
            return Some(settled);
        }
        let (table, cursor) = (self.table.as_ref()?, self.record.cursor);
        let slot = window::next_slot(table, &self.spec, cursor).map(|slot| slot.due);
        let again = window::again_at(table, &self.spec, self.settled(), cursor);
        let due = [slot, again].into_iter().flatten().min()?;
        Some(due + self.jitter(jitter_max))
    }

    /// When the next slice, if there is one, may be evaluated: once all its late documents have arrived.
    pub(super) fn slice_ready(&self) -> Option<Timestamp> {
        let Slice::Settled { until, .. } = self.slice else { return None };
        let start = self.record.priming.as_ref().map_or_else(|| self.start(until), |priming| priming.reached);
        window::slice_ready(&self.spec, self.grid(until), start, self.slice)
    }
}
