//! When notifications may begin: hours in a time zone, weekdays, no holidays. Evaluation runs at all hours.
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use thiserror::Error;
use watchbell_contract::Timestamp;

/// The hours of `active:`.
#[derive(Clone, Debug, PartialEq)]
pub struct Active {
    /// Minutes of the day, half-open. An end at or before its start is on the next day.
    hours: Vec<(u16, u16)>,
    /// Starts on Monday.
    days: [bool; 7],
    holidays: Vec<Holiday>,
    zone: TimeZone,
    pub outside: Outside,
}

/// What happens to an event outside these hours. A level waits for the hours and begins then if it still holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outside {
    #[default]
    Skip,
    /// Sent as one list when the hours begin.
    Later,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holiday {
    On(Date),
    /// Every year, on this day of this month.
    Yearly(i8, i8),
}

/// As written in the manifest.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    pub hours: &'a [String],
    pub days: &'a [String],
    pub holidays: &'a [String],
    pub timezone: &'a str,
    pub outside: Outside,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ActiveFault {
    #[error("`{hours}` is not a range of hours; write `08:00-18:00`, or `22:00-06:00` over midnight")]
    Hours { index: usize, hours: String },
    #[error("`{days}` is not a weekday; write `mon`, or `mon-fri` for several")]
    Days { index: usize, days: String },
    #[error("`{holiday}` is not a date; write `2026-12-25`, or `12-25` for every year")]
    Holiday { index: usize, holiday: String },
    #[error("unknown timezone `{timezone}`; write an IANA name like `Europe/Berlin` or `UTC`")]
    Timezone { timezone: String },
    #[error("nothing could ever begin: every day is a holiday or excluded")]
    Never,
}

const DAY_MINUTES: u16 = 24 * 60;
/// How far ahead to look for hours: longer than a year of holidays.
const DAYS_AHEAD: i32 = 800;

impl Active {
    /// Empty hours mean all hours; empty days mean every day.
    ///
    /// # Errors
    /// The first part that cannot be parsed, for the manifest's author.
    pub fn parse(written: Written<'_>) -> Result<Self, ActiveFault> {
        let mut hours = Vec::new();
        for (index, span) in written.hours.iter().enumerate() {
            let read = || {
                let (from, to) = span.split_once('-')?;
                let (from, to) = (minute(from)?, minute(to)?);
                (from != to && from < DAY_MINUTES).then_some((from, to))
            };
            hours.push(read().ok_or_else(|| ActiveFault::Hours { index, hours: span.clone() })?);
        }
        if hours.is_empty() {
            hours.push((0, DAY_MINUTES));
        }
        let mut days = [written.days.is_empty(); 7];
        for (index, span) in written.days.iter().enumerate() {
            let read = || {
                let (from, to) = span.split_once('-').unwrap_or((span, span));
                Some((weekday(from)?, weekday(to)?))
            };
            let (from, to) = read().ok_or_else(|| ActiveFault::Days { index, days: span.clone() })?;
            // fri-mon wraps around the end of the week.
            let to = if to < from { to + 7 } else { to };
            (from..=to).for_each(|day| days[day % 7] = true);
        }
        let mut holidays = Vec::new();
        for (index, holiday) in written.holidays.iter().enumerate() {
            let read = || match holiday.len() {
                // A leap year contains every possible date.
                5 => format!("2000-{holiday}")
                    .parse()
                    .ok()
                    .map(|day: Date| Holiday::Yearly(day.month(), day.day())),
                10 => holiday.parse().ok().map(Holiday::On),
                _ => None,
            };
            holidays.push(read().ok_or_else(|| ActiveFault::Holiday { index, holiday: holiday.clone() })?);
        }
        let zone = TimeZone::get(written.timezone)
            .map_err(|_| ActiveFault::Timezone { timezone: written.timezone.to_owned() })?;
        let active = Self { hours, days, holidays, zone, outside: written.outside };
        let begin = Timestamp(1_700_000_000_000);
        if active.next_from(begin).is_none() { Err(ActiveFault::Never) } else { Ok(active) }
    }

    /// The same for the same hours, whatever the version of the time zone's rules.
    pub(crate) fn identity(&self) -> String {
        let Self { hours, days, holidays, zone, .. } = self;
        format!("{hours:?} {days:?} {holidays:?} {}", zone.iana_name().unwrap_or_default())
    }

    /// Whether notifications may begin at `at`.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.local(at).is_some_and(|local| {
            let (date, time) = (local.date(), local.time());
            let now = u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs());
            let yesterday = date.yesterday().ok();
            self.hours.iter().any(|&(from, to)| {
                if from < to {
                    (from..to).contains(&now) && self.is_day(date)
                } else {
                    now >= from && self.is_day(date)
                        || now < to && yesterday.is_some_and(|day| self.is_day(day))
                }
            })
        })
    }

    /// The first instant at or after `at` when notifications may begin; `None` if there is none in the next two years.
    pub fn next_from(&self, at: Timestamp) -> Option<Timestamp> {
        if self.holds(at) {
            return Some(at);
        }
        let today = self.local(at)?.date();
        (0..DAYS_AHEAD).find_map(|ahead| {
            let date = today.checked_add(ahead.days()).ok().filter(|date| self.is_day(*date))?;
            let begins = |&(from, _): &(u16, u16)| {
                let (hour, minute) = (i8::try_from(from / 60).ok()?, i8::try_from(from % 60).ok()?);
                let begin = self.zone.to_timestamp(date.at(hour, minute, 0, 0)).ok()?;
                Some(Timestamp(begin.as_millisecond()))
            };
            self.hours.iter().filter_map(begins).filter(|begin| *begin >= at).min()
        })
    }

    fn local(&self, at: Timestamp) -> Option<DateTime> {
        Some(self.zone.to_datetime(jiff::Timestamp::from_millisecond(at.0).ok()?))
    }

    fn is_day(&self, date: Date) -> bool {
        let is_holiday = |holiday: &Holiday| match *holiday {
            Holiday::On(day) => day == date,
            Holiday::Yearly(month, day) => (month, day) == (date.month(), date.day()),
        };
        self.days[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())]
            && !self.holidays.iter().any(is_holiday)
    }
}

/// `08:00` to `24:00`.
pub(crate) fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number =
        |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (hour, minute) = (number(hour)?, number(minute).filter(|minute| *minute < 60)?);
    Some(hour * 60 + minute).filter(|of_day| hour < 25 && *of_day <= DAY_MINUTES)
}

/// Starts on Monday.
pub(crate) fn weekday(text: &str) -> Option<usize> {
    const NAMES: [(&str, Weekday); 7] = [
        ("mon", Weekday::Monday),
        ("tue", Weekday::Tuesday),
        ("wed", Weekday::Wednesday),
        ("thu", Weekday::Thursday),
        ("fri", Weekday::Friday),
        ("sat", Weekday::Saturday),
        ("sun", Weekday::Sunday),
    ];
    let (_, day) = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()))?;
    Some(usize::from(day.to_monday_zero_offset().unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active(hours: &[&str], days: &[&str], holidays: &[&str]) -> Result<Active, ActiveFault> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Active::parse(Written {
            hours: &owned(hours),
            days: &owned(days),
            holidays: &owned(holidays),
            timezone: "Europe/Berlin",
            outside: Outside::Skip,
        })
    }

    fn at(local: &str) -> Timestamp {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        Timestamp(zone.to_timestamp(local.parse().unwrap()).unwrap().as_millisecond())
    }

    #[test]
    fn hours_are_those_of_the_zone_on_the_days_named() {
        // 2026-03-27 is a Friday; the clock changes on the Sunday after it.
        let office = active(&["08:00-18:00"], &["mon-fri"], &["2026-03-30"]).unwrap();
        for (time, holds) in [
            ("2026-03-27T07:59", false),
            ("2026-03-27T08:00", true),
            ("2026-03-27T17:59", true),
            ("2026-03-27T18:00", false),
            ("2026-03-28T12:00", false),
            ("2026-03-30T12:00", false),
            ("2026-03-31T08:00", true),
        ] {
            assert_eq!(office.holds(at(time)), holds, "{time}");
        }
        assert_eq!(office.next_from(at("2026-03-27T12:00")), Some(at("2026-03-27T12:00")));
        assert_eq!(office.next_from(at("2026-03-27T18:00")), Some(at("2026-03-31T08:00")));
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        let nights = active(&["22:00-06:00"], &["fri-sat"], &["12-24"]).unwrap();
        for (time, holds) in [
            ("2026-03-27T05:00", false),
            ("2026-03-27T22:00", true),
            ("2026-03-28T05:59", true),
            ("2026-03-28T06:00", false),
            ("2026-03-29T05:00", true),
            ("2026-03-29T22:00", false),
            // Christmas Eve 2027 is a Friday.
            ("2027-12-24T23:00", false),
        ] {
            assert_eq!(nights.holds(at(time)), holds, "{time}");
        }
        assert_eq!(nights.next_from(at("2026-03-29T12:00")), Some(at("2026-04-03T22:00")));
    }

    #[test]
    fn several_spans_and_whole_days() {
        let shifts = active(&["06:00-10:00", "14:00-24:00"], &[], &[]).unwrap();
        assert_eq!(shifts.next_from(at("2026-03-27T10:00")), Some(at("2026-03-27T14:00")));
        assert!(shifts.holds(at("2026-03-27T23:59")) && !shifts.holds(at("2026-03-27T00:00")));
        let weekend = active(&[], &["sat", "sun"], &[]).unwrap();
        assert_eq!(weekend.next_from(at("2026-03-27T10:00")), Some(at("2026-03-28T00:00")));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for hours in
            ["8-18", "08:00", "25:00-26:00", "08:00-08:00", "24:00-06:00", "08:60-09:00", "+8:00-9:00"]
        {
            let fault = active(&["06:00-07:00", hours], &[], &[]).unwrap_err();
            assert_eq!(fault, ActiveFault::Hours { index: 1, hours: hours.into() });
        }
        assert!(matches!(active(&[], &["mo"], &[]), Err(ActiveFault::Days { index: 0, .. })));
        assert!(matches!(active(&[], &[], &["2026-02-30"]), Err(ActiveFault::Holiday { index: 0, .. })));
        let all: Vec<String> = (1..=7).map(|day| format!("2026-03-0{day}")).collect();
        let refs: Vec<&str> = all.iter().map(String::as_str).collect();
        assert!(active(&[], &["mon"], &refs).is_ok());
    }
}
