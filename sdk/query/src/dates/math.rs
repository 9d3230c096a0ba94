//! Date maths: an anchor, then steps (`+1M`) and roundings (`/d`).
use super::{Formats, NANOS_PER_MILLI, NANOS_PER_SECOND, Nanos, Unit, Zone, from_millis};

/// Reads `now…`, `DATE||…` or a plain date.
///
/// - `round_up`: missing parts of a date, and `/unit`, become the last millisecond instead of the first.
/// - `zone`: for dates that name none, and for rounding.
pub fn parse_math(
    text: &str,
    formats: &Formats,
    now: i64,
    round_up: bool,
    zone: &Zone,
) -> Result<Nanos, String> {
    let (anchor, steps) = if let Some(steps) = text.strip_prefix("now") {
        (from_millis(now), steps)
    } else if let Some((date, steps)) = text.split_once("||") {
        (formats.parse(date, false, zone)?, steps)
    } else {
        return formats.parse(text, round_up, zone);
    };
    walk(anchor, steps, round_up, zone)
        .ok_or_else(|| format!("failed to parse date field [{text}]: truncated or unknown date math"))
}

fn walk(mut at: Nanos, mut steps: &str, round_up: bool, zone: &Zone) -> Option<Nanos> {
    while let Some(op) = steps.chars().next() {
        steps = &steps[op.len_utf8()..];
        let digits = steps.bytes().take_while(u8::is_ascii_digit).count();
        let count: i64 = match (&steps[..digits], op) {
            ("", _) => 1,
            // Only a single unit can be rounded to.
            (text, '/') => (text == "1").then_some(1)?,
            (text, _) => text.parse::<u32>().ok()?.into(),
        };
        steps = &steps[digits..];
        let unit = steps.chars().next()?;
        steps = &steps[unit.len_utf8()..];
        let unit = match unit {
            'y' => Unit::Year,
            'M' => Unit::Month,
            'w' => Unit::Week,
            'd' => Unit::Day,
            'h' | 'H' => Unit::Hour,
            'm' => Unit::Minute,
            's' => Unit::Second,
            _ => return None,
        };
        let seconds = i64::try_from(at.div_euclid(NANOS_PER_SECOND)).ok()?;
        let rest = at.rem_euclid(NANOS_PER_SECOND);
        at = match op {
            '+' => Nanos::from(unit.plus(seconds, count, zone)) * NANOS_PER_SECOND + rest,
            '-' => Nanos::from(unit.plus(seconds, -count, zone)) * NANOS_PER_SECOND + rest,
            '/' => {
                let floor = unit.floor(seconds, zone);
                if round_up {
                    Nanos::from(unit.plus(floor, 1, zone)) * NANOS_PER_SECOND - NANOS_PER_MILLI
                } else {
                    Nanos::from(floor) * NANOS_PER_SECOND
                }
            }
            _ => return None,
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::super::format::print_optional_time;
    use super::super::to_millis;
    use super::*;

    fn at(text: &str, round_up: bool, zone: &str) -> String {
        let now = to_millis(Formats::default().parse("2024-03-31T10:20:30.400Z", false, &Zone::UTC).unwrap());
        match parse_math(text, &Formats::default(), now, round_up, &Zone::parse(zone).unwrap()) {
            Ok(nanos) => print_optional_time(nanos, &Zone::UTC),
            Err(_) => "error".into(),
        }
    }

    #[test]
    fn maths_moves_and_rounds() {
        assert_eq!(at("now-5m", false, "Z"), "2024-03-31T10:15:30.400Z");
        assert_eq!(at("now-1M", false, "Z"), "2024-02-29T10:20:30.400Z");
        assert_eq!(at("now/d", false, "Z"), "2024-03-31T00:00:00.000Z");
        assert_eq!(at("now/d", true, "Z"), "2024-03-31T23:59:59.999Z");
        assert_eq!(at("now-1d/d", false, "Europe/Berlin"), "2024-03-29T23:00:00.000Z");
        assert_eq!(at("2024-01-01||+1d-1h", false, "Z"), "2024-01-01T23:00:00.000Z");
        assert_eq!(at("2024-01-01", true, "Z"), "2024-01-01T23:59:59.999999999Z");
        assert_eq!(at("2024", true, "Z"), "2024-01-01T23:59:59.999999999Z");
        assert_eq!(at("now+", false, "Z"), "error");
        assert_eq!(at("now/2d", false, "Z"), "error");
        assert_eq!(at("nowhere", false, "Z"), "error");
    }
}
