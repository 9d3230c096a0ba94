use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use thiserror::Error;
use watchbell_contract::{Duration, Timestamp};

use super::turns::Turns;
use super::{Override, Person, Rotation};
use crate::active::{minute, weekday};
use crate::spec::DestinationName;

/// A rotation as written in the environment.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    pub name: &'a str,
    pub people: Vec<Person>,
    /// How long a turn is: whole days.
    pub every: Duration,
    /// `mon 09:00`, or `09:00` on whatever day a turn begins.
    pub hand_over: &'a str,
    /// The day of the first turn.
    pub starts: &'a str,
    pub timezone: &'a str,
    pub overrides: Vec<WrittenOverride<'a>>,
}

#[derive(Clone, Copy, Debug)]
pub struct WrittenOverride<'a> {
    /// An instant with an offset, or a local time in the rotation's zone.
    pub from: &'a str,
    pub until: &'a str,
    pub person: &'a str,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RotationFault {
    #[error("a rotation needs people")]
    Nobody,
    #[error("`{person}` is already one of the people")]
    Twice { index: usize, person: String },
    #[error("`{text}` is not a time of hand-over; write `mon 09:00`, or `09:00` if turns are days")]
    HandOver { text: String },
    #[error("a turn takes whole days, at most a year: `1w`, `1d`")]
    Days,
    #[error("a turn that is handed over on a weekday takes whole weeks: `1w`, `2w`")]
    Weeks,
    #[error("`{text}` is not a date; write `2026-11-30`")]
    Starts { text: String },
    #[error("{date} is a {is}, but turns begin on a {wanted}")]
    Weekday { date: Date, is: &'static str, wanted: &'static str },
    #[error("unknown timezone `{timezone}`; write an IANA name like `Europe/Berlin` or `UTC`")]
    Timezone { timezone: String },
    #[error("`{text}` is not a time; write `2026-12-24 18:00`, or an instant: `2026-12-24T18:00:00+01:00`")]
    Time { index: usize, key: &'static str, text: String },
    #[error("it ends before it begins")]
    Backwards { index: usize },
    #[error("`{person}` is not one of the people of this rotation")]
    Stranger { index: usize, person: String },
}

const DAY: Duration = Duration::from_hours(24);
const DAYS_MAX: u64 = 366;

impl Rotation {
    /// # Errors
    /// Everything that is wrong, for the environment's author.
    pub fn parse(written: Written<'_>) -> Result<Self, Vec<RotationFault>> {
        let mut faults = Vec::new();
        if written.people.is_empty() {
            faults.push(RotationFault::Nobody);
        }
        for (index, person) in written.people.iter().enumerate() {
            if written.people[..index].iter().any(|other| other.name == person.name) {
                faults.push(RotationFault::Twice { index, person: person.name.clone() });
            }
        }
        let hand_over = hand_over(written.hand_over);
        if hand_over.is_none() {
            faults.push(RotationFault::HandOver { text: written.hand_over.to_owned() });
        }
        let day = hand_over.and_then(|(day, _)| day);
        let days = days(written.every, day, &mut faults);
        let starts = starts(written.starts, day, &mut faults);
        let zone = TimeZone::get(written.timezone).ok();
        if zone.is_none() {
            faults.push(RotationFault::Timezone { timezone: written.timezone.to_owned() });
        }
        // Their times are read in some zone, so that their faults are known together with the zone's.
        let of_overrides = zone.clone().unwrap_or(TimeZone::UTC);
        let overrides = written.overrides.iter().enumerate();
        let overrides: Vec<Override> = overrides
            .filter_map(|(index, over)| stand_in(&written.people, &of_overrides, index, *over, &mut faults))
            .collect();
        match (hand_over, days, starts, zone) {
            (Some((_, hand_over)), Some(days), Some(starts), Some(zone)) if faults.is_empty() => Ok(Self {
                name: DestinationName(written.name.to_owned()),
                people: written.people,
                turns: Turns { starts, hand_over, days, zone },
                overrides,
            }),
            _ => Err(faults),
        }
    }
}

/// `mon 09:00` or `09:00`.
fn hand_over(text: &str) -> Option<(Option<Weekday>, jiff::civil::Time)> {
    let (day, time) = match text.trim().split_once(' ') {
        Some((day, time)) => (Some(named(day)?), time.trim()),
        None => (None, text.trim()),
    };
    let minutes = minute(time).filter(|minutes| *minutes < 24 * 60)?;
    let (hour, minute) = (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
    Some((day, jiff::civil::Time::new(hour, minute, 0, 0).ok()?))
}

fn named(day: &str) -> Option<Weekday> {
    let place = i8::try_from(weekday(&day.to_lowercase())?).ok()?;
    Weekday::from_monday_zero_offset(place).ok()
}

fn days(every: Duration, day: Option<Weekday>, faults: &mut Vec<RotationFault>) -> Option<i64> {
    let days = every.0 / DAY.0;
    if !every.0.is_multiple_of(DAY.0) || days == 0 || days > DAYS_MAX {
        faults.push(RotationFault::Days);
        return None;
    }
    if day.is_some() && !days.is_multiple_of(7) {
        faults.push(RotationFault::Weeks);
    }
    i64::try_from(days).ok()
}

fn starts(text: &str, day: Option<Weekday>, faults: &mut Vec<RotationFault>) -> Option<Date> {
    // A date and nothing after it: the time is that of the hand-over.
    let Some(date) = (text.len() == 10).then(|| text.parse::<Date>().ok()).flatten() else {
        faults.push(RotationFault::Starts { text: text.to_owned() });
        return None;
    };
    if let Some(day) = day.filter(|day| *day != date.weekday()) {
        faults.push(RotationFault::Weekday { date, is: words(date.weekday()), wanted: words(day) });
    }
    Some(date)
}

fn stand_in(
    people: &[Person],
    zone: &TimeZone,
    index: usize,
    written: WrittenOverride<'_>,
    faults: &mut Vec<RotationFault>,
) -> Option<Override> {
    let person = people.iter().position(|person| person.name == written.person);
    if person.is_none() {
        faults.push(RotationFault::Stranger { index, person: written.person.to_owned() });
    }
    let mut time = |key, text: &str| {
        let found = time(zone, text);
        if found.is_none() {
            faults.push(RotationFault::Time { index, key, text: text.to_owned() });
        }
        found
    };
    let (from, until) = (time("from", written.from), time("until", written.until));
    let (from, until) = (from?, until?);
    if until <= from {
        faults.push(RotationFault::Backwards { index });
    }
    Some(Override { from, until, person: person? })
}

/// An instant, or a local time. A date alone is neither: of an end, nobody could say whether its day still counts.
pub(super) fn time(zone: &TimeZone, text: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp(instant.as_millisecond()));
    }
    // What has an offset and is not an instant would be read as a local time without it.
    let is_local = text.contains(':') && text.chars().all(|c| c.is_ascii_digit() || "-: T".contains(c));
    let local = is_local.then(|| text.parse::<DateTime>().ok()).flatten()?;
    Turns::instant(zone, local)
}

fn words(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}
