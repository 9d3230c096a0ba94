//! The upgrade gate on a cluster that misbehaves: the real program, a server that answers as it is told.
mod cluster; // the server

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use self::cluster::{Cluster, Misdeed};
use crate::world::World;

/// Fast enough for a test, and long enough for every misdeed.
const WAIT: [&str; 2] = ["--wait", "60s"];
const TIMES: [&str; 4] = ["--stable", "1s", "--poll", "100ms"];

async fn gate(world: &World, cluster: &Cluster, more: &[&str]) -> (i32, Value, String) {
    let url = cluster.url.clone();
    let wait = if more.contains(&WAIT[0]) { &[][..] } else { &WAIT[..] };
    let args = [&["upgrade-gate", "--cluster", &url, "--json"], wait, &TIMES[..], more].concat();
    let (code, out, err) = world.call(&args).await;
    (code, serde_json::from_str(&out).unwrap_or(Value::Null), format!("{out}{err}"))
}

fn codes(verdict: &Value, stand: &str) -> Vec<String> {
    let findings = verdict["findings"].as_array().into_iter().flatten();
    let of = findings.filter(|finding| finding["stand"] == stand);
    of.map(|finding| finding["code"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_green_cluster_is_safe_though_it_is_busy_and_away_at_first() {
    let world = World::new().await;
    let cluster = Cluster::start().await;
    cluster.misbehave(&[
        Misdeed::Status(429),
        Misdeed::Status(503),
        Misdeed::NoMaster,
        Misdeed::Status(429),
        Misdeed::Cut,
    ]);
    let (code, verdict, all) = gate(&world, &cluster, &["--node", "a"]).await;
    assert_eq!((code, &verdict["outcome"], &verdict["node"]), (0, &json!("safe"), &json!("a")), "{all}");
    assert_eq!(cluster.misdeeds_left(), 0);
}

#[tokio::test]
async fn what_an_upgrade_explains_is_safe_and_what_it_does_not_is_refused() {
    let world = World::new().await;
    let cluster = Cluster::start().await;
    cluster.unassign("books", "node_version");
    let (code, verdict, all) = gate(&world, &cluster, &[]).await;
    assert_eq!((code, &verdict["shards"][0]["standing"]), (0, &json!("accepted")), "{all}");
    cluster.unassign("letters", "filter");
    let (code, verdict, all) = gate(&world, &cluster, &[]).await;
    assert_eq!((code, codes(&verdict, "stop")), (1, vec!["unassigned".to_owned()]), "{all}");
    let url = cluster.url.clone();
    let args = [&["upgrade-gate", "--cluster", &url], &WAIT[..], &TIMES[..]].concat();
    let (code, out, _) = world.call(&args).await;
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(code, 1, "{out}");
    assert!(
        lines[0].starts_with("not safe: the next node must not be replaced now (cluster fake, yellow"),
        "{out}"
    );
    let row = |line: &&&str| line.split_whitespace().eq(["letters[0]", "replica", "b", "filter", "refused"]);
    assert_eq!(lines.iter().filter(row).count(), 1, "{out}");
    let hint = "hint: remove the allocation filter";
    assert!(lines.iter().any(|line| line.trim_start().starts_with(hint)), "{out}");
    // Whoever knows better says so.
    let allowed = ["--allow", "version,same-node,awareness,filter"];
    assert_eq!(gate(&world, &cluster, &allowed).await.0, 0);
}

#[tokio::test]
async fn an_unassigned_primary_is_refused_whatever_is_allowed() {
    let world = World::new().await;
    let cluster = Cluster::start().await;
    cluster.lose("books");
    let (code, verdict, all) =
        gate(&world, &cluster, &["--allow", "version,same-node,awareness,filter"]).await;
    assert_eq!((code, codes(&verdict, "stop")), (1, vec!["unassigned-primary".to_owned()]), "{all}");
}

#[tokio::test]
async fn a_shard_that_is_assigned_meanwhile_is_looked_at_again() {
    let world = World::new().await;
    let cluster = Cluster::start().await;
    cluster.unassign("books", "filter");
    cluster.assign_when_explained();
    let (code, verdict, all) = gate(&world, &cluster, &[]).await;
    assert_eq!((code, &verdict["status"], &verdict["shards"]), (0, &json!("green"), &json!([])), "{all}");
}

#[tokio::test]
async fn a_master_that_goes_between_two_calls_costs_time_and_no_verdict() {
    let world = World::new().await;
    let cluster = Cluster::start().await;
    cluster.unassign("books", "node_version");
    cluster.lose_master_when_explained(3);
    let (code, verdict, all) = gate(&world, &cluster, &[]).await;
    assert_eq!((code, &verdict["outcome"]), (0, &json!("safe")), "{all}");
}

#[tokio::test]
async fn ten_thousand_shards_are_explained_one_and_all() {
    let world = World::new().await;
    let cluster = Cluster::start().await;
    cluster.unassign_many(10_000);
    let (code, verdict, all) = gate(&world, &cluster, &[]).await;
    let shards = verdict["shards"].as_array().map_or(0, Vec::len);
    assert_eq!((code, shards), (0, 10_000), "{}", &all[..all.len().min(2_000)]);
    let (explained, at_once) = cluster.explained();
    assert_eq!(explained, 10_000, "each of them once");
    assert!(at_once <= 4, "{at_once} at once");
    // One among them that is not allowed.
    cluster.block("many-07777", "disk_threshold");
    let (code, verdict, _) = gate(&world, &cluster, &[]).await;
    assert_eq!((code, codes(&verdict, "stop")), (1, vec!["unassigned".to_owned()]));
    assert!(verdict["findings"][0]["what"].as_str().is_some_and(|what| what.contains("many-07777[0]")));
}

#[tokio::test]
async fn garbage_is_no_verdict() {
    let world = World::new().await;
    for (garbage, says) in [
        (Misdeed::Html, "the response is text/html, not JSON"),
        (Misdeed::Body(json!({})), "cannot read the response of `_cluster/state`"),
        (Misdeed::Body(json!([1, "two"])), "cannot read the response of `_cluster/state`"),
        (Misdeed::Status(401), "access denied (401)"),
    ] {
        let cluster = Cluster::start().await;
        cluster.always(garbage);
        let (code, verdict, all) = gate(&world, &cluster, &[]).await;
        assert_eq!((code, &verdict["outcome"]), (2, &json!("could-not-tell")), "{all}");
        assert!(all.contains(says), "{all}");
    }
    // Explanations of nothing in particular.
    let cluster = Cluster::start().await;
    cluster.unassign("books", "node_version");
    cluster.explain_with(json!({ "note": "garbage" }));
    let (code, verdict, all) = gate(&world, &cluster, &[]).await;
    assert_eq!((code, codes(&verdict, "unknown")), (2, vec!["unexplained".to_owned()]), "{all}");
}

#[tokio::test]
async fn a_cluster_that_goes_on_changing_is_timed_out() {
    let world = World::new().await;
    let cluster = Cluster::start().await;
    cluster.relocate("books");
    let (code, verdict, all) = gate(&world, &cluster, &["--wait", "1s"]).await;
    assert_eq!((code, codes(&verdict, "wait")), (3, vec!["relocating".to_owned()]), "{all}");
}

#[tokio::test]
async fn a_cluster_of_an_environment_is_entered_as_it_says() {
    let world = World::new().await;
    let cluster = Cluster::start().await;
    let spec = json!({ "nodes": [cluster.url], "auth": { "api_key": { "env": "GATE_TEST_KEY" } } });
    world.write("environments/production.yaml", &json!({ "clusters": { "logs": spec } }).to_string());
    let rules = world.rules();
    let args =
        ["upgrade-gate", "--cluster", "logs", "-e", "production", "--rules", rules.to_str().expect("a path")];
    let (code, _, err) = world.call(&args).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("GATE_TEST_KEY"), "the secret is missed by its name: {err}");
    let (code, out, err) = world.call_with(&args, &[("GATE_TEST_KEY", "c2VjcmV0")]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(cluster.authorization(), Some("ApiKey c2VjcmV0".to_owned()));
    let other = ["upgrade-gate", "--cluster", "web", "-e", "production", "--rules", args[6]];
    let (code, _, err) = world.call(&other).await;
    assert_eq!(code, 2);
    assert!(err.contains("the environment `production` has no cluster `web`"), "{err}");
}

#[tokio::test]
async fn a_drain_is_put_back_by_ctrl_c_and_after_a_crash_by_the_next_call() {
    let world = World::new().await;
    let cluster = Cluster::start().await;
    let url = cluster.url.clone();
    let args = [&["upgrade-gate", "--cluster", &url, "--drain", "c"], &TIMES[..]].concat();
    for signal in ["-INT", "-KILL"] {
        let mut child = world.spawn(&args);
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = lines.next_line().await.expect("a line").expect("a line");
        assert_eq!(line, "c holds no shards: terminate it now");
        assert_eq!(cluster.setting("cluster.routing.allocation.exclude._id"), json!("id-c"));
        let id = child.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().is_ok_and(|it| it.success()));
        let status = tokio::time::timeout(Duration::from_secs(60), child.wait()).await.expect("it ends");
        match signal {
            "-INT" => {
                assert_eq!(status.expect("a status").code(), Some(2));
                assert_eq!(cluster.settings(), json!({}));
            }
            _ => assert_eq!(cluster.setting("cluster.routing.allocation.exclude._id"), json!("id-c")),
        }
    }
    let (code, verdict, all) = gate(&world, &cluster, &[]).await;
    assert_eq!((code, codes(&verdict, "stop")), (1, vec!["leftover".to_owned()]), "{all}");
    assert!(all.contains("--put-back"), "{all}");
    let (code, put_back, all) = gate(&world, &cluster, &["--put-back"]).await;
    assert_eq!(
        (code, &put_back["undone"]),
        (0, &json!(["c is no longer excluded from allocation"])),
        "{all}"
    );
    assert_eq!(cluster.settings(), json!({}));
    assert_eq!(gate(&world, &cluster, &["--put-back"]).await.1["undone"], json!([]));
    assert_eq!(gate(&world, &cluster, &["--node", "c"]).await.0, 0);
}

#[tokio::test]
async fn the_next_node_is_named_with_reasons() {
    let world = World::new().await;
    let cluster = Cluster::start().await;
    let (code, order, all) = gate(&world, &cluster, &["--next", "--to", "7.10.2"]).await;
    assert_eq!((code, &order["next"]), (0, &json!("c")), "{all}");
    let nodes: Vec<&Value> =
        order["nodes"].as_array().expect("nodes").iter().map(|node| &node["node"]).collect();
    assert_eq!(nodes, ["c", "b", "a"], "the elected master goes last: {all}");
    assert_eq!(StatusCode::OK, cluster.health().await, "it is still there");
}
