//! Whatever a cluster answers, it costs the rules that ask it, in bounded time and memory, and other rules nothing.
use std::path::Path;

use serde_json::{Value, json};

use super::hostile_cluster::{HostileCluster, Mode};
use crate::journey::with_failed_logins;
use crate::world::{World, hit, now};

/// `some-id:secret/key+01`
const KEY: &str = "c29tZS1pZDpzZWNyZXQva2V5KzAx";
/// With responses of at most 1 MiB. The hostile cluster would have the host hold 2 GiB.
const MEMORY_MAX: u64 = 400 << 20;
/// Requests that a run may cost whose answer repeats itself; of these tests' runs there are a few.
const REQUESTS_MAX: usize = 500;

const HITS: &str = "use: any";
const BUCKETS: &str =
    "use: metric_aggregation\nparams: { field: Status, metric: max, max_threshold: 1000, timeframe: 5s }";
const SEARCH: &str = "use: query\nparams: { body: { size: 0 }, pick: { n: /hits/total/value }, \
                      fire: [{ value: n, above: 5 }], every: 1s }";

/// A host with a rule on a hostile cluster beside one on a good one.
async fn world(hostile: &HostileCluster, rule: &str) -> World {
    let world = with_failed_logins().await;
    world.environment(&json!({ "clusters": {
        "main": { "nodes": [world.cluster] },
        "hostile": {
            "nodes": [hostile.url],
            "auth": { "api_key": { "env": "HOSTILE_KEY" } },
            "page_bytes": "1MiB",
            "page_hits": 10,
            "timeout": "2s",
        },
    } }));
    let common = "name: hostile\ncluster: hostile\nindex: logs\nevery: 1s\ndelay: 0s\nlateness: 1s\n\
                  lookback: 10s\nalert: { title: it, to: [hook] }\n";
    world.write("hostile.yaml", &format!("{common}{rule}\n"));
    world
}

/// The last error of the hostile cluster's rule.
fn error(status: &str) -> String {
    let status: Value = serde_json::from_str(status).unwrap_or_default();
    let rules = status["rules"].as_array().into_iter().flatten();
    let hostile = rules.filter(|rule| rule["name"] == "hostile").find_map(|rule| rule["last_error"].as_str());
    hostile.unwrap_or_default().to_owned()
}

/// Runs `rule` on a cluster that answers by `mode` until the host says `said` of it; meanwhile another rule does its
/// work. Returns what the cluster was asked.
async fn attacked(mode: Mode, rule: &str, said: &str) -> Vec<String> {
    let hostile = HostileCluster::start(mode).await;
    let mut world = world(&hostile, rule).await;
    let mut host = world.start_with(&[], &[("HOSTILE_KEY", KEY)]);
    let address = host.address().await;
    world.get_until(&address, "/status", |status| error(status).contains(said)).await;
    world.receiver.until("the other rule's alert", |got| !got.is_empty()).await;
    let then = now();
    let more: Vec<_> = (0..3).map(|second| hit(then + second, 401, "web-9")).collect();
    world.documents("logs-auth", &more).await;
    let labels = json!({ "host.name": "web-9" });
    world
        .receiver
        .until("another alert of it", |got| got.iter().any(|alert| alert.body["labels"] == labels))
        .await;
    assert!(host.peak_memory() < MEMORY_MAX, "{} MiB", host.peak_memory() >> 20);
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    hostile.asked()
}

const TOO_LARGE: &str = "more than the 1048576 bytes of `page_bytes`";

#[tokio::test(flavor = "multi_thread")]
async fn a_gzip_bomb_is_refused_while_it_unpacks() {
    attacked(Mode::GzipBomb, HITS, TOO_LARGE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_hits_are_refused_while_they_are_read() {
    attacked(Mode::EndlessJson, HITS, TOO_LARGE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_whitespace_is_refused_while_it_is_read() {
    attacked(Mode::EndlessSpace, BUCKETS, TOO_LARGE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_field_capabilities_are_refused_while_they_are_read() {
    attacked(Mode::EndlessFields, HITS, TOO_LARGE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_endless_error_the_start_is_told() {
    attacked(Mode::EndlessError, HITS, "unavailable (503): application/json response: no no no").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_headers_are_refused_while_they_are_read() {
    attacked(Mode::EndlessHeaders, HITS, "broke before the answer was complete").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_trickles_ends_with_the_requests_timeout() {
    attacked(Mode::Trickle, HITS, "did not answer within").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_shorter_than_announced_is_told() {
    attacked(Mode::ShortBody, HITS, "broke before the answer was complete").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_limited_by_its_memory() {
    attacked(Mode::HugeTree, SEARCH, "would take more than 2097152 bytes of memory").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_again_ends_the_run() {
    let asked = attacked(Mode::SamePage, HITS, "the answer does not end").await;
    assert!(asked.len() < REQUESTS_MAX, "{}", asked.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scroll_that_comes_again_ends_the_run() {
    let asked = attacked(Mode::SameScroll, HITS, "the answer does not end").await;
    assert!(asked.len() < REQUESTS_MAX, "{}", asked.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_that_come_again_end_the_run() {
    let asked = attacked(Mode::SameBuckets, BUCKETS, "the answer does not end").await;
    assert!(asked.len() < REQUESTS_MAX, "{}", asked.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_shards_are_no_quiet_answer() {
    attacked(Mode::MissingShards, HITS, "shards are missing: 2 of 5").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_told_and_not_followed() {
    for status in [302, 307] {
        let elsewhere = HostileCluster::start(Mode::MissingShards).await;
        let to = elsewhere.url.replace("127.0.0.1", "localhost");
        attacked(Mode::Redirect(status, to.clone()), HITS, &format!("redirected ({status}) to {to}")).await;
        assert!(elsewhere.asked().is_empty(), "{:?}", elsewhere.asked());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_a_cluster_quotes_are_shown_nowhere() {
    let hostile = HostileCluster::start(Mode::Echo).await;
    let mut world = world(&hostile, HITS).await;
    let variables = [("HOSTILE_KEY", KEY), ("RUST_LOG", "info,watchbell=debug,watchbell_elastic=debug")];
    let mut host = world.start_with(&[], &variables);
    let address = host.address().await;
    let denied = "access denied (401): bad credentials [ApiKey [redacted]] of [redacted]";
    let mut seen =
        vec![world.get_until(&address, "/status", |status| error(status).contains(denied)).await.1];
    world.receiver.until("the other rule's alert", |got| !got.is_empty()).await;
    for path in ["/explain/hostile", "/metrics", "/readyz"] {
        seen.push(world.get(&address, path).await.1);
    }
    let rules = world.rules().display().to_string();
    let explain = ["explain", "hostile", "--rules", &rules, "--listen", &address];
    for args in [&["status", "--rules", &rules, "--listen", &address][..], &explain] {
        let (_, out, err) = world.call_with(args, &variables[..1]).await;
        seen.extend([out, err]);
    }
    assert_eq!(host.stop().await, Some(0));
    seen.extend(host.said.iter().cloned());
    seen.extend(files(world.scratch.path()));
    for text in seen {
        for form in [KEY, "secret/key", "some-id"] {
            assert!(!text.contains(form), "{form}: {text}");
        }
    }
}

/// What lies in the store and beside it.
fn files(folder: &Path) -> Vec<String> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            found.push(String::from_utf8_lossy(&std::fs::read(entry).expect("a file")).into_owned());
        }
    }
    found
}
