//! The two windows of ElastAlert's `spike`, judged on a grid.
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use watchbell_sdk::testing::Native;
use watchbell_sdk::testing::case::{Case, Expected, ORIGIN};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const HOUR: u64 = 3_600;
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

#[test]
fn a_constant_rate_never_spikes() {
    assert_eq!(times(&steady("up", 2.0).run::<Spike>()), NEVER);
    // Both ways: the end of the data is a fall, so look before it.
    assert_eq!(times(&steady("both", 2.0).run::<Spike>()), NEVER);
}

#[test]
fn a_doubled_rate_spikes_once() {
    let mut case = doubled(2.0);
    case.expect = vec![Expected {
        at: secs(60),
        until: Some(secs(70)),
        value: Some(2.0),
        summary: Some("20 events within 10s, 2 times the 10 before".into()),
        details: json!({ "current": 20, "reference": 10, "direction": "up" }).as_object().cloned().unwrap(),
        ..Expected::default()
    }];
    case.check::<Spike>();
    assert!(doubled(3.0).run::<Spike>().is_empty());
}

#[test]
fn thresholds_gate() {
    assert!(edit(doubled(2.0), json!({ "threshold_ref": 11 })).run::<Spike>().is_empty());
    assert!(edit(doubled(2.0), json!({ "threshold_cur": 30 })).run::<Spike>().is_empty());
    assert_eq!(edit(doubled(2.0), json!({ "threshold_cur": 20 })).run::<Spike>().len(), 1);
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
fn a_rise_from_nothing_needs_a_word_on_how_much_is_a_spike() {
    let case = |thresholds| {
        let params = json!({ "timeframe": "10s", "height": 2, "direction": "both", "check_every": "10s" });
        let case = Case::new(params).until(secs(100)).documents(secs(50), 25, Duration(100), json!({}));
        edit(case, thresholds).run::<Spike>()
    };
    assert_eq!(times(&case(json!({ "threshold_ref": 1, "threshold_cur": 5 }))), NEVER);
    // Nothing said: only the fall after it, which has a reference.
    assert_eq!(times(&case(json!({}))), [70]);
    let told = case(json!({ "threshold_cur": 20 }));
    assert_eq!(times(&told), [60]);
    assert_eq!((told[0].value, told[0].summary.as_str()), (Some(25.0), "25 events within 10s, after none"));
    assert_eq!(times(&case(json!({ "threshold_ref": 0 }))), [60, 70]);
}

#[test]
fn keys_are_judged_apart() {
    let user = |case: Case, name: &str, from: u64| {
        case.documents(secs(from), 50, secs(1), json!({ "username": name }))
    };
    let steady = || {
        let mut case = steady("up", 2.0).key(["username"]);
        case.documents.clear();
        user(user(case, "qlo", 0), "qlo", 50)
    };
    assert!(steady().run::<Spike>().is_empty());
    assert!(user(steady(), "bob", 50).run::<Spike>().is_empty(), "twice the traffic, but of two users");
    let told = user(user(steady(), "bob", 50), "qlo", 50).run::<Spike>();
    assert_eq!(times(&told), [60]);
    assert_eq!(told[0].labels, Labels(vec![Some("qlo".into())]));
}

#[test]
fn a_new_key_is_judged_when_both_its_windows_are_known() {
    let case = |thresholds| {
        let params = json!({ "timeframe": "10s", "height": 2, "direction": "up", "check_every": "5s" });
        let case = Case::new(params).every(secs(5)).until(secs(100)).key(["username"]);
        // Appears at 20 s, doubles at 60 s.
        let case = case.documents(secs(20), 80, secs(1), json!({ "username": "new" }));
        edit(case.documents(secs(60), 40, secs(1), json!({ "username": "new" })), thresholds)
    };
    assert_eq!(times(&case(json!({})).run::<Spike>()), [70]);
    assert_eq!(times(&case(json!({ "threshold_cur": 5 })).run::<Spike>()), [70]);
    assert_eq!(times(&case(json!({ "threshold_ref": 0 })).run::<Spike>())[..2], [25, 30]);
}

#[test]
fn a_nested_field_and_a_missing_one_are_keys() {
    let case = steady("up", 2.0).key(["foo.bar.baz"]);
    let fields = json!({ "foo": { "bar": { "baz": "LOL" } } });
    let case = case.documents(secs(0), 100, secs(1), fields.clone()).documents(secs(50), 50, secs(1), fields);
    let told = case.documents(secs(50), 50, secs(1), json!({})).run::<Spike>();
    let labels: Vec<_> = told.iter().map(|signal| signal.labels.0[0].as_deref()).collect();
    assert_eq!((times(&told), labels), (vec![60, 60], vec![None, Some("LOL")]));
}

/// One event count per hour, two-hour windows; the hours at whose end it fires.
fn hours(key: &[&str], params: &watchbell_sdk::testing::Json, counts: &[u32]) -> Vec<u64> {
    let mut case = Case::new(params.clone()).key(key.iter().copied()).every(secs(HOUR));
    for (hour, count) in counts.iter().enumerate() {
        case = case.documents(secs(hour as u64 * HOUR + 1_800), *count, Duration(1), json!({ "k": "v" }));
    }
    let told = case.until(secs(counts.len() as u64 * HOUR)).run::<Spike>();
    times(&told).into_iter().map(|at| at / HOUR).collect()
}

#[test]
fn elastalerts_worked_examples() {
    let quarter = json!({ "timeframe": "2h", "height": 4, "direction": "up", "threshold_cur": 15, "check_every": "1h" });
    assert_eq!(hours(&[], &quarter, &[5, 5, 10, 35]), [4]);
    assert_eq!(hours(&["k"], &quarter, &[20, 21, 19, 23]), NEVER);
    assert_eq!(hours(&[], &quarter, &[10, 0, 0, 30, 5]), [5]);
    let twice =
        json!({ "timeframe": "2h", "height": 2, "direction": "up", "threshold_ref": 5, "check_every": "1h" });
    assert_eq!(
        hours(&["k"], &twice, &[20, 100, 100, 100]),
        NEVER,
        "reference not filled, then not twice as many"
    );
    assert_eq!(hours(&[], &twice, &[0, 20, 100, 100]), [4]);
    assert_eq!(hours(&[], &twice, &[1, 2, 2, 1_000, 2, 4]), NEVER);
    assert_eq!(hours(&[], &twice, &[1_000, 0, 0, 0, 1_000, 1_050, 1_075]), [7]);
    let fifth = json!({ "timeframe": "2h", "height": 5, "direction": "up", "threshold_cur": 100, "check_every": "1h" });
    assert_eq!(hours(&["k"], &fifth, &[1_000]), NEVER);
    assert_eq!(hours(&[], &fifth, &[2, 1, 20, 81]), [4]);
    assert_eq!(hours(&[], &fifth, &[10, 20, 40, 80, 200]), NEVER);
}

#[test]
fn the_grid_is_a_whole_part_of_the_timeframe() {
    let grid = |timeframe: &str| {
        let params = json!({ "timeframe": timeframe, "height": 2, "direction": "up" }).to_string();
        watchbell_sdk::testing::Runner::prepare(&mut Native::<Spike>::default(), &params, &[]).unwrap().grid
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
        ("1d", 60),
    ] {
        assert_eq!(grid(timeframe), secs(every), "{timeframe}");
    }
}

#[test]
fn all_faults_of_the_parameters_are_told() {
    let params = json!({ "timeframe": "1500ms", "height": 1, "direction": "up", "check_every": "7s" });
    let message = Case::new(params).run_with(&mut Native::<Spike>::default()).unwrap_err();
    assert_eq!(message.lines().count(), 3, "{message}");
    let unknown = json!({ "timeframe": "1m", "height": 2, "direction": "sideways" });
    assert!(Case::new(unknown).run_with(&mut Native::<Spike>::default()).unwrap_err().contains("sideways"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// However time is cut, wherever the rule is primed, and with a restart between any two windows.
    #[test]
    fn no_way_of_cutting_time_changes_the_verdict(
        events in prop::collection::vec((0_u64..400, 0_u8..3), 0..150),
        cuts in prop::collection::btree_set(1_u64..40, 0..10),
        lateness in 0_u64..60,
        keyed in any::<bool>(),
        eager in any::<bool>(),
    ) {
        let params = json!({ "timeframe": "20s", "height": 2, "direction": "both", "check_every": "5s" });
        let params = if eager { json!({ "threshold_ref": 0, "timeframe": "20s", "height": 2, "direction": "both", "check_every": "5s" }) } else { params };
        let key: &[&str] = if keyed { &["k"] } else { &[] };
        let case = events.iter().fold(Case::new(params).key(key.iter().copied()).until(secs(400)), |case, (at, k)| {
            case.document(secs(*at), json!({ "k": k }))
        });
        let whole = Case { ends: vec![secs(400)], ..case.clone() };
        // Windows end on the grid.
        let ends: Vec<_> = cuts.into_iter().map(|cut| secs(cut * 10)).filter(|end| *end > secs(100)).collect();
        let cut = Case { from: secs(100), ends, lateness: secs(lateness), page_rows: 7, ..case };
        let after = |signals: Vec<Signal>| -> Vec<Signal> {
            let mut signals: Vec<_> = signals.into_iter().filter(|s| s.at > ORIGIN + secs(100)).collect();
            signals.sort_by(|a, b| (a.at, &a.labels).cmp(&(b.at, &b.labels)));
            signals
        };
        prop_assert_eq!(after(cut.run::<Spike>()), after(whole.run::<Spike>()));
    }
}
