//! One thing at a time: what is in the way, and what is not.
use serde_json::json;
use watchbell_contract::{Duration, Timestamp};
use watchbell_gate::{
    Allowed, Ask, Code, Explained, Gate, Outcome, Own, Stand, Step, Trouble, TroubleKind, Verdict, Version,
    order,
};

use crate::model::{Copy, GB, Member, Model, Place, Shard};

pub(crate) fn ask(node: Option<&str>) -> Ask {
    Ask {
        node: node.map(str::to_owned),
        wait: Duration::from_mins(30),
        stable: Duration::from_secs(60),
        poll: Duration::from_secs(2),
        allowed: Allowed::default(),
    }
}

/// Lets the gate have its verdict on a cluster that does not change.
fn judged(model: &Model, node: Option<&str>) -> Verdict {
    let mut gate = Gate::new(ask(node), Own::default(), Timestamp(0));
    let mut now = Timestamp(0);
    loop {
        match gate.step(now) {
            Step::Look(at) => {
                now = at.max(now);
                gate.look(now, Ok(model.facts()));
            }
            Step::Explain(groups) => {
                let answers: Vec<Explained> = groups.iter().map(|group| model.explain(group)).collect();
                gate.explained(now, &answers);
            }
            Step::Done(verdict) => return *verdict,
            other => panic!("the gate writes nothing: {other:?}"),
        }
    }
}

/// Two zones with two nodes each, everything where it belongs.
fn calm() -> Model {
    let node = |name, zone| Member::new(name, "7.8.1", zone);
    let nodes = vec![node("a", "z1"), node("b", "z2"), node("c", "z1"), node("d", "z2")];
    Model::new(nodes, vec![Shard::new("one", &["a", "b"]), Shard::new("two", &["c", "d"])])
}

/// In the midst of an upgrade: `b` is new, and the replica of what is there finds no place.
fn mixed() -> Model {
    let nodes = vec![
        Member::new("a", "7.8.1", "z1"),
        Member::new("b", "7.10.2", "z2"),
        Member::new("c", "7.8.1", "z1"),
    ];
    Model::new(nodes, vec![Shard::new("books", &["b", "-"]), Shard::new("old", &["a", "b"])])
}

fn codes(verdict: &Verdict, stand: Stand) -> Vec<Code> {
    verdict.findings.iter().filter(|finding| finding.stand == stand).map(|finding| finding.code).collect()
}

fn refused_for(model: &Model, node: Option<&str>, code: Code) {
    let verdict = judged(model, node);
    assert_eq!(
        (verdict.outcome, codes(&verdict, Stand::Stop)),
        (Outcome::NotSafe, vec![code]),
        "{verdict:#?}"
    );
    assert!(verdict.findings[0].help.is_some(), "{verdict:#?}");
}

fn waits_for(model: &Model, code: Code) {
    let verdict = judged(model, Some("a"));
    assert_eq!(
        (verdict.outcome, codes(&verdict, Stand::Wait)),
        (Outcome::TimedOut, vec![code]),
        "{verdict:#?}"
    );
    assert_eq!(verdict.took, Duration::from_mins(30));
}

#[test]
fn a_green_cluster_is_safe_at_once() {
    let verdict = judged(&calm(), Some("b"));
    assert_eq!((verdict.outcome, verdict.took), (Outcome::Safe, Duration::ZERO), "{verdict:#?}");
    assert_eq!(judged(&calm(), None).outcome, Outcome::Safe);
}

#[test]
fn what_versions_zones_and_copies_explain_is_accepted() {
    let verdict = judged(&mixed(), Some("a"));
    assert_eq!(verdict.outcome, Outcome::Safe, "{verdict:#?}");
    let deciders: Vec<(&str, &str)> = verdict.shards[0]
        .rows
        .iter()
        .map(|row| (row.node.as_deref().unwrap(), row.decider.as_deref().unwrap()))
        .collect();
    assert_eq!(
        deciders,
        [("a", "node_version"), ("b", "same_shard"), ("b", "awareness"), ("c", "node_version")]
    );
    assert_eq!(verdict.took, Duration::from_secs(60), "it waited for it to be stable");
}

#[test]
fn the_only_copy_of_a_shard_is_not_given_away() {
    refused_for(&mixed(), Some("b"), Code::OnlyCopy);
}

#[test]
fn any_other_decider_is_refused() {
    for decider in ["filter", "disk_threshold", "max_retry", "enable", "something_new"] {
        let mut model = mixed();
        model.shards[0] = Shard::new("books", &["b", "-"]).blocked(Some("c"), decider);
        refused_for(&model, Some("a"), Code::Unassigned);
    }
}

#[test]
fn an_unassigned_primary_is_never_accepted() {
    let mut model = calm();
    model.shards[0] = Shard::new("one", &["-", "b"]);
    let verdict = judged(&model, Some("c"));
    assert_eq!(verdict.outcome, Outcome::NotSafe, "{verdict:#?}");
    assert!(codes(&verdict, Stand::Stop).contains(&Code::UnassignedPrimary), "{verdict:#?}");
    // Even where only allowed deciders are named.
    model.shards[0] = Shard::new("one", &["-"]).blocked(None, "same_shard");
    refused_for(&model, Some("c"), Code::UnassignedPrimary);
}

#[test]
fn what_the_cluster_is_in_the_middle_of_is_waited_for() {
    let with = |change: fn(&mut Model)| {
        let mut model = calm();
        change(&mut model);
        model
    };
    waits_for(&with(|model| model.tasks = 1), Code::PendingTasks);
    waits_for(&with(|model| model.snapshots = 1), Code::Snapshot);
    waits_for(&with(|model| model.master = None), Code::NoMaster);
    let moving = Place::Relocating("c".into(), "a".into());
    waits_for(
        &with(|model| model.shards[1].copies[0].place = Place::Relocating("c".into(), "a".into())),
        Code::Relocating,
    );
    assert_ne!(moving, Place::Nowhere);
    waits_for(
        &with(|model| model.shards[1].copies[1].place = Place::Initializing("d".into())),
        Code::Initializing,
    );
}

#[test]
fn an_index_without_replicas_stays_where_it_is() {
    let mut model = calm();
    model.shards.push(Shard::new("single", &["a"]));
    refused_for(&model, Some("a"), Code::NoReplicas);
    assert_eq!(judged(&model, Some("b")).outcome, Outcome::Safe);
}

#[test]
fn the_last_master_and_the_quorum_stay() {
    let mut model = calm();
    for node in &mut model.nodes[1..] {
        node.roles = vec!["data"];
    }
    model.voters = vec!["id-a".into()];
    refused_for(&model, Some("a"), Code::LastMaster);
    // Two may be elected, and one votes.
    model.nodes[1].roles.push("master");
    refused_for(&model, Some("a"), Code::Quorum);
    assert_eq!(judged(&model, Some("b")).outcome, Outcome::Safe);
    // Of three voters one is gone already.
    model.voters = vec!["id-a".into(), "id-b".into(), "id-gone".into()];
    refused_for(&model, Some("b"), Code::Quorum);
    // One that only votes cannot be elected.
    model.nodes[1].roles = vec!["data", "master", "voting_only"];
    refused_for(&model, Some("a"), Code::LastMaster);
}

#[test]
fn the_others_need_room_for_what_goes() {
    let mut model = calm();
    model.nodes[0].store = 60 * GB;
    // `c` is the other node of the zone; of the 60 GB it can take what its high watermark leaves.
    model.nodes[2].available = 70 * GB;
    assert_eq!(judged(&model, Some("a")).outcome, Outcome::Safe);
    model.nodes[2].available = 65 * GB;
    refused_for(&model, Some("a"), Code::Disk);
    model.nodes[2].available = 80 * GB;
    model.nodes[3].available = GB;
    refused_for(&model, Some("a"), Code::Disk);
    model.persistent = json!({ "cluster.routing.allocation.disk.threshold_enabled": "false" });
    assert_eq!(judged(&model, Some("a")).outcome, Outcome::Safe);
}

#[test]
fn where_nobody_can_take_over_nobody_needs_room() {
    let nodes = vec![
        Member::new("a", "7.8.1", "z1"),
        Member::new("b", "7.8.1", "z2"),
        Member::new("m", "7.8.1", "z1"),
    ];
    let mut model = Model::new(nodes, vec![Shard::new("one", &["a", "b"])]);
    model.nodes[2].roles = vec!["master"];
    (model.nodes[0].store, model.nodes[0].available) = (60 * GB, 40 * GB);
    (model.nodes[1].store, model.nodes[1].available) = (60 * GB, 40 * GB);
    assert_eq!(judged(&model, Some("a")).outcome, Outcome::Safe);
}

#[test]
fn what_an_earlier_run_left_is_told() {
    let set = |name: &str, value: &str| {
        let mut model = calm();
        model.persistent = json!({ name: value });
        model
    };
    refused_for(&set("cluster.routing.allocation.enable", "primaries"), Some("a"), Code::AllocationDisabled);
    refused_for(
        &set("cluster.routing.allocation.exclude._name", "gone-3"),
        Some("a"),
        Code::AllocationExcluded,
    );
    refused_for(&set("cluster.routing.allocation.exclude._ip", "127.0.0.*"), None, Code::AllocationExcluded);
    let drained = set("cluster.routing.allocation.exclude._name", "a");
    assert_eq!(judged(&drained, Some("a")).outcome, Outcome::Safe, "it was drained to go");
}

#[test]
fn a_node_that_is_not_there_cannot_be_judged() {
    let verdict = judged(&calm(), Some("e"));
    assert_eq!(verdict.outcome, Outcome::CouldNotTell);
    assert_eq!(verdict.findings[0].what, "there is no node `e`; there are a, b, c, d");
}

#[test]
fn answers_of_different_moments_are_no_verdict() {
    let model = calm();
    let mut answers = model.answers();
    answers[0]["routing_table"] = json!({});
    let bodies = answers.map(|answer| answer.to_string());
    let facts =
        watchbell_gate::Facts::read(watchbell_gate::Answers(bodies.each_ref().map(|body| body.as_bytes())));
    let facts = facts.unwrap();
    assert_eq!(facts.doubts, ["its health has 4 active shards and its state 0"]);
    let mut gate = Gate::new(ask(None), Own::default(), Timestamp(0));
    let mut now = Timestamp(0);
    let verdict = loop {
        match gate.step(now) {
            Step::Look(at) => {
                now = at.max(now);
                gate.look(now, Ok(facts.clone()));
            }
            Step::Done(verdict) => break verdict,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(verdict.outcome, Outcome::CouldNotTell);
}

#[test]
fn a_cluster_that_does_not_answer_is_asked_until_the_time_is_over() {
    let trouble = |kind| Trouble { message: "unavailable (503)".into(), kind };
    for (kind, looks) in
        [(TroubleKind::Passing, 901), (TroubleKind::Lasting, 3), (TroubleKind::Unreachable, 3)]
    {
        let mut gate = Gate::new(ask(None), Own::default(), Timestamp(0));
        let (mut now, mut count) = (Timestamp(0), 0);
        let verdict = loop {
            match gate.step(now) {
                Step::Look(at) => {
                    (now, count) = (at.max(now), count + 1);
                    gate.look(now, Err(trouble(kind)));
                }
                Step::Done(verdict) => break verdict,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((verdict.outcome, count), (Outcome::CouldNotTell, looks), "{verdict:?}");
    }
}

#[test]
fn every_change_of_what_is_unassigned_begins_the_wait_anew() {
    let mut gate = Gate::new(ask(Some("a")), Own::default(), Timestamp(0));
    let (mut now, mut model) = (Timestamp(0), mixed());
    let mut explained_at = None;
    while explained_at.is_none() {
        match gate.step(now) {
            Step::Look(at) => {
                now = at.max(now);
                // Forty seconds in, another replica loses its node.
                if now == Timestamp(40_000) {
                    model.shards.push(Shard::new("late", &["b", "-"]));
                }
                gate.look(now, Ok(model.facts()));
            }
            Step::Explain(groups) => explained_at = Some((now, groups.len())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(explained_at, Some((Timestamp(100_000), 2)));
    assert_eq!(gate.progress().changed, Some((Timestamp(40_000), "unassigned shards: 1 → 2".into())));
}

#[test]
fn explanations_do_not_outlive_what_they_are_about() {
    let mut gate = Gate::new(ask(Some("a")), Own::default(), Timestamp(0));
    let (mut now, mut model) = (Timestamp(0), mixed());
    let mut explained = Vec::new();
    let verdict = loop {
        match gate.step(now) {
            Step::Look(at) => {
                now = at.max(now);
                gate.look(now, Ok(model.facts()));
            }
            Step::Explain(groups) => {
                let answers: Vec<Explained> = groups.iter().map(|group| model.explain(group)).collect();
                explained.push(groups.len());
                gate.explained(now, &answers);
                // Between the last explanation and the look after it another shard loses its replica.
                if explained.len() == 1 {
                    model.shards.push(Shard::new("late", &["b", "-"]).blocked(None, "filter"));
                }
            }
            Step::Done(verdict) => break verdict,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((verdict.outcome, explained), (Outcome::NotSafe, vec![1, 2]), "{verdict:#?}");
}

#[test]
fn the_order_goes_by_role_version_and_zone() {
    let mut nodes = vec![
        Member::new("m1", "7.8.1", "z1"),
        Member::new("m2", "7.8.1", "z2"),
        Member::new("m3", "7.8.1", "z1"),
        Member::new("d1", "7.8.1", "z1"),
        Member::new("d2", "7.8.1", "z2"),
        Member::new("d3", "7.10.2", "z1"),
        Member::new("d4", "7.8.1", "z2"),
    ];
    for node in &mut nodes {
        node.roles = if node.name.starts_with('m') { vec!["master"] } else { vec!["data"] };
    }
    let mut model = Model::new(nodes, vec![Shard::new("one", &["d3", "d2"])]);
    model.voters = ["m1", "m2", "m3"].map(|name| format!("id-{name}")).to_vec();
    let found = order(&model.facts(), None).unwrap();
    let names: Vec<&str> = found.candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    // A zone without an upgraded node comes first, the elected master last.
    assert_eq!(names, ["d2", "d4", "d1", "m2", "m3", "m1"]);
    assert_eq!(found.next().unwrap().name, "d2");
    // What would lose the only copy is passed over.
    model.shards.push(Shard::new("two", &["d2", "-"]));
    let found = order(&model.facts(), None).unwrap();
    assert_eq!(found.next().unwrap().name, "d4");
    assert_eq!(found.objections("d2")[0].code, Code::OnlyCopy);
    let done = order(&model.facts(), Version::parse("7.8.1")).unwrap();
    assert!(done.is_done());
    assert!(order(&calm().facts(), None).unwrap().uniform);
}

#[test]
fn a_copy_that_is_still_initializing_does_not_count() {
    let mut model = calm();
    let copy = |primary, place| Copy { primary, place };
    model.shards[0].copies =
        vec![copy(true, Place::Started("a".into())), copy(false, Place::Initializing("b".into()))];
    let verdict = judged(&model, Some("a"));
    assert_eq!(verdict.outcome, Outcome::TimedOut, "{verdict:#?}");
    assert_eq!(codes(&verdict, Stand::Wait), [Code::Initializing, Code::OnlyCopy]);
}
