//! Searches written by the rule's author, narrowed to the rule's range and filters. The picked values become one row,
//! whose time is the last instant of the range, since only then are they known.
use serde_json::Value;
use tokio::time::Instant;
use watchbell_contract::{Range, RawSearch, Rows};

use crate::{error::ErrorKind, escape, query, session::Session, target::Target, value_column::column};

pub(crate) async fn ask(
    session: &Session,
    target: &Target,
    search: &RawSearch,
    over: Range,
    filters: Vec<Value>,
    deadline: Instant,
) -> Result<Rows, ErrorKind> {
    let body = body(&search.body, filters)?;
    let answer = session.search(target, &body, deadline).await?;
    search.pick.iter().try_for_each(|(name, pointer)| counted(&answer, name, pointer))?;
    let picked = search.pick.iter().map(|(name, pointer)| column(name, [answer.pointer(pointer)]));
    Ok(Rows { times: vec![over.end.0.saturating_sub(1)], columns: picked.collect() })
}

/// Refuses a total that the cluster stopped counting, and so reports as a lower bound.
fn counted(answer: &Value, name: &str, pointer: &str) -> Result<(), ErrorKind> {
    let total = pointer.strip_suffix("/value").unwrap_or(pointer);
    match answer.pointer(total).and_then(|total| total.get("relation")) {
        Some(relation) if relation == "gte" => {
            let reason = format!(
                "its search picks `{name}` from `{pointer}`, whose total the cluster did not count exactly; set `track_total_hits: true`"
            );
            Err(ErrorKind::Question { reason })
        }
        _ => Ok(()),
    }
}

fn body(written: &str, mut filters: Vec<Value>) -> Result<Value, ErrorKind> {
    let mut body: Value = serde_json::from_str(written)
        .map_err(|error| ErrorKind::Question { reason: format!("its search is not JSON: {error}") })?;
    if !body.is_object() {
        return Err(ErrorKind::Question { reason: "its search is not a JSON object".into() });
    }
    confined(&body)?;
    if let Some(own) = body.get_mut("query").map(Value::take) {
        filters.push(own);
    }
    body["query"] = query::query(filters, &[]);
    Ok(body)
}

/// What a search may contain beside its query. Other parts could select documents regardless of the query (`knn`,
/// `retriever`, `pit`, `suggest`), or redefine the filters' fields (`runtime_mappings`, `derived`).
const PARTS: [&str; 22] = [
    "query",
    "aggs",
    "aggregations",
    "size",
    "from",
    "sort",
    "_source",
    "fields",
    "docvalue_fields",
    "stored_fields",
    "script_fields",
    "track_total_hits",
    "track_scores",
    "timeout",
    "min_score",
    "post_filter",
    "rescore",
    "collapse",
    "highlight",
    "explain",
    "version",
    "seq_no_primary_term",
];

/// Options that make a server return partial results. `timeout` is allowed: a search that hits it is an error.
const CUTTING: [&str; 2] = ["terminate_after", "allow_partial_search_results"];

/// Refuses parts that reach beyond the rule's index and filters, which always apply.
fn confined(body: &Value) -> Result<(), ErrorKind> {
    if let Some(part) = CUTTING.iter().find(|part| body.get(**part).is_some()) {
        let reason =
            format!("its search must not contain `{part}`, which would make a partial answer look complete");
        return Err(ErrorKind::Question { reason });
    }
    let wide = |path: &str| {
        let reason =
            format!("its search must not contain `{path}`, which reaches beyond the rule's index or filter");
        ErrorKind::Question { reason }
    };
    if let Some(part) = body.as_object().into_iter().flatten().find(|(key, _)| !PARTS.contains(&key.as_str()))
    {
        return Err(wide(part.0));
    }
    escape::path(body).map_or(Ok(()), |path| Err(wide(&path)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use watchbell_contract::Values;

    use super::*;

    #[test]
    fn the_written_query_is_narrowed_not_replaced() {
        let body = body(r#"{"size":0,"query":{"match_all":{}}}"#, vec![json!({ "range": {} })]).unwrap();
        let expected =
            json!({ "size": 0, "query": { "bool": { "filter": [{ "range": {} }, { "match_all": {} }] } } });
        assert_eq!(body, expected);
        let error = super::body("[", vec![]).unwrap_err().to_string();
        assert!(error.starts_with("the query cannot be run: its search is not JSON: "), "{error}");
    }

    #[test]
    fn a_search_stays_within_its_index_and_filter() {
        for (written, path) in [
            (json!({ "pit": { "id": "x" } }), "pit"),
            (json!({ "knn": { "field": "v" } }), "knn"),
            (json!({ "runtime_mappings": { "@timestamp": { "type": "date" } } }), "runtime_mappings"),
            (json!({ "indices_boost": [{ "a": 2 }] }), "indices_boost"),
            (
                json!({ "query": { "bool": { "must": [{ "terms": { "u": { "index": "users", "id": "2", "path": "f" } } }] } } }),
                "query.bool.must.terms",
            ),
            (
                json!({ "query": { "more_like_this": { "like": [{ "_index": "other", "_id": "1" }] } } }),
                "query.more_like_this",
            ),
            (
                json!({ "query": { "geo_shape": { "at": { "indexed_shape": { "index": "s", "id": "d" } } } } }),
                "query.geo_shape.at.indexed_shape",
            ),
            (
                json!({ "query": { "percolate": { "field": "q", "index": "i", "id": "1" } } }),
                "query.percolate",
            ),
            (json!({ "query": { "wrapper": { "query": "e30=" } } }), "query.wrapper"),
            (
                json!({ "aggs": { "a": { "terms": { "field": "h" }, "aggs": { "all": { "global": {} } } } } }),
                "aggs.a.aggs.all.global",
            ),
        ] {
            let error = body(&written.to_string(), vec![]).unwrap_err().to_string();
            let expected = format!(
                "the query cannot be run: its search must not contain `{path}`, which reaches beyond the rule's index or filter"
            );
            assert_eq!(error, expected);
        }
        for part in CUTTING {
            let error = body(&json!({ "size": 0, part: 1 }).to_string(), vec![]).unwrap_err().to_string();
            let expected =
                format!("must not contain `{part}`, which would make a partial answer look complete");
            assert!(error.ends_with(&expected), "{error}");
        }
        // The words alone are allowed: fields and aggregations may have these names.
        let fine = json!({
            "size": 0,
            "query": { "bool": { "filter": [
                { "terms": { "index": ["a", "b"] } },
                { "term": { "global": "x" } },
                { "more_like_this": { "fields": ["m"], "like": "text" } },
            ] } },
            "aggs": { "global": { "terms": { "field": "h", "order": { "index": "asc" } },
                "aggs": { "index": { "avg": { "field": "n" } } } } },
        });
        body(&fine.to_string(), vec![]).unwrap();
    }

    #[test]
    fn a_total_that_was_not_counted_to_the_end_is_no_number() {
        let answer =
            |relation: &str| json!({ "hits": { "total": { "value": 10_000, "relation": relation } } });
        for pointer in ["/hits/total/value", "/hits/total"] {
            let error = counted(&answer("gte"), "n", pointer).unwrap_err().to_string();
            assert!(
                error.contains(&format!("picks `n` from `{pointer}`, whose total the cluster did not count")),
                "{error}"
            );
            counted(&answer("eq"), "n", pointer).unwrap();
        }
        counted(&answer("gte"), "took", "/took").unwrap();
        counted(&json!({ "hits": { "total": 12_000 } }), "n", "/hits/total").unwrap();
    }

    #[test]
    fn values_keep_their_kind_if_they_share_one() {
        let (a, b, c) = (json!(1), json!(2.5), json!("x"));
        assert_eq!(column("n", [Some(&a), Some(&b)]).values, Values::Numbers(vec![1.0, 2.5]));
        let mixed = column("n", [Some(&a), Some(&c), None]);
        let Values::Words(words) = &mixed.values else { panic!("{mixed:?}") };
        assert_eq!((words.word(0), words.word(1), mixed.has(2)), (Some("1"), Some("x"), false));
    }
}
