use super::*;

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
    assert_eq!(times(&told), [59, 60]);
    assert!(told.iter().all(|signal| signal.labels == Labels(vec![Some("qlo".into())])));
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
    assert_eq!(times(&case(json!({})).run::<Spike>()), [69, 70]);
    assert_eq!(times(&case(json!({ "threshold_cur": 5 })).run::<Spike>()), [69, 70]);
    assert_eq!(times(&case(json!({ "alert_on_new_data": true })).run::<Spike>())[..3], [20, 25, 30]);
}

/// A key of ten minutes that pauses for `pause`, and then rises from three events to fifty within two timeframes.
fn returning(pause: u64, params: watchbell_sdk::testing::Json) -> Case {
    let case = Case::new(json!({
        "timeframe": "1m", "height": 3, "direction": "up", "threshold_ref": 2, "threshold_cur": 5,
    }));
    let case = edit(case, params).key(["k"]).until(secs(1_200 + pause));
    let fields = json!({ "k": "a" });
    let case = case.documents(secs(0), 60, secs(10), fields.clone());
    let case = case.documents(secs(600 + pause), 3, secs(20), fields.clone());
    case.documents(secs(660 + pause), 50, secs(1), fields)
}

#[test]
fn a_key_that_comes_back_is_judged_at_once() {
    for fetch in ["hits", "buckets"] {
        let told = |pause, params| {
            let case = edit(returning(pause, params), json!({ "fetch": fetch }));
            times(&case.run::<Spike>()).first().copied()
        };
        let first = |pause: u64| Some(if fetch == "hits" { 680 + pause } else { 684 + pause });
        assert_eq!(told(180, json!({})), first(180), "{fetch}");
        let again = told(180, json!({ "known_for": "2m" }));
        assert!(again.is_none_or(|at| at >= 780 + 120), "{fetch}: forgotten, and new again");
        // The past that priming asks for.
        let primed = |known_for: &str| {
            let case = edit(returning(3_600, json!({ "known_for": known_for })), json!({ "fetch": fetch }));
            times(&Case { from: secs(4_080), ..case }.run::<Spike>()).first().copied()
        };
        assert_eq!(primed("7d"), first(3_600), "{fetch}");
        assert!(primed("50m").is_none_or(|at| at >= 4_200 + 120), "{fetch}");
    }
}

#[test]
fn another_time_to_be_known_asks_once_more_and_keeps_the_rest() {
    let case = returning(3_600, json!({}));
    let mut runner = Native::<Spike>::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    timeline.advance(ORIGIN + secs(4_140)).unwrap();
    let hex = timeline.state().unwrap().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    // It is silent for 59 minutes at 4,130 s.
    for (known_for, first) in [("7d", 4_280), ("2h", 4_280), ("50m", 4_320)] {
        let later = Case {
            from: secs(4_140),
            state: Some(hex.clone()),
            ..edit(case.clone(), json!({ "known_for": known_for }))
        };
        let told = times(&later.run::<Spike>()).first().copied();
        assert!(
            if first == 4_280 { told == Some(first) } else { told.is_none_or(|at| at >= first) },
            "{known_for}: {told:?}"
        );
    }
}

#[test]
fn a_nested_field_and_a_missing_one_are_keys() {
    let case = steady("up", 2.0).key(["foo.bar.baz"]);
    let fields = json!({ "foo": { "bar": { "baz": "LOL" } } });
    let case = case.documents(secs(0), 100, secs(1), fields.clone()).documents(secs(50), 50, secs(1), fields);
    let told = case.documents(secs(50), 50, secs(1), json!({})).run::<Spike>();
    let labels: Vec<_> = told.iter().map(|signal| signal.labels.0[0].as_deref()).collect();
    assert_eq!((times(&told), labels), (vec![59, 59, 60, 60], vec![None, Some("LOL"), None, Some("LOL")]));
}
