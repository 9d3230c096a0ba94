use watchbell_contract::{Duration, Timestamp};

use crate::action::{Action, RunId};
use crate::fault::{RunFault, RunFaultKind};
use crate::fixtures;
use crate::input::{Input, Persisted};
use crate::maintenance::HoldsSpec;
use crate::record::{BundleRef, HostId, NotifierSnapshot, PartitionId, PartitionSnapshot, StoreMeta};
use crate::spec::{RuleName, RuleSpec};

use super::*;

/// The coordinator's actions, with every commit written at once.
fn runs(coordinator: &mut Coordinator, now: Timestamp, input: Input) -> Vec<RunId> {
    coordinator.handle(now, input);
    let mut runs = Vec::new();
    while let Some(action) = coordinator.poll_action() {
        match action {
            Action::Evaluate(run) => runs.push(run.id),
            Action::Persist(commit) => {
                let outcome = Persisted::Written { lost: Vec::new() };
                coordinator.handle(now, Input::Persisted { nonce: commit.nonce, outcome });
            }
            _ => {}
        }
    }
    runs
}

#[test]
fn what_is_fetched_for_people_keeps_no_run_from_its_cluster() {
    let config = Config {
        cluster_concurrency_default: 1,
        jitter_max: Duration::ZERO,
        ..Config::new(HostId("host".into()))
    };
    let start = Timestamp(1_700_000_000_000);
    let later = start + Duration::from_mins(3);
    let mut coordinator = Coordinator::new(config, start, StoreMeta::default());
    for partition in PartitionId::all() {
        let taken = Input::PartitionTaken(PartitionSnapshot { partition, ..PartitionSnapshot::default() });
        coordinator.handle(start, taken);
    }
    coordinator.handle(start, Input::NotifierTaken(NotifierSnapshot::default()));
    let rule = |name: &str| Arc::new(RuleSpec { name: RuleName(name.into()), ..fixtures::rule() });
    let bundle = Input::Bundle {
        bundle: BundleRef { digest: "1".into(), generation: 1 },
        rules: vec![rule("a"), rule("b")],
        destinations: Vec::new(),
        holds: HoldsSpec::default(),
    };
    assert!(runs(&mut coordinator, start, bundle).is_empty());
    let first = runs(&mut coordinator, later, Input::Tick);
    assert_eq!(first.len(), 1, "one at once");
    let second = runs(&mut coordinator, later, Input::Judged { run: first[0] });
    assert_eq!(second.len(), 1);
    // The slot is released once, however the run ends.
    let outcome = Err(RunFault::new(RunFaultKind::Outside, "503"));
    assert!(
        runs(&mut coordinator, later, Input::Evaluated { run: first[0], outcome: outcome.clone() })
            .is_empty()
    );
    let third = runs(&mut coordinator, later + Duration::from_mins(2), Input::Tick);
    assert!(third.is_empty(), "`b` still asks");
    assert_eq!(
        runs(&mut coordinator, later + Duration::from_mins(2), Input::Evaluated { run: second[0], outcome })
            .len(),
        1
    );
}
