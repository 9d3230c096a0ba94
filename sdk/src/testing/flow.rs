//! Values as YAML on one line.
use serde_json::Value;

/// A value as YAML on one line.
pub fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) if map.is_empty() => "{}".into(),
        Value::Object(map) => {
            let members: Vec<_> =
                map.iter().map(|(name, value)| format!("{}: {}", plain(name), flow(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => plain(text),
        other => other.to_string(),
    }
}

/// Unquoted if it is unambiguous.
fn plain(text: &str) -> String {
    let word = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "_-. ".contains(char))
        && !text.ends_with(' ')
        && !matches!(
            text.to_lowercase().as_str(),
            "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    let span = text.trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit())
        && text.ends_with(|last: char| "smhdw".contains(last))
        && text.trim_start_matches('-').chars().all(|char| char.is_ascii_digit() || "smhdw".contains(char));
    if word || span { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_read_back_as_they_were() {
        let value = json!({ "at": "1m30s", "since": "-1h", "labels": { "host": "a-1", "x.y": null }, "value": 2.0,
            "summary": "3 events: \"bad\"", "no": ["on", "12", "12s", "a b"] });
        let text = flow(&value);
        assert_eq!(
            text,
            r#"{ at: 1m30s, since: -1h, labels: { host: a-1, x.y: null }, value: 2.0, summary: "3 events: \"bad\"", "no": ["on", "12", 12s, a b] }"#
        );
    }
}
