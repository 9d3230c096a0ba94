//! Which fields a filter names, and whether it can reach them. A query at the root finds nothing in a nested object,
//! and servers do not say so.
use std::collections::BTreeSet;

use serde_json::Value;

use crate::{error::Cause, mapping::Mapping};

/// Queries whose first key is a field's name.
const OF_A_FIELD: [&str; 14] = [
    "term",
    "terms",
    "terms_set",
    "range",
    "match",
    "match_phrase",
    "match_phrase_prefix",
    "match_bool_prefix",
    "prefix",
    "wildcard",
    "regexp",
    "fuzzy",
    "span_term",
    "intervals",
];
/// A filter nested deeper than this was not written by a person.
const DEPTH_MAX: usize = 64;

/// The fields that a query names, except within `nested`.
pub(crate) fn fields(query: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(query, &mut found, DEPTH_MAX);
    found
}

/// # Errors
/// The first of `fields` that lies in a nested object, which a filter at the root does not reach.
pub(crate) fn reachable<'a>(
    mut fields: impl Iterator<Item = &'a str>,
    mapping: &Mapping,
) -> Result<(), Cause> {
    fields.try_for_each(|field| match mapping.nested_root(field) {
        Some(root) => Err(Cause::Question {
            reason: format!(
                "its filter names `{field}`, which lies in the nested object `{root}`, and finds nothing there; write it in Query DSL: `nested: {{ path: {root}, query: … }}`"
            ),
        }),
        None => Ok(()),
    })
}

fn collect(value: &Value, found: &mut BTreeSet<String>, depth: usize) {
    let Some(deeper) = depth.checked_sub(1) else { return };
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found, deeper)),
        Value::Object(map) => {
            for (key, held) in map {
                let named = held.get("field").and_then(Value::as_str);
                let written = held.get("query").and_then(Value::as_str);
                match (key.as_str(), held) {
                    ("nested" | "has_child" | "has_parent" | "script" | "script_score", _) => {}
                    ("exists", _) => found.extend(named.map(str::to_owned)),
                    ("query_string", _) => {
                        found.extend(written.into_iter().flat_map(lucene));
                        listed(held, found);
                    }
                    ("simple_query_string" | "multi_match" | "combined_fields", _) => listed(held, found),
                    (name, Value::Object(of)) if OF_A_FIELD.contains(&name) => {
                        let options = ["boost", "_name"];
                        found.extend(of.keys().filter(|key| !options.contains(&key.as_str())).cloned());
                    }
                    _ => collect(held, found, deeper),
                }
            }
        }
        _ => {}
    }
}

/// `fields: ["a", "b^2"]` and `default_field`.
fn listed(held: &Value, found: &mut BTreeSet<String>) {
    let fields = held.get("fields").and_then(Value::as_array).into_iter().flatten();
    let all = fields.chain(held.get("default_field")).filter_map(Value::as_str);
    found.extend(
        all.filter_map(|field| field.split('^').next()).filter(|field| *field != "*").map(Into::into),
    );
}

/// The fields that stand before a colon in Lucene syntax, and after `_exists_:`. No parser: what is in quotes, in a
/// regular expression or escaped is passed over, and a name that is none costs a look at the mapping.
pub(crate) fn lucene(text: &str) -> Vec<String> {
    let mut names = vec![];
    let mut word = String::new();
    // Whether a term may begin here: only there does `/` open a regular expression.
    let mut fresh = true;
    let mut exists = false;
    let mut chars = text.chars();
    let end = |word: &mut String, exists: &mut bool, names: &mut Vec<String>| {
        let word = std::mem::take(word);
        if std::mem::take(exists) && !word.is_empty() {
            names.push(word);
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            ':' => {
                let name = std::mem::take(&mut word);
                exists = name == "_exists_";
                if !exists && !name.is_empty() && name != "*" {
                    names.push(name);
                }
                fresh = true;
                continue;
            }
            quote @ ('"' | '/') if quote == '"' || fresh => {
                end(&mut word, &mut exists, &mut names);
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => _ = chars.next(),
                        c if c == quote => break,
                        _ => {}
                    }
                }
            }
            c if c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | '!' | '^' | '~') => {
                end(&mut word, &mut exists, &mut names);
                fresh = true;
                continue;
            }
            '+' | '-' | '>' | '<' | '=' | '&' | '|' if word.is_empty() => {
                fresh = true;
                continue;
            }
            c => word.push(c),
        }
        fresh = false;
    }
    end(&mut word, &mut exists, &mut names);
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_stand_before_colons() {
        for (text, names) in [
            ("status:[500 TO 599]", vec!["status"]),
            ("+a.b:x -(c_d:\"e:f\" OR g:/h:i/) AND NOT j:k", vec!["a.b", "c_d", "g", "j"]),
            ("_exists_:items.sku AND path:\\/api", vec!["items.sku", "path"]),
            (r"we\:ird:x", vec!["we:ird"]),
            ("items.\\*:x", vec!["items.*"]),
            ("n:>=5 m:<3 (n2:(a b) x)^2", vec!["n", "m", "n2"]),
            ("free words \"a:b\" a/b", vec![]),
            ("", vec![]),
            ("a:\\", vec!["a"]),
        ] {
            assert_eq!(lucene(text), names, "{text}");
        }
    }

    #[test]
    fn queries_name_fields_except_in_nested() {
        let query = json!({ "bool": {
            "filter": [{ "term": { "a": { "value": 1 } } }, { "range": { "b": { "gte": 1 }, "boost": 2 } }],
            "must_not": { "exists": { "field": "c" } },
            "should": [
                { "nested": { "path": "n", "query": { "term": { "n.x": 1 } } } },
                { "query_string": { "query": "d:1", "default_field": "e" } },
                { "multi_match": { "query": "x", "fields": ["f^2", "*"] } },
                { "constant_score": { "filter": { "match": { "g": "x" } } } },
            ],
        } });
        assert_eq!(fields(&query).into_iter().collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "f", "g"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            _ = lucene(&text);
        }
    }
}
