//! Reading a rule's `history`, in chunks, before its first window. Nobody is notified of what is found there.
use watchbell_contract::{Duration, Timestamp, Window};

use crate::grid::Grid;
use crate::record::{Priming, RuleRecord};
use crate::schedule::Timetable;
use crate::spec::RuleSpec;
use crate::window::{self, Slice};

/// Whether a rule must read its history; `None` if it has a state or needs none.
pub(crate) fn needed(table: Option<&Timetable>, spec: &RuleSpec, record: &RuleRecord) -> Option<Priming> {
    if record.state.is_some() || spec.history == Duration::ZERO {
        return None;
    }
    // On the grid of the next window: if the schedule's instants are elsewhere on the grid, the rule primes again.
    let next = table.and_then(|table| window::next_slot(table, spec, record.cursor));
    let grid = Grid::ending(table, spec, next.map_or(record.cursor, |slot| slot.end));
    Some(Priming { reached: grid.floor(record.cursor - spec.history), until: grid.floor(record.cursor) })
}

/// The next chunk. Every chunk is settled at once except the last, whose late documents the first live window still
/// looks at.
pub(crate) fn window(spec: &RuleSpec, priming: &Priming, slice: Slice) -> Window {
    let start = priming.reached.min(priming.until);
    let grid = Grid::ending(None, spec, priming.until);
    if let Slice::Settled { .. } = slice {
        return window::window(grid, spec.lateness, start, start, priming.until, slice);
    }
    let settled = grid.floor(priming.until - spec.lateness).max(start);
    let chunk = match slice {
        Slice::Advance { span } => span,
        _ => spec.window_max,
    };
    let end = grid.step_from(start, chunk);
    if end >= settled && slice == Slice::Whole || end >= priming.until {
        return Window { start, settled, end: priming.until };
    }
    Window { start, settled: end, end }
}

/// Where a failed chunk is cut: as a slice, because it has no cursor to advance from.
pub(crate) fn cursor(priming: &Priming) -> Timestamp {
    priming.reached
}
