//! Date formats: the named ones that logs use, and patterns of letters; unknown ones are refused.
use super::civil::{civil_from_days, days_from_civil, days_in_month};
use super::zone::parse_offset;
use super::{NANOS_PER_MILLI, NANOS_PER_SECOND, Nanos, Zone};

/// `||`-separated formats: the first that matches reads, the first prints.
#[derive(Clone, Debug, PartialEq)]
pub struct Formats {
    list: Vec<Format>,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Format {
    OptionalTime { strict: bool },
    EpochMillis,
    EpochSecond,
    Pattern(Vec<Item>),
}

#[derive(Clone, Debug, PartialEq)]
enum Item {
    Literal(char),
    Number {
        part: Part,
        min: usize,
        max: usize,
    },
    /// A fraction of the second with this many digits.
    Fraction(usize),
    MonthName,
    /// With or without a colon.
    Offset {
        colon: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What a text specifies; the rest is filled in from below or above.
#[derive(Default)]
struct Parts {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    nano: Option<i64>,
    offset: Option<i64>,
}

impl Default for Formats {
    fn default() -> Self {
        Self {
            list: vec![Format::OptionalTime { strict: true }, Format::EpochMillis],
            text: "strict_date_optional_time||epoch_millis".into(),
        }
    }
}

impl Formats {
    pub fn new(text: &str) -> Result<Self, String> {
        let list = text.split("||").map(|one| Format::new(one.trim())).collect::<Result<_, _>>()?;
        Ok(Self { list, text: text.to_owned() })
    }

    pub fn parse(&self, text: &str, round_up: bool, zone: &Zone) -> Result<Nanos, String> {
        self.list
            .iter()
            .find_map(|format| format.parse(text, round_up, zone))
            .ok_or_else(|| format!("failed to parse date field [{text}] with format [{}]", self.text))
    }

    pub fn print(&self, at: Nanos, zone: &Zone) -> String {
        match self.list.first() {
            Some(Format::EpochMillis) => {
                let (millis, rest) = (at.div_euclid(NANOS_PER_MILLI), at.rem_euclid(NANOS_PER_MILLI));
                if rest == 0 { millis.to_string() } else { trim(format!("{millis}.{rest:06}")) }
            }
            Some(Format::EpochSecond) => {
                let (seconds, rest) = (at.div_euclid(NANOS_PER_SECOND), at.rem_euclid(NANOS_PER_SECOND));
                if rest == 0 { seconds.to_string() } else { trim(format!("{seconds}.{rest:09}")) }
            }
            Some(Format::Pattern(items)) => print_pattern(items, at, zone),
            _ => print_optional_time(at, zone),
        }
    }
}

fn trim(text: String) -> String {
    text.trim_end_matches('0').to_owned()
}

impl Format {
    fn new(name: &str) -> Result<Self, String> {
        let pattern = match name {
            "strict_date_optional_time" | "strict_date_optional_time_nanos" | "iso8601" => {
                return Ok(Self::OptionalTime { strict: true });
            }
            "date_optional_time" => return Ok(Self::OptionalTime { strict: false }),
            "epoch_millis" => return Ok(Self::EpochMillis),
            "epoch_second" => return Ok(Self::EpochSecond),
            "strict_date_time" | "date_time" => "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
            "strict_date_time_no_millis" | "date_time_no_millis" => "yyyy-MM-dd'T'HH:mm:ssXXX",
            "strict_date" | "date" | "strict_year_month_day" | "year_month_day" => "yyyy-MM-dd",
            "strict_date_hour_minute_second" | "date_hour_minute_second" => "yyyy-MM-dd'T'HH:mm:ss",
            "strict_date_hour_minute_second_millis" | "date_hour_minute_second_millis" => {
                "yyyy-MM-dd'T'HH:mm:ss.SSS"
            }
            "strict_date_hour_minute" | "date_hour_minute" => "yyyy-MM-dd'T'HH:mm",
            "strict_year_month" | "year_month" => "yyyy-MM",
            "strict_year" | "year" => "yyyy",
            "basic_date" => "yyyyMMdd",
            "basic_date_time" => "yyyyMMdd'T'HHmmss.SSSZ",
            "basic_date_time_no_millis" => "yyyyMMdd'T'HHmmssZ",
            other => other,
        };
        pattern_items(pattern).map(Self::Pattern).ok_or_else(|| {
            format!("Invalid format: [{name}]: Unknown pattern, or one the embedded node does not model")
        })
    }

    fn parse(&self, text: &str, round_up: bool, zone: &Zone) -> Option<Nanos> {
        match self {
            Self::OptionalTime { strict } => optional_time(text, *strict)?.resolve(round_up, zone),
            Self::EpochMillis => {
                let at = decimal(text, 6)?;
                Some(if round_up && !text.contains('.') { at + NANOS_PER_MILLI - 1 } else { at })
            }
            Self::EpochSecond => {
                let at = decimal(text, 9)?;
                Some(if round_up && !text.contains('.') { at + NANOS_PER_SECOND - 1 } else { at })
            }
            Self::Pattern(items) => read_pattern(items, text)?.resolve(round_up, zone),
        }
    }
}

/// A decimal number of units of 10^`scale` nanoseconds.
fn decimal(text: &str, scale: u32) -> Option<Nanos> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 18 || !number(whole) || !number(fraction) || text.ends_with('.') {
        return None;
    }
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(scale as usize).collect();
    let at = whole.parse::<Nanos>().ok()? * Nanos::from(10i64.pow(scale)) + kept.parse::<Nanos>().ok()?;
    Some(if negative { -at } else { at })
}

impl Parts {
    /// Elasticsearch fills from above only below the day: `2024` as an upper bound is the end of its first day.
    fn resolve(self, round_up: bool, zone: &Zone) -> Option<Nanos> {
        let pick = |said: Option<i64>, top: i64| said.unwrap_or(if round_up { top } else { 0 });
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        let (hour, minute, second) = (pick(self.hour, 23), pick(self.minute, 59), pick(self.second, 59));
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(self.year, month) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let local = days_from_civil(self.year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        let at = match self.offset {
            Some(offset) => local - offset,
            None => zone.instant_of_local(local),
        };
        Some(Nanos::from(at) * NANOS_PER_SECOND + Nanos::from(pick(self.nano, 999_999_999)))
    }
}

/// Takes `min` to `max` digits off the front.
fn digits<'a>(text: &mut &'a str, min: usize, max: usize) -> Option<&'a str> {
    let count = text.bytes().take(max).take_while(u8::is_ascii_digit).count();
    let (taken, rest) = (count >= min).then(|| text.split_at(count))?;
    *text = rest;
    Some(taken)
}

fn fraction(digits: &str) -> Option<i64> {
    format!("{digits:0<9}").parse().ok()
}

fn optional_time(mut text: &str, strict: bool) -> Option<Parts> {
    let text = &mut text;
    let min = if strict { 2 } else { 1 };
    let number = |text: &mut &str, separator: &str| -> Option<Option<i64>> {
        match text.strip_prefix(separator) {
            None => Some(None),
            Some(rest) => {
                *text = rest;
                Some(Some(digits(text, min, 2)?.parse().ok()?))
            }
        }
    };
    let mut parts = Parts {
        year: digits(text, if strict { 4 } else { 1 }, if strict { 4 } else { 9 })?.parse().ok()?,
        ..Parts::default()
    };
    parts.month = number(text, "-")?;
    if parts.month.is_some() {
        parts.day = number(text, "-")?;
    }
    // A time may follow any prefix of the date: strict_date_optional_time reads `2024T10` too.
    if let Some(rest) = text.strip_prefix('T') {
        *text = rest;
        if !text.is_empty() && !text.starts_with(['Z', '+', '-']) {
            parts.hour = Some(digits(text, min, 2)?.parse().ok()?);
            parts.minute = number(text, ":")?;
            if parts.minute.is_some() {
                parts.second = number(text, ":")?;
            }
            if parts.second.is_some()
                && let Some(rest) = text.strip_prefix(['.', ','])
            {
                *text = rest;
                parts.nano = Some(fraction(digits(text, 1, 9)?)?);
            }
        }
        if !text.is_empty() {
            let (offset, rest) = parse_offset(text)?;
            parts.offset = Some(offset);
            *text = rest;
        }
    }
    text.is_empty().then_some(parts)
}

fn pattern_items(pattern: &str) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while let Some(&letter) = chars.get(at) {
        if letter == '\'' {
            let close = chars[at + 1..].iter().position(|&c| c == '\'')?;
            let quoted = &chars[at + 1..at + 1 + close];
            items.extend(if quoted.is_empty() { &['\''] } else { quoted }.iter().map(|&c| Item::Literal(c)));
            at += close + 2;
            continue;
        }
        let count = chars[at..].iter().take_while(|&&c| c == letter).count();
        at += count;
        let number = |part| Item::Number { part, min: count, max: if count == 1 { 2 } else { count } };
        let item = match (letter, count) {
            ('y' | 'u', 4) => number(Part::Year),
            ('M', 1 | 2) => number(Part::Month),
            ('M', 3) => Item::MonthName,
            ('d', 1 | 2) => number(Part::Day),
            ('H', 1 | 2) => number(Part::Hour),
            ('m', 1 | 2) => number(Part::Minute),
            ('s', 1 | 2) => number(Part::Second),
            ('S', 1..=9) => Item::Fraction(count),
            ('Z', 1..=3) => Item::Offset { colon: false },
            ('X' | 'x', 1 | 2) => Item::Offset { colon: false },
            ('X' | 'x', 3) | ('Z', 5) => Item::Offset { colon: true },
            (c, _) if c.is_ascii_alphabetic() || "[]{}#".contains(c) => return None,
            (c, count) => {
                items.extend(std::iter::repeat_n(Item::Literal(c), count - 1));
                Item::Literal(c)
            }
        };
        items.push(item);
    }
    let has = |part| items.iter().any(|item| matches!(item, Item::Number { part: p, .. } if *p == part));
    // Without a year there is no instant.
    has(Part::Year).then_some(items)
}

fn read_pattern(items: &[Item], mut text: &str) -> Option<Parts> {
    let text = &mut text;
    let mut parts = Parts::default();
    for item in items {
        match *item {
            Item::Literal(c) => *text = text.strip_prefix(c)?,
            Item::Fraction(count) => parts.nano = Some(fraction(digits(text, count, count)?)?),
            Item::MonthName => {
                let name = text.get(..3)?;
                parts.month = Some(MONTHS.iter().position(|month| *month == name)? as i64 + 1);
                *text = &text[3..];
            }
            Item::Offset { .. } => {
                let (offset, rest) = parse_offset(text)?;
                parts.offset = Some(offset);
                *text = rest;
            }
            Item::Number { part, min, max } => {
                let number: i64 = digits(text, min, max)?.parse().ok()?;
                match part {
                    Part::Year => parts.year = number,
                    Part::Month => parts.month = Some(number),
                    Part::Day => parts.day = Some(number),
                    Part::Hour => parts.hour = Some(number),
                    Part::Minute => parts.minute = Some(number),
                    Part::Second => parts.second = Some(number),
                }
            }
        }
    }
    text.is_empty().then_some(parts)
}

fn print_pattern(items: &[Item], at: Nanos, zone: &Zone) -> String {
    let local = Local::of(at, zone);
    let mut out = String::new();
    for item in items {
        match *item {
            Item::Literal(c) => out.push(c),
            Item::Fraction(count) => out.push_str(&format!("{:09}", local.nano)[..count]),
            Item::MonthName => out.push_str(MONTHS[(local.month - 1) as usize]),
            Item::Offset { colon } => out.push_str(&print_offset(local.offset, colon)),
            Item::Number { part, min, .. } => {
                let number = match part {
                    Part::Year => local.year,
                    Part::Month => local.month,
                    Part::Day => local.day,
                    Part::Hour => local.second_of_day / 3_600,
                    Part::Minute => local.second_of_day / 60 % 60,
                    Part::Second => local.second_of_day % 60,
                };
                out.push_str(&format!("{number:0min$}"));
            }
        }
    }
    out
}

struct Local {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: i64,
    nano: i64,
    offset: i64,
}

impl Local {
    fn of(at: Nanos, zone: &Zone) -> Self {
        let seconds = i64::try_from(at.div_euclid(NANOS_PER_SECOND)).unwrap_or(0);
        let offset = zone.offset_at(seconds);
        let local = seconds.saturating_add(offset);
        // No calendar goes beyond this; clamped, so that arithmetic stays in bounds.
        let (year, month, day) =
            civil_from_days(local.div_euclid(86_400).clamp(-400_000_000_000, 400_000_000_000));
        let nano = at.rem_euclid(NANOS_PER_SECOND) as i64;
        Self { year, month, day, second_of_day: local.rem_euclid(86_400), nano, offset }
    }
}

fn print_offset(offset: i64, colon: bool) -> String {
    match (offset, colon) {
        (0, true) => "Z".into(),
        _ => {
            let (sign, seconds) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
            let colon = if colon { ":" } else { "" };
            format!("{sign}{:02}{colon}{:02}", seconds / 3_600, seconds / 60 % 60)
        }
    }
}

/// `2024-01-01T00:00:00.000Z`, with more digits if the instant has them.
pub(crate) fn print_optional_time(at: Nanos, zone: &Zone) -> String {
    let local = Local::of(at, zone);
    let mut fraction = format!("{:09}", local.nano);
    while fraction.len() > 3 && fraction.ends_with('0') {
        fraction.pop();
    }
    let (h, m, s) = (local.second_of_day / 3_600, local.second_of_day / 60 % 60, local.second_of_day % 60);
    let zone = print_offset(local.offset, true);
    format!("{:04}-{:02}-{:02}T{h:02}:{m:02}:{s:02}.{fraction}{zone}", local.year, local.month, local.day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(format: &str, text: &str) -> Option<i64> {
        Formats::new(format).unwrap().parse(text, false, &Zone::UTC).ok().map(super::super::to_millis)
    }

    #[test]
    fn the_default_reads_iso_and_milliseconds() {
        let default = Formats::default();
        let read = |text: &str| default.parse(text, false, &Zone::UTC).ok().map(super::super::to_millis);
        assert_eq!(read("2024-01-01T00:00:00Z"), Some(1_704_067_200_000));
        assert_eq!(read("2024-01-01T02:00:00.5+02:00"), Some(1_704_067_200_500));
        assert_eq!(read("2024-01"), Some(1_704_067_200_000));
        assert_eq!(read("1704067200000"), Some(1_704_067_200_000));
        assert_eq!(read("-1"), Some(-1));
        for text in ["2024-1-1", "2024-02-30", "24-01-01", "2024-01-01 00:00:00", "x", "", "2024-01-01T25"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn patterns_read_and_print() {
        assert_eq!(millis("yyyy/MM/dd HH:mm:ss", "2024/01/01 00:00:01"), Some(1_704_067_201_000));
        assert_eq!(millis("dd/MMM/yyyy:HH:mm:ss Z", "01/Jan/2024:02:00:00 +0200"), Some(1_704_067_200_000));
        assert_eq!(millis("epoch_second", "1704067200"), Some(1_704_067_200_000));
        assert_eq!(millis("epoch_second", "1704067200.25"), Some(1_704_067_200_250));
        assert_eq!(millis("basic_date", "20240101"), Some(1_704_067_200_000));
        assert!(Formats::new("EEEE yyyy").is_err());
        assert!(Formats::new("HH:mm").is_err());
        let at = super::super::from_millis(1_704_067_201_250);
        assert_eq!(
            Formats::new("yyyy/MM/dd'T'HH:mm:ss.SSS").unwrap().print(at, &Zone::UTC),
            "2024/01/01T00:00:01.250"
        );
        assert_eq!(Formats::new("epoch_second").unwrap().print(at, &Zone::UTC), "1704067201.25");
        assert_eq!(print_optional_time(at, &Zone::Fixed(7_200)), "2024-01-01T02:00:01.250+02:00");
    }
}
