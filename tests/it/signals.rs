//! SIGTERM ends a host within ten seconds, whatever hangs; SIGHUP reads the manifests again.
use serde_json::json;
use tokio::net::TcpListener;

use crate::journey::{FAILED_LOGINS, with_failed_logins};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_never_answers_does_not_hold_a_host_that_is_told_to_stop() {
    let world = with_failed_logins().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = format!("http://{}", silent.local_addr().unwrap());
    world.environment(&json!({ "clusters": { "main": { "nodes": [node] } } }));
    let mut host = world.start();
    // Somebody has connected, and waits.
    let (_held, _) = silent.accept().await.unwrap();
    host.signal("-TERM");
    let began = watchbell::clock::monotonic();
    assert_eq!(host.ended().await, Some(5));
    assert!(began.elapsed().as_secs() <= 10, "it took {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup_puts_new_rules_in_force_and_faulty_ones_not() {
    let world = with_failed_logins().await;
    let mut host = world.start();
    host.until("a window", |line| line["outcome"] == "committed").await;
    world.write("more.yaml", &FAILED_LOGINS.replace("name: failed-logins", "name: more-logins"));
    host.signal("-HUP");
    host.until("the new rule", |line| line["rule"] == "more-logins" && line["outcome"] == "committed").await;
    world.write("more.yaml", "name: [");
    host.signal("-HUP");
    host.until("the refusal", |line| {
        line["message"].as_str().is_some_and(|text| text.contains("stays as it was"))
    })
    .await;
    host.until("the old bundle going on", |line| {
        line["rule"] == "more-logins" && line["outcome"] == "committed"
    })
    .await;
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup_ends_no_more_than_half_of_the_rules() {
    let world = with_failed_logins().await;
    let mut host = world.start();
    host.until("a window", |line| line["outcome"] == "committed").await;
    std::fs::remove_file(world.rules().join("failed-logins.yaml")).unwrap();
    host.signal("-HUP");
    let refused = host
        .until("the refusal", |line| {
            line["message"].as_str().is_some_and(|text| text.contains("stays as it was"))
        })
        .await;
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains("1 of 1 known rules would end") && message.contains("failed-logins"),
        "{message}"
    );
    host.until("the rule going on", |line| line["outcome"] == "committed").await;
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup_says_what_takes_a_restart() {
    let world = with_failed_logins().await;
    let mut host = world.start();
    host.until("a window", |line| line["outcome"] == "committed").await;
    world.environment(&json!({ "clusters": { "main": { "nodes": [world.cluster], "concurrency": 2 } } }));
    host.signal("-HUP");
    host.until("the warning", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("the concurrency of clusters has changed"))
    })
    .await;
    assert_eq!(host.stop().await, Some(0));
}
