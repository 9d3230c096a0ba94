use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use watchbell_sdk::SignalKind;
use watchbell_sdk::testing::case::{Case, Document, ORIGIN};
use watchbell_sdk::testing::{Native, check_folder, take_logs};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn rule() -> Case {
    Case::new(json!({ "fields": ["status"] })).key(["user"]).until(secs(600))
}

/// A document of each value, a second apart.
fn walk<const N: usize>(case: Case, values: [Json; N]) -> Case {
    values
        .into_iter()
        .zip(1..)
        .fold(case, |case, (value, at)| case.document(secs(at), json!({ "user": "ann", "status": value })))
}

fn told(case: &Case) -> Vec<(u64, String)> {
    let told = case.run::<Change>();
    told.iter().map(|signal| (signal.at.since(ORIGIN).millis() / 1_000, signal.summary.clone())).collect()
}

fn times(case: &Case) -> Vec<u64> {
    told(case).into_iter().map(|(at, _)| at).collect()
}

const NEVER: [u64; 0] = [];

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<Change>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let elastalert = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/elastalert/change.test.yaml");
    for case in Case::read_file(elastalert.as_ref()).unwrap() {
        case.check::<Change>();
    }
}

#[test]
fn a_value_that_differs_from_the_last_is_announced() {
    let case = walk(rule(), [json!("up"), json!("up"), json!("down"), json!("down"), json!("up")]);
    let expected = [(3, "status: up is now down".to_owned()), (5, "status: down is now up".to_owned())];
    assert_eq!(told(&case), expected);
    let signal = case.run::<Change>().remove(0);
    assert_eq!((signal.kind, signal.labels), (SignalKind::Event, Labels(vec![Some("ann".into())])));
    assert_eq!(signal.details, r#"{"changed":["status"],"old_value":["up"],"new_value":["down"]}"#);
    // The document that differs, and the one before it.
    let Some(Evidence::Documents(named)) = signal.evidence else { panic!() };
    let named: Vec<_> = named.iter().map(|named| (named.at, named.id.as_str())).collect();
    assert_eq!(named, [(ORIGIN + secs(3), "00000002"), (ORIGIN + secs(2), "00000001")]);
}

#[test]
fn keys_are_compared_apart() {
    let case = ["a", "b", "a", "c", "b"].iter().zip(1..).fold(rule(), |case, (user, at)| {
        case.document(secs(at), json!({ "user": user, "status": if *user == "b" { at } else { 0 } }))
    });
    assert_eq!(told(&case), [(5, "status: 2 is now 5".to_owned())]);
}

#[test]
fn several_fields_are_compared_one_by_one() {
    let mut case = Case::new(json!({ "fields": ["os.name", "ports", "up"] })).key(["host"]);
    for (at, name, ports, up) in [
        (1, "linux", json!([22, 80]), true),
        (2, "linux", json!([22, 80]), false),
        (3, "bsd", json!(22), false),
    ] {
        case =
            case.document(secs(at), json!({ "host": "a", "os": { "name": name }, "ports": ports, "up": up }));
    }
    let expected = [
        (2, "up: true is now false".to_owned()),
        (3, "os.name: linux is now bsd, ports: [22,80] is now 22".to_owned()),
    ];
    assert_eq!(told(&case), expected);
    let details = case.run::<Change>().remove(1).details;
    assert!(
        details.ends_with(r#""old_value":["linux",[22,80],false],"new_value":["bsd",22,false]}"#),
        "{details}"
    );
}

#[test]
fn nulls_count_unless_they_are_ignored() {
    let mut case = walk(rule(), [json!("up"), json!(null), json!("up"), json!(""), json!("up")]);
    assert_eq!(times(&case), [2, 3, 4, 5]);
    assert_eq!(told(&case)[0].1, "status: up is now missing");
    case.params["ignore_null"] = json!(true);
    assert_eq!(times(&case), NEVER);
    // Zero is a value, and what is passed over does not count as the last.
    let mut zero = walk(rule(), [json!(1), json!(0), json!(null), json!(1)]);
    zero.params["ignore_null"] = json!(true);
    assert_eq!(times(&zero), [2, 4]);
}

#[test]
fn a_timeframe_is_inclusive_and_counts_from_the_last_document() {
    let mut case = rule()
        .document(secs(0), json!({ "user": "a", "status": 1 }))
        .document(secs(10), json!({ "user": "a", "status": 2 }))
        .document(secs(21), json!({ "user": "a", "status": 3 }))
        .document(secs(30), json!({ "user": "a", "status": 3 }))
        .document(secs(40), json!({ "user": "a", "status": 4 }));
    case.params["timeframe"] = json!("10s");
    assert_eq!(times(&case), [10, 40]);
}

#[test]
fn a_long_value_is_kept_by_its_beginning_and_a_hash() {
    let long = |end: &str| json!(format!("{}{end}", "stack ".repeat(3_000)));
    let case = walk(rule(), [long("a"), long("b"), long("b"), long("a")]);
    assert_eq!(times(&case), [2, 4]);
    let mut runner = Native::<Change>::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    timeline.advance(ORIGIN + secs(60)).unwrap();
    assert!(timeline.state().unwrap().len() < 1_200);
}

#[test]
fn whole_numbers_are_the_same_in_every_column() {
    let case = rule()
        .document(secs(1), json!({ "user": "a", "status": 5 }))
        .document(secs(61), json!({ "user": "a", "status": 5.0 }))
        .document(secs(62), json!({ "user": "b", "status": 0.5 }));
    assert_eq!(times(&case), NEVER);
}

#[test]
fn a_key_is_primed_with_the_day_before() {
    let case = |from_hours: u64| {
        let case = rule().every(secs(600)).until(secs(3_600 * 31));
        let case = case.document(secs(3_600), json!({ "user": "a", "status": 1 }));
        Case {
            from: secs(3_600 * from_hours),
            ..case.document(secs(3_600 * 30), json!({ "user": "a", "status": 2 }))
        }
    };
    assert_eq!(times(&case(24)), [108_000]);
    assert_eq!(times(&case(26)), NEVER, "seen longer than a day before: new to a rule that starts there");
}

#[test]
fn two_hundred_thousand_keys_are_kept_and_of_more_the_silent_are_forgotten() {
    let rule: Change = serde_json::from_value(json!({ "fields": ["status"] })).unwrap();
    let mut keys = <Change as Rule>::State::default();
    for n in 0..200_001_u32 {
        let last = || Last {
            at: Timestamp(i64::from(n)),
            document: DocumentId::default(),
            values: format!("[\"status-{n}\",200]").into(),
        };
        keys.update(Key::of([Some(n.to_string().as_str())]), last, |_| ());
    }
    assert_eq!(keys.len(), 175_001);
    assert!(
        take_logs()[0]
            .1
            .starts_with("more than 200000 names at once: the 25000 that have been silent longest")
    );
    assert!(keys.get(Key::of([Some("24999")])).is_none() && keys.get(Key::of([Some("25000")])).is_some());
    // Without a timeframe a key is kept however long it is silent.
    rule.settle(Timestamp(1 << 50), &mut keys);
    assert_eq!(keys.len(), 175_001);
    let rule: Change = serde_json::from_value(json!({ "fields": ["status"], "timeframe": "1s" })).unwrap();
    rule.settle(Timestamp(200_000), &mut keys);
    assert_eq!(keys.len(), 1_001);
}

#[test]
fn all_faults_of_the_parameters_are_told() {
    let fault = |params: Json| Case::new(params).run_with(&mut Native::<Change>::default()).unwrap_err();
    let faults = fault(json!({ "fields": [], "timeframe": "0s" }));
    assert_eq!(faults.lines().count(), 3, "{faults}");
    assert!(faults.starts_with("needs a `key:` in the manifest"), "{faults}");
    assert!(fault(json!({ "fields": ["a"], "compare_key": "b" })).contains("unknown field `compare_key`"));
}

#[test]
fn a_full_map_forgets_documents_before_keys() {
    let values: Box<str> = "x".repeat(1_000).into();
    let mut keys = <Change as Rule>::State::default();
    let id: DocumentId = serde_json::from_value(json!("0123456789abcdefghij")).unwrap();
    for n in 0..12_200_u32 {
        let last = || Last { at: Timestamp(i64::from(n)), document: id.clone(), values: values.clone() };
        keys.update(Key::of([Some(n.to_string().as_str())]), last, |_| ());
        let known = keys.values().filter(|last| last.document == id).count();
        assert!(known == 0 || known == keys.len(), "{n}");
    }
    assert_eq!(keys.len(), 12_200);
    assert!(keys.values().all(|last| last.document == DocumentId::default()));
    assert!(take_logs().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Each window starts from the bytes that the one before kept, so this is also: a restart between any two.
    #[test]
    fn neither_cutting_time_nor_a_restart_changes_the_verdict(
        events in prop::collection::btree_map(0_u64..300, (0_u8..3, 0_u8..3), 0..80),
        cuts in prop::collection::btree_set(1_u64..300, 0..12),
        lateness in 0_u64..90,
        page_rows in 1_usize..20,
        timeframe in prop::option::of(1_u64..60),
        ignore_null in any::<bool>(),
    ) {
        let case = events.iter().fold(rule().until(secs(300)), |case, (at, (user, status))| {
            let status = if *status == 0 { json!(null) } else { json!(status) };
            case.document(secs(*at), json!({ "user": user, "status": status }))
        });
        let timeframe = timeframe.map(|timeframe| secs(timeframe).to_string());
        let case = case.with(json!({ "fields": ["status"], "timeframe": timeframe, "ignore_null": ignore_null }));
        let whole = Case { ends: vec![secs(300)], ..case.clone() };
        let cut =
            Case { ends: cuts.into_iter().map(secs).collect(), lateness: secs(lateness), page_rows, ..case };
        prop_assert_eq!(sorted(&cut), sorted(&whole));
        prop_assert_eq!(final_state(&cut), final_state(&Case { lateness: secs(lateness), ..whole.clone() }));
        // However much was read before: a timeframe of the past is all that decides.
        let told = sorted(&whole).into_iter().filter(|(at, _)| *at >= 100).collect::<Vec<_>>();
        prop_assert_eq!(sorted(&Case { from: secs(100), ..whole }), told);
    }

    /// What is late is told when it comes. What was told in its absence may have compared with an older document.
    #[test]
    fn a_late_document_ends_in_the_state_of_a_punctual_one(
        events in prop::collection::btree_map(0_u64..300, (0_u8..3, 0_u8..3, 0_u64..90), 0..80),
    ) {
        let mut case = rule().lateness(secs(100)).until(secs(500));
        case.ends = (1..10).map(|n| secs(n * 50)).collect();
        case.documents = events.iter().map(|(at, (user, status, _))| {
            let fields = json!({ "user": user, "status": status }).as_object().cloned().unwrap_or_default();
            Document { at: secs(*at).into(), fields, ..Document::default() }
        }).collect();
        let mut late = case.clone();
        for (document, (at, (_, _, behind))) in late.documents.iter_mut().zip(&events) {
            document.arrives = Some(secs(at + behind).into());
        }
        prop_assert_eq!(final_state(&late), final_state(&case));
        let (late, punctual) = (sorted(&late), sorted(&case));
        prop_assert_eq!(punctual.iter().filter(|told| !late.iter().any(|late| late.0 == told.0)).count(), 0);
    }
}

fn sorted(case: &Case) -> Vec<(u64, String)> {
    let mut told = told(case);
    told.sort();
    told
}

fn final_state(case: &Case) -> Vec<u8> {
    let mut runner = Native::<Change>::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    for end in case.ends.iter().copied().chain([case.until]) {
        timeline.advance(ORIGIN + end).unwrap();
    }
    timeline.state().unwrap().to_vec()
}
