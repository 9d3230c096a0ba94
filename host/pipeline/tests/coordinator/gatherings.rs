//! Random timelines of a group: what opens is named once, what was named is said to be over once, no message comes too
//! soon or too late, and a host that takes over changes nothing.
use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use watchbell_contract::{Cause, Duration, Intent, Severity, Timestamp};
use watchbell_pipeline::spec::{Comparison, GroupSpec, Pace, RuleSpec, Worse};

use crate::host::{Host, START, firing, rule, step};

/// Seconds after the start.
type Second = i64;

const LENGTH: Second = 2 * 3_600;

#[derive(Clone, Debug)]
struct Timeline {
    wait: Second,
    interval: Second,
    /// When `mail` is notified, in minutes.
    second_step: u64,
    keys: Vec<Key>,
    restarts: Vec<Second>,
}

/// Minutes of its beginning, of getting worse, and of its end.
#[derive(Clone, Copy, Debug)]
struct Key {
    opens: i64,
    worse: Option<i64>,
    ends: i64,
}

/// What a message says of one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    second: Second,
    to: String,
    key: String,
    what: String,
}

/// What was received of a timeline.
#[derive(Clone, Debug, Default, PartialEq)]
struct Heard {
    said: Vec<Said>,
    /// When each destination got a message.
    messages: BTreeMap<String, Vec<Second>>,
    /// How many keys were counted, by destination.
    counted: BTreeMap<String, usize>,
}

/// The same 60 timelines each time; `GATHERINGS=2000` draws others.
fn config() -> ProptestConfig {
    let more = std::env::var("GATHERINGS").ok().and_then(|count| count.parse().ok());
    let rng_seed = if more.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) };
    ProptestConfig { failure_persistence: None, rng_seed, ..ProptestConfig::with_cases(more.unwrap_or(60)) }
}

fn key() -> impl Strategy<Value = Key> {
    (1..60_i64, prop::option::of(1..20_i64), 1..40_i64).prop_map(|(opens, worse, lasts)| {
        let worse = worse.map(|later| opens + later).filter(|worse| *worse < opens + lasts);
        Key { opens, worse, ends: opens + lasts }
    })
}

fn timeline() -> impl Strategy<Value = Timeline> {
    // Some have more keys than a message names.
    let keys = prop_oneof![4 => vec(key(), 1..10), 1 => vec(key(), 20..40)];
    let restarts = vec(0..LENGTH, 0..5);
    (0..240_i64, 20..900_i64, 1..30_u64, keys, restarts).prop_map(
        |(wait, interval, second_step, keys, mut restarts)| {
            restarts.sort_unstable();
            // No whole minute: rules are evaluated then.
            let restarts = restarts.into_iter().map(|second| second / 60 * 60 + 31).collect();
            Timeline { wait: wait | 1, interval: interval | 1, second_step, keys, restarts }
        },
    )
}

impl Timeline {
    fn spec(&self) -> RuleSpec {
        let mut rule = rule(vec![step(0, &["chat"]), step(self.second_step, &["mail"])]);
        let span = |seconds: Second| Duration::from_secs(seconds.unsigned_abs());
        let pace = Pace::Interval { wait: span(self.wait), interval: span(self.interval) };
        rule.alert.group = Some(GroupSpec { by: Vec::new(), pace });
        rule.worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(50.0) }];
        rule
    }

    fn heard(&self, restarts: &[Second]) -> Heard {
        let keys = self.keys.clone();
        let minute = |minute: i64| Timestamp(START.0 + minute * 60_000);
        let mut host = Host::new(move |run, _| {
            let of = |(number, key): (usize, &Key)| {
                let Key { opens, worse, ends } = *key;
                let value = move |now| if worse.is_some_and(|worse| worse <= now) { 60.0 } else { 1.0 };
                let until = minute(ends) - Duration::from_secs(1);
                (opens..ends).map(move |now| firing(&format!("k{number}"), minute(now), until, value(now)))
            };
            let mut all: Vec<_> = keys.iter().enumerate().flat_map(of).collect();
            all.retain(|signal| run.window.start <= signal.at && signal.at <= run.window.end);
            all.sort_by_key(|signal| signal.at);
            all
        });
        let spec = self.spec();
        host.deploy(&spec);
        let mut restarts = restarts.iter().peekable();
        let mut heard = Heard::default();
        for second in 0..LENGTH + 3_600 {
            host.until_instant(Timestamp(START.0 + second * 1_000));
            while restarts.next_if(|at| **at == second).is_some() {
                host.restart(&spec);
            }
            for (to, intent) in std::mem::take(&mut host.inbox) {
                heard.hear(second, to.0, &intent);
            }
        }
        assert!(host.open().is_empty(), "everything has ended");
        heard
    }
}

impl Heard {
    fn hear(&mut self, second: Second, to: String, intent: &Intent) {
        self.messages.entry(to.clone()).or_default().push(second);
        let lines: Vec<&str> = intent.body.lines().filter_map(|line| line.strip_prefix("- ")).collect();
        let said =
            |key: &str, what: &str| Said { second, to: to.clone(), key: key.into(), what: what.into() };
        if lines.is_empty() {
            let key = intent.labels[0].value.clone().expect("a value");
            let is_known = self.said.iter().any(|it| it.to == to && it.key == key);
            let what = match intent.cause {
                Cause::Opened | Cause::Escalated | Cause::Worse if !is_known => "opened",
                other => other.as_str(),
            };
            return self.said.push(said(&key, what));
        }
        for line in lines {
            if let Some(rest) = line.strip_prefix("and ") {
                let count: usize =
                    rest.split(' ').next().and_then(|count| count.parse().ok()).expect("a count");
                *self.counted.entry(to.clone()).or_default() += count;
                continue;
            }
            let (what, rest) = line.split_once(": key=").expect("a key");
            let key = rest.split(':').next().expect("a key");
            let is_known = self.said.iter().any(|it| it.to == to && it.key == key);
            self.said.push(said(key, if what == "still open" && !is_known { "opened" } else { what }));
        }
    }

    fn of<'a>(&'a self, to: &'a str, key: &'a str) -> impl Iterator<Item = &'a Said> {
        self.said.iter().filter(move |it| it.to == to && it.key == key)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn each_key_is_named_once_in_time_and_so_is_its_end(timeline in timeline()) {
        let heard = timeline.heard(&timeline.restarts);
        prop_assert_eq!(&timeline.heard(&[]), &heard, "a host that takes over changes nothing");
        for (to, messages) in &heard.messages {
            for pair in messages.windows(2) {
                prop_assert!(pair[1] - pair[0] >= timeline.interval, "{to}: {messages:?}");
            }
        }
        for (number, key) in timeline.keys.iter().enumerate() {
            let name = format!("k{number}");
            for (to, after) in [("chat", 0), ("mail", timeline.second_step.cast_signed())] {
                let said: Vec<&Said> = heard.of(to, &name).collect();
                let is = |what: &str| said.iter().filter(|it| it.what == what).count();
                let begun = is("opened") + is("was");
                let due = (key.opens + after) * 60;
                let is_due = due < key.ends * 60;
                // What is due at the very instant of an evaluation may be decided before or after it.
                if due == key.ends * 60 {
                    continue;
                }
                let may_be_counted = heard.counted.contains_key(to);
                prop_assert!(begun <= 1 && (is_due || begun == 0), "{to} {name}: {said:?}");
                prop_assert!(begun == usize::from(is_due) || may_be_counted, "{to} {name}: {said:?}");
                prop_assert_eq!(is("opened"), is("resolved"), "{} {}: {:?}", to, name, &said);
                let late = timeline.wait.max(timeline.interval);
                if let Some(first) = said.first().filter(|_| !may_be_counted) {
                    prop_assert!((due..=due + late).contains(&first.second), "{to} {name}: {said:?}");
                }
                if let Some(end) = said.iter().find(|it| it.what == "resolved") {
                    prop_assert!((key.ends * 60..=key.ends * 60 + late).contains(&end.second), "{said:?}");
                }
                // What is worse is said after what began, and before the end.
                let order = |what: &str| match what { "opened" | "was" => 0, "resolved" => 2, _ => 1 };
                prop_assert!(said.is_sorted_by_key(|it| order(&it.what)), "{to} {name}: {said:?}");
            }
        }
        let keys: BTreeSet<&str> = heard.said.iter().map(|it| it.key.as_str()).collect();
        prop_assert!(keys.len() <= timeline.keys.len());
        if timeline.keys.len() <= 10 {
            prop_assert!(heard.counted.is_empty(), "{heard:?}");
        }
    }
}
