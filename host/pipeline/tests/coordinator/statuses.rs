use watchbell_contract::{Duration, Timestamp};
use watchbell_pipeline::action::{Note, Purpose, Run};
use watchbell_pipeline::fault::{RunFault, RunFaultKind};
use watchbell_pipeline::spec::{Meaning, RuleSpec};

use crate::host::{Host, START, rule};

fn primed() -> RuleSpec {
    RuleSpec { history: Duration::from_hours(4), indices: vec!["logs-*".into()], ..rule(Vec::new()) }
}

fn quiet() -> Host {
    Host::new(|_, _| Vec::new())
}

const KINDS: [RunFaultKind; 5] = [
    RunFaultKind::Outside,
    RunFaultKind::Slow,
    RunFaultKind::TooLarge,
    RunFaultKind::Limit,
    RunFaultKind::Rule,
];

/// Runs that look at this instant fail.
fn fails_at(kind: RunFaultKind, at: Timestamp) -> impl Fn(&Run) -> Option<RunFault> {
    move |run| {
        let is_within = run.window.start <= at && at < run.window.end;
        is_within.then(|| RunFault::new(kind, "no answer of this size"))
    }
}

#[test]
fn while_priming_fails_its_last_error_is_said() {
    for kind in KINDS {
        let mut host = quiet();
        host.fault = Box::new(move |_| Some(RunFault::new(kind, "nobody answers")));
        host.deploy(&primed());
        for second in 1..600 {
            host.until_instant(START + Duration::from_secs(second));
            let status = host.status();
            let Some(failure) = status.failure else { panic!("{kind:?} after {second} s: no error") };
            assert_eq!(failure.message, "nobody answers");
        }
    }
}

#[test]
fn while_a_chunk_of_the_history_is_read_in_parts_its_failure_is_said() {
    let at = START - Duration::from_mins(140);
    for kind in [RunFaultKind::Slow, RunFaultKind::TooLarge, RunFaultKind::Limit, RunFaultKind::Rule] {
        let mut host = quiet();
        host.fault = Box::new(fails_at(kind, at));
        host.deploy(&primed());
        let mut said = 0;
        let is_before = |host: &Host| host.status().priming.is_some_and(|priming| priming.reached <= at);
        for tick in 1..3_000 {
            host.until_instant(START + Duration(tick * 100));
            if host.status().failure.is_none() && said > 0 && is_before(&host) {
                panic!("{kind:?}: parts of the chunk were read, and its failure is forgotten");
            }
            said += u32::from(host.status().failure.is_some());
        }
        assert!(said > 10, "{kind:?}: {said}");
        // Once the chunk can be read, nothing is said any more.
        host.fault = Box::new(|_| None);
        host.until(60);
        let status = host.status();
        assert_eq!((status.failure, status.priming), (None, None), "{kind:?}");
    }
}

#[test]
fn a_refused_state_is_said_to_be_primed_again() {
    let mut host = quiet();
    host.deploy(&primed());
    host.until(5);
    host.notes.clear();
    host.fault = Box::new(|run| {
        let is_refused = run.purpose == Purpose::Live && run.state.is_some();
        is_refused.then(|| RunFault::new(RunFaultKind::State, "its layout is another one"))
    });
    host.until(6);
    let anew = |note: &&Note| matches!(note, Note::PrimesAnew { reason, .. } if reason.contains("layout"));
    assert!(host.notes.iter().filter(anew).count() > 0, "{:?}", host.notes);
}

fn told(host: &mut Host) -> Vec<String> {
    let notes = std::mem::take(&mut host.notes).into_iter();
    notes
        .filter_map(|note| match note {
            Note::FieldUnmapped { message, .. } => Some(message),
            _ => None,
        })
        .collect()
}

#[test]
fn an_unmapped_field_is_told_once_until_it_was_mapped() {
    let sentence = |field: &str| format!("no mapping of `logs-*` has the field `{field}`");
    let mut host = quiet();
    host.unmapped = ["usr.name", "b", "usr.name"].map(str::to_owned).into();
    host.deploy(&primed());
    host.until(5);
    assert_eq!(told(&mut host), [sentence("b"), sentence("usr.name")]);
    assert_eq!(host.status().warnings, [sentence("b"), sentence("usr.name")]);
    // A failed run has seen no mapping, and an edited text is no other rule.
    host.fault = Box::new(|_| Some(RunFault::new(RunFaultKind::Outside, "nobody answers")));
    host.until(7);
    host.fault = Box::new(|_| None);
    let mut edited = primed();
    edited.alert.title = "another".into();
    host.deploy(&edited);
    assert_eq!(host.status().warnings.len(), 2);
    host.unmapped.retain(|field| field != "b");
    host.until(10);
    assert_eq!((told(&mut host), host.status().warnings), (vec![], vec![sentence("usr.name")]));
    host.unmapped.push("b".into());
    host.until(11);
    assert_eq!(told(&mut host), [sentence("b")]);
    // Another meaning asks for other fields.
    host.unmapped.clear();
    edited.meaning = Meaning("2".into());
    host.deploy(&edited);
    assert_eq!(host.status().warnings, Vec::<String>::new());
}

#[test]
fn of_many_unmapped_fields_the_first_64_are_told() {
    let mut host = quiet();
    host.unmapped = (0..500).rev().map(|number| format!("f{number:03}")).collect();
    host.deploy(&primed());
    host.until(5);
    assert_eq!((told(&mut host).len(), host.status().warnings.len()), (64, 64));
    assert!(host.status().warnings[63].contains("`f063`"));
}
