//! Durations and sizes as manifests write them.
use watchbell_contract::Duration;

/// The longest duration: ten years.
pub(crate) const DURATION_MAX: Duration = Duration::from_hours(24 * 3660);

const UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// `90s`, `5m`, `1h30m`. Saturates at the maximum.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let millis = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        let number = if number.is_empty() { return None } else { number.parse::<u64>().unwrap_or(u64::MAX) };
        total = total.saturating_add(number.saturating_mul(millis));
        rest = after;
    }
    (!text.is_empty()).then_some(Duration(total))
}

/// `64MiB`, in bytes. Saturates at the maximum.
pub(crate) fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "GiB" => 1024 * 1024 * 1024,
        _ => return None,
    };
    if number.is_empty() {
        return None;
    }
    Some(number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(factor))
}

/// What was probably meant by `5 minutes` or `1 h 30`.
pub(crate) fn meant_duration(text: &str) -> Option<String> {
    let lower = text.trim().to_lowercase();
    let mut out = String::new();
    let mut rest = lower.as_str();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > 9 {
            return None;
        }
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (word, after) = after.split_at(letters);
        out.push_str(number);
        out.push_str(unit(word)?);
        rest = after.trim_start_matches([' ', ',']);
    }
    (!out.is_empty()).then_some(out)
}

/// What was probably meant by `64 MB`.
pub(crate) fn meant_size(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = match text[digits..].trim().to_lowercase().as_str() {
        "b" | "byte" | "bytes" => "B",
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        _ => return None,
    };
    (digits > 0).then(|| format!("{}{unit}", &text[..digits]))
}

fn unit(word: &str) -> Option<&'static str> {
    Some(match word {
        "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        "w" | "week" | "weeks" => "w",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read() {
        assert_eq!(duration("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(duration("500ms"), Some(Duration(500)));
        assert_eq!(duration("99999999999999999999w"), Some(Duration(u64::MAX)));
        for wrong in ["", "5", "m", "5 m", "5x", "-5m", "5m3"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
        assert_eq!(size("64MiB"), Some(64 << 20));
        assert_eq!((size("64MB"), size("MiB")), (None, None));
        assert_eq!(size("99999999999999999999999GiB"), Some(u64::MAX));
    }

    #[test]
    fn what_was_meant_is_told() {
        assert_eq!(meant_duration("5 minutes").as_deref(), Some("5m"));
        assert_eq!(meant_duration("1 hour, 30 min").as_deref(), Some("1h30m"));
        assert_eq!(meant_duration("soon"), None);
        assert_eq!(meant_size("64 mb").as_deref(), Some("64MiB"));
    }
}
