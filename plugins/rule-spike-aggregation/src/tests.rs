//! Metrics of two windows side by side, on a timeline.
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use watchbell_sdk::SignalKind;
use watchbell_sdk::testing::case::{Case, Document, ORIGIN};
use watchbell_sdk::testing::{Native, check_folder};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Windows of twenty seconds in points of ten, twice as high.
fn rule(metric: &str, params: watchbell_sdk::testing::Json) -> Case {
    let fixed = json!({ "metric": metric, "field": "n", "timeframe": "20s", "step": "10s", "height": 2, "direction": "both" });
    edit(Case::new(fixed).every(secs(10)).until(secs(100)), params)
}

fn edit(mut case: Case, params: watchbell_sdk::testing::Json) -> Case {
    for (name, value) in params.as_object().unwrap() {
        case.params[name] = value.clone();
    }
    case
}

/// The values of one point after another, each at its middle.
fn points(case: Case, points: &[&[f64]]) -> Case {
    points.iter().zip(0_u64..).fold(case, |case, (values, nth)| {
        values.iter().fold(case, |case, n| case.document(secs(nth * 10 + 5), json!({ "n": n })))
    })
}

fn told(signals: &[Signal]) -> Vec<(u64, f64)> {
    signals.iter().map(|s| (s.at.since(ORIGIN).millis() / 1_000, s.value.unwrap())).collect()
}

/// What the signal at 40 s compares: the windows of the first four points.
fn compared(case: Case) -> Option<(f64, f64)> {
    let found = case.until(secs(40)).run::<SpikeAggregation>();
    let last = found.iter().find(|signal| signal.at == ORIGIN + secs(40))?;
    let details: watchbell_sdk::testing::Json = last.details.parse().unwrap();
    Some((details["current"].as_f64().unwrap(), details["reference"].as_f64().unwrap()))
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<SpikeAggregation>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let elastalert =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/elastalert/spike_aggregation.test.yaml");
    for case in Case::read_file(elastalert.as_ref()).unwrap() {
        case.check::<SpikeAggregation>();
    }
}

#[test]
fn points_of_a_window_are_put_together_as_the_metric_says() {
    let case = |metric| points(rule(metric, json!({})), &[&[1.0, 3.0], &[2.0], &[9.0, 9.0, 30.0], &[4.0]]);
    // The mean of all values of a window, not of its points: 52 / 4, not (16 + 4) / 2.
    assert_eq!(compared(case("avg")), Some((13.0, 2.0)));
    assert_eq!(compared(case("max")), Some((30.0, 3.0)));
    assert_eq!(compared(case("min")), Some((4.0, 1.0)));
    assert_eq!(compared(case("sum")), Some((52.0, 6.0)));
    assert_eq!(compared(case("cardinality")), None, "3 of 3: the sum of 2 and 1, twice");
    assert_eq!(
        compared(points(rule("value_count", json!({})), &[&[1.0], &[1.0], &[1.0, 1.0], &[1.0, 1.0]])),
        Some((4.0, 2.0))
    );
    let median = json!({ "percentile": 50 });
    assert_eq!(
        compared(points(rule("percentile", median), &[&[1.0], &[2.0], &[5.0, 7.0], &[4.0]])),
        Some((10.0, 3.0))
    );
}

#[test]
fn a_scripts_points_are_weighted_by_their_documents() {
    let mut case = rule("avg", json!({ "script": "doc['a'].value - doc['b'].value" }));
    case.params.as_object_mut().unwrap().remove("field");
    let at = |case: Case, from, count, value| {
        case.documents(secs(from), count, secs(0), json!({ "_value": value }))
    };
    let case = at(at(at(case, 5, 1, 2), 25, 3, 4), 35, 1, 8);
    assert_eq!(compared(case), Some((5.0, 2.0)));
}

#[test]
fn a_signal_says_what_was_compared() {
    let found = points(rule("sum", json!({})), &[&[10.0], &[10.0], &[20.0], &[25.0]])
        .until(secs(40))
        .run::<SpikeAggregation>();
    let found = found.last().unwrap();
    assert_eq!(
        (found.kind, found.at, found.until),
        (SignalKind::Firing, ORIGIN + secs(40), Some(ORIGIN + secs(60)))
    );
    assert_eq!((found.value, found.threshold), (Some(2.25), Some(2.0)));
    assert_eq!(found.summary, "sum of n 45 within 20s, 2.3 times the 20 before");
    assert_eq!(
        found.details,
        r#"{"metric":"sum","field":"n","current":45.0,"reference":20.0,"direction":"up"}"#
    );
    let Some(Evidence::Selection(evidence)) = &found.evidence else { panic!() };
    assert_eq!(evidence.over, Range::new(ORIGIN + secs(20), ORIGIN + secs(40)));
}

#[test]
fn points_without_a_value_do_not_count() {
    for metric in ["avg", "min", "max"] {
        // Documents, but without the field: neither a fall to nothing nor a rise from it.
        let case = points(rule(metric, json!({})), &[&[5.0], &[5.0]]);
        let case = case
            .documents(secs(20), 20, secs(1), json!({ "other": 1 }))
            .document(secs(65), json!({ "n": 5 }));
        assert_eq!(told(&case.run::<SpikeAggregation>()), [], "{metric}");
    }
    // Of a window's points only one has a value: it is the window's.
    let case = points(rule("avg", json!({})), &[&[5.0], &[], &[], &[11.0]])
        .document(secs(25), json!({ "other": 1 }));
    assert_eq!(compared(case), Some((11.0, 5.0)));
}

#[test]
fn a_sum_of_nothing_is_zero_and_nothing_against_nothing_is_no_spike() {
    let case = points(rule("sum", json!({})), &[&[], &[], &[], &[7.0], &[], &[]]);
    // Up from 0, and down to 0 again when it is the reference's.
    assert_eq!(told(&case.run::<SpikeAggregation>()), [(40, 7.0), (50, 7.0), (60, 0.0), (70, 0.0)]);
    let zeros = points(rule("avg", json!({})), &[&[0.0], &[0.0], &[0.0], &[0.0], &[0.0]]);
    assert_eq!(told(&zeros.run::<SpikeAggregation>()), []);
}

#[test]
fn a_metric_below_zero_is_no_spike() {
    let steady = points(rule("avg", json!({})), &[&[-10.0], &[-10.0], &[-10.0], &[-10.0], &[-10.0]]);
    assert_eq!(told(&steady.run::<SpikeAggregation>()), [], "-10 is not twice as high as -10");
}

#[test]
fn thresholds_gate() {
    let case = |params| {
        points(
            rule("sum", edit(Case::new(params), json!({ "direction": "up" })).params),
            &[&[10.0], &[10.0], &[20.0], &[20.0]],
        )
    };
    assert!(compared(case(json!({ "threshold_cur": 40, "threshold_ref": 20 }))).is_some());
    assert!(compared(case(json!({ "threshold_cur": 40.5 }))).is_none());
    assert!(compared(case(json!({ "threshold_ref": 20.5 }))).is_none());
}

#[test]
fn small_points_do_not_count() {
    let case = |least: u32| {
        points(
            rule("max", json!({ "min_doc_count": least })),
            &[&[1.0, 1.0], &[1.0, 1.0], &[9.0], &[2.0, 1.0]],
        )
    };
    assert_eq!(compared(case(1)), Some((9.0, 1.0)));
    assert_eq!(compared(case(2)), Some((2.0, 1.0)));
    assert_eq!(compared(case(3)), None);
}

#[test]
fn a_new_key_is_judged_when_both_its_windows_are_known() {
    let case = |params: watchbell_sdk::testing::Json| {
        let case = rule("sum", params).key(["host"]).until(secs(120));
        let case = case.documents(secs(25), 4, secs(10), json!({ "host": "new", "n": 1 }));
        told(
            &case
                .documents(secs(65), 4, secs(10), json!({ "host": "new", "n": 9 }))
                .run::<SpikeAggregation>(),
        )
    };
    let up = json!({ "direction": "up" });
    assert_eq!(case(up.clone())[0], (70, 5.0));
    assert_eq!(case(edit(Case::new(up), json!({ "alert_on_new_data": true })).params)[0], (30, 1.0));
}

#[test]
fn all_faults_of_the_parameters_are_told() {
    let told = |params: watchbell_sdk::testing::Json| {
        Case::new(params).run_with(&mut Native::<SpikeAggregation>::default()).unwrap_err()
    };
    assert_eq!(
        told(json!({ "metric": "avg", "height": 1, "direction": "up", "timeframe": "1m", "step": "7s" })),
        "/field: is missing: the field to measure\n\
         /height: must be greater than 1: steady traffic has a ratio of 1\n\
         /step: must divide the timeframe: 1m is not a multiple of 7s"
    );
    assert!(told(json!({ "metric": "avg", "height": 2, "direction": "up" })).contains("timeframe"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// However time is cut on the grid, wherever the rule is primed, and with a restart between any two windows.
    #[test]
    fn no_way_of_cutting_time_changes_the_verdict(
        events in prop::collection::vec((0_u64..400, 0_u8..3, prop::option::of(0_u8..10)), 0..120),
        cuts in prop::collection::btree_set(1_u64..40, 0..10),
        lateness in 0_u64..60,
        metric in 0_usize..7,
        keyed in any::<bool>(),
        eager in any::<bool>(),
    ) {
        let metric = ["min", "max", "avg", "sum", "value_count", "cardinality", "percentile"][metric];
        let mut case = rule(metric, json!({ "step": "5s", "alert_on_new_data": eager })).until(secs(400));
        if metric == "percentile" {
            case.params["percentile"] = json!(90);
        }
        let key: &[&str] = if keyed { &["k"] } else { &[] };
        let case = events.iter().fold(case.key(key.iter().copied()), |case, (at, k, n)| {
            case.document(secs(*at), json!({ "k": k, "n": n }))
        });
        let whole = Case { ends: vec![secs(400)], ..case.clone() };
        let ends = cuts.into_iter().map(|cut| secs(cut * 10)).filter(|end| (101..400).contains(&(end.millis() / 1_000)));
        let cut = Case { from: secs(100), ends: ends.collect(), lateness: secs(lateness), page_rows: 7, ..case };
        let after = |signals: Vec<Signal>| -> Vec<Signal> {
            let mut signals: Vec<_> = signals.into_iter().filter(|s| s.at > ORIGIN + secs(100)).collect();
            signals.sort_by(|a, b| (a.at, &a.labels).cmp(&(b.at, &b.labels)));
            signals
        };
        prop_assert_eq!(after(cut.run::<SpikeAggregation>()), after(whole.run::<SpikeAggregation>()));
    }

    /// Documents that come late are judged as if they had come in time, as far as the lateness reaches.
    #[test]
    fn late_documents_are_judged_within_the_lateness(
        events in prop::collection::vec((0_u64..200, 0_u64..100, 1_u8..10), 1..40),
        metric in 0_usize..4,
    ) {
        let metric = ["min", "max", "avg", "sum"][metric];
        let case = rule(metric, json!({})).until(secs(320)).every(secs(20)).lateness(secs(120));
        let with = |late: bool| {
            let documents = events.iter().map(|(at, delay, n)| Document {
                at: secs(*at).into(),
                arrives: late.then_some(secs(at + delay).into()),
                fields: json!({ "n": n }).as_object().cloned().unwrap(),
                ..Document::default()
            });
            let case = Case { documents: documents.collect(), ..case.clone() };
            case.run::<SpikeAggregation>().iter().map(|signal| signal.at).collect::<Vec<_>>()
        };
        // What was told of a window before the rest of it came stays told.
        let (punctual, late) = (with(false), with(true));
        prop_assert_eq!(punctual.iter().filter(|at| !late.contains(at)).count(), 0);
    }
}
