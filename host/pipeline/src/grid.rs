//! The points where a rule's windows may end and its module checks: whole steps apart, counted back from the end of a
//! window.
use watchbell_contract::{Duration, Timestamp};

use crate::schedule::Timetable;
use crate::spec::RuleSpec;

/// A step size and one of the grid's points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) step: Duration,
    point: Timestamp,
}

impl Grid {
    /// The grid of a window that ends at `end`. With an interval, windows end on multiples of the step, so all of them
    /// share one grid. With `cron` each instant has its own grid: a day is the day that ended then, not a UTC day.
    pub(crate) fn ending(table: Option<&Timetable>, spec: &RuleSpec, end: Timestamp) -> Self {
        let step = match table {
            Some(Timetable::Cron(cron)) if spec.calendar => end.since(cron.day_before(end)),
            _ => spec.grid,
        };
        Self { step, point: end }
    }

    /// The last point at or before `at`.
    pub(crate) fn floor(self, at: Timestamp) -> Timestamp {
        let past = i128::from(at.0) - i128::from(self.point.0);
        let past = past.checked_rem_euclid(self.step.0.into()).unwrap_or(0);
        Timestamp(at.0.saturating_sub(i64::try_from(past).unwrap_or(i64::MAX)))
    }

    pub(crate) fn holds(self, at: Timestamp) -> bool {
        self.floor(at) == at
    }

    /// Moves forward by `span` along the grid, by at least one step.
    pub(crate) fn step_from(self, from: Timestamp, span: Duration) -> Timestamp {
        self.floor(from + span).max(self.floor(from) + self.step)
    }
}
