use std::time::Instant;

use watchbell_contract::{Duration, Label, Severity, Signal, SignalKind, Timestamp};
use watchbell_pipeline::action::{Note, Run};
use watchbell_pipeline::record::{Delivery, Ending, Phase};
use watchbell_pipeline::spec::{Comparison, RuleSpec, Worse};
use watchbell_pipeline::{OVERFLOW_LABEL, OverflowStatus};

use crate::host::{Host, START, firing, rule, step};

fn at(minute: u64) -> Timestamp {
    START + Duration::from_mins(minute)
}

/// Each signal once, in the first window that reaches it.
fn inside(run: &Run, signals: impl IntoIterator<Item = Signal>) -> Vec<Signal> {
    signals.into_iter().filter(|it| run.window.start <= it.at && it.at <= run.window.end).collect()
}

fn limited(episodes_max: usize) -> RuleSpec {
    RuleSpec { episodes_max, ..rule(vec![step(0, &["chat"])]) }
}

/// What was received since the last look: the cause, and the key or what stands for many.
fn told(host: &mut Host) -> Vec<String> {
    let of = |(_, intent): (_, watchbell_contract::Intent)| {
        let label = intent.labels.first();
        let key = match label {
            Some(label) if label.name == OVERFLOW_LABEL => "overflow",
            Some(label) => label.value.as_deref().unwrap_or("-"),
            None => "-",
        };
        format!("{} {key}", intent.cause.as_str())
    };
    std::mem::take(&mut host.inbox).into_iter().map(of).collect()
}

#[test]
fn the_keys_beyond_the_limit_are_one_episode_with_a_beginning_and_an_end() {
    // Seven keys at minute 1 with five places; the first two end at minute 3, all others at 10.
    let mut host = Host::new(|run, _| {
        let until = |n| if n < 2 { at(3) } else { at(10) };
        inside(run, (0..7).map(|n| firing(&format!("k{n}"), at(1), until(n), f64::from(n))))
    });
    let spec = limited(5);
    host.deploy(&spec);
    host.until(1);
    let own = ["opened k0", "opened k1", "opened k2", "opened k3", "opened k4"];
    let (_, last) = host.inbox.last().cloned().expect("messages");
    assert_eq!(last.title, "rule: 2 keys beyond its limit of open episodes");
    assert_eq!(
        last.body,
        "2 keys fire beyond its limit of 5 open episodes (`limits.episodes`). They share this one episode; a key gets its \
         own when a place is free. The worst of them:\n\n- key k6: warning, value 6\n- key k5: warning, value 5"
    );
    assert_eq!(told(&mut host), [&own[..], &["opened overflow"]].concat());
    assert_eq!(host.status().overflow, Some(OverflowStatus { keys: 2, is_exact: true, episodes_max: 5 }));
    assert_eq!(host.status().open_episodes, 6);

    host.restart(&spec);
    host.until(3);
    assert_eq!(told(&mut host), Vec::<String>::new());
    // The places that one window frees are filled by the next.
    host.until(4);
    assert_eq!(told(&mut host), ["resolved k0", "resolved k1"]);
    host.until(5);
    assert_eq!(told(&mut host), ["resolved overflow", "opened k5", "opened k6"]);
    assert_eq!(host.status().overflow, None);
    let ended = host.notes.iter().any(|note| matches!(note, Note::WithinLimit { limit: 5, .. }));
    let began = host.notes.iter().any(|note| matches!(note, Note::Overflowed { limit: 5, .. }));
    assert!(began && ended, "{:?}", host.notes);
    host.until(15);
    assert_eq!(told(&mut host).len(), 5);
    assert!(host.open().is_empty());
}

#[test]
fn one_key_that_is_worse_makes_the_overflow_worse() {
    let mut host = Host::new(|run, _| {
        let keys = (0..4).map(|n| firing(&format!("k{n}"), at(1), at(20), 1.0));
        inside(run, keys.chain([firing("k3", at(3), at(20), 60.0)]))
    });
    let worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(50.0) }];
    host.deploy(&RuleSpec { worse, ..limited(2) });
    host.until(2);
    assert_eq!(told(&mut host), ["opened k0", "opened k1", "opened overflow"]);
    host.until(4);
    let [(_, intent)] = &host.inbox[..] else { panic!("{:?}", host.inbox) };
    assert_eq!(intent.severity, Severity::Critical);
    assert!(intent.body.contains("- key k3: critical, value 60"), "{}", intent.body);
    assert_eq!(told(&mut host), ["worse overflow"]);
    let said = "severity rose to critical";
    assert!(host.explain().iter().any(|line| line == said), "{:?}", host.explain());
}

#[test]
fn what_comes_and_goes_beyond_the_limit_is_one_message() {
    // They fire and are cleared within one window.
    let mut host = Host::new(|run, _| {
        let clear = |signal: &Signal| Signal {
            at: signal.at + Duration(1),
            kind: SignalKind::Clear,
            ..signal.clone()
        };
        let fire = |n: u64| firing(&format!("k{n}"), at(1) + Duration(5 + 10 * n), at(9), 1.0);
        let fired: Vec<Signal> = (0..9).map(fire).collect();
        let cleared: Vec<Signal> = fired.iter().map(clear).collect();
        inside(run, fired.into_iter().chain(cleared))
    });
    host.deploy(&limited(2));
    host.until(5);
    assert_eq!(told(&mut host), ["was k0", "was k1", "was overflow"]);
    let said = host.notes.iter().find_map(|note| match note {
        Note::Overflowed { message, .. } => Some(message.as_str()),
        _ => None,
    });
    assert_eq!(said, Some("7 keys came and went beyond its limit of 2 open episodes (`limits.episodes`)"));
}

#[test]
fn an_overflow_ends_with_its_rule_and_does_not_come_back_with_it() {
    let mut host =
        Host::new(|run, _| inside(run, (0..9).map(|n| firing(&format!("k{n}"), at(1), at(60), 1.0))));
    let spec = limited(2);
    host.deploy(&spec);
    host.until(2);
    told(&mut host);
    host.deploy(&RuleSpec { enabled: false, ..spec.clone() });
    host.until(3);
    let mut ends = told(&mut host);
    ends.sort();
    assert_eq!(ends, ["resolved k0", "resolved k1", "resolved overflow"]);
    host.deploy(&spec);
    host.until(8);
    assert_eq!((told(&mut host), host.status().overflow), (Vec::new(), None));
    let ended = host
        .all()
        .into_iter()
        .filter(|episode| matches!(episode.phase, Phase::Resolved { why: Ending::RuleEnded, .. }));
    assert_eq!(ended.count(), 3);
}

/// As many keys as a run may report, new ones each minute.
fn churning(keys: usize, holds: Duration) -> impl Fn(&Run, Timestamp) -> Vec<Signal> {
    move |run, _| {
        let (from, to) = (run.window.start.since(START).0 / 60_000, run.window.end.since(START).0 / 60_000);
        let minute = |minute: u64| {
            (0..keys).map(move |n| firing(&format!("{minute}/{n:05}"), at(minute), at(minute) + holds, 1.0))
        };
        (from..=to).flat_map(minute).collect()
    }
}

#[test]
fn a_destination_that_is_down_holds_no_more_than_a_bounded_number_of_a_rules_messages() {
    let mut host = Host::new(churning(12, Duration::from_secs(30)));
    host.unavailable.insert("chat", Vec::new());
    let spec = RuleSpec { lateness: Duration::ZERO, ..limited(10) };
    host.deploy(&spec);
    let owed = |host: &Host| {
        let is_owed =
            |delivery: &Delivery| matches!(delivery, Delivery::Owed { .. } | Delivery::Claimed { .. });
        host.stored().iter().filter(|intent| is_owed(&intent.delivery)).count()
    };
    let mut sizes = Vec::new();
    for minute in 1..=260 {
        host.until(minute);
        sizes.push(owed(&host));
    }
    // A hundred; then the ends of what was queued, and as much again of the overflow.
    assert!(sizes[259] <= 2 * 100 + 20, "{sizes:?}");
    assert_eq!(sizes[220], sizes[259], "{sizes:?}");
    let said = "left out: too many messages of the rule wait for `chat`";
    assert!(host.explain().iter().any(|line| line == said), "{:?}", host.explain());
    // It comes back: what was left out is said once, with its number.
    host.restart(&spec);
    host.until(270);
    host.unavailable.clear();
    host.until(290);
    let notices: Vec<String> = host
        .inbox
        .iter()
        .filter(|(_, intent)| intent.title.ends_with("messages left out"))
        .map(|(_, intent)| intent.summary.clone())
        .collect();
    let is_start = |said: &&String| {
        said.as_str() == "100 messages of this rule wait for `chat`: further ones are left out"
    };
    let is_end = |said: &&String| said.ends_with(" left out because 100 others waited for `chat`");
    assert!(notices.iter().any(|said| is_start(&said)), "{notices:?}");
    assert_eq!(notices.iter().filter(is_end).count(), 1, "{notices:?}");
    assert!(notices.iter().all(|said| is_start(&said) || is_end(&said)), "{notices:?}");
    assert_eq!(owed(&host), 0);
}

#[test]
fn ten_thousand_events_of_a_run_are_one_message_and_those_of_a_few_keys_one_for_each() {
    for (keys, expected) in [(10_000, 1), (21, 1), (20, 20)] {
        let mut host = Host::new(move |run, _| {
            let event = |n: usize| Signal {
                labels: vec![Label { name: "key".into(), value: Some(format!("k{:05}", n % keys)) }],
                kind: SignalKind::Event,
                until: None,
                identity: Some(n.to_string()),
                ..firing("", at(1), at(1), 1.0)
            };
            inside(run, (0..10_000).map(event))
        });
        host.deploy(&limited(5));
        host.until(10);
        assert_eq!(host.inbox.len(), expected, "{keys} keys");
        let (_, first) = &host.inbox[0];
        assert_eq!(first.cause, watchbell_contract::Cause::Summary);
        assert_eq!(host.status().overflow, None);
    }
}

/// Ten times as many episodes take about ten times as long to open and to end: not a hundred times.
#[test]
fn opening_and_ending_episodes_costs_little_more_than_their_number() {
    let took = |keys: usize| {
        let mut host = Host::new(move |run, _| {
            inside(run, (0..keys).map(|n| firing(&format!("{n:06}"), at(1), at(3), 1.0)))
        });
        // Nobody is notified: the queue of messages is another thing.
        let spec = RuleSpec { episodes_max: 100_000, ..rule(Vec::new()) };
        #[expect(clippy::disallowed_methods, reason = "it compares two durations")]
        let began = Instant::now();
        host.deploy(&spec);
        host.until(2);
        assert_eq!(host.status().open_episodes, keys);
        host.until(5);
        assert_eq!(host.status().open_episodes, 0);
        began.elapsed()
    };
    let best = |keys| (0..3).map(|_| took(keys)).min().expect("three");
    let (few, many) = (best(5_000), best(50_000));
    assert!(many < few * 80, "{few:?} for 5,000 episodes, {many:?} for 50,000");
}
