use serde_json::json;
use watchbell_contract::{Ask, Buckets};
use watchbell_elastic::{AskError, Class, Cluster, ClusterConfig, ErrorKind};

use crate::{
    cluster, config, deadline,
    fake::{Fake, Reply},
    library::{Server, caps, docs, envelope, library},
    pages, question, target,
};

/// A server whose searches all end the same way.
async fn searches(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Fake {
    Fake::start(move |seen| match seen.path.contains("_field_caps") {
        true => Reply::Json(200, caps()),
        false => reply(),
    })
    .await
}

async fn fault(fake: &Fake) -> AskError {
    pages(&cluster(fake), &question(&["host"])).await.unwrap_err()
}

/// The error's words without the port, which differs each time.
fn words(fake: &Fake, error: &AskError) -> String {
    error.to_string().replace(fake.url.as_str(), "NODE")
}

const PLACE: &str = "rule `failed-logins`, index `logs-*`, cluster `main`: ";

#[tokio::test]
async fn partial_shards_are_an_error_with_their_reason() {
    let fake = searches(|| {
        let failure = json!({ "shard": 0, "index": "logs-1", "reason": { "type": "query_shard_exception", "reason": "no" } });
        let shards = json!({ "total": 5, "successful": 3, "failed": 2, "failures": [failure] });
        Reply::Json(200, envelope(vec![], json!({ "_shards": shards })))
    })
    .await;
    let error = fault(&fake).await;
    assert_eq!(
        error.to_string(),
        format!("{PLACE}2 of 5 shards failed: `logs-1`: query_shard_exception: no")
    );
    assert_eq!(error.class(), Class::Outside);
    // What was believed of the fields may be the reason: each time they are asked anew.
    let cluster = cluster(&fake);
    for _ in 0..2 {
        _ = pages(&cluster, &question(&["host"])).await.unwrap_err();
    }
    let lines = fake.lines();
    let after = lines.iter().skip_while(|line| !line.ends_with("_search"));
    let caps = after.filter(|line| line.ends_with("_field_caps")).count();
    // After each of three searches, and before the second cluster's first.
    assert_eq!(caps, 4);
}

#[tokio::test]
async fn a_search_that_timed_out_is_too_large() {
    let fake = searches(|| Reply::Json(200, envelope(vec![], json!({ "timed_out": true })))).await;
    let error = fault(&fake).await;
    assert_eq!(
        error.to_string(),
        format!("{PLACE}the search timed out on the server; its answer is partial")
    );
    assert_eq!(error.class(), Class::Slow);
}

#[tokio::test]
async fn missing_indices_must_be_asked_to_be_ignored() {
    let missing = || {
        let error = json!({ "type": "index_not_found_exception", "reason": "no such index [logs]" });
        Reply::Json(404, json!({ "error": error, "status": 404 }))
    };
    let fake = Fake::start(move |_| missing()).await;
    assert_eq!(fault(&fake).await.to_string(), format!("{PLACE}no such index: no such index [logs]"));

    // To the server a wildcard without a match is not an error.
    let fake = Fake::start(|_| Reply::Json(200, json!({ "indices": [], "fields": {} }))).await;
    assert_eq!(fault(&fake).await.to_string(), format!("{PLACE}no such index"));
    let mut lenient = target();
    lenient.ignore_unavailable = true;
    let mut answer = cluster(&fake).ask(&lenient, &question(&["host"]), deadline()).await.unwrap();
    assert_eq!(answer.next().await.unwrap(), None);
    assert!(fake.seen().last().unwrap().path.ends_with("&ignore_unavailable=true"));

    // Gone after its fields were learned.
    let fake =
        searches(|| Reply::Json(200, envelope(vec![], json!({ "_shards": { "total": 0, "failed": 0 } }))))
            .await;
    assert_eq!(fault(&fake).await.to_string(), format!("{PLACE}no such index"));
    let buckets = Ask::Buckets(Buckets { by: vec!["host".into()], ..Buckets::default() });
    let mut counted = question(&[]);
    counted.ask = buckets;
    let error = pages(&cluster(&fake), &counted).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{PLACE}no such index"));
}

#[tokio::test]
async fn an_index_that_vanished_is_no_empty_answer_in_a_context_either() {
    for server in [Server::Elasticsearch, Server::OpenSearch, Server::Old] {
        for lenient in [false, true] {
            let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
            let vanished = std::sync::Arc::clone(&gone);
            let fake = crate::library::vanishing(server, docs(0..30), vanished).await;
            let mut config = config(&[&fake]);
            config.page_hits = 10;
            let cluster = Cluster::new(config).unwrap();
            // Now the answer is known to be long, and begins with a context.
            assert_eq!(
                pages(&cluster, &question(&["_id"])).await.unwrap().iter().map(|p| p.len()).sum::<usize>(),
                30
            );
            gone.store(true, std::sync::atomic::Ordering::SeqCst);
            let mut target = target();
            target.ignore_unavailable = lenient;
            let mut answer = cluster.ask(&target, &question(&["_id"]), deadline()).await.unwrap();
            match lenient {
                true => assert_eq!(answer.next().await.unwrap(), None),
                false => {
                    let error = answer.next().await.unwrap_err();
                    assert_eq!(error.to_string(), format!("{PLACE}no such index"));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_cluster_passed_over_is_a_partial_answer() {
    let clusters = || json!({ "_clusters": { "total": 2, "successful": 1, "skipped": 1 } });
    let fake = searches(move || Reply::Json(200, envelope(vec![], clusters()))).await;
    let expected = "1 of 2 clusters were skipped; the answer is partial";
    assert_eq!(fault(&fake).await.to_string(), format!("{PLACE}{expected}"));
    let mut counted = question(&[]);
    counted.ask = Ask::Buckets(Buckets::default());
    let error = pages(&cluster(&fake), &counted).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{PLACE}{expected}"));
    // Indices may be missing, if the rule says so; whole clusters may not.
    let mut lenient = target();
    lenient.ignore_unavailable = true;
    let mut answer = cluster(&fake).ask(&lenient, &question(&["host"]), deadline()).await.unwrap();
    assert_eq!(answer.next().await.unwrap_err().to_string(), format!("{PLACE}{expected}"));
}

#[tokio::test]
async fn mappings_that_disagree_are_told_before_a_search() {
    let fake = Fake::start(|_| {
        let of = |kind: &str, index: &str| json!({ "type": kind, "aggregatable": true, "indices": [index] });
        let fields = json!({ "@timestamp": { "date": { "type": "date", "aggregatable": true } },
            "host": { "keyword": of("keyword", "logs-1"), "long": of("long", "logs-2") } });
        Reply::Json(200, json!({ "indices": ["logs-1", "logs-2"], "fields": fields }))
    })
    .await;
    let expected = "field `host` has conflicting types: keyword in `logs-1`, long in `logs-2`; choose indices whose mappings agree";
    assert_eq!(fault(&fake).await.to_string(), format!("{PLACE}{expected}"));
    assert_eq!(fake.lines(), ["GET /logs-*/_field_caps"]);
    let mut other = target();
    other.time_field = "host".into();
    let error = cluster(&fake).ask(&other, &question(&[]), deadline()).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{PLACE}time field `host` is keyword in `logs-1`, long in `logs-2`, not a date")
    );
}

#[tokio::test]
async fn a_proxy_page_is_not_an_answer() {
    let html = || vec![("content-type", "text/html".to_owned())];
    let fake = searches(move || Reply::Full(200, html(), b"<html>Please  log in</html>".into())).await;
    let expected = "the response is text/html, not JSON: <html>Please log in</html>";
    assert_eq!(fault(&fake).await.to_string(), format!("{PLACE}{expected}"));
    // Nor is one that claims to be json.
    let fake =
        searches(|| Reply::Full(200, vec![("content-type", "application/json".into())], b"<html>".into()))
            .await;
    let expected = "unexpected response: expected value at line 1 column 1";
    assert_eq!(fault(&fake).await.to_string(), format!("{PLACE}{expected}"));
}

#[tokio::test]
async fn an_answer_cut_short_is_asked_again_and_then_told() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let cuts = [
        format!("{head}content-length: 500\r\n\r\n{{\"took\":1,"),
        format!("{head}transfer-encoding: chunked\r\n\r\n5\r\n{{\"to"),
        format!("{head}transfer-encoding: chunked\r\n\r\nhello"),
        String::new(),
    ];
    for cut in cuts {
        let fake = searches(move || Reply::Cut(cut.clone().into_bytes())).await;
        let error = fault(&fake).await;
        assert!(matches!(error.cause, ErrorKind::Cut { .. }), "{error}");
        let expected = format!("{PLACE}the connection to NODE broke before the answer was complete: ");
        assert!(words(&fake, &error).starts_with(&expected), "{error}");
        assert_eq!(fake.lines().len(), 1 + 5, "one question about fields, five searches");
    }
    // Longer than it said: what it said is not json.
    let long = format!("{head}content-length: 5\r\n\r\n{{\"took\":1}}");
    let fake = searches(move || Reply::Cut(long.clone().into_bytes())).await;
    let error = fault(&fake).await;
    assert!(matches!(error.cause, ErrorKind::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn a_page_too_large_is_asked_in_parts_and_then_told() {
    let fake = searches(|| Reply::Full(200, vec![], vec![b' '; 5_000])).await;
    let mut config = config(&[&fake]);
    config.page_bytes_max = 4_096;
    let error = pages(&Cluster::new(config).unwrap(), &question(&["host"])).await.unwrap_err();
    let expected = "the response has 5000 bytes, more than the 4096 of `page_bytes`; lower `page_hits`, ask for fewer fields or raise `page_bytes`";
    assert_eq!((error.to_string(), error.class()), (format!("{PLACE}{expected}"), Class::TooLarge));
    let sizes: Vec<_> = fake.seen()[1..].iter().map(|seen| seen.body["size"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [10_000, 2_500, 625, 156, 100]);

    let library = library(Server::Elasticsearch, docs(0..500)).await;
    let mut config = crate::config(&[&library]);
    // About 90 bytes a hit.
    config.page_bytes_max = 20_000;
    let pages = pages(&Cluster::new(config).unwrap(), &question(&["_id"])).await.unwrap();
    assert_eq!(pages.iter().map(|rows| rows.len()).sum::<usize>(), 500);
}

#[tokio::test]
async fn refusals_say_what_the_server_said() {
    let refused = |status: u16, kind: &'static str, reason: &'static str| {
        searches(move || {
            Reply::Json(status, json!({ "error": { "type": kind, "reason": reason }, "status": status }))
        })
    };
    let fake = refused(400, "parsing_exception", "unknown query [term5]").await;
    let error = fault(&fake).await;
    let expected = "refused (400 parsing_exception): unknown query [term5]";
    assert_eq!((error.to_string(), error.class()), (format!("{PLACE}{expected}"), Class::Rule));
    let fake = refused(403, "security_exception", "action [search] is unauthorized").await;
    let expected = "access denied (403): action [search] is unauthorized";
    assert_eq!(fault(&fake).await.to_string(), format!("{PLACE}{expected}"));
    let fake = refused(503, "search_phase_execution_exception", "all shards failed").await;
    let expected = "unavailable (503): search_phase_execution_exception: all shards failed";
    assert_eq!(fault(&fake).await.to_string(), format!("{PLACE}{expected}"));
    let fake = refused(429, "circuit_breaking_exception", "[parent] Data too large").await;
    let error = fault(&fake).await;
    let expected = "too much for the server (circuit_breaking_exception): [parent] Data too large";
    assert_eq!((error.to_string(), error.class()), (format!("{PLACE}{expected}"), Class::TooLarge));
    assert_eq!(fake.lines().len(), 1 + 5);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let mut fake = searches(|| Reply::Silence).await;
    fake.die().await;
    let error = fault(&fake).await;
    assert!(matches!(error.cause, ErrorKind::Connect { .. }), "{error}");
    assert!(words(&fake, &error).starts_with(&format!("{PLACE}cannot connect to NODE: ")), "{error}");
    assert_eq!(error.class(), Class::Outside);
}

#[tokio::test]
async fn silence_ends_with_the_request_or_the_run() {
    let fake = searches(|| Reply::Silence).await;
    let short = |config: ClusterConfig| ClusterConfig {
        request_timeout: std::time::Duration::from_millis(150),
        ..config
    };
    let error =
        pages(&Cluster::new(short(config(&[&fake]))).unwrap(), &question(&["host"])).await.unwrap_err();
    assert!(matches!(error.cause, ErrorKind::Timeout { .. }), "{error}");
    assert_eq!(error.class(), Class::Slow);

    let soon = tokio::time::Instant::now() + std::time::Duration::from_millis(300);
    let mut answer = cluster(&fake).ask(&target(), &question(&["host"]), soon).await.unwrap();
    let error = answer.next().await.unwrap_err();
    assert_eq!(error.to_string(), format!("{PLACE}the run's deadline has passed"));
    assert_eq!(error.class(), Class::Slow);
    assert_eq!(answer.next().await.unwrap(), None, "an error ends the answer");
}
