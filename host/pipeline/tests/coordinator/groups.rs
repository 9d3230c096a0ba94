use watchbell_contract::{Cause, Duration, Intent, Label, Severity, Signal, SignalKind, Timestamp};
use watchbell_pipeline::action::Run;
use watchbell_pipeline::record::{Command, Delivery};
use watchbell_pipeline::spec::{
    Comparison, DestinationName, GroupSpec, Pace, RuleSpec, Schedule, Step, Worse,
};

use crate::host::{Host, START, firing, rule, step};

/// A key, and the minutes of its beginning and its end.
type Held = (&'static str, u64, u64);

fn at(minute: u64) -> Timestamp {
    START + Duration::from_mins(minute)
}

/// The named keys hold for these minutes; worth 60 from minute `worse` on.
fn levels(keys: &'static [Held], worse: u64) -> impl Fn(&Run, Timestamp) -> Vec<Signal> {
    move |run, _| {
        let value = |minute| if minute < worse { 1.0 } else { 60.0 };
        let of = |(key, from, to): &Held| {
            let (key, from, to) = (*key, *from, *to);
            // A level ends in the first window that ends after it.
            let until = at(to) - Duration::from_secs(1);
            (from..to).map(move |minute| firing(key, at(minute), until, value(minute)))
        };
        let all = keys.iter().flat_map(of);
        all.filter(|signal| run.window.start <= signal.at && signal.at <= run.window.end).collect()
    }
}

/// All of the rule: 30 s after the first, then every 5 min at most.
fn gathered() -> GroupSpec {
    let pace = Pace::Interval { wait: GroupSpec::WAIT, interval: GroupSpec::INTERVAL };
    GroupSpec { by: Vec::new(), pace }
}

fn grouped(steps: Vec<Step>) -> RuleSpec {
    let mut rule = rule(steps);
    rule.alert.group = Some(gathered());
    rule.worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(50.0) }];
    rule
}

/// The lines of a message that name keys, or its only key.
fn lines(intent: &Intent) -> String {
    let lines: Vec<&str> = intent.body.lines().filter_map(|line| line.strip_prefix("- ")).collect();
    match lines.is_empty() {
        true => intent.labels.iter().filter_map(|label| label.value.as_deref()).collect::<Vec<_>>().join(" "),
        false => lines.join("; "),
    }
}

/// Destination, cause and keys of what was received since the last look.
fn told(host: &mut Host) -> Vec<String> {
    let of = |(to, intent): (DestinationName, Intent)| {
        format!("{to} {}: {}", intent.cause.as_str(), lines(&intent))
    };
    std::mem::take(&mut host.inbox).into_iter().map(of).collect()
}

const NOTHING: [String; 0] = [];

#[test]
fn keys_that_open_together_are_one_message_after_the_wait() {
    let mut host = Host::new(levels(&[("a", 1, 30), ("b", 1, 30)], 99));
    let rule = grouped(vec![step(0, &["chat"])]);
    host.deploy(&rule);
    host.until_instant(at(1) + Duration::from_secs(29));
    assert_eq!(told(&mut host), NOTHING);
    let explained = host.explain();
    let due = at(1) + Duration::from_secs(30);
    assert!(
        explained.contains(&format!("gathered for `chat` with 1 more of its group, due at {due}")),
        "{explained:?}"
    );
    host.until_instant(due);
    let [(_, intent)] = &host.inbox[..] else { panic!("one message: {:?}", host.inbox) };
    assert_eq!((intent.cause, intent.labels.len()), (Cause::Opened, 0));
    assert_eq!(told(&mut host), ["chat opened: opened: key=a: 1 events; opened: key=b: 1 events"]);
    let merged = |delivery: &Delivery| matches!(delivery, Delivery::Merged { .. });
    assert_eq!(host.stored().iter().filter(|intent| merged(&intent.delivery)).count(), 2);
    // The end, once for all.
    host.until(40);
    assert_eq!(told(&mut host), ["chat resolved: resolved: key=a: 1 events; resolved: key=b: 1 events"]);
    assert!(host.open().is_empty());
}

#[test]
fn a_single_key_is_its_own_message_in_the_thread_of_its_group() {
    let mut host = Host::new(levels(&[("a", 1, 20), ("b", 10, 30)], 99));
    host.deploy(&grouped(vec![step(0, &["chat"])]));
    host.until(60);
    let episodes: Vec<&str> = host.inbox.iter().map(|(_, intent)| intent.episode.as_str()).collect();
    assert!(episodes.iter().all(|episode| *episode == episodes[0]), "{:?}", host.inbox);
    let own: Vec<String> = host.all().iter().map(|episode| episode.id.0.clone()).collect();
    assert!(!own.iter().any(|id| id == episodes[0]));
    let previous: Vec<_> = host.inbox.iter().map(|(_, intent)| intent.previous.is_some()).collect();
    assert_eq!(previous, [false, true, true, true]);
    let expected = [
        "chat opened: a",
        "chat escalated: b",
        // The group is not over.
        "chat repeat: resolved: key=a: 1 events; still open: key=b: 1 events",
        "chat resolved: b",
    ];
    assert_eq!(told(&mut host), expected);
}

#[test]
fn a_group_that_begins_anew_is_another_thread() {
    let mut host = Host::new(levels(&[("a", 1, 3), ("b", 30, 40)], 99));
    host.deploy(&grouped(vec![step(0, &["chat"])]));
    host.until(60);
    let threads: Vec<String> = host.inbox.iter().map(|(_, intent)| intent.episode.clone()).collect();
    assert!(threads[0] == threads[1] && threads[2] == threads[3] && threads[0] != threads[2], "{threads:?}");
    assert_eq!(told(&mut host), ["chat opened: a", "chat resolved: a", "chat opened: b", "chat resolved: b"]);
}

#[test]
fn what_comes_within_the_interval_waits_for_its_end() {
    let mut host = Host::new(levels(&[("a", 1, 60), ("b", 2, 60), ("c", 5, 60)], 99));
    host.deploy(&grouped(vec![step(0, &["chat"])]));
    host.until(6);
    assert_eq!(told(&mut host), ["chat opened: a"]);
    host.until_instant(at(6) + Duration::from_secs(29));
    assert_eq!(told(&mut host), NOTHING);
    host.until_instant(at(6) + Duration::from_secs(30));
    assert_eq!(told(&mut host), ["chat escalated: opened: key=b: 1 events; opened: key=c: 1 events"]);
}

#[test]
fn what_opened_and_ended_while_it_was_gathered_was() {
    let mut host = Host::new(levels(&[("a", 1, 60), ("b", 2, 4)], 99));
    host.deploy(&grouped(vec![step(0, &["chat"])]));
    host.until(10);
    assert_eq!(
        told(&mut host),
        ["chat opened: a", "chat repeat: was: key=b: 1 events; still open: key=a: 1 events"]
    );
    let mut host = Host::new(levels(&[("a", 1, 3)], 99));
    let mut rule = grouped(vec![step(0, &["chat"])]);
    rule.alert.group = Some(GroupSpec {
        pace: Pace::Interval { wait: Duration::from_mins(4), interval: GroupSpec::INTERVAL },
        ..gathered()
    });
    host.deploy(&rule);
    host.until(30);
    assert_eq!(told(&mut host), ["chat was: a"]);
}

#[test]
fn worse_within_a_gathering_is_one_line_of_the_newest_state() {
    let mut host = Host::new(levels(&[("a", 1, 60), ("b", 2, 60)], 4));
    host.deploy(&grouped(vec![step(0, &["chat"])]));
    host.until(3);
    assert_eq!(told(&mut host), ["chat opened: a"]);
    host.until(10);
    let [(_, intent)] = &host.inbox[..] else { panic!("one message: {:?}", host.inbox) };
    assert_eq!(intent.severity, Severity::Critical);
    assert_eq!(told(&mut host), ["chat worse: opened: key=b: 60 events; worse, critical: key=a: 60 events"]);
}

#[test]
fn every_step_and_destination_gathers_for_itself_and_nothing_is_repeated() {
    let mut rule = grouped(vec![step(0, &["chat"]), step(10, &["mail"])]);
    rule.alert.repeat = vec![Duration::from_mins(7)];
    let mut host = Host::new(levels(&[("a", 1, 60), ("b", 1, 60), ("c", 2, 60)], 99));
    host.deploy(&rule);
    host.until(59);
    let expected = [
        "chat opened: opened: key=a: 1 events; opened: key=b: 1 events",
        "chat escalated: c",
        "mail opened: opened: key=a: 1 events; opened: key=b: 1 events",
        "mail escalated: c",
    ];
    assert_eq!(told(&mut host), expected);
}

#[test]
fn the_labels_of_a_group_divide_it() {
    let signal = |zone: &str, key: &str, at| {
        let label = |name: &str, value: &str| Label { name: name.into(), value: Some(value.into()) };
        Signal {
            labels: vec![label("zone", zone), label("key", key)],
            ..firing(key, at, at + Duration::from_mins(90), 1.0)
        }
    };
    let mut host = Host::new(move |run, _| {
        let keys = [("east", "a"), ("west", "b"), ("east", "c")];
        let is_first = run.window.start <= at(1) && at(1) <= run.window.end;
        keys.into_iter().filter(|_| is_first).map(|(zone, key)| signal(zone, key, at(1))).collect()
    });
    let mut rule = grouped(vec![step(0, &["chat"])]);
    rule.alert.group = Some(GroupSpec { by: vec!["zone".into()], ..gathered() });
    host.deploy(&rule);
    host.until(3);
    let mut told = told(&mut host);
    told.sort();
    assert_eq!(
        told,
        ["chat opened: opened: key=a: 1 events; opened: key=c: 1 events", "chat opened: west b"]
    );
}

#[test]
fn events_are_gathered_and_have_no_end() {
    let mut host = Host::new(|run, _| {
        let event =
            |key: &str, at| Signal { kind: SignalKind::Event, until: None, ..firing(key, at, at, 1.0) };
        let all = [event("x", at(1)), event("y", at(1) + Duration::from_secs(1)), event("x", at(3))];
        all.into_iter().filter(|it| run.window.start <= it.at && it.at < run.window.end).collect()
    });
    host.deploy(&grouped(vec![step(0, &["chat"])]));
    host.until(30);
    let expected = ["chat summary: event: key=x: 1 events; event: key=y: 1 events", "chat event: x"];
    assert_eq!(told(&mut host), expected);
}

#[test]
fn a_digest_is_sent_at_its_local_time_when_clocks_have_changed() {
    // Berlin's clock goes forward on 2024-03-31: nine o'clock is 08:00 UTC before, and 07:00 UTC from then on.
    let changed: jiff::Timestamp = "2024-03-31T01:00:00Z".parse().expect("an instant");
    let changed = Timestamp(changed.as_millisecond());
    let hour = Duration::from_hours(1);
    let opens = [changed - Duration::from_hours(20), changed - hour, changed + Duration::from_hours(9)];
    let keys = ["a", "b", "c"];
    let mut host = Host::new(move |run, _| {
        let signals =
            keys.iter().zip(opens).map(|(key, at)| firing(key, at, at + Duration::from_hours(200), 1.0));
        signals.filter(|it| run.window.start <= it.at && it.at < run.window.end).collect()
    });
    let mut rule = grouped(vec![step(0, &["chat"])]);
    (rule.schedule, rule.grid) = (Schedule::Every(hour), hour);
    let pace = Pace::Digest { expression: "0 9 * * *".into(), timezone: "Europe/Berlin".into() };
    rule.alert.group = Some(GroupSpec { by: Vec::new(), pace });
    host.deploy(&rule);
    let mut heard = Vec::new();
    for hours in [-18, -17, 5, 6, 29, 30] {
        host.until_instant(Timestamp(changed.0 + hours * 3_600_000));
        heard.extend(told(&mut host).into_iter().map(|told| format!("{hours}: {told}")));
    }
    assert_eq!(heard, ["-17: chat opened: a", "6: chat escalated: b", "30: chat escalated: c"]);
}

#[test]
fn keys_beyond_ten_are_counted_not_notified_and_named_later() {
    const KEYS: [&str; 13] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"];
    for restarts in [false, true] {
        let mut host = Host::new(|run, _| {
            let is_first = run.window.start <= at(1) && at(1) <= run.window.end;
            let until = |key: &str| if key < "c" { at(10) } else { at(30) };
            KEYS.iter().filter(|_| is_first).map(|key| firing(key, at(1), until(key), 1.0)).collect()
        });
        let rule = grouped(vec![step(0, &["chat"])]);
        host.deploy(&rule);
        host.until(2);
        let first = told(&mut host);
        assert!(first[0].ends_with("opened: key=j: 1 events; and 3 more keys"), "{first:?}");
        let notified = |host: &Host| host.open().iter().filter(|it| !it.notified.is_empty()).count();
        assert_eq!(notified(&host), 10);
        if restarts {
            host.restart(&rule);
        }
        host.until(20);
        let line = |word: &str, keys: &str| -> Vec<String> {
            keys.chars().map(|key| format!("{word}: key={key}: 1 events")).collect()
        };
        // There is room for them when something else is said.
        let second = [line("resolved", "ab"), line("still open", "klm")].concat().join("; ");
        assert_eq!(told(&mut host), [format!("chat repeat: {second}")]);
        assert_eq!(notified(&host), 11);
        host.until(60);
        let last = line("resolved", "cdefghijklm").join("; ");
        assert_eq!(told(&mut host), [format!("chat resolved: {last}")]);
    }
}

#[test]
fn a_key_that_never_arrived_is_not_said_to_be_over() {
    for restarts in [false, true] {
        let rule = grouped(vec![step(0, &["chat"])]);
        let mut host = Host::new(levels(&[("a", 1, 10), ("b", 1, 20), ("c", 12, 30)], 99));
        host.refused.insert("chat");
        host.deploy(&rule);
        host.until(3);
        assert_eq!(host.dead_letters().len(), 1);
        assert!(host.open().iter().all(|episode| episode.notified.is_empty()));
        host.refused.clear();
        if restarts {
            host.restart(&rule);
        }
        host.until(60);
        assert_eq!(told(&mut host), ["chat opened: c", "chat resolved: c"], "{restarts}");
    }
}

#[test]
fn an_end_that_waits_is_withdrawn_when_its_beginning_is_a_dead_letter() {
    let rule = grouped(vec![step(0, &["chat"])]);
    let mut host = Host::new(levels(&[("a", 1, 3), ("b", 4, 30)], 99));
    host.unavailable.insert("chat", Vec::new());
    host.deploy(&rule);
    // The end of `a` is gathered while its beginning is tried again.
    host.until(4);
    host.unavailable.clear();
    host.refused.insert("chat");
    host.until_instant(at(6));
    assert_eq!(host.dead_letters().len(), 2, "{:?}", host.stored());
    host.refused.clear();
    host.until(60);
    assert_eq!(told(&mut host), ["chat opened: b", "chat resolved: b"]);
}

#[test]
fn a_dead_letter_that_is_sent_again_brings_its_keys_back() {
    for restarts in [false, true] {
        let rule = grouped(vec![step(0, &["chat"])]);
        let mut host = Host::new(levels(&[("a", 1, 20), ("b", 1, 30)], 99));
        host.refused.insert("chat");
        host.deploy(&rule);
        host.until(3);
        let [letter] = &host.dead_letters()[..] else { panic!("one dead letter") };
        host.refused.clear();
        if restarts {
            host.restart(&rule);
        }
        host.command("1", Command::Retry { intent: letter.clone() });
        host.until(60);
        let expected = [
            "chat opened: opened: key=a: 1 events; opened: key=b: 1 events",
            "chat repeat: resolved: key=a: 1 events; still open: key=b: 1 events",
            "chat resolved: b",
        ];
        assert_eq!(told(&mut host), expected, "{restarts}");
    }
}

#[test]
fn an_edit_that_ends_the_gathering_sends_what_waits_and_keeps_the_thread() {
    let mut host = Host::new(levels(&[("a", 1, 20), ("b", 5, 40), ("c", 10, 40)], 99));
    let mut rule = grouped(vec![step(0, &["chat"])]);
    host.deploy(&rule);
    host.until_instant(at(5) + Duration::from_secs(5));
    assert_eq!(told(&mut host), ["chat opened: a"]);
    let thread = |host: &Host| host.inbox.last().map(|(_, intent)| intent.episode.clone());
    rule.alert.group = None;
    host.deploy(&rule);
    let group = thread(&host);
    assert_eq!(told(&mut host), ["chat escalated: b"]);
    host.until(11);
    assert_ne!(thread(&host), group, "a new key is no part of the group");
    assert_eq!(told(&mut host), ["chat opened: c"]);
    host.until(21);
    assert_eq!(thread(&host), group);
    assert_eq!(told(&mut host), ["chat repeat: resolved: key=a: 1 events; still open: key=b: 1 events"]);
    host.until(60);
    assert_eq!(told(&mut host), ["chat resolved: c", "chat resolved: b"]);
}

#[test]
fn an_edit_that_begins_a_gathering_leaves_what_was_told_before_as_it_is() {
    let mut host = Host::new(levels(&[("a", 1, 20), ("b", 5, 20)], 99));
    let mut rule = grouped(vec![step(0, &["chat"])]);
    rule.alert.group = None;
    host.deploy(&rule);
    host.until(3);
    rule.alert.group = Some(gathered());
    host.deploy(&rule);
    host.until(60);
    let own: Vec<&str> = host.inbox.iter().map(|(_, intent)| intent.episode.as_str()).collect();
    assert!(own[0] == own[2] && own[1] == own[3], "{:?}", host.inbox);
    assert_eq!(told(&mut host), ["chat opened: a", "chat opened: b", "chat resolved: a", "chat resolved: b"]);
}

#[test]
fn a_rule_that_is_removed_tells_the_ends_in_its_groups() {
    for restarts in [false, true] {
        let rule = grouped(vec![step(0, &["chat"])]);
        let mut host = Host::new(levels(&[("a", 1, 90), ("b", 1, 90)], 99));
        host.deploy(&rule);
        host.until(8);
        assert_eq!(told(&mut host).len(), 1);
        let gone = RuleSpec { enabled: false, ..rule };
        if restarts {
            host.restart(&gone)
        } else {
            host.deploy(&gone)
        }
        host.until(30);
        let ended = |key| format!("resolved, the rule has ended: key={key}: 1 events");
        assert_eq!(told(&mut host), [format!("chat resolved: {}; {}", ended("a"), ended("b"))], "{restarts}");
    }
}

#[test]
fn a_pause_holds_what_is_gathered_as_one() {
    let mut host = Host::new(levels(&[("a", 1, 60), ("b", 2, 10)], 99));
    host.deploy(&grouped(vec![step(0, &["chat"])]));
    host.until_instant(at(2) + Duration::from_secs(1));
    assert_eq!(told(&mut host), ["chat opened: a"]);
    host.command("1", Command::Pause { until: at(30), reason: "a bad deploy".into() });
    host.until(29);
    assert_eq!(told(&mut host), NOTHING);
    host.until(31);
    assert_eq!(told(&mut host), ["chat repeat: was: key=b: 1 events; still open: key=a: 1 events"]);
}

#[test]
fn who_has_a_group_is_said_of_all_of_it_once_somebody_has_each_of_its_keys() {
    let mut host = Host::new(levels(&[("a", 1, 60), ("b", 1, 60)], 99));
    host.deploy(&grouped(vec![step(0, &["chat"])]));
    host.until(3);
    assert_eq!(told(&mut host).len(), 1);
    let mut open: Vec<_> = host.open().iter().map(|it| (it.labels.clone(), it.id.clone())).collect();
    open.sort_by_key(|(labels, _)| labels[0].value.clone());
    let ids: Vec<_> = open.into_iter().map(|(_, id)| id).collect();
    host.command("1", Command::Acknowledge { episode: ids[0].clone() });
    host.until(10);
    let one = "acknowledged by ann: key=a: 1 events; still open: key=b: 1 events";
    assert_eq!(told(&mut host), [format!("chat repeat: {one}")]);
    host.command("2", Command::Acknowledge { episode: ids[1].clone() });
    host.until(20);
    let [(_, intent)] = &host.inbox[..] else { panic!("one message: {:?}", host.inbox) };
    assert_eq!(intent.person.as_deref(), Some("ann"));
    assert_eq!(told(&mut host), ["chat acknowledged: b"]);
}

/// Second, destination, cause and keys of all that is received while `restart` happens.
fn story(restart: Option<i64>) -> Vec<String> {
    let keys = &[("a", 1, 12), ("b", 1, 4), ("c", 2, 30), ("d", 9, 11), ("e", 26, 34)];
    let rule = grouped(vec![step(0, &["chat"]), step(3, &["mail"])]);
    let mut host = Host::new(levels(keys, 28));
    host.deploy(&rule);
    let mut heard = Vec::new();
    for second in (0..50 * 60).step_by(10) {
        host.until_instant(Timestamp(START.0 + second * 1_000));
        heard.extend(told(&mut host).into_iter().map(|told| format!("{second} {told}")));
        if restart == Some(second) {
            host.restart(&rule);
        }
    }
    assert!(host.open().is_empty());
    heard
}

#[test]
fn another_host_that_takes_over_at_any_moment_sends_the_same_at_the_same_time() {
    let expected = story(None);
    assert!(expected.len() >= 10, "{expected:?}");
    for second in (0..40 * 60).step_by(20) {
        assert_eq!(story(Some(second)), expected, "taken over at second {second}");
    }
}

#[test]
fn an_opening_that_waits_and_its_end_are_one_message() {
    let mut rule = grouped(vec![step(0, &["chat", "late"])]);
    rule.alert.group = None;
    for restarts in [false, true] {
        // `late` is not configured yet: what is sent to it waits.
        let mut host = Host::new(levels(&[("a", 1, 10)], 5));
        host.deploy(&rule);
        host.until(8);
        if restarts {
            host.restart(&rule);
        }
        host.until(20);
        assert_eq!(told(&mut host), ["chat opened: a", "chat worse: a", "chat resolved: a"]);
        host.destinations.push("late");
        host.deploy(&rule);
        assert_eq!(told(&mut host), ["late was: a"], "{restarts}");
        let merged = host.stored().into_iter().filter(|it| matches!(it.delivery, Delivery::Merged { .. }));
        assert_eq!(merged.map(|it| it.message.cause).collect::<Vec<_>>(), [Cause::Opened, Cause::Worse]);
    }
}

#[test]
fn an_opening_that_was_tried_is_followed_by_its_end() {
    let mut rule = grouped(vec![step(0, &["chat"])]);
    rule.alert.group = None;
    let mut host = Host::new(levels(&[("a", 1, 10)], 99));
    host.unavailable.insert("chat", Vec::new());
    host.deploy(&rule);
    host.until(12);
    host.unavailable.clear();
    host.until(20);
    assert_eq!(told(&mut host), ["chat opened: a", "chat resolved: a"]);
}
