//! Searches written by the rule's author, narrowed to the rule's range and filters. The picked values become one row,
//! whose time is the last instant of the range, since only then are they known.
use serde_json::Value;
use tokio::time::Instant;
use watchbell_confine::Scope;
use watchbell_contract::{Range, RawSearch, Rows};

use crate::{error::ErrorKind, query, session::Session, target::Target, value_column::column};

pub(crate) async fn ask(
    session: &Session,
    target: &Target,
    search: &RawSearch,
    over: Range,
    filters: Vec<Value>,
    deadline: Instant,
) -> Result<Rows, ErrorKind> {
    let body = body(&search.body, filters, &target.scope)?;
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

fn body(written: &str, mut filters: Vec<Value>, scope: &Scope) -> Result<Value, ErrorKind> {
    let body: Value = serde_json::from_str(written)
        .map_err(|error| ErrorKind::Question { reason: format!("its search is not JSON: {error}") })?;
    let Value::Object(mut body) = body else {
        return Err(ErrorKind::Question { reason: "its search is not a JSON object".into() });
    };
    scope.search(&body).map_err(|refused| query::beyond("search", &refused))?;
    filters.extend(body.remove("query"));
    body.insert("query".into(), query::query(filters, &[]));
    Ok(body.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use watchbell_contract::Values;

    use super::*;

    #[test]
    fn the_written_query_is_narrowed_not_replaced() {
        let scope = Scope::default();
        let body =
            body(r#"{"size":0,"query":{"match_all":{}}}"#, vec![json!({ "range": {} })], &scope).unwrap();
        let expected =
            json!({ "size": 0, "query": { "bool": { "filter": [{ "range": {} }, { "match_all": {} }] } } });
        assert_eq!(body, expected);
        let error = super::body("[", vec![], &scope).unwrap_err().to_string();
        assert!(error.starts_with("the query cannot be run: its search is not JSON: "), "{error}");
    }

    #[test]
    fn a_search_stays_within_its_index_and_filter() {
        let past = "selects documents regardless of the rule's filter; remove it";
        let grant = |why: &str, grant: &str| {
            format!("{why}; remove it, or add `{grant}` to `allow` of the cluster in the environment")
        };
        let lookups = || grant("reads other documents, of this or of another index", "lookups");
        let whole = || {
            grant(
                "depends on the whole index, which the rule's filter and time range do not narrow",
                "whole_index",
            )
        };
        for (written, path, why) in [
            (json!({ "pit": { "id": "x" } }), "pit", past.to_owned()),
            (json!({ "knn": { "field": "v" } }), "knn", past.to_owned()),
            (
                json!({ "runtime_mappings": { "@timestamp": { "type": "date" } } }),
                "runtime_mappings",
                grant("defines fields, which could redefine those of the rule's filter", "runtime_fields"),
            ),
            (
                json!({ "indices_boost": [{ "a": 2 }] }),
                "indices_boost",
                "is not a part of a search that a rule may use; remove it; docs/searches.md lists what is allowed".into(),
            ),
            (
                json!({ "query": { "bool": { "must": [{ "terms": { "u": { "index": "users", "id": "2", "path": "f" } } }] } } }),
                "query.bool.must[0].terms.u",
                lookups(),
            ),
            (
                json!({ "query": { "more_like_this": { "like": [{ "_index": "other", "_id": "1" }] } } }),
                "query.more_like_this",
                whole(),
            ),
            (
                json!({ "query": { "geo_shape": { "at": { "indexed_shape": { "index": "s", "id": "d" } } } } }),
                "query.geo_shape.at.indexed_shape",
                lookups(),
            ),
            (
                json!({ "query": { "percolate": { "field": "q", "index": "i", "id": "1" } } }),
                "query.percolate.index",
                lookups(),
            ),
            (
                json!({ "query": { "wrapper": { "query": "e30=" } } }),
                "query.wrapper",
                "cannot be inspected; remove it".into(),
            ),
            (
                json!({ "aggs": { "a": { "terms": { "field": "h" }, "aggs": { "all": { "global": {} } } } } }),
                "aggs.a.aggs.all.global",
                whole(),
            ),
            (
                json!({ "terminate_after": 1 }),
                "terminate_after",
                "would make a partial answer look complete; remove it".into(),
            ),
        ] {
            let error = body(&written.to_string(), vec![], &Scope::default()).unwrap_err().to_string();
            let expected =
                format!("the query cannot be run: its search must not contain `{path}`, which {why}");
            assert_eq!(error, expected);
        }
        // The words alone are allowed: fields and aggregations may have these names.
        let fine = json!({
            "size": 0,
            "query": { "bool": { "filter": [
                { "terms": { "index": ["a", "b"] } },
                { "term": { "global": "x" } },
            ] } },
            "aggs": { "global": { "terms": { "field": "h", "order": { "index": "asc" } },
                "aggs": { "index": { "avg": { "field": "n" } } } } },
        });
        body(&fine.to_string(), vec![], &Scope::default()).unwrap();
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
