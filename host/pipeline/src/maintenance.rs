//! What an environment says of the messages of all rules: what is held back, by recurring maintenance windows and by
//! episodes that mute those beneath them, and who is on call.
use watchbell_contract::{Duration, Timestamp};

use crate::matcher::Matcher;
use crate::oncall::Rotation;
use crate::schedule::Cron;
use crate::spec::DestinationName;

/// What the bundle in force holds back, who is on call under it, and whom the host tells about itself.
#[derive(Clone, Debug)]
pub struct HoldsSpec {
    pub maintenance: Vec<Maintenance>,
    pub inhibitions: Vec<Inhibition>,
    /// The longest silence that anyone may make.
    pub silence_max: Duration,
    /// No two have the same name.
    pub rotations: Vec<Rotation>,
    /// Whom the host tells about itself.
    pub host_alerts: Vec<DestinationName>,
}

/// While it lasts, nothing begins, escalates or is repeated of what its conditions choose.
#[derive(Clone, Debug)]
pub struct Maintenance {
    pub name: String,
    pub matchers: Vec<Matcher>,
    pub when: Span,
}

#[derive(Clone, Debug)]
pub enum Span {
    /// Half-open.
    Once { from: Timestamp, until: Timestamp },
    /// From each instant of a calendar on. `lasts` is elapsed time: a night in which clocks change is no longer.
    Recurring { starts: Cron, lasts: Duration },
}

/// While an episode that `source` chooses is open, those that `target` chooses are held, if they have the same values of
/// `equal`.
#[derive(Clone, Debug)]
pub struct Inhibition {
    pub source: Vec<Matcher>,
    pub target: Vec<Matcher>,
    /// Names of labels. One that both lack is equal.
    pub equal: Vec<String>,
    /// How long a first message of a target waits, because its source may be judged a little later.
    pub wait: Duration,
}

/// How long a maintenance window may last.
pub const LASTS_MAX: Duration = Duration::from_hours(31 * 24);

/// How many windows that run into each other are followed to their common end.
const OVERLAPS_MAX: usize = 1_000;

impl HoldsSpec {
    pub const SILENCE_MAX: Duration = Duration::from_hours(30 * 24);
    pub const INHIBIT_WAIT: Duration = Duration::from_secs(15);
}

impl Default for HoldsSpec {
    fn default() -> Self {
        Self {
            maintenance: Vec::new(),
            inhibitions: Vec::new(),
            silence_max: Self::SILENCE_MAX,
            rotations: Vec::new(),
            host_alerts: Vec::new(),
        }
    }
}

impl Maintenance {
    /// When the window that holds at `at` ends; `None` if none does.
    pub fn until(&self, at: Timestamp) -> Option<Timestamp> {
        match &self.when {
            Span::Once { from, until } => (*from <= at && at < *until).then_some(*until),
            Span::Recurring { starts, lasts } => {
                let mut start = starts.next_after(at - *lasts).filter(|start| *start <= at)?;
                for _ in 0..OVERLAPS_MAX {
                    match starts.next_after(start).filter(|next| *next <= at) {
                        Some(next) => start = next,
                        None => break,
                    }
                }
                Some(start + *lasts)
            }
        }
    }

    /// The next instant after `after` at which a window begins or ends.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let begins = match &self.when {
            Span::Once { from, .. } => Some(*from).filter(|from| *from > after),
            Span::Recurring { starts, .. } => starts.next_after(after),
        };
        [begins, self.until(after)].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().unwrap();
        Timestamp(instant.as_millisecond())
    }

    fn nightly(cron: &str, lasts: Duration) -> Maintenance {
        let starts = Cron::parse(cron, "Europe/Berlin").unwrap();
        let when = Span::Recurring { starts, lasts };
        Maintenance { name: "backups".into(), matchers: Vec::new(), when }
    }

    #[test]
    fn a_window_recurs_by_the_calendar_of_its_zone() {
        let window = nightly("0 2 * * sun", Duration::from_hours(2));
        // A Sunday in winter: 02:00 in Berlin is 01:00 UTC.
        assert_eq!(window.until(at("2026-01-11T00:59:59Z")), None);
        assert_eq!(window.until(at("2026-01-11T01:00:00Z")), Some(at("2026-01-11T03:00:00Z")));
        assert_eq!(window.until(at("2026-01-11T02:59:59Z")), Some(at("2026-01-11T03:00:00Z")));
        assert_eq!(window.until(at("2026-01-11T03:00:00Z")), None);
        assert_eq!(window.next_change(at("2026-01-11T00:00:00Z")), Some(at("2026-01-11T01:00:00Z")));
        assert_eq!(window.next_change(at("2026-01-11T01:00:00Z")), Some(at("2026-01-11T03:00:00Z")));
        assert_eq!(window.next_change(at("2026-01-11T03:00:00Z")), Some(at("2026-01-18T01:00:00Z")));
    }

    #[test]
    fn a_window_in_the_night_of_a_clock_change_lasts_as_long_as_always() {
        let window = nightly("30 2 * * *", Duration::from_hours(2));
        // 02:30 does not exist on 2026-03-29: the window begins when the gap ends, at 03:00 in summer time.
        assert_eq!(window.until(at("2026-03-29T00:59:59Z")), None);
        assert_eq!(window.until(at("2026-03-29T01:00:00Z")), Some(at("2026-03-29T03:00:00Z")));
        // 02:30 comes twice on 2026-10-25: the window begins the first time, and only then.
        assert_eq!(window.until(at("2026-10-25T00:30:00Z")), Some(at("2026-10-25T02:30:00Z")));
        assert_eq!(window.until(at("2026-10-25T02:30:00Z")), None);
        assert_eq!(window.next_change(at("2026-10-25T02:30:00Z")), Some(at("2026-10-26T01:30:00Z")));
    }

    #[test]
    fn windows_that_overlap_end_together() {
        let window = nightly("*/10 * * * *", Duration::from_mins(25));
        let now = at("2026-01-11T01:07:00Z");
        assert_eq!(window.until(now), Some(at("2026-01-11T01:25:00Z")));
        let once = Span::Once { from: now, until: now + Duration::from_mins(5) };
        let once = Maintenance { when: once, ..window };
        assert_eq!(once.next_change(now - Duration(1)), Some(now));
        assert_eq!(once.next_change(now), Some(now + Duration::from_mins(5)));
        assert_eq!(once.next_change(now + Duration::from_mins(5)), None);
    }
}
