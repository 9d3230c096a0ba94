//! What a cluster says of itself, written down, and what is made of it.
use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};
use watchbell_sdk::SignalKind;
use watchbell_sdk::testing::case::{Answers, Case, ORIGIN};
use watchbell_sdk::testing::{Json, Native, check_folder};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn rule(params: Json) -> Case {
    health(Case::new(params).until(secs(180)), 0, "green", 0)
}

fn health(case: Case, at: u64, status: &str, waiting: u32) -> Case {
    let fields = json!({ "status": status, "number_of_nodes": 3, "number_of_pending_tasks": waiting });
    case.answer(secs(at), Answers::Health, fields)
}

fn shard(case: Case, at: u64, index: &str, shard: u32, prirep: &str, reason: &str) -> Case {
    let fields = json!({ "index": index, "shard": shard, "prirep": prirep, "unassigned.reason": reason });
    case.answer(secs(at), Answers::UnassignedShards, fields)
}

fn disk(case: Case, at: u64, node: &str, percent: Option<u32>) -> Case {
    case.answer(secs(at), Answers::Disks, json!({ "node": node, "disk.percent": percent }))
}

fn task(case: Case, at: u64, source: &str, millis: u64) -> Case {
    let fields = json!({ "source": source, "priority": "URGENT", "time_in_queue_millis": millis });
    case.answer(secs(at), Answers::PendingTasks, fields)
}

/// A row of what the gate says of a shard.
fn gated(case: Case, at: u64, index: &str, node: &str, decider: &str, standing: &str, verdict: &str) -> Case {
    let fields = json!({
        "index": index, "shard": 0, "prirep": "r", "node": node, "decider": decider, "standing": standing,
        "verdict": verdict,
    });
    case.answer(secs(at), Answers::Gate, fields)
}

fn told(signals: &[Signal]) -> Vec<(u64, &str)> {
    signals.iter().map(|s| (s.at.since(ORIGIN).millis() / 1_000, s.summary.as_str())).collect()
}

fn details(signal: &Signal) -> Json {
    signal.details.parse().unwrap()
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<ClusterHealth>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
}

#[test]
fn a_status_fires_at_its_own_and_at_worse() {
    let case = |status: &str| {
        let case = rule(json!({ "status": status })).until(secs(240));
        health(health(health(case, 60, "yellow", 0), 120, "red", 0), 180, "green", 0)
    };
    let yellow = case("yellow").run::<ClusterHealth>();
    assert_eq!(told(&yellow), [(120, "status yellow"), (180, "status red")]);
    assert_eq!((yellow[0].kind, yellow[0].until), (SignalKind::Firing, Some(ORIGIN + secs(240))));
    assert_eq!((yellow[1].value, yellow[1].threshold), (Some(2.0), Some(1.0)));
    assert_eq!(details(&yellow[1]), json!({ "status": "red", "nodes": 3, "pending_tasks": 0 }));
    assert_eq!(told(&case("red").run::<ClusterHealth>()), [(180, "status red")]);
}

#[test]
fn unassigned_shards_are_counted_but_for_reasons_to_ignore() {
    let case = |params| {
        let case = shard(rule(params), 60, "logs", 1, "r", "NODE_LEFT");
        let case = shard(case, 60, "new", 0, "p", "INDEX_CREATED");
        let case = shard(case, 60, "logs", 0, "p", "ALLOCATION_FAILED");
        // From the second minute on there is none: an answer without rows.
        case.answer(secs(120), Answers::UnassignedShards, json!({}))
    };
    let all = case(json!({ "unassigned_shards": {} })).run::<ClusterHealth>();
    let says = "3 unassigned shards, such as the primary of logs[0] (ALLOCATION_FAILED)";
    assert_eq!(told(&all), [(120, says)]);
    assert_eq!((all[0].value, all[0].threshold), (Some(3.0), Some(0.0)));
    assert_eq!(details(&all[0])["unassigned_shards"], 3);
    assert_eq!(
        details(&all[0])["shards"][2],
        json!({ "index": "logs", "shard": 1, "copy": "replica", "reason": "NODE_LEFT" })
    );
    let ignoring = json!({ "unassigned_shards": { "above": 1, "ignore": ["index_created"] } });
    assert_eq!(case(ignoring).run::<ClusterHealth>()[0].value, Some(2.0));
    let fine = json!({ "unassigned_shards": { "above": 3 } });
    assert_eq!(told(&case(fine).run::<ClusterHealth>()), []);
}

#[test]
fn the_fullest_disk_is_named_and_shards_of_no_node_have_none() {
    let case = disk(
        disk(rule(json!({ "disk_used_percent": { "above": 85 } })), 60, "node-1", Some(85)),
        60,
        "UNASSIGNED",
        None,
    );
    assert_eq!(told(&case.clone().until(secs(120)).run::<ClusterHealth>()), []);
    let case = disk(disk(case, 120, "node-1", Some(86)), 120, "node-2", Some(93));
    let found = case.run::<ClusterHealth>();
    assert_eq!(told(&found), [(180, "the disk of node-2 is 93% full")]);
    assert_eq!(
        details(&found[0])["disks"],
        json!([
            { "node": "node-2", "used_percent": 93.0 },
            { "node": "node-1", "used_percent": 86.0 },
        ])
    );
}

#[test]
fn pending_tasks_are_counted_and_the_oldest_told() {
    let case = health(rule(json!({ "pending_tasks": { "above": 1 } })), 60, "green", 2).until(secs(120));
    let case = task(task(case, 60, "put-mapping", 1_500), 60, "shard-started", 90_000);
    let found = case.run::<ClusterHealth>();
    assert_eq!(told(&found), [(120, "2 pending tasks, the oldest for 1m30s")]);
    assert_eq!(
        details(&found[0])["tasks"][0],
        json!({ "source": "shard-started", "priority": "URGENT", "waiting_millis": 90_000 })
    );
}

#[test]
fn the_gate_fires_for_what_it_refuses_and_for_nothing_else() {
    let case = rule(json!({ "gate": true }));
    let case = gated(case, 60, "waits", "a", "throttling", "waiting", "waiting");
    let case = gated(case, 60, "old", "a", "node_version", "accepted", "allowed");
    assert_eq!(told(&case.clone().until(secs(120)).run::<ClusterHealth>()), []);
    let case = gated(case, 120, "books", "a", "node_version", "refused", "allowed");
    let case = gated(case, 120, "books", "b", "filter", "refused", "refused");
    let case = gated(case, 120, "books", "c", "disk_threshold", "refused", "refused");
    let case = gated(case, 120, "dark", "a", "", "unknown", "unknown");
    let says = "allocation is limited to `none`";
    let left = json!({ "standing": "refused", "code": "allocation-disabled", "what": says });
    let case = case.answer(secs(120), Answers::Gate, left);
    let waits = json!({ "standing": "waiting", "code": "pending-tasks", "what": "one is pending" });
    let found = case.answer(secs(120), Answers::Gate, waits).run::<ClusterHealth>();
    let refused =
        "the upgrade gate refuses 1 unassigned shard, such as the replica of books[0] (filter on b)";
    assert_eq!(told(&found), [(180, format!("{refused}; {says}").as_str())]);
    assert_eq!((found[0].value, found[0].threshold), (Some(2.0), Some(0.0)));
    let books = |node, decider| json!({ "index": "books", "shard": 0, "copy": "replica", "node": node, "decider": decider });
    assert_eq!(
        details(&found[0])["gate"],
        json!({
            "refused": 1, "unexplained": 1, "shards": [books("b", "filter"), books("c", "disk_threshold")],
            "others": [{ "code": "allocation-disabled", "what": says }],
        })
    );
}

#[test]
fn all_that_is_wrong_is_one_signal() {
    let params =
        json!({ "status": "yellow", "disk_used_percent": { "above": 85 }, "pending_tasks": { "above": 0 } });
    let case = disk(health(rule(params), 60, "yellow", 5), 60, "node-1", Some(99)).until(secs(120));
    let found = case.run::<ClusterHealth>();
    assert_eq!(
        told(&found),
        [(120, "status yellow; the disk of node-1 is 99% full; 5 pending tasks, the oldest for 0s")]
    );
    assert_eq!(found[0].value, Some(1.0));
}

#[test]
fn only_the_worst_are_named_however_many_there_are() {
    let case = (0..5_000_u32).fold(rule(json!({ "unassigned_shards": {} })), |case, n| {
        shard(case, 60, &format!("index-{:04}", 4_999 - n), n, if n == 7 { "p" } else { "r" }, "NODE_LEFT")
    });
    let case = Case { page_rows: 1_000, ..case }.until(secs(120));
    let found = case.run::<ClusterHealth>();
    assert_eq!(found[0].value, Some(5_000.0));
    let named: Vec<_> =
        details(&found[0])["shards"].as_array().unwrap().iter().map(|s| s["index"].clone()).collect();
    assert_eq!(named.len(), 10);
    assert_eq!(
        (&named[0], &named[1], &named[9]),
        (&json!("index-4992"), &json!("index-0000"), &json!("index-0008"))
    );
    let mut runner = Native::<ClusterHealth>::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    timeline.advance(ORIGIN + secs(120)).unwrap();
    assert!(timeline.state().unwrap().len() < 20, "nothing lasts");
}

#[test]
fn a_long_window_is_judged_at_its_end_for_answers_are_of_now() {
    let case = health(rule(json!({ "status": "red" })), 30, "red", 0).every(secs(180));
    assert_eq!(told(&case.run::<ClusterHealth>()), [(180, "status red")]);
}

#[test]
fn all_faults_of_the_parameters_are_told() {
    let told = |params: Json, key: &[&str]| {
        let case = Case::new(params).key(key.iter().copied());
        case.run_with(&mut Native::<ClusterHealth>::default()).unwrap_err()
    };
    assert_eq!(
        told(json!({ "every": "0s" }), &["host"]),
        "it watches the cluster as a whole: leave `key:` out of the manifest\n\
         give at least one of `status`, `unassigned_shards`, `disk_used_percent`, `pending_tasks` and `gate`\n\
         /every: must be longer than zero"
    );
    assert_eq!(
        told(json!({ "disk_used_percent": { "above": 101 } }), &[]),
        "/disk_used_percent/above: must be from 0 to 100"
    );
    assert!(told(json!({ "status": "green" }), &[]).contains("unknown variant `green`"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// With a restart between any two windows, and with any lateness: a window's end is judged by what is said then.
    #[test]
    fn the_end_of_every_window_is_judged_by_what_is_said_then(
        said in prop::collection::btree_map(1_u64..40, (0_usize..3, 0_u32..100), 0..20),
        cuts in prop::collection::btree_set(1_u64..40, 1..10),
        lateness in 0_u64..200,
    ) {
        let status = ["green", "yellow", "red"];
        let case = rule(json!({ "status": "red", "pending_tasks": { "above": 90 } })).until(secs(2_400));
        let case = said.iter().fold(case, |case, (at, (index, waiting))| health(case, at * 60 - 30, status[*index], *waiting));
        let ends: Vec<_> = cuts.into_iter().map(|cut| secs(cut * 60)).collect();
        let case = Case { ends: ends.clone(), lateness: secs(lateness), ..case };
        let found: Vec<_> = case.run::<ClusterHealth>().iter().map(|signal| signal.at).collect();
        let is_bad = |end: &Duration| {
            let last = said.range(..=end.millis() / 60_000).next_back();
            last.is_some_and(|(_, (index, waiting))| *index == 2 || *waiting > 90)
        };
        let expected: Vec<_> = ends.iter().chain([&secs(2_400)]).filter(|end| is_bad(end)).map(|end| ORIGIN + *end).collect();
        prop_assert_eq!(found, expected);
    }
}
