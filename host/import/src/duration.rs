//! `{minutes: 5}` as `5m`.
use watchbell_manifest::Place;

use crate::mask::lone_token;
use crate::node::{Data, Node};

/// The units that ElastAlert's schema allows in a duration, longest first.
const UNITS: [(&str, &str, f64); 6] = [
    ("weeks", "w", 604_800_000.0),
    ("days", "d", 86_400_000.0),
    ("hours", "h", 3_600_000.0),
    ("minutes", "m", 60_000.0),
    ("seconds", "s", 1_000.0),
    ("milliseconds", "ms", 1.0),
];

/// Ten years: the longest duration in a manifest.
const MILLIS_MAX: f64 = 3660.0 * 86_400_000.0;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    /// As manifests write it.
    pub(crate) text: String,
    /// `None`: it depends on a token.
    pub(crate) millis: Option<u64>,
}

/// What is wrong with a duration: place, message, hint.
pub(crate) type Wrong = (Place, String, String);

pub(crate) fn read(node: &Node) -> Result<Span, Wrong> {
    if let Data::Token(text) = &node.data {
        return Ok(Span { text: text.clone(), millis: None });
    }
    let entries = match &node.data {
        Data::Map(entries) if !entries.is_empty() => entries,
        _ => {
            let hint = "write, for example, `{ minutes: 5 }`".to_string();
            return Err((node.place.clone(), format!("must be a duration, found {}", node.kind()), hint));
        }
    };
    let mut parts: Vec<(usize, String)> = Vec::new();
    let mut total = Some(0.0);
    let mut whole = true;
    for entry in entries {
        let Some(unit) = UNITS.iter().position(|(name, _, _)| *name == entry.key) else {
            let near = watchbell_manifest::nearest(&entry.key, UNITS.iter().map(|unit| unit.0));
            let hint = near.map_or_else(
                || "write weeks, days, hours, minutes, seconds or milliseconds".into(),
                |near| format!("did you mean `{near}`?"),
            );
            return Err((entry.place.clone(), format!("`{}` is not a unit of time", entry.key), hint));
        };
        let (_, letter, factor) = UNITS[unit];
        match &entry.value.data {
            Data::Token(token) => {
                total = None;
                parts.push((unit, format!("{token}{letter}")));
            }
            Data::Text(text) if lone_token(text).is_some() => {
                total = None;
                parts.push((unit, format!("{text}{letter}")));
            }
            Data::Number { value, written } => {
                let number = value.as_f64().filter(|number| *number >= 0.0 && number * factor <= MILLIS_MAX);
                let Some(number) = number else {
                    let message = format!("`{}` must lie between 0 and ten years", entry.key);
                    return Err((entry.value.place.clone(), message, "write a shorter duration".into()));
                };
                whole &= value.is_u64();
                total = total.map(|total| total + number * factor);
                if number != 0.0 {
                    parts.push((unit, format!("{written}{letter}")));
                }
            }
            _ => {
                let message = format!("`{}` must be a number, found {}", entry.key, entry.value.kind());
                return Err((entry.value.place.clone(), message, "write, for example, `5`".into()));
            }
        }
    }
    parts.sort();
    let millis = total.map(|total: f64| total.round() as u64);
    let text = match millis {
        // Keep the units that people wrote: `60m` stays `60m`.
        _ if whole && !parts.is_empty() => parts.into_iter().map(|(_, part)| part).collect(),
        Some(millis) => of_millis(millis),
        None => {
            let message = "a fraction cannot be combined with a token".to_string();
            return Err((node.place.clone(), message, "write whole numbers".into()));
        }
    };
    Ok(Span { text, millis })
}

/// As manifests write it.
pub(crate) fn of_millis(mut millis: u64) -> String {
    let mut out = String::new();
    for (_, letter, factor) in UNITS.iter().skip(1) {
        let factor = *factor as u64;
        if millis >= factor {
            out.push_str(&format!("{}{letter}", millis / factor));
            millis %= factor;
        }
    }
    if out.is_empty() { "0s".into() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Span, Wrong> {
        let document = crate::tree::parse(&"x".into(), &format!("k: {text}")).unwrap();
        read(&document.entries[0].value)
    }

    #[test]
    fn spans_read() {
        for (text, expected, millis) in [
            ("{minutes: 5}", "5m", Some(300_000)),
            ("{minutes: 60}", "60m", Some(3_600_000)),
            ("{minutes: 30, hours: 1}", "1h30m", Some(5_400_000)),
            ("{hours: 1.5}", "1h30m", Some(5_400_000)),
            ("{seconds: 0}", "0s", Some(0)),
            ("{weeks: 1}", "1w", Some(604_800_000)),
            ("{milliseconds: 250}", "250ms", Some(250)),
            ("{minutes: @@M@@}", "@@M@@m", None),
            ("{hours: 1, minutes: \"@@M@@\"}", "1h@@M@@m", None),
            ("@@SPAN@@", "@@SPAN@@", None),
        ] {
            assert_eq!(read_text(text), Ok(Span { text: expected.into(), millis }), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_told() {
        for (text, message) in [
            ("5", "must be a duration, found a number"),
            ("{minuts: 5}", "`minuts` is not a unit of time"),
            ("{minutes: soon}", "`minutes` must be a number, found a string"),
            ("{weeks: 1000000}", "`weeks` must lie between 0 and ten years"),
            ("{hours: -1}", "`hours` must lie between 0 and ten years"),
            ("{hours: 0.5, minutes: @@M@@}", "a fraction cannot be combined with a token"),
        ] {
            assert_eq!(read_text(text).unwrap_err().1, message, "{text}");
        }
        assert_eq!(read_text("{minuts: 5}").unwrap_err().2, "did you mean `minutes`?");
    }
}
