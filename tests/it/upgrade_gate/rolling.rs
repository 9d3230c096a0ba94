//! A whole rolling upgrade with the deployment step that ships, while the host evaluates a rule on that cluster.
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use super::writer::Writer;
use super::{NEW, OLD, page};
use crate::nodes::{Nodes, Plan, programs};
use crate::world::{World, now, repository};

const INDEX: &str = "web-logs";

const RULE: &str = "
name: errors
use: any
index: web-logs
filter: 'Status: 500'
every: 1s
delay: 5s
lateness: 15s
lookback: 1m
window_max: 8s
key: [host.name]
alert: { title: \"{{ labels['host.name'] }}\", to: [hook] }
";

/// `lateness` of the rule.
const LATENESS_MS: i64 = 15_000;

fn plan(name: &str, zone: &str) -> Plan {
    let settings = vec![("node.attr.zone".to_owned(), zone.to_owned())];
    Plan { name: name.to_owned(), server: OLD.to_owned(), master: true, settings }
}

/// The versions of all nodes.
async fn versions(nodes: &Nodes) -> BTreeSet<String> {
    let answer = nodes.get("GET", "/_cat/nodes?format=json&h=version", None).await;
    let nodes = answer.as_array().into_iter().flatten();
    nodes.filter_map(|node| node["version"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_upgrade_loses_no_alert_and_sends_none_twice() {
    let Some(programs) = programs("a rolling upgrade", &[OLD, NEW]) else { return };
    let mut nodes = Nodes::new(programs);
    nodes.start(&[plan("es-1", "a"), plan("es-2", "b"), plan("es-3", "b")]).await;
    let zones = json!({ "persistent": { "cluster.routing.allocation.awareness.attributes": "zone" } });
    nodes.get("PUT", "/_cluster/settings", Some(&zones.to_string())).await;
    let urls: Vec<String> = ["es-1", "es-2", "es-3"].iter().map(|name| nodes.url(name)).collect();

    let mut world = World::on(&urls[0]).await;
    world.index_with(INDEX, &properties()).await;
    let orders = json!({ "settings": { "number_of_shards": 3, "number_of_replicas": 1 } });
    nodes.get("PUT", "/orders", Some(&orders.to_string())).await;
    world.environment(&json!({ "clusters": { "main": { "nodes": urls } } }));
    world.write("errors.yaml", RULE);
    let mut host = world.start();
    host.until("a window", |line| line["outcome"] == "committed").await;
    let writer = Writer::start(urls.clone(), INDEX);

    let master = nodes.get("GET", "/_cat/master?format=json", None).await[0]["node"].clone();
    let mut transcript = String::new();
    let mut order = Vec::new();
    for how in ["replace", "restart", "replace"] {
        let next = next(&world, &nodes, &mut transcript).await;
        step(&world, &mut nodes, &writer, &next, how, &mut transcript).await;
        order.push(next);
    }
    assert_eq!(versions(&nodes).await, BTreeSet::from(["7.10.2".to_owned()]), "{transcript}");
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 3, "each node once: {order:?}");
    assert_eq!(master, json!(order[2]), "the elected master is the last: {order:?}");

    let written = writer.stop().await;
    let got = world.receiver.until("an alert of each document", |got| got.len() >= written.len()).await;
    let told: BTreeSet<String> = got
        .iter()
        .filter_map(|arrival| arrival.body["labels"]["host.name"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(told, written, "documents written and documents told");
    // The last document is looked at again until it is settled; what comes after that cannot be about it.
    let settled = watchbell::clock::rfc3339(watchbell_contract::Timestamp(now() + LATENESS_MS));
    host.until("a window beyond the last document", |line| {
        let window = line["window"].as_str().filter(|_| line["outcome"] == "committed");
        window.and_then(|window| window.split("..").next()).is_some_and(|start| start > settled.as_str())
    })
    .await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    let gaps = host.said.iter().filter(|line| line.contains("was not evaluated")).collect::<Vec<_>>();
    assert!(gaps.is_empty(), "{gaps:#?}");
    let ids: BTreeSet<String> = world.receiver.got().iter().map(|arrival| key(&arrival.headers)).collect();
    assert_eq!(ids.len(), written.len(), "an idempotency key for each document");
    assert_eq!(world.receiver.got().len(), written.len(), "each was sent once");
    page::keep("transcript", &transcript);
}

fn properties() -> Value {
    json!({ "Status": { "type": "integer" }, "host": { "properties": { "name": { "type": "keyword" } } } })
}

fn key(headers: &axum::http::HeaderMap) -> String {
    headers["idempotency-key"].to_str().expect("a text").to_owned()
}

/// Asks the gate which node comes next.
async fn next(world: &World, nodes: &Nodes, transcript: &mut String) -> String {
    let url = nodes.any_url();
    let words = ["upgrade-gate", "--cluster", &url, "--next", "--to", "7.10.2"];
    let (code, said, errors) = world.call(&words).await;
    assert_eq!(code, 0, "{transcript}\n{said}\n{errors}");
    transcript.push_str(&format!("$ watchbell {}\n{errors}{said}\n", words.join(" ")));
    let answer = world.call(&[&words[..], &["--json"]].concat()).await.1;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["next"].as_str().unwrap_or_else(|| panic!("no next node: {answer:#}")).to_owned()
}

/// Replaces `node` by the step that ships: it is stopped and started anew where the script says so.
async fn step(
    world: &World,
    nodes: &mut Nodes,
    writer: &Writer,
    node: &str,
    how: &str,
    transcript: &mut String,
) {
    let folder = world.scratch.path();
    let (asked, answered) =
        (fifo(&folder.join(format!("{node}.asked"))), fifo(&folder.join(format!("{node}.answered"))));
    let replace = folder.join("replace-node");
    let text = "#!/bin/sh\nset -e\necho \"$1\" >\"$1.asked\"\nread -r _ <\"$1.answered\"\n";
    fs::write(&replace, text).expect("a script");
    fs::set_permissions(&replace, Permissions::from_mode(0o755)).expect("a script that can be called");
    let log = folder.join(format!("{node}.log"));
    let out = fs::File::create(&log).expect("a log");
    let request = tokio::net::unix::pipe::OpenOptions::new().open_receiver(&asked).expect("a pipe");
    let url = nodes.any_url();
    let mut child = Command::new("sh")
        .arg(repository().join("deploy/upgrade-step.sh"))
        .args([node, "./replace-node", node])
        .current_dir(folder)
        .env("WATCHBELL", crate::world::PROGRAM)
        .env("CLUSTER", &url)
        .env("HOW", how)
        .env("WAIT", "2m")
        .env("STABLE", "2s")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(out.try_clone().expect("a log"))
        .stderr(out)
        .kill_on_drop(true)
        .spawn()
        .expect("the script starts");
    let told = || fs::read_to_string(&log).unwrap_or_default();
    tokio::select! {
        asked = request.readable() => asked.expect("a pipe"),
        ended = child.wait() => panic!("the step ended with {ended:?} before it replaced {node}:\n{}", told()),
    }
    {
        // No document is under way: what a dying node has heard of one is not known to anybody.
        let _pause = writer.pause.lock().await;
        nodes.stop(node).await;
    }
    nodes.restart(node, Some(NEW)).await;
    let done = tokio::task::spawn_blocking(move || fs::write(answered, "done\n"));
    done.await.expect("no panic").expect("the script waits");
    let ended = child.wait().await.expect("it ends");
    assert!(ended.success(), "{ended} after {node} was replaced:\n{}", told());
    transcript
        .push_str(&format!("$ HOW={how} deploy/upgrade-step.sh {node} ./replace-node {node}\n{}\n", told()));
}

fn fifo(path: &Path) -> PathBuf {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo {}", path.display());
    path.to_owned()
}
