//! Answers that are written down, and what is made of them.
use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};
use watchbell_sdk::Context;
use watchbell_sdk::SignalKind;
use watchbell_sdk::testing::case::{Answers, Case, ORIGIN};
use watchbell_sdk::testing::{Native, check_folder, take_logs};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn rule(params: Json) -> Case {
    let fixed = json!({
        "body": { "size": 0, "aggs": { "p": { "percentiles": { "field": "ms" } } } },
        "pick": { "p99": "/aggregations/p/values/99.0", "hits": "/hits/total/value" },
        "fire": [{ "value": "p99", "above": 100 }, { "value": "hits", "below": 10 }],
        "every": "1m",
    });
    edit(Case::new(fixed).until(secs(300)), params)
}

fn edit(mut case: Case, params: Json) -> Case {
    for (name, value) in params.as_object().unwrap() {
        case.params[name] = value.clone();
    }
    case
}

/// The answer from `at` seconds on.
fn answer(case: Case, at: u64, p99: f64, hits: u32) -> Case {
    case.answer(secs(at), Answers::Search, json!({ "p99": p99, "hits": hits }))
}

fn told(signals: &[Signal]) -> Vec<(u64, SignalKind)> {
    signals.iter().map(|s| (s.at.since(ORIGIN).millis() / 1_000, s.kind)).collect()
}

fn problem(case: &Case) -> String {
    case.run_with(&mut Native::<Query>::default()).unwrap_err()
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<Query>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
}

#[test]
fn it_fires_at_each_check_and_clears_once() {
    let case = answer(rule(json!({})), 0, 50.0, 20);
    let case = answer(answer(answer(case, 70, 250.0, 20), 130, 90.0, 5), 190, 100.0, 10);
    let found = case.run::<Query>();
    let expected = [(120, SignalKind::Firing), (180, SignalKind::Firing), (240, SignalKind::Clear)];
    assert_eq!(told(&found), expected, "bounds are exclusive");
    assert_eq!((found[0].value, found[0].threshold), (Some(250.0), Some(100.0)));
    assert_eq!(found[0].until, Some(ORIGIN + secs(240)));
    assert_eq!(found[0].summary, "p99 250 is above 100");
    assert_eq!(
        found[0].details,
        r#"{"values":{"hits":20.0,"p99":250.0},"crossed":[{"value":"p99","is":250.0,"crossed":"above","threshold":100.0}]}"#
    );
    assert_eq!(found[1].summary, "hits 5 is below 10");
    assert_eq!(found[2].details, r#"{"values":{"hits":10.0,"p99":100.0}}"#);
}

#[test]
fn several_values_fire_together_and_the_first_is_the_signals_own() {
    let found = answer(rule(json!({})), 0, 200.0, 1).until(secs(60)).run::<Query>();
    assert_eq!(found[0].summary, "p99 200 is above 100, hits 1 is below 10");
    assert_eq!(found[0].value, Some(200.0));
}

#[test]
fn each_check_asks_about_its_own_past() {
    let rule: Query = serde_json::from_value(rule(json!({ "over": "10m" })).params).unwrap();
    let ask = |rule: &Query, minutes: u64| {
        let over = Range::new(ORIGIN, ORIGIN + secs(60) * minutes);
        rule.ask_round(0, over, &Context::default(), &mut Watch::default())
    };
    let asked = ask(&rule, 3);
    let over: Vec<_> = asked.iter().map(|question| question.over).collect();
    let past = |at: u64| Range::new(ORIGIN + secs(at) - secs(600), ORIGIN + secs(at));
    assert_eq!(over, [past(60), past(120), past(180)]);
    let Ask::Search(search) = &asked[0].ask else { panic!() };
    // The number of hits is picked, so all are counted.
    let body = r#"{"size":0,"aggs":{"p":{"percentiles":{"field":"ms"}}},"track_total_hits":true}"#;
    assert_eq!(search.body, body);
    assert_eq!(search.picks[1], ("p99".into(), "/aggregations/p/values/99.0".into()));
    // The window's own length where nothing else is said.
    let rule: Query = serde_json::from_value(super::tests::rule(json!({})).params).unwrap();
    let over = ask(&rule, 1)[0].over;
    assert_eq!(over, Range::new(ORIGIN, ORIGIN + secs(60)));
}

#[test]
fn a_total_is_counted_to_the_end_or_refused() {
    let with = |body: watchbell_sdk::testing::Json, pointer: &str| -> Query {
        let params = json!({ "body": body, "pick": { "n": pointer }, "fire": [{ "value": "n", "above": 11_000 }], "every": "1m" });
        serde_json::from_value(params).unwrap()
    };
    for (body, pointer, counts) in [
        (json!({}), "/hits/total/value", Some(true)),
        (json!({ "track_total_hits": true }), "/hits/total", Some(true)),
        (json!({}), "/aggregations/n/value", None),
        (json!({}), "/hits/total_of_another", None),
        (json!({ "track_total_hits": false }), "/aggregations/n/value", Some(false)),
    ] {
        let rule = with(body, pointer);
        assert!(rule.plan(&Context::default()).is_ok(), "{pointer}");
        let body = rule.exact_body();
        assert_eq!(body.get("track_total_hits").and_then(|counts| counts.as_bool()), counts, "{pointer}");
    }
    for counting in [json!(false), json!(20_000)] {
        let faults = with(json!({ "track_total_hits": counting }), "/hits/total/value")
            .plan(&Context::default())
            .unwrap_err();
        assert_eq!(faults[0].path, "/body/track_total_hits");
        assert!(faults[0].message.contains("`pick` reads `/hits/total`"), "{}", faults[0].message);
    }
}

/// The ends of what each round asks about, in minutes since the beginning.
fn rounds(watch: &mut Watch, from: u64, to: u64) -> Vec<Vec<u64>> {
    let rule: Query = serde_json::from_value(rule(json!({})).params).unwrap();
    let over = Range::new(ORIGIN + secs(60) * from, ORIGIN + secs(60) * to);
    let minutes = |question: Question| question.over.end.since(ORIGIN).millis() / 60_000;
    let context = Context::default();
    let asked = |round| rule.ask_round(round, over, &context, watch).into_iter().map(minutes).collect();
    (0..5).map(asked).take_while(|asked: &Vec<u64>| !asked.is_empty()).collect()
}

#[test]
fn every_new_check_of_a_window_is_made_in_as_many_rounds_as_it_takes() {
    let lens = |rounds: Vec<Vec<u64>>| rounds.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lens(rounds(&mut Watch::default(), 0, 64)), [64]);
    let asked = rounds(&mut Watch::default(), 0, 256);
    assert_eq!(asked.concat(), (1..=256).collect::<Vec<_>>());
    assert_eq!(lens(asked), [64, 64, 64, 64]);
    // None is left out: the host refuses so many in one round, and halves the window.
    assert_eq!(rounds(&mut Watch::default(), 0, 257)[0].len(), 257);
    assert_eq!(take_logs().len(), 0);
}

#[test]
fn of_checks_made_before_the_oldest_are_left_out() {
    let mut watch = Watch::default();
    rounds(&mut watch, 0, 250);
    let asked = rounds(&mut watch, 0, 300);
    assert_eq!(asked.concat(), (45..=300).collect::<Vec<_>>());
    let told = "`lateness` is 300 checks long: only the last 256 are made again for late documents";
    assert_eq!(take_logs()[0].1, told);
}

#[test]
fn nothing_at_a_pointer_fails_the_run_in_words_unless_it_may_be_so() {
    let case = |params| rule(params).answer(secs(0), Answers::Search, json!({ "p99": null, "hits": 3 }));
    let message = problem(&case(json!({})));
    assert!(
        message
            .contains("the answer has nothing at `/aggregations/p/values/99.0`, which `pick` calls `p99`: "),
        "{message}"
    );
    let found = case(json!({ "missing": "ignore" })).until(secs(60)).run::<Query>();
    assert_eq!(found[0].summary, "hits 3 is below 10");
    assert!(found[0].details.contains(r#""p99":null"#));
    // And what is no number is none whatever is said.
    let words =
        rule(json!({ "missing": "ignore" })).answer(secs(0), Answers::Search, json!({ "p99": "12 ms" }));
    assert!(problem(&words).contains("column `p99` holds words where the rule reads numbers"));
}

#[test]
fn all_faults_of_the_parameters_are_told() {
    let params = json!({
        "body": {}, "every": "0s", "over": "0s", "pick": { "a": "hits.total", "b": "/b" },
        "fire": [{ "value": "c", "above": 1 }, { "value": "a" }, { "value": "b", "above": 1, "below": 2 }],
    });
    assert_eq!(
        problem(&Case::new(params).key(["host"])),
        "a search gives one answer: leave `key:` out of the manifest, or count by key with another rule\n\
         /every: must be longer than zero\n\
         /over: must be longer than zero\n\
         /pick/a: `hits.total` is not a JSON pointer: write it like `/aggregations/a/value`\n\
         /fire/0/value: `c` is not picked; picked are: a, b\n\
         /fire/1: set `above`, `below` or both: otherwise the rule never fires\n\
         /fire/2/above: must not be less than `below`: every value would fire"
    );
    let nothing = problem(&Case::new(json!({ "body": {}, "every": "1m", "pick": {}, "fire": [] })));
    assert_eq!(
        nothing,
        "/pick: must name 1 to 100 values of the answer\n/fire: is empty: nothing would ever fire"
    );
    assert!(
        problem(&Case::new(json!({ "body": [], "every": "1m", "pick": {}, "fire": [] }))).contains("a map")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// However time is cut on the grid, and with a restart between any two windows.
    #[test]
    fn no_way_of_cutting_time_changes_the_verdict(
        answers in prop::collection::vec((0_u64..40, 0_u8..3), 0..30),
        cuts in prop::collection::btree_set(1_u64..40, 0..10),
        lateness in 0_u64..200,
    ) {
        let case = answer(rule(json!({ "missing": "ignore" })), 0, 50.0, 20).until(secs(2_400));
        let case = answers.iter().fold(case, |case, (at, high)| answer(case, at * 60 + 30, f64::from(*high) * 90.0, 20));
        let whole = Case { ends: vec![secs(2_400)], ..case.clone() };
        let ends = cuts.into_iter().map(|cut| secs(cut * 60)).collect();
        let cut = Case { ends, lateness: secs(lateness), ..case };
        prop_assert_eq!(cut.run::<Query>(), whole.run::<Query>());
    }
}
