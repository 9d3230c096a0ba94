//! What the gate writes to a real cluster's settings it takes back: when it is done, after Ctrl-C, and by the next call
//! after `kill -9`. What others wrote stays.
use serde_json::{Value, json};

use super::running::Running;
use super::{Answer, NEW, gate};
use crate::nodes::{Nodes, Plan, programs};

/// What an operator excludes while the gate is at work.
const THEIRS: &str = "retired-1";

const EXCLUDED: &str = "/persistent/cluster.routing.allocation.exclude._id";
const ENABLED: &str = "/persistent/cluster.routing.allocation.enable";

/// A master and two more nodes that hold two shards with a copy each.
async fn three_nodes(test: &str) -> Option<Nodes> {
    let programs = programs(test, &[NEW])?;
    let mut nodes = Nodes::new(programs);
    let plan = |name: &str, master: bool| Plan {
        name: name.to_owned(),
        server: NEW.to_owned(),
        master,
        settings: Vec::new(),
    };
    nodes.start(&[plan("a", true), plan("b", false), plan("c", false)]).await;
    // Shards on each of the three.
    let books = json!({ "settings": { "number_of_shards": 3, "number_of_replicas": 1 } });
    nodes.get("PUT", "/books", Some(&books.to_string())).await;
    at_rest(&nodes).await;
    Some(nodes)
}

async fn at_rest(nodes: &Nodes) {
    let rest = |health: &Value| health["status"] == "green" && health["relocating_shards"] == 0;
    nodes.until("/_cluster/health", rest).await;
}

async fn setting(nodes: &Nodes, pointer: &str) -> Option<String> {
    let settings = nodes.get("GET", "/_cluster/settings?flat_settings=true", None).await;
    let (scope, name) = pointer[1..].split_once('/').expect("a scope and a name");
    settings[scope][name].as_str().map(str::to_owned)
}

/// Nothing of the gate is left, and of an operator's settings all: `persistent`.
async fn is_put_back(nodes: &Nodes, when: &str, persistent: Value) {
    let settings = nodes.get("GET", "/_cluster/settings?flat_settings=true", None).await;
    assert_eq!(settings["persistent"], persistent, "{when}");
    assert_eq!(settings["transient"], json!({}), "{when}");
}

/// An operator excludes these nodes, or none.
async fn exclude(nodes: &Nodes, list: Option<&str>) {
    let settings = json!({ "persistent": { "cluster.routing.allocation.exclude._id": list } });
    nodes.get("PUT", "/_cluster/settings", Some(&settings.to_string())).await;
}

fn drain(nodes: &Nodes, until: &str) -> Running {
    Running::start(nodes, &["--drain", "c", "--wait", "2m", "--stable", "5s", "--until", until])
}

fn restart(nodes: &Nodes) -> Running {
    Running::start(nodes, &["--node", "b", "--disable-allocation", "--wait", "2m", "--stable", "2s"])
}

async fn put_back(nodes: &Nodes) -> Answer {
    gate(nodes, &["--put-back"]).await
}

/// Waits until the gate has written: a name beside those that are excluded, or a limit.
async fn written(nodes: &Nodes, name: &str) {
    let path = "/_cluster/settings?flat_settings=true";
    nodes
        .until(path, |settings| {
            settings["persistent"][format!("cluster.metadata.watchbell.{name}")].is_string()
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_node_is_empty_before_it_goes_and_its_exclusion_goes_with_it() {
    let Some(mut nodes) = three_nodes("draining a node").await else { return };
    let mut drain = drain(&nodes, "done");
    drain.until("terminate it now").await;
    let shards = nodes.get("GET", "/_cat/shards?format=json", None).await;
    let here = shards.as_array().into_iter().flatten().filter(|shard| shard["node"] == "c").count();
    assert_eq!(here, 0, "{shards:#}");
    let excluded = setting(&nodes, EXCLUDED).await.expect("the node is excluded");
    exclude(&nodes, Some(&format!("{excluded},{THEIRS}"))).await;
    nodes.stop("c").await;
    assert_eq!(drain.ended().await, Some(0), "{drain}");
    let theirs = json!({ "cluster.routing.allocation.exclude._id": THEIRS });
    is_put_back(&nodes, "after the drain", theirs).await;
    at_rest(&nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_was_killed_is_found_and_put_back_by_the_next_call() {
    let Some(nodes) = three_nodes("a killed drain").await else { return };
    let mut killed = drain(&nodes, "done");
    written(&nodes, "drain").await;
    killed.signal("-KILL");
    assert_eq!(killed.ended().await, None);
    assert!(setting(&nodes, EXCLUDED).await.is_some());

    let next = gate(&nodes, &["--node", "b", "--wait", "30s", "--stable", "1s"]).await;
    assert_eq!(next.code, 1, "{next}");
    assert!(next.text().contains("--put-back"), "{next}");
    let back = put_back(&nodes).await;
    assert_eq!(back.code, 0, "{back}");
    is_put_back(&nodes, "after the next call", json!({})).await;
    assert_eq!(put_back(&nodes).await.code, 0, "there is nothing more to put back");

    let mut interrupted = drain(&nodes, "done");
    written(&nodes, "drain").await;
    interrupted.signal("-INT");
    assert_eq!(interrupted.ended().await, Some(2), "{interrupted}");
    is_put_back(&nodes, "after Ctrl-C", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn allocation_is_held_back_while_a_node_restarts() {
    let Some(mut nodes) = three_nodes("a restart in place").await else { return };
    let mut killed = restart(&nodes);
    written(&nodes, "restart").await;
    killed.signal("-KILL");
    assert_eq!(killed.ended().await, None);
    assert_eq!(setting(&nodes, ENABLED).await.as_deref(), Some("primaries"));

    // The next call for the same node goes on where the killed one was.
    let mut again = restart(&nodes);
    again.until("restart").await;
    nodes.stop("b").await;
    nodes.until("/_cluster/health", |health| health["number_of_nodes"] == 2).await;
    let health = nodes.get("GET", "/_cluster/health", None).await;
    assert_eq!(health["initializing_shards"], 0, "no copy is made while the node is away: {health:#}");
    assert_eq!(setting(&nodes, ENABLED).await.as_deref(), Some("primaries"));
    nodes.restart("b", None).await;
    assert_eq!(again.ended().await, Some(0), "{again}");
    is_put_back(&nodes, "after the restart", json!({})).await;
    at_rest(&nodes).await;
}
