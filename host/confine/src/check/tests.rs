use serde_json::json;

use super::*;

fn scope(grants: &[Grant]) -> Scope {
    Scope { grants: grants.iter().copied().collect(), indices: None }
}

fn search(scope: &Scope, body: &Value) -> Result<(), Refused> {
    scope.search(body.as_object().unwrap())
}

/// What is refused without a grant: its path, and the grant with which it passes.
fn reaching() -> Vec<(Value, &'static str, Grant)> {
    let query = |query: Value| json!({ "query": query });
    let agg = |agg: Value| json!({ "size": 0, "aggs": { "a": agg } });
    use Grant::*;
    vec![
        (agg(json!({ "global": {} })), "aggs.a.global", WholeIndex),
        (
            agg(json!({ "terms": { "field": "u", "min_doc_count": 0 } })),
            "aggs.a.terms.min_doc_count",
            WholeIndex,
        ),
        (
            agg(json!({ "terms": { "field": "u", "min_doc_count": "0" } })),
            "aggs.a.terms.min_doc_count",
            WholeIndex,
        ),
        (
            agg(json!({ "terms": { "field": "u", "min_doc_count": 0.4 } })),
            "aggs.a.terms.min_doc_count",
            WholeIndex,
        ),
        (
            agg(json!({ "filter": { "match_all": {} }, "aggs": { "t": { "multi_terms": {
                "terms": [{ "field": "u" }, { "field": "v" }], "min_doc_count": 0 } } } })),
            "aggs.a.aggs.t.multi_terms.min_doc_count",
            WholeIndex,
        ),
        (
            agg(json!({ "significant_terms": { "field": "u", "background_filter": { "match_all": {} } } })),
            "aggs.a.significant_terms",
            WholeIndex,
        ),
        (agg(json!({ "significant_text": { "field": "m" } })), "aggs.a.significant_text", WholeIndex),
        (
            query(json!({ "prefix": { "u": { "value": "O", "rewrite": "top_terms_1" } } })),
            "query.prefix.u.rewrite",
            WholeIndex,
        ),
        (
            query(json!({ "fuzzy": { "u": { "value": "O", "max_expansions": 1 } } })),
            "query.fuzzy.u.max_expansions",
            WholeIndex,
        ),
        (query(json!({ "more_like_this": { "like": "x" } })), "query.more_like_this", WholeIndex),
        (
            query(json!({ "function_score": { "query": { "match": { "m": "x" } }, "min_score": 1 } })),
            "query.function_score.min_score",
            WholeIndex,
        ),
        (json!({ "explain": true }), "explain", WholeIndex),
        (json!({ "rescore": { "query": { "rescore_query": { "match_all": {} } } } }), "rescore", WholeIndex),
        (
            query(json!({ "bool": { "must": [{ "match_all": {} }, { "has_child": {
                "type": "c", "query": { "match_all": {} }, "inner_hits": {} } }] } })),
            "query.bool.must[1].has_child",
            Joins,
        ),
        (
            query(json!({ "has_parent": { "parent_type": "p", "query": { "match_all": {} } } })),
            "query.has_parent",
            Joins,
        ),
        (query(json!({ "parent_id": { "type": "c", "id": "1" } })), "query.parent_id", Joins),
        (agg(json!({ "children": { "type": "c" } })), "aggs.a.children", Joins),
        (agg(json!({ "parent": { "type": "c" } })), "aggs.a.parent", Joins),
        (
            query(
                json!({ "bool": { "filter": { "terms": { "u": { "index": "x", "id": "1", "path": "p" } } } } }),
            ),
            "query.bool.filter.terms.u",
            Lookups,
        ),
        (
            query(json!({ "geo_shape": { "at": { "indexed_shape": { "index": "s", "id": "d" } } } })),
            "query.geo_shape.at.indexed_shape",
            Lookups,
        ),
        (
            query(json!({ "percolate": { "field": "q", "index": "i", "id": "1" } })),
            "query.percolate.index",
            Lookups,
        ),
        (query(json!({ "script": { "script": "true" } })), "query.script", Scripts),
        (
            query(json!({ "function_score": { "functions": [{ "script_score": { "script": "1" } }] } })),
            "query.function_score.functions[0].script_score",
            Scripts,
        ),
        (
            query(
                json!({ "intervals": { "m": { "match": { "query": "a", "filter": { "script": { "source": "true" } } } } } }),
            ),
            "query.intervals.m.match.filter.script",
            Scripts,
        ),
        (
            query(
                json!({ "terms_set": { "u": { "terms": ["a"], "minimum_should_match_script": { "source": "1" } } } }),
            ),
            "query.terms_set.u.minimum_should_match_script",
            Scripts,
        ),
        (agg(json!({ "avg": { "script": { "source": "1" } } })), "aggs.a.avg.script", Scripts),
        (agg(json!({ "scripted_metric": { "map_script": "x" } })), "aggs.a.scripted_metric", Scripts),
        (
            agg(
                json!({ "terms": { "field": "u" }, "aggs": { "s": { "bucket_selector": { "buckets_path": { "c": "_count" }, "script": "params.c > 1" } } } }),
            ),
            "aggs.a.aggs.s.bucket_selector",
            Scripts,
        ),
        (
            agg(json!({ "top_hits": { "script_fields": { "f": { "script": "1" } } } })),
            "aggs.a.top_hits.script_fields",
            Scripts,
        ),
        (
            agg(json!({ "top_hits": { "sort": [{ "_script": { "type": "number", "script": "1" } }] } })),
            "aggs.a.top_hits.sort[0]._script",
            Scripts,
        ),
        (
            agg(json!({ "composite": { "sources": [{ "k": { "terms": { "script": "1" } } }] } })),
            "aggs.a.composite.sources[0].k.terms.script",
            Scripts,
        ),
        (json!({ "script_fields": { "f": { "script": "1" } } }), "script_fields", Scripts),
        (json!({ "sort": { "_script": { "type": "number", "script": "1" } } }), "sort._script", Scripts),
        (
            json!({ "runtime_mappings": { "tenant": { "type": "keyword" } } }),
            "runtime_mappings",
            RuntimeFields,
        ),
        (json!({ "derived": { "tenant": { "type": "keyword" } } }), "derived", RuntimeFields),
        (json!({ "suggest": { "s": { "text": "O", "term": { "field": "u" } } } }), "suggest", Suggesters),
    ]
}

#[test]
fn what_reaches_beyond_the_filter_needs_a_grant() {
    for (body, path, grant) in reaching() {
        let refused = search(&Scope::default(), &body).expect_err(path);
        assert_eq!((refused.path("").as_str(), &refused.reason), (path, &Reason::Needs(grant)), "{body}");
        assert!(body.pointer(&refused.pointer()).is_some(), "{}", refused.pointer());
        let others: Vec<Grant> = Grant::ALL.into_iter().filter(|other| *other != grant).collect();
        assert!(search(&scope(&others), &body).is_err(), "{body} with {others:?}");
        assert_eq!(search(&scope(&[grant]), &body), Ok(()), "{body}");
    }
}

#[test]
fn what_is_not_listed_is_refused_even_with_every_grant() {
    let unlisted = |body: Value| {
        let refused = search(&Scope::all(), &body).expect_err("a refusal");
        format!("{} {}", refused.path(""), refused.reason)
    };
    for (body, told) in [
        (json!({ "pit": { "id": "x" } }), "pit selects documents regardless of the rule's filter"),
        (json!({ "knn": { "field": "v" } }), "knn selects documents regardless of the rule's filter"),
        (json!({ "terminate_after": 1 }), "terminate_after would make a partial answer look complete"),
        (
            json!({ "indices_boost": [{ "a": 2 }] }),
            "indices_boost is not a part of a search that a rule may use",
        ),
        (json!({ "ext": {} }), "ext is not a part of a search that a rule may use"),
        (json!({ "query": { "wrapper": { "query": "e30=" } } }), "query.wrapper cannot be inspected"),
        (json!({ "query": { "term5": { "a": 1 } } }), "query.term5 is not a query that a rule may use"),
        (json!({ "query": { "term": { "a": 1 }, "match_all": {} } }), "query is not one query"),
        (json!({ "query": {} }), "query is not one query"),
        (json!({ "query": "x" }), "query is not a map"),
        (
            json!({ "aggs": { "a": { "rare_terms": { "field": "u" } } } }),
            "aggs.a.rare_terms is not an aggregation that a rule may use",
        ),
        (
            json!({ "aggs": { "a": { "ip_location": { "field": "u" } } } }),
            "aggs.a.ip_location is not an aggregation that a rule may use",
        ),
        (
            json!({ "aggs": { "a": { "terms": { "field": "u", "sneaky": 1 } } } }),
            "aggs.a.terms.sneaky is not an option that a rule may use",
        ),
        (
            json!({ "aggs": { "a": { "terms": { "field": { "script": "1" } } } } }),
            "aggs.a.terms.field is not a text, a number or a boolean",
        ),
        (
            json!({ "query": { "term": { "u": { "value": { "index": "x" } } } } }),
            "query.term.u.value is not a text, a number or a boolean",
        ),
        (
            json!({ "query": { "terms": { "u": [{ "index": "x" }] } } }),
            "query.terms.u is not a value or a list of values",
        ),
        (
            json!({ "query": { "geo_shape": { "at": { "shape": { "index": "x" } } } } }),
            "query.geo_shape.at.shape.index is not part of a place that a rule may use",
        ),
        (
            json!({ "query": { "nested": { "path": "n", "query": { "match_all": {} }, "inner_hits": { "explain": true } } } }),
            "query.nested.inner_hits.explain is not an option that a rule may use",
        ),
    ] {
        assert_eq!(unlisted(body), told);
    }
    let mut deep = json!({ "match_all": {} });
    for _ in 0..60 {
        deep = json!({ "bool": { "must": deep } });
    }
    assert!(unlisted(json!({ "query": deep })).ends_with("is not nested less than 100 levels deep"));
}

#[test]
fn what_selects_by_a_documents_own_content_passes() {
    let fine = json!({
        "size": 3, "from": 0, "track_total_hits": true, "timeout": "1s", "version": true, "min_score": 0,
        "_source": { "includes": ["a*"], "excludes": "b" }, "fields": ["a", { "field": "d", "format": "epoch_millis" }],
        "docvalue_fields": [{ "field": "d" }], "stored_fields": "_none_",
        "sort": ["a", { "b": "desc" }, { "c.x": { "order": "asc", "nested": { "path": "c", "filter": { "term": { "c.y": 1 } } } } },
            { "_geo_distance": { "at": [13.4, 52.5], "order": "asc", "unit": "km" } }, "_doc"],
        "collapse": { "field": "a", "inner_hits": [{ "name": "last", "size": 1, "sort": [{ "d": "desc" }] }] },
        "highlight": { "fields": { "m": { "number_of_fragments": 1, "highlight_query": { "match": { "m": "x" } } } } },
        "post_filter": { "range": { "n": { "gte": 1 } } },
        "query": { "bool": {
            "filter": [
                { "terms": { "index": ["a", "b"] } }, { "term": { "global": "x" } }, { "exists": { "field": "script" } },
                { "match": { "m": { "query": "x", "operator": "and" } } }, { "ids": { "values": ["1"] } },
                { "query_string": { "query": "a:b", "fields": ["m^2"], "boost": 1 } },
                { "nested": { "path": "c", "query": { "term": { "c.x": 1 } }, "inner_hits": { "size": 2 } } },
                { "geo_distance": { "distance": "1km", "at": { "lat": 1, "lon": 2 }, "_name": "near" } },
                { "geo_shape": { "at": { "shape": { "type": "envelope", "coordinates": [[1, 2], [2, 1]] } } } },
                { "intervals": { "m": { "all_of": { "intervals": [{ "match": { "query": "a" } }, { "prefix": { "prefix": "b" } }] }, "boost": 2 } } },
                { "span_near": { "clauses": [{ "span_term": { "m": "a" } }, { "span_term": { "m": { "value": "b" } } }], "slop": 1 } },
                { "function_score": { "query": { "match_all": {} }, "functions": [{ "gauss": { "d": { "origin": "now", "scale": "1d" } } }] } },
                { "wildcard": { "u": { "value": "a*", "case_insensitive": true, "rewrite": "constant_score" } } },
            ],
            "must_not": { "constant_score": { "filter": { "regexp": { "u": "a.*" } } } },
            "should": [{ "dis_max": { "queries": [{ "prefix": { "u": "a" } }] } }], "minimum_should_match": 1,
        } },
        "aggs": {
            "global": { "terms": { "field": "h", "order": { "index": "asc" }, "min_doc_count": 1, "include": ["a", "b"] },
                "aggs": { "index": { "avg": { "field": "n", "missing": 0 } }, "top": { "top_hits": { "size": 1, "_source": false } } },
                "meta": { "script": "any" } },
            "per": { "date_histogram": { "field": "d", "fixed_interval": "1m", "min_doc_count": 0, "extended_bounds": { "min": 0, "max": 1 } },
                "aggregations": { "p": { "percentiles": { "field": "n", "percents": [99], "keyed": false } },
                    "d": { "derivative": { "buckets_path": "p[99]" } } } },
            "f": { "filters": { "filters": [{ "term": { "a": 1 } }] } },
            "g": { "filters": { "filters": { "bad": { "term": { "a": 1 } } }, "other_bucket": true } },
            "c": { "composite": { "size": 10, "sources": [{ "k": { "terms": { "field": "u", "order": "asc" } } }], "after": { "k": "x" } } },
            "n": { "nested": { "path": "c" }, "aggs": { "b": { "reverse_nested": {} } } },
            "r": { "range": { "field": "n", "ranges": [{ "to": 5 }, { "from": 5, "key": "more" }] } },
            "w": { "weighted_avg": { "value": { "field": "n" }, "weight": { "field": "w" } } },
            "sum": { "sum_bucket": { "buckets_path": "per>_count" } },
        },
    });
    assert_eq!(search(&Scope::default(), &fine), Ok(()));
}

#[test]
fn a_look_up_keeps_to_the_indices_that_are_allowed() {
    let scope = Scope { grants: [Grant::Lookups].into(), indices: Some(vec!["logs*".into()]) };
    let query = |index: &str| json!({ "terms": { "u": { "index": index, "id": "1", "path": "p" } } });
    assert_eq!(scope.query(&query("logs-users")), Ok(()));
    for index in ["secret", "logs:secret", "logs-a,secret", "*", "-x"] {
        let refused = scope.query(&query(index)).expect_err(index);
        assert_eq!(refused.path("filter"), "filter.terms.u.index", "{index}");
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let refused = Scope::default().query(&json!({ "parent_id": { "type": "c", "id": "1" } })).unwrap_err();
    assert_eq!(
        refused.remedy("cluster `main`"),
        "remove it, or add `joins` to `allow` of cluster `main` in the environment"
    );
    assert_eq!(
        refused.reason.to_string(),
        "reads parent or child documents, which the rule's filter and time range do not cover"
    );
}

proptest::proptest! {
    #[test]
    fn no_json_panics(text in "[\\[\\]{}\":,a-c0]{0,40}") {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            _ = Scope::default().query(&value);
        }
    }
}
