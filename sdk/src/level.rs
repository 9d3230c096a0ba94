//! When to report a level that lasts: often enough to hold it, and when it gets worse.
use serde::{Deserialize, Serialize};

use crate::{Duration, Timestamp, grid};

/// Decides when a lasting level is reported: when it begins, when it is a tenth worse than last reported, and at each
/// beat. So even levels of a thousand keys cost few signals.
///
/// The memory is reset at each beat, so it depends on no more of the past than one beat: a rule that uses this adds a
/// beat to its plan's history.
///
/// A rule keeps one per key:
///
/// ```
/// use watchbell_sdk::prelude::*;
///
/// /// At every check, a minute apart: whether to report. Each report holds for ten minutes.
/// fn is_due(at: Timestamp, load: f64, level: &mut Level) -> bool {
///     let beat = Level::beat(Duration::from_mins(10), Duration::from_mins(1));
///     if load < 0.9 {
///         level.end();
///         return false;
///     }
///     level.tells(load, true, Level::is_beat(at, beat))
/// }
///
/// let mut level = Level::default();
/// let due = (1..=10).filter(|minute| is_due(Timestamp(minute * 60_000), 0.95, &mut level));
/// assert_eq!(due.collect::<Vec<_>>(), [1, 5, 10]); // it begins, then beats
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Level {
    reported: Option<Reported>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Reported {
    value: f64,
    is_upwards: bool,
}

impl Level {
    /// The longest time between reports of a lasting level that holds for `hold` and is checked every `step`: half
    /// of `hold`, at the same instants for all keys and however time is cut into windows.
    pub fn beat(hold: Duration, step: Duration) -> Duration {
        let step = step.millis().max(1);
        Duration((hold.millis() / 2 / step * step).max(step))
    }

    /// Whether every lasting level is reported at `at`.
    pub fn is_beat(at: Timestamp, beat: Duration) -> bool {
        grid::cell_start(grid::cell(at, beat), beat) == at
    }

    /// Whether to report a level that is at `value` now, where either upwards or downwards is worse.
    pub fn tells(&mut self, value: f64, is_upwards: bool, is_beat: bool) -> bool {
        let is_due =
            self.reported.filter(|_| !is_beat).is_none_or(|reported| reported.is_worse(value, is_upwards));
        if is_due {
            self.reported = Some(Reported { value, is_upwards });
        }
        is_due
    }

    /// Whether to report a level at `value` because none was reported yet, or one in the other direction.
    pub fn begins(&mut self, value: f64, is_upwards: bool) -> bool {
        let begins = self.reported.is_none_or(|reported| reported.is_upwards != is_upwards);
        if begins {
            self.reported = Some(Reported { value, is_upwards });
        }
        begins
    }

    /// The level has ended: the next one starts from scratch.
    pub fn end(&mut self) {
        self.reported = None;
    }
}

impl Reported {
    /// By a tenth, or the other way round.
    fn is_worse(self, value: f64, is_upwards: bool) -> bool {
        let tenth = self.value.abs() / 10.0;
        match is_upwards {
            _ if is_upwards != self.is_upwards => true,
            true => value > self.value && value >= self.value + tenth,
            false => value < self.value && value <= self.value - tenth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_told_when_it_begins_when_it_is_worse_and_at_beats() {
        let mut level = Level::default();
        let mut tells = |values: &[f64]| -> Vec<bool> {
            values.iter().map(|value| level.tells(*value, *value >= 1.0, false)).collect()
        };
        assert_eq!(tells(&[2.0, 2.1, 2.2, 2.2, 3.0, 2.9]), [true, false, true, false, true, false]);
        assert_eq!(tells(&[0.5, 0.49, 0.45, 0.0, 0.0]), [true, false, true, true, false]);
        assert!(level.tells(0.0, false, true), "a beat");
        level.end();
        assert!(level.tells(0.0, false, false));
        assert!(!level.begins(-9.0, false) && level.begins(2.0, true) && !level.begins(9.0, true));
        assert!(level.tells(2.2, true, false), "a tenth above what was told");
    }

    #[test]
    fn below_zero_worse_is_away_from_it_too() {
        let mut level = Level::default();
        assert!(level.tells(-10.0, false, false));
        assert!(!level.tells(-10.5, false, false));
        assert!(level.tells(-11.0, false, false));
        assert!(!level.tells(-1.0, false, false), "better");
        level.end();
        assert!(level.tells(0.0, true, false) && level.tells(0.1, true, false));
    }

    #[test]
    fn beats_are_steps() {
        let secs = Duration::from_secs;
        for (hold, step, beat) in [(60, 60, 60), (60, 6, 30), (70, 10, 30), (100, 1, 50), (20, 10, 10)] {
            assert_eq!(Level::beat(secs(hold), secs(step)), secs(beat), "{hold} {step}");
        }
        assert!(Level::is_beat(Timestamp(60_000), secs(30)) && !Level::is_beat(Timestamp(50_000), secs(30)));
    }
}
