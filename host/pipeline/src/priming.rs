//! What a rule reads before its first window: its `history`, in chunks, without telling anybody.
use watchbell_contract::{Duration, Timestamp, Window};

use crate::grid::Grid;
use crate::record::{Priming, RuleRecord};
use crate::schedule::Timetable;
use crate::spec::RuleSpec;
use crate::window::{self, Slice};

/// Whether a rule has to read its history; `None` if it has a state or needs none.
pub(crate) fn needed(table: Option<&Timetable>, spec: &RuleSpec, record: &RuleRecord) -> Option<Priming> {
    if record.state.is_some() || spec.history == Duration::ZERO {
        return None;
    }
    // As the window after it will need it: a schedule whose instants lie elsewhere on the grid primes anew.
    let next = table.and_then(|table| window::next_slot(table, spec, record.cursor));
    let grid = Grid::ending(table, spec, next.map_or(record.cursor, |slot| slot.end));
    Some(Priming { reached: grid.floor(record.cursor - spec.history), until: grid.floor(record.cursor) })
}

/// The next chunk. All of a chunk is settled at once but the last one's, whose late documents the first live
/// window still looks at.
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

/// Where a chunk that failed is cut: as a slice, for it has no cursor to advance from.
pub(crate) fn cursor(priming: &Priming) -> Timestamp {
    priming.reached
}
