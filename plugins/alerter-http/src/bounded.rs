use serde_json::{Map, Value as Json};

/// The value with at most about `bytes_max` bytes as JSON: texts are cut, and what then does not fit is left out, from
/// the end.
pub(crate) fn bounded(value: Json, bytes_max: usize) -> Json {
    let mut left = bytes_max;
    within(value, &mut left).unwrap_or(Json::Null)
}

/// Takes the size of what is kept from `left`. `None`: nothing of it fits.
fn within(value: Json, left: &mut usize) -> Option<Json> {
    match value {
        Json::String(text) => {
            // In the worst case a character is six bytes, `\u0000`.
            let room = left.checked_sub(2)?;
            let mut used = 0;
            let end = text.char_indices().find(|(_, character)| {
                used += escaped_bytes(*character);
                used > room
            });
            let kept = end.map_or(text.as_str(), |(end, _)| &text[..end]);
            *left -= 2 + kept.chars().map(escaped_bytes).sum::<usize>();
            Some(Json::String(kept.to_owned()))
        }
        Json::Array(items) => {
            *left = left.checked_sub(2)?;
            let mut kept = Vec::new();
            for item in items {
                let Some(item) = take(1, left).and_then(|()| within(item, left)) else { break };
                kept.push(item);
            }
            Some(Json::Array(kept))
        }
        Json::Object(members) => {
            *left = left.checked_sub(2)?;
            let mut kept = Map::new();
            for (name, member) in members {
                let name_bytes = 4 + name.chars().map(escaped_bytes).sum::<usize>();
                let Some(member) = take(name_bytes, left).and_then(|()| within(member, left)) else { break };
                kept.insert(name, member);
            }
            Some(Json::Object(kept))
        }
        plain => {
            take(plain.to_string().len(), left)?;
            Some(plain)
        }
    }
}

fn take(bytes: usize, left: &mut usize) -> Option<()> {
    *left = left.checked_sub(bytes)?;
    Some(())
}

fn escaped_bytes(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        control if control < ' ' => 6,
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_stays_as_it_is() {
        let value = json!({ "a": [1, 2.5, null, true], "b": { "c": "d\n\"" } });
        assert_eq!(bounded(value.clone(), 1_000), value);
    }

    #[test]
    fn the_end_is_left_out_and_a_text_is_cut() {
        assert_eq!(bounded(json!({ "a": "0123456789", "b": 1 }), 14), json!({ "a": "01234" }));
        assert_eq!(bounded(json!([1, 2, 3, 4]), 7), json!([1, 2]));
        assert_eq!(bounded(json!("äöü"), 5), json!("ä"));
        assert_eq!(bounded(json!("text"), 1), Json::Null);
    }

    #[test]
    fn no_value_is_larger_than_its_bound() {
        let value =
            json!({ "text": "\u{1}\"ä".repeat(20), "list": ["x\\", { "deep": [[["y"]]], "n": -1e300 }] });
        for most in 4..200 {
            let size = bounded(value.clone(), most).to_string().len();
            assert!(size <= most, "{size} > {most}");
        }
    }
}
