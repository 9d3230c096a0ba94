//! A raw search keeps to the rule's filter and time range on every server: what would pass them is refused, and what is
//! listed is answered without a word of the other tenant's.
use serde_json::{Value, json};
use watchbell_contract::{Ask, Hits, Query, Question, Range, RawSearch, Timestamp, Values};
use watchbell_elastic::{AskError, Class, Cluster, Scope, Target};

use super::{SHARED, client, servers, soon};
use crate::world::{World, hit, now};

const INDEX: &str = "confined-test";
/// A tenant whose documents the rule's filter leaves out, and a value of its only document, of 2020.
const OTHER: &str = "other-tenants-secret";

async fn with_index(world: &World) -> Cluster {
    let keyword = json!({ "type": "keyword" });
    let mut properties = json!({
        "tenant": keyword, "user": keyword, "message": { "type": "text" }, "n": { "type": "integer" },
        "at": { "type": "geo_point" }, "address": { "type": "ip" },
        "items": { "type": "nested", "properties": { "sku": keyword, "price": { "type": "integer" } } },
        "@timestamp": { "type": "date" },
    });
    properties["family"] = json!({ "type": "join", "relations": { "parent": "child" } });
    world.no_index(INDEX).await;
    let made = |properties: &Value| json!({ "mappings": { "properties": properties } });
    let (status, _) = world.ask("PUT", &format!("/{INDEX}"), &made(&properties)).await;
    let joins = status == 200;
    if !joins {
        properties.as_object_mut().expect("a map").remove("family");
        world.ask("PUT", &format!("/{INDEX}"), &made(&properties)).await;
    }
    let document = |at: i64, tenant: &str, user: &str| {
        let mut document = hit(at, 200, "web");
        document["tenant"] = tenant.into();
        document["user"] = user.into();
        document["message"] = format!("{user} logged in").into();
        document["n"] = 5.into();
        document["at"] = json!({ "lat": 52.5, "lon": 13.4 });
        document["address"] = "10.0.0.1".into();
        document["items"] = json!([{ "sku": user, "price": 3 }]);
        document
    };
    let mut documents = [document(now(), "A", "mine"), document(1_577_836_800_000, "B", OTHER)];
    if joins {
        documents[0]["family"] = "parent".into();
        documents[1]["family"] = json!({ "name": "child", "parent": "1" });
    }
    for (id, document) in (1..).zip(documents) {
        let routing = if joins { "routing=1&" } else { "" };
        let path = format!("/{INDEX}/_doc/{id}?{routing}refresh=true");
        let (status, answer) = world.ask("PUT", &path, &document).await;
        assert!(status < 300, "{answer}");
    }
    Cluster::new(client("main", &world.cluster)).expect("a client")
}

fn target(scope: Scope) -> Target {
    let mut target = Target::new("confined", INDEX);
    target.filter = Some(json!({ "term": { "tenant": "A" } }));
    target.scope = scope;
    target
}

fn question(filter: Option<Query>, ask: Ask) -> Question {
    Question {
        over: Range::new(Timestamp(now() - 600_000), Timestamp(now() + 60_000)),
        only: vec![],
        filter,
        ask,
    }
}

/// The whole answer to a search, as text.
async fn told(cluster: &Cluster, scope: Scope, body: &Value) -> Result<String, AskError> {
    let search = RawSearch { body: body.to_string(), pick: vec![("all".into(), String::new())] };
    let asked = question(None, Ask::Search(search));
    let mut pages = cluster.ask(&target(scope), &asked, soon()).await?;
    let page = pages.next().await?.expect("a row");
    pages.close().await;
    let Values::Words(words) = &page.columns[0].values else { panic!("{page:?}") };
    Ok(words.word(0).expect("an answer").to_owned())
}

/// Searches that would read the other tenant's document.
fn escapes() -> Vec<(&'static str, Value)> {
    let agg = |agg: Value| json!({ "size": 0, "aggs": { "a": agg } });
    let query = |query: Value| json!({ "query": query });
    let all = || json!({ "match_all": {} });
    vec![
        ("values that no match has", agg(json!({ "terms": { "field": "user", "min_doc_count": 0 } }))),
        (
            "the same below another aggregation",
            agg(
                json!({ "filter": all(), "aggs": { "a": { "terms": { "field": "user", "min_doc_count": 0 } } } }),
            ),
        ),
        ("the same written as a text", agg(json!({ "terms": { "field": "user", "min_doc_count": "0" } }))),
        ("the whole index", agg(json!({ "global": {}, "aggs": { "a": { "terms": { "field": "user" } } } }))),
        (
            "suggestions",
            json!({ "size": 0, "suggest": { "s": {
                "text": "other-tenants-secreT", "term": { "field": "user", "suggest_mode": "always" } } } }),
        ),
        ("children", query(json!({ "has_child": { "type": "child", "query": all(), "inner_hits": {} } }))),
        (
            "children as an aggregation",
            agg(
                json!({ "children": { "type": "child" }, "aggs": { "a": { "terms": { "field": "user" } } } }),
            ),
        ),
    ]
}

/// What a server need not know.
fn is_unknown(error: &AskError) -> bool {
    let text = error.to_string();
    ["unknown query", "Unknown aggregation type", "unknown field", "[join]", "no join field", "not modelled"]
        .iter()
        .any(|part| text.to_lowercase().contains(&part.to_lowercase()))
}

/// Searches by listed parts.
fn listed() -> Vec<Value> {
    let queries = json!([
        { "match_all": {} },
        { "bool": { "must": [{ "term": { "user": "mine" } }], "must_not": { "exists": { "field": "gone" } } } },
        { "boosting": { "positive": { "match_all": {} }, "negative": { "term": { "n": 1 } }, "negative_boost": 0.5 } },
        { "constant_score": { "filter": { "terms": { "user": ["mine", OTHER] } } } },
        { "dis_max": { "queries": [{ "match": { "message": "mine" } }], "tie_breaker": 0.1 } },
        { "function_score": { "query": { "match_all": {} }, "functions": [{ "filter": { "match_all": {} }, "weight": 2 }] } },
        { "fuzzy": { "user": { "value": "mina", "fuzziness": 1 } } },
        { "prefix": { "user": { "value": "mi" } } },
        { "wildcard": { "user": { "value": "m*e" } } },
        { "regexp": { "user": { "value": "m.*" } } },
        { "ids": { "values": ["1", "2"] } },
        { "intervals": { "message": { "match": { "query": "mine logged", "max_gaps": 0, "ordered": true } } } },
        { "match": { "message": { "query": "mine", "operator": "and" } } },
        { "match_bool_prefix": { "message": "mine log" } },
        { "match_phrase": { "message": { "query": "mine logged", "slop": 1 } } },
        { "match_phrase_prefix": { "message": "mine log" } },
        { "multi_match": { "query": "mine", "fields": ["message", "user"] } },
        { "nested": { "path": "items", "query": { "term": { "items.sku": "mine" } }, "inner_hits": { "size": 1 } } },
        { "query_string": { "query": "user:mine AND message:logged", "default_field": "message" } },
        { "simple_query_string": { "query": "mine", "fields": ["message"] } },
        { "range": { "n": { "gte": 1, "lt": 9 } } },
        { "geo_distance": { "distance": "5km", "at": { "lat": 52.5, "lon": 13.4 } } },
        { "geo_bounding_box": { "at": { "top_left": { "lat": 53, "lon": 13 }, "bottom_right": { "lat": 52, "lon": 14 } } } },
        { "span_near": { "clauses": [{ "span_term": { "message": "mine" } }, { "span_term": { "message": "logged" } }], "slop": 0, "in_order": true } },
        { "span_first": { "match": { "span_term": { "message": "mine" } }, "end": 2 } },
        { "distance_feature": { "field": "@timestamp", "origin": "now", "pivot": "7d" } },
        { "terms_set": { "user": { "terms": ["mine"], "minimum_should_match_field": "n" } } },
    ]);
    let aggs = json!([
        { "terms": { "field": "user", "order": { "_key": "asc" }, "include": "m.*" } },
        { "multi_terms": { "terms": [{ "field": "user" }, { "field": "tenant" }] } },
        { "filters": { "filters": { "one": { "term": { "n": 5 } } }, "other_bucket": true } },
        { "date_histogram": { "field": "@timestamp", "fixed_interval": "1m", "min_doc_count": 0 } },
        { "histogram": { "field": "n", "interval": 5, "min_doc_count": 0 } },
        { "auto_date_histogram": { "field": "@timestamp", "buckets": 3 } },
        { "range": { "field": "n", "ranges": [{ "to": 3 }, { "from": 3 }] } },
        { "date_range": { "field": "@timestamp", "ranges": [{ "from": "now-1h" }] } },
        { "ip_range": { "field": "address", "ranges": [{ "mask": "10.0.0.0/8" }] } },
        { "composite": { "size": 5, "sources": [{ "u": { "terms": { "field": "user" } } }] } },
        { "nested": { "path": "items" }, "aggs": { "s": { "terms": { "field": "items.sku" }, "aggs": { "back": { "reverse_nested": {} } } } } },
        { "missing": { "field": "gone" } },
        { "adjacency_matrix": { "filters": { "one": { "term": { "n": 5 } } } } },
        { "sampler": { "shard_size": 10 }, "aggs": { "u": { "terms": { "field": "user" } } } },
        { "geo_distance": { "field": "at", "origin": { "lat": 52, "lon": 13 }, "unit": "km", "ranges": [{ "from": 1 }] } },
        { "geohash_grid": { "field": "at", "precision": 3 } },
        { "geotile_grid": { "field": "at", "precision": 3 } },
        { "geo_bounds": { "field": "at" } },
        { "avg": { "field": "n", "missing": 0 } },
        { "stats": { "field": "n" } },
        { "extended_stats": { "field": "n", "sigma": 3 } },
        { "value_count": { "field": "user" } },
        { "cardinality": { "field": "user", "precision_threshold": 100 } },
        { "percentiles": { "field": "n", "percents": [50, 99], "keyed": false } },
        { "percentile_ranks": { "field": "n", "values": [3] } },
        { "median_absolute_deviation": { "field": "n" } },
        { "weighted_avg": { "value": { "field": "n" }, "weight": { "field": "n" } } },
        { "top_hits": { "size": 3, "sort": [{ "@timestamp": "desc" }], "_source": ["user"] } },
        { "date_histogram": { "field": "@timestamp", "fixed_interval": "1m" }, "aggs": {
            "s": { "sum": { "field": "n" } }, "c": { "cumulative_sum": { "buckets_path": "s" } },
            "d": { "derivative": { "buckets_path": "s" } }, "o": { "bucket_sort": { "size": 2 } } } },
    ]);
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let mut all: Vec<Value> = list(&queries).into_iter().map(|query| json!({ "query": query })).collect();
    all.extend(list(&aggs).into_iter().map(|agg| json!({ "size": 0, "aggs": { "a": agg } })));
    all.push(json!({
        "size": 5, "track_total_hits": true, "_source": { "includes": ["user"] }, "docvalue_fields": ["user"],
        "fields": [{ "field": "@timestamp", "format": "epoch_millis" }],
        "sort": [{ "n": { "order": "desc", "missing": "_last" } }, "_doc"], "post_filter": { "term": { "n": 5 } },
    }));
    all.push(json!({
        "collapse": { "field": "user", "inner_hits": { "name": "last", "size": 1 } },
        "query": { "match": { "message": "mine" } }, "highlight": { "fields": { "message": {} } },
        "sort": [{ "_geo_distance": { "at": { "lat": 1, "lon": 1 }, "order": "asc", "unit": "km" } }],
    }));
    all
}

/// Searches that each ask for the other tenant's value, to be sure that the index holds what would be seen.
async fn shows_the_other(cluster: &Cluster, name: &str) {
    let mut seen = Vec::new();
    for (what, body) in escapes() {
        let refused = told(cluster, Scope::default(), &body).await.expect_err(what);
        assert_eq!(refused.class(), Class::Rule, "{what}, on {name}: {refused}");
        assert!(
            refused.to_string().contains("its search must not contain `"),
            "{what}, on {name}: {refused}"
        );
        match told(cluster, Scope::all(), &body).await {
            Ok(answer) if answer.contains(OTHER) => seen.push(what),
            Ok(answer) => panic!("{what}, on {name}, does not reach it: {answer}"),
            Err(error) => {
                assert!(error.class() == Class::Rule || is_unknown(&error), "{what}, on {name}: {error}")
            }
        }
    }
    for what in ["values that no match has", "the whole index"] {
        assert!(seen.contains(&what), "{what}, on {name}: only {seen:?}");
    }
    println!("{name} would show the other tenant by: {}", seen.join(", "));
}

async fn keeps_to_its_own(cluster: &Cluster, name: &str) -> usize {
    let mut answered = 0;
    for body in listed() {
        match told(cluster, Scope::default(), &body).await {
            Ok(answer) => {
                assert!(!answer.contains(OTHER), "{body}, on {name}: {answer}");
                answered += 1;
            }
            Err(error) => assert!(is_unknown(&error), "{body}, on {name}: {error}"),
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_does_not_show_another_tenant_on_any_server() {
    let _among_others = SHARED.read().await;
    for (name, url) in servers("confined searches") {
        let world = World::on(&url).await;
        let cluster = with_index(&world).await;
        shows_the_other(&cluster, name).await;
        let answered = keeps_to_its_own(&cluster, name).await;
        // Some parts are modules, which not every server has.
        assert!(answered >= 45, "{name} answered {answered} of {}", listed().len());
        world.no_index(INDEX).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_node_answers_listed_searches() {
    let world = World::new().await;
    let cluster = with_index(&world).await;
    for (what, body) in escapes() {
        let refused = told(&cluster, Scope::default(), &body).await.expect_err(what);
        assert!(refused.to_string().contains("its search must not contain `"), "{what}: {refused}");
    }
    let answered = keeps_to_its_own(&cluster, "the embedded node").await;
    assert!(answered >= 25, "{answered} were answered");
    // A condition of a module's is held to the same lists.
    let lookup = Query::Dsl(r#"{"terms":{"user":{"index":"users","id":"1","path":"names"}}}"#.into());
    let asked = question(Some(lookup), Ask::Hits(Hits::default()));
    let refused =
        cluster.ask(&target(Scope::default()), &asked, soon()).await.map(|_| ()).expect_err("a look-up");
    assert!(refused.to_string().contains("its filter must not contain `terms.user`"), "{refused}");
}
