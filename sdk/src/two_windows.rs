//! A timeframe compared with the timeframe before it, to find spikes.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Fault, Level, Plan, Range, Timestamp};

/// The direction in which a value has to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "a doc would become a part of every schema that lists them")]
pub enum Direction {
    Up,
    Down,
    Both,
}

/// The direction in which a value moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It rose.
    Up,
    /// It fell.
    Down,
}

/// Two adjacent windows of the same length, evaluated on a grid. At a grid point `at` the current window is
/// `at - timeframe..at`, and the reference window is the timeframe before that; both are half-open.
///
/// ```
/// use watchbell_sdk::{Direction, Duration, Timestamp, TwoWindows, Way};
///
/// let timeframe = Duration::from_mins(10);
/// let grid = TwoWindows::grid_of(timeframe);
/// let windows = TwoWindows { timeframe, grid, height: 3.0, direction: Direction::Up };
/// let at = Timestamp(20 * 60_000);
/// assert_eq!(windows.current(at).start, windows.reference(at).end);
/// assert_eq!(windows.judge(30.0, 10.0), Some(Way::Up));
/// assert_eq!(windows.judge(29.0, 10.0), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoWindows {
    /// The length of each window.
    pub timeframe: Duration,
    /// The interval between checks; it divides the timeframe.
    pub grid: Duration,
    /// The factor by which a value must rise or fall to be a spike; more than 1.
    pub height: f64,
    /// The direction that counts.
    pub direction: Direction,
}

/// The maximum number of checks within a timeframe: each may need a cell per key in each of the two windows.
const CHECKS_MAX: u64 = 1_440;
/// The same for an automatic grid: beyond the first number it uses the second number or fewer checks.
const CHECKS_FINE: u64 = 120;
const CHECKS_COARSE: u64 = 60;

impl TwoWindows {
    /// The default grid: the longest of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 and 60 seconds that divides the timeframe
    /// and is at most a tenth of it, or 1 second. If that makes more than 120 checks within a timeframe, the smallest
    /// whole number of seconds that makes 60 or fewer.
    pub fn grid_of(timeframe: Duration) -> Duration {
        const SECS: [u64; 12] = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];
        let secs = timeframe.millis() / 1_000;
        let fine =
            SECS.into_iter().find(|every| secs.is_multiple_of(*every) && every * 10 <= secs).unwrap_or(1);
        if secs / fine <= CHECKS_FINE {
            return Duration::from_secs(fine);
        }
        let coarse = (2..=CHECKS_COARSE).rev().find(|checks| secs.is_multiple_of(*checks));
        Duration::from_secs(coarse.map_or(fine, |checks| secs / checks))
    }

    /// All faults of the parameters; `grid` is the name of the parameter that sets the grid.
    pub fn faults(&self, grid: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.timeframe.is_zero() || !self.timeframe.millis().is_multiple_of(1_000) {
            faults.push(Fault::new("/timeframe", "must be one or more whole seconds"));
        }
        if !(self.height > 1.0 && self.height.is_finite()) {
            faults.push(Fault::new("/height", "must be greater than 1: steady traffic has a ratio of 1"));
        }
        let divides = !self.grid.is_zero() && self.timeframe.millis().is_multiple_of(self.grid.millis());
        // A default grid can only be wrong if the timeframe is.
        if !divides && self.grid != Self::grid_of(self.timeframe) {
            let message =
                format!("must divide the timeframe: {} is not a multiple of {}", self.timeframe, self.grid);
            faults.push(Fault::new(format!("/{grid}"), message));
        } else if faults.is_empty() && self.grid * CHECKS_MAX < self.timeframe {
            let message = format!("must be at least 1/{CHECKS_MAX} of the timeframe, not {}", self.grid);
            faults.push(Fault::new(format!("/{grid}"), message));
        }
        faults
    }

    /// Two timeframes fill both windows. Whether a key was known two timeframes ago depends on the two before that.
    /// What was signalled since the last beat depends on another half.
    pub fn plan(&self, is_keyed: bool) -> Plan {
        Plan::checks(self.timeframe * if is_keyed { 5 } else { 3 }, self.grid)
    }

    /// The current window at `at`.
    pub fn current(&self, at: Timestamp) -> Range {
        Range::new(at - self.timeframe, at)
    }

    /// The reference window at `at`.
    pub fn reference(&self, at: Timestamp) -> Range {
        self.current(at - self.timeframe)
    }

    /// Whether a lasting level is reported at `at`: well before it lapses, a timeframe after the last report.
    pub fn is_beat(&self, at: Timestamp) -> bool {
        Level::is_beat(at, Level::beat(self.timeframe, self.grid))
    }

    /// Whether a key that was first seen in the cell that ends at `known_since` has been known for both windows of
    /// `at`.
    pub fn is_known(&self, known_since: Timestamp, at: Timestamp) -> bool {
        at.since(known_since) >= self.timeframe * 2
    }

    /// The direction of the spike, if there is one. Zero against zero is never a spike; anything after zero is a spike
    /// up, whatever the height. For negative values a multiple is meaningless, so there is no spike.
    pub fn judge(&self, current: f64, reference: f64) -> Option<Way> {
        let is_measurable = current >= 0.0 && reference >= 0.0 && (current > 0.0 || reference > 0.0);
        if !is_measurable {
            return None;
        }
        if self.direction != Direction::Down && current >= reference * self.height {
            return Some(Way::Up);
        }
        if self.direction != Direction::Up && current <= reference / self.height {
            return Some(Way::Down);
        }
        None
    }

    /// The ratio that the height is compared with. A reference of zero counts as one.
    pub fn ratio(current: f64, reference: f64) -> f64 {
        current / if reference == 0.0 { 1.0 } else { reference }
    }

    /// Rounds a ratio for a summary: to one decimal from 1 on, to two below 1.
    pub fn shown(ratio: f64) -> f64 {
        if ratio >= 1.0 { (ratio * 10.0).round() / 10.0 } else { (ratio * 100.0).round() / 100.0 }
    }

    /// The ratio at which it is a spike in that direction.
    pub fn threshold(&self, way: Way) -> f64 {
        match way {
            Way::Up => self.height,
            Way::Down => 1.0 / self.height,
        }
    }
}

impl Way {
    /// `up` or `down`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(direction: Direction) -> TwoWindows {
        let (timeframe, grid) = (Duration::from_secs(60), Duration::from_secs(6));
        TwoWindows { timeframe, grid, height: 2.0, direction }
    }

    #[test]
    fn heights_are_inclusive_and_nothing_is_no_spike() {
        use Direction::{Both, Down, Up};
        for (direction, current, reference, way) in [
            (Up, 20.0, 10.0, Some(Way::Up)),
            (Up, 19.9, 10.0, None),
            (Down, 5.0, 10.0, Some(Way::Down)),
            (Down, 20.0, 10.0, None),
            (Both, 5.1, 10.0, None),
            (Both, 0.0, 10.0, Some(Way::Down)),
            (Both, 1.0, 0.0, Some(Way::Up)),
            (Both, 0.0, 0.0, None),
            (Both, -10.0, -10.0, None),
            (Both, f64::NAN, 1.0, None),
        ] {
            assert_eq!(
                windows(direction).judge(current, reference),
                way,
                "{direction:?} {current} {reference}"
            );
        }
        assert_eq!((TwoWindows::ratio(25.0, 0.0), TwoWindows::ratio(1.0, 4.0)), (25.0, 0.25));
    }

    #[test]
    fn a_grid_is_a_whole_part_of_its_timeframe() {
        for (timeframe, every) in
            [(1, 1), (10, 1), (30, 3), (60, 6), (7_200, 60), (86_400, 1_440), (3_599, 61), (61, 1)]
        {
            let grid = TwoWindows::grid_of(Duration::from_secs(timeframe));
            assert_eq!(grid, Duration::from_secs(every), "{timeframe}");
        }
    }

    #[test]
    fn the_windows_lie_side_by_side() {
        let (windows, at) = (windows(Direction::Both), Timestamp(120_000));
        assert_eq!(windows.current(at), Range::new(Timestamp(60_000), at));
        assert_eq!(windows.reference(at), Range::new(Timestamp(0), Timestamp(60_000)));
        assert!(windows.is_known(Timestamp(0), at) && !windows.is_known(Timestamp(1), at));
        assert!(windows.is_beat(at) && !windows.is_beat(Timestamp(126_000)));
    }
}
