//! Thousands of clusters that change while they are asked, lose their way in the middle of an answer, and leave things out.
//! The gate may refuse what it likes; it must never say that it is safe when a copy would be lost.
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use watchbell_contract::{Duration, Timestamp};
use watchbell_gate::{
    Allowed, Answers, Ask, Explained, Facts, Gate, Group, Outcome, Own, Step, Trouble, TroubleKind,
};

use crate::model::{Copy, Member, Model, Place, Shard, read};

const SEEDS: u64 = 3_000;

#[test]
fn it_never_says_safe_when_a_copy_would_be_lost() {
    let one: Option<u64> = std::env::var("WATCHBELL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = one.map_or(0..SEEDS, |seed| seed..seed + 1);
    let mut outcomes = [0_usize; 4];
    for seed in seeds {
        let outcome = play(seed).unwrap_or_else(|wrong| panic!("WATCHBELL_SEED={seed}: {wrong}"));
        outcomes[usize::from(outcome.exit_code())] += 1;
    }
    // A gate that never opens keeps this promise too.
    if one.is_none() {
        assert!(outcomes.iter().all(|count| *count > SEEDS as usize / 100), "{outcomes:?}");
    }
}

/// One cluster from the first look to the verdict.
fn play(seed: u64) -> Result<Outcome, String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut model = draw(&mut rng);
    let node = rng.random_bool(0.7).then(|| model.nodes.choose(&mut rng).expect("nodes").name.clone());
    let ask = Ask {
        node: node.clone(),
        wait: Duration::from_mins(3),
        stable: Duration::from_secs(20),
        poll: Duration::from_secs(5),
        allowed: Allowed::default(),
    };
    let mut gate = Gate::new(ask, Own::default(), Timestamp(0));
    let mut now = Timestamp(0);
    let restless = rng.random_bool(0.5);
    let liar = rng.random_bool(0.4);
    // Of the explanations that count: those since the last look that found something else.
    let mut lies = Vec::new();
    let mut asked = false;
    for _ in 0..2_000 {
        match gate.step(now) {
            Step::Look(at) => {
                now = now.max(at);
                // More often than ever after explanations: what they say must not outlive what they are about.
                let likely = if std::mem::take(&mut asked) { 0.5 } else { 0.1 };
                if restless && rng.random_bool(likely) {
                    change(&mut rng, &mut model);
                }
                let looked = look(&mut rng, &model, liar);
                now = now + Duration(rng.random_range(0..500));
                gate.look(now, looked);
            }
            Step::Explain(groups) => {
                lies.clear();
                let mut answers = Vec::new();
                for group in &groups {
                    // Between two explanations, too.
                    if restless && rng.random_bool(0.1) {
                        change(&mut rng, &mut model);
                    }
                    answers.push(explain(&mut rng, &model, group, liar, &mut lies));
                }
                gate.explained(now, &answers);
                asked = true;
            }
            Step::Done(verdict) => {
                if verdict.outcome == Outcome::Safe {
                    wrong(&model, node.as_deref(), &lies)?;
                }
                return Ok(verdict.outcome);
            }
            other => return Err(format!("the gate does not write: {other:?}")),
        }
    }
    Err("it does not end".into())
}

/// Why `Safe` is wrong by the promise: judged from the cluster itself, not from its responses.
fn wrong(model: &Model, node: Option<&str>, lies: &[String]) -> Result<(), String> {
    for shard in &model.shards {
        let started = |copy: &Copy| matches!(copy.place, Place::Started(_));
        if let Some(copy) = shard.copies.iter().find(|copy| copy.place != Place::Nowhere && !started(copy)) {
            return Err(format!("{} is on its way: {:?}", shard.index, copy.place));
        }
        for copy in shard.copies.iter().filter(|copy| copy.place == Place::Nowhere) {
            if copy.primary {
                return Err(format!("the primary of {} is unassigned", shard.index));
            }
            if let Some(lie) = lies.iter().find(|lie| lie.starts_with(&format!("{}:", shard.index))) {
                return Err(format!("not everything was explained: {lie}"));
            }
            for data in model.nodes.iter().filter(|node| node.roles.contains(&"data")) {
                let reasons = model.reasons(shard, data);
                let allowed = ["node_version", "same_shard", "awareness"];
                if reasons.is_empty() || !reasons.iter().all(|reason| allowed.contains(reason)) {
                    return Err(format!("{} on {}: {reasons:?}", shard.index, data.name));
                }
            }
        }
        let Some(node) = node else { continue };
        let there = shard.copies.iter().any(|copy| copy.place == Place::Started(node.into()));
        let elsewhere =
            shard.copies.iter().any(|copy| started(copy) && copy.place != Place::Started(node.into()));
        if there && !elsewhere {
            return Err(format!("the only copy of {} is on {node}", shard.index));
        }
    }
    if model.tasks > 0 || model.snapshots > 0 || model.master.is_none() {
        return Err("the cluster is in the middle of something".into());
    }
    if !model.persistent.as_object().is_some_and(|set| set.is_empty()) {
        return Err(format!("left behind: {}", model.persistent));
    }
    let Some(node) = node else { return Ok(()) };
    let Some(member) = model.node(node) else { return Err(format!("{node} has left")) };
    if member.roles.contains(&"master") {
        let votes =
            |voter: &&String| **voter != member.id() && model.nodes.iter().any(|node| node.id() == **voter);
        if model.voters.iter().filter(votes).count() * 2 <= model.voters.len() {
            return Err(format!("without {node} no master can be elected"));
        }
    }
    Ok(())
}

fn draw(rng: &mut StdRng) -> Model {
    let names = ["a", "b", "c", "d", "e"];
    let count = rng.random_range(2..=names.len());
    let mixed = rng.random_bool(0.7);
    let mut nodes: Vec<Member> = names[..count]
        .iter()
        .map(|name| {
            let version = if mixed && rng.random_bool(0.5) { "7.10.2" } else { "7.8.1" };
            Member::new(name, version, if rng.random_bool(0.5) { "z1" } else { "z2" })
        })
        .collect();
    for node in nodes.iter_mut().skip(1) {
        if rng.random_bool(0.3) {
            node.roles = if rng.random_bool(0.5) { vec!["data"] } else { vec!["master"] };
        }
    }
    let data: Vec<String> =
        nodes.iter().filter(|node| node.is_data()).map(|node| node.name.clone()).collect();
    let mut shards = Vec::new();
    for at in 0..rng.random_range(1..=4) {
        let mut places = data.clone();
        places.sort_by_key(|_| rng.random::<u32>());
        let copies = rng.random_range(1..=3_usize);
        let places: Vec<&str> = (0..copies)
            .map(|copy| match places.get(copy) {
                Some(place) if copy == 0 && rng.random_bool(0.97) || rng.random_bool(0.75) => place.as_str(),
                _ => "-",
            })
            .collect();
        let mut shard = Shard::new(&format!("i{at}"), &places);
        if rng.random_bool(0.1) {
            let on = rng.random_bool(0.5).then(|| data.choose(rng).expect("data nodes").clone());
            shard
                .blocked
                .push((on, ["filter", "disk_threshold", "max_retry", "enable"].choose(rng).expect("some")));
        }
        shards.push(shard);
    }
    let mut model = Model::new(nodes, shards);
    model.voters = model.nodes.iter().filter(|node| node.roles.contains(&"master")).map(Member::id).collect();
    if rng.random_bool(0.2) {
        model.voters.push("id-gone".into());
    }
    model.aware = rng.random_bool(0.7);
    if rng.random_bool(0.05) {
        model.persistent = json!({ "cluster.routing.allocation.enable": "primaries" });
    }
    model.tasks = usize::from(rng.random_bool(0.05));
    model.snapshots = usize::from(rng.random_bool(0.03));
    model
}

/// Something happens, for the better or the worse.
fn change(rng: &mut StdRng, model: &mut Model) {
    let data: Vec<String> =
        model.nodes.iter().filter(|node| node.is_data()).map(|node| node.name.clone()).collect();
    let Some(target) = data.choose(rng).cloned() else { return };
    let at = rng.random_range(0..model.shards.len());
    let what = rng.random_range(0..8);
    let shard = &mut model.shards[at];
    let copy = rng.random_range(0..shard.copies.len());
    let is_free = !shard.copies.iter().any(|copy| {
        matches!(&copy.place, Place::Started(name) | Place::Initializing(name) | Place::Relocating(name, _) if *name == target)
    });
    match (what, shard.copies[copy].place.clone()) {
        (0 | 1, Place::Nowhere) if is_free => shard.copies[copy].place = Place::Initializing(target),
        (_, Place::Initializing(name)) => shard.copies[copy].place = Place::Started(name),
        (_, Place::Relocating(_, to)) => shard.copies[copy].place = Place::Started(to),
        (2, Place::Started(name)) if is_free => shard.copies[copy].place = Place::Relocating(name, target),
        (3, Place::Started(_)) => {
            // The copy is lost; if it was the primary, a replica takes its place.
            shard.copies[copy].place = Place::Nowhere;
            if shard.copies[copy].primary
                && let Some(heir) =
                    shard.copies.iter().position(|copy| matches!(copy.place, Place::Started(_)))
            {
                (shard.copies[copy].primary, shard.copies[heir].primary) = (false, true);
            }
        }
        (4, _) => model.tasks = usize::from(model.tasks == 0),
        (5, _) => {
            shard.blocked.clear();
            if rng.random_bool(0.3) {
                shard.blocked.push((None, "filter"));
            }
        }
        (6, _) => model.snapshots = 0,
        (7, _) => model.persistent = json!({}),
        _ => {}
    }
}

/// A look, of which something may be missing.
fn look(rng: &mut StdRng, model: &Model, liar: bool) -> Result<Facts, Trouble> {
    let mut answers = model.answers();
    if liar && rng.random_bool(0.15) {
        match rng.random_range(0..6) {
            0 => return Err(Trouble { message: "unavailable (503)".into(), kind: TroubleKind::Passing }),
            1 => answers[0]["routing_table"] = json!({}),
            2 => {
                // A shard is left out of the state alone.
                let index = &model.shards.choose(rng).expect("shards").index;
                answers[0]["routing_table"]["indices"].as_object_mut().expect("indices").remove(index);
            }
            3 => {
                let id = model.nodes.choose(rng).expect("nodes").id();
                answers[1]["nodes"].as_object_mut().expect("nodes").remove(&id);
            }
            4 => answers[3] = json!({ "error": "garbage" }),
            _ => answers[5]["timed_out"] = true.into(),
        }
    }
    let bodies = answers.map(|answer| answer.to_string());
    Facts::read(Answers(bodies.each_ref().map(|body| body.as_bytes()))).map_err(|fault| {
        let kind = if rng.random_bool(0.2) { TroubleKind::Lasting } else { TroubleKind::Passing };
        Trouble { message: fault.to_string(), kind }
    })
}

/// An explanation, of which something may be missing; what was left out is noted.
fn explain(rng: &mut StdRng, model: &Model, group: &Group, liar: bool, lies: &mut Vec<String>) -> Explained {
    let mut answer = model.explanation(group);
    if !liar || rng.random_bool(0.5) {
        return read(&answer);
    }
    let index = group.shard.index.clone();
    let mut lie = |what: &str| lies.push(format!("{index}: {what}"));
    let nodes = answer["node_allocation_decisions"].as_array().map_or(0, Vec::len);
    let at = if nodes > 0 { rng.random_range(0..nodes) } else { 0 };
    match rng.random_range(0..8) {
        0 => {
            lie("the call failed");
            return Explained::Failed("unavailable (503)".into());
        }
        1 => {
            lie("it is said to be gone");
            return Explained::Gone("no such index".into());
        }
        2 if nodes > 0 => {
            lie("a node is left out");
            answer["node_allocation_decisions"].as_array_mut().expect("nodes").remove(at);
        }
        3 if nodes > 0 => {
            lie("a node says no without a reason");
            answer["node_allocation_decisions"][at]["deciders"] = json!([]);
            answer["node_allocation_decisions"][at]["node_decision"] = "no".into();
        }
        4 if nodes > 0 => {
            lie("a decider has no name");
            let unnamed = json!({ "decision": "NO", "explanation": "for reasons of its own" });
            answer["node_allocation_decisions"][at]["deciders"] = json!([unnamed]);
        }
        5 => {
            lie("it is about another shard");
            answer["index"] = "other".into();
        }
        6 => {
            lie("no node is named");
            answer["node_allocation_decisions"] = json!([]);
        }
        _ => {
            lie("it has no outcome");
            answer["can_allocate"] = Value::Null;
        }
    }
    read(&answer)
}
