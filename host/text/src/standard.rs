//! Default texts, used where a manifest has none.
use serde_json::{Map, Value as Json};
use watchbell_contract::Label;

use super::documents::{DOCUMENTS, DOCUMENTS_ELSE, DOCUMENTS_NOTE};

/// The title if `alert.title` is missing.
pub const TITLE: &str = "{{ summary }}";

/// The body if `alert.body` is missing.
pub const BODY: &str = "\
{{ summary }}
{% if owner %}{{ owner }} · {% endif %}{{ severity }} · {{ rule }}

{% for row in rows %}
- {{ row.field }}: {{ row.value }}
{%- endfor %}
{%- if documents_note %}

{{ documents_note }}
{%- endif %}
{%- if more %}

{{ count }} in all:
{% for line in more %}
- {{ line }}
{%- endfor %}
{%- endif %}

{{ link }}";

/// Added to the title and body of a message that stands for several signals, if the template does not say so itself.
pub(super) const TITLE_MORE: &str = " (and {{ count - 1 }} more)";
pub(super) const BODY_MORE: &str =
    "\n\n{{ count }} in all:\n{% for line in more %}\n- {{ line }}\n{%- endfor %}\n";

/// The fields of a document that are shown first.
const FIRST: [&str; 5] = ["message", "error.message", "host.name", "user.name", "source.ip"];

const ROWS_MAX: usize = 12;
/// Maximum characters of a row's value, and of its name.
const VALUE_MAX: usize = 200;

/// The labels, then the fields of the document: the most common ones first, the rest by name. Without a document, the
/// rule's details are used instead.
pub(super) fn rows(labels: &[Label], details: &Json, document: Option<&Json>) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = labels
        .iter()
        .map(|label| (label.name.clone(), label.value.clone().unwrap_or_else(|| "(missing)".into())))
        .collect();
    let mut fields = Vec::new();
    match document.unwrap_or(details) {
        Json::Object(members) => flat(members, "", &mut fields),
        _ => return rows,
    }
    fields.retain(|(name, _)| !labels.iter().any(|label| label.name == *name));
    fields.sort_by(|(a, _), (b, _)| (place(a), a).cmp(&(place(b), b)));
    rows.extend(fields);
    rows.truncate(ROWS_MAX);
    for (name, value) in &mut rows {
        (*name, *value) = (shortened(name), shortened(value));
    }
    rows
}

fn place(name: &str) -> usize {
    let event = name.starts_with("event.").then_some(FIRST.len());
    FIRST.iter().position(|first| *first == name).or(event).unwrap_or(FIRST.len() + 1)
}

/// Every field by its full name.
fn flat(members: &Map<String, Json>, before: &str, fields: &mut Vec<(String, String)>) {
    for (name, value) in members {
        let name = format!("{before}{name}");
        match value {
            Json::Object(inner) => flat(inner, &format!("{name}."), fields),
            Json::Null => {}
            // Whole documents, and the note on missing ones, are not fields of the rule.
            Json::Array(_) if name == DOCUMENTS || name == DOCUMENTS_ELSE => {}
            Json::String(_) if name == DOCUMENTS_NOTE => {}
            value => fields.push((name, written(value))),
        }
    }
}

fn written(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().take(VALUE_MAX).map(written).collect::<Vec<_>>().join(", "),
        plain => plain.to_string(),
    }
}

/// One line, shortened to the length of a row.
fn shortened(text: &str) -> String {
    let mut line = String::new();
    let mut chars = text.split_whitespace().flat_map(|word| [" ", word]).skip(1).flat_map(str::chars);
    line.extend(chars.by_ref().take(VALUE_MAX));
    if chars.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn label(name: &str, value: Option<&str>) -> Label {
        Label { name: name.into(), value: value.map(Into::into) }
    }

    fn names(rows: &[(String, String)]) -> Vec<&str> {
        rows.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn what_everybody_looks_for_comes_first() {
        let document = json!({
            "zone": "a", "agent": { "name": "x" }, "event": { "action": "login", "code": 7 }, "source.ip": "10.0.0.1",
            "user": { "name": "ada" }, "host": { "name": "db-1" }, "error": { "message": "boom" }, "message": "m\nn",
            "gone": null,
        });
        let rows = rows(
            &[label("user.name", Some("ada")), label("team", None)],
            &json!({ "count": 3 }),
            Some(&document),
        );
        assert_eq!(
            names(&rows),
            [
                "user.name",
                "team",
                "message",
                "error.message",
                "host.name",
                "source.ip",
                "event.action",
                "event.code",
                "agent.name",
                "zone"
            ]
        );
        assert_eq!((rows[1].1.as_str(), rows[2].1.as_str()), ("(missing)", "m n"));
    }

    #[test]
    fn without_a_document_the_details_stand_in() {
        let details = json!({ "count": 3, "values": ["a", "b"], "documents": [] });
        let rows = rows(&[label("host", Some("a"))], &details, None);
        assert_eq!(
            rows,
            [("host", "a"), ("count", "3"), ("values", "a, b")].map(|(a, b)| (a.into(), b.into()))
        );
    }

    #[test]
    fn rows_and_their_values_have_a_limit() {
        let many: Map<String, Json> = (0..40).map(|n| (format!("f{n:02}"), json!("x".repeat(500)))).collect();
        let rows = rows(&[], &Json::Object(many), None);
        assert_eq!((rows.len(), rows[11].0.as_str()), (ROWS_MAX, "f11"));
        assert_eq!(rows[0].1.chars().count(), VALUE_MAX);
        assert!(rows[0].1.ends_with("x…"));
    }
}
