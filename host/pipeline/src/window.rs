//! Which time range a run covers: half-open, contiguous, ending on the rule's grid.
use watchbell_contract::{Duration, Range, Timestamp, Window};

use crate::grid::Grid;
use crate::schedule::Timetable;
use crate::spec::{CatchUp, RuleSpec};

/// What a rule may do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing can be evaluated before this.
    Wait(Timestamp),
    /// Evaluate up to `end`; `skip` is left out before that (`catch_up: latest`).
    Judge {
        end: Timestamp,
        skip: Option<Range>,
    },
    /// Evaluate once more what lies between the state and the cursor, now that late documents have arrived.
    Again {
        end: Timestamp,
    },
    Never,
}

/// A point of the schedule: when it is due, and where its window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) due: Timestamp,
    pub(crate) end: Timestamp,
}

/// How a window is divided after it failed as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Slice {
    #[default]
    Whole,
    /// Only this span of new rows; late rows as always.
    Advance { span: Duration },
    /// Only this span from the state on, all of it settled, until the state has reached `until`. Settled time is not
    /// evaluated again, so a slice waits until its late documents have arrived (`slice_ready`).
    Settled { span: Duration, until: Timestamp },
}

/// A schedule that pauses for longer evaluates twice: its next window would be too late for late documents.
const PAUSE_MAX: Duration = Duration::from_mins(10);

/// Where a rule without a past begins.
pub(crate) fn first_cursor(table: Option<&Timetable>, spec: &RuleSpec, now: Timestamp) -> Timestamp {
    // Not on the grid: nothing before it is told, and nothing after it is lost.
    let begin = spec.begin.filter(|begin| *begin < now - spec.delay);
    begin.unwrap_or_else(|| cursor_back(table, spec, now))
}

/// As far back as a rule looks from now on.
pub(crate) fn cursor_back(table: Option<&Timetable>, spec: &RuleSpec, now: Timestamp) -> Timestamp {
    let latest = now - spec.delay;
    match table {
        Some(table @ Timetable::Cron(_)) => {
            let begin = latest - spec.lookback.unwrap_or(Duration::ZERO);
            let Some(first) = next_slot(table, spec, begin) else { return begin };
            let floored = Grid::ending(Some(table), spec, first.end).floor(begin);
            // A new rule does not evaluate windows that ended before it began.
            if next_slot(table, spec, floored) == Some(first) { floored } else { begin }
        }
        _ => (latest.floor(spec.grid) - spec.lookback.unwrap_or(Duration::ZERO)).floor(spec.grid),
    }
}

/// The first point of the schedule whose window ends after `cursor`. A window that ends at the scheduled instant may be
/// evaluated once `delay` has passed.
pub(crate) fn next_slot(table: &Timetable, spec: &RuleSpec, cursor: Timestamp) -> Option<Slot> {
    match table {
        Timetable::Every(_) => {
            let next_end = cursor.floor(spec.grid) + spec.grid;
            let point = table.next_after(next_end - Duration(1))?;
            Some(Slot { due: point + spec.delay, end: point.floor(spec.grid) })
        }
        Timetable::Cron(cron) => {
            let point = cron.next_after(cursor)?;
            let mut end = point;
            // Calendar days are evaluated one by one.
            while spec.calendar
                && let before = cron.day_before(end)
                && cursor < before
                && before < end
            {
                end = before;
            }
            Some(Slot { due: point + spec.delay, end })
        }
    }
}

/// Decides the end of the window after `cursor`; the stored state is settled up to `settled`. `now` is the rule's own
/// time: the clock minus its start jitter.
pub(crate) fn decide(
    table: &Timetable,
    spec: &RuleSpec,
    settled: Option<Timestamp>,
    cursor: Timestamp,
    now: Timestamp,
) -> Decision {
    let again = again_at(table, spec, settled, cursor);
    if again.is_some_and(|at| at <= now) {
        return Decision::Again { end: cursor };
    }
    let Some(mut slot) = next_slot(table, spec, cursor) else {
        return again.map_or(Decision::Never, Decision::Wait);
    };
    if slot.due > now {
        return Decision::Wait(again.map_or(slot.due, |at| at.min(slot.due)));
    }
    let mut from = cursor;
    if spec.catch_up == CatchUp::Latest {
        (from, slot) = latest(table, spec, cursor, now).unwrap_or((cursor, slot));
    }
    let skip = (from > cursor).then_some(Range { start: cursor, end: from });
    let farthest = from + spec.window_max;
    if spec.catch_up == CatchUp::Merge {
        while let Some(next) = next_slot(table, spec, slot.end) {
            let (grid, whole) =
                (Grid::ending(Some(table), spec, next.end), Grid::ending(Some(table), spec, slot.end));
            if next.due > now || next.end > farthest || !grid.holds(slot.end) || grid.step != whole.step {
                break;
            }
            slot = next;
        }
    }
    let grid = Grid::ending(Some(table), spec, slot.end);
    let end = if slot.end <= farthest { slot.end } else { grid.step_from(from, spec.window_max) };
    Decision::Judge { end, skip }
}

/// When to evaluate an instant of `cron` once more because its late documents could not have arrived the first time;
/// `None` if the next window covers that, or it is done.
pub(crate) fn again_at(
    table: &Timetable,
    spec: &RuleSpec,
    settled: Option<Timestamp>,
    cursor: Timestamp,
) -> Option<Timestamp> {
    let Timetable::Cron(cron) = table else { return None };
    let settled = settled.filter(|settled| *settled < cursor)?;
    // A state that is rebuilt for the next instant has no further use for this one.
    let is_kept = !spec.checks || Grid::ending(Some(table), spec, cursor).holds(settled);
    if !is_kept || cron.next_after(cursor - Duration(1)) != Some(cursor) {
        return None;
    }
    let is_next_soon = next_slot(table, spec, cursor).is_some_and(|next| {
        next.end.since(cursor) <= PAUSE_MAX && Grid::ending(Some(table), spec, next.end).holds(cursor)
    });
    (!is_next_soon).then(|| cursor + spec.lateness.max(spec.delay))
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
    // Start the search near now, so that years of missed slots are not walked one by one.
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

/// The window of a run: from the stored state's time (or the cursor, without a state) to `end`.
pub(crate) fn window(
    grid: Grid,
    lateness: Duration,
    start: Timestamp,
    cursor: Timestamp,
    end: Timestamp,
    slice: Slice,
) -> Window {
    let settled = |end| Window { start, settled: start.max(grid.floor(end - lateness)), end };
    match slice {
        Slice::Whole => settled(end),
        Slice::Advance { span } => settled(end.min(grid.step_from(cursor, span))),
        Slice::Settled { span, until } => {
            let end = grid.step_from(start, span).min(until);
            Window { start, settled: end, end }
        }
    }
}

/// What to do with a window that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// Retry the same window later.
    Retry,
    /// Retry a smaller window at once.
    Narrow(Slice),
    /// It cannot be made smaller: skip it.
    Skip(Range),
}

/// When the next slice from `start` on may be evaluated; `None` if `cut` does not make slices. This is as late as a
/// document may arrive and still be evaluated in a whole window.
pub(crate) fn slice_ready(spec: &RuleSpec, grid: Grid, start: Timestamp, slice: Slice) -> Option<Timestamp> {
    let Slice::Settled { span, until } = slice else { return None };
    Some(grid.step_from(start, span).min(until) + spec.delay + spec.lateness)
}

/// No answer in time: try a smaller window. One grid step is retried for as long as it takes, because the rows are not
/// to blame for a cluster that hangs.
pub(crate) fn too_slow(grid: Grid, window: Window, cursor: Timestamp, slice: Slice) -> Recovery {
    let smaller = match slice {
        Slice::Settled { .. } => narrow(grid, window, slice),
        Slice::Whole | Slice::Advance { .. } => advance(grid, window, cursor),
    };
    smaller.map_or(Recovery::Retry, Recovery::Narrow)
}

/// Too much for one run: halve the window at once. One grid step that is too much `attempts_max` times is skipped.
pub(crate) fn too_large(
    grid: Grid,
    window: Window,
    cursor: Timestamp,
    slice: Slice,
    attempts: u32,
    attempts_max: u32,
) -> Recovery {
    let less = match slice {
        Slice::Settled { .. } => None,
        Slice::Whole | Slice::Advance { .. } => advance(grid, window, cursor),
    };
    match less.or_else(|| narrow(grid, window, slice)) {
        Some(slice) => Recovery::Narrow(slice),
        None if attempts >= attempts_max => Recovery::Skip(Range { start: window.start, end: window.end }),
        None => Recovery::Retry,
    }
}

/// The rule fails on these rows: after `attempts_max` attempts at the whole, find the smallest part on which it fails.
pub(crate) fn poisoned(
    grid: Grid,
    window: Window,
    slice: Slice,
    attempts: u32,
    attempts_max: u32,
) -> Recovery {
    let bisecting = matches!(slice, Slice::Settled { .. });
    let smaller = narrow(grid, window, slice);
    match smaller {
        Some(slice) if bisecting || attempts >= attempts_max => Recovery::Narrow(slice),
        None if attempts >= attempts_max => Recovery::Skip(Range { start: window.start, end: window.end }),
        _ => Recovery::Retry,
    }
}

fn advance(grid: Grid, window: Window, cursor: Timestamp) -> Option<Slice> {
    let advance = window.end.since(cursor);
    (advance > grid.step).then(|| Slice::Advance { span: half(advance, grid.step) })
}

fn narrow(grid: Grid, window: Window, slice: Slice) -> Option<Slice> {
    let whole = window.end.since(window.start);
    let until = match slice {
        Slice::Settled { until, .. } => until,
        _ => window.end,
    };
    // A window that the slice cuts within a step cannot be divided further.
    let smaller = half(whole, grid.step);
    (grid.step_from(window.start, smaller) < window.end).then_some(Slice::Settled { span: smaller, until })
}

/// After a run committed up to `settled`: grow back to whole windows carefully.
pub(crate) fn heal(spec: &RuleSpec, window: Window, slice: Slice) -> Slice {
    match slice {
        Slice::Advance { span } if span < spec.window_max => Slice::Advance { span: span.saturating_mul(2) },
        Slice::Settled { until, .. } if window.end < until => slice,
        _ => Slice::Whole,
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
    const DAY: Duration = Duration::from_hours(24);

    fn minutes(count: i64) -> Timestamp {
        Timestamp(count * MINUTE)
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn grid(spec: &RuleSpec, end: Timestamp) -> Grid {
        Grid::ending(Timetable::of(&spec.schedule).ok().as_ref(), spec, end)
    }

    fn judged(spec: &RuleSpec, cursor: Timestamp, now: Timestamp) -> Decision {
        decide(&Timetable::of(&spec.schedule).unwrap(), spec, None, cursor, now)
    }

    fn cron(expression: &str, timezone: &str, grid: Duration) -> RuleSpec {
        let schedule = Schedule::Cron { expression: expression.into(), timezone: timezone.into() };
        RuleSpec { schedule, grid, ..rule() }
    }

    /// Each window's start (without a state) and end, in the order of the schedule.
    fn windows(spec: &RuleSpec, from: &str, count: usize) -> Vec<[String; 2]> {
        let table = Timetable::of(&spec.schedule).unwrap();
        let mut cursor = at(from);
        let mut windows = Vec::new();
        for _ in 0..count {
            let slot = next_slot(&table, spec, cursor).unwrap();
            let Decision::Judge { end, skip: None } = decide(&table, spec, None, cursor, slot.due) else {
                panic!("not due at {:?}", slot.due)
            };
            let start = grid(spec, end).floor(cursor);
            windows.push([start, end].map(|at| jiff::Timestamp::from_millisecond(at.0).unwrap().to_string()));
            cursor = end;
        }
        windows
    }

    #[test]
    fn a_window_ends_on_the_grid_and_delay_before_now() {
        let spec = rule();
        assert_eq!(
            judged(&spec, minutes(10), Timestamp(11 * MINUTE + 9_999)),
            Decision::Wait(Timestamp(670_000))
        );
        let turn = judged(&spec, minutes(10), Timestamp(11 * MINUTE + 10_000));
        assert_eq!(turn, Decision::Judge { end: minutes(11), skip: None });
    }

    #[test]
    fn downtime_is_caught_up_as_the_manifest_says() {
        let now = Timestamp(200 * MINUTE + 10_000);
        let with = |catch_up| judged(&RuleSpec { catch_up, ..rule() }, minutes(10), now);
        assert_eq!(with(CatchUp::All), Decision::Judge { end: minutes(11), skip: None });
        assert_eq!(with(CatchUp::Merge), Decision::Judge { end: minutes(70), skip: None });
        let skip = Some(Range { start: minutes(10), end: minutes(199) });
        assert_eq!(with(CatchUp::Latest), Decision::Judge { end: minutes(200), skip });
    }

    #[test]
    fn cron_is_judged_up_to_its_instant_once_delay_has_passed() {
        let spec = cron("0 * * * *", "UTC", Duration::from_mins(1));
        assert_eq!(judged(&spec, minutes(10), minutes(60)), Decision::Wait(Timestamp(3_610_000)));
        let turn = judged(&spec, minutes(10), Timestamp(3_610_000));
        assert_eq!(turn, Decision::Judge { end: minutes(60), skip: None });
    }

    #[test]
    fn a_period_of_cron_is_the_one_that_ended() {
        let spec = RuleSpec { window_max: DAY.saturating_mul(2), ..cron("0 0 * * *", "Europe/Berlin", DAY) };
        let days = windows(&spec, "2026-03-27T23:00:00Z", 3);
        // 24 hours are 24 hours: the night without its third hour is in two of them.
        assert_eq!(
            days,
            [
                ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z"],
                ["2026-03-28T22:00:00Z", "2026-03-29T22:00:00Z"],
                ["2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"],
            ]
        );
        let autumn = windows(&spec, "2026-10-24T22:00:00Z", 2);
        // The day of 25 hours: the time before its last 24 hours is a step of its own.
        assert_eq!(autumn[0], ["2026-10-23T23:00:00Z", "2026-10-25T23:00:00Z"]);
        assert_eq!(autumn[1], ["2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"]);
    }

    #[test]
    fn a_day_of_the_calendar_is_one_window() {
        let spec = RuleSpec { calendar: true, ..cron("0 0 * * *", "Europe/Berlin", DAY) };
        for (from, hours) in [("2026-03-27T23:00:00Z", [24, 23, 24]), ("2026-10-23T22:00:00Z", [24, 25, 24])]
        {
            let days = windows(&spec, from, 3);
            let long = days.iter().map(|[start, end]| at(end).since(at(start)).millis() / 3_600_000);
            assert_eq!(long.collect::<Vec<_>>(), hours, "{days:?}");
            assert!(days.windows(2).all(|pair| pair[0][1] == pair[1][0]), "{days:?}");
        }
        // On Mondays, the previous seven days are evaluated one by one.
        let weekly = RuleSpec { calendar: true, ..cron("0 0 * * MON", "Europe/Berlin", DAY) };
        let days = windows(&weekly, "2026-03-22T23:00:00Z", 7);
        assert_eq!(days[5], ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z"]);
        assert_eq!(days[6], ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]);
    }

    #[test]
    fn instants_of_different_grids_are_not_merged() {
        let now = at("2026-03-30T23:00:00Z");
        let spec = RuleSpec { window_max: DAY.saturating_mul(30), ..cron("0 0 * * *", "Europe/Berlin", DAY) };
        let turn = judged(&spec, at("2026-03-25T23:00:00Z"), now);
        assert_eq!(turn, Decision::Judge { end: at("2026-03-28T23:00:00Z"), skip: None });
        let turn = judged(&spec, at("2026-03-28T23:00:00Z"), now);
        assert_eq!(turn, Decision::Judge { end: at("2026-03-30T22:00:00Z"), skip: None });
        // Minutes are minutes in both halves of the year.
        let fine = RuleSpec { grid: Duration::from_mins(1), ..spec };
        let turn = judged(&fine, at("2026-03-25T23:00:00Z"), now);
        assert_eq!(turn, Decision::Judge { end: at("2026-03-30T22:00:00Z"), skip: None });
    }

    #[test]
    fn a_rule_that_pauses_looks_twice() {
        let daily = cron("0 0 * * *", "UTC", DAY);
        let table = Timetable::of(&daily.schedule).unwrap();
        let (midnight, settled) = (minutes(1_440), Some(Timestamp(0)));
        let turn_at = |settled, secs: i64| {
            decide(&table, &daily, settled, midnight, Timestamp(midnight.0 + secs * 1_000))
        };
        assert_eq!(turn_at(settled, 119), Decision::Wait(minutes(1_442)));
        assert_eq!(turn_at(settled, 120), Decision::Again { end: midnight });
        assert_eq!(turn_at(Some(midnight), 120), Decision::Wait(Timestamp(2 * midnight.0 + 10_000)));
        let window =
            window(grid(&daily, midnight), Duration::ZERO, Timestamp(0), midnight, midnight, Slice::Whole);
        assert_eq!((window.start, window.settled, window.end), (Timestamp(0), midnight, midnight));
        // The next window is soon enough, unless its checks are at other instants.
        for (expression, grid, again) in [("*/5 * * * *", 1, false), ("*/7 * * * *", 5, true)] {
            let spec = cron(expression, "UTC", Duration::from_mins(grid));
            let table = Timetable::of(&spec.schedule).unwrap();
            assert_eq!(again_at(&table, &spec, settled, midnight).is_some(), again, "{expression}");
        }
    }

    #[test]
    fn a_new_rule_does_not_judge_what_ended_before_it() {
        let first = |expression: &str, step, now: &str| {
            let spec = cron(expression, "Europe/Berlin", step);
            first_cursor(Timetable::of(&spec.schedule).ok().as_ref(), &spec, at(now))
        };
        assert_eq!(first("0 0 * * *", DAY, "2026-03-10T12:00:00Z"), at("2026-03-09T23:00:00Z"));
        assert_eq!(first("0 0 * * MON", DAY, "2026-03-10T12:00:00Z"), at("2026-03-09T23:00:00Z"));
        assert_eq!(
            first("0 9 * * *", Duration::from_mins(1), "2026-03-10T12:00:30Z"),
            at("2026-03-10T12:00:00Z")
        );
        // The step that the next instant evaluates began before the last one.
        let between = at("2026-03-10T12:20:00Z") - Duration::from_secs(10);
        assert_eq!(first("*/15 * * * *", DAY, "2026-03-10T12:20:00Z"), between);
    }

    #[test]
    fn a_new_rule_begins_at_the_instant_that_it_is_given_unless_that_is_to_come() {
        let begin = at("2026-03-10T10:20:17.5Z");
        let every = RuleSpec { begin: Some(begin), lookback: Some(DAY), ..rule() };
        let daily = RuleSpec { begin: Some(begin), ..cron("0 0 * * *", "UTC", DAY) };
        for spec in [every, daily] {
            let first = |now: &str| first_cursor(Timetable::of(&spec.schedule).ok().as_ref(), &spec, at(now));
            assert_eq!(first("2026-03-10T12:00:00Z"), begin);
            assert!(first("2026-03-10T10:20:00Z") < begin);
        }
    }

    #[test]
    fn the_state_settles_lateness_before_the_end() {
        let spec = rule();
        let window = window(
            grid(&spec, minutes(20)),
            spec.lateness,
            minutes(10),
            minutes(12),
            minutes(20),
            Slice::Whole,
        );
        assert_eq!((window.start, window.settled, window.end), (minutes(10), minutes(18), minutes(20)));
    }

    #[test]
    fn a_slow_step_is_tried_again_and_never_sliced() {
        let grid = grid(&rule(), minutes(20));
        let whole = Window { start: minutes(8), settled: minutes(18), end: minutes(20) };
        let half = Slice::Advance { span: Duration::from_mins(5) };
        assert_eq!(too_slow(grid, whole, minutes(10), Slice::Whole), Recovery::Narrow(half));
        let step = Window { start: minutes(8), settled: minutes(9), end: minutes(11) };
        assert_eq!(too_slow(grid, step, minutes(10), Slice::Whole), Recovery::Retry);
    }

    #[test]
    fn what_stays_too_large_is_left_out_at_last() {
        let grid = grid(&rule(), minutes(20));
        let whole = Window { start: minutes(8), settled: minutes(9), end: minutes(12) };
        let half = Slice::Advance { span: Duration::from_mins(1) };
        assert_eq!(too_large(grid, whole, minutes(10), Slice::Whole, 1, 3), Recovery::Narrow(half));
        let slice = Slice::Settled { span: Duration::from_mins(1), until: minutes(12) };
        let step = Window { start: minutes(8), settled: minutes(9), end: minutes(9) };
        assert_eq!(too_large(grid, step, minutes(10), slice, 2, 3), Recovery::Retry);
        let over = Range { start: minutes(8), end: minutes(9) };
        assert_eq!(too_large(grid, step, minutes(10), slice, 3, 3), Recovery::Skip(over));
    }
}
