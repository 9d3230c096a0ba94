//! What a rule reads before its first window: its `history`, in chunks, without telling anybody.
use watchbell_contract::{Duration, Timestamp, Window};

use crate::record::{Priming, RuleRecord};
use crate::spec::RuleSpec;
use crate::window::{Cut, step};

/// Whether a rule has to read its history; `None` if it has a state or needs none.
pub(crate) fn needed(spec: &RuleSpec, record: &RuleRecord) -> Option<Priming> {
    if record.state.is_some() || spec.history == Duration::ZERO {
        return None;
    }
    let reached = (record.cursor - spec.history).floor(spec.grid);
    Some(Priming { reached, until: record.cursor })
}

/// The next chunk. All of a chunk is settled at once but the last one's, whose late documents the first live
/// window still looks at.
pub(crate) fn window(spec: &RuleSpec, priming: &Priming, cut: Cut) -> Window {
    let start = priming.reached.min(priming.until);
    if let Cut::Slice { .. } = cut {
        return crate::window::window(spec, start, start, priming.until, cut);
    }
    let settled = (priming.until - spec.lateness).floor(spec.grid).max(start);
    let chunk = match cut {
        Cut::Advance { span } => span,
        _ => spec.window_max,
    };
    let end = step(start, chunk, spec.grid);
    if end >= settled && cut == Cut::Whole || end >= priming.until {
        return Window { start, settled, end: priming.until };
    }
    Window { start, settled: end, end }
}

/// Where a chunk that failed is cut: as a slice, for it has no cursor to advance from.
pub(crate) fn cursor(priming: &Priming) -> Timestamp {
    priming.reached
}
