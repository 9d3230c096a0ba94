//! Dates in lists. A date covers all the time that it leaves open, as in a cluster's queries: `2024-01-01` is that day
//! in UTC.

/// Milliseconds since 1970, from `start` (included) to `end` (not included).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instants {
    pub start: i64,
    pub end: i64,
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Instants {
    /// Whether it fits `date_nanos`, which covers 1970 to 2262.
    pub(crate) fn fits_nanos(self) -> bool {
        self.start >= 0 && self.end <= i64::MAX / 1_000_000
    }

    /// Reads `2024`, `2024-01`, `2024-01-01`, `2024-01-01T10`, … `2024-01-01T10:00:00.123+01:00`, and milliseconds.
    ///
    /// Date math is not read: a list that changes its meaning over time would make results impossible to reproduce.
    pub fn read(text: &str) -> Option<Self> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        // Four digits are a year, as in clusters' default date format.
        if let Some(at) = text.parse().ok().filter(|_| text.len() != 4 || !digits(text)) {
            return Some(Self { start: at, end: at.saturating_add(1) });
        }
        let (year, rest) = text.split_at_checked(4)?;
        if !digits(year) {
            return None;
        }
        let year: i64 = year.parse().ok()?;
        if rest.is_empty() {
            return Some(Self { start: day(year, 1, 1) * DAY, end: day(year + 1, 1, 1) * DAY });
        }
        let (month, rest) = part(rest.strip_prefix('-')?, 1, 12)?;
        let next = if month == 12 { day(year + 1, 1, 1) } else { day(year, month + 1, 1) };
        if rest.is_empty() {
            return Some(Self { start: day(year, month, 1) * DAY, end: next * DAY });
        }
        let first = day(year, month, 1);
        let (of_month, rest) = part(rest.strip_prefix('-')?, 1, next - first)?;
        let start = (first + of_month - 1) * DAY;
        if rest.is_empty() {
            return Some(Self { start, end: start + DAY });
        }
        let (since, length, zone) = time(rest.strip_prefix(['T', ' '])?)?;
        let start = start + since - offset(zone)?;
        Some(Self { start, end: start + length })
    }
}

/// The start of a time of day in milliseconds, its length, and the rest of the text.
fn time(text: &str) -> Option<(i64, i64, &str)> {
    let (hour, rest) = part(text, 0, 23)?;
    let Some(rest) = rest.strip_prefix(':') else { return Some((hour * HOUR, HOUR, rest)) };
    let (minute, rest) = part(rest, 0, 59)?;
    let since = hour * HOUR + minute * MINUTE;
    let Some(rest) = rest.strip_prefix(':') else { return Some((since, MINUTE, rest)) };
    let (second, rest) = part(rest, 0, 59)?;
    let since = since + second * SECOND;
    let Some(rest) = rest.strip_prefix(['.', ',']) else { return Some((since, SECOND, rest)) };
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, rest) = rest.split_at(count);
    // Rows have millisecond precision; finer fractions are dropped.
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    (1..=9).contains(&count).then_some((since + millis, 10_i64.pow(3_u32.saturating_sub(count as u32)), rest))
}

/// The offset of `Z`, `+01:00`, `-0530`, `+01`, or nothing, which means UTC.
fn offset(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.split_at_checked(1) {
        None => return Some(0),
        Some(("Z", "")) => return Some(0),
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        Some(_) => return None,
    };
    let (hours, rest) = part(rest, 0, 18)?;
    let minutes = match rest {
        "" => 0,
        rest => part(rest.strip_prefix(':').unwrap_or(rest), 0, 59).filter(|(_, rest)| rest.is_empty())?.0,
    };
    Some(sign * (hours * HOUR + minutes * MINUTE))
}

/// Two digits within bounds, and the rest of the text.
fn part(text: &str, least: i64, most: i64) -> Option<(i64, &str)> {
    let (digits, rest) = text.split_at_checked(2)?;
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    (least..=most).contains(&number).then_some((number, rest))
}

/// Days since 1970, in the Gregorian calendar.
fn day(year: i64, month: i64, of_month: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last day.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + of_month - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (i64, i64) {
        let read = Instants::read(text).unwrap_or_else(|| panic!("{text}"));
        (read.start, read.end)
    }

    const NEW_YEAR: i64 = 1_704_067_200_000;

    #[test]
    fn dates_stand_for_the_time_that_they_leave_open() {
        for (text, start, length) in [
            ("2024-01-01", NEW_YEAR, DAY),
            ("2024-01", NEW_YEAR, 31 * DAY),
            ("2024", NEW_YEAR, 366 * DAY),
            ("2024-12", 1_733_011_200_000, 31 * DAY),
            ("2024-01-01T00", NEW_YEAR, HOUR),
            ("2024-01-01T00:00", NEW_YEAR, MINUTE),
            ("2024-01-01T00:00:00Z", NEW_YEAR, SECOND),
            ("2024-01-01 00:00:00", NEW_YEAR, SECOND),
            ("2024-01-01T00:00:00.000Z", NEW_YEAR, 1),
            ("2024-01-01T00:00:00.5Z", NEW_YEAR + 500, 100),
            ("2024-01-01T00:00:00.123456789", NEW_YEAR + 123, 1),
            ("2024-01-01T01:00:00+01:00", NEW_YEAR, SECOND),
            ("2023-12-31T18:30-0530", NEW_YEAR, MINUTE),
            ("1704067200000", NEW_YEAR, 1),
            ("-1", -1, 1),
            ("1969-12-31", -DAY, DAY),
            ("2000-02-29", 951_782_400_000, DAY),
        ] {
            assert_eq!(read(text), (start, start + length), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_date_is_not_read() {
        for text in [
            "",
            "x",
            "2024-13",
            "2023-02-29",
            "2024-1-1",
            "2024-01-01T24",
            "2024-01-01T00:60",
            "2024-01-01X",
            "2024-01-01T00:00:00.",
            "2024-01-01T00:00:00+19:00",
            "now",
            "2024-01-01||+1d",
            "20é4",
            "2024-01-01T00:00Zx",
            "99999999999999999999",
        ] {
            assert_eq!(Instants::read(text), None, "{text}");
        }
    }
}
