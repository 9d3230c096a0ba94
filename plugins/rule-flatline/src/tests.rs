use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use watchbell_sdk::Context;
use watchbell_sdk::testing::case::{Case, Expected, ExpectedKind, ORIGIN};
use watchbell_sdk::testing::{Json, Native, Runner, check_folder};
use watchbell_sdk::{Ask, SignalKind};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Judged every 2 s.
fn rule(threshold: u32) -> Case {
    Case::new(json!({ "threshold": threshold, "timeframe": "20s" })).every(secs(10)).until(secs(200))
}

fn edit(mut case: Case, params: Json) -> Case {
    for (name, value) in params.as_object().unwrap() {
        case.params[name] = value.clone();
    }
    case
}

/// When levels began and ended, by the first label: what is told again is left out.
fn changes(case: &Case) -> Vec<(u64, Option<String>, SignalKind)> {
    let mut signals = case.run::<Flatline>();
    signals.sort_by(|a, b| (a.at, &a.labels).cmp(&(b.at, &b.labels)));
    let mut low = BTreeSet::new();
    let changed = signals.into_iter().filter(|signal| match signal.kind {
        SignalKind::Firing => low.insert(signal.labels.clone()),
        _ => low.remove(&signal.labels),
    });
    changed
        .map(|signal| {
            let label = signal.labels.0.first().cloned().flatten();
            (signal.at.since(ORIGIN).millis() / 1_000, label, signal.kind)
        })
        .collect()
}

fn level(at: u64, label: &str, kind: SignalKind) -> (u64, Option<String>, SignalKind) {
    (at, Some(label.to_owned()), kind)
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<Flatline>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let elastalert = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/elastalert/flatline.test.yaml");
    for case in Case::read_file(elastalert.as_ref()).unwrap() {
        case.check::<Flatline>();
    }
}

#[test]
fn silence_fires_once_holds_and_is_cleared() {
    let mut case = rule(1).every(secs(60)).until(secs(60)).document(secs(1), json!({}));
    case = case.document(secs(51), json!({}));
    let mut expected: Vec<_> = [(22, 42), (30, 50), (40, 60), (50, 70)]
        .into_iter()
        .map(|(at, until)| Expected {
            at: secs(at).into(),
            kind: Some(ExpectedKind::Firing),
            until: Some(secs(until)),
            value: Some(0.0),
            summary: Some("no events within 20s".into()),
            ..Expected::default()
        })
        .collect();
    expected.push(Expected {
        at: secs(52).into(),
        kind: Some(ExpectedKind::Clear),
        summary: Some("again 1 or more within 20s".into()),
        ..Expected::default()
    });
    case = case.expect(expected);
    case.check::<Flatline>();
    let told = case.run::<Flatline>();
    assert_eq!(told[0].details, r#"{"count":0,"last_before":"2024-01-01T00:00:02.000Z"}"#);
    let Some(Evidence::Selection(evidence)) = &told[0].evidence else { panic!() };
    assert_eq!(evidence.over, Range::new(ORIGIN + secs(2), ORIGIN + secs(22)));
    // Each telling reaches beyond the next, so that the level never lapses.
    assert!(told.windows(2).all(|pair| pair[0].until.is_none_or(|until| pair[1].at < until)));
}

#[test]
fn the_threshold_is_how_many_there_must_be() {
    let case = |threshold| {
        rule(threshold).every(secs(2)).documents(secs(0), 200, secs(5), json!({})).until(secs(300))
    };
    // Four within 20 s, and nothing before the first.
    assert_eq!(changes(&case(4)), [(2, None, SignalKind::Firing), (16, None, SignalKind::Clear)]);
    assert_eq!(changes(&case(5)), [(2, None, SignalKind::Firing)]);
    let told = case(5).run::<Flatline>();
    assert_eq!((told[5].value, told[5].threshold), (Some(4.0), Some(5.0)));
    assert_eq!(told[5].summary, "4 events within 20s, fewer than 5");
}

#[test]
fn a_key_is_judged_once_it_was_known_for_a_timeframe() {
    let case = |threshold| {
        let case = rule(threshold).key(["host"]).documents(secs(3), 3, secs(1), json!({ "host": "a" }));
        case.documents(secs(3), 100, secs(1), json!({ "host": "b" })).until(secs(40))
    };
    assert_eq!(changes(&case(1)), [level(26, "a", SignalKind::Firing)]);
    assert_eq!(changes(&case(3)), [level(24, "a", SignalKind::Firing)]);
    // Too few from the start; but only after 24 s is that known.
    assert_eq!(changes(&case(9)), [level(24, "a", SignalKind::Firing)]);
}

#[test]
fn a_missing_key_field_is_a_group_of_its_own() {
    let case = rule(1).key(["host"]).document(secs(3), json!({})).until(secs(30));
    assert_eq!(changes(&case), [(24, None, SignalKind::Firing)]);
}

#[test]
fn keys_that_died_before_the_first_run_are_told_within_half_a_timeframe() {
    for n in 0..20 {
        let name = format!("host-{n}");
        let mut case = rule(1).key(["host"]).document(secs(n), json!({ "host": name }));
        case.from = secs(1_000);
        let told = case.until(secs(1_010)).run::<Flatline>();
        assert_eq!(told.len(), 1, "{name}");
    }
}

#[test]
fn an_expected_key_is_told_of_though_it_was_never_seen() {
    let case = edit(rule(1).key(["host"]), json!({ "expected": ["a", "b", "7"] }));
    let case = case.documents(secs(0), 200, secs(1), json!({ "host": "b" })).until(secs(180));
    let mut case = case.documents(secs(100), 100, secs(1), json!({ "host": "7" }));
    case.documents[1].fields["host"] = json!("7");
    let fired: Vec<_> = changes(&case);
    let of = |name: &str| -> Vec<_> {
        let of: Vec<_> = fired.iter().filter(|(_, label, _)| label.as_deref() == Some(name)).collect();
        of.into_iter().map(|(at, _, kind)| (*at <= 10, *at, *kind)).collect()
    };
    assert!(of("b").is_empty());
    assert!(matches!(of("a")[..], [(true, _, SignalKind::Firing)]), "{fired:?}");
    assert!(
        matches!(of("7")[..], [(true, _, SignalKind::Firing), (false, 102, SignalKind::Clear)]),
        "{fired:?}"
    );
}

#[test]
fn an_expected_key_is_read_by_the_type_of_its_field() {
    for fetch in ["hits", "buckets"] {
        let params = json!({ "expected": ["0800", 7.0, "x", true], "fetch": fetch });
        let case = edit(rule(1).key(["port"]), params);
        let case = case.documents(secs(0), 200, secs(1), json!({ "port": 800 }));
        let case = case.documents(secs(0), 200, secs(1), json!({ "port": 7 })).until(secs(180));
        let told: BTreeSet<_> = changes(&case).into_iter().map(|(_, label, kind)| (label, kind)).collect();
        let silent = |label: &str| (Some(label.to_owned()), SignalKind::Firing);
        assert_eq!(told, BTreeSet::from([silent("true"), silent("x")]), "{fetch}");
    }
}

#[test]
fn a_forgotten_key_is_new_when_it_comes_again() {
    let case = edit(rule(1).key(["host"]), json!({ "forget_keys": true, "expected": ["b"] }));
    let mut case = case.document(secs(1), json!({ "host": "a" })).document(secs(101), json!({ "host": "a" }));
    case = case.document(secs(1), json!({ "host": "b" }));
    let told = case.until(secs(150)).run::<Flatline>();
    let of = |name: &str| -> Vec<u64> {
        let of = told.iter().filter(|signal| signal.labels.0[0].as_deref() == Some(name));
        of.map(|signal| signal.at.since(ORIGIN).millis() / 1_000).collect()
    };
    assert_eq!(of("a"), [22, 122]);
    assert!(of("b").len() > 10, "expected keys are never forgotten: {:?}", of("b"));
}

#[test]
fn a_document_that_is_late_but_within_is_counted() {
    let case = |arrives: u64| {
        let mut case = rule(1).every(secs(2)).until(secs(60)).lateness(secs(20));
        case = case.documents(secs(0), 9, secs(2), json!({})).document(secs(30), json!({}));
        case.documents[1].arrives = Some(secs(arrives).into());
        case
    };
    assert_eq!(changes(&case(30)), [(38, None, SignalKind::Firing)].map(|(at, k, kind)| (at + 14, k, kind)));
    // What was told while it was missing lapses: the level is not told again.
    let told = case(44).run::<Flatline>();
    let times: Vec<_> = told.iter().map(|signal| signal.at.since(ORIGIN).millis() / 1_000).collect();
    assert_eq!(times, [38, 40, 52, 60]);
    assert_eq!(told[1].until, Some(ORIGIN + secs(60)));
}

#[test]
fn state_keeps_a_thresholds_worth_of_events() {
    let rule: Flatline = read(json!({ "threshold": 3, "timeframe": "20s" }));
    let mut series = Series::new(Name::default(), 0);
    for cell in 0..10 {
        series.add(cell, 1);
    }
    assert_eq!(series.count_since(0), 10);
    series.forget_before(0, rule.threshold.get());
    assert_eq!((series.count_since(0), series.count_since(8), series.count_since(9)), (3, 2, 1));
    series.add(10, 3);
    series.forget_before(1, 3);
    assert_eq!((series.count_since(0), series.heap_bytes()), (3, 0), "one cell has all that it takes");
    series.add(11, 1);
    series.add(12, u32::MAX);
    series.add(12, 7);
    series.forget_before(11, u32::MAX);
    assert_eq!(series.count_since(12), u64::from(u32::MAX));
}

fn read(params: Json) -> Flatline {
    Flatline::deserialize(params).unwrap()
}

#[test]
fn two_hundred_thousand_keys_are_judged_and_kept() {
    let rule = read(json!({ "threshold": 1, "timeframe": "20s" }));
    rule.plan(&Context::of_key(["host"])).unwrap();
    let mut watched = Watched::default();
    for n in 0..200_000 {
        let name = format!("host-{n:06}.example");
        let make = || Series::new(Name::from(&Labels(vec![Some(name.clone())])), 0);
        watched.keys.update(Key::of([Some(name.as_str())]), make, |series| series.add(0, 1));
    }
    let mut told = Signals::default();
    rule.check(Timestamp(20_000), &mut watched, &mut told);
    assert!(told.is_empty());
    rule.check(Timestamp(22_000), &mut watched, &mut told);
    assert_eq!((told.len(), watched.keys.len()), (200_000, 200_000));
    // A tenth of them at each check of a beat of five.
    for at in [24, 26, 28, 30, 32] {
        let before = told.len();
        rule.check(Timestamp(at * 1_000), &mut watched, &mut told);
        assert!((39_000..41_000).contains(&(told.len() - before)), "{}", told.len() - before);
    }
}

#[test]
fn buckets_are_asked_for_by_key_and_cell() {
    let rule = read(json!({ "threshold": 1, "timeframe": "5m", "fetch": "buckets" }));
    let question = rule.ask(Range::new(ORIGIN, ORIGIN + secs(60))).remove(0);
    assert!(matches!(question.ask, Ask::Buckets(buckets) if buckets.every == Some(secs(30))));
}

#[test]
fn the_plan_reads_what_it_takes_to_know_the_keys() {
    let plan = |params: Json, key: &[&str]| {
        let context = Context::of_key(key.iter().copied());
        Native::<Flatline>::default().prepare(&params.to_string(), &context)
    };
    let params = |timeframe: &str| json!({ "threshold": 1, "timeframe": timeframe });
    assert_eq!(plan(params("5m"), &[]), Ok(Plan::checks(secs(300), secs(30))));
    assert_eq!(plan(params("5m"), &["k"]), Ok(Plan::checks(secs(3_600), secs(30))));
    assert_eq!(plan(params("1h"), &["k"]), Ok(Plan::checks(secs(3 * 3_600), secs(60))));
    let wrong = json!({ "threshold": 1, "timeframe": "1500ms", "expected": ["a"], "forget_keys": true });
    let faults = plan(wrong, &[]).unwrap_err();
    assert_eq!(
        faults.iter().map(|fault| fault.path.as_str()).collect::<Vec<_>>(),
        ["/timeframe", "/expected", "/forget_keys"]
    );
    let many: Vec<_> = (0..1_001).map(|n| n.to_string()).collect();
    assert!(plan(json!({ "threshold": 1, "timeframe": "5m", "expected": many }), &["k"]).is_err());
    assert!(plan(json!({ "threshold": 0, "timeframe": "5m" }), &[]).is_err());
}

type Events = Vec<(u64, u8)>;

fn keyed(threshold: u32, events: &Events) -> Case {
    let case = rule(threshold).key(["k"]).until(secs(300));
    events.iter().fold(case, |case, (at, k)| case.document(secs(*at), json!({ "k": k })))
}

/// What must be told, by looking at all events at every grid point.
fn oracle(threshold: u32, events: &Events) -> Vec<(u64, Option<String>, SignalKind)> {
    let mut changes = Vec::new();
    let keys: BTreeMap<u8, u64> =
        events.iter().rev().map(|(at, k)| (*k, *at)).fold(BTreeMap::new(), |mut firsts, (k, at)| {
            firsts.entry(k).and_modify(|first: &mut u64| *first = at.min(*first)).or_insert(at);
            firsts
        });
    let mut low = BTreeSet::new();
    for at in (2..=300).step_by(2) {
        for (k, first) in &keys {
            let within = events.iter().filter(|(e, of)| of == k && *e < at && *e + 20 >= at).count();
            // Known since the end of the cell of its first event, a timeframe ago.
            let is_low = (first / 2 + 1) * 2 + 20 <= at && within < threshold as usize;
            let changed = if is_low { low.insert(*k) } else { low.remove(k) };
            if changed {
                changes.push(level(
                    at,
                    &k.to_string(),
                    if is_low { SignalKind::Firing } else { SignalKind::Clear },
                ));
            }
        }
    }
    changes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Each window starts from the bytes that the one before kept, so this is also: a restart between any two.
    #[test]
    fn no_way_of_cutting_or_counting_changes_the_verdict(
        events in prop::collection::vec((0_u64..280, 0_u8..3), 0..80),
        cuts in prop::collection::btree_set(1_u64..150, 0..12),
        lateness in 0_u64..20,
        threshold in 1_u32..5,
        page_rows in 1_usize..20,
        forget in any::<bool>(),
    ) {
        let case = edit(keyed(threshold, &events), json!({ "forget_keys": forget }));
        let whole = Case { ends: vec![secs(300)], ..case.clone() };
        if !forget {
            prop_assert_eq!(changes(&whole), oracle(threshold, &events));
        }
        let ends: Vec<_> = cuts.into_iter().map(|cut| secs(cut * 2)).collect();
        let cut = Case { ends, lateness: secs(lateness * 2), page_rows, ..case };
        prop_assert_eq!(sorted(&cut), sorted(&whole));
        let kept = final_state(&Case { lateness: secs(lateness * 2), ..whole.clone() });
        prop_assert_eq!(&final_state(&cut), &kept);
        let buckets = json!({ "fetch": "buckets" });
        let counted = edit(cut, buckets.clone());
        prop_assert_eq!(sorted(&counted), sorted(&whole));
        prop_assert_eq!(&final_state(&counted), &kept);
        prop_assert_eq!(sorted(&edit(whole.clone(), buckets)), sorted(&whole));
    }

    #[test]
    fn late_documents_end_in_the_state_of_punctual_ones(
        events in prop::collection::vec((0_u64..280, 0_u8..3, 0_u64..60), 0..60),
        threshold in 1_u32..4,
    ) {
        let mut late = keyed(threshold, &events.iter().map(|(at, k, _)| (*at, *k)).collect());
        late = Case { ends: (1..40).map(|n| secs(n * 10)).collect(), lateness: secs(80), ..late }.until(secs(400));
        let punctual = late.clone();
        for (document, (at, _, behind)) in late.documents.iter_mut().zip(&events) {
            document.arrives = Some(secs(at + behind).into());
        }
        prop_assert_eq!(final_state(&late), final_state(&punctual));
        // Whatever is told of punctual documents is told of late ones too.
        let (late, punctual) = (sorted(&late), sorted(&punctual));
        let missing = punctual.iter().find(|told| {
            !late.iter().any(|late| (late.at, &late.labels, late.kind) == (told.at, &told.labels, told.kind))
        });
        prop_assert_eq!(missing, None);
    }
}

fn sorted(case: &Case) -> Vec<Signal> {
    let mut signals = case.run::<Flatline>();
    signals.sort_by(|a, b| (a.at, &a.labels, a.kind).cmp(&(b.at, &b.labels, b.kind)));
    signals
}

fn final_state(case: &Case) -> Vec<u8> {
    let mut runner = Native::<Flatline>::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    for end in case.ends.iter().copied().chain([case.until]) {
        timeline.advance(ORIGIN + end).unwrap();
    }
    timeline.state().unwrap().to_vec()
}
