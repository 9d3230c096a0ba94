use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};
use tokio::time::{Duration, Instant};
use watchbell_elastic::{Class, Cluster, Document, ErrorKind, Written};

use crate::{
    cluster, config, deadline,
    fake::{Fake, Reply, Seen},
};

fn document(id: &str) -> Document {
    let source = Map::from_iter([("m".to_owned(), json!(format!("line\n{id}")))]);
    Document { index: "history".into(), id: id.into(), source }
}

fn documents(ids: &[&str]) -> Vec<Document> {
    ids.iter().map(|id| document(id)).collect()
}

fn error(status: u16, kind: &str, reason: &str) -> Reply {
    let cause = json!({ "type": kind, "reason": reason });
    let mut error = cause.clone();
    error["root_cause"] = json!([cause]);
    Reply::Json(status, json!({ "error": error, "status": status }))
}

const CONFLICT: &str = "version_conflict_engine_exception";
const BUSY: &str = "es_rejected_execution_exception";

/// The ids in a bulk request.
fn ids(seen: &Seen) -> Vec<String> {
    let lines: Vec<Value> = seen.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len() % 2, 0);
    let actions = lines.iter().step_by(2).map(|action| &action["create"]);
    actions
        .map(|action| {
            assert_eq!(action["_index"], "history");
            action["_id"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// The answer to a bulk request, with what `of` says of each id.
fn items(seen: &Seen, of: impl Fn(&str) -> (u16, Value)) -> Reply {
    let item = |id: &String| {
        let (status, error) = of(id);
        let mut item = json!({ "_index": "history", "_id": id, "status": status });
        match error {
            Value::Null => item["result"] = "created".into(),
            error => item["error"] = error,
        }
        json!({ "create": item })
    };
    let items: Vec<Value> = ids(seen).iter().map(item).collect();
    Reply::Json(200, json!({ "took": 1, "errors": true, "items": items }))
}

#[tokio::test]
async fn a_document_is_created_once() {
    let fake = Fake::start(|seen| match seen.path.as_str() {
        "/history/_create/new" => Reply::Json(201, json!({ "result": "created" })),
        "/history/_create/a%2Fb" => error(409, CONFLICT, "[a/b]: document already exists"),
        _ => error(400, "mapper_parsing_exception", "failed to parse field [m]"),
    })
    .await;
    let cluster = cluster(&fake);
    assert_eq!(cluster.create(&document("new"), deadline()).await.unwrap(), Written::Created);
    assert_eq!(cluster.create(&document("a/b"), deadline()).await.unwrap(), Written::Exists);
    let refused = cluster.create(&document("bad"), deadline()).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "index `history`, cluster `main`: refused (400 mapper_parsing_exception): failed to parse field [m]"
    );
    assert_eq!(refused.class(), Class::Rule);
    assert_eq!(fake.lines()[0], "PUT /history/_create/new");
    assert_eq!(fake.seen()[0].body, json!({ "m": "line\nnew" }));
}

#[tokio::test]
async fn a_busy_cluster_is_asked_again() {
    let asked = AtomicUsize::new(0);
    let fake = Fake::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => error(429, BUSY, "queue full"),
        1 => Reply::Json(503, json!({})),
        _ => Reply::Json(201, json!({ "result": "created" })),
    })
    .await;
    assert_eq!(cluster(&fake).create(&document("1"), deadline()).await.unwrap(), Written::Created);
    assert_eq!(fake.seen().len(), 3);
}

#[tokio::test]
async fn each_document_of_a_bulk_has_its_own_result() {
    let asked = AtomicUsize::new(0);
    let fake = Fake::start(move |seen| {
        let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        items(seen, |id| match id {
            "there" => (409, json!({ "type": CONFLICT, "reason": "document already exists" })),
            "bad" => (400, json!({ "type": "document_parsing_exception", "reason": "no date" })),
            "late" if first => (429, json!({ "type": BUSY, "reason": "queue full" })),
            "moved" if first => {
                (503, json!({ "type": "unavailable_shards_exception", "reason": "no shard" }))
            }
            _ => (201, Value::Null),
        })
    })
    .await;
    let mut documents = documents(&["new", "there", "late", "bad", "moved", ""]);
    documents[5].index = String::new();
    let written = cluster(&fake).bulk(&documents, deadline()).await;
    let said: Vec<String> = written
        .iter()
        .map(|one| one.as_ref().map_or_else(ToString::to_string, |written| format!("{written:?}")))
        .collect();
    let refused = "index `history`, cluster `main`: refused (400 document_parsing_exception): no date";
    let unsent = "cluster `main`: the document cannot be written: it names no index";
    assert_eq!(said, ["Created", "Exists", "Created", refused, "Created", unsent]);
    assert!(matches!(&written[3], Err(error) if error.class() == Class::Rule));
    // Only those that may yet be written are sent again.
    let sent: Vec<_> = fake.seen().iter().map(ids).collect();
    assert_eq!(sent, [vec!["new", "there", "late", "bad", "moved"], vec!["late", "moved"]]);
    assert_eq!(fake.lines(), ["POST /_bulk"; 2]);
}

#[tokio::test]
async fn repetitions_of_a_bulk_end() {
    let busy = |seen: &Seen| {
        items(seen, |id| match id {
            "ok" => (201, Value::Null),
            _ => (429, json!({ "type": BUSY, "reason": "queue full" })),
        })
    };
    let fake = Fake::start(busy).await;
    let mut config = config(&[&fake]);
    config.retry_max = 2;
    let cluster = Cluster::new(config.clone()).unwrap();
    let written = cluster.bulk(&documents(&["ok", "busy"]), deadline()).await;
    assert!(matches!(written[0], Ok(Written::Created)));
    let Err(error) = &written[1] else { panic!("{written:?}") };
    assert_eq!(error.cause, ErrorKind::Unavailable { status: 429, reason: format!("{BUSY}: queue full") });
    assert_eq!(fake.seen().len(), 3);
    // By their number, and by the time.
    config.retry_first = Duration::from_secs(60);
    config.retry_pause_max = Duration::from_secs(60);
    let cluster = Cluster::new(config).unwrap();
    let written = cluster.bulk(&documents(&["busy"]), Instant::now() + Duration::from_secs(20)).await;
    let Err(error) = &written[0] else { panic!("{written:?}") };
    assert!(matches!(error.cause, ErrorKind::Deadline { last: Some(_) }), "{error}");
    assert_eq!(error.class(), Class::Outside);
}

#[tokio::test]
async fn a_bulk_that_is_too_large_is_divided() {
    let fake = Fake::start(|seen| match ids(seen).as_slice() {
        [_, _, ..] => Reply::Full(413, vec![("content-type", "text/html".into())], b"too large".into()),
        [one] if one == "3" => Reply::Full(413, vec![], vec![]),
        _ => items(seen, |_| (201, Value::Null)),
    })
    .await;
    let written = cluster(&fake).bulk(&documents(&["1", "2", "3"]), deadline()).await;
    assert!(matches!(written[..2], [Ok(Written::Created), Ok(Written::Created)]), "{written:?}");
    assert!(matches!(&written[2], Err(error) if error.class() == Class::TooLarge), "{written:?}");
    let sent: Vec<_> = fake.seen().iter().map(ids).collect();
    assert_eq!(sent, [vec!["1", "2", "3"], vec!["1"], vec!["2", "3"], vec!["2"], vec!["3"]]);
}

#[tokio::test]
async fn a_bulk_without_a_result_for_each_document_is_an_error_of_all() {
    for answer in [json!({}), json!({ "items": [] }), json!({ "items": [{}, {}] })] {
        let fake = Fake::start(move |_| Reply::Json(200, answer.clone())).await;
        let written = cluster(&fake).bulk(&documents(&["1", "2"]), deadline()).await;
        assert_eq!(written.len(), 2);
        for one in written {
            assert!(matches!(one.unwrap_err().cause, ErrorKind::Malformed { .. }));
        }
    }
    let fake = Fake::start(|_| error(403, "security_exception", "no")).await;
    let written = cluster(&fake).bulk(&documents(&["1", "2"]), deadline()).await;
    for one in written {
        assert!(matches!(one.unwrap_err().cause, ErrorKind::Denied { status: 403, .. }));
    }
}
