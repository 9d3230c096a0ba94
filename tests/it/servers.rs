//! The same on every real server as on the embedded node: what the shipped spike rule signals, what a shadow reads.
mod shards; // a shard that is lost and comes back
mod questions; // questions that cannot be asked
mod answers; // columns of places, metrics and filters
mod lists; // listed values by the type of their field
mod confined; // searches that would pass the rule's filter

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::RwLock;
use tokio::time::Instant;
use watchbell_contract::Question;
use watchbell_elastic::{AskError, Cluster, ClusterConfig, Target};

use crate::world::{World, hit, now, repository};

/// Tests that change what a whole server does hold it alone.
static SHARED: RwLock<()> = RwLock::const_new(());

/// A client that tells at once why it has no answer.
fn client(name: &str, url: &str) -> ClusterConfig {
    let mut config = ClusterConfig::new(name, vec![url.parse().expect("a url")]);
    config.retry_max = 0;
    config
}

/// When a question that is asked now must have its answer.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// How many rows `question` has, read to the last.
async fn rows(cluster: &Cluster, target: &Target, question: &Question) -> Result<u64, AskError> {
    let mut pages = cluster.ask(target, question, soon()).await?;
    let mut rows = 0;
    while let Some(page) = pages.next().await? {
        rows += page.len() as u64;
    }
    pages.close().await;
    Ok(rows)
}

const INDEX: &str = "logstash-servers-test";

/// A quiet half hour, then 5xx responses rising fourfold for five minutes, then calm; and what must not count.
fn documents(start: i64) -> Vec<Value> {
    let mut documents = Vec::new();
    for second in 0..2_400 {
        let at = start + second * 1_000;
        documents.push(hit(at, 200, "web-1"));
        let spiking = (1_500..1_800).contains(&second);
        if second % 12 == 0 {
            for _ in 0..if spiking { 4 } else { 1 } {
                documents.push(hit(at, 503, "web-2"));
            }
        }
    }
    documents
}

/// What the real host tells its receiver about these documents on `cluster`, without what differs by run.
async fn told(mut world: World, start: i64) -> Vec<Value> {
    world.index(INDEX).await;
    world.documents(INDEX, &documents(start)).await;
    // The shipped rule itself; its environment is this world's.
    let rule =
        std::fs::read_to_string(repository().join("rules/web/spike-in-5xxs.yaml")).expect("the shipped rule");
    world.write("spike-in-5xxs.yaml", &rule);
    let hook =
        json!({ "use": "webhook", "url": world.receiver.url, "grants": { "private_addresses": true } });
    world.environment(&json!({
        "destinations": { "ops-chat": hook, "ops-mail": hook, "ops-sms": hook },
        "tokens": { "KIBANA_URL": "http://kibana", "spike-in-5xxs": { "threshold_cur": 90 } },
        "rules": { "spike-in-5xxs": { "every": "1m", "lookback": "90m", "window_max": "3h", "delay": "0s", "index": INDEX } },
    }));
    let mut host = world.start();
    host.until("a delivery", |line| line["message"] == "delivered").await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    let got = world.receiver.until("the alert", |got| !got.is_empty()).await;
    got.into_iter()
        .map(|arrival| {
            let body = &arrival.body;
            json!({
                "labels": body["labels"], "at": body["at"], "value": body["value"], "threshold": body["threshold"],
                "summary": body["summary"], "details": body["details"], "title": body["title"], "body": body["body"],
            })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spike_rule_gives_the_same_signals_on_four_servers() {
    let _among_others = SHARED.read().await;
    let start = (now() - 3_600_000) / 60_000 * 60_000;
    let expected = told(World::new().await, start).await;
    assert_eq!(expected.len(), 1, "{expected:#?}");
    assert!(expected[0]["value"].as_f64().is_some_and(|value| value >= 2.0), "{expected:#?}");
    for (name, url) in servers("the spike rule") {
        assert_eq!(
            told(World::on(&url).await, start).await,
            expected,
            "{name} differs from the embedded node"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_reads_what_elastalert_keeps_on_every_server() {
    let _among_others = SHARED.read().await;
    for (name, url) in servers("the shadow") {
        println!("the shadow on {name}");
        crate::elastalert::shadow_on(World::on(&url).await).await;
    }
}

/// The real servers at hand, by name and address; the others are told as skipped.
pub(crate) fn servers(test: &str) -> Vec<(&'static str, String)> {
    let given = std::env::var("WATCHBELL_SERVERS").unwrap_or_default();
    let mut found = Vec::new();
    for name in ["es7", "es9", "os3"] {
        match given.split(',').find_map(|server| server.strip_prefix(name)?.strip_prefix('=')) {
            Some(url) => found.push((name, url.to_owned())),
            None => println!("skipped: {test} on {name}"),
        }
    }
    found
}
