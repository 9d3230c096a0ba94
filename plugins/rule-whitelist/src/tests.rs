use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use watchbell_sdk::SignalKind;
use watchbell_sdk::testing::case::{Case, Document, ORIGIN};
use watchbell_sdk::testing::{Json, Native, check_folder};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn listing(values: Json) -> Case {
    Case::new(json!({ "field": "user", "values": values }))
}

/// When, and what was said.
fn told(case: &Case) -> Vec<(u64, String)> {
    let told = case.run::<Whitelist>();
    told.iter().map(|signal| (signal.at.since(ORIGIN).millis() / 1_000, signal.summary.clone())).collect()
}

fn of(pairs: &[(u64, &str)]) -> Vec<(u64, String)> {
    pairs.iter().map(|(at, summary)| (*at, (*summary).to_owned())).collect()
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<Whitelist>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let elastalert = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/elastalert/whitelist.test.yaml");
    for case in Case::read_file(elastalert.as_ref()).unwrap() {
        case.check::<Whitelist>();
    }
}

#[test]
fn values_off_the_list_are_announced_and_others_are_not() {
    let mut case = listing(json!(["ann", "bob", "/svc-.+/"]))
        .document(secs(1), json!({ "user": "ann" }))
        .document(secs(2), json!({ "user": "eve" }))
        .document(secs(3), json!({ "user": "svc-backup" }))
        .document(secs(4), json!({}))
        .document(secs(5), json!({ "user": ["bob", "mallory", "eve"] }))
        .document(secs(6), json!({ "user": ["bob", "ann"] }));
    let expected = of(&[(2, "user: eve"), (4, "user is missing"), (5, "user: mallory")]);
    assert_eq!(told(&case), expected);
    let signals = case.run::<Whitelist>();
    assert!(signals.iter().all(|signal| signal.kind == SignalKind::Event));
    assert_eq!(signals[1].details, r#"{"field":"user","value":null,"values":[]}"#);
    assert_eq!(signals[2].details, r#"{"field":"user","value":"mallory","values":["mallory","eve"]}"#);
    case.params["ignore_null"] = json!(true);
    assert_eq!(told(&case), [expected[0].clone(), expected[2].clone()]);
}

#[test]
fn numbers_compare_as_their_text() {
    let case = |values| {
        let case = listing(values).document(secs(1), json!({ "user": 404 }));
        case.document(secs(2), json!({ "user": 500 }))
    };
    assert_eq!(told(&case(json!(["404"]))), of(&[(2, "user: 500")]));
    assert_eq!(told(&case(json!([404, 500.0]))), []);
    assert_eq!(told(&case(json!(["/4../", "50"]))), of(&[(2, "user: 500")]));
}

#[test]
fn a_list_may_be_long() {
    let many: Vec<_> = (0..5_000).map(|n| format!("user-{n}")).collect();
    let case = listing(json!(many)).document(secs(1), json!({ "user": "user-4999" }));
    assert_eq!(told(&case.document(secs(2), json!({ "user": "user-5000" }))), of(&[(2, "user: user-5000")]));
}

#[test]
fn all_faults_of_the_parameters_are_told() {
    let fault = |params: Json| Case::new(params).run_with(&mut Native::<Whitelist>::default()).unwrap_err();
    assert_eq!(
        fault(json!({ "field": "", "values": [] })),
        "/values: must list at least one value\n/field: must name a field"
    );
    let message = fault(json!({ "field": "user", "values": ["ok", "/(/"] }));
    assert!(message.starts_with("/values/1: `/(/` is not a valid regular expression"), "{message}");
    assert!(fault(json!({ "field": "user", "ignore_nulls": true })).contains("unknown field `ignore_nulls`"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Each window is a run of its own, so this is also: a restart between any two. No two documents share an instant, for
    /// the timeline knows signals by it.
    #[test]
    fn neither_cutting_time_nor_being_late_changes_the_verdict(
        events in prop::collection::btree_map(0_u64..300, (0_u8..6, 0_u64..90), 0..60),
        cuts in prop::collection::btree_set(1_u64..300, 0..12),
        page_rows in 1_usize..20,
        ignore_null in any::<bool>(),
    ) {
        let params = json!({ "field": "user", "values": ["3", "/[45]/"], "ignore_null": ignore_null });
        let mut case = Case::new(params).until(secs(400));
        case.documents = events.iter().map(|(at, (user, _))| {
            let fields = if *user == 0 { json!({}) } else { json!({ "user": user.to_string() }) };
            Document { at: secs(*at).into(), fields: fields.as_object().cloned().unwrap_or_default(), ..Document::default() }
        }).collect();
        let whole = Case { ends: vec![secs(400)], ..case.clone() };
        let expected = sorted(told(&whole));
        let strange = events.iter().filter(|(_, (user, _))| *user < 3 && !(*user == 0 && ignore_null)).count();
        prop_assert_eq!(expected.len(), strange);
        let ends: Vec<_> = cuts.into_iter().map(secs).collect();
        let mut late = Case { ends, lateness: secs(100), page_rows, ..case };
        prop_assert_eq!(&sorted(told(&late)), &expected);
        for (document, (at, (_, behind))) in late.documents.iter_mut().zip(&events) {
            document.arrives = Some(secs(at + behind).into());
        }
        prop_assert_eq!(&sorted(told(&late)), &expected);
    }
}

fn sorted(mut told: Vec<(u64, String)>) -> Vec<(u64, String)> {
    told.sort();
    told
}
