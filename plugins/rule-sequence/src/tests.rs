use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use watchbell_sdk::Context;
use watchbell_sdk::testing::case::{Case, Document, ORIGIN};
use watchbell_sdk::testing::{Json, Native, Runner, take_logs, check_folder};
use watchbell_sdk::{Ask, SignalKind};

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const NEVER: [u64; 0] = [];

/// Followed within 20 s.
fn then() -> Case {
    let params = json!({ "first": "event:a", "then": "event:b", "within": "20s" });
    Case::new(params).key(["k"]).every(secs(10)).until(secs(200))
}

/// Not followed within 20 s; looked at every 2 s.
fn without() -> Case {
    then().with(json!({ "first": "event:a", "without": "event:b", "within": "20s" }))
}

fn first(case: Case, at: u64, k: &str) -> Case {
    case.document(secs(at), json!({ "k": k, "event": "a" }))
}

fn other(case: Case, at: u64, k: &str) -> Case {
    case.document(secs(at), json!({ "k": k, "event": "b" }))
}

fn both(case: Case, at: u64, k: &str) -> Case {
    case.document(secs(at), json!({ "k": k, "event": ["a", "b"] }))
}

/// A word of instants: `1a 5b 5ab`.
fn walk(case: Case, word: &str) -> Case {
    word.split_whitespace().fold(case, |case, step| {
        let (at, what) = step.split_at(step.find(|c: char| !c.is_ascii_digit()).unwrap());
        let at = at.parse().unwrap();
        match what {
            "a" => first(case, at, "x"),
            "b" => other(case, at, "x"),
            _ => both(case, at, "x"),
        }
    })
}

fn of(case: &Case, kind: SignalKind) -> Vec<u64> {
    let told = case.run::<Sequence>().into_iter().filter(|signal| signal.kind == kind);
    told.map(|signal| signal.at.since(ORIGIN).millis() / 1_000).collect()
}

fn fired(case: &Case) -> Vec<u64> {
    of(case, SignalKind::Firing)
}

/// The documents that the first signal names.
fn documents(case: &Case, word: &str) -> Vec<String> {
    let told = walk(case.clone(), word).run::<Sequence>().remove(0);
    let evidence = told.evidence.unwrap();
    let Evidence::Documents(named) = evidence else { return vec![] };
    named.into_iter().map(|document| document.id).collect()
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<Sequence>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
}

#[test]
fn what_follows_within_the_time_fires_when_it_comes() {
    for (word, expected) in [
        ("1a 5b", vec![5]),
        ("1a 20b", vec![20]),
        ("1a 21b", vec![]),
        ("5b 6a", vec![]),
        // The newest of several counts, and each is followed once.
        ("1a 15a 30b", vec![30]),
        ("1a 15a 30b 31b", vec![30]),
        ("1a 5b 6b 7a 8b", vec![5, 8]),
        ("1a 1a 5b 6b", vec![5]),
    ] {
        assert_eq!(fired(&walk(then(), word)), expected, "{word}");
    }
    let told = walk(then(), "1a 5b").run::<Sequence>().remove(0);
    assert_eq!((told.until, told.value, told.threshold), (Some(ORIGIN + secs(25)), Some(4.0), Some(20.0)));
    assert_eq!(told.summary, "followed after 4s, within 20s");
    assert_eq!(told.labels, Labels(vec![Some("x".into())]));
    let Some(Evidence::Selection(evidence)) = told.evidence else { panic!() };
    assert_eq!(evidence.filter, Some("(event:a) OR (event:b)".into()));
    assert_eq!(evidence.over, Range::new(ORIGIN + secs(1), ORIGIN + secs(5) + Duration(1)));
    assert_eq!(
        documents(&then(), "1a 1a 3a 5b"),
        ["00000003", "00000002"],
        "what came, and the newest it followed"
    );
    assert_eq!(documents(&then(), "5b 5a"), ["00000000", "00000001"]);
    assert_eq!(documents(&then(), "5ab 5a"), ["00000000", "00000001"]);
    assert_eq!(documents(&without(), "1a 9a"), ["00000000"]);
}

#[test]
fn documents_of_one_instant_have_no_order() {
    for (word, expected) in [
        ("5a 5b", vec![5]),
        ("5b 5a", vec![5]),
        ("5b 5a 5b 6b", vec![5]),
        // A document that is both does not follow itself, but it follows and is followed.
        ("5ab", vec![]),
        ("5ab 5ab", vec![5]),
        ("5ab 5a", vec![5]),
        ("5b 5ab", vec![5]),
        ("5ab 9b", vec![9]),
        ("1a 5ab 9b", vec![5]),
        // What the instant had is all used up.
        ("1a 5b 5a 9b", vec![5]),
    ] {
        assert_eq!(fired(&walk(then(), word)), expected, "{word}");
    }
}

#[test]
fn what_is_not_followed_fires_when_the_time_has_passed() {
    for (word, expected, cleared) in [
        ("1a", vec![22], vec![]),
        ("2a", vec![22], vec![]),
        ("1a 20b", vec![], vec![]),
        ("5b 6a", vec![26], vec![]),
        ("5a 5b", vec![], vec![]),
        ("5b 5a", vec![], vec![]),
        ("5ab", vec![], vec![]),
        // It waits since the oldest, and once.
        ("1a 9a 15a", vec![22], vec![]),
        ("1a 9b 10a", vec![30], vec![]),
        // Too late, but before it was looked at.
        ("1a 21b", vec![], vec![]),
        // Too late: what was told is over, within as long again.
        ("1a 23b", vec![22], vec![23]),
        ("1a 41b 42b", vec![22], vec![41]),
        ("1a 42b", vec![22], vec![]),
        // Begun again after it was told.
        ("1a 23a", vec![22, 44], vec![]),
        ("1a 23a 30b", vec![22], vec![30]),
    ] {
        let case = walk(without(), word);
        assert_eq!(fired(&case), expected, "{word}");
        assert_eq!(of(&case, SignalKind::Clear), cleared, "{word}");
    }
    let told = walk(without(), "1a").run::<Sequence>().remove(0);
    assert_eq!((told.until, told.value, told.threshold), (Some(ORIGIN + secs(42)), Some(21.0), Some(20.0)));
    assert_eq!(told.summary, "not followed within 20s");
    assert_eq!(told.details, r#"{"first":"2024-01-01T00:00:01.000Z","deadline":"2024-01-01T00:00:21.000Z"}"#);
    assert_eq!(told.labels, Labels(vec![Some("x".into())]));
}

#[test]
fn keys_are_apart_and_a_missing_one_is_a_group() {
    let case = other(first(first(then(), 1, "x"), 2, "y"), 3, "z");
    assert_eq!(fired(&other(case, 4, "y")), [4]);
    let case = first(without(), 1, "x").document(secs(2), json!({ "event": "a" }));
    let told = other(case, 3, "x").run::<Sequence>();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].labels, Labels(vec![None]));
}

#[test]
fn only_documents_of_either_kind_are_asked_for() {
    let rule = read(without().params);
    let question = rule.ask(Range::new(ORIGIN, ORIGIN + secs(1))).remove(0);
    assert_eq!(question.filter, Some("(event:a) OR (event:b)".into()));
    let Ask::Hits(hits) = question.ask else { panic!() };
    let named: Vec<_> = hits.filters.iter().map(|named| (&*named.name, named.query.clone())).collect();
    assert_eq!((hits.fields.len(), named), (2, vec![("first", "event:a".into()), ("without", "event:b".into())]));
    let case = without().document(secs(1), json!({ "k": "x", "event": "c" }));
    assert_eq!(fired(&case.document(secs(2), json!({ "k": "x" }))), NEVER);
}

fn read(params: Json) -> Sequence {
    Sequence::deserialize(params).unwrap()
}

#[test]
fn a_late_follower_is_seen_within_the_lateness() {
    let late = |case: Case, arrives: u64| {
        let mut case = walk(case, "1a 15b").every(secs(2)).lateness(secs(20));
        case.documents[1].arrives = Some(secs(arrives).into());
        case
    };
    assert_eq!(fired(&late(then(), 30)), [15]);
    assert_eq!(fired(&late(then(), 60)), NEVER);
    // Told in its absence; the level lapses, for nothing is found that could end it.
    let case = late(without(), 30);
    assert_eq!((fired(&case), of(&case, SignalKind::Clear)), (vec![22], vec![]));
    assert_eq!(fired(&late(without(), 21)), NEVER);
}

#[test]
fn a_rule_is_primed_with_what_is_still_open() {
    let from = |case: Case, from: u64| Case { from: secs(from), ..case };
    assert_eq!(fired(&from(walk(then(), "1a 15b"), 10)), [15]);
    assert_eq!(fired(&from(walk(without(), "1a"), 10)), [22]);
    // Told before it began to look, and over since.
    let case = from(walk(without(), "1a 35b"), 30);
    assert_eq!((fired(&case), of(&case, SignalKind::Clear)), (vec![], vec![35]));
}

#[test]
fn two_hundred_thousand_keys_stay_open_and_of_more_the_oldest_are_forgotten() {
    let rule = read(without().params);
    let mut open = Open::default();
    for n in 0..200_001_i64 {
        let name = format!("customer-{n:06}.eu");
        let labels = Labels(vec![Some(name.clone())]);
        let make = || Waiting {
            name: Name::from(&labels),
            since: Some(Timestamp(n)),
            first: DocumentId::default(),
            told: None,
        };
        open.keys.update(Key::of([Some(name.as_str())]), make, |_| ());
    }
    assert_eq!(open.keys.len(), 175_001);
    assert!(
        take_logs()[0]
            .1
            .starts_with("more than 200000 names at once: the 25000 that have been silent longest")
    );
    let mut told = Signals::default();
    rule.check(Timestamp(100_000), &mut open, &mut told);
    assert_eq!((told.len(), open.keys.len()), (55_001, 175_001));
    rule.check(Timestamp(120_000), &mut open, &mut told);
    assert_eq!((told.len(), open.keys.len()), (75_001, 120_000));
    let mut open = Open { keys: open.keys, ..Open::default() };
    read(then().params).settle(Timestamp(200_000), &mut open);
    assert_eq!(open.keys.len(), 19_999 + 1);
}

#[test]
fn all_faults_of_the_parameters_are_told() {
    let faults = |params: Json, key: &[&str]| {
        let context = Context::of_key(key.iter().copied());
        let faults = Native::<Sequence>::default().prepare(&params.to_string(), &context).unwrap_err();
        faults.into_iter().map(|fault| format!("{} {}", fault.path, fault.message)).collect::<Vec<_>>()
    };
    let wrong = faults(json!({ "first": " ", "within": "0s" }), &[]);
    assert_eq!(wrong.len(), 4, "{wrong:?}");
    let wrong = faults(json!({ "first": "a", "then": "", "without": "c", "within": "1s" }), &["then"]);
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(wrong[0].contains("the key field `then` is called like a part"), "{wrong:?}");
    assert!(
        faults(json!({ "first": "a", "and": "b", "within": "1s" }), &["k"])[0]
            .contains("unknown field `and`")
    );
}

#[test]
fn the_grid_is_a_part_of_the_time_and_five_minutes_at_most() {
    let plan = |kind: &str, within: &str| {
        let params = json!({ "first": "a", kind: "b", "within": within }).to_string();
        Native::<Sequence>::default().prepare(&params, &Context::of_key(["k"])).unwrap()
    };
    assert_eq!(plan("then", "1h"), Plan::rows(secs(3_600)));
    assert_eq!(plan("without", "1h"), Plan::checks(secs(7_260), secs(60)));
    assert_eq!(plan("without", "14d"), Plan::checks(secs(28 * 86_400 + 300), secs(300)));
    assert_eq!(plan("without", "500ms").grid, Some(secs(1)));
}

type Step = (u64, u8, bool, bool);

fn stepped(case: Case, steps: &[Step]) -> Case {
    steps.iter().fold(case.until(secs(160)), |case, (at, k, is_first, is_other)| {
        let events: Vec<&str> = [(*is_first, "a"), (*is_other, "b")].iter().filter(|(is, _)| *is).map(|(_, event)| *event).collect();
        let fields = json!({ "k": k, "event": events });
        case.document(secs(*at), fields)
    })
}

/// When each key must fire, and when it must clear, by the words of the README.
fn oracle(steps: &[Step], is_then: bool) -> Vec<(u64, String, SignalKind)> {
    let mut found = Vec::new();
    let mut open: BTreeMap<u8, u64> = BTreeMap::new();
    let mut told: BTreeMap<u8, u64> = BTreeMap::new();
    for at in 0..=160 {
        if !is_then && at % 2 == 0 {
            for k in 0..3 {
                if open.get(&k).is_some_and(|since| since + 20 <= at) {
                    open.remove(&k);
                    told.insert(k, at);
                    found.push((at, k.to_string(), SignalKind::Firing));
                }
            }
        }
        for k in 0..3 {
            let now: Vec<_> = steps.iter().filter(|step| (step.0, step.1) == (at, k)).collect();
            let now: Vec<_> = now.into_iter().filter(|step| step.2 || step.3).collect();
            let (has_first, has_other) = (now.iter().any(|step| step.2), now.iter().any(|step| step.3));
            let was_open = open.get(&k).is_some_and(|since| at < since + 20);
            if is_then && has_other && (was_open || has_first && now.len() > 1) {
                open.remove(&k);
                found.push((at, k.to_string(), SignalKind::Firing));
            } else if is_then && has_first {
                open.insert(k, at);
            } else if !is_then && has_other {
                open.remove(&k);
                if told.remove(&k).is_some_and(|told| at < told + 20) {
                    found.push((at, k.to_string(), SignalKind::Clear));
                }
            } else if !is_then && has_first {
                open.entry(k).or_insert(at);
            }
        }
    }
    found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Each window starts from the bytes that the one before kept, so this is also: a restart between any two.
    #[test]
    fn neither_cutting_time_nor_the_order_of_an_instant_changes_the_verdict(
        steps in prop::collection::vec((0_u64..60, 0_u8..3, any::<bool>(), any::<bool>()), 0..60),
        cuts in prop::collection::btree_set(1_u64..160, 0..12),
        lateness in 0_u64..40,
        page_rows in 1_usize..10,
        is_then in any::<bool>(),
    ) {
        // Sparse in time, with several documents of one instant.
        let steps: Vec<Step> = steps.into_iter().map(|(at, k, a, b)| (at / 2 * 5, k, a, b)).collect();
        let case = stepped(if is_then { then() } else { without() }, &steps);
        let whole = Case { ends: vec![secs(160)], ..case.clone() };
        prop_assert_eq!(found(&whole), oracle(&steps, is_then));
        let ends: Vec<_> = cuts.into_iter().map(secs).collect();
        let cut = Case { ends, lateness: secs(lateness), page_rows, ..case };
        prop_assert_eq!(sorted(&cut), sorted(&whole));
        let kept = final_state(&Case { lateness: secs(lateness), ..whole.clone() });
        prop_assert_eq!(&final_state(&cut), &kept);
        let reversed = Case { documents: whole.documents.iter().rev().cloned().collect(), ..whole.clone() };
        prop_assert_eq!(without_documents(&reversed), without_documents(&whole));
        if is_then && steps.iter().all(|step| !(step.2 && step.3)) {
            let told = found(&whole).into_iter().filter(|(at, ..)| *at >= 50).collect::<Vec<_>>();
            prop_assert_eq!(found(&Case { from: secs(50), ..whole }), told);
        }
    }

    #[test]
    fn late_documents_end_in_the_state_of_punctual_ones(
        steps in prop::collection::vec((0_u64..100, 0_u8..3, any::<bool>(), 0_u64..60), 0..40),
        is_then in any::<bool>(),
    ) {
        let steps_in_time: Vec<Step> = steps.iter().map(|(at, k, a, _)| (*at, *k, *a, !*a)).collect();
        let case = stepped(if is_then { then() } else { without() }, &steps_in_time);
        let punctual = Case { ends: (1..30).map(|n| secs(n * 10)).collect(), lateness: secs(80), ..case }.until(secs(300));
        let late = Case {
            documents: punctual.documents.iter().zip(&steps).map(|(document, (at, _, _, behind))| Document {
                arrives: Some(secs(at + behind).into()),
                ..document.clone()
            }).collect(),
            ..punctual.clone()
        };
        prop_assert_eq!(final_state(&late), final_state(&punctual));
        let (late, punctual) = (found(&late), found(&punctual));
        let missing = punctual.iter().find(|told| !late.contains(told));
        prop_assert_eq!(missing, None);
    }
}

fn sorted(case: &Case) -> Vec<Signal> {
    let mut signals = case.run::<Sequence>();
    signals.sort_by(|a, b| (a.at, &a.labels, a.kind).cmp(&(b.at, &b.labels, b.kind)));
    signals
}

/// Which of several documents of an instant are shown, their order may decide.
fn without_documents(case: &Case) -> Vec<Signal> {
    let signals = sorted(case).into_iter();
    signals.map(|signal| Signal { evidence: None, ..signal }).collect()
}

fn found(case: &Case) -> Vec<(u64, String, SignalKind)> {
    let told = sorted(case).into_iter();
    told.map(|signal| {
        (
            signal.at.since(ORIGIN).millis() / 1_000,
            signal.labels.0[0].clone().unwrap_or_default(),
            signal.kind,
        )
    })
    .collect()
}

fn final_state(case: &Case) -> Vec<u8> {
    let mut runner = Native::<Sequence>::default();
    let mut timeline = case.timeline(&mut runner).unwrap();
    for end in case.ends.iter().copied().chain([case.until]) {
        timeline.advance(ORIGIN + end).unwrap();
    }
    timeline.state().unwrap().to_vec()
}
