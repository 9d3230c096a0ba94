//! How exactly it is known when a term was seen last: to steps of the window's length, so that a million terms and
//! their times are small.
use watchbell_sdk::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// In seconds.
const STEPS: [u64; 16] = [
    1,
    5,
    10,
    30,
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
];
/// How many steps a window has at most.
const STEPS_MAX: u64 = 48;

/// The shortest of the steps of which a window has no more than 48.
pub(crate) fn of(window: Duration) -> Duration {
    let step = STEPS.into_iter().map(Duration::from_secs).find(|step| *step * STEPS_MAX >= window);
    step.unwrap_or(Duration::from_secs(14 * DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_known_by_days_and_an_hour_by_five_minutes() {
        for (window, step) in
            [("30d", "1d"), ("7d", "6h"), ("1d", "30m"), ("1h", "5m"), ("10m", "30s"), ("10s", "1s")]
        {
            assert_eq!(of(Duration::parse(window).unwrap()).to_string(), step, "{window}");
        }
        assert_eq!(of(Duration::parse("400d").unwrap()).to_string(), "14d");
    }
}
