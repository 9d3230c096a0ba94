//! The distinct values of ElastAlert's `cardinality`, on a timeline; and the promises that windows, restarts and
//! buckets keep.
use std::collections::BTreeSet;

use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};
use proptest::strategy::Strategy;
use watchbell_sdk::Context;
use watchbell_sdk::SignalKind;
use watchbell_sdk::testing::case::{Case, Document, ORIGIN};
use watchbell_sdk::testing::{Native, Runner, check_folder};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Ten minutes are counted in minutes.
fn rule(max: Option<u32>, min: Option<u32>) -> Case {
    let mut params = json!({ "field": "user", "timeframe": "10m" });
    if let Some(max) = max {
        params["max_cardinality"] = max.into();
    }
    if let Some(min) = min {
        params["min_cardinality"] = min.into();
    }
    Case::new(params).until(secs(3_600))
}

/// Seconds from the beginning, `+` for firing and `-` for clear.
fn told(signals: &[Signal]) -> Vec<String> {
    let mut signals: Vec<_> = signals.iter().collect();
    signals.sort_by_key(|signal| (signal.at, signal.labels.clone()));
    let sign = |kind| if kind == SignalKind::Clear { '-' } else { '+' };
    let secs = |at: Timestamp| at.since(ORIGIN).millis() / 1_000;
    signals.iter().map(|signal| format!("{}{}", sign(signal.kind), secs(signal.at))).collect()
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<Cardinality>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let elastalert =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/elastalert/cardinality.test.yaml");
    for case in Case::read_file(elastalert.as_ref()).unwrap() {
        case.check::<Cardinality>();
    }
}

#[test]
fn too_many_fire_at_the_document_and_clear_at_a_check() {
    // Three users in the first minute, the third at 20 s; nothing more.
    let case = ["a", "b", "c"]
        .iter()
        .zip([0, 10, 20])
        .fold(rule(Some(2), None), |case, (user, at)| case.document(secs(at), json!({ "user": user })));
    let signals = case.run::<Cardinality>();
    assert_eq!(told(&signals), ["+20", "+300", "+600", "-660"]);
    assert_eq!(signals[0].summary, "3 different values of user within 10m, more than 2");
    assert_eq!((signals[0].value, signals[0].threshold), (Some(3.0), Some(2.0)));
    assert_eq!(signals[0].until, Some(ORIGIN + secs(620)));
    assert_eq!(signals[0].details, r#"{"field":"user","count":3,"way":"above"}"#);
    assert_eq!(signals[3].value, Some(0.0));
}

#[test]
fn a_level_that_grows_by_a_tenth_is_told_at_the_next_check() {
    let case = (0..40).fold(rule(Some(20), None), |case, n| {
        case.document(secs(if n < 21 { 61 } else { 100 + n }), json!({ "user": n }))
    });
    let values: Vec<_> = case
        .run::<Cardinality>()
        .iter()
        .map(|signal| (signal.at.since(ORIGIN), signal.value.unwrap()))
        .collect();
    assert_eq!(values[..3], [(secs(61), 21.0), (secs(180), 40.0), (secs(300), 40.0)]);
}

#[test]
fn too_few_fire_at_a_check_once_the_key_is_known() {
    let case = rule(None, Some(3)).key(["host"]);
    let case = ["a", "b"].iter().fold(case, |case, user| {
        case.documents(secs(30), 20, secs(60), json!({ "host": "x", "user": user }))
    });
    let case = case.documents(secs(900), 5, secs(60), json!({ "host": "x", "user": "c" }));
    let signals = case.run::<Cardinality>();
    // Known from 0 on, judged from 600; three from 900 until all left; silent from 1,200 on, which is no recovery.
    let told_of = ["+600", "+900", "-960", "+1800", "+2100", "+2400", "+2700", "+3000", "+3300", "+3600"];
    assert_eq!(told(&signals), told_of);
    // Forgotten at 2,340.
    let mut short = case;
    short.params["known_for"] = json!("20m");
    assert_eq!(told(&short.run::<Cardinality>()), told_of[..5]);
    assert_eq!(signals[0].summary, "2 different values of user within 10m, fewer than 3");
    assert_eq!(signals[0].labels, Labels(vec![Some("x".into())]));
}

#[test]
fn without_a_key_nothing_at_all_is_too_few() {
    let signals = Case { until: secs(600), ..rule(None, Some(1)) }.run::<Cardinality>();
    // Found while the past was read; told again every half timeframe.
    assert_eq!(told(&signals), ["+300", "+600"]);
    let keyed = rule(None, Some(1)).key(["host"]).run::<Cardinality>();
    assert!(keyed.is_empty(), "of no key is known that it should be there");
}

#[test]
fn one_value_after_a_silence_is_not_enough() {
    for key in [vec![], vec!["host"]] {
        let case = rule(None, Some(2)).key(key.clone());
        let case = ["a", "b"].iter().fold(case, |case, user| {
            case.documents(secs(30), 10, secs(60), json!({ "host": "x", "user": user }))
        });
        let case = case.document(secs(3_000), json!({ "host": "x", "user": "a" }));
        let mut signals = case.run::<Cardinality>();
        // Without a key there were too few before the first came.
        signals.retain(|signal| signal.at > ORIGIN + secs(600));
        assert!(
            signals.iter().all(|signal| signal.kind == SignalKind::Firing),
            "{key:?}: {:?}",
            told(&signals)
        );
        assert_eq!(told(&signals)[..2], ["+1200", "+1500"], "{key:?}");
        assert_eq!(told(&signals).last().unwrap(), "+3600", "{key:?}");
    }
}

#[test]
fn a_value_leaves_at_the_instant() {
    let users = |first: u64| {
        let times = [("a", first), ("b", 300), ("c", 360), ("d", 420), ("e", 670)];
        times
            .iter()
            .fold(rule(Some(4), None), |case, (user, at)| case.document(secs(*at), json!({ "user": user })))
    };
    assert_eq!(told(&users(71).run::<Cardinality>()), ["+670", "-720"]);
    assert!(users(70).run::<Cardinality>().is_empty(), "a timeframe apart");
    let again = users(70).document(secs(400), json!({ "user": "a" }));
    assert_eq!(told(&again.run::<Cardinality>())[0], "+670", "what is seen again stays");
    let mut cells = users(71);
    cells.params["fetch"] = json!("buckets");
    assert!(cells.run::<Cardinality>().is_empty(), "by cells it left with the minute");
}

#[test]
fn beyond_4096_values_a_key_is_counted_by_cells_and_says_so() {
    let case = (0..4_200_u64)
        .fold(rule(Some(4_100), None), |case, n| case.document(Duration(61_000 + n), json!({ "user": n })));
    let signals = case.run::<Cardinality>();
    assert_eq!((signals[0].at, signals[0].value), (ORIGIN + Duration(61_000 + 4_100), Some(4_101.0)));
    assert_eq!(signals[0].details, r#"{"field":"user","count":4101,"way":"above","exact":false}"#);
    assert_eq!(signals[1].value, Some(4_200.0));
    // When all have left, it begins anew.
    let case = case.document(secs(1_500), json!({ "user": "x" }));
    assert_eq!(case.run::<Cardinality>().len(), signals.len());
}

#[test]
fn from_too_many_to_too_few_is_one_level() {
    let mut case = rule(Some(2), Some(2)).key(["host"]);
    case = case.documents(secs(30), 40, secs(60), json!({ "host": "x", "user": "a" }));
    for user in ["b", "c"] {
        case = case.document(secs(630), json!({ "host": "x", "user": user }));
    }
    let signals = case.run::<Cardinality>();
    assert_eq!(told(&signals)[..6], ["+600", "+660", "+900", "+1200", "+1260", "+1500"]);
    assert!(signals[4].summary.contains("fewer than 2"));
}

#[test]
fn values_of_any_type_and_several_count_each() {
    let case = rule(Some(3), None)
        .document(secs(1), json!({ "user": [1, 2] }))
        .document(secs(2), json!({}))
        .document(secs(3), json!({ "user": [2, 3, 4] }));
    assert_eq!(told(&case.run::<Cardinality>())[0], "+3");
}

#[test]
fn late_documents_count_within_the_lateness() {
    let mut case = rule(Some(2), None).lateness(secs(120));
    for (user, late) in [("a", 0), ("b", 0), ("c", 90)] {
        let fields = json!({ "user": user }).as_object().cloned().unwrap();
        case.documents.push(Document {
            at: secs(20).into(),
            arrives: Some(secs(20 + late).into()),
            fields,
            ..Document::default()
        });
    }
    assert_eq!(told(&case.run::<Cardinality>())[0], "+20");
    case.documents[2].arrives = Some(secs(400).into());
    assert!(case.run::<Cardinality>().is_empty());
}

#[test]
fn keys_and_values_that_left_leave_the_state() {
    let case = (0..100)
        .fold(rule(Some(9), None).key(["n"]), |case, n| case.document(secs(n), json!({ "n": n, "user": n })));
    let mut runner = Native::<Cardinality>::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    timeline.advance(ORIGIN + secs(120)).unwrap();
    assert!(timeline.state().unwrap().len() > 100 * 16);
    timeline.advance(ORIGIN + secs(720)).unwrap();
    assert!(timeline.state().unwrap().len() < 20);
}

#[test]
fn parameters_are_checked() {
    let fault = |params: serde_json::Value| {
        let mut runner = Native::<Cardinality>::default();
        match runner.prepare(&params.to_string(), &Context::default()) {
            Err(faults) => {
                faults.iter().map(|f| format!("{}: {}", f.path, f.message)).collect::<Vec<_>>().join("\n")
            }
            Ok(_) => String::new(),
        }
    };
    for (params, says) in [
        (json!({ "field": "f", "timeframe": "1m" }), "needs `max_cardinality`, `min_cardinality` or both"),
        (json!({ "field": "", "timeframe": "1m", "max_cardinality": 1 }), "/field: must name a field"),
        (
            json!({ "field": "f", "timeframe": "90ms", "max_cardinality": 1 }),
            "/timeframe: must be one or more",
        ),
        (
            json!({ "field": "f", "timeframe": "1m", "max_cardinality": 1, "min_cardinality": 2 }),
            "/min_cardinality: must",
        ),
        (
            json!({ "field": "f", "timeframe": "1m", "min_cardinality": 0 }),
            "/min_cardinality: must be more than 0",
        ),
        (json!({ "field": "f", "timeframe": "1m", "max": 1 }), "unknown field `max`"),
    ] {
        let message = fault(params);
        assert!(message.contains(says), "{message}");
    }
    assert_eq!(fault(json!({ "field": "f", "timeframe": "1m", "max_cardinality": 0 })), "");
}

/// Second, key and value of an event.
type Event = (u64, u8, u8);

/// What the README says, read plainly: for each key, which values lie in the timeframe of a document or check, or in its
/// cells. A silent key is known for twenty minutes.
fn model(events: &[Event], max: Option<u32>, min: Option<u32>, by_cells: bool) -> Vec<(u64, u8, bool, u64)> {
    let until = 3_600;
    let values = |key: u8, start: u64, end: u64| -> BTreeSet<u8> {
        let within = |event: &&Event| event.1 == key && event.0 >= start && event.0 < end;
        events.iter().filter(within).map(|event| event.2).collect()
    };
    let mut found = Vec::new();
    for key in events.iter().map(|event| event.1).collect::<BTreeSet<_>>() {
        let mut last: Option<(bool, u64)> = None;
        for check in (60..=until).step_by(60) {
            // First the documents of the cell that ends here.
            for (index, event) in events.iter().enumerate() {
                if event.1 != key || event.0 / 60 != check / 60 - 1 {
                    continue;
                }
                let start = if by_cells {
                    (check - 60).saturating_sub(540)
                } else {
                    (event.0 + 1).saturating_sub(600)
                };
                let before = events[..=index].iter().filter(|event| event.1 == key && event.0 >= start);
                let seen: BTreeSet<u8> = before.map(|event| event.2).collect();
                if max.is_some_and(|max| seen.len() > max as usize) && last.is_none() {
                    last = Some((true, seen.len() as u64));
                    found.push((event.0, key, true, seen.len() as u64));
                }
            }
            let count = values(key, check.saturating_sub(600), check).len() as u64;
            let times =
                || events.iter().filter(|event| event.1 == key && event.0 < check).map(|event| event.0 / 60);
            // Known for a timeframe, without a silence of two up to the newest and from there to now.
            let mut known_since = None;
            let mut newest = None;
            for cell in times() {
                if newest.is_none_or(|newest| cell - newest >= 20) {
                    known_since = Some(cell);
                }
                newest = Some(cell);
            }
            let is_known = newest.is_some_and(|newest| check / 60 - newest <= 20)
                && known_since.is_some_and(|since| check / 60 - since >= 10);
            let above = max.is_some_and(|max| count > u64::from(max));
            let had_too_few = last.is_some_and(|(above, _)| !above);
            let below = min.is_some_and(|min| count < u64::from(min)) && (is_known || had_too_few);
            if above || below {
                let is_news = last.is_none_or(|(was, told)| was != above || above && count * 10 >= told * 11);
                if is_news || check % 300 == 0 {
                    last = Some((above, count));
                    found.push((check, key, true, count));
                }
            } else if last.take().is_some() {
                found.push((check, key, false, count));
            }
            if newest.is_some_and(|newest| check / 60 - newest >= 20) {
                // Forgotten: what was told lapses.
                last = None;
            }
        }
    }
    found.sort_unstable();
    found
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((0_u64..3_600, 0_u8..3, 0_u8..6), 0..80).prop_map(|mut events| {
        events.sort_unstable();
        events
    })
}

fn limits() -> impl Strategy<Value = (Option<u32>, Option<u32>)> {
    prop::sample::select(vec![
        (Some(2), None),
        (Some(3), Some(2)),
        (None, Some(3)),
        (Some(0), None),
        (Some(2), Some(2)),
    ])
}

fn case(events: &[Event], limits: (Option<u32>, Option<u32>)) -> Case {
    let mut case = rule(limits.0, limits.1).key(["k"]);
    case.params["known_for"] = json!("20m");
    events
        .iter()
        .fold(case, |case, (at, key, value)| case.document(secs(*at), json!({ "k": key, "user": value })))
}

/// As the model says it.
fn found(signals: &[Signal]) -> Vec<(u64, u8, bool, u64)> {
    let mut found: Vec<_> = signals
        .iter()
        .map(|signal| {
            let at = signal.at.since(ORIGIN).millis() / 1_000;
            let key = signal.labels.0[0].as_deref().unwrap().parse().unwrap();
            (at, key, signal.kind == SignalKind::Firing, signal.value.unwrap() as u64)
        })
        .collect();
    found.sort_unstable();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Each window starts from the bytes that the one before kept, so this is also: a restart between any two.
    #[test]
    fn no_way_of_cutting_time_changes_the_verdict(
        events in events(),
        limits in limits(),
        cuts in prop::collection::btree_set(1_u64..60, 0..12),
        lateness in 0_u64..15,
        page_rows in 1_usize..50,
    ) {
        let whole = Case { ends: vec![secs(3_600)], ..case(&events, limits) };
        prop_assert_eq!(found(&whole.run::<Cardinality>()), model(&events, limits.0, limits.1, false));
        let lateness = secs(lateness * 60);
        let ends = cuts.into_iter().map(|cut| secs(cut * 60)).collect();
        let cut = Case { ends, lateness, page_rows, ..case(&events, limits) };
        prop_assert_eq!(found(&cut.run::<Cardinality>()), found(&whole.run::<Cardinality>()));
        prop_assert_eq!(final_state(&cut), final_state(&Case { lateness, ..whole }));
    }

    /// But for the instant within a cell, which buckets do not know.
    #[test]
    fn buckets_count_by_cells(
        events in events(),
        limits in limits(),
        cuts in prop::collection::btree_set(1_u64..60, 0..12),
        lateness in 0_u64..15,
    ) {
        let mut whole = case(&events, limits);
        whole.params["fetch"] = json!("buckets");
        let ends = cuts.into_iter().map(|cut| secs(cut * 60)).collect();
        let cut = Case { ends, lateness: secs(lateness * 60), ..whole.clone() };
        let in_cells = |found: Vec<(u64, u8, bool, u64)>| -> Vec<_> {
            let mut found: Vec<_> =
                found.into_iter().map(|(at, key, fires, count)| (at / 60, key, fires, count)).collect();
            found.sort_unstable();
            found
        };
        let expected = in_cells(model(&events, limits.0, limits.1, true));
        prop_assert_eq!(in_cells(found(&whole.run::<Cardinality>())), expected.clone());
        prop_assert_eq!(in_cells(found(&cut.run::<Cardinality>())), expected);
    }

    #[test]
    fn priming_at_any_point_tells_the_same_from_there_on(events in events(), limits in limits(), from in 0_u64..55) {
        let primed = Case { from: secs(from * 60), ..case(&events, limits) };
        // What is told at the check at the beginning was told while the past was read.
        let later = |found: Vec<(u64, u8, bool, u64)>| -> Vec<_> {
            found.into_iter().filter(|(at, ..)| *at > from * 60).collect()
        };
        let expected = later(model(&events, limits.0, limits.1, false));
        prop_assert_eq!(later(found(&primed.run::<Cardinality>())), expected);
    }
}

fn final_state(case: &Case) -> Vec<u8> {
    let mut runner = Native::<Cardinality>::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    for end in case.ends.iter().copied().chain([case.until]) {
        timeline.advance(ORIGIN + end).unwrap();
    }
    timeline.state().unwrap().to_vec()
}
