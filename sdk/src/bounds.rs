//! Texts of documents, cut to a signal's limits: one long value must not prevent the alert.
use serde_json::{Map, Value as Json};

pub(crate) use watchbell_rows::{LABEL_BYTES_MAX, label};

/// Limit of a summary, in bytes. The host accepts 16 KiB.
pub(crate) const SUMMARY_BYTES_MAX: usize = 2 << 10;
/// Limit of details as JSON text, in bytes. The host accepts 256 KiB.
pub(crate) const DETAILS_BYTES_MAX: usize = 64 << 10;
/// Bytes of a name in `details`.
const NAME_BYTES_MAX: usize = 512;

const ELLIPSIS: char = '…';

/// The beginning of `text` and an ellipsis, at most `bytes_max` bytes; the whole text if it fits.
pub(crate) fn text(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max.saturating_sub(ELLIPSIS.len_utf8())));
        text.push(ELLIPSIS);
    }
    text
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
