//! Floods, drawn at random, against the same rule without a limit: which keys fire must be the same.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::*;
use watchbell_contract::{Duration, SignalKind, Window};

use super::*;
use crate::fixtures;
use crate::level::{Held, Unwritten, fold, suspend};
use crate::signals::LinkedSignal;
use crate::spec::{Comparison, Worse};

const MINUTE: i64 = 60_000;
/// How far a window reaches back.
const LATE: i64 = 2 * MINUTE;

/// Keys that act together.
#[derive(Clone, Copy, Debug)]
struct Group {
    /// Its first key, and how many there are.
    first: usize,
    size: usize,
}

#[derive(Clone, Debug)]
enum Deed {
    /// Fires this long before the window's end, for this long, with this value.
    Fire {
        group: Group,
        ago: i64,
        holds: i64,
        value: u8,
    },
    Clear {
        group: Group,
        ago: i64,
    },
}

#[derive(Clone, Debug)]
enum Step {
    Window(Vec<Deed>),
    /// Time that was not evaluated.
    Suspend(i64),
    /// Another limit.
    Limit(usize),
}

fn groups() -> impl Strategy<Value = Group> {
    let group = |sizes: std::ops::Range<usize>| {
        (0..60_usize, sizes).prop_map(|(first, size)| Group { first: first * 50, size })
    };
    // Alone; more than have a place; more than wait in full.
    prop_oneof![4 => group(1..4), 3 => group(4..60), 1 => group(1_100..1_500)]
}

fn deed() -> impl Strategy<Value = Deed> {
    let ago = || prop_oneof![3 => 0..MINUTE, 1 => 0..LATE];
    prop_oneof![
        3 => (groups(), ago(), 0..6 * MINUTE, any::<u8>())
            .prop_map(|(group, ago, holds, value)| Deed::Fire { group, ago, holds, value }),
        1 => (groups(), ago()).prop_map(|(group, ago)| Deed::Clear { group, ago }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec(deed(), 0..5).prop_map(Step::Window),
        1 => (0..10 * MINUTE).prop_map(Step::Suspend),
        1 => (1..12_usize).prop_map(Step::Limit),
    ]
}

fn key(number: usize) -> Vec<Label> {
    vec![Label { name: "user".into(), value: Some(format!("user {number:05}")) }]
}

fn signal(labels: Vec<Label>, kind: SignalKind, at: i64, until: Option<i64>, value: f64) -> LinkedSignal {
    let signal = Signal {
        labels,
        at: Timestamp(at),
        until: until.map(Timestamp),
        kind,
        identity: None,
        value: Some(value),
        threshold: None,
        summary: format!("{value} failures"),
        details: r#"{"of":"a test"}"#.into(),
        evidence: None,
    };
    LinkedSignal { signal, link: None, documents: None, nth: 0, mark: 0, seen: false }
}

fn signals(deeds: &[Deed], end: i64) -> Vec<LinkedSignal> {
    let mut all = Vec::new();
    for deed in deeds {
        let (Deed::Fire { group, .. } | Deed::Clear { group, .. }) = *deed;
        for number in group.first..group.first + group.size {
            all.push(match *deed {
                Deed::Fire { ago, holds, value, .. } => {
                    let at = end - ago;
                    signal(key(number), SignalKind::Firing, at, Some(at + holds), f64::from(value))
                }
                Deed::Clear { ago, .. } => signal(key(number), SignalKind::Clear, end - ago, None, 0.0),
            });
        }
    }
    // One signal of a key and an instant counts, as for a run.
    let mut met = BTreeSet::new();
    all.retain(|it| met.insert((it.signal.labels.clone(), it.signal.at)));
    all.sort_by_key(|it| it.signal.at);
    all
}

/// A rule that folds what it is given, and what the notifier knows of it.
struct Rule {
    spec: RuleSpec,
    open: Open,
    unwritten: Unwritten,
    overflow: Overflow,
    told: BTreeMap<Vec<Label>, Level>,
}

impl Rule {
    fn new(episodes_max: usize) -> Self {
        let worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(200.0) }];
        Self {
            spec: RuleSpec { episodes_max, worse, ..fixtures::rule() },
            open: Open::new(),
            unwritten: Unwritten::new(),
            overflow: Overflow::default(),
            told: BTreeMap::new(),
        }
    }

    fn window(&mut self, signals: Vec<LinkedSignal>, window: Window) -> Vec<Change> {
        let clock = WindowClock { window, judged: window.end };
        let held =
            Held { open: &mut self.open, unwritten: &mut self.unwritten, overflow: &mut self.overflow };
        let changes = fold(&Incarnation::default(), &self.spec, held, signals, clock);
        changes.iter().for_each(|change| self.tell(change));
        changes
    }

    fn suspend(&mut self, span: i64) {
        let span = Duration(span.cast_unsigned());
        self.overflow.suspend(span);
        suspend(&mut self.open, span).iter().for_each(|change| self.tell(change));
    }

    /// As a host that takes over finds it: from the written levels, and the rule's record.
    fn restart(&mut self) {
        self.unwritten.clear();
        self.open = self.told.clone();
    }

    fn tell(&mut self, change: &Change) {
        match change {
            Change::Level { level, worse } => {
                if let Some(before) = self.told.insert(level.labels.clone(), level.clone()) {
                    assert_eq!(before.id, level.id, "a level opened while one of its labels was open");
                    assert!(worse.is_some() || level.severity == before.severity, "{level:?}");
                }
            }
            Change::Suspended { level } => {
                self.told.insert(level.labels.clone(), level.clone());
            }
            // It is written later; the time in between is not what is tested here.
            Change::Renewed { level } => {
                let before = self.told.insert(level.labels.clone(), level.clone());
                assert_eq!(before.map(|before| before.id), Some(level.id.clone()));
            }
            // It may have begun in the same window.
            Change::Ended { level, .. } => {
                if self.told.get(&level.labels).is_some_and(|told| told.id == level.id) {
                    self.told.remove(&level.labels);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    /// The keys that have a place of their own.
    fn own(&self) -> BTreeSet<&Vec<Label>> {
        self.open.keys().filter(|labels| !is_overflow(labels)).collect()
    }
}

fn order(level: &Level) -> (Timestamp, &Vec<Label>) {
    (level.since, &level.labels)
}

/// One window, with and without a limit.
fn check(rule: &mut Rule, free: &mut Rule, deeds: &[Deed], end: i64) {
    let window =
        Window { start: Timestamp(end - LATE), settled: Timestamp(end - LATE + MINUTE), end: Timestamp(end) };
    let (before, had) = (rule.open.clone(), level(&rule.open).cloned());
    let residents = rule.own().len();
    let passed = rule.overflow.passed;
    let changes = rule.window(signals(deeds, end), window);
    free.window(signals(deeds, end), window);
    let (open, overflow) = (&rule.open, &rule.overflow);

    // Every key that fires has a place or is counted, and nothing else is.
    let firing: BTreeSet<u64> = free.open.keys().map(|labels| digest::labels_hash(labels)).collect();
    let own = rule.own().into_iter().map(|labels| digest::labels_hash(labels));
    let waiting = overflow.waiting.iter().map(|level| digest::labels_hash(&level.labels));
    let held: Vec<u64> = own.chain(waiting).chain(overflow.counted.keys().copied()).collect();
    let found: BTreeSet<u64> = held.iter().copied().collect();
    assert_eq!(found.len(), held.len(), "a key is held twice");
    assert_eq!(found, firing, "of {} keys", firing.len());

    // Nobody gets in beyond the limit, and nobody waits for a place that was free when the window began.
    let limit = rule.spec.episodes_max;
    let came_in: Vec<&Level> = open
        .values()
        .filter(|level| {
            !is_overflow(&level.labels) && before.get(&level.labels).is_none_or(|was| was.id != level.id)
        })
        .collect();
    let places = limit.saturating_sub(residents);
    let came_and_went = changes
        .iter()
        .filter(|change| match change {
            Change::Ended { level, .. } => {
                !is_overflow(&level.labels) && before.get(&level.labels).is_none_or(|was| was.id != level.id)
            }
            _ => false,
        })
        .count();
    let used = came_in.len() + came_and_went;
    assert!(used <= places, "{used} came in over {places} places");
    assert!(rule.own().len() <= limit.max(residents), "{} of {limit}", rule.own().len());
    if !overflow.waiting.is_empty() {
        assert_eq!(used, places, "a place stayed free while a key waited");
    }
    // In order.
    if let (Some(last), Some(next)) =
        (came_in.iter().map(|level| order(level)).max(), overflow.waiting.first())
    {
        assert!(last < order(next), "{last:?} came in before {next:?}");
    }
    assert!(overflow.waiting.is_sorted_by(|a, b| order(a) < order(b)));

    // The overflow is opened and ended once, and says how many there are and how bad it is.
    let told = level(open);
    assert_eq!(told.is_some(), !overflow.is_over());
    let of_it = changes.iter().filter(|change| match change {
        Change::Level { level, .. } | Change::Ended { level, .. } => is_overflow(&level.labels),
        _ => false,
    });
    let of_it: Vec<&Change> = of_it.collect();
    assert!(of_it.len() <= 1, "{of_it:?}");
    match (had, told) {
        (None, None) => {
            assert!(of_it.iter().all(|change| matches!(change, Change::Ended { .. })), "{of_it:?}");
            // What came and went is said once.
            assert_eq!(*overflow, Overflow::default());
        }
        (None, Some(_)) => assert!(matches!(of_it[..], [Change::Level { worse: None, .. }]), "{of_it:?}"),
        (Some(_), None) => {
            assert!(matches!(of_it[..], [Change::Ended { why: Ending::WithinLimit, .. }]), "{of_it:?}")
        }
        (Some(had), Some(told)) => {
            assert_eq!((&had.id, had.since), (&told.id, told.since), "it is the same overflow");
            let rose = had.severity < told.severity;
            let is_told = matches!(of_it[..], [Change::Level { worse: Some(_), .. }]);
            assert!(!rose || is_told, "{told:?}");
            assert!(overflow.passed >= passed);
        }
    }
    if let Some(told) = told {
        let worst = overflow.waiting.iter().map(|level| level.severity).max();
        assert!(Some(told.severity) >= worst, "{told:?}");
        let said = told.last.value.expect("a number");
        let keys = overflow.keys() as f64;
        assert!((said - keys).abs() <= 0.1 * said, "it says {said} of {keys}");
        let (_, listed) = super::told(&told.last);
        // Of keys that are only counted, the names of the worst are kept, and those may be over.
        let least = usize::from(!overflow.waiting.is_empty());
        assert!((least..=OVERFLOW_NAMED_MAX).contains(&listed.len()), "{listed:?} of {told:?}");
    }
    // People know exactly what is open.
    let known: Vec<_> = rule.told.values().map(|level| (&level.labels, &level.id)).collect();
    assert_eq!(known, open.values().map(|level| (&level.labels, &level.id)).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_key_that_fires_has_a_place_or_is_counted(
        limit in 1..12_usize,
        steps in vec(step(), 1..25),
        restarts in vec(any::<bool>(), 25),
    ) {
        let (mut rule, mut free) = (Rule::new(limit), Rule::new(usize::MAX));
        let mut end = 1_000 * MINUTE;
        for (step, restart) in steps.iter().zip(restarts) {
            match step {
                Step::Window(deeds) => {
                    end += MINUTE;
                    check(&mut rule, &mut free, deeds, end);
                }
                Step::Suspend(span) => {
                    end += span;
                    rule.suspend(*span);
                    free.suspend(*span);
                }
                Step::Limit(limit) => rule.spec.episodes_max = *limit,
            }
            if restart {
                rule.restart();
                free.restart();
            }
        }
        // Once nothing fires, nothing is left.
        for _ in 0..40 {
            end += MINUTE;
            check(&mut rule, &mut free, &[], end);
        }
        prop_assert!(rule.open.is_empty() && rule.told.is_empty());
        prop_assert_eq!(&rule.overflow, &Overflow::default());
    }

    #[test]
    fn times_at_the_ends_of_time_do_not_matter(
        times in vec((extremes(), extremes(), 0..3_usize, 0..4_usize), 0..12),
        windows in vec((extremes(), extremes()), 1..6),
    ) {
        let mut rule = Rule::new(2);
        for (a, b) in windows {
            let (start, end) = (a.min(b), a.max(b));
            let kinds = [SignalKind::Firing, SignalKind::Clear, SignalKind::Firing];
            let mut signals: Vec<_> = times
                .iter()
                .map(|(at, until, kind, number)| signal(key(*number), kinds[*kind], *at, Some(*until), 1.0))
                .collect();
            signals.sort_by_key(|it| it.signal.at);
            rule.window(signals, Window { start: Timestamp(start), settled: Timestamp(start), end: Timestamp(end) });
            rule.suspend(i64::MAX);
            prop_assert!(rule.own().len() <= 2);
        }
    }
}

fn extremes() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(i64::MIN),
        Just(i64::MIN + 1),
        Just(-1),
        Just(0),
        Just(i64::MAX - 1),
        Just(i64::MAX),
        any::<i64>()
    ]
}

/// Each window brings as many new keys as a run may, and none of them ends.
#[test]
fn a_module_that_never_runs_out_of_keys_costs_no_more_than_the_first_windows() {
    let mut rule = Rule::new(1_000);
    let mut sizes = Vec::new();
    for minute in 0..20_usize {
        let end = minute as i64 * MINUTE;
        let keys = minute * 10_000..(minute + 1) * 10_000;
        let fire = |number| signal(key(number), SignalKind::Firing, end, Some(end + 1_000 * MINUTE), 1.0);
        let window = Window { start: Timestamp(end), settled: Timestamp(end), end: Timestamp(end) };
        let changes = rule.window(keys.map(fire).collect(), window);
        let Overflow { waiting, counted, named, .. } = &rule.overflow;
        sizes.push((rule.open.len(), waiting.len(), counted.len(), named.len(), changes.len()));
    }
    let full = (1_001, OVERFLOW_WAITING_MAX, OVERFLOW_COUNTED_MAX, OVERFLOW_NAMED_MAX, 0);
    assert_eq!(sizes[0], (1_001, OVERFLOW_WAITING_MAX, 8_000, OVERFLOW_NAMED_MAX, 1_001));
    assert_eq!(sizes[3..], vec![full; 17]);
    assert!(!rule.overflow.is_exact());
    let said = &level(&rule.open).expect("an overflow").last.summary;
    assert_eq!(said, "at least 21000 keys fire beyond its limit of 1000 open episodes (`limits.episodes`)");
    // What could not be counted is waited for.
    let end = |minutes: i64| Window {
        start: Timestamp(minutes * MINUTE),
        settled: Timestamp(minutes * MINUTE),
        end: Timestamp(minutes * MINUTE),
    };
    rule.window(Vec::new(), end(1_005));
    assert_eq!((rule.overflow.keys(), rule.overflow.is_over()), (0, false));
    rule.window(Vec::new(), end(1_019));
    assert!(level(&rule.open).is_some());
    rule.window(Vec::new(), end(1_020));
    assert!(rule.open.is_empty());
}

#[test]
fn what_waits_has_little_text_and_so_have_levels_beyond_a_rules_share() {
    let long = |number: usize, at: i64| {
        let mut linked = signal(key(number), SignalKind::Firing, at, Some(1_000 * MINUTE), 1.0);
        linked.signal.details = format!(r#"{{"text":"{}"}}"#, "x".repeat(200 << 10));
        linked
    };
    let mut rule = Rule::new(200);
    for minute in 0..40 {
        let (at, first) = (minute as i64 * MINUTE, minute * 20);
        let window = Window { start: Timestamp(at), settled: Timestamp(at), end: Timestamp(at) };
        rule.window((first..first + 20).map(|number| long(number, at)).collect(), window);
    }
    assert_eq!((rule.own().len(), rule.overflow.waiting.len()), (200, 600));
    let bytes: usize = rule.open.values().map(size).sum();
    assert!((15 << 20..17 << 20).contains(&bytes), "{bytes}");
    let waiting: usize = rule.overflow.waiting.iter().map(size).sum();
    assert!(waiting <= 600 * 2_500, "{waiting}");
}

#[test]
fn the_worst_keys_are_listed_wherever_they_are_kept() {
    let mut rule = Rule::new(2);
    let window = Window { start: Timestamp(0), settled: Timestamp(0), end: Timestamp(MINUTE) };
    let value = |number: usize| match number {
        // One that waits and one that is only counted.
        700 => 250.0,
        1_900 => 240.0,
        _ => (number % 100) as f64,
    };
    let fire =
        |number| signal(key(number), SignalKind::Firing, number as i64, Some(10 * MINUTE), value(number));
    rule.window((0..2_000).map(fire).collect(), window);
    let told = level(&rule.open).expect("an overflow");
    assert_eq!(told.severity, Severity::Critical);
    let (count, listed) = super::told(&told.last);
    assert_eq!((count, listed.len()), (1_998, 10));
    assert_eq!(
        listed[..3],
        [
            "user user 00700: critical, value 250",
            "user user 01900: critical, value 240",
            "user user 00099: warning, value 99"
        ]
    );
}

#[test]
fn it_is_said_again_when_it_is_ten_times_as_large() {
    let mut rule = Rule::new(1);
    let mut said = Vec::new();
    for (minute, keys) in [2_usize, 5, 11, 12, 60, 101, 102].into_iter().enumerate() {
        let end = minute as i64 * MINUTE;
        let fire = |number| signal(key(number), SignalKind::Firing, end, Some(end + 10 * MINUTE), 1.0);
        let window = Window { start: Timestamp(end), settled: Timestamp(end), end: Timestamp(end) };
        let changes = rule.window((0..keys).map(fire).collect(), window);
        let worse = changes.iter().any(|change| match change {
            Change::Level { level, worse } => is_overflow(&level.labels) && worse.is_some(),
            _ => false,
        });
        said.push((rule.overflow.keys(), worse));
    }
    assert_eq!(
        said,
        [(1, false), (4, false), (10, true), (11, false), (59, false), (100, true), (101, false)]
    );
}

#[test]
fn a_limit_that_is_lowered_ends_nothing_and_one_that_is_raised_lets_in_those_who_wait() {
    let mut rule = Rule::new(5);
    let window = |minute: i64| {
        let at = Timestamp(minute * MINUTE);
        Window { start: at, settled: at, end: at }
    };
    let fire = |number| signal(key(number), SignalKind::Firing, 0, Some(60 * MINUTE), 1.0);
    rule.window((0..8).map(fire).collect(), window(0));
    rule.spec.episodes_max = 2;
    assert_eq!(rule.window(Vec::new(), window(1)), []);
    assert_eq!((rule.own().len(), rule.overflow.keys()), (5, 3));
    rule.spec.episodes_max = 7;
    rule.window(Vec::new(), window(2));
    assert_eq!((rule.own().len(), rule.overflow.keys()), (7, 1));
    rule.spec.episodes_max = 8;
    rule.window(Vec::new(), window(3));
    assert_eq!((rule.own().len(), level(&rule.open)), (8, None));
}

/// Ten times as many keys take about ten times as long to open and to end: not a hundred times.
#[test]
fn opening_and_ending_levels_costs_little_more_than_their_number() {
    let took = |keys: usize| {
        let mut rule = Rule::new(keys / 2);
        let fire = |number| signal(key(number), SignalKind::Firing, 0, Some(MINUTE), 1.0);
        let signals: Vec<_> = (0..keys).map(fire).collect();
        let window = |end| Window { start: Timestamp(0), settled: Timestamp(0), end: Timestamp(end) };
        #[expect(clippy::disallowed_methods, reason = "it compares two durations")]
        let began = Instant::now();
        rule.window(signals, window(0));
        rule.window(Vec::new(), window(10 * MINUTE));
        assert!(rule.open.is_empty());
        began.elapsed()
    };
    let best = |keys| (0..5).map(|_| took(keys)).min().expect("five");
    let (few, many) = (best(10_000), best(100_000));
    assert!(many < few * 80, "{few:?} for 10,000 keys, {many:?} for 100,000");
}
