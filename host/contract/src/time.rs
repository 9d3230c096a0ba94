use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A duration in whole milliseconds.
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

/// The slice of time that one run evaluates, `start <= settled <= end`; see the WIT for what each bound means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The time of the given state; questions begin here.
    pub start: Timestamp,
    /// The time of the returned state; rows at or after it are evaluated again in the next run.
    pub settled: Timestamp,
    /// The start of the next window.
    pub end: Timestamp,
}

impl Timestamp {
    /// The earliest instant.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant.
    pub const MAX: Self = Self(i64::MAX);

    /// The last multiple of `grid` at or before this instant. With a zero grid, the instant itself.
    pub fn floor(self, grid: Duration) -> Self {
        match grid.signed() {
            0 => self,
            grid => Self(self.0.saturating_sub(self.0.rem_euclid(grid))),
        }
    }

    /// The time since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Duration {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// A duration of this many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000)
    }

    /// A duration of this many minutes.
    pub const fn from_mins(mins: u64) -> Self {
        Self::from_secs(mins * 60)
    }

    /// A duration of this many hours.
    pub const fn from_hours(hours: u64) -> Self {
        Self::from_mins(hours * 60)
    }

    /// The duration in milliseconds.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The duration in seconds.
    pub fn secs_f64(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// The same as a duration of the standard library.
    pub fn std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }

    /// Multiplies the duration; saturates at the longest.
    pub fn saturating_mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }

    fn signed(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

impl From<std::time::Duration> for Duration {
    fn from(span: std::time::Duration) -> Self {
        Self(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(span.signed()))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.signed()))
    }
}

impl std::ops::Add for Duration {
    type Output = Duration;
    fn add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
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

    /// Whether the range contains no instant.
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }
}

/// RFC 3339 in UTC: `2026-11-23T10:00:00Z`, with milliseconds only if they are not zero. A time after the year 9999 is
/// shown as a number.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => at.fmt(f),
            Err(_) => self.0.fmt(f),
        }
    }
}

/// Text that is not an RFC 3339 time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATimestamp;

impl fmt::Display for NotATimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an RFC 3339 time, for example `2026-11-23T10:00:00Z`")
    }
}

impl std::error::Error for NotATimestamp {}

/// RFC 3339, with a zone. Fractions of a millisecond are truncated.
impl std::str::FromStr for Timestamp {
    type Err = NotATimestamp;

    fn from_str(text: &str) -> Result<Self, NotATimestamp> {
        let at: jiff::Timestamp = text.parse().map_err(|_| NotATimestamp)?;
        i64::try_from(at.as_nanosecond().div_euclid(1_000_000)).map(Self).map_err(|_| NotATimestamp)
    }
}

/// As in a manifest: `90s`, `5m`, `1h30m`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, millis) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            if rest >= millis {
                write!(f, "{}{unit}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_rounds_towards_the_past_on_both_sides_of_the_epoch() {
        assert_eq!(Timestamp(61_500).floor(Duration::from_secs(60)), Timestamp(60_000));
        assert_eq!(Timestamp(-1).floor(Duration::from_secs(60)), Timestamp(-60_000));
        assert_eq!(Timestamp(7).floor(Duration::ZERO), Timestamp(7));
    }

    #[test]
    fn a_timestamp_reads_as_rfc_3339_and_is_read_from_it() {
        for (text, at) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("2026-11-24T00:10:00.12Z", 1_795_479_000_120),
        ] {
            assert_eq!(Timestamp(at).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp(at)));
        }
        assert_eq!("2026-11-24T01:10:00+01:00".parse(), Ok(Timestamp(1_795_479_000_000)));
        assert_eq!("2026-11-24T00:10:00.0009Z".parse(), Ok(Timestamp(1_795_479_000_000)));
        for text in ["", "now", "2026-11-24", "2026-11-24T00:10:00", "2026-02-30T00:00:00Z"] {
            assert_eq!(text.parse::<Timestamp>(), Err(NotATimestamp), "{text}");
        }
        assert_eq!(Timestamp::MAX.to_string(), i64::MAX.to_string());
    }

    #[test]
    fn a_duration_reads_as_a_manifest_writes_it() {
        assert_eq!(Duration(90_000).to_string(), "1m30s");
        assert_eq!(Duration(300_000).to_string(), "5m");
        assert_eq!(Duration(1_500).to_string(), "1s500ms");
        assert_eq!(Duration(0).to_string(), "0s");
    }
}
