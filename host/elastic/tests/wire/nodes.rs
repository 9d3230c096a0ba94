use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::time::Instant;
use watchbell_elastic::{Cluster, ErrorKind};

use crate::{
    cluster, config, deadline,
    fake::{Fake, Reply},
    library::{Server, caps, docs, envelope, in_order, library},
    pages, question, target, told,
};

/// Answers with `status` the first `times` times that it is searched, then with nothing found.
async fn recovering(times: usize, status: u16, headers: &'static [(&'static str, &'static str)]) -> Fake {
    let left = AtomicUsize::new(times);
    Fake::start(move |seen| {
        if seen.path.contains("_field_caps") {
            return Reply::Json(200, caps());
        }
        if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            let headers = headers.iter().map(|&(name, value)| (name, value.to_owned())).collect();
            return Reply::Full(status, headers, b"busy".into());
        }
        Reply::Json(200, envelope(vec![], json!({})))
    })
    .await
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for status in [429, 502, 503, 504] {
        let fake = recovering(3, status, &[]).await;
        assert_eq!(pages(&cluster(&fake), &question(&["host"])).await.unwrap(), []);
        assert_eq!(fake.lines().len(), 1 + 4);
    }
    let fake = recovering(1, 500, &[]).await;
    let error = pages(&cluster(&fake), &question(&["host"])).await.unwrap_err();
    assert!(error.to_string().ends_with("unavailable (500): response: busy"), "{error}");
}

#[tokio::test]
async fn retry_after_is_honoured_but_not_past_the_deadline() {
    let fake = recovering(1, 503, &[("retry-after", "1")]).await;
    let start = Instant::now();
    pages(&cluster(&fake), &question(&["host"])).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));

    let fake = recovering(1, 429, &[("Retry-After", "3600")]).await;
    let start = Instant::now();
    let error = pages(&cluster(&fake), &question(&["host"])).await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(5), "nobody waits for what cannot come in time");
    let expected = "the run's deadline has passed; last attempt: unavailable (429): response: busy";
    assert!(error.to_string().ends_with(expected), "{error}");
    assert_eq!(error.class(), watchbell_elastic::Class::Outside);
}

#[tokio::test]
async fn nodes_take_turns_and_a_dead_one_rests() {
    let docs = docs([1, 2, 3]);
    let mut a = library(Server::Elasticsearch, docs.clone()).await;
    let b = library(Server::Elasticsearch, docs.clone()).await;
    let cluster = Cluster::new(config(&[&a, &b])).unwrap();
    for _ in 0..4 {
        pages(&cluster, &question(&["_id"])).await.unwrap();
    }
    assert!(a.lines().len() >= 2 && b.lines().len() >= 2, "{:?} {:?}", a.lines(), b.lines());
    a.die().await;
    let before = b.lines().len();
    for _ in 0..6 {
        assert_eq!(told(&pages(&cluster, &question(&["_id"])).await.unwrap()), in_order(&docs));
    }
    assert_eq!(b.lines().len(), before + 6, "every question was answered by the node that lives");
}

#[tokio::test]
async fn a_node_that_answers_502_is_left_for_another() {
    let sick =
        Fake::start(|_| Reply::Full(502, vec![("content-type", "text/html".into())], b"<h1>Bad</h1>".into()))
            .await;
    let docs = docs([1, 2]);
    let well = library(Server::Elasticsearch, docs.clone()).await;
    let cluster = Cluster::new(config(&[&sick, &well])).unwrap();
    for _ in 0..5 {
        assert_eq!(told(&pages(&cluster, &question(&["_id"])).await.unwrap()), in_order(&docs));
    }
    assert_eq!(sick.lines().len(), 1, "set aside after its first failure");
}

#[tokio::test]
async fn a_node_that_hangs_leaves_another_the_time_to_answer() {
    let hangs = Fake::start(|_| Reply::Silence).await;
    let docs = docs([1, 2]);
    let well = library(Server::Elasticsearch, docs.clone()).await;
    // A request may take as long as the whole run.
    let cluster = Cluster::new(config(&[&hangs, &well])).unwrap();
    let soon = Instant::now() + Duration::from_secs(3);
    let mut answer = cluster.ask(&target(), &question(&["_id"]), soon).await.unwrap();
    let mut pages = vec![];
    while let Some(rows) = answer.next().await.unwrap() {
        pages.push(rows);
    }
    assert_eq!(told(&pages), in_order(&docs));
    assert_eq!(hangs.lines().len(), 1, "set aside once it did not answer");
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_allowed() {
    let fake = Fake::start(|seen| match seen.path.contains("_field_caps") {
        true => Reply::Json(200, caps()),
        false => Reply::Silence,
    })
    .await;
    let mut config = config(&[&fake]);
    config.concurrency = 2;
    let cluster = Cluster::new(config).unwrap();
    // The fields first, so that only searches take places.
    let long = deadline();
    let mut under_way = vec![cluster.ask(&target(), &question(&["host"]), long).await.unwrap()];
    under_way.push(cluster.ask(&target(), &question(&["host"]), long).await.unwrap());
    while fake.lines().iter().filter(|line| line.ends_with("_search")).count() < 2 {
        tokio::task::yield_now().await;
    }
    let soon = Instant::now() + Duration::from_millis(100);
    let mut waiting = cluster.ask(&target(), &question(&["host"]), soon).await.unwrap();
    let error = waiting.next().await.unwrap_err();
    assert_eq!(error.cause, ErrorKind::Busy { concurrency: 2 });
    assert_eq!(error.class(), watchbell_elastic::Class::Outside);
    assert_eq!(fake.lines().iter().filter(|line| line.ends_with("_search")).count(), 2);
    drop(under_way);
}

#[tokio::test]
async fn one_page_is_fetched_ahead_and_no_more() {
    let fake = Arc::new(library(Server::Elasticsearch, docs(0..100)).await);
    let mut config = config(&[&fake]);
    config.page_hits = 10;
    let cluster = Cluster::new(config).unwrap();
    let mut answer = cluster.ask(&target(), &question(&["_id"]), deadline()).await.unwrap();
    answer.next().await.unwrap().unwrap();
    let searches = || fake.lines().iter().filter(|line| line.ends_with("/_search")).count();
    // The page after the one in hand is fetched while nobody asks for it.
    while searches() < 2 {
        tokio::task::yield_now().await;
    }
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(searches(), 2);
    answer.close().await;
}
