use std::sync::Mutex;

use serde::Deserialize;
use serde_json::{Value, json};
use watchbell_contract::{Ask, Buckets, Calc, Hits, Metric, NamedFilter, Query, RawSearch, Source};
use watchbell_elastic::{Class, Cluster};

use crate::{
    cluster, config,
    fake::{Fake, Reply},
    library::{Server, caps, docs, envelope, library},
    pages, question,
};

/// What a real server said to a question, shortened.
#[derive(Deserialize)]
struct Recorded {
    server: String,
    asked: String,
    class: String,
    status: u16,
    error: Value,
}

/// Searches are answered with what `reply` holds.
async fn answering(reply: &'static Mutex<(u16, Value)>) -> Fake {
    Fake::start(move |seen| match seen.path.contains("_field_caps") {
        true => Reply::Json(200, caps()),
        false => {
            let (status, body) = reply.lock().unwrap().clone();
            Reply::Json(status, body)
        }
    })
    .await
}

#[tokio::test]
async fn whose_doing_a_refusal_is_can_be_told_from_what_servers_say() {
    static REPLY: Mutex<(u16, Value)> = Mutex::new((200, Value::Null));
    let recorded: Vec<Recorded> = serde_json::from_str(include_str!("recorded.json")).unwrap();
    assert!(recorded.iter().filter(|one| one.class == "rule").count() >= 60);
    let fake = answering(&REPLY).await;
    let cluster = cluster(&fake);
    for Recorded { server, asked, class, status, error } in recorded {
        *REPLY.lock().unwrap() = (status, json!({ "error": error, "status": status }));
        let expected = match class.as_str() {
            "rule" => Class::Rule,
            "too_large" => Class::TooLarge,
            "slow" => Class::Slow,
            _ => Class::Outside,
        };
        let error = pages(&cluster, &question(&["host"])).await.unwrap_err();
        assert_eq!(error.class(), expected, "{asked} on {server}: {error}");
        assert!(!error.to_string().ends_with(": "), "{asked} on {server} has no reason: {error}");
    }
}

#[tokio::test]
async fn a_cluster_in_trouble_is_never_the_rules_fault() {
    static REPLY: Mutex<(u16, Value)> = Mutex::new((200, Value::Null));
    let fake = answering(&REPLY).await;
    let cluster = cluster(&fake);
    let of = |kind: &str| json!({ "type": kind, "reason": "said so", "root_cause": [{ "type": kind, "reason": "said so" }] });
    // A part of the shards found fault with the query, another could not be reached.
    let mixed = json!({ "type": "search_phase_execution_exception", "reason": "all shards failed",
        "root_cause": [{ "type": "query_shard_exception", "reason": "no" }],
        "failed_shards": [
            { "shard": 0, "reason": { "type": "query_shard_exception", "reason": "no" } },
            { "shard": 1, "reason": { "type": "node_disconnected_exception", "reason": "gone" } },
        ] });
    let outside = [
        (400, json!("no handler found for uri [/x] and method [POST]")),
        (400, of("task_cancelled_exception")),
        (400, of("index_closed_exception")),
        (400, of("illegal_index_shard_state_exception")),
        (400, mixed),
        (401, of("security_exception")),
        (403, of("cluster_block_exception")),
        (404, of("search_context_missing_exception")),
        (404, of("no_such_remote_cluster_exception")),
        (429, of("es_rejected_execution_exception")),
        (429, of("rejected_execution_exception")),
        (429, of("too_many_scroll_contexts_exception")),
        (500, of("null_pointer_exception")),
        (500, of("illegal_argument_exception")),
        (503, of("master_not_discovered_exception")),
        (503, of("no_shard_available_action_exception")),
        (503, of("search_phase_execution_exception")),
    ];
    for (status, error) in outside {
        *REPLY.lock().unwrap() = (status, json!({ "error": error, "status": status }));
        let told = pages(&cluster, &question(&["host"])).await.unwrap_err();
        assert_eq!(told.class(), Class::Outside, "{status} {error}: {told}");
    }
    for (status, kind) in [
        (413, "content_too_long_exception"),
        (429, "circuit_breaking_exception"),
        (503, "too_many_buckets_exception"),
        (400, "too_many_buckets_exception"),
    ] {
        *REPLY.lock().unwrap() = (status, json!({ "error": of(kind), "status": status }));
        let told = pages(&cluster, &question(&["host"])).await.unwrap_err();
        assert_eq!(told.class(), Class::TooLarge, "{status} {kind}: {told}");
    }
    // A proxy's 400 says nothing of a query.
    let fake = Fake::start(|seen| match seen.path.contains("_field_caps") {
        true => Reply::Json(200, caps()),
        false => {
            Reply::Full(400, vec![("content-type", "text/html".into())], b"<html>Bad Request</html>".into())
        }
    })
    .await;
    let told = pages(&crate::cluster(&fake), &question(&["host"])).await.unwrap_err();
    assert_eq!(told.class(), Class::Outside, "{told}");
}

#[tokio::test]
async fn a_question_that_is_none_is_the_rules_fault_without_a_search() {
    let fake = library(Server::Elasticsearch, docs(0..3)).await;
    let cluster = cluster(&fake);
    for body in
        ["[", "{} {}", "[1]", r#"{"pit":{"id":"x"}}"#, r#"{"terminate_after":1}"#, &"[".repeat(100_000)]
    {
        let mut asked = question(&[]);
        asked.ask = Ask::Search(RawSearch { body: body.into(), pick: vec![] });
        let told = pages(&cluster, &asked).await.unwrap_err();
        assert_eq!(told.class(), Class::Rule, "{told}");
    }
    for dsl in ["", "{", "\"status:500\"", "[{}]", r#"{"wrapper":{"query":"e30="}}"#] {
        let query = Query::Dsl(dsl.into());
        let mut filtered = question(&[]);
        filtered.filter = Some(query.clone());
        let mut named = question(&[]);
        named.ask = Ask::Hits(Hits {
            fields: vec![],
            filters: vec![NamedFilter { name: "bad".into(), query: query.clone() }],
        });
        let mut measured = question(&[]);
        let (source, calc) = (Source::Field("n".into()), Calc::Sum);
        let metrics = vec![Metric { name: "sum".into(), source, calc, filter: Some(query) }];
        measured.ask = Ask::Buckets(Buckets { metrics, ..Buckets::default() });
        for asked in [filtered, named, measured] {
            let told = pages(&cluster, &asked).await.unwrap_err();
            assert_eq!(told.class(), Class::Rule, "{told}");
        }
    }
    assert!(fake.lines().iter().all(|line| line.ends_with("_field_caps")), "{:?}", fake.lines());
}

/// A scroll's next page and the opening of a context carry no word of the rule's.
#[tokio::test]
async fn what_the_host_asks_by_itself_is_not_the_rules_doing() {
    let refused = || {
        let error = json!({ "type": "illegal_argument_exception", "reason": "not so" });
        Reply::Json(400, json!({ "error": error, "status": 400 }))
    };
    for refusing in ["/_search/scroll", "/_pit?", "/point_in_time?"] {
        let fake = Fake::start(move |seen| {
            let old = refusing == "/_search/scroll";
            if seen.path.contains("_field_caps") {
                return Reply::Json(200, caps());
            }
            if seen.path.contains(refusing) || (old && seen.path.contains("keep_alive")) {
                return refused();
            }
            let hits = (0..10).map(|n| json!({ "_index": "x", "_id": n.to_string(), "sort": [n] })).collect();
            Reply::Json(200, envelope(hits, json!({ "_scroll_id": "s", "id": "p", "pit_id": "p" })))
        })
        .await;
        let mut config = config(&[&fake]);
        config.page_hits = 10;
        let asked = pages(&Cluster::new(config).unwrap(), &question(&["_id"])).await;
        if let Err(told) = asked {
            assert_eq!(told.class(), Class::Outside, "{refusing}: {told}");
        }
    }
}

#[tokio::test]
async fn a_value_that_no_column_holds_is_not_an_outage() {
    let fake = Fake::start(|seen| match seen.path.contains("_field_caps") {
        true => {
            let mut caps = caps();
            caps["fields"]["n"] =
                json!({ "unsigned_long": { "type": "unsigned_long", "aggregatable": true } });
            Reply::Json(200, caps)
        }
        false => {
            let hit = json!({ "_index": "x", "_id": "1", "sort": [1], "fields": { "n": [u64::MAX] } });
            let bucket = json!({ "key": { "b0": u64::MAX }, "doc_count": 1 });
            let found = json!({ "aggregations": { "page": { "buckets": [bucket] } } });
            Reply::Json(200, envelope(vec![hit], found))
        }
    })
    .await;
    let mut counted = question(&[]);
    counted.ask = Ask::Buckets(Buckets { by: vec!["n".into()], ..Buckets::default() });
    for asked in [question(&["n"]), counted] {
        let told = pages(&cluster(&fake), &asked).await.unwrap_err();
        assert_eq!(told.class(), Class::Rule, "{told}");
        assert!(told.to_string().contains("field `n`: "), "{told}");
    }
}

/// Neither the rule's fault nor too many rows: the index hands over fewer at once.
#[tokio::test]
async fn an_index_that_returns_few_hits_at_once_is_asked_for_fewer() {
    let fake = Fake::start(|seen| match seen.path.contains("_field_caps") {
        true => Reply::Json(200, caps()),
        false if seen.body["size"].as_u64() > Some(1_000) => {
            let reason = "Result window is too large, from + size must be less than or equal to: [1000] but was [10000]";
            let error = json!({ "type": "illegal_argument_exception", "reason": reason });
            Reply::Json(400, json!({ "error": error, "status": 400 }))
        }
        false => Reply::Json(200, envelope(vec![], json!({}))),
    })
    .await;
    assert_eq!(pages(&cluster(&fake), &question(&["host"])).await.unwrap(), []);
    let sizes: Vec<_> = fake.seen()[1..].iter().map(|seen| seen.body["size"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [10_000, 2_500, 625]);
}
