//! Time zones: fixed offsets, and names from the bundled database.
use jiff::tz::TimeZone;

#[derive(Clone, Debug, PartialEq)]
pub enum Zone {
    /// Seconds east of UTC.
    Fixed(i64),
    Named(TimeZone),
}

impl Zone {
    pub const UTC: Self = Self::Fixed(0);

    /// `Z`, `UTC`, `+02`, `+0200`, `+02:00` or a name such as `Europe/Berlin`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Z" | "z" | "UTC" | "GMT" | "Etc/UTC" => return Some(Self::UTC),
            _ => {}
        }
        if let Some((offset, "")) = parse_offset(text) {
            return Some(Self::Fixed(offset));
        }
        if text.starts_with(['+', '-']) {
            return None;
        }
        TimeZone::get(text).ok().map(Self::Named)
    }

    /// Seconds east of UTC at that instant.
    pub fn offset_at(&self, at: i64) -> i64 {
        match self {
            Self::Fixed(offset) => *offset,
            Self::Named(zone) => match jiff::Timestamp::from_second(at) {
                Ok(at) => i64::from(zone.to_offset(at).seconds()),
                Err(_) => 0,
            },
        }
    }

    /// The instant of a local time; in a gap the later one, in a fold the earlier, as in java.time.
    pub fn instant_of_local(&self, local: i64) -> i64 {
        match self {
            Self::Fixed(offset) => local.saturating_sub(*offset),
            Self::Named(zone) => {
                let civil = jiff::Timestamp::from_second(local)
                    .ok()
                    .map(|local| jiff::tz::Offset::UTC.to_datetime(local))
                    .and_then(|civil| zone.to_ambiguous_timestamp(civil).compatible().ok());
                civil.map_or(local, |at| at.as_second())
            }
        }
    }
}

/// Reads an offset at the start of `text`: its seconds, and the rest.
pub(crate) fn parse_offset(text: &str) -> Option<(i64, &str)> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Some((0, rest));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |text: &str| -> Option<i64> {
        let digits = text.get(..2)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let rest = &text[1..];
    let hours = two(rest)?;
    let rest = &rest[2..];
    let (minutes, rest) = match rest.strip_prefix(':').and_then(|rest| Some((two(rest)?, &rest[2..]))) {
        Some(found) => found,
        None => match two(rest) {
            Some(minutes) => (minutes, &rest[2..]),
            None => (0, rest),
        },
    };
    (hours <= 18 && minutes < 60).then_some((sign * (hours * 3_600 + minutes * 60), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_in_every_spelling() {
        for text in ["+02", "+0200", "+02:00"] {
            assert_eq!(Zone::parse(text), Some(Zone::Fixed(7_200)), "{text}");
        }
        assert_eq!(Zone::parse("-0530"), Some(Zone::Fixed(-19_800)));
        assert_eq!(Zone::parse("+2"), None);
        assert_eq!(Zone::parse("Atlantis"), None);
    }
}
