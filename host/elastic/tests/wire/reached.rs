//! Indices that are asked one by one although the target names an alias of theirs.
use serde_json::{Value, json};
use watchbell_contract::{Ask, Buckets, Duration, Question};
use watchbell_elastic::{AskError, Target};

use crate::{
    cluster, deadline,
    fake::{Fake, Reply, Seen},
    library::envelope,
    question, target,
};

/// `user` is text with a keyword beside it in one index, and a keyword in the other; each of `indices` by its own name.
fn caps(old: &str, new: &str) -> Reply {
    let of =
        |kind: &str, index: &str| json!({ "type": kind, "aggregatable": kind != "text", "indices": [index] });
    Reply::Json(
        200,
        json!({ "indices": [new, old], "fields": {
            "@timestamp": { "date": { "type": "date", "aggregatable": true } },
            "user": { "keyword": of("keyword", new), "text": of("text", old) },
            "user.keyword": { "keyword": of("keyword", old), "unmapped": of("unmapped", new) },
        } }),
    )
}

async fn ask(fake: &Fake, indices: &[&str]) -> Result<(), AskError> {
    let buckets = Buckets {
        by: vec!["user".into()],
        every: Some(Duration::from_secs(60)),
        offset: Duration::ZERO,
        metrics: vec![],
        filters: vec![],
    };
    let counted = Question { ask: Ask::Buckets(buckets), ..question(&[]) };
    let target = Target { indices: indices.iter().map(|&name| name.into()).collect(), ..target() };
    let mut pages = cluster(fake).ask(&target, &counted, deadline()).await?;
    while pages.next().await?.is_some() {}
    Ok(())
}

/// Which index each search asked, and what its query has beside the range.
fn searches(fake: &Fake) -> Vec<(String, Vec<Value>)> {
    let searches = fake.seen().into_iter().filter(|seen| seen.path.contains("/_search?"));
    let told = searches.map(|Seen { path, body, .. }| {
        let filters = body["query"]["bool"]["filter"].as_array().unwrap();
        (path.split('/').nth(1).unwrap().to_owned(), filters[1..].to_vec())
    });
    let mut told: Vec<_> = told.collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    told
}

fn asked_shards(fake: &Fake) -> Vec<String> {
    let asked = fake.seen().into_iter().filter(|seen| seen.path.contains("/_search_shards"));
    asked.map(|seen| seen.path).collect()
}

#[tokio::test]
async fn what_an_alias_keeps_back_is_not_counted() {
    let fake = Fake::start(|seen| match &seen.path {
        path if path.contains("_field_caps") => caps("logs-old", "logs-new"),
        path if path.contains("_search_shards") => Reply::Json(
            200,
            json!({ "nodes": {}, "shards": [], "indices": {
                "logs-new": { "aliases": ["prod"], "filter": { "term": { "env": { "value": "prod", "boost": 1.0 } } } },
                "logs-old": {},
            } }),
        ),
        _ => Reply::Json(200, envelope(vec![], json!({ "aggregations": { "page": { "buckets": [] } } }))),
    })
    .await;
    ask(&fake, &["prod"]).await.unwrap();
    assert_eq!(asked_shards(&fake), ["/prod/_search_shards"]);
    let filter = json!({ "term": { "env": { "value": "prod", "boost": 1.0 } } });
    assert_eq!(searches(&fake), [("logs-new".into(), vec![filter]), ("logs-old".into(), vec![])]);
}

#[tokio::test]
async fn indices_that_are_named_are_asked_at_once() {
    let fake = Fake::start(|seen| match seen.path.contains("_field_caps") {
        true => caps("logs-old", ".ds-logs-app-2024.01.31-000001"),
        false => Reply::Json(200, envelope(vec![], json!({ "aggregations": { "page": { "buckets": [] } } }))),
    })
    .await;
    ask(&fake, &["logs-*"]).await.unwrap();
    assert_eq!(asked_shards(&fake), [""; 0]);
    assert_eq!(searches(&fake).len(), 2);
}

#[tokio::test]
async fn filters_that_nobody_tells_are_no_absence_of_filters() {
    let fake = Fake::start(|seen| match &seen.path {
        path if path.contains("_field_caps") => caps("west:logs-old", "logs-new"),
        _ => Reply::Json(
            403,
            json!({ "error": { "type": "security_exception", "reason": "no" }, "status": 403 }),
        ),
    })
    .await;
    let error = ask(&fake, &["west:prod", "prod"]).await.unwrap_err();
    assert!(
        error.to_string().contains("`west:logs-old` is reached through an alias of another cluster"),
        "{error}"
    );
    let error = ask(&fake, &["west:logs-*", "prod"]).await.unwrap_err();
    assert!(error.to_string().contains("needs the privilege `view_index_metadata`: no"), "{error}");
    assert_eq!(asked_shards(&fake), ["/prod/_search_shards"]);
    assert!(searches(&fake).is_empty());
}
