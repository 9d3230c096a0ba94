//! Metrics of whole timeframes, of one step or of several, on a timeline.
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use watchbell_sdk::SignalKind;
use watchbell_sdk::testing::case::{Case, Document, ORIGIN};
use watchbell_sdk::testing::{Native, check_folder};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// One-minute timeframes of a field `n`.
fn rule(metric: &str, bounds: watchbell_sdk::testing::Json) -> Case {
    edit(Case::new(json!({ "metric": metric, "field": "n", "timeframe": "1m" })), bounds)
}

fn edit(mut case: Case, params: watchbell_sdk::testing::Json) -> Case {
    for (name, value) in params.as_object().unwrap() {
        case.params[name] = value.clone();
    }
    case
}

/// A document with each of these values, a second apart.
fn values(case: Case, from: u64, values: &[f64]) -> Case {
    let each = values.iter().zip(from..);
    each.fold(case, |case, (n, at)| case.document(secs(at), json!({ "n": n })))
}

fn told(signals: &[Signal]) -> Vec<(u64, f64)> {
    signals.iter().map(|s| (s.at.since(ORIGIN).millis() / 1_000, s.value.unwrap())).collect()
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<MetricAggregation>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let elastalert =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/elastalert/metric_aggregation.test.yaml");
    for case in Case::read_file(elastalert.as_ref()).unwrap() {
        case.check::<MetricAggregation>();
    }
}

#[test]
fn each_metric_is_made_of_a_whole_timeframe() {
    for (metric, value) in
        [("min", -2.0), ("max", 9.0), ("avg", 3.0), ("sum", 12.0), ("value_count", 4.0), ("cardinality", 3.0)]
    {
        let case = values(rule(metric, json!({ "max_threshold": -100 })), 10, &[-2.0, 9.0, 2.5, 2.5]);
        let case = Case { until: secs(60), ..case };
        assert_eq!(told(&case.run::<MetricAggregation>()), [(60, value)], "{metric}");
    }
    let median = rule("percentile", json!({ "percentile": 50, "max_threshold": 2 }));
    let case = Case { until: secs(60), ..values(median, 10, &[1.0, 3.0, 8.0]) };
    assert_eq!(told(&case.run::<MetricAggregation>()), [(60, 3.0)]);
    let script = Case::new(json!({ "metric": "avg", "script": "…", "timeframe": "1m", "max_threshold": 2 }));
    let case = script
        .until(secs(60))
        .document(secs(1), json!({ "_value": 2 }))
        .document(secs(2), json!({ "_value": 4 }));
    assert_eq!(told(&case.run::<MetricAggregation>()), [(60, 3.0)]);
}

#[test]
fn a_signal_says_what_was_measured() {
    let case = values(rule("avg", json!({ "max_threshold": 0.8 })), 10, &[0.9, 1.0]).until(secs(60));
    let found = &case.run::<MetricAggregation>()[0];
    assert_eq!((found.kind, found.value, found.threshold), (SignalKind::Firing, Some(0.95), Some(0.8)));
    assert_eq!(found.until, Some(ORIGIN + secs(120)));
    assert_eq!(found.summary, "avg of n 0.95 within 1m, above 0.8");
    assert_eq!(found.details, r#"{"metric":"avg","field":"n","value":0.95,"documents":2,"crossed":"above"}"#);
    let Some(Evidence::Selection(evidence)) = &found.evidence else { panic!() };
    assert_eq!(evidence.over, Range::new(ORIGIN, ORIGIN + secs(60)));
}

#[test]
fn nothing_to_measure_never_fires() {
    for metric in ["min", "max", "avg"] {
        let bounds = json!({ "max_threshold": -1, "min_threshold": -1 });
        let empty = rule(metric, bounds.clone()).documents(secs(0), 100, secs(5), json!({ "other": 1 }));
        assert_eq!(told(&empty.run::<MetricAggregation>()), [], "{metric}");
        assert_eq!(told(&rule(metric, bounds).run::<MetricAggregation>()), [], "{metric}");
    }
}

#[test]
fn the_count_of_nothing_is_zero_unless_documents_are_asked_for() {
    let case = |params| {
        rule("value_count", edit(Case::new(params), json!({ "min_threshold": 1 })).params).until(secs(180))
    };
    assert_eq!(told(&case(json!({})).run::<MetricAggregation>()), [(60, 0.0), (120, 0.0), (180, 0.0)]);
    assert_eq!(told(&case(json!({ "min_doc_count": 1 })).run::<MetricAggregation>()), []);
    // A key is known by its documents.
    let keyed = case(json!({})).key(["host"]).document(secs(70), json!({ "host": "a" }));
    assert_eq!(told(&keyed.run::<MetricAggregation>()), [(120, 0.0)]);
    let few = case(json!({ "min_doc_count": 2 })).key(["host"]);
    let few = few.document(secs(70), json!({ "host": "a" })).documents(
        secs(130),
        2,
        secs(1),
        json!({ "host": "a" }),
    );
    assert_eq!(told(&few.run::<MetricAggregation>()), [(180, 0.0)]);
}

#[test]
fn a_timeframe_of_several_steps_is_judged_at_each_of_them() {
    let case = rule("avg", json!({ "max_threshold": 10, "step": "20s" })).until(secs(200));
    // 1 for twenty seconds, then 30 for ten, then 1 again: the mean of a minute is above 10 while those are in it.
    let case = case.documents(secs(0), 2, secs(10), json!({ "n": 1 })).document(secs(25), json!({ "n": 30 }));
    let case = case.documents(secs(65), 8, secs(10), json!({ "n": 1 }));
    let found = case.run::<MetricAggregation>();
    // 1, 1 and 30 until 60 s, then 30, 1 and 1: three checks have the 30 in their minute.
    assert_eq!(told(&found), [(40, 32.0 / 3.0), (60, 32.0 / 3.0), (80, 32.0 / 3.0)]);
    assert_eq!(found[0].until, Some(ORIGIN + secs(100)));
}

#[test]
fn a_lasting_level_is_told_when_it_is_worse_and_at_beats() {
    let case = rule("max", json!({ "max_threshold": 10, "step": "10s" })).until(secs(200)).every(secs(10));
    let case = values(case, 35, &[20.0]);
    let case = values(values(case, 55, &[21.0]), 75, &[40.0]);
    // From 35 s to 135 s there is one above within the last minute: at beats of 30 s, and when it is a tenth worse.
    let found = told(&case.run::<MetricAggregation>());
    assert_eq!(found, [(40, 20.0), (60, 21.0), (80, 40.0), (90, 40.0), (120, 40.0)]);
}

#[test]
fn any_number_of_keys_is_judged_without_keeping_one() {
    let case = rule("sum", json!({ "max_threshold": 1 })).key(["host"]).until(secs(120));
    let case = (0..1_000).fold(case, |case, host: u32| {
        case.document(
            secs(u64::from(host % 60)),
            json!({ "host": host.to_string(), "n": f64::from(host % 4) }),
        )
    });
    let mut runner = Native::<MetricAggregation>::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    assert_eq!(timeline.advance(ORIGIN + secs(60)).unwrap().len(), 500);
    assert!(timeline.state().unwrap().len() < 12, "no key is kept");
}

#[test]
fn keys_of_several_fields_and_of_numbers_are_judged_apart() {
    let case = rule("max", json!({ "max_threshold": 1 })).key(["host", "port"]).until(secs(60));
    let case = case
        .document(secs(1), json!({ "host": "a", "port": 80, "n": 2 }))
        .document(secs(2), json!({ "host": "a", "port": 443, "n": 1 }))
        .document(secs(3), json!({ "host": "b, c", "n": 3 }));
    let found = case.run::<MetricAggregation>();
    let labels: Vec<_> = found.iter().map(|signal| signal.labels.0.clone()).collect();
    assert_eq!(labels, [vec![Some("a".into()), Some("80".into())], vec![Some("b, c".into()), None]]);
}

#[test]
fn all_faults_of_the_parameters_are_told() {
    let told = |params: watchbell_sdk::testing::Json| {
        Case::new(params).run_with(&mut Native::<MetricAggregation>::default()).unwrap_err()
    };
    assert_eq!(
        told(json!({ "metric": "percentile", "timeframe": "0s" })),
        "/field: is missing: the field to measure\n\
         /percentile: is missing: set it, for example, to 95\n\
         set `max_threshold`, `min_threshold` or both: otherwise the rule never fires\n\
         /timeframe: must be longer than zero"
    );
    assert_eq!(
        told(
            json!({ "metric": "cardinality", "field": "n", "max_threshold": 1, "timeframe": "1h", "step": "5m" })
        ),
        "/step: must be the timeframe: a cardinality of 1h cannot be made of several of 5m; leave `step` out, or take a timeframe of 5m"
    );
    assert!(
        told(json!({ "metric": "avg", "script": "s", "max_threshold": 1, "timeframe": "1h", "step": "5m" }))
            .contains("a script's average of 1h cannot be made of several")
    );
    assert!(told(json!({ "metric": "median", "timeframe": "1m" })).contains("median"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// However time is cut on the grid, wherever the rule is primed, and with a restart between any two windows.
    #[test]
    fn no_way_of_cutting_time_changes_the_verdict(
        events in prop::collection::vec((0_u64..400, 0_u8..3, prop::option::of(-5_i8..10)), 0..120),
        cuts in prop::collection::btree_set(1_u64..40, 0..10),
        lateness in 0_u64..60,
        metric in 0_usize..7,
        step in 0_usize..3,
        keyed in any::<bool>(),
    ) {
        let metric = ["min", "max", "avg", "sum", "value_count", "cardinality", "percentile"][metric];
        // What cannot be merged is judged in one step.
        let step = if metric.starts_with(['c', 'p']) { "20s" } else { ["5s", "10s", "20s"][step] };
        let mut params = json!({
            "metric": metric, "field": "n", "timeframe": "20s", "step": step, "max_threshold": 4, "min_threshold": 1,
        });
        if metric == "percentile" {
            params["percentile"] = json!(90);
        }
        let key: &[&str] = if keyed { &["k"] } else { &[] };
        let case = Case::new(params).key(key.iter().copied()).until(secs(400));
        let case = events.iter().fold(case, |case, (at, k, n)| case.document(secs(*at), json!({ "k": k, "n": n })));
        let whole = Case { ends: vec![secs(400)], ..case.clone() };
        let ends: Vec<_> = cuts.into_iter().map(|cut| secs(cut * 20)).filter(|end| *end > secs(100) && *end < secs(400)).collect();
        let cut = Case { from: secs(100), ends, lateness: secs(lateness), page_rows: 7, ..case };
        prop_assert_eq!(after(cut.run::<MetricAggregation>()), after(whole.run::<MetricAggregation>()));
    }

    /// Documents that come late are judged as if they had come in time, as far as the lateness reaches.
    #[test]
    fn late_documents_are_judged_within_the_lateness(
        events in prop::collection::vec((0_u64..200, 0_u64..100), 1..40),
        step in 0_usize..2,
    ) {
        let params = json!({ "max_threshold": 5, "timeframe": "20s", "step": (["10s", "20s"][step]) });
        // A sum of ones only grows with what is late: what is told early stays true.
        let case = rule("sum", params).until(secs(320)).every(secs(20)).lateness(secs(120));
        let document = |at: u64| Document { at: secs(at).into(), ..Document::default() };
        let with = |late: bool| {
            let documents = events.iter().map(|(at, delay)| {
                let arrives = late.then_some(secs(at + delay).into());
                let fields = json!({ "n": 1 }).as_object().cloned().unwrap();
                Document { arrives, fields, ..document(*at) }
            });
            let mut at: Vec<_> =
                Case { documents: documents.collect(), ..case.clone() }.run::<MetricAggregation>().iter().map(|s| s.at).collect();
            at.sort();
            at.dedup();
            at
        };
        let (punctual, late) = (with(false), with(true));
        prop_assert_eq!(punctual.iter().filter(|at| !late.contains(at)).count(), 0);
    }
}

fn after(signals: Vec<Signal>) -> Vec<Signal> {
    let mut signals: Vec<_> = signals.into_iter().filter(|s| s.at > ORIGIN + secs(100)).collect();
    signals.sort_by(|a, b| (a.at, &a.labels).cmp(&(b.at, &b.labels)));
    signals
}

/// Midnight in Berlin is an hour or two before that of UTC, and some days there have 23 or 25 hours.
#[test]
fn a_day_is_the_one_that_ended_when_the_window_did() {
    use watchbell_sdk::testing::{Column, Dictionary, Rows, Runner, Values};
    use watchbell_sdk::{Call, Window};

    let hours = |hours: i64| Timestamp(1_774_566_000_000 + hours * 3_600_000);
    for (timeframe, length) in [("1d", 24), ("23h", 23), ("25h", 25)] {
        for key in [vec![], vec!["host".to_owned()]] {
            let params = json!({ "metric": "sum", "field": "n", "timeframe": timeframe, "max_threshold": 5 })
                .to_string();
            let window = Window { start: hours(0), settled: hours(0), end: hours(length) };
            let context = Context { key: key.clone(), ..Context::default() };
            let call = Call { params: &params, context: &context, state: None, window };
            let mut asked = 0;
            let finding = Native::<MetricAggregation>::default().run(call, &mut |question| {
                asked += 1;
                assert_eq!(question.over, Range::new(hours(0), hours(length)));
                let column = |field: &str, values| Column {
                    field: field.into(),
                    is_mapped: true,
                    values,
                    present: vec![],
                    offsets: vec![],
                };
                let host = Dictionary { codes: vec![0], ends: vec![1], bytes: b"a".to_vec() };
                let mut columns = vec![
                    column("_count", Values::Integers(vec![1])),
                    column("_value", Values::Numbers(vec![10.0])),
                ];
                if !key.is_empty() {
                    columns.insert(0, column("host", Values::Words(host)));
                }
                // The bucket begins where the day does.
                Ok(vec![Rows { times: vec![hours(0).0], columns }])
            });
            let signals = finding.unwrap().signals;
            assert_eq!(asked, 1);
            assert_eq!(signals.len(), 1, "{timeframe} {key:?}");
            assert_eq!((signals[0].at, signals[0].value), (hours(length), Some(10.0)), "{timeframe} {key:?}");
        }
    }
}
