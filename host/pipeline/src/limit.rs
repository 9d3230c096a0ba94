//! How many messages a destination is sent at most: in a minute and an hour of the clock, and in a day of a calendar.
use std::num::NonZeroU32;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use watchbell_contract::{Duration, Timestamp};

/// The `limit:` of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub per_minute: Option<NonZeroU32>,
    pub per_hour: Option<NonZeroU32>,
    pub per_day: Option<NonZeroU32>,
    /// Whose calendar has the days, and whose clock the hours.
    pub zone: TimeZone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitSpan {
    Minute,
    Hour,
    Day,
}

/// The timezone of a limit is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown timezone `{0}`; write an IANA name like `Europe/Berlin` or `UTC`")]
pub struct UnknownZone(String);

/// Where a span begins, and where the next one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

impl LimitSpan {
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

impl Limit {
    /// No limit yet, in the zone with this IANA name.
    ///
    /// # Errors
    /// The zone is not known.
    pub fn within(timezone: &str) -> Result<Self, UnknownZone> {
        let zone = TimeZone::get(timezone).map_err(|_| UnknownZone(timezone.to_owned()))?;
        Ok(Self { per_minute: None, per_hour: None, per_day: None, zone })
    }

    pub fn most(&self, span: LimitSpan) -> Option<NonZeroU32> {
        match span {
            LimitSpan::Minute => self.per_minute,
            LimitSpan::Hour => self.per_hour,
            LimitSpan::Day => self.per_day,
        }
    }

    /// The minute, hour or day at an instant. A day of the calendar has 23 to 25 hours when the clock changes.
    pub(crate) fn bounds(&self, span: LimitSpan, at: Timestamp) -> Bounds {
        let exact = match span {
            LimitSpan::Minute => self.clock(at, Duration::from_mins(1)),
            LimitSpan::Hour => self.clock(at, Duration::from_hours(1)),
            LimitSpan::Day => self.day(at),
        };
        // Beyond the calendar nothing is limited for long.
        exact.unwrap_or(Bounds { start: at, end: at + Duration::from_mins(1) })
    }

    /// Elapsed time since the clock last showed a multiple of `length`: an hour that the clock repeats is two.
    fn clock(&self, at: Timestamp, length: Duration) -> Option<Bounds> {
        let local = self.local(at)?;
        let shown = i64::from(local.minute()) * 60_000 + i64::from(local.second()) * 1_000;
        let shown = u64::try_from(shown + i64::from(local.millisecond())).ok()?;
        let start = at - Duration(shown % length.0);
        Some(Bounds { start, end: start + length })
    }

    fn day(&self, at: Timestamp) -> Option<Bounds> {
        let today = self.local(at)?.date();
        let (start, end) = (self.begins(today)?, self.begins(today.tomorrow().ok()?)?);
        // Where the clock goes back over midnight, the day that begins comes first and the rest of the other after it.
        Some(Bounds { start, end: end.max(at + Duration::from_mins(1)) })
    }

    /// Midnight, or when the gap ends that the clock has there.
    fn begins(&self, day: Date) -> Option<Timestamp> {
        Some(Timestamp(self.zone.to_timestamp(day.at(0, 0, 0, 0)).ok()?.as_millisecond()))
    }

    fn local(&self, at: Timestamp) -> Option<DateTime> {
        Some(self.zone.to_datetime(jiff::Timestamp::from_millisecond(at.0).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn bounds(zone: &str, span: LimitSpan, instant: &str) -> (Timestamp, Timestamp) {
        let Bounds { start, end } = Limit::within(zone).unwrap().bounds(span, at(instant));
        (start, end)
    }

    #[test]
    fn minutes_and_hours_are_those_of_the_clock() {
        let now = "2026-11-30T10:42:07.250Z";
        let minute = (at("2026-11-30T10:42:00Z"), at("2026-11-30T10:43:00Z"));
        assert_eq!(bounds("UTC", LimitSpan::Minute, now), minute);
        assert_eq!(
            bounds("UTC", LimitSpan::Hour, now),
            (at("2026-11-30T10:00:00Z"), at("2026-11-30T11:00:00Z"))
        );
        // Half an hour from everyone else's.
        assert_eq!(
            bounds("Asia/Kolkata", LimitSpan::Hour, now),
            (at("2026-11-30T10:30:00Z"), at("2026-11-30T11:30:00Z"))
        );
    }

    #[test]
    fn a_day_is_that_of_the_calendar_when_clocks_change() {
        for (now, start, end, hours) in [
            ("2026-11-30T10:42:07Z", "2026-11-29T23:00:00Z", "2026-11-30T23:00:00Z", 24),
            ("2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23),
            ("2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 25),
        ] {
            let found = bounds("Europe/Berlin", LimitSpan::Day, now);
            assert_eq!(found, (at(start), at(end)), "{now}");
            assert_eq!(found.1.since(found.0), Duration::from_hours(hours), "{now}");
            // A span holds its first instant and not its end.
            assert_eq!(bounds("Europe/Berlin", LimitSpan::Day, start), found);
            assert_eq!(bounds("Europe/Berlin", LimitSpan::Day, end).0, found.1);
        }
    }

    #[test]
    fn an_hour_that_the_clock_repeats_is_two() {
        let [first, second] = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]
            .map(|now| bounds("Europe/Berlin", LimitSpan::Hour, now));
        assert_eq!(first, (at("2026-10-25T00:00:00Z"), at("2026-10-25T01:00:00Z")));
        assert_eq!(second, (at("2026-10-25T01:00:00Z"), at("2026-10-25T02:00:00Z")));
    }

    #[test]
    fn a_zone_that_is_not_known_is_named() {
        let fault = Limit::within("Europe/Berln").unwrap_err();
        assert!(fault.to_string().contains("`Europe/Berln`"), "{fault}");
    }
}
