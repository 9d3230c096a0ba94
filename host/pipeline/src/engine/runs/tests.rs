use watchbell_contract::Duration;

use crate::fixtures;
use crate::order::Event;
use crate::record::{HostId, Snapshot};
use crate::spec::RuleSpec;
use crate::{Engine, EngineConfig};

use super::*;

/// What the engine orders, every commit written at once.
fn runs(engine: &mut Engine, now: Timestamp, event: Event) -> Vec<RunId> {
    engine.handle(now, event);
    let mut runs = Vec::new();
    while let Some(action) = engine.poll_action() {
        match action {
            Action::Evaluate(run) => runs.push(run.id),
            Action::Persist(commit) => {
                engine.handle(now, Event::Persisted { nonce: commit.nonce, written: true });
            }
            Action::Deliver { .. } | Action::Note(_) => {}
        }
    }
    runs
}

#[test]
fn what_is_fetched_for_people_keeps_no_run_from_its_cluster() {
    let config = EngineConfig {
        cluster_concurrency_default: 1,
        jitter_max: Duration::ZERO,
        ..EngineConfig::new(HostId("host".into()))
    };
    let start = Timestamp(1_700_000_000_000);
    let later = start + Duration::from_mins(3);
    let mut engine = Engine::new(config, start, Snapshot::default());
    let rules = ["a", "b"].map(|name| RuleSpec { name: RuleName(name.into()), ..fixtures::rule() });
    let bundle = Event::Bundle { digest: "1".into(), rules: rules.into(), destinations: Vec::new() };
    assert!(runs(&mut engine, start, bundle).is_empty());
    let first = runs(&mut engine, later, Event::Tick);
    assert_eq!(first.len(), 1, "one at once");
    let second = runs(&mut engine, later, Event::Judged { run: first[0] });
    assert_eq!(second.len(), 1);
    // The place is given back once, however the run ends.
    let outcome = Err(RunFault::new(RunFaultKind::Outside, "503"));
    assert!(
        runs(&mut engine, later, Event::Evaluated { run: first[0], outcome: outcome.clone() }).is_empty()
    );
    let third = runs(&mut engine, later + Duration::from_mins(2), Event::Tick);
    assert!(third.is_empty(), "`b` still asks");
    assert_eq!(
        runs(&mut engine, later + Duration::from_mins(2), Event::Evaluated { run: second[0], outcome }).len(),
        1
    );
}
