//! What is written to a cluster's settings, and how it is undone.
use serde_json::{Value, json};
use watchbell_contract::Timestamp;
use watchbell_gate::{
    Author, Change, Code, Drain, Leftovers, Outcome, Procedure, Restart, Step, Trouble, TroubleKind, Verdict,
};

use crate::model::{Member, Model, Place, Shard};
use crate::stories::ask;

const EXCLUDE: &str = "cluster.routing.allocation.exclude._id";
const ENABLE: &str = "cluster.routing.allocation.enable";
const DRAIN: &str = "cluster.metadata.watchbell.drain";

/// A cluster that does what its settings say, and a caller.
struct World {
    model: Model,
    now: Timestamp,
    writes: usize,
    told: Vec<String>,
}

/// What the caller does once told to.
#[derive(Clone, Copy, PartialEq)]
enum Caller {
    Acts,
    Interrupts,
    Sleeps,
}

fn author() -> Author {
    Author { host: "deployer".into(), at: "2026-11-30T06:00:00Z".into() }
}

fn world() -> World {
    let node = |name, zone| Member::new(name, "7.8.1", zone);
    let nodes = vec![node("a", "z1"), node("b", "z2"), node("c", "z1"), node("d", "z2")];
    let model = Model::new(nodes, vec![Shard::new("one", &["a", "b"]), Shard::new("two", &["c", "d"])]);
    World { model, now: Timestamp(0), writes: 0, told: Vec::new() }
}

impl World {
    fn write(&mut self, change: &Change) {
        self.writes += 1;
        let body: Value = serde_json::from_str(&change.body()).unwrap();
        for (scope, held) in
            [("persistent", &mut self.model.persistent), ("transient", &mut self.model.transient)]
        {
            for (name, value) in body[scope].as_object().unwrap() {
                match value {
                    Value::Null => _ = held.as_object_mut().unwrap().remove(name),
                    value => held[name] = value.clone(),
                }
            }
        }
    }

    /// Shards leave excluded nodes, one at each look.
    fn obey(&mut self) {
        let excluded = self.model.persistent[EXCLUDE].as_str().unwrap_or_default().to_owned();
        for shard in &mut self.model.shards {
            let holders: Vec<String> = shard
                .copies
                .iter()
                .filter_map(
                    |copy| if let Place::Started(name) = &copy.place { Some(name.clone()) } else { None },
                )
                .collect();
            for copy in &mut shard.copies {
                let Place::Started(name) = &copy.place else { continue };
                if excluded.split(',').any(|id| id == format!("id-{name}")) {
                    let free = ["a", "b", "c", "d"].into_iter().find(|one| {
                        !holders.iter().any(|holder| holder == one)
                            && !excluded.contains(&format!("id-{one}"))
                    });
                    if let Some(free) = free {
                        copy.place = Place::Started(free.into());
                        return;
                    }
                }
            }
        }
    }

    fn remove(&mut self, name: &str) {
        self.model.nodes.retain(|node| node.name != name);
        self.model.voters.retain(|id| *id != format!("id-{name}"));
    }

    fn run(&mut self, procedure: &mut dyn Procedure, caller: Caller) -> Verdict {
        let mut told = false;
        for _ in 0..10_000 {
            match procedure.step(self.now) {
                Step::Done(verdict) => return *verdict,
                Step::Look(at) => {
                    self.now = self.now.max(at);
                    self.obey();
                    procedure.look(self.now, Ok(self.model.facts()));
                }
                Step::Write(change) => {
                    self.write(&change);
                    procedure.written(self.now, Ok(()));
                }
                Step::Explain(groups) => {
                    let answers: Vec<_> = groups.iter().map(|group| self.model.explain(group)).collect();
                    procedure.explained(self.now, &answers);
                }
                Step::Tell(text) => {
                    self.told.push(text.clone());
                    procedure.told(self.now);
                    match caller {
                        Caller::Acts if text.contains("terminate") => {
                            let name = text.split(' ').next().unwrap().to_owned();
                            self.remove(&name);
                        }
                        Caller::Acts if !told => self.model.nodes[0].start += 1,
                        Caller::Interrupts => procedure.interrupt(self.now),
                        _ => {}
                    }
                    told = true;
                }
            }
        }
        panic!("it does not end");
    }

    fn drain(&mut self, node: &str, until_ready: bool, caller: Caller) -> Verdict {
        let mut drain = Drain::new(ask(Some(node)), author(), until_ready, self.now);
        self.run(&mut drain, caller)
    }

    fn restart(&mut self, node: &str, until_ready: bool, caller: Caller) -> Verdict {
        let mut restart = Restart::new(ask(Some(node)), author(), until_ready, self.now);
        self.run(&mut restart, caller)
    }

    fn put_back(&mut self) {
        let facts = self.model.facts();
        let leftovers = Leftovers::of(&facts.settings);
        for one in leftovers.iter() {
            let undo = one.undo(&facts.settings);
            self.write(&undo.change);
        }
    }
}

#[test]
fn a_drain_empties_the_node_and_leaves_no_trace() {
    let mut world = world();
    let verdict = world.drain("a", false, Caller::Acts);
    assert_eq!(verdict.outcome, Outcome::Safe, "{verdict:#?}");
    assert_eq!(world.told, ["a holds no shards: terminate it now"]);
    assert_eq!((&world.model.persistent, world.writes), (&json!({}), 2));
}

#[test]
fn what_others_exclude_stays_excluded() {
    let mut world = world();
    world.model.transient = json!({ EXCLUDE: "id-gone" });
    // Another exclusion prevents a verdict, and a drain.
    assert_eq!(world.drain("a", true, Caller::Sleeps).outcome, Outcome::NotSafe);
    world.model.transient = json!({});
    assert_eq!(world.drain("a", true, Caller::Sleeps).outcome, Outcome::Safe);
    assert_eq!(world.model.persistent[EXCLUDE], "id-a");
    // Somebody adds another one meanwhile.
    world.model.persistent[EXCLUDE] = json!("id-x, id-a");
    world.put_back();
    assert_eq!(world.model.persistent, json!({ EXCLUDE: "id-x" }));
}

#[test]
fn an_exclusion_that_was_there_before_is_not_ours() {
    let mut world = world();
    world.model.transient = json!({ EXCLUDE: "id-a" });
    world.model.shards[0] = Shard::new("one", &["c", "b"]);
    let verdict = world.drain("a", false, Caller::Acts);
    assert_eq!(verdict.outcome, Outcome::Safe, "{verdict:#?}");
    assert_eq!((&world.model.persistent, &world.model.transient), (&json!({}), &json!({ EXCLUDE: "id-a" })));
}

#[test]
fn an_interrupted_drain_takes_its_exclusion_back() {
    let mut world = world();
    let verdict = world.drain("a", false, Caller::Interrupts);
    assert_eq!(
        (verdict.outcome, &world.model.persistent),
        (Outcome::CouldNotTell, &json!({})),
        "{verdict:#?}"
    );
}

#[test]
fn a_node_that_does_not_go_is_not_kept_excluded() {
    let mut world = world();
    let verdict = world.drain("a", false, Caller::Sleeps);
    assert_eq!((verdict.outcome, &world.model.persistent), (Outcome::TimedOut, &json!({})), "{verdict:#?}");
}

#[test]
fn what_a_crash_left_is_found_refused_and_resumed() {
    let mut world = world();
    assert_eq!(world.drain("a", true, Caller::Sleeps).outcome, Outcome::Safe);
    // As after a crash: exclusion and mark are there, and nobody is at work.
    let other = world.drain("b", false, Caller::Acts);
    assert_eq!((other.outcome, other.findings[0].code), (Outcome::NotSafe, Code::Leftover), "{other:#?}");
    assert!(other.findings[0].what.contains("started 2026-11-30T06:00:00Z on deployer"), "{other:#?}");
    assert_eq!(world.model.persistent[EXCLUDE], "id-a", "it is not ended by another's refusal");
    let same = world.drain("a", false, Caller::Acts);
    assert_eq!((same.outcome, &world.model.persistent), (Outcome::Safe, &json!({})), "{same:#?}");
}

#[test]
fn a_node_whose_shards_stay_is_given_up() {
    let mut world = world();
    world.model.aware = false;
    // Each of the others has a copy already.
    world.model.shards = vec![Shard::new("one", &["a", "b", "c", "d"])];
    let verdict = world.drain("a", false, Caller::Acts);
    assert_eq!(
        (verdict.outcome, verdict.findings[0].code),
        (Outcome::NotSafe, Code::Stranded),
        "{verdict:#?}"
    );
    assert_eq!(world.model.persistent, json!({}));
}

#[test]
fn a_lost_answer_to_a_write_is_no_excuse_to_leave_it() {
    let mut world = world();
    let mut drain = Drain::new(ask(Some("a")), author(), false, world.now);
    let mut lost = 0;
    let verdict = loop {
        match drain.step(world.now) {
            Step::Done(verdict) => break verdict,
            Step::Look(at) => {
                world.now = world.now.max(at);
                drain.look(world.now, Ok(world.model.facts()));
            }
            Step::Write(change) => {
                world.write(&change);
                lost += 1;
                // Written, but the answer to the first is lost.
                let answer = Err(Trouble { message: "cut".into(), kind: TroubleKind::Passing });
                drain.written(world.now, if lost == 1 { answer } else { Ok(()) });
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (verdict.outcome, &world.model.persistent),
        (Outcome::CouldNotTell, &json!({})),
        "{verdict:#?}"
    );
}

#[test]
fn a_restart_holds_allocation_back_and_gives_it_free_again() {
    let mut world = world();
    let verdict = world.restart("a", false, Caller::Acts);
    assert_eq!(verdict.outcome, Outcome::Safe, "{verdict:#?}");
    assert_eq!(world.told, ["allocation is held back: restart a now"]);
    assert_eq!((&world.model.persistent, world.writes), (&json!({}), 2));
}

#[test]
fn a_restart_puts_back_what_was_set_before_and_where_it_was() {
    let mut world = world();
    world.model.transient = json!({ ENABLE: "all" });
    assert_eq!(world.restart("a", true, Caller::Sleeps).outcome, Outcome::Safe);
    assert_eq!(world.model.transient, json!({ ENABLE: "primaries" }));
    world.put_back();
    assert_eq!((&world.model.transient, &world.model.persistent), (&json!({ ENABLE: "all" }), &json!({})));
    // What somebody has set since is theirs.
    assert_eq!(world.restart("a", true, Caller::Sleeps).outcome, Outcome::Safe);
    world.model.transient = json!({ ENABLE: "none" });
    world.put_back();
    assert_eq!((&world.model.transient, &world.model.persistent), (&json!({ ENABLE: "none" }), &json!({})));
}

#[test]
fn a_restart_is_refused_where_somebody_limits_allocation() {
    let mut world = world();
    world.model.persistent = json!({ ENABLE: "none" });
    let verdict = world.restart("a", false, Caller::Acts);
    assert_eq!((verdict.outcome, verdict.findings[0].code), (Outcome::NotSafe, Code::AllocationDisabled));
    assert_eq!((&world.model.persistent, world.writes), (&json!({ ENABLE: "none" }), 0));
}

#[test]
fn an_interrupted_restart_gives_allocation_free() {
    let mut world = world();
    let verdict = world.restart("a", false, Caller::Interrupts);
    assert_eq!(
        (verdict.outcome, &world.model.persistent),
        (Outcome::CouldNotTell, &json!({})),
        "{verdict:#?}"
    );
    let slept = world.restart("a", false, Caller::Sleeps);
    assert_eq!((slept.outcome, &world.model.persistent), (Outcome::TimedOut, &json!({})), "{slept:#?}");
}

#[test]
fn a_mark_that_cannot_be_read_is_in_the_way_until_it_is_put_back() {
    let mut world = world();
    world.model.persistent = json!({ DRAIN: "{\"newer\":1}" });
    let verdict = world.drain("a", false, Caller::Acts);
    assert_eq!(
        (verdict.outcome, verdict.findings[0].code),
        (Outcome::NotSafe, Code::Leftover),
        "{verdict:#?}"
    );
    world.put_back();
    assert_eq!(world.model.persistent, json!({}));
}
