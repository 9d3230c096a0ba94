//! The new terms of ElastAlert, on a timeline; and the promises that windows, restarts and priming keep.
use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};
use watchbell_sdk::SignalKind;
use watchbell_sdk::testing::case::{Case, Document, ORIGIN};
use watchbell_sdk::testing::{Answer, Native, Runner, check_folder};
use watchbell_sdk::{Call, Context};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Ten minutes are known by half minutes.
fn rule() -> Case {
    Case::new(json!({ "fields": ["user"], "window": "10m" })).until(secs(3_600))
}

/// When signals were told, in seconds from the beginning.
fn times(signals: &[Signal]) -> Vec<u64> {
    signals.iter().map(|signal| signal.at.since(ORIGIN).millis() / 1_000).collect()
}

fn details(signal: &Signal) -> serde_json::Value {
    serde_json::from_str(&signal.details).unwrap()
}

/// Counts the questions that a rule asks.
#[derive(Default)]
struct Counting {
    native: Native<NewTerm>,
    buckets: usize,
    hits: usize,
}

impl Runner for Counting {
    fn prepare(&mut self, params: &str, context: &Context) -> Result<Plan, Vec<Fault>> {
        self.native.prepare(params, context)
    }

    fn run(
        &mut self,
        call: Call<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<watchbell_sdk::Finding, watchbell_sdk::Problem> {
        let (buckets, hits) = (&mut self.buckets, &mut self.hits);
        self.native.run(call, &mut |question| {
            match question.ask {
                watchbell_sdk::Ask::Hits(_) => *hits += 1,
                _ => *buckets += 1,
            }
            answer(question)
        })
    }
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<NewTerm>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let elastalert = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/elastalert/new_term.test.yaml");
    for case in Case::read_file(elastalert.as_ref()).unwrap() {
        case.check::<NewTerm>();
    }
}

#[test]
fn a_signal_says_what_is_new() {
    let case = rule().key(["host"]).document(secs(60), json!({ "host": "a", "user": "eve" }));
    let told = case.run::<NewTerm>();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].kind, told[0].value), (SignalKind::Event, Some(1.0)));
    assert_eq!(told[0].labels, Labels(vec![Some("a".into())]));
    assert_eq!(told[0].summary, "a new value of user: eve");
    let expected =
        json!({ "field": "user", "value": "eve", "count": 1, "new": [{ "field": "user", "value": "eve" }] });
    assert_eq!(details(&told[0]), expected);
    let Some(Evidence::Documents(named)) = &told[0].evidence else { panic!() };
    assert_eq!((named.len(), named[0].id.as_str()), (1, "00000000"), "in its own document");
}

#[test]
fn what_is_new_at_one_instant_is_one_signal_for_each_key() {
    let mut case = rule().key(["host"]);
    case.params["fields"] = json!(["user", "path"]);
    let case = case
        .document(secs(60), json!({ "host": "a", "user": "eve", "path": "/x" }))
        .document(secs(60), json!({ "host": "a", "user": "bob", "path": "/x" }))
        .document(secs(60), json!({ "host": "b", "user": "eve", "path": "/y" }));
    for page_rows in [1, 2, 1_000] {
        let told = Case { page_rows, ..case.clone() }.run::<NewTerm>();
        assert_eq!(times(&told), [60, 60]);
        assert_eq!(told[0].summary, "a new value of path: /x (and 2 more)");
        assert_eq!(details(&told[0])["new"][1], json!({ "field": "user", "value": "bob" }));
        assert_eq!(details(&told[1])["new"], json!([{ "field": "path", "value": "/y" }]));
    }
}

#[test]
fn a_term_is_known_for_its_window_and_then_new_again() {
    let at = |second: u64| {
        let case = rule()
            .document(secs(30), json!({ "user": "eve" }))
            .document(secs(second), json!({ "user": "eve" }));
        times(&case.run::<NewTerm>())
    };
    assert_eq!(at(630), [30]);
    assert_eq!(at(659), [30], "up to a step longer");
    assert_eq!(at(660), [30, 660]);
    // Seen again and again, it is never new.
    let case = rule().documents(secs(0), 10, secs(300), json!({ "user": "eve" }));
    assert_eq!(times(&case.run::<NewTerm>()), [0]);
}

#[test]
fn the_past_is_known_without_a_document() {
    let mut case = Case::new(json!({ "fields": ["user", ["user", "path"]] })).until(secs(600));
    case.from = Duration::from_mins(40 * 24 * 60);
    case.until = case.from + secs(600);
    let day = |day: u64, user: &str| Document {
        at: Duration::from_mins(day * 24 * 60 + 700).into(),
        fields: json!({ "user": user, "path": "/" }).as_object().cloned().unwrap(),
        ..Document::default()
    };
    case.documents = vec![day(5, "old"), day(11, "known"), day(39, "recent")];
    for (late, user) in [(60, "old"), (61, "known"), (62, "recent")] {
        let fields = json!({ "user": user, "path": "/" }).as_object().cloned().unwrap();
        case.documents.push(Document { at: (case.from + secs(late)).into(), fields, ..Document::default() });
    }
    let mut runner = Counting::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    let told = timeline.advance(ORIGIN + case.until).unwrap();
    let told: Vec<_> = told.into_iter().map(|told| told.signal).collect();
    assert_eq!(times(&told), [40 * 86_400 + 60]);
    assert_eq!(details(&told[0])["count"], 2);
    assert_eq!((runner.buckets, runner.hits), (2 * 31, 1));
}

#[test]
fn nothing_is_told_before_the_past_was_read() {
    // A rule whose history holds nothing announces the first document.
    let case = rule().document(secs(0), json!({ "user": "eve" }));
    assert_eq!(times(&case.run::<NewTerm>()), [0]);
    let mut late = Case { from: secs(600), ..case.document(secs(620), json!({ "user": "eve" })) };
    assert!(late.run::<NewTerm>().is_empty());
    late.from = secs(900);
    assert_eq!(times(&late.document(secs(905), json!({ "user": "bob" })).run::<NewTerm>()), [905]);
}

#[test]
fn missing_is_a_value_where_it_is_asked_for() {
    let case = rule().document(secs(5), json!({})).document(secs(9), json!({ "user": null }));
    assert!(case.run::<NewTerm>().is_empty());
    let mut case = case.document(secs(700), json!({ "path": "/" }));
    case.params["alert_on_missing_field"] = json!(true);
    let told = case.run::<NewTerm>();
    assert_eq!(times(&told), [5, 700]);
    assert_eq!(told[0].summary, "a document without user");
    assert_eq!(details(&told[0])["missing"], true);
}

#[test]
fn values_of_any_type_and_several_are_each_a_term() {
    let mut case = rule()
        .document(secs(1), json!({ "n": 0, "tag": ["x", "y"] }))
        .document(secs(2), json!({ "n": 7, "tag": ["y", "x"] }))
        .document(secs(3), json!({ "n": 0, "tag": "z" }));
    case.params["fields"] = json!(["n", "tag", ["tag", "n"]]);
    let told = case.run::<NewTerm>();
    let told: Vec<_> = told.iter().map(|signal| details(signal)["new"].clone()).collect();
    let field = |field: &str, value: serde_json::Value| json!({ "field": field, "value": value });
    assert_eq!(
        told[0],
        json!([
            field("n", json!("0")),
            field("tag", json!("x")),
            field("tag", json!("y")),
            field("tag, n", json!(["x", "0"])),
            field("tag, n", json!(["y", "0"])),
        ])
    );
    assert_eq!(
        told[1],
        json!([
            field("n", json!("7")),
            field("tag, n", json!(["x", "7"])),
            field("tag, n", json!(["y", "7"])),
        ])
    );
    assert_eq!(told[2], json!([field("tag", json!("z")), field("tag, n", json!(["z", "0"]))]));
}

#[test]
fn a_late_document_with_a_new_term_is_told() {
    let mut case = rule().lateness(secs(120)).document(secs(70), json!({ "user": "bob" }));
    let fields = json!({ "user": "eve" }).as_object().cloned().unwrap();
    case.documents.push(Document { at: secs(50).into(), arrives: Some(secs(150).into()), fields, ..Document::default() });
    assert_eq!(times(&case.run::<NewTerm>()), [70, 50]);
    case.documents[1].arrives = Some(secs(400).into());
    assert_eq!(times(&case.run::<NewTerm>()), [70]);
}

#[test]
fn parameters_are_checked() {
    let fault = |params| rule().with(params).run_with(&mut Native::<NewTerm>::default()).unwrap_err();
    for (params, says) in [
        (json!({ "fields": [] }), "/fields: must name 1 to 16 fields, or combinations of them"),
        (json!({ "fields": [["a", "a"]] }), "/fields/0: names a field twice"),
        (json!({ "fields": ["a", []] }), "/fields/1: must name a field"),
        (json!({ "fields": ["a", "a"] }), "/fields/1: stands there already"),
        (json!({ "fields": ["a"], "window": "0s" }), "/window: must be longer than zero"),
        (json!({ "fields": ["a"], "windows": "1d" }), "unknown field `windows`"),
        (json!({ "fields": "a" }), "invalid type"),
    ] {
        let message = fault(params);
        assert!(message.contains(says), "{message}");
    }
}

/// Who was told to be new when: what a plain reading of the README gives.
fn model(events: &[(u64, u8)], from: u64) -> Vec<(u64, u8)> {
    let mut seen = BTreeMap::new();
    let mut told = Vec::new();
    for (at, user) in events {
        let is_known = seen.insert(*user, *at / 30).is_some_and(|cell| *at / 30 - cell <= 20);
        if !is_known && *at >= from {
            told.push((*at, *user));
        }
    }
    told.sort_unstable();
    told
}

fn case(events: &[(u64, u8)]) -> Case {
    events.iter().fold(rule(), |case, (at, user)| case.document(secs(*at), json!({ "user": user })))
}

/// As the model says it.
fn told(signals: &[Signal]) -> Vec<(u64, u8)> {
    let mut told = Vec::new();
    for signal in signals {
        for new in details(signal)["new"].as_array().unwrap() {
            let user = new["value"].as_str().unwrap().parse().unwrap();
            told.push((signal.at.since(ORIGIN).millis() / 1_000, user));
        }
    }
    told.sort_unstable();
    told
}

fn events() -> impl proptest::strategy::Strategy<Value = Vec<(u64, u8)>> {
    use proptest::strategy::Strategy;
    prop::collection::vec((0_u64..3_600, 0_u8..6), 0..60).prop_map(|mut events| {
        events.sort_unstable();
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Each window starts from the bytes that the one before kept, so this is also: a restart between any two.
    #[test]
    fn no_way_of_cutting_time_changes_the_verdict(
        events in events(),
        cuts in prop::collection::btree_set(1_u64..3_600, 0..12),
        lateness in 0_u64..900,
        page_rows in 1_usize..50,
    ) {
        let whole = Case { ends: vec![secs(3_600)], ..case(&events) };
        prop_assert_eq!(told(&whole.run::<NewTerm>()), model(&events, 0));
        let cut = Case { ends: cuts.into_iter().map(secs).collect(), lateness: secs(lateness), page_rows, ..case(&events) };
        prop_assert_eq!(told(&cut.run::<NewTerm>()), model(&events, 0));
        prop_assert_eq!(final_state(&cut), final_state(&Case { lateness: secs(lateness), ..whole }));
    }

    /// What buckets say of the past is what documents say of it.
    #[test]
    fn priming_at_any_point_tells_the_same_from_there_on(events in events(), from in 0_u64..3_500, lateness in 0_u64..200) {
        let primed = Case { from: secs(from), lateness: secs(lateness), ..case(&events) };
        prop_assert_eq!(told(&primed.run::<NewTerm>()), model(&events, from));
    }

    #[test]
    fn a_late_term_is_told_once_it_is_there(events in prop::collection::vec((0_u64..600, 0_u64..100), 1..30)) {
        // Each a term of its own: nothing can be known by another.
        let mut late = rule().lateness(secs(200));
        for (user, (at, behind)) in events.iter().enumerate() {
            let at = secs(*at) + Duration(user as u64);
            let fields = json!({ "user": user }).as_object().cloned().unwrap();
            let arrives = Some((at + secs(*behind)).into());
            late.documents.push(Document { at: at.into(), arrives, fields, ..Document::default() });
        }
        let mut punctual = late.clone();
        punctual.documents.iter_mut().for_each(|document| document.arrives = None);
        prop_assert_eq!(told(&late.run::<NewTerm>()), told(&punctual.run::<NewTerm>()));
    }
}

fn final_state(case: &Case) -> Vec<u8> {
    let mut runner = Native::<NewTerm>::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    for end in case.ends.iter().copied().chain([case.until]) {
        timeline.advance(ORIGIN + end).unwrap();
    }
    timeline.state().unwrap().to_vec()
}
