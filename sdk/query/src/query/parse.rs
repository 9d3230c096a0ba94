//! Reads the query DSL. Unknown parts are refused in Elasticsearch's words.
mod body; // shared options
mod compound; // compound queries
mod leaf; // queries on one field
mod geo; // queries of places
mod full_text; // `match` and related queries
mod strings; // query strings

use serde_json::Value as Json;

use body::{Body, is_boost, named, text};

use super::ast::Query;
use crate::errors::{Answer, Refusal};

/// As `indices.query.bool.max_nested_depth`.
const DEPTH_MAX: usize = 30;

/// Queries that Elasticsearch has and this node lacks, told apart from typing errors.
const UNMODELLED: &[&str] = &[
    "has_child",
    "has_parent",
    "script",
    "script_score",
    "function_score",
    "intervals",
    "more_like_this",
    "percolate",
    "geo_shape",
    "geo_polygon",
    "terms_set",
    "wrapper",
    "pinned",
    "distance_feature",
    "rank_feature",
    "span_term",
    "span_near",
    "span_or",
    "parent_id",
    "combined_fields",
    "knn",
    "semantic",
    "sparse_vector",
    "rule",
    "type",
    "common",
    "shape",
    "neural",
];

pub fn parse(json: &Json) -> Answer<Query> {
    at(json, 0)
}

fn at(json: &Json, depth: usize) -> Answer<Query> {
    if depth > DEPTH_MAX {
        return Err(Refusal::illegal(format!(
            "The nested depth of the query exceeds the maximum nested depth for queries set in [indices.query.bool.max_nested_depth] of [{DEPTH_MAX}]"
        )));
    }
    let object = json
        .as_object()
        .ok_or_else(|| Refusal::parsing("[_na] query malformed, must start with start_object"))?;
    let mut entries = object.iter();
    let Some((kind, body)) = entries.next() else {
        return Err(Refusal::illegal("query malformed, empty clause found"));
    };
    if entries.next().is_some() {
        return Err(Refusal::parsing(format!(
            "[{kind}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]"
        )));
    }
    let read = |body: &Json| -> Answer<Body> {
        body.as_object().cloned().ok_or_else(|| {
            Refusal::parsing(format!("[{kind}] query malformed, no start_object after query name"))
        })
    };
    match kind.as_str() {
        "match_all" => bare(kind, read(body)?, Query::All),
        "match_none" => bare(kind, read(body)?, Query::Nothing),
        "bool" => compound::boolean(read(body)?, depth),
        "constant_score" => compound::constant_score(read(body)?, depth),
        "dis_max" => compound::dis_max(read(body)?, depth),
        "boosting" => compound::boosting(read(body)?, depth),
        "nested" => compound::nested(read(body)?, depth),
        "match" | "match_phrase" | "match_phrase_prefix" | "match_bool_prefix" => {
            full_text::matches(kind, read(body)?)
        }
        "multi_match" => full_text::multi_match(read(body)?),
        "term" => leaf::term(kind, read(body)?),
        "terms" => leaf::terms(read(body)?),
        "range" => leaf::range(kind, read(body)?),
        "exists" => leaf::exists(read(body)?),
        "prefix" | "wildcard" | "regexp" => leaf::strings(kind, read(body)?),
        "fuzzy" => leaf::fuzzy(kind, read(body)?),
        "ids" => leaf::ids(read(body)?),
        "geo_distance" => geo::distance(read(body)?),
        "geo_bounding_box" => geo::bounding_box(read(body)?),
        "query_string" => strings::query_string(read(body)?),
        "simple_query_string" => strings::simple_query_string(read(body)?),
        other if UNMODELLED.contains(&other) => Err(Refusal::unmodelled(format!("query [{other}]"))),
        other => Err(Refusal::parsing(format!("unknown query [{other}]"))),
    }
}

fn bare(kind: &str, body: Body, query: Query) -> Answer<Query> {
    let mut name = None;
    for (key, value) in &body {
        match key.as_str() {
            "_name" => name = Some(text(kind, key, value)?),
            key if is_boost(key, value) => {}
            other => return Err(Refusal::parsing(format!("[{kind}] unknown field [{other}]"))),
        }
    }
    Ok(named(name, query))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn unknown_parts_are_refused_in_the_words_of_elasticsearch() {
        let reason = |query: Json| parse(&query).unwrap_err().reason;
        assert_eq!(reason(json!({"foo": {}})), "unknown query [foo]");
        assert_eq!(reason(json!({"bool": {"maybe": []}})), "[bool] query does not support [maybe]");
        assert_eq!(reason(json!({"range": {"a": {"from": 1}}})), "[range] query does not support [from]");
        assert_eq!(
            reason(json!({"match": {"a": {"query": "x", "slop": 1}}})),
            "[match] query does not support [slop]"
        );
        assert_eq!(
            reason(json!({"match": {"a": {"query": "x", "fuzziness": 7}}})),
            "Invalid fuzziness value: 7"
        );
        assert_eq!(
            reason(json!({"term": {"a": 1, "b": 2}})),
            "[term] query doesn't support multiple fields, found [a] and [b]"
        );
        assert_eq!(reason(json!({"term": {"a": [1]}})), "[term] query does not support array of values");
        assert!(reason(json!({"percolate": {}})).contains("not modelled"));
        assert_eq!(reason(json!({"nested": {}})), "[nested] requires 'path' field");
        assert_eq!(reason(json!([])), "[_na] query malformed, must start with start_object");
    }

    #[test]
    fn a_broken_query_string_is_refused_where_it_is_asked() {
        let mapping = crate::mapping::Mapping::default();
        let scope = super::super::Scope { mapping: &mapping, index: "i", documents: &[], now: 0 };
        let query = parse(&json!({"query_string": {"query": "(a"}})).unwrap();
        let refusal = super::super::compile(&query, &scope).err().unwrap();
        assert!(refusal.reason.starts_with("Failed to parse query [(a]"), "{refusal}");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = (0..40).fold(json!({"match_all": {}}), |inner, _| json!({"bool": {"must": inner}}));
        assert!(parse(&deep).unwrap_err().reason.contains("nested depth"));
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let key = prop::sample::select(vec![
            "bool",
            "must",
            "should",
            "term",
            "terms",
            "range",
            "gte",
            "match",
            "query",
            "query_string",
            "a",
            "value",
            "wildcard",
            "regexp",
            "exists",
            "field",
            "_name",
            "boost",
            "ids",
            "values",
            "minimum_should_match",
        ]);
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            "\\PC{0,8}".prop_map(Json::from),
        ];
        leaf.prop_recursive(5, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::vec((key.clone(), inner), 0..4).prop_map(|entries| Json::Object(
                    entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_makes_it_panic(query in any_json()) {
            let mut mapping = crate::mapping::Mapping::default();
            mapping.merge(&json!({"properties": {"a": {"type": "date"}, "query": {"type": "text"}, "value": {"type": "long"}}})).unwrap();
            if let Ok(query) = parse(&query) {
                let scope = super::super::Scope { mapping: &mapping, index: "i", documents: &[], now: 0 };
                let _ = super::super::compile(&query, &scope);
            }
        }
    }
}
