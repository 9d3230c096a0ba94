//! Texts of documents, cut to a signal's limits: one long value must not prevent the alert.
use serde_json::{Map, Value as Json};

use crate::hash::hash;

/// Limit of a label's value, in bytes. The host accepts 8 KiB.
pub(crate) const LABEL_BYTES_MAX: usize = 1 << 10;
/// Limit of a summary, in bytes. The host accepts 16 KiB.
pub(crate) const SUMMARY_BYTES_MAX: usize = 2 << 10;
/// Limit of details as JSON text, in bytes. The host accepts 256 KiB.
pub(crate) const DETAILS_BYTES_MAX: usize = 64 << 10;
/// Bytes of a name in `details`.
const NAME_BYTES_MAX: usize = 512;

const ELLIPSIS: char = '…';
/// Separates a truncated label from its hash.
const MARK: &str = "…#";
const HASH_DIGITS: usize = 16;

/// The beginning of `text` and an ellipsis, at most `bytes_max` bytes; the whole text if it fits.
pub(crate) fn text(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max.saturating_sub(ELLIPSIS.len_utf8())));
        text.push(ELLIPSIS);
    }
    text
}

/// The same for a label, with a hash of the whole value: two values with the same beginning stay distinct.
pub(crate) fn label(mut text: String) -> String {
    if text.len() > LABEL_BYTES_MAX {
        let whole = hash(text.as_bytes());
        text.truncate(text.floor_char_boundary(LABEL_BYTES_MAX - MARK.len() - HASH_DIGITS));
        text.push_str(&format!("{MARK}{whole:016x}"));
    }
    text
}

/// The beginning of a label that [`label`] has truncated; `None` if it is whole.
pub(crate) fn beginning(label: &str) -> Option<&str> {
    let (beginning, digits) = label.rsplit_once(MARK)?;
    let is_hash = digits.len() == HASH_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_hash && label.len() > LABEL_BYTES_MAX - 4).then_some(beginning)
}

/// A JSON object whose longest strings and lists are shortened until it fits. `None` if it cannot be made to fit.
pub(crate) fn details(object: &str) -> Option<String> {
    if object.len() <= DETAILS_BYTES_MAX {
        return Some(object.to_owned());
    }
    let whole: Json = serde_json::from_str(object).ok()?;
    // Each round keeps less; strings are shortened before lists.
    [(16 << 10, 256), (4 << 10, 64), (1 << 10, 32), (256, 16), (64, 4), (16, 1)].into_iter().find_map(
        |(bytes_max, items_max)| {
            let text = shorten(&whole, bytes_max, items_max).to_string();
            (text.len() <= DETAILS_BYTES_MAX).then_some(text)
        },
    )
}

fn shorten(json: &Json, bytes_max: usize, items_max: usize) -> Json {
    match json {
        Json::String(long) => Json::String(text(long.clone(), bytes_max)),
        Json::Array(items) => {
            items.iter().take(items_max).map(|item| shorten(item, bytes_max, items_max)).collect()
        }
        Json::Object(members) => {
            let member = |(name, member): (&String, &Json)| {
                (text(name.clone(), NAME_BYTES_MAX), shorten(member, bytes_max, items_max))
            };
            Json::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(text("short".into(), 5), "short");
        assert_eq!(text("äöüäöü".into(), 8), "äö…");
        assert_eq!(text("äöüäöü".into(), 9), "äöü…");
    }

    #[test]
    fn long_labels_stay_apart_and_know_how_they_began() {
        let long = |end: &str| label(format!("{}{end}", "Mozilla/5.0 ".repeat(800)));
        assert_ne!(long("a"), long("b"));
        assert_eq!(long("a"), long("a"));
        assert!(long("a").len() <= LABEL_BYTES_MAX);
        assert_eq!(label(long("a")), long("a"), "what is cut is not cut again");
        assert!("Mozilla/5.0 ".repeat(800).starts_with(beginning(&long("a")).unwrap()));
        assert_eq!(beginning("web-1"), None);
        assert_eq!(beginning("web…#0123456789abcdef"), None, "short enough to be somebody's own");
        let wide = label("ü".repeat(5_000));
        assert!(beginning(&wide).unwrap().len() > LABEL_BYTES_MAX - 40);
    }

    #[test]
    fn details_are_shortened_where_they_are_long() {
        let wide: Vec<Json> = (0..50).map(|n| json!("x".repeat(n * 100))).collect();
        let whole = json!({ "trace": "at Main\n".repeat(30_000), "n": 7, "wide": wide, "o": { "t": "ok" } });
        let cut: Json = serde_json::from_str(&details(&whole.to_string()).unwrap()).unwrap();
        assert_eq!((&cut["n"], &cut["o"]["t"]), (&json!(7), &json!("ok")));
        assert!(cut["trace"].as_str().unwrap().starts_with("at Main\nat Main"));
        assert!(cut.to_string().len() <= DETAILS_BYTES_MAX);
        assert_eq!(details("{\"a\":1}").unwrap(), "{\"a\":1}");
        let many: Map<String, Json> = (0..20_000).map(|n| (n.to_string(), json!(n))).collect();
        assert_eq!(details(&Json::Object(many).to_string()), None);
    }
}
