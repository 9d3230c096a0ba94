//! The two windows of ElastAlert's `spike`, judged at every event and on a grid.
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use watchbell_sdk::Context;
use watchbell_sdk::testing::{Native, check_folder};
use watchbell_sdk::testing::case::{Case, Document, Expected, ORIGIN};

use super::*;

mod naive; // the same, looked at again and again
mod keys; // each judged by itself
mod weighed; // by the mean of a field, whatever the counts

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const NEVER: [u64; 0] = [];

/// A hundred seconds with an event each, judged every ten.
fn steady(direction: &str, height: f64) -> Case {
    let params = json!({
        "timeframe": "10s", "height": height, "direction": direction, "threshold_ref": 10, "check_every": "10s",
    });
    Case::new(params).every(secs(10)).until(secs(100)).documents(secs(0), 100, secs(1), json!({}))
}

/// The same, twice as many from the fiftieth second on.
fn doubled(height: f64) -> Case {
    steady("up", height).documents(Duration(50_001), 50, secs(1), json!({}))
}

fn times(signals: &[Signal]) -> Vec<u64> {
    signals.iter().map(|signal| signal.at.since(ORIGIN).millis() / 1_000).collect()
}

fn edit(mut case: Case, params: watchbell_sdk::testing::Json) -> Case {
    for (name, value) in params.as_object().unwrap() {
        case.params[name] = value.clone();
    }
    case
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<Spike>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let elastalert = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/elastalert/spike.test.yaml");
    for case in Case::read_file(elastalert.as_ref()).unwrap() {
        case.check::<Spike>();
        // On the grid, what an event began is seen at the next point at the latest.
        let told = edit(case.clone(), json!({ "fetch": "buckets" })).run::<Spike>();
        assert_eq!(told.is_empty(), !case.fires(), "{}", case.name);
        let first = told.first().map(|signal| signal.at.since(ORIGIN));
        let event = case.expected().next().and_then(|expected| expected.at);
        let grid = serde_json::from_value::<Spike>(case.params.clone()).unwrap().grid();
        assert!(
            first.zip(event).is_none_or(|(first, event)| event <= first && first <= event + grid),
            "{}",
            case.name
        );
    }
}

#[test]
fn a_constant_rate_never_spikes() {
    assert_eq!(times(&steady("up", 2.0).run::<Spike>()), NEVER);
    // Both ways: the end of the data is a fall, so look before it.
    assert_eq!(times(&steady("both", 2.0).run::<Spike>()), NEVER);
}

#[test]
fn a_doubled_rate_spikes_once() {
    let mut case = doubled(2.0);
    let at_event = Expected {
        at: Some(Duration(59_001)),
        until: Some(Duration(69_001)),
        value: Some(2.0),
        summary: Some("20 events within 10s, 2 times the 10 before".into()),
        details: json!({ "current": 20, "reference": 10, "direction": "up" }).as_object().cloned().unwrap(),
        ..Expected::default()
    };
    let at_check = Expected { at: Some(secs(60)), until: Some(secs(70)), ..at_event.clone() };
    case = case.expect([at_event, at_check.clone()]);
    case.check::<Spike>();
    case = edit(case, json!({ "fetch": "buckets" }));
    case = case.expect([at_check]);
    case.check::<Spike>();
    assert!(doubled(3.0).run::<Spike>().is_empty());
}

#[test]
fn thresholds_gate() {
    assert!(edit(doubled(2.0), json!({ "threshold_ref": 11 })).run::<Spike>().is_empty());
    assert!(edit(doubled(2.0), json!({ "threshold_cur": 30 })).run::<Spike>().is_empty());
    assert_eq!(times(&edit(doubled(2.0), json!({ "threshold_cur": 20 })).run::<Spike>()), [59, 60]);
}

#[test]
fn a_fall_spikes_down_and_an_empty_window_is_seen() {
    let case = |direction| {
        let mut case = steady(direction, 3.0);
        case.documents.clear();
        case.documents(secs(0), 50, secs(1), json!({})).documents(secs(75), 25, secs(1), json!({}))
    };
    let told = case("down").run::<Spike>();
    assert_eq!(times(&told), [60]);
    assert_eq!((told[0].value, told[0].threshold), (Some(0.0), Some(1.0 / 3.0)));
    assert_eq!(told[0].summary, "0 events within 10s, 0 times the 10 before");
    assert!(case("up").run::<Spike>().is_empty(), "5 of 10, 10 of 5: never threefold");
}

#[test]
fn nothing_against_nothing_never_fires() {
    for direction in ["up", "down", "both"] {
        for thresholds in
            [json!({}), json!({ "threshold_ref": 0 }), json!({ "threshold_ref": 0, "threshold_cur": 0 })]
        {
            let mut case = steady(direction, 2.0);
            case.documents.clear();
            case.params.as_object_mut().unwrap().remove("threshold_ref");
            assert!(edit(case, thresholds).run::<Spike>().is_empty());
        }
    }
}

#[test]
fn a_rise_from_nothing_is_a_spike() {
    let case = |direction: &str, thresholds| {
        let params = json!({ "timeframe": "10s", "height": 2, "direction": direction, "check_every": "10s" });
        let case = Case::new(params).until(secs(100)).documents(secs(50), 25, Duration(100), json!({}));
        edit(case, thresholds).run::<Spike>()
    };
    // Silence, then a burst, with nothing else said.
    let told = case("up", json!({}));
    assert_eq!(times(&told), [50, 60]);
    assert_eq!(
        (told[0].at, told[0].value),
        (ORIGIN + Duration(50_001), Some(1.0)),
        "after what the check said"
    );
    assert_eq!((told[1].value, told[1].summary.as_str()), (Some(25.0), "25 events within 10s, after none"));
    assert_eq!(times(&case("both", json!({}))), [50, 60, 70], "and the fall after it");
    assert_eq!(times(&case("down", json!({}))), [70]);
    assert_eq!(times(&case("up", json!({ "threshold_cur": 25 }))), [52, 60]);
    assert_eq!(times(&case("up", json!({ "threshold_cur": 26 }))), NEVER);
    assert_eq!(times(&case("up", json!({ "threshold_ref": 1 }))), NEVER);
}

#[test]
fn the_value_is_exact_and_the_text_is_rounded() {
    // 199 after 100: below 2 by less than the text shows.
    let case = |current: u32| {
        let params = json!({ "timeframe": "10s", "height": 1.5, "direction": "up", "check_every": "10s" });
        let case = Case::new(params).until(secs(60)).documents(secs(30), 100, Duration(1), json!({}));
        case.documents(secs(40), current, Duration(1), json!({})).run::<Spike>()
    };
    let told = &case(199)[2];
    assert_eq!((told.at, told.value), (ORIGIN + secs(50), Some(1.99)));
    assert_eq!(told.summary, "199 events within 10s, 2 times the 100 before");
}

/// A rate that triples at 200 s and stays: windows of 100 s, judged every ten.
#[test]
fn a_lasting_spike_is_told_in_time_and_when_it_is_worse() {
    let params = json!({ "timeframe": "100s", "height": 1.5, "direction": "up", "check_every": "10s", "threshold_ref": 20 });
    let case = Case::new(params).every(secs(10)).until(secs(600));
    let case =
        case.documents(secs(0), 600, secs(1), json!({})).documents(secs(200), 400, Duration(500), json!({}));
    let told = case.run::<Spike>();
    // After the silence before the first event, too: when it begins or is a tenth worse, and else every 50 s.
    assert_eq!(times(&told), [119, 150, 224, 240, 250, 260, 280, 300, 350]);
    for pair in told[2..].windows(2) {
        assert!(pair[1].at <= pair[0].until.unwrap(), "no gap while it lasts");
    }
}

#[test]
fn a_fleet_that_spikes_at_once_is_not_told_at_every_check() {
    let params = json!({ "timeframe": "5m", "height": 2, "direction": "up", "alert_on_new_data": true });
    let case = Case::new(params).key(["host"]).until(secs(900));
    let case = (0..50_u64)
        .fold(case, |case, host| case.documents(secs(310), 2, secs(1), json!({ "host": host.to_string() })));
    let told = case.run::<Spike>();
    // Ten checks find each host above, at 330 s to 600 s. The first event tells, the first check finds it worse, and there
    // are the beats at 450 s and 600 s.
    assert_eq!((told.len(), times(&told)[0]), (50 * 4, 310));
}

#[test]
fn a_spike_between_two_checks_is_told_at_its_event() {
    let params =
        json!({ "timeframe": "10m", "height": 3, "direction": "up", "threshold_ref": 5, "threshold_cur": 5 });
    let case = |last: u32| {
        Case::new(params.clone())
            .until(secs(3_000))
            .document(secs(1), json!({}))
            .documents(secs(630), 10, Duration(100), json!({}))
            .documents(Duration(1_200_500), 15, Duration(100), json!({}))
            .documents(secs(1_800), last, Duration(10), json!({}))
    };
    let told = case(15).run::<Spike>();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].at, told[0].value), (ORIGIN + Duration(1_800_140), Some(3.0)));
    assert!(case(14).run::<Spike>().is_empty());
    assert!(edit(case(15), json!({ "fetch": "buckets" })).run::<Spike>().is_empty());
}

#[test]
fn beyond_4096_events_a_key_is_judged_on_the_grid_and_says_so() {
    let case = |events: u32| {
        let params = json!({ "timeframe": "10s", "height": 2, "direction": "up", "threshold_cur": 2_000 });
        let case =
            Case::new(params).until(secs(60)).documents(Duration(20_500), events, Duration(0), json!({}));
        case.documents(Duration(25_500), 1, Duration(0), json!({}))
    };
    let is_exact = |case: &Case| -> Vec<_> {
        case.run::<Spike>()
            .iter()
            .map(|s| (s.at.since(ORIGIN).millis(), !s.details.contains("\"exact\":false")))
            .collect()
    };
    assert_eq!(is_exact(&case(4_000))[..2], [(20_500, true), (25_000, true)]);
    assert_eq!(is_exact(&case(5_000))[..2], [(21_000, false), (25_000, false)]);
}

#[test]
fn the_grid_is_a_whole_part_of_the_timeframe() {
    let grid = |timeframe: &str| {
        let params = json!({ "timeframe": timeframe, "height": 2, "direction": "up" }).to_string();
        watchbell_sdk::testing::Runner::prepare(&mut Native::<Spike>::default(), &params, &Context::default()).unwrap().grid
    };
    for (timeframe, every) in [
        ("1s", 1),
        ("7s", 1),
        ("10s", 1),
        ("30s", 3),
        ("1m", 6),
        ("90s", 6),
        ("5m", 30),
        ("10m", 60),
        ("2h", 60),
        ("3h", 180),
        ("1d", 1_440),
        ("7d", 10_080),
        ("3599s", 61),
        ("61s", 1),
    ] {
        assert_eq!(grid(timeframe), Some(secs(every)), "{timeframe}");
    }
}

#[test]
fn all_faults_of_the_parameters_are_told() {
    let params = json!({ "timeframe": "1500ms", "height": 1, "direction": "up", "check_every": "7s" });
    let message = Case::new(params).run_with(&mut Native::<Spike>::default()).unwrap_err();
    assert_eq!(message.lines().count(), 3, "{message}");
    let fine = json!({ "timeframe": "1d", "height": 2, "direction": "up", "check_every": "30s" });
    assert_eq!(
        Case::new(fine).run_with(&mut Native::<Spike>::default()).unwrap_err(),
        "/check_every: must be at least 1/1440 of the timeframe, not 30s"
    );
    let unknown = json!({ "timeframe": "1m", "height": 2, "direction": "sideways" });
    assert!(Case::new(unknown).run_with(&mut Native::<Spike>::default()).unwrap_err().contains("sideways"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// However time is cut, wherever the rule is primed, with a restart between any two windows, and whether it reads
    /// events or has them counted.
    #[test]
    fn no_way_of_cutting_time_or_of_fetching_changes_the_verdict(
        events in prop::collection::vec((0_u64..400, 0_u8..3, prop::option::of(0_u8..9)), 0..150),
        cuts in prop::collection::btree_set(1_u64..40, 0..10),
        lateness in 0_u64..60,
        keyed in any::<bool>(),
        eager in any::<bool>(),
        measured in any::<bool>(),
    ) {
        let mut params = json!({
            "timeframe": "20s", "height": 2, "direction": "both", "check_every": "5s", "alert_on_new_data": eager,
        });
        if measured {
            params["field"] = json!("n");
        }
        let key: &[&str] = if keyed { &["k"] } else { &[] };
        let case = Case::new(params).key(key.iter().copied()).until(secs(400));
        let case = events.iter().fold(case, |case, (at, k, n)| case.document(secs(*at), json!({ "k": k, "n": n })));
        let whole = Case { ends: vec![secs(400)], ..case.clone() };
        // Windows end on the grid.
        let ends: Vec<_> = cuts.into_iter().map(|cut| secs(cut * 10)).filter(|end| *end > secs(100)).collect();
        let cut = Case { from: secs(100), ends, lateness: secs(lateness), page_rows: 7, ..case };
        let after = |signals: Vec<Signal>| -> Vec<Signal> {
            let mut signals: Vec<_> = signals.into_iter().filter(|s| s.at > ORIGIN + secs(100)).collect();
            signals.sort_by(|a, b| (a.at, &a.labels).cmp(&(b.at, &b.labels)));
            signals
        };
        let verdict = after(whole.run::<Spike>());
        prop_assert_eq!(after(cut.run::<Spike>()), verdict.clone());
        // What lasts is told at every beat, whatever began it.
        let beats = |signals: Vec<Signal>| -> Vec<Signal> {
            signals.into_iter().filter(|signal| signal.at.0 % 10_000 == 0).collect()
        };
        let counted = edit(cut, json!({ "fetch": "buckets" }));
        prop_assert_eq!(beats(after(counted.run::<Spike>())), beats(verdict));
    }

    /// With a lateness of the whole time, events that come late are judged as if they had come in time.
    #[test]
    fn late_events_are_judged_within_the_lateness(
        events in prop::collection::vec((0_u64..200, 0_u64..100), 1..60),
        counted in any::<bool>(),
    ) {
        let fetch = if counted { "buckets" } else { "hits" };
        let params = json!({
            "timeframe": "20s", "height": 2, "direction": "up", "check_every": "5s", "fetch": fetch,
        });
        let case = Case::new(params).until(secs(300)).every(secs(15)).lateness(secs(120));
        let punctual = events.iter().fold(case.clone(), |case, (at, _)| case.document(secs(*at), json!({})));
        let mut late = case;
        late.documents = events
            .iter()
            .map(|(at, late)| Document { at: secs(*at).into(), arrives: Some(secs(at + late).into()), ..Document::default() })
            .collect();
        // A level may be told at more instants, for what was told stays told; but nothing is left out.
        let told = late.run::<Spike>();
        for signal in punctual.run::<Spike>() {
            prop_assert!(told.contains(&signal) || told.iter().any(|other| other.at == signal.at), "{signal:?}");
        }
    }
}
