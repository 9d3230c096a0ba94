//! When a rule is due: at an interval aligned to the epoch, or by cron in a time zone, clock changes included.
use std::str::FromStr;

use chrono::{DateTime, FixedOffset};
use cron::TimeUnitSpec;
use jiff::tz::TimeZone;
use thiserror::Error;
use watchbell_contract::{Duration, Timestamp};

use crate::spec::Schedule;

/// A cron expression in a time zone.
///
/// - Five fields (minute, hour, day of month, month, weekday) or six (seconds first); weekdays 0 and 7 are Sunday.
/// - If both day fields are restricted, either one may match, as in Vixie cron.
/// - A time skipped by the spring change fires at the end of the gap; a time repeated in autumn fires once. An
///   expression whose hour is `*` follows elapsed time instead: it never pauses and never fires twice.
#[derive(Clone, Debug)]
pub struct Cron {
    /// The expression, or its two readings if both day fields are restricted.
    schedules: Vec<cron::Schedule>,
    zone: TimeZone,
    every_hour: bool,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CronFault {
    #[error(
        "cron expression `{expression}` has {found} fields; write five (minute hour day month weekday) or six, \
         with seconds first"
    )]
    Fields { expression: String, found: usize },
    #[error(
        "cron expression `{expression}`: `{part}` is not a weekday; write 0-7 or SUN-SAT, lists and ranges of them"
    )]
    Weekday { expression: String, part: String },
    #[error("cannot parse cron expression `{expression}`: {message}")]
    Syntax { expression: String, message: String },
    #[error("unknown timezone `{timezone}`; write an IANA name like `Europe/Berlin` or `UTC`")]
    Timezone { timezone: String },
    #[error("cron expression `{expression}` never fires")]
    Never { expression: String },
}

/// How many clock changes a search passes before it gives up: more than a hundred years' worth.
const TRANSITIONS_MAX: usize = 256;

impl Cron {
    /// # Errors
    /// What is wrong with the expression or the time zone, for the manifest's author.
    pub fn parse(expression: &str, timezone: &str) -> Result<Self, CronFault> {
        let zone =
            TimeZone::get(timezone).map_err(|_| CronFault::Timezone { timezone: timezone.to_owned() })?;
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let fields = match fields.len() {
            5 => [&["0"], fields.as_slice()].concat(),
            6 => fields,
            found => return Err(CronFault::Fields { expression: expression.to_owned(), found }),
        };
        let weekday = weekdays(fields[5]).ok_or_else(|| CronFault::Weekday {
            expression: expression.to_owned(),
            part: fields[5].to_owned(),
        })?;
        let read = |day: &str, weekday: &str| {
            let text = [fields[0], fields[1], fields[2], day, fields[4], weekday].join(" ");
            cron::Schedule::from_str(&text).map_err(|error| CronFault::Syntax {
                expression: expression.to_owned(),
                message: error.to_string(),
            })
        };
        let free = |field: &str| field.starts_with(['*', '?']);
        let schedules = if free(fields[3]) || free(&weekday) {
            vec![read(fields[3], &weekday)?]
        } else {
            vec![read(fields[3], "*")?, read("*", &weekday)?]
        };
        let every_hour = schedules[0].hours().is_all();
        let cron = Self { schedules, zone, every_hour };
        // Only a date that exists in no year, such as 30 February, never comes.
        match cron.next_after(Timestamp(0)) {
            Some(_) => Ok(cron),
            None => Err(CronFault::Never { expression: expression.to_owned() }),
        }
    }

    /// The first instant after `after` when it fires; `None` if there is none before the crate's last year.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut from = after;
        for _ in 0..TRANSITIONS_MAX {
            let segment = Segment::at(&self.zone, from)?;
            // Times repeated in autumn have fired before the clock went back.
            if let (false, Some((began, repeated))) = (self.every_hour, segment.repeats)
                && from.0 < began.0 + repeated - 1
            {
                from = Timestamp(began.0 + repeated - 1);
            }
            let candidate = self.next_at_offset(from, segment.offset)?;
            let Some((ends, skipped)) = segment.ends else { return Some(candidate) };
            if candidate < ends {
                return Some(candidate);
            }
            if !self.every_hour && candidate.0 < ends.0 + skipped {
                return Some(ends);
            }
            if segment.offset_at_end_fires(self, ends, from) {
                return Some(ends);
            }
            from = ends;
        }
        None
    }

    /// The instant one calendar day before `end`: 23 or 25 hours earlier if the clock changes.
    pub(crate) fn day_before(&self, end: Timestamp) -> Timestamp {
        let day = || {
            // An instant at the end of a spring gap stands for the time when the gap began.
            let before = jiff::Timestamp::from_millisecond(end.0.checked_sub(1)?).ok()?;
            let local =
                self.zone.to_datetime(before).checked_add(jiff::SignedDuration::from_millis(1)).ok()?;
            let yesterday = self.zone.to_timestamp(local.yesterday().ok()?).ok()?;
            Some(Timestamp(yesterday.as_millisecond()))
        };
        day().filter(|day| *day < end).unwrap_or(end - Duration::from_hours(24))
    }

    fn next_at_offset(&self, after: Timestamp, offset: i32) -> Option<Timestamp> {
        let local = DateTime::from_timestamp_millis(after.0)?.with_timezone(&FixedOffset::east_opt(offset)?);
        self.schedules
            .iter()
            .filter_map(|schedule| schedule.after(&local).next())
            .map(|at| Timestamp(at.timestamp_millis()))
            .min()
    }
}

/// A time range without a clock change.
struct Segment {
    offset: i32,
    /// When it began because the clock went back, and by how many milliseconds.
    repeats: Option<(Timestamp, i64)>,
    /// When it ends, and how many milliseconds of local time are skipped there (0 if none).
    ends: Option<(Timestamp, i64)>,
}

impl Segment {
    fn at(zone: &TimeZone, at: Timestamp) -> Option<Self> {
        let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
        let offset = zone.to_offset(at).seconds();
        let next_instant = at.checked_add(jiff::SignedDuration::from_millis(1)).ok()?;
        // `preceding` is exclusive: a change at this exact instant began the segment.
        let repeats = zone.preceding(next_instant).next().and_then(|change| {
            let before = change.timestamp().checked_sub(jiff::SignedDuration::from_millis(1)).ok()?;
            let back = i64::from(zone.to_offset(before).seconds() - offset) * 1_000;
            (back > 0).then(|| (Timestamp(change.timestamp().as_millisecond()), back))
        });
        let ends = zone.following(at).next().map(|change| {
            let forward = i64::from(change.offset().seconds() - offset) * 1_000;
            (Timestamp(change.timestamp().as_millisecond()), forward.max(0))
        });
        Some(Self { offset, repeats, ends })
    }

    /// Whether it fires at the exact instant when the next segment begins: the search continues after that instant.
    fn offset_at_end_fires(&self, cron: &Cron, ends: Timestamp, from: Timestamp) -> bool {
        let Some(next) = Self::at(&cron.zone, ends) else { return false };
        let repeated = next.repeats.is_some() && !cron.every_hour;
        from < ends && !repeated && cron.next_at_offset(Timestamp(ends.0 - 1), next.offset) == Some(ends)
    }
}

/// Weekdays as a list of names: the crate counts from Sunday = 1, everyone else from Sunday = 0.
fn weekdays(field: &str) -> Option<String> {
    const NAMES: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    if field == "*" || field == "?" {
        return Some("*".into());
    }
    let day = |text: &str| -> Option<usize> {
        let upper = text.to_ascii_uppercase();
        match NAMES.iter().position(|name| *name == upper) {
            Some(index) => Some(index),
            None => upper.parse().ok().filter(|day| *day <= 7),
        }
    };
    let mut chosen = [false; 7];
    for part in field.split(',') {
        let (days, step) = match part.split_once('/') {
            Some((days, step)) => (days, step.parse().ok().filter(|step| (1..=7).contains(step))?),
            None => (part, 1),
        };
        let (first, last) = match days.split_once('-') {
            _ if days == "*" => (0, 6),
            Some((first, last)) => (day(first)?, day(last)?),
            None if step > 1 => (day(days)?, 6),
            None => (day(days)?, day(days)?),
        };
        // FRI-MON wraps around the end of the week.
        let last = if last < first { last + 7 } else { last };
        (first..=last).step_by(step).for_each(|day| chosen[day % 7] = true);
    }
    if chosen == [true; 7] {
        return Some("*".into());
    }
    let names: Vec<&str> =
        NAMES.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(name, _)| *name).collect();
    Some(names.join(","))
}

impl Schedule {
    /// The first due instant after `after`; `None` if the schedule has none or is malformed.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        Timetable::of(self).ok()?.next_after(after)
    }
}

/// A parsed schedule.
#[derive(Clone, Debug)]
pub(crate) enum Timetable {
    Every(Duration),
    Cron(Box<Cron>),
}

impl Timetable {
    pub(crate) fn of(schedule: &Schedule) -> Result<Self, CronFault> {
        Ok(match schedule {
            Schedule::Every(every) => Self::Every(Duration(every.0.max(1))),
            Schedule::Cron { expression, timezone } => {
                Self::Cron(Box::new(Cron::parse(expression, timezone)?))
            }
        })
    }

    pub(crate) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(every) => Some(after.floor(*every) + *every),
            Self::Cron(cron) => cron.next_after(after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    /// The first `count` times after `from`, as text in UTC.
    fn fires(expression: &str, timezone: &str, from: &str, count: usize) -> Vec<String> {
        let cron = Cron::parse(expression, timezone).unwrap();
        let next = |after: &Timestamp| cron.next_after(*after);
        let times = std::iter::successors(next(&at(from)), next).take(count);
        times.map(|at| jiff::Timestamp::from_millisecond(at.0).unwrap().to_string()).collect()
    }

    #[test]
    fn an_interval_is_aligned_to_the_epoch() {
        let table = Timetable::of(&Schedule::Every(Duration::from_mins(5))).unwrap();
        assert_eq!(table.next_after(at("2026-03-01T10:02:00Z")), Some(at("2026-03-01T10:05:00Z")));
        assert_eq!(table.next_after(at("2026-03-01T10:05:00Z")), Some(at("2026-03-01T10:10:00Z")));
    }

    #[test]
    fn five_fields_and_six() {
        let five = fires("*/20 * * * *", "UTC", "2026-03-01T10:00:00Z", 2);
        assert_eq!(five, ["2026-03-01T10:20:00Z", "2026-03-01T10:40:00Z"]);
        let six = fires("*/20 * * * * *", "UTC", "2026-03-01T10:00:00Z", 2);
        assert_eq!(six, ["2026-03-01T10:00:20Z", "2026-03-01T10:00:40Z"]);
        let four = Cron::parse("* * * *", "UTC").unwrap_err();
        assert!(matches!(four, CronFault::Fields { found: 4, .. }), "{four}");
    }

    #[test]
    fn weekdays_count_from_sunday_as_zero_or_seven() {
        // 2026-03-01 is a Sunday.
        for sunday in ["0", "7", "SUN", "sun"] {
            let found = fires(&format!("0 9 * * {sunday}"), "UTC", "2026-02-25T00:00:00Z", 2);
            assert_eq!(found, ["2026-03-01T09:00:00Z", "2026-03-08T09:00:00Z"], "{sunday}");
        }
        let monday = fires("0 9 * * 1", "UTC", "2026-02-25T00:00:00Z", 1);
        assert_eq!(monday, ["2026-03-02T09:00:00Z"]);
        let over_the_end = fires("0 9 * * FRI-MON", "UTC", "2026-02-26T00:00:00Z", 5);
        let days: Vec<&str> = over_the_end.iter().map(|time| &time[5..10]).collect();
        assert_eq!(days, ["02-27", "02-28", "03-01", "03-02", "03-06"]);
    }

    #[test]
    fn either_of_two_restricted_days_suffices() {
        let found = fires("0 0 13 * FRI", "UTC", "2026-03-01T00:00:00Z", 4);
        let days: Vec<&str> = found.iter().map(|time| &time[5..10]).collect();
        assert_eq!(days, ["03-06", "03-13", "03-20", "03-27"]);
        let found = fires("0 0 12 * FRI", "UTC", "2026-03-07T00:00:00Z", 2);
        assert_eq!(found, ["2026-03-12T00:00:00Z", "2026-03-13T00:00:00Z"]);
    }

    #[test]
    fn a_time_in_the_spring_gap_fires_at_its_end() {
        // Berlin's clock goes forward from 02:00 to 03:00 at 01:00 UTC.
        let found = fires("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2);
        assert_eq!(found, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    }

    #[test]
    fn a_time_that_autumn_repeats_fires_once() {
        // Berlin's clock goes back from 03:00 to 02:00 at 01:00 UTC.
        let found = fires("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(found, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    #[test]
    fn a_day_of_the_calendar_has_the_hours_of_its_zone() {
        let cron = Cron::parse("0 0 * * *", "Europe/Berlin").unwrap();
        for (midnight, hours) in [
            ("2026-03-28T23:00:00Z", 24),
            ("2026-03-29T22:00:00Z", 23),
            ("2026-03-30T22:00:00Z", 24),
            ("2026-10-25T23:00:00Z", 25),
            ("2026-10-26T23:00:00Z", 24),
        ] {
            let end = at(midnight);
            assert_eq!(end.since(cron.day_before(end)), Duration::from_hours(hours), "{midnight}");
            assert_eq!(cron.next_after(cron.day_before(end)), Some(end), "{midnight}");
        }
        // Midnight itself is skipped in Beirut: the day begins at one o'clock.
        let cron = Cron::parse("0 0 * * *", "Asia/Beirut").unwrap();
        for (end, hours) in [("2026-03-28T22:00:00Z", 24), ("2026-03-29T21:00:00Z", 23)] {
            assert_eq!(at(end).since(cron.day_before(at(end))), Duration::from_hours(hours), "{end}");
        }
    }

    #[test]
    fn what_fires_every_hour_never_pauses_over_a_clock_change() {
        for from in ["2026-10-24T23:50:00Z", "2026-03-28T23:50:00Z"] {
            let found = fires("*/15 * * * *", "Europe/Berlin", from, 16);
            for pair in found.windows(2) {
                assert_eq!(at(&pair[1]).0 - at(&pair[0]).0, 900_000, "{pair:?}");
            }
        }
    }

    #[test]
    fn what_never_fires_is_refused() {
        let never = Cron::parse("0 0 30 2 *", "UTC").unwrap_err();
        assert!(matches!(never, CronFault::Never { .. }), "{never}");
        let zone = Cron::parse("* * * * *", "Europe/Berlim").unwrap_err();
        assert!(zone.to_string().contains("unknown timezone `Europe/Berlim`"), "{zone}");
    }
}
