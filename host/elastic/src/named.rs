//! The fields that a filter or an aggregation names, and whether it can reach them. At the root, neither matches
//! anything inside a nested object, and servers do not report that.
use std::collections::BTreeSet;

use serde_json::Value;
use watchbell_contract::Query;

use crate::{error::ErrorKind, mapping::Mapping};

/// Queries whose first key is a field name.
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
/// Queries of places: all keys but these options are field names.
const GEO: [&str; 4] = ["geo_distance", "geo_bounding_box", "geo_polygon", "geo_shape"];
const GEO_OPTIONS: [&str; 8] =
    ["_name", "boost", "distance", "distance_type", "ignore_unmapped", "type", "unit", "validation_method"];
/// No person nests a filter deeper.
const DEPTH_MAX: usize = 64;

/// The fields that a condition names. None if it is no query: that is told where it becomes one.
pub(crate) fn of(query: &Query) -> BTreeSet<String> {
    match query {
        Query::Lucene(text) => lucene(text).into_iter().collect(),
        Query::Dsl(text) => serde_json::from_str(text).map(|query| fields(&query)).unwrap_or_default(),
    }
}

/// The fields that a query names, except inside `nested`.
pub(crate) fn fields(query: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(query, &mut found, DEPTH_MAX);
    found
}

/// The fields that a search's aggregations, sort and `post_filter` read at the root, not inside `nested`.
pub(crate) fn read_by(search: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    aggregated(search, &mut found, DEPTH_MAX);
    if let Some(query) = search.get("post_filter") {
        collect(query, &mut found, DEPTH_MAX);
    }
    let sort = search
        .get("sort")
        .map_or(&[][..], |sort| sort.as_array().map_or(std::slice::from_ref(sort), Vec::as_slice));
    for key in sort {
        match key {
            Value::String(field) => _ = found.insert(field.clone()),
            Value::Object(of) => {
                let at_root = of.iter().filter(|(_, options)| options.get("nested").is_none());
                found.extend(at_root.map(|(field, _)| field.clone()));
            }
            _ => {}
        }
    }
    found.retain(|field| !field.starts_with('_'));
    found
}

/// # Errors
/// The first of `fields` that is nested or inside a nested object, where a filter at the root matches nothing.
pub(crate) fn reachable<'a>(
    fields: impl Iterator<Item = &'a str>,
    mapping: &Mapping,
) -> Result<(), ErrorKind> {
    let help = |root: &str| format!("write it in Query DSL: `nested: {{ path: {root}, query: … }}`");
    at_root(fields, mapping, "its filter names", help)
}

/// # Errors
/// As `reachable`, for what aggregations and a sort read.
pub(crate) fn readable<'a>(
    fields: impl Iterator<Item = &'a str>,
    mapping: &Mapping,
) -> Result<(), ErrorKind> {
    let help = |root: &str| format!("wrap it in an aggregation `nested: {{ path: {root} }}`");
    at_root(fields, mapping, "its search reads", help)
}

fn at_root<'a>(
    mut fields: impl Iterator<Item = &'a str>,
    mapping: &Mapping,
    what: &str,
    help: impl Fn(&str) -> String,
) -> Result<(), ErrorKind> {
    fields.try_for_each(|field| {
        let is_nested = mapping.field(field).is_some_and(|caps| caps.is("nested"));
        let reason = match mapping.nested_root(field) {
            Some(root) => format!(
                "{what} `{field}` inside the nested object `{root}`, where it would match nothing; {}",
                help(root)
            ),
            None if is_nested => {
                format!("{what} the nested object `{field}`, where it would match nothing; {}", help(field))
            }
            None => return Ok(()),
        };
        Err(ErrorKind::Question { reason })
    })
}

fn aggregated(of: &Value, found: &mut BTreeSet<String>, depth: usize) {
    let Some(deeper) = depth.checked_sub(1) else { return };
    let aggs = ["aggs", "aggregations"].iter().filter_map(|key| of.get(key)?.as_object());
    for agg in aggs.flat_map(|aggs| aggs.values()).filter(|agg| agg.get("nested").is_none()) {
        for (kind, body) in agg.as_object().into_iter().flatten() {
            match kind.as_str() {
                "aggs" | "aggregations" | "meta" | "top_hits" => {}
                "filter" => collect(body, found, deeper),
                "filters" | "adjacency_matrix" => {
                    let filters = body.get("filters");
                    let listed = filters.and_then(Value::as_array).into_iter().flatten();
                    let named = filters.and_then(Value::as_object).into_iter().flat_map(|map| map.values());
                    listed.chain(named).for_each(|query| collect(query, found, deeper));
                }
                _ => measured(body, found, deeper),
            }
        }
        aggregated(agg, found, deeper);
    }
}

/// Every `field`, however deep: those of a composite's sources or of a weight, but not of a script.
fn measured(body: &Value, found: &mut BTreeSet<String>, depth: usize) {
    let Some(deeper) = depth.checked_sub(1) else { return };
    match body {
        Value::Array(items) => items.iter().for_each(|item| measured(item, found, deeper)),
        Value::Object(map) => {
            for (key, held) in map {
                match (key.as_str(), held) {
                    ("field", Value::String(field)) => _ = found.insert(field.clone()),
                    ("script", _) => {}
                    _ => measured(held, found, deeper),
                }
            }
        }
        _ => {}
    }
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
                    (name, Value::Object(of)) if GEO.contains(&name) => {
                        found.extend(of.keys().filter(|key| !GEO_OPTIONS.contains(&key.as_str())).cloned());
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

/// The names before a colon in Lucene syntax, and after `_exists_:`. Not a parser: quoted, regular and escaped text is
/// skipped, and a wrong name only costs a look-up.
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
                { "geo_distance": { "distance": "1km", "h": { "lat": 1, "lon": 2 }, "ignore_unmapped": true } },
            ],
        } });
        assert_eq!(fields(&query).into_iter().collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "f", "g", "h"]);
    }

    #[test]
    fn searches_read_fields_except_in_nested() {
        let search = json!({
            "aggs": {
                "field": { "terms": { "field": "a", "order": { "m": "asc" } }, "aggs": { "m": { "max": { "field": "b" } } } },
                "n": { "nested": { "path": "n" }, "aggs": { "s": { "sum": { "field": "n.x" } } } },
                "c": { "composite": { "sources": [{ "k": { "terms": { "field": "c" } } }] } },
                "f": { "filters": { "filters": { "bad": { "term": { "d": 1 } } } } },
                "s": { "scripted_metric": { "script": { "field": "no" } } },
            },
            "aggregations": { "g": { "filter": { "exists": { "field": "e" } }, "aggs": { "w": {
                "weighted_avg": { "value": { "field": "f" }, "weight": { "field": "g" } },
            } } } },
            "post_filter": { "range": { "h": { "gt": 1 } } },
            "sort": ["i", { "j": "desc" }, { "n.y": { "order": "asc", "nested": { "path": "n" } } }, "_doc"],
        });
        assert_eq!(
            read_by(&search).into_iter().collect::<Vec<_>>(),
            ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
        );
        assert!(read_by(&json!({ "aggs": [], "sort": 1 })).is_empty());
    }

    #[test]
    fn what_lies_in_nested_objects_is_refused_by_name() {
        let mapping = Mapping::parse(
            br#"{"indices":"x","fields":{
                "items":{"nested":{"type":"nested","aggregatable":false}},
                "items.n":{"long":{"type":"long","aggregatable":true}},
                "o":{"object":{"type":"object","aggregatable":false}}}}"#,
        )
        .unwrap();
        let told = |told: Result<(), ErrorKind>| told.unwrap_err().to_string();
        assert_eq!(
            told(reachable(["o", "items"].into_iter(), &mapping)),
            "the query cannot be run: its filter names the nested object `items`, where it would match nothing; write it in Query DSL: `nested: { path: items, query: … }`"
        );
        assert_eq!(
            told(readable(["items.n"].into_iter(), &mapping)),
            "the query cannot be run: its search reads `items.n` inside the nested object `items`, where it would match nothing; wrap it in an aggregation `nested: { path: items }`"
        );
        reachable(["o", "o.x", "y"].into_iter(), &mapping).unwrap();
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            _ = lucene(&text);
        }
    }
}
