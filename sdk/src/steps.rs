//! A timeframe divided into steps: the range of a value, and the interval between evaluations.
use crate::{Duration, Fault, Level, Plan, Range, Timestamp};

/// A timeframe made of steps: at every multiple of `step`, the timeframe before it is evaluated. The bucket of a step
/// is always complete, because windows begin and end on the grid.
///
/// ```
/// use watchbell_sdk::{Duration, Plan, Range, Steps, Timestamp};
///
/// let steps = Steps::new(Duration::from_hours(1), Some(Duration::from_mins(5)));
/// assert_eq!(steps.fault(), None); // in `plan`; then:
/// assert_eq!(steps.plan(), Plan::checks(Duration::from_mins(90), Duration::from_mins(5)));
/// // In `check`, at 02:00:
/// let at = Timestamp(2 * 3_600_000);
/// assert_eq!(steps.over(at), Range::new(Timestamp(3_600_000), at));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The duration that is evaluated.
    pub timeframe: Duration,
    /// The length of a step.
    pub step: Duration,
}

/// The maximum number of steps in a timeframe: a rule may keep something per step and key.
const STEPS_MAX: u64 = 1_440;
/// The longest step: the host checks at least this often.
const STEP_MAX: Duration = Duration::from_mins(7 * 24 * 60);

impl Steps {
    /// A single step if none is given.
    pub fn new(timeframe: Duration, step: Option<Duration>) -> Self {
        Self { timeframe, step: step.unwrap_or(timeframe) }
    }

    /// Whether a step is the whole timeframe; then nothing of the past needs to be kept.
    pub fn is_one(&self) -> bool {
        self.step == self.timeframe
    }

    /// Checks the parameters `timeframe` and `step`.
    pub fn fault(&self) -> Option<Fault> {
        let (timeframe, step) = (self.timeframe, self.step);
        if timeframe.is_zero() {
            return Some(Fault::new("/timeframe", "must be longer than zero"));
        }
        let message = if step.is_zero() || !timeframe.millis().is_multiple_of(step.millis()) {
            format!("must divide the timeframe: {timeframe} is not a multiple of {step}")
        } else if step * STEPS_MAX < timeframe {
            format!("must be at least 1/{STEPS_MAX} of the timeframe, not {step}")
        } else if step > STEP_MAX {
            format!("must be at most {STEP_MAX}, not {step}: set one that divides the timeframe")
        } else {
            return None;
        };
        Some(Fault::new("/step", message))
    }

    /// Checks every `step`. The history is a timeframe and one beat, because what was reported since the last beat
    /// counts.
    pub fn plan(&self) -> Plan {
        Plan::checks(self.timeframe + self.beat(), self.step)
    }

    /// The range that is evaluated at a grid point.
    pub fn over(&self, at: Timestamp) -> Range {
        Range::new(at - self.timeframe, at)
    }

    /// Whether a lasting level is reported at `at`: well before it lapses, a timeframe after the last report.
    pub fn is_beat(&self, at: Timestamp) -> bool {
        Level::is_beat(at, self.beat())
    }

    fn beat(&self) -> Duration {
        Level::beat(self.timeframe, self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_divide_their_timeframe() {
        let fault = |timeframe, step: Option<u64>| {
            let steps = Steps::new(Duration::from_secs(timeframe), step.map(Duration::from_secs));
            steps.fault().map(|fault| format!("{} {}", fault.path, fault.message)).unwrap_or_default()
        };
        for (told, says) in [
            (fault(60, None), ""),
            (fault(60, Some(20)), ""),
            (fault(0, None), "/timeframe must be longer than zero"),
            (fault(60, Some(7)), "/step must divide the timeframe: 1m is not a multiple of 7s"),
            (fault(60, Some(0)), "/step must divide the timeframe: 1m is not a multiple of 0s"),
            (fault(86_400, Some(30)), "/step must be at least 1/1440 of the timeframe, not 30s"),
            (
                fault(30 * 86_400, None),
                "/step must be at most 7d, not 30d: set one that divides the timeframe",
            ),
        ] {
            assert_eq!(told, says);
        }
    }

    #[test]
    fn a_level_is_held_from_beat_to_beat() {
        let steps = Steps::new(Duration::from_secs(60), Some(Duration::from_secs(10)));
        assert_eq!(steps.plan(), Plan::checks(Duration::from_secs(90), Duration::from_secs(10)));
        assert!(steps.is_beat(Timestamp(90_000)) && !steps.is_beat(Timestamp(100_000)));
        assert_eq!(steps.over(Timestamp(60_000)), Range::new(Timestamp(0), Timestamp(60_000)));
        assert!(!steps.is_one() && Steps::new(Duration(5), None).is_one());
    }
}
