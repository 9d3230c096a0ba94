//! Percentages of whole timeframes, of one step or of several, on a timeline. A document matches where its `hit` is true.
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use watchbell_sdk::SignalKind;
use watchbell_sdk::testing::case::{Case, Document, ORIGIN};
use watchbell_sdk::testing::{Native, check_folder};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// One-minute timeframes, above 50 percent.
fn rule(params: watchbell_sdk::testing::Json) -> Case {
    edit(Case::new(json!({ "match": "hit: true", "timeframe": "1m", "max_percentage": 50 })), params)
}

fn edit(mut case: Case, params: watchbell_sdk::testing::Json) -> Case {
    for (name, value) in params.as_object().unwrap() {
        case.params[name] = value.clone();
    }
    case
}

/// So many that match and that do not, half a second apart.
fn share(case: Case, from: u64, matching: u32, others: u32) -> Case {
    let case = case.documents(secs(from), matching, Duration(500), json!({ "hit": true }));
    case.documents(secs(from), others, Duration(500), json!({ "hit": false }))
}

fn told(signals: &[Signal]) -> Vec<(u64, f64)> {
    signals.iter().map(|s| (s.at.since(ORIGIN).millis() / 1_000, s.value.unwrap())).collect()
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<PercentageMatch>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let elastalert =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/elastalert/percentage_match.test.yaml");
    for case in Case::read_file(elastalert.as_ref()).unwrap() {
        case.check::<PercentageMatch>();
    }
}

#[test]
fn a_signal_says_what_was_counted() {
    let found = &share(rule(json!({})), 0, 2, 1).until(secs(60)).run::<PercentageMatch>()[0];
    assert_eq!(
        (found.kind, found.value, found.threshold),
        (SignalKind::Firing, Some(200.0 / 3.0), Some(50.0))
    );
    assert_eq!((found.at, found.until), (ORIGIN + secs(60), Some(ORIGIN + secs(120))));
    assert_eq!(found.summary, "66.67% of 3 documents match within 1m, above 50%");
    assert_eq!(
        found.details,
        format!(r#"{{"percentage":{},"denominator":3,"matching":2,"crossed":"above"}}"#, 200.0 / 3.0)
    );
    let Some(Evidence::Selection(evidence)) = &found.evidence else { panic!() };
    assert_eq!(evidence.over, Range::new(ORIGIN, ORIGIN + secs(60)));
    assert_eq!(evidence.filter, Some("hit: true".into()));
}

#[test]
fn no_document_is_no_percentage_and_few_are_none_either() {
    for bounds in [json!({ "max_percentage": 0 }), json!({ "max_percentage": 100, "min_percentage": 100 })] {
        assert_eq!(told(&rule(bounds).run::<PercentageMatch>()), []);
    }
    let case = |least: u64| share(rule(json!({ "min_denominator": least })), 0, 9, 1).until(secs(60));
    assert_eq!(told(&case(10).run::<PercentageMatch>()), [(60, 90.0)]);
    assert_eq!(told(&case(11).run::<PercentageMatch>()), []);
}

#[test]
fn percentages_of_several_steps_are_of_all_their_documents() {
    // 1 of 1, then 1 of 9: not the mean of two percentages.
    let case = rule(json!({ "step": "30s", "max_percentage": 19, "min_denominator": 2 })).until(secs(180));
    let case = share(share(case, 5, 1, 0), 35, 1, 8);
    assert_eq!(told(&case.run::<PercentageMatch>()), [(60, 20.0)]);
}

#[test]
fn keys_are_judged_apart_and_a_missing_one_is_a_group() {
    let case = rule(json!({})).key(["host"]).until(secs(60));
    let case = case
        .document(secs(1), json!({ "host": "a", "hit": true }))
        .document(secs(2), json!({ "host": "b", "hit": false }))
        .document(secs(3), json!({ "hit": true }));
    let found = case.run::<PercentageMatch>();
    let labels: Vec<_> = found.iter().map(|signal| signal.labels.0[0].as_deref()).collect();
    assert_eq!(labels, [None, Some("a")]);
}

#[test]
fn all_faults_of_the_parameters_are_told() {
    let told = |params: watchbell_sdk::testing::Json| {
        Case::new(params).run_with(&mut Native::<PercentageMatch>::default()).unwrap_err()
    };
    assert_eq!(
        told(json!({ "match": " ", "timeframe": "1m", "step": "7s" })),
        "set `max_percentage`, `min_percentage` or both: otherwise the rule never fires\n\
         /match: must say which documents match, in Lucene syntax\n\
         /step: must divide the timeframe: 1m is not a multiple of 7s"
    );
    assert_eq!(
        told(json!({ "match": "x", "timeframe": "1m", "max_percentage": 101 })),
        "/max_percentage: must be from 0 to 100"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// However time is cut on the grid, wherever the rule is primed, and with a restart between any two windows.
    #[test]
    fn no_way_of_cutting_time_changes_the_verdict(
        events in prop::collection::vec((0_u64..400, 0_u8..3, any::<bool>()), 0..120),
        cuts in prop::collection::btree_set(1_u64..40, 0..10),
        lateness in 0_u64..60,
        step in 0_usize..3,
        keyed in any::<bool>(),
    ) {
        let step = ["5s", "10s", "20s"][step];
        let case = rule(json!({ "timeframe": "20s", "step": step, "max_percentage": 60, "min_percentage": 40 }));
        let key: &[&str] = if keyed { &["k"] } else { &[] };
        let case = case.key(key.iter().copied()).until(secs(400));
        let case = events.iter().fold(case, |case, (at, k, matching)| {
            case.document(secs(*at), json!({ "k": k, "hit": matching }))
        });
        let whole = Case { ends: vec![secs(400)], ..case.clone() };
        let ends = cuts.into_iter().map(|cut| secs(cut * 20)).filter(|end| (101..400).contains(&(end.millis() / 1_000)));
        let cut = Case { from: secs(100), ends: ends.collect(), lateness: secs(lateness), page_rows: 7, ..case };
        prop_assert_eq!(after(cut.run::<PercentageMatch>()), after(whole.run::<PercentageMatch>()));
    }

    /// Documents that come late are judged as if they had come in time, as far as the lateness reaches.
    #[test]
    fn late_documents_are_judged_within_the_lateness(
        events in prop::collection::vec((0_u64..200, 0_u64..100, any::<bool>()), 1..40),
        step in 0_usize..2,
    ) {
        let step = ["10s", "20s"][step];
        let case = rule(json!({ "timeframe": "20s", "step": step })).until(secs(320)).every(secs(20));
        let case = case.lateness(secs(120));
        let with = |late: bool| {
            let documents = events.iter().map(|(at, delay, matching)| Document {
                at: secs(*at).into(),
                arrives: late.then_some(secs(at + delay).into()),
                fields: json!({ "hit": matching }).as_object().cloned().unwrap(),
                ..Document::default()
            });
            let case = Case { documents: documents.collect(), ..case.clone() };
            case.run::<PercentageMatch>().iter().map(|signal| signal.at).collect::<Vec<_>>()
        };
        // What was told of a share before the rest of it came stays told.
        let (punctual, late) = (with(false), with(true));
        prop_assert_eq!(punctual.iter().filter(|at| !late.contains(at)).count(), 0);
    }
}

fn after(signals: Vec<Signal>) -> Vec<Signal> {
    let mut signals: Vec<_> = signals.into_iter().filter(|s| s.at > ORIGIN + secs(100)).collect();
    signals.sort_by(|a, b| (a.at, &a.labels).cmp(&(b.at, &b.labels)));
    signals
}
