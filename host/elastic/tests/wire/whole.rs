use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use watchbell_contract::{
    Ask, Buckets, ClusterView, Evidence, Question, Range, RawSearch, Selection, Timestamp,
};
use watchbell_elastic::{AskError, Class, Cluster, ErrorKind, EvidenceAsk, EvidenceFields};

use crate::{
    cluster, config, deadline,
    fake::{Fake, Reply, Seen},
    library::{Server, caps, changed, docs, envelope},
    pages, question, target,
};

/// Every kind of request that can be answered in part.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Hits,
    Composite,
    Total,
    Raw,
    Evidence,
    Documents,
    NoData,
}

const KINDS: [Kind; 7] =
    [Kind::Hits, Kind::Composite, Kind::Total, Kind::Raw, Kind::Evidence, Kind::Documents, Kind::NoData];

async fn ask(cluster: &Cluster, kind: Kind) -> Result<(), AskError> {
    let over = Range::new(Timestamp(0), Timestamp(1_000_000));
    let with = |ask| Question { ask, ..question(&["_id"]) };
    let asked = match kind {
        Kind::Hits => question(&["_id"]),
        Kind::Composite => with(Ask::Buckets(Buckets { by: vec!["host".into()], ..Buckets::default() })),
        Kind::Total => with(Ask::Buckets(Buckets::default())),
        Kind::Raw => with(Ask::Search(RawSearch { body: r#"{"size":0}"#.into(), pick: vec![] })),
        Kind::Evidence => {
            let evidence = Evidence::Selection(Selection { over, only: vec![], filters: vec![], newest: 3 });
            let ask = EvidenceAsk { evidence: &evidence, count: 3 };
            return cluster.evidence(&target(), ask, EvidenceFields::default(), deadline()).await.map(drop);
        }
        Kind::Documents => return cluster.documents(&target(), over, 0, 10, deadline()).await.map(drop),
        Kind::NoData => return cluster.count_without_filter(&target(), over, deadline()).await.map(drop),
    };
    pages(cluster, &asked).await.map(drop)
}

/// Thirty documents in pages of ten, with aggregations and totals; `change` may spoil what says how whole it is.
async fn server(kind: Server, change: impl Fn(&Seen, &mut Value) + Send + Sync + 'static) -> (Fake, Cluster) {
    let fake = changed(kind, docs(0..30), move |seen, answer| {
        if seen.body.get("aggs").is_some() {
            answer["aggregations"] = json!({ "page": { "buckets": [] } });
        }
        if answer.get("hits").is_some() {
            answer["hits"]["total"] = json!({ "value": 30, "relation": "eq" });
        }
        change(seen, answer);
    })
    .await;
    let mut config = config(&[&fake]);
    config.page_hits = 10;
    (fake, Cluster::new(config).unwrap())
}

#[tokio::test]
async fn every_search_asks_for_no_answer_rather_than_a_part() {
    for kind in [Server::Elasticsearch, Server::OpenSearch, Server::OpenSearch2, Server::Old] {
        let (fake, cluster) = server(kind, |_, _| {}).await;
        for kind in KINDS {
            ask(&cluster, kind).await.unwrap();
        }
        let (mut searches, mut contexts) = (0, 0);
        for seen in fake.seen().iter().filter(|seen| seen.method == "POST") {
            let (path, parameters) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
            match path {
                // They go on as they began: servers take no such parameter here.
                "/_search/scroll" => assert_eq!(parameters, ""),
                _ if path.ends_with("/_pit") => contexts += 1,
                _ if path.ends_with("/point_in_time") => {
                    contexts += 1;
                    assert!(parameters.contains("allow_partial_pit_creation=false"), "{}", seen.path);
                }
                _ => {
                    searches += 1;
                    assert!(parameters.contains("allow_partial_search_results=false"), "{}", seen.path);
                }
            }
        }
        assert!(searches > KINDS.len() && contexts > 0, "{:?}", fake.lines());
    }
}

#[tokio::test]
async fn an_answer_in_part_is_an_error_whatever_was_asked() {
    type Lie = (fn(&mut Value), &'static str, Class);
    let lies: [Lie; 4] = [
        (
            |answer| answer["_shards"] = json!({ "total": 2, "successful": 1, "skipped": 0, "failed": 0 }),
            "shards are missing: 1 of 2",
            Class::Outside,
        ),
        (
            |answer| answer["_shards"] = json!({ "total": 3, "successful": 2, "skipped": 1, "failed": 0 }),
            "shards are missing: 1 of 3",
            Class::Outside,
        ),
        (
            |answer| answer["timed_out"] = json!(true),
            "the search timed out on the server; its answer is partial",
            Class::Slow,
        ),
        (
            |answer| answer["_clusters"] = json!({ "total": 2, "successful": 1, "skipped": 0, "partial": 1 }),
            "1 of 2 clusters were skipped; the answer is partial",
            Class::Outside,
        ),
    ];
    for (lie, expected, class) in lies {
        let (_fake, cluster) = server(Server::Elasticsearch, move |_, answer| lie(answer)).await;
        for kind in KINDS {
            let error = ask(&cluster, kind).await.expect_err("a part is not all");
            assert!(error.to_string().ends_with(expected), "{kind:?}: {error}");
            assert_eq!(error.class(), class, "{kind:?}");
        }
    }
}

/// Of a long answer each page must be whole, and so must be what its context was opened over.
#[tokio::test]
async fn a_shard_lost_between_two_pages_is_no_end_of_the_answer() {
    for kind in [Server::Elasticsearch, Server::OpenSearch, Server::Old] {
        for whole in 1..=3 {
            let answers = AtomicUsize::new(0);
            let (_fake, cluster) = server(kind, move |_, answer| {
                if answers.fetch_add(1, Ordering::SeqCst) >= whole {
                    answer["_shards"] = json!({ "total": 2, "successful": 1, "skipped": 0, "failed": 0 });
                }
            })
            .await;
            let error = ask(&cluster, Kind::Hits).await.expect_err("a part is not all");
            assert_eq!(error.cause, ErrorKind::MissingShards { reason: "1 of 2".into() });
        }
    }
}

/// The searches in it would be over the shards that it has, and whole.
#[tokio::test]
async fn a_point_in_time_over_some_of_the_shards_is_not_read() {
    let (fake, cluster) = server(Server::OpenSearch, |seen, answer| {
        if seen.path.contains("/point_in_time?") {
            answer["_shards"] = json!({ "total": 2, "successful": 1, "skipped": 0, "failed": 0 });
        }
    })
    .await;
    let error = ask(&cluster, Kind::Hits).await.expect_err("a part is not all");
    assert_eq!(error.cause, ErrorKind::MissingShards { reason: "1 of 2".into() });
    assert!(fake.seen().iter().all(|seen| seen.body.get("pit").is_none()), "{:?}", fake.lines());
}

/// As recorded of all three servers.
fn rejected() -> Reply {
    let reason = "Search rejected due to missing shards [[logs-b][0]]. Consider using `allow_partial_search_results` setting to bypass this error.";
    let inner = json!({ "type": "search_phase_execution_exception", "reason": reason, "phase": "query",
        "grouped": true, "failed_shards": [] });
    let error = json!({ "root_cause": [], "type": "search_phase_execution_exception", "reason": "", "phase": "query",
        "grouped": true, "failed_shards": [], "caused_by": inner });
    Reply::Json(503, json!({ "error": error, "status": 503 }))
}

#[tokio::test]
async fn a_search_that_is_refused_for_missing_shards_waits_for_them() {
    let fake = Fake::start(|seen| match seen.path.contains("_field_caps") {
        true => Reply::Json(200, caps()),
        false => rejected(),
    })
    .await;
    for kind in KINDS {
        let error = ask(&cluster(&fake), kind).await.unwrap_err();
        assert_eq!(error.class(), Class::Outside, "{kind:?}");
        let expected = "shards are missing: Search rejected due to missing shards [[logs-b][0]]";
        assert!(error.to_string().ends_with(expected), "{kind:?}: {error}");
    }
}

/// Elasticsearch 7 and OpenSearch report an index without its shards as missing.
#[tokio::test]
async fn an_index_that_no_field_is_known_of_may_be_one_without_its_shards() {
    for lenient in [false, true] {
        let fake = Fake::start(|seen| match seen.path.contains("_field_caps") {
            true => Reply::Json(200, json!({ "indices": [], "fields": {} })),
            false => rejected(),
        })
        .await;
        let mut target = target();
        target.ignore_unavailable = lenient;
        let error = cluster(&fake).ask(&target, &question(&["_id"]), deadline()).await.unwrap_err();
        assert!(matches!(error.cause, ErrorKind::MissingShards { .. }), "{error}");
    }
    // Elasticsearch 9 names it; what is left is not remembered.
    let fake = Fake::start(|seen| match seen.path.contains("_field_caps") {
        true => {
            let mut caps = caps();
            caps["failed_indices"] = 1.into();
            Reply::Json(200, caps)
        }
        false => Reply::Json(200, envelope(vec![], json!({}))),
    })
    .await;
    let error = pages(&cluster(&fake), &question(&["_id"])).await.unwrap_err();
    assert!(
        error.to_string().ends_with("shards are missing: 1 indices did not report their fields"),
        "{error}"
    );
}

#[tokio::test]
async fn a_view_of_a_part_of_the_cluster_is_no_view_of_it() {
    let view = |view, answers: fn(&str) -> Value| async move {
        let fake = Fake::start(move |seen| Reply::Json(200, answers(&seen.path))).await;
        let mut question = question(&[]);
        question.ask = Ask::Cluster(view);
        pages(&cluster(&fake), &question)
            .await
            .map(|pages| pages.iter().map(|rows| rows.len()).sum::<usize>())
    };
    let error =
        view(ClusterView::Health, |_| json!({ "status": "green", "timed_out": true })).await.unwrap_err();
    assert!(
        error.to_string().ends_with("the cluster's state is incomplete: the request timed out on the server"),
        "{error}"
    );
    assert_eq!(error.class(), Class::Outside);
    let disks: fn(&str) -> Value = |path| match path.starts_with("/_cat") {
        true => json!([{ "node": "a", "disk.percent": "10" }, { "node": "UNASSIGNED" }]),
        false => json!({ "number_of_data_nodes": 2 }),
    };
    let error = view(ClusterView::Disks, disks).await.unwrap_err();
    assert!(error.to_string().ends_with("incomplete: 1 of 2 data nodes did not answer"), "{error}");
    let error = view(ClusterView::UnassignedShards, |_| json!({})).await.unwrap_err();
    assert!(matches!(error.cause, ErrorKind::Malformed { .. }), "{error}");
}
