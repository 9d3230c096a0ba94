//! The grid of checks: how far apart they are, and from which instant they are counted.
use std::cell::Cell;

use crate::{Duration, Timestamp};

thread_local! {
    /// The offset of the current run's checks from multiples of the plan's grid. If the host follows the clock of a
    /// time zone, checks count back from the end of the window, and windows are whole steps long.
    static PHASE: Cell<i64> = const { Cell::new(0) };
}

/// The offset of a window's checks from multiples of `grid`. A window of whole steps has checks at its bounds; any
/// other window has them on multiples.
pub(crate) fn phase(start: Timestamp, end: Timestamp, grid: Duration) -> i64 {
    let after = |at: Timestamp| at.0.checked_rem_euclid(grid.signed()).unwrap_or(0);
    if after(start) == after(end) { after(end) } else { 0 }
}

/// Runs `work` with all cells counted from `phase`.
pub(crate) fn with_phase<T>(phase: i64, work: impl FnOnce() -> T) -> T {
    let before = PHASE.replace(phase);
    let result = work();
    PHASE.set(before);
    result
}

/// The number of the cell of `grid` that contains `at`. Cells are aligned so that every check of the run lies on the
/// boundary of two cells. Numbers in a state stay valid, because the host primes the rule again if the alignment
/// changes.
#[inline]
pub fn cell(at: Timestamp, grid: Duration) -> i64 {
    at.0.saturating_sub(PHASE.get()).div_euclid(grid.signed().max(1))
}

/// The start of the cell with this number.
#[inline]
pub fn cell_start(cell: i64, grid: Duration) -> Timestamp {
    Timestamp(cell.saturating_mul(grid.signed()).saturating_add(PHASE.get()))
}

/// The end of the cell that contains `at`.
#[inline]
pub fn cell_end(at: Timestamp, grid: Duration) -> Timestamp {
    cell_start(cell(at, grid).saturating_add(1), grid)
}

/// Checks within a timeframe: up to the first number, the shortest round step; beyond it, at most the second.
const CHECKS_FINE: u64 = 120;
const CHECKS_COARSE: u64 = 60;

impl Duration {
    /// The grid for a timeframe of whole seconds: it divides the timeframe.
    ///
    /// It is the longest of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 and 60 seconds that divides the timeframe and is at
    /// most a tenth of it, or else 1 second. If that makes more than 120 checks within a timeframe, it is the smallest
    /// whole number of seconds that makes 60 or fewer. So 5m is checked every 30s, 10m to 2h every minute, 1d every
    /// 24m.
    pub fn grid(self) -> Self {
        const SECS: [u64; 12] = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];
        let secs = self.millis() / 1_000;
        let fine = SECS.into_iter().find(|every| secs.is_multiple_of(*every) && every * 10 <= secs);
        let fine = fine.unwrap_or(1);
        if secs / fine <= CHECKS_FINE {
            return Self::from_secs(fine);
        }
        let coarse = (2..=CHECKS_COARSE).rev().find(|checks| secs.is_multiple_of(*checks));
        Self::from_secs(coarse.map_or(fine, |checks| secs / checks))
    }

    /// Whether it is one or more whole seconds, as [`grid`](Self::grid) requires.
    pub fn is_whole_seconds(self) -> bool {
        !self.is_zero() && self.millis().is_multiple_of(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_a_whole_part_of_the_timeframe() {
        for (timeframe, secs) in [
            ("1s", 1),
            ("7s", 1),
            ("30s", 3),
            ("90s", 6),
            ("5m", 30),
            ("2h", 60),
            ("3h", 180),
            ("1d", 1_440),
            ("7d", 10_080),
            ("3599s", 61),
            ("61s", 1),
        ] {
            let timeframe = Duration::parse(timeframe).unwrap();
            assert!(timeframe.is_whole_seconds());
            assert_eq!(timeframe.grid(), Duration::from_secs(secs), "{timeframe}");
            assert!(timeframe.millis().is_multiple_of(timeframe.grid().millis()));
        }
        assert!(!Duration::ZERO.is_whole_seconds() && !Duration(1_500).is_whole_seconds());
    }

    #[test]
    fn cells_lie_between_the_checks_of_the_run() {
        let day = Duration::from_mins(24 * 60);
        // Midnight in Berlin, an hour before that of UTC.
        let midnight = Timestamp(23 * 3_600_000);
        let phase = phase(midnight - day, midnight, day);
        let (last, next) = with_phase(phase, || (cell(midnight - Duration(1), day), cell(midnight, day)));
        assert_eq!((last, next), (-1, 0));
        assert_eq!(with_phase(phase, || cell_end(Timestamp(0), day)), midnight);
        assert_eq!(with_phase(phase, || cell_start(next, day)), midnight);
        assert_eq!(
            (cell(midnight, day), cell_end(midnight, day)),
            (0, Timestamp(86_400_000)),
            "it ends with the run"
        );
    }
}
