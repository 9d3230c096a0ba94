//! Instants and durations, in whole milliseconds.
use std::borrow::Cow;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Rem, Sub, SubAssign};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::grid;

/// Milliseconds since 1970-01-01T00:00:00Z.
///
/// Operators saturate, because a rule that panics ends its run: a difference is zero if the second instant is later, as
/// with [`std::time::Instant`]. Where a negative difference matters, compare the instants, or use
/// [`abs_diff`](Self::abs_diff).
///
/// ```
/// use watchbell_sdk::{Duration, Timestamp};
///
/// let (first, last) = (Timestamp(30_000), Timestamp(90_000));
/// assert_eq!(last - first, Duration::from_mins(1));
/// assert_eq!(first - last, Duration::ZERO);
/// assert_eq!(first + Duration::from_mins(1), last);
/// assert_eq!(last.floor(Duration::from_mins(1)), Timestamp(60_000));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// A duration in whole milliseconds. In parameters it is written as in a manifest: `90s`, `5m`, `1h30m`, `500ms`. The
/// units are `w`, `d`, `h`, `m`, `s` and `ms`.
///
/// Names are those of [`std::time::Duration`]. Unlike there, operators saturate, because a rule that panics ends its
/// run; only division by zero panics, as that of integers does. The ratio of two durations has no operator, because it
/// may be meant as a number or as a count: [`div_duration_f64`](Self::div_duration_f64), `div_floor` and `div_ceil`.
///
/// ```
/// use watchbell_sdk::Duration;
///
/// let hour = Duration::from_hours(1);
/// assert_eq!(hour - Duration::from_mins(15) * 2, hour / 2);
/// assert_eq!(Duration::ZERO - hour, Duration::ZERO);
/// assert_eq!(Duration::from_mins(90).div_duration_f64(hour), 1.5);
/// assert_eq!(Duration::from_mins(90).div_ceil(hour), 2);
/// assert_eq!([hour, hour].into_iter().sum::<Duration>().to_string(), "2h");
/// assert_eq!("1h30m".parse(), Ok(Duration::from_mins(90)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub u64);

/// A half-open range of time: `start` is included, `end` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first instant; included.
    pub start: Timestamp,
    /// The end; not included.
    pub end: Timestamp,
}

/// The units of durations in text, largest first, in milliseconds.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Timestamp {
    /// The earliest instant.
    pub const MIN: Self = Self(i64::MIN);

    /// The latest instant.
    pub const MAX: Self = Self(i64::MAX);

    /// The time since `earlier`, as `self - earlier`; zero if `earlier` is later.
    #[inline]
    pub fn since(self, earlier: Self) -> Duration {
        if self > earlier { self.abs_diff(earlier) } else { Duration::ZERO }
    }

    /// The same as [`since`](Self::since), by the name that it has in [`std::time::Instant`].
    #[inline]
    pub fn duration_since(self, earlier: Self) -> Duration {
        self.since(earlier)
    }

    /// The time between two instants, whichever is later.
    #[inline]
    pub fn abs_diff(self, other: Self) -> Duration {
        Duration(self.0.abs_diff(other.0))
    }

    /// The start of the cell of `grid` that contains the instant: the instant itself if it is a check of that grid.
    #[inline]
    pub fn floor(self, grid: Duration) -> Self {
        grid::cell_start(grid::cell(self, grid), grid)
    }
}

impl Duration {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// The longest duration.
    pub const MAX: Self = Self(u64::MAX);

    /// A duration of this many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// A duration of this many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// A duration of this many minutes.
    pub const fn from_mins(mins: u64) -> Self {
        Self(mins.saturating_mul(60_000))
    }

    /// A duration of this many hours.
    pub const fn from_hours(hours: u64) -> Self {
        Self(hours.saturating_mul(3_600_000))
    }

    /// A duration of this many days of 24 hours.
    pub const fn from_days(days: u64) -> Self {
        Self(days.saturating_mul(86_400_000))
    }

    /// The duration in milliseconds.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The duration in whole seconds.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000
    }

    /// The duration in seconds.
    pub const fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// Whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The duration in milliseconds as a signed number, for arithmetic with instants; at most [`i64::MAX`].
    #[inline]
    pub fn signed(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// `self - other`; `None` if `other` is longer.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(millis) => Some(Self(millis)),
            None => None,
        }
    }

    /// The difference between two durations, whichever is longer.
    pub const fn abs_diff(self, other: Self) -> Self {
        Self(self.0.abs_diff(other.0))
    }

    /// How many times `other` fits into this duration, with fractions; infinite or NaN if `other` is zero.
    pub const fn div_duration_f64(self, other: Self) -> f64 {
        self.0 as f64 / other.0 as f64
    }

    /// How many whole times `other` fits into this duration.
    ///
    /// # Panics
    /// `other` is zero.
    pub const fn div_floor(self, other: Self) -> u64 {
        self.0 / other.0
    }

    /// How many times `other` is needed to cover this duration.
    ///
    /// # Panics
    /// `other` is zero.
    pub const fn div_ceil(self, other: Self) -> u64 {
        self.0.div_ceil(other.0)
    }

    /// Whether `other` fits into this duration a whole number of times; false if `other` is zero, unless both are.
    pub const fn is_multiple_of(self, other: Self) -> bool {
        self.0.is_multiple_of(other.0)
    }

    /// Parses a duration such as `1h30m`, `90s`, `5m` or `500ms`: whole numbers, each followed by a unit.
    ///
    /// # Errors
    /// `text` is not a duration, or has 2⁶⁴ milliseconds or more; the message shows what durations look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a duration: write, for example, `90s`, `5m` or `1h30m`");
        let mut rest = text;
        let mut sum = 0_u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (_, millis) = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters]).ok_or_else(wrong)?;
            sum = number.checked_mul(*millis).and_then(|n| sum.checked_add(n)).ok_or_else(wrong)?;
            rest = &rest[letters..];
        }
        if text.is_empty() { Err(wrong()) } else { Ok(Self(sum)) }
    }
}

impl Range {
    /// The range from `start` (included) to `end` (not included).
    pub fn new(start: Timestamp, end: Timestamp) -> Self {
        Self { start, end }
    }

    /// Whether the range contains `at`.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

/// Implements an operator, and its form that assigns.
macro_rules! operators {
    ($($left:ty, $trait:ident::$method:ident, $assign_trait:ident::$assign:ident, $right:ty:
        |$a:ident, $b:ident| $result:expr;)*) => {$(
        impl $trait<$right> for $left {
            type Output = Self;

            #[inline]
            fn $method(self, other: $right) -> Self {
                let ($a, $b) = (self, other);
                Self($result)
            }
        }

        impl $assign_trait<$right> for $left {
            #[inline]
            fn $assign(&mut self, other: $right) {
                *self = $trait::$method(*self, other);
            }
        }
    )*};
}

operators! {
    Timestamp, Add::add, AddAssign::add_assign, Duration: |at, span| at.0.saturating_add_unsigned(span.0);
    Timestamp, Sub::sub, SubAssign::sub_assign, Duration: |at, span| at.0.saturating_sub_unsigned(span.0);
    Duration, Add::add, AddAssign::add_assign, Duration: |one, other| one.0.saturating_add(other.0);
    Duration, Sub::sub, SubAssign::sub_assign, Duration: |one, other| one.0.saturating_sub(other.0);
    Duration, Mul::mul, MulAssign::mul_assign, u64: |span, times| span.0.saturating_mul(times);
    Duration, Div::div, DivAssign::div_assign, u64: |span, parts| span.0 / parts;
}

/// The time since the second instant; zero if that is later.
impl Sub for Timestamp {
    type Output = Duration;

    #[inline]
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl Mul<Duration> for u64 {
    type Output = Duration;

    #[inline]
    fn mul(self, span: Duration) -> Duration {
        span * self
    }
}

/// What remains after whole times of another duration.
impl Rem for Duration {
    type Output = Self;

    #[inline]
    fn rem(self, other: Self) -> Self {
        Self(self.0 % other.0)
    }
}

impl Sum for Duration {
    fn sum<I: Iterator<Item = Self>>(spans: I) -> Self {
        spans.fold(Self::ZERO, Add::add)
    }
}

impl<'d> Sum<&'d Self> for Duration {
    fn sum<I: Iterator<Item = &'d Self>>(spans: I) -> Self {
        spans.copied().sum()
    }
}

impl From<Duration> for std::time::Duration {
    fn from(span: Duration) -> Self {
        Self::from_millis(span.0)
    }
}

/// As [`Duration::parse`].
impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        // Weeks are read but not written: `7d` is more familiar.
        for (unit, millis) in &UNITS[1..] {
            if rest >= *millis {
                write!(f, "{}{unit}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

/// RFC 3339 in UTC with milliseconds: `2014-09-26T12:00:00.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, millis) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that the day
        // a leap year adds is the last one.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (secs, millis) = (millis / 1_000, millis % 1_000);
        let (hour, minute, second) = (secs / 3_600, secs / 60 % 60, secs % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// A string in human-readable formats, a number in a state.
impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = Cow::<str>::deserialize(deserializer)?;
            Self::parse(&text).map_err(serde::de::Error::custom)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9]+(ms|[smhdw]))+$", "examples": ["5m"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_they_are_written() {
        for (text, millis) in
            [("90s", 90_000), ("1h30m", 5_400_000), ("500ms", 500), ("0s", 0), ("1d", 86_400_000)]
        {
            let parsed = Duration::parse(text).unwrap();
            assert_eq!(parsed.millis(), millis, "{text}");
            assert_eq!(Duration::parse(&parsed.to_string()), Ok(parsed));
        }
        assert_eq!(Duration::parse("2w").unwrap().to_string(), "14d");
        for text in
            ["", "5", "m", "5 m", "5y", "-5m", "5m3", "99999999999999999999s", "9999999999999999w", "５m"]
        {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_and_durations_are_calculated_with_as_in_std_but_saturate() {
        let (early, late) = (Timestamp(1_000), Timestamp(4_500));
        assert_eq!((late - early, early - late), (Duration(3_500), Duration::ZERO));
        assert_eq!((late.duration_since(early), early.abs_diff(late)), (Duration(3_500), Duration(3_500)));
        assert_eq!(Timestamp::MAX - Timestamp::MIN, Duration::MAX);
        assert_eq!(
            (Timestamp::MIN - Duration::MAX, Timestamp::MAX + Duration(1)),
            (Timestamp::MIN, Timestamp::MAX)
        );
        let mut at = early;
        at += Duration(500);
        at -= Duration(1);
        assert_eq!(at, Timestamp(1_499));
        assert_eq!(
            (Timestamp(-1).floor(Duration(10)), Timestamp(20).floor(Duration(10))),
            (Timestamp(-10), Timestamp(20))
        );

        let minute = Duration::from_mins(1);
        assert_eq!(Duration::from_days(1), Duration::from_hours(24));
        assert_eq!((minute - Duration::from_secs(50)).as_secs(), 10);
        assert_eq!(minute - Duration::from_days(1), Duration::ZERO);
        assert_eq!(minute.checked_sub(Duration::from_days(1)), None);
        assert_eq!(2 * minute / 4, Duration::from_secs(30));
        assert_eq!(Duration::MAX * 2, Duration::MAX);
        assert_eq!(Duration::from_days(u64::MAX), Duration::MAX);
        assert_eq!([minute, minute].iter().sum::<Duration>(), minute * 2);
        assert_eq!((minute.div_floor(Duration(7_000)), minute.div_ceil(Duration(7_000))), (8, 9));
        assert_eq!(minute % Duration(7_000), Duration(4_000));
        assert!(minute.is_multiple_of(Duration(500)) && !minute.is_multiple_of(Duration::ZERO));
        assert_eq!(Duration(1_500).as_secs_f64(), 1.5);
        let mut sum = Duration::ZERO;
        sum += minute;
        sum *= 3;
        sum /= 2;
        sum -= Duration(1);
        assert_eq!((sum, std::time::Duration::from(sum).as_millis()), (Duration(89_999), 89_999));
    }

    #[test]
    fn instants_read_as_dates() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(1_411_732_800_000).to_string(), "2014-09-26T12:00:00.000Z");
        assert_eq!(Timestamp(1_709_164_800_123).to_string(), "2024-02-29T00:00:00.123Z");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_duration_is_text_for_people_and_a_number_in_a_state() {
        let span = Duration::from_mins(5);
        assert_eq!(serde_json::to_string(&span).unwrap(), "\"5m\"");
        assert_eq!(serde_json::from_str::<Duration>("\"5m\"").unwrap(), span);
        assert_eq!(postcard::to_allocvec(&span).unwrap().len(), 3);
        assert!(serde_json::from_str::<Duration>("300").is_err());
    }
}
