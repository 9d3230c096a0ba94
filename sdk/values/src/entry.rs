use crate::Instants;

/// The text between the slashes of an entry `/like this/`, which is a regular expression. `None`: the entry is a plain
/// value.
pub fn expression(entry: &str) -> Option<&str> {
    entry.strip_prefix('/')?.strip_suffix('/').filter(|expression| !expression.is_empty())
}

/// Whether a query would read `entry` as date math: `now`, `now-1d/d`, `2024-01-01||/M`. In a list it matches nothing:
/// a list that changes its meaning over time would make results impossible to reproduce.
pub fn is_date_math(entry: &str) -> bool {
    let steps = match entry.split_once("||") {
        Some((date, steps)) => Instants::read(date).is_some().then_some(steps),
        None => entry.strip_prefix("now"),
    };
    steps.is_some_and(are_steps)
}

/// Such as `+1d-2h/d`.
fn are_steps(text: &str) -> bool {
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        if !matches!(sign, '+' | '-' | '/') {
            return false;
        }
        rest = rest[1..].trim_start_matches(|c: char| sign != '/' && c.is_ascii_digit());
        let Some(behind) = rest.strip_prefix(['y', 'M', 'w', 'd', 'h', 'H', 'm', 's']) else { return false };
        rest = behind;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_stand_between_slashes() {
        assert_eq!(expression("/web-[0-9]+/"), Some("web-[0-9]+"));
        for plain in ["", "/", "//", "/usr", "usr/", "a/b"] {
            assert_eq!(expression(plain), None, "{plain}");
        }
    }

    #[test]
    fn date_math_is_known_by_its_steps() {
        for math in
            ["now", "now-1d", "now-1d/d", "now+1M-2h", "now/w", "2024-01-01||+1d", "2024||/M", "now-d"]
        {
            assert!(is_date_math(math), "{math}");
        }
        for text in
            ["", "nowhere", "now-", "now-1x", "now/1d", "2024-01-01", "a||/d", "now 1d", "now-1é", "||"]
        {
            assert!(!is_date_math(text), "{text}");
        }
    }
}
