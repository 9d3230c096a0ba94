use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};
use watchbell_sdk::testing::case::{Case, Document, ORIGIN};
use watchbell_sdk::testing::{Json, Native, check_folder};
use watchbell_sdk::{Ask, SignalKind};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn listing(values: Json) -> Case {
    Case::new(json!({ "field": "user", "values": values }))
}

/// When, and for which value.
fn told(case: &Case) -> Vec<(u64, String)> {
    let told = case.run::<Blacklist>();
    told.iter().map(|signal| (signal.at.since(ORIGIN).millis() / 1_000, signal.summary.clone())).collect()
}

fn of(pairs: &[(u64, &str)]) -> Vec<(u64, String)> {
    pairs.iter().map(|(at, value)| (*at, format!("user: {value}"))).collect()
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<Blacklist>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let elastalert = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/elastalert/blacklist.test.yaml");
    for case in Case::read_file(elastalert.as_ref()).unwrap() {
        case.check::<Blacklist>();
    }
}

#[test]
fn listed_values_are_announced_and_others_are_not() {
    let case = listing(json!(["eve", "mallory"]))
        .document(secs(1), json!({ "user": "ann" }))
        .document(secs(2), json!({ "user": "eve" }))
        .document(secs(3), json!({ "user": "Eve" }))
        .document(secs(4), json!({}))
        .document(secs(5), json!({ "user": ["bob", "mallory", "eve"] }));
    assert_eq!(told(&case), of(&[(2, "eve"), (5, "mallory")]));
    let signals = case.run::<Blacklist>();
    assert!(signals.iter().all(|signal| signal.kind == SignalKind::Event));
    assert_eq!(signals[1].details, r#"{"field":"user","value":"mallory","values":["mallory","eve"]}"#);
    let Some(Evidence::Documents(named)) = &signals[0].evidence else { panic!() };
    assert_eq!(
        (named.len(), named[0].at, named[0].id.as_str()),
        (1, ORIGIN + secs(2), "00000001"),
        "its own document"
    );
}

#[test]
fn numbers_compare_as_their_text() {
    let case = |values| {
        let case = listing(values).document(secs(1), json!({ "user": 404 }));
        case.document(secs(2), json!({ "user": 500 }))
    };
    assert_eq!(told(&case(json!(["404"]))), of(&[(1, "404")]));
    assert_eq!(told(&case(json!([404, 500.0]))), of(&[(1, "404"), (2, "500")]));
    assert_eq!(told(&case(json!(["/4../", "5"]))), of(&[(1, "404")]));
}

#[test]
fn an_expression_matches_a_whole_value() {
    let case = ["root", "root2", "toor", "admin-1", "admin-x"]
        .iter()
        .zip(1..)
        .fold(listing(json!(["/(?i)ROOT|toor/", "/admin-[0-9]+/"])), |case, (user, at)| {
            case.document(secs(at), json!({ "user": user }))
        });
    assert_eq!(told(&case), of(&[(1, "root"), (3, "toor"), (4, "admin-1")]));
}

#[test]
fn a_long_list_is_one_question_and_an_expression_asks_for_all() {
    let rule = |values: Json| -> Blacklist { params(json!({ "field": "user", "values": values })) };
    let over = Range::new(ORIGIN, ORIGIN + secs(1));
    let many: Vec<_> = (0..5_000).map(|n| format!("user-{n}")).collect();
    let question = rule(json!(many)).ask(over).remove(0);
    assert_eq!((question.only.len(), question.only[0].values.len()), (1, 5_000));
    let asked = ["_index", "_id", "user", "_type:user"];
    assert!(matches!(&question.ask, Ask::Hits(hits) if hits.fields == asked));
    assert_eq!(rule(json!(["a", "/b/"])).ask(over)[0].only, []);
    let case = listing(json!(many)).document(secs(1), json!({ "user": "user-4999" }));
    assert_eq!(told(&case.document(secs(2), json!({ "user": "user-5000" }))), of(&[(1, "user-4999")]));
}

fn params(params: Json) -> Blacklist {
    Blacklist::deserialize(params).unwrap()
}

#[test]
fn all_faults_of_the_parameters_are_told() {
    let fault = |params: Json| Case::new(params).run_with(&mut Native::<Blacklist>::default()).unwrap_err();
    assert_eq!(
        fault(json!({ "field": "", "values": [] })),
        "/values: must list at least one value\n/field: must name a field"
    );
    let message = fault(json!({ "field": "user", "values": ["ok", "/(/"] }));
    assert!(message.starts_with("/values/1: `/(/` is not a valid regular expression"), "{message}");
    assert!(fault(json!({ "field": "user", "blacklist": [] })).contains("unknown field `blacklist`"));
}

#[test]
fn a_long_value_is_shown_by_its_beginning() {
    let long = "ü".repeat(9_000);
    let case = listing(json!(["/ü+/"])).document(secs(1), json!({ "user": long }));
    let signals = case.run::<Blacklist>();
    assert_eq!(signals[0].summary, format!("user: {}…", "ü".repeat(SHOWN_MAX)));
    assert!(signals[0].details.contains(&long));
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
    ) {
        let mut case = listing(json!(["3", "/[45]/"])).until(secs(400));
        case.documents = events.iter().map(|(at, (user, _))| {
            let fields = json!({ "user": user.to_string() }).as_object().cloned().unwrap_or_default();
            Document { at: secs(*at).into(), fields, ..Document::default() }
        }).collect();
        let whole = Case { ends: vec![secs(400)], ..case.clone() };
        let expected = sorted(told(&whole));
        let listed = events.iter().filter(|(_, (user, _))| (3..6).contains(user)).count();
        prop_assert_eq!(expected.len(), listed);
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
