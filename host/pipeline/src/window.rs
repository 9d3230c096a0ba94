//! Which slice of time a run covers: half-open, contiguous, ending on the rule's grid.
use watchbell_contract::{Duration, Range, Timestamp, Window};

use crate::schedule::Timetable;
use crate::spec::{CatchUp, RuleSpec};

/// What a rule may do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing can be judged before this.
    Wait(Timestamp),
    /// Judge up to `end`; `skip` is left out before it (`catch_up: latest`).
    Judge {
        end: Timestamp,
        skip: Option<Range>,
    },
    Never,
}

/// A point of the schedule: when it is due, and where the window ends that it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) due: Timestamp,
    pub(crate) end: Timestamp,
}

/// How a window is cut after it failed as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cut {
    #[default]
    Whole,
    /// New rows of this span only; late ones as always.
    Advance { span: Duration },
    /// From the state on, this span and nothing else, all of it settled; until the state has reached `until`. What
    /// is settled is not looked at again, so a slice waits until its late documents have arrived (`slice_ready`).
    Slice { span: Duration, until: Timestamp },
}

/// Where a rule without a past begins.
pub(crate) fn first_cursor(spec: &RuleSpec, now: Timestamp) -> Timestamp {
    let latest = (now - spec.delay).floor(spec.grid);
    (latest - spec.lookback.unwrap_or(Duration::ZERO)).floor(spec.grid)
}

/// The first point of the schedule whose window ends after `cursor`.
pub(crate) fn next_slot(table: &Timetable, spec: &RuleSpec, cursor: Timestamp) -> Option<Slot> {
    let next_end = cursor.floor(spec.grid) + spec.grid;
    let just_before = Duration(1);
    match table {
        // The schedule says up to when; it may be judged once `delay` has passed.
        Timetable::Every(_) => {
            let point = table.next_after(next_end - just_before)?;
            Some(Slot { due: point + spec.delay, end: point.floor(spec.grid) })
        }
        // The schedule says when; it is judged up to `delay` before that.
        Timetable::Cron(_) => {
            let due = table.next_after(next_end + spec.delay - just_before)?;
            Some(Slot { due, end: (due - spec.delay).floor(spec.grid) })
        }
    }
}

/// Decides the end of the window after `cursor`. `now` is the rule's own now: the clock less its start jitter.
pub(crate) fn turn(table: &Timetable, spec: &RuleSpec, cursor: Timestamp, now: Timestamp) -> Turn {
    let Some(mut slot) = next_slot(table, spec, cursor) else { return Turn::Never };
    if slot.due > now {
        return Turn::Wait(slot.due);
    }
    let mut from = cursor;
    if spec.catch_up == CatchUp::Latest {
        (from, slot) = latest(table, spec, cursor, now).unwrap_or((cursor, slot));
    }
    let skip = (from > cursor).then_some(Range { start: cursor, end: from });
    let farthest = from + spec.window_max;
    if spec.catch_up == CatchUp::Merge {
        while let Some(next) = next_slot(table, spec, slot.end) {
            if next.due > now || next.end > farthest {
                break;
            }
            slot = next;
        }
    }
    let end = if slot.end <= farthest { slot.end } else { step(from, spec.window_max, spec.grid) };
    Turn::Judge { end, skip }
}

/// The last slot that is due, and the end of the one before it.
fn latest(
    table: &Timetable,
    spec: &RuleSpec,
    cursor: Timestamp,
    now: Timestamp,
) -> Option<(Timestamp, Slot)> {
    const BACK: [Duration; 5] = [
        Duration::from_mins(1),
        Duration::from_hours(1),
        Duration::from_hours(24),
        Duration::from_hours(24 * 32),
        Duration::from_hours(24 * 400),
    ];
    // Begin the search near now: years of missed slots are not walked one by one.
    let near = BACK.iter().map(|back| (now - spec.delay - *back - spec.grid - spec.grid).floor(spec.grid));
    let starts = near.filter(|start| *start > cursor).chain([cursor]);
    for start in starts {
        let Some(first) = next_slot(table, spec, start).filter(|slot| slot.due <= now) else { continue };
        let (mut before, mut slot) = (start, first);
        while let Some(next) = next_slot(table, spec, slot.end).filter(|next| next.due <= now) {
            (before, slot) = (slot.end, next);
        }
        if before > start || start == cursor {
            return Some((before, slot));
        }
    }
    None
}

/// The window of a run: from the kept state's time (or the cursor, without a state) to `end`.
pub(crate) fn window(
    spec: &RuleSpec,
    start: Timestamp,
    cursor: Timestamp,
    end: Timestamp,
    cut: Cut,
) -> Window {
    match cut {
        Cut::Whole => settled(spec, start, end),
        Cut::Advance { span } => settled(spec, start, end.min(step(cursor, span, spec.grid))),
        Cut::Slice { span, until } => {
            let end = step(start, span, spec.grid).min(until);
            Window { start, settled: end, end }
        }
    }
}

fn settled(spec: &RuleSpec, start: Timestamp, end: Timestamp) -> Window {
    Window { start, settled: start.max((end - spec.lateness).floor(spec.grid)), end }
}

/// `span` further, on the grid, and at least one step of it.
pub(crate) fn step(from: Timestamp, span: Duration, grid: Duration) -> Timestamp {
    (from + span).floor(grid).max(from.floor(grid) + grid)
}

/// What to do with a window that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cure {
    /// The same again, later.
    Retry,
    /// Less at once.
    Cut(Cut),
    /// It cannot be made smaller: leave it out.
    Skip(Range),
}

/// When the next slice from `start` on may be judged; `None` if `cut` makes no slices. As late as a document may
/// still arrive that a whole window would have judged.
pub(crate) fn slice_ready(spec: &RuleSpec, start: Timestamp, cut: Cut) -> Option<Timestamp> {
    let Cut::Slice { span, until } = cut else { return None };
    Some(step(start, span, spec.grid).min(until) + spec.delay + spec.lateness)
}

/// No answer in time: less of it. One step of the grid is tried again for as long as it takes, for the rows are not
/// to blame for a cluster that hangs.
pub(crate) fn too_slow(spec: &RuleSpec, window: Window, cursor: Timestamp, cut: Cut) -> Cure {
    let smaller = match cut {
        Cut::Slice { .. } => slice(spec, window, cut),
        Cut::Whole | Cut::Advance { .. } => advance(spec, window, cursor),
    };
    smaller.map_or(Cure::Retry, Cure::Cut)
}

/// Too much for one run: half of it, at once. One step of the grid that is too much `attempts_max` times is left out.
pub(crate) fn too_large(
    spec: &RuleSpec,
    window: Window,
    cursor: Timestamp,
    cut: Cut,
    attempts: u32,
    attempts_max: u32,
) -> Cure {
    let less = match cut {
        Cut::Slice { .. } => None,
        Cut::Whole | Cut::Advance { .. } => advance(spec, window, cursor),
    };
    match less.or_else(|| slice(spec, window, cut)) {
        Some(cut) => Cure::Cut(cut),
        None if attempts >= attempts_max => Cure::Skip(Range { start: window.start, end: window.end }),
        None => Cure::Retry,
    }
}

/// The rule fails on these rows: after `attempts_max` of the whole, the smallest part on which it does.
pub(crate) fn poisoned(spec: &RuleSpec, window: Window, cut: Cut, attempts: u32, attempts_max: u32) -> Cure {
    let bisecting = matches!(cut, Cut::Slice { .. });
    let smaller = slice(spec, window, cut);
    match smaller {
        Some(cut) if bisecting || attempts >= attempts_max => Cure::Cut(cut),
        None if attempts >= attempts_max => Cure::Skip(Range { start: window.start, end: window.end }),
        _ => Cure::Retry,
    }
}

fn advance(spec: &RuleSpec, window: Window, cursor: Timestamp) -> Option<Cut> {
    let advance = window.end.since(cursor);
    (advance > spec.grid).then(|| Cut::Advance { span: half(advance, spec.grid) })
}

fn slice(spec: &RuleSpec, window: Window, cut: Cut) -> Option<Cut> {
    let whole = window.end.since(window.start);
    let until = match cut {
        Cut::Slice { until, .. } => until,
        _ => window.end,
    };
    // A window that the slice cuts in the middle of a step cannot be cut again.
    let smaller = half(whole, spec.grid);
    (step(window.start, smaller, spec.grid) < window.end).then_some(Cut::Slice { span: smaller, until })
}

/// After a run committed up to `settled`: carefully back to whole windows.
pub(crate) fn heal(spec: &RuleSpec, window: Window, cut: Cut) -> Cut {
    match cut {
        Cut::Advance { span } if span < spec.window_max => Cut::Advance { span: span.saturating_mul(2) },
        Cut::Slice { until, .. } if window.end < until => cut,
        _ => Cut::Whole,
    }
}

fn half(span: Duration, grid: Duration) -> Duration {
    let grid = grid.0.max(1);
    Duration((span.0 / 2 / grid * grid).max(grid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::rule;
    use crate::spec::Schedule;

    const MINUTE: i64 = 60_000;

    fn minutes(count: i64) -> Timestamp {
        Timestamp(count * MINUTE)
    }

    fn judged(spec: &RuleSpec, cursor: Timestamp, now: Timestamp) -> Turn {
        turn(&Timetable::of(&spec.schedule).unwrap(), spec, cursor, now)
    }

    #[test]
    fn a_window_ends_on_the_grid_and_delay_before_now() {
        let spec = rule();
        assert_eq!(
            judged(&spec, minutes(10), Timestamp(11 * MINUTE + 9_999)),
            Turn::Wait(Timestamp(670_000))
        );
        let turn = judged(&spec, minutes(10), Timestamp(11 * MINUTE + 10_000));
        assert_eq!(turn, Turn::Judge { end: minutes(11), skip: None });
    }

    #[test]
    fn downtime_is_caught_up_as_the_manifest_says() {
        let now = Timestamp(200 * MINUTE + 10_000);
        let with = |catch_up| judged(&RuleSpec { catch_up, ..rule() }, minutes(10), now);
        assert_eq!(with(CatchUp::All), Turn::Judge { end: minutes(11), skip: None });
        assert_eq!(with(CatchUp::Merge), Turn::Judge { end: minutes(70), skip: None });
        let skip = Some(Range { start: minutes(10), end: minutes(199) });
        assert_eq!(with(CatchUp::Latest), Turn::Judge { end: minutes(200), skip });
    }

    #[test]
    fn cron_is_judged_up_to_delay_before_it_fires() {
        let expression = "0 * * * *".to_owned();
        let schedule = Schedule::Cron { expression, timezone: "UTC".into() };
        let spec = RuleSpec { schedule, ..rule() };
        let turn = judged(&spec, minutes(10), minutes(60));
        assert_eq!(turn, Turn::Judge { end: minutes(59), skip: None });
    }

    #[test]
    fn the_state_settles_lateness_before_the_end() {
        let window = window(&rule(), minutes(10), minutes(12), minutes(20), Cut::Whole);
        assert_eq!((window.start, window.settled, window.end), (minutes(10), minutes(18), minutes(20)));
    }

    #[test]
    fn a_slow_step_is_tried_again_and_never_sliced() {
        let spec = rule();
        let whole = Window { start: minutes(8), settled: minutes(18), end: minutes(20) };
        let half = Cut::Advance { span: Duration::from_mins(5) };
        assert_eq!(too_slow(&spec, whole, minutes(10), Cut::Whole), Cure::Cut(half));
        let step = Window { start: minutes(8), settled: minutes(9), end: minutes(11) };
        assert_eq!(too_slow(&spec, step, minutes(10), Cut::Whole), Cure::Retry);
    }

    #[test]
    fn what_stays_too_large_is_left_out_at_last() {
        let spec = rule();
        let whole = Window { start: minutes(8), settled: minutes(9), end: minutes(12) };
        let half = Cut::Advance { span: Duration::from_mins(1) };
        assert_eq!(too_large(&spec, whole, minutes(10), Cut::Whole, 1, 3), Cure::Cut(half));
        let slice = Cut::Slice { span: Duration::from_mins(1), until: minutes(12) };
        let step = Window { start: minutes(8), settled: minutes(9), end: minutes(9) };
        assert_eq!(too_large(&spec, step, minutes(10), slice, 2, 3), Cure::Retry);
        let over = Range { start: minutes(8), end: minutes(9) };
        assert_eq!(too_large(&spec, step, minutes(10), slice, 3, 3), Cure::Skip(over));
    }
}
