//! The event windows of ElastAlert's `frequency`, on a timeline; and the promises that windows and restarts keep.
use proptest::prelude::{ProptestConfig, prop, prop_assert, prop_assert_eq, proptest};
use watchbell_sdk::Context;
use watchbell_sdk::SignalKind;
use watchbell_sdk::testing::case::{Case, Document, Expected, ORIGIN};
use watchbell_sdk::testing::check_folder;

use super::*;

mod counting; // what the values say while a level lasts

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn rule(num_events: u32, timeframe: &str) -> Case {
    Case::new(json!({ "num_events": num_events, "timeframe": timeframe }))
}

/// When matches were told, in seconds from the beginning: what only grew holds for less than a timeframe.
fn times(signals: &[Signal]) -> Vec<u64> {
    let holds = |signal: &Signal| signal.until.unwrap().since(signal.at);
    let timeframe = signals.iter().map(holds).max();
    let matches = signals.iter().filter(|signal| Some(holds(signal)) == timeframe);
    matches.map(|signal| signal.at.since(ORIGIN).millis() / 1_000).collect()
}

/// Sixty events of one user, a second apart.
fn a_minute_of_events(num_events: u32) -> Case {
    rule(num_events, "1h").documents(secs(0), 60, secs(1), json!({ "username": "qlo" }))
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<Frequency>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let elastalert = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/elastalert/frequency.test.yaml");
    for mut case in Case::read_file(elastalert.as_ref()).unwrap() {
        case.check::<Frequency>();
        case.params["fetch"] = json!("who_then_when");
        case.check::<Frequency>();
    }
}

#[test]
fn the_threshold_is_inclusive_with_and_without_a_key() {
    for key in [vec![], vec!["username"]] {
        let told = a_minute_of_events(59).key(key.clone()).run::<Frequency>();
        assert_eq!(times(&told), [58], "{key:?}");
        assert_eq!(a_minute_of_events(60).key(key.clone()).run::<Frequency>().len(), 1);
        assert!(a_minute_of_events(61).key(key).run::<Frequency>().is_empty());
    }
}

#[test]
fn a_signal_says_what_was_counted() {
    let mut case = rule(3, "1m").key(["host"]).documents(secs(10), 3, secs(5), json!({ "host": "a" }));
    case.params["attach_related"] = json!(true);
    case = case.expect([Expected {
        at: secs(20).into(),
        until: Some(secs(80)),
        value: Some(3.0),
        labels: Some([("host".to_owned(), Some("a".to_owned()))].into()),
        summary: Some("3 events within 1m".into()),
        details:
            json!({ "count": 3, "first": "2024-01-01T00:00:10.000Z", "last": "2024-01-01T00:00:20.000Z" })
                .as_object()
                .cloned()
                .unwrap_or_default(),
        ..Expected::default()
    }]);
    case.check::<Frequency>();
    let told = case.run::<Frequency>();
    assert_eq!((told[0].kind, told[0].threshold), (SignalKind::Firing, Some(3.0)));
    let Some(Evidence::Selection(evidence)) = &told[0].evidence else { panic!() };
    assert_eq!(evidence.newest, 3);
    assert_eq!(evidence.over, Range::new(ORIGIN + secs(10), ORIGIN + secs(20) + Duration(1)));
}

#[test]
fn events_a_timeframe_apart_do_not_count_together() {
    assert!(rule(2, "1m").documents(secs(0), 5, secs(60), json!({})).run::<Frequency>().is_empty());
    let told = rule(2, "1m").documents(secs(0), 2, Duration(59_999), json!({})).run::<Frequency>();
    assert_eq!(told.len(), 1);
}

#[test]
fn the_first_events_leave_the_window_first() {
    // Weights of ElastAlert's counts become documents of one instant.
    let at = |mins: u64, count: u32, case: Case| case.documents(secs(mins * 60), count, secs(0), json!({}));
    let fires = at(45, 6, at(25, 10, at(15, 10, at(0, 75, rule(100, "1h").until(secs(7_200))))));
    assert_eq!(times(&fires.run::<Frequency>()), [45 * 60]);
    let slides = at(65, 6, at(55, 10, at(45, 10, at(0, 75, rule(100, "1h").until(secs(7_200))))));
    assert!(slides.run::<Frequency>().is_empty());
    // 75 more of an earlier instant, in time order here: 10 + 10 + 75 + 6.
    assert_eq!(times(&at(60, 75, slides).run::<Frequency>()), [65 * 60]);
}

#[test]
fn a_match_drops_the_window_even_within_one_instant() {
    let told = rule(2, "1m").documents(secs(5), 5, secs(0), json!({})).run::<Frequency>();
    assert_eq!(times(&told), [5, 5]);
    let told = rule(3, "1m").documents(secs(0), 7, secs(1), json!({})).run::<Frequency>();
    assert_eq!(times(&told), [2, 5]);
}

#[test]
fn keys_count_apart_and_a_missing_one_is_a_group() {
    let case = rule(3, "1m")
        .key(["user"])
        .documents(secs(0), 2, secs(1), json!({ "user": "a" }))
        .documents(secs(0), 2, secs(1), json!({ "user": "b" }))
        .documents(secs(4), 3, secs(1), json!({}))
        .document(secs(20), json!({ "user": "b" }));
    let told = case.run::<Frequency>();
    let labels: Vec<_> = told.iter().map(|signal| signal.labels.0[0].as_deref()).collect();
    assert_eq!((times(&told), labels), (vec![6, 20], vec![None, Some("b")]));
}

#[test]
fn keys_of_several_fields_and_of_numbers_count_apart() {
    let case = rule(2, "1m")
        .key(["host", "port"])
        .documents(secs(0), 2, secs(9), json!({ "host": "a", "port": 80 }))
        .document(secs(1), json!({ "host": "a", "port": 443 }))
        .document(secs(2), json!({ "host": "b", "port": 80 }));
    let told = case.run::<Frequency>();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].labels, Labels(vec![Some("a".into()), Some("80".into())]));
}

#[test]
fn a_document_with_several_values_counts_for_each() {
    let case = rule(2, "1m")
        .key(["tag"])
        .document(secs(0), json!({ "tag": ["x", "y"] }))
        .document(secs(1), json!({ "tag": ["y", "z"] }));
    let told = case.run::<Frequency>();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].labels, Labels(vec![Some("y".into())]));
}

#[test]
fn late_documents_are_found_within_the_lateness() {
    // Sixty events, of which two come 90 s late: the threshold is met when they are there.
    let mut case = a_minute_of_events(60).lateness(secs(120));
    case.documents[0].count = 1;
    case.documents[0].arrives = Some(secs(90).into());
    for n in 1..60 {
        case = case.document(secs(n), json!({ "username": "qlo" }));
    }
    assert_eq!(times(&case.run::<Frequency>()), [59]);
    let late = case.run_with(&mut watchbell_sdk::testing::Native::<Frequency>::default()).unwrap();
    assert_eq!(late[0].window_end, ORIGIN + secs(120), "found by the run that saw the last of them");
    case.documents[0].arrives = Some(secs(300).into());
    assert!(case.run::<Frequency>().is_empty(), "too late");
}

#[test]
fn stale_events_do_not_count() {
    let case = a_minute_of_events(59).until(secs(7_200)).every(secs(600)).lateness(secs(3_600)).documents(
        secs(3_700),
        50,
        secs(0),
        json!({ "username": "qlo" }),
    );
    assert_eq!(times(&case.run::<Frequency>()), [58]);
}

#[test]
fn keys_that_fell_silent_leave_the_state() {
    let case = rule(9, "1m").key(["n"]).until(secs(600));
    let case = (0..100).fold(case, |case, n| case.document(secs(n), json!({ "n": n })));
    let mut runner = watchbell_sdk::testing::Native::<Frequency>::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    timeline.advance(ORIGIN + secs(100)).unwrap();
    assert!(timeline.state().unwrap().len() > 59 * 8);
    timeline.advance(ORIGIN + secs(200)).unwrap();
    assert!(timeline.state().unwrap().len() < 20);
}

#[test]
fn parameters_are_checked() {
    let fault = |params| {
        rule(1, "1s").with(params).run_with(&mut watchbell_sdk::testing::Native::<Frequency>::default())
    };
    assert_eq!(
        fault(json!({ "num_events": 1, "timeframe": "0s" })).unwrap_err(),
        "/timeframe: must be longer than zero"
    );
    for (params, says) in [
        (json!({ "num_events": 0, "timeframe": "1s" }), "nonzero"),
        (json!({ "num_events": 1, "timeframe": "5" }), "write, for example, `90s`"),
        (json!({ "num_events": 1, "timeframe": "5m", "num_event": 1 }), "unknown field `num_event`"),
    ] {
        let message = fault(params).unwrap_err();
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn documents_are_asked_only_of_keys_that_could_match() {
    let mut case = rule(3, "1m").key(["user", "host"]).every(secs(60)).until(secs(600));
    case.params["fetch"] = json!("who_then_when");
    let case = (0..50)
        .fold(case, |case, n| case.documents(secs(n), 2, secs(10), json!({ "user": n, "host": "a" })))
        .documents(secs(130), 3, secs(5), json!({ "user": 7, "host": "b" }));
    let mut asked = Vec::new();
    let mut runner = Recording { native: Default::default(), asked: &mut asked };
    let told = case.run_with(&mut runner).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].signal.at, ORIGIN + secs(140));
    let hits: Vec<_> =
        asked.iter().filter(|question| matches!(question.ask, watchbell_sdk::Ask::Hits(_))).collect();
    assert_eq!(hits.len(), 1, "one window of ten has a key that could match");
    assert_eq!(hits[0].over, Range::new(ORIGIN + Duration(60_001), ORIGIN + secs(180)));
    assert_eq!(hits[0].only[0].values, [Some("7".into())]);
    assert_eq!(hits[0].only[1].values, [Some("b".into())]);
}

/// Keeps the questions that are asked.
struct Recording<'a> {
    native: watchbell_sdk::testing::Native<Frequency>,
    asked: &'a mut Vec<Question>,
}

impl watchbell_sdk::testing::Runner for Recording<'_> {
    fn prepare(&mut self, params: &str, context: &Context) -> Result<Plan, Vec<Fault>> {
        self.native.prepare(params, context)
    }

    fn run(
        &mut self,
        call: watchbell_sdk::Call<'_>,
        answer: &mut watchbell_sdk::testing::Answer<'_>,
    ) -> Result<watchbell_sdk::Finding, watchbell_sdk::Problem> {
        let asked = &mut self.asked;
        self.native.run(call, &mut |question| {
            asked.push(question.clone());
            answer(question)
        })
    }
}

#[test]
fn priming_in_the_midst_of_a_run_of_matches_shifts_it_until_a_pause() {
    // An event each second, matches of three; a pause; the same again.
    let case = |from: u64| {
        let case = rule(3, "10s").every(secs(10)).until(secs(120));
        let case = case.documents(secs(0), 60, secs(1), json!({})).documents(secs(90), 9, secs(1), json!({}));
        Case { from: secs(from), ..case }
    };
    let from = |from: u64| times(&case(from).run::<Frequency>());
    assert_eq!(from(0)[9..], [29, 32, 35, 38, 41, 44, 47, 50, 53, 56, 59, 92, 95, 98]);
    // Primed from 21 s on: a second off at most, as the README says, and right after the pause.
    assert_eq!(from(31), [32, 35, 38, 41, 44, 47, 50, 53, 56, 59, 92, 95, 98]);
    assert_eq!(from(32), [33, 36, 39, 42, 45, 48, 51, 54, 57, 92, 95, 98]);
    assert_eq!(from(75), [92, 95, 98]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Each window starts from the bytes that the one before kept, so this is also: a restart between any two.
    #[test]
    fn no_way_of_cutting_time_changes_the_verdict(
        events in prop::collection::vec((0_u64..300, 0_u8..4), 0..120),
        cuts in prop::collection::btree_set(1_u64..300, 0..12),
        lateness in 0_u64..90,
        num_events in 1_u32..6,
        page_rows in 1_usize..50,
    ) {
        let case = events.iter().fold(rule(num_events, "20s").key(["k"]).until(secs(300)), |case, (at, k)| {
            case.document(secs(*at), if *k == 0 { json!({}) } else { json!({ "k": k }) })
        });
        let whole = Case { ends: vec![secs(300)], ..case.clone() };
        let cut = Case { ends: cuts.into_iter().map(secs).collect(), lateness: secs(lateness), page_rows, ..case };
        prop_assert_eq!(sorted(cut.run::<Frequency>()), sorted(whole.run::<Frequency>()));
        prop_assert_eq!(final_state(&cut), final_state(&Case { lateness: secs(lateness), ..whole }));
    }

    /// Ties, several matches, several keys; windows and lateness on the grid, as a host cuts them.
    #[test]
    fn who_then_when_tells_what_hits_tell(
        events in prop::collection::vec((0_u64..120, 0_u8..4, 1_u32..4), 0..80),
        cuts in prop::collection::btree_set(1_u64..60, 0..12),
        lateness in 0_u64..40,
        num_events in 1_u32..7,
        late in prop::collection::vec(0_u64..40, 80),
        page_rows in 1_usize..50,
    ) {
        // Twenty seconds are counted by two of them.
        let mut case = rule(num_events, "20s").key(["k"]).until(secs(130)).lateness(secs(lateness * 2));
        for ((at, k, ties), late) in events.iter().zip(late) {
            // Late, but never later than is judged.
            let arrives = (late <= lateness * 2).then(|| secs(at + late).into());
            let fields = if *k == 0 { json!({}) } else { json!({ "k": k }) };
            let fields = fields.as_object().cloned().unwrap_or_default();
            let count = if arrives.is_none() { *ties } else { 1 };
            case.documents.push(Document { at: secs(*at).into(), arrives, fields, count, ..Document::default() });
        }
        case.ends = cuts.into_iter().map(|cut| secs(cut * 2)).collect();
        case.page_rows = page_rows;
        let mut who = case.clone();
        who.params["fetch"] = json!("who_then_when");
        // Between two grid points counts know less than documents do; where they matched is the same.
        let (who, hits) = (matches(who.run::<Frequency>()), matches(case.run::<Frequency>()));
        let places = |signals: &[Signal]| -> Vec<_> { signals.iter().map(|s| (s.at, s.labels.clone(), s.until)).collect() };
        prop_assert_eq!(places(&who), places(&hits));
        for (who, hits) in who.iter().zip(&hits) {
            prop_assert!(who.value <= hits.value, "{:?} {:?}", who, hits);
            prop_assert!(who.value == hits.value || who.details.contains("\"exact\":false"), "{:?} {:?}", who, hits);
        }
    }

    #[test]
    fn late_documents_give_the_verdict_of_punctual_ones_where_they_complete_it(
        events in prop::collection::vec((0_u64..60, 0_u64..100), 1..40),
    ) {
        // With one match at most, being late can only put it off.
        let number = events.len() as u32;
        let mut case = rule(number, "1h").until(secs(300)).lateness(secs(200));
        let punctual = events.iter().fold(case.clone(), |case, (at, _)| case.document(secs(*at), json!({})));
        case.documents = events
            .iter()
            .map(|(at, late)| Document { at: secs(*at).into(), arrives: Some(secs(at + late).into()), ..Document::default() })
            .collect();
        prop_assert_eq!(times(&case.run::<Frequency>()), times(&punctual.run::<Frequency>()));
    }
}

/// The signals that hold for a timeframe of 20 s.
fn matches(signals: Vec<Signal>) -> Vec<Signal> {
    let holds = |signal: &Signal| signal.until.unwrap().since(signal.at);
    sorted(signals.into_iter().filter(|signal| holds(signal) == secs(20)).collect())
}

fn sorted(mut signals: Vec<Signal>) -> Vec<Signal> {
    signals.sort_by(|a, b| (a.at, &a.labels).cmp(&(b.at, &b.labels)));
    signals
}

fn final_state(case: &Case) -> Vec<u8> {
    let mut runner = watchbell_sdk::testing::Native::<Frequency>::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    for end in case.ends.iter().copied().chain([case.until]) {
        timeline.advance(ORIGIN + end).unwrap();
    }
    timeline.state().unwrap().to_vec()
}
