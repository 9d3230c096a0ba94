use watchbell_contract::{Cause, Duration, Intent, RecordedCall, Signal, Timestamp};
use watchbell_pipeline::action::Run;
use watchbell_pipeline::record::Command;
use watchbell_pipeline::spec::RuleSpec;

use crate::host::{Host, START, firing, rule, step};

/// A level of one key that holds for this many minutes.
fn holding(minutes: u64) -> impl Fn(&Run, Timestamp) -> Vec<Signal> {
    move |run, _| {
        let at = run.window.end;
        let is_held = at < START + Duration::from_mins(minutes);
        if is_held { vec![firing("a", at, at + Duration::from_secs(90), 1.0)] } else { Vec::new() }
    }
}

fn repeating() -> RuleSpec {
    let mut rule = rule(vec![step(0, &["chat"]), step(5, &["mail"])]);
    rule.alert.repeat = vec![Duration::from_mins(10)];
    rule
}

/// Destination, cause and the reference of the message before it, of what was received since the last look.
fn threads(host: &mut Host) -> Vec<String> {
    let line = |(to, intent): (_, Intent)| {
        let previous = intent.previous.map(|receipt| receipt.reference.unwrap_or_default());
        format!("{to} {}: {}", intent.cause.as_str(), previous.as_deref().unwrap_or("none"))
    };
    std::mem::take(&mut host.inbox).into_iter().map(line).collect()
}

fn call(number: u32) -> RecordedCall {
    let headers = vec![("location".into(), format!("/{number}"))];
    RecordedCall { number, status: 201, headers, body: vec![number as u8] }
}

#[test]
fn each_message_of_an_episode_refers_to_the_first_one_to_its_destination() {
    for restarts in [false, true] {
        let rule = repeating();
        let mut host = Host::new(holding(18));
        host.deploy(&rule);
        let mut said = Vec::new();
        for minutes in [3, 8, 17, 40] {
            host.until(minutes);
            said.extend(threads(&mut host));
            if restarts {
                host.restart(&rule);
            }
        }
        let expected = [
            "chat opened: none",
            "mail escalated: none",
            "chat repeat: chat 1",
            "mail repeat: mail 2",
            "chat resolved: chat 1",
            "mail resolved: mail 2",
        ];
        assert_eq!(said, expected, "restarts: {restarts}");
    }
}

#[test]
fn an_end_that_waited_behind_the_opening_refers_to_it() {
    for restarts in [false, true] {
        let rule = rule(vec![step(0, &["chat"])]);
        let mut host = Host::new(holding(3));
        host.unavailable.insert("chat", Vec::new());
        host.deploy(&rule);
        host.until(10);
        assert!(host.open().is_empty() && host.received().is_empty());
        if restarts {
            host.restart(&rule);
        }
        host.unavailable.clear();
        host.until(20);
        assert_eq!(threads(&mut host), ["chat opened: none", "chat resolved: chat 1"], "{restarts}");
    }
}

#[test]
fn a_dead_end_that_is_sent_again_refers_to_the_opening() {
    for restarts in [false, true] {
        let rule = rule(vec![step(0, &["chat"])]);
        let mut host = Host::new(holding(3));
        host.deploy(&rule);
        host.until(2);
        host.refused.insert("chat");
        host.until(10);
        let [letter] = &host.dead_letters()[..] else { panic!("one dead letter") };
        host.refused.clear();
        if restarts {
            host.restart(&rule);
        }
        host.command("1", Command::Retry { intent: letter.clone() });
        host.until(11);
        assert_eq!(threads(&mut host), ["chat opened: none", "chat resolved: chat 1"], "{restarts}");
    }
}

#[test]
fn who_resolved_an_episode_is_said_and_the_message_refers_to_the_first() {
    let rule = rule(vec![step(0, &["chat"]), step(5, &["mail"])]);
    let mut host = Host::new(holding(30));
    host.deploy(&rule);
    host.until(3);
    let episode = host.open()[0].id.clone();
    host.command("1", Command::Acknowledge { episode: episode.clone() });
    host.until(7);
    host.command("2", Command::Resolve { episode });
    host.until(8);
    let people: Vec<_> = host.inbox.iter().map(|(_, intent)| intent.person.as_deref()).collect();
    // The step is not one that an acknowledgement stops.
    assert_eq!(people, [None, Some("ann"), Some("ann"), Some("ann"), Some("ann")]);
    let said = [
        "chat opened: none",
        "chat acknowledged: chat 1",
        "mail escalated: none",
        "chat resolved: chat 1",
        "mail resolved: mail 3",
    ];
    assert_eq!(threads(&mut host), said);
}

#[test]
fn what_a_receiver_accepted_comes_back_with_the_next_attempt() {
    for restarts in [false, true] {
        let rule = rule(vec![step(0, &["chat"])]);
        let mut host = Host::new(holding(30));
        host.unavailable.insert("chat", vec![call(1)]);
        host.deploy(&rule);
        host.until_instant(START + Duration(60_400));
        let tried = |host: &mut Host| -> Vec<Vec<RecordedCall>> {
            std::mem::take(&mut host.tried).into_iter().map(|(_, intent)| intent.recorded).collect()
        };
        assert_eq!(tried(&mut host), [vec![]]);
        if restarts {
            host.restart(&rule);
        }
        // What is recorded is recorded, whatever an attempt says of it later.
        let other = RecordedCall { body: b"other".to_vec(), ..call(1) };
        host.unavailable.insert("chat", vec![other, call(0)]);
        host.until_instant(START + Duration(61_200));
        assert_eq!(tried(&mut host), [vec![call(1)]]);
        if restarts {
            host.restart(&rule);
        }
        host.unavailable.clear();
        host.until(5);
        let [(_, intent)] = &host.inbox[..] else { panic!("one message: {:?}", host.inbox) };
        assert_eq!(intent.recorded, [call(0), call(1)]);
        assert_eq!(intent.cause, Cause::Opened);
        assert!(host.stored().iter().all(|intent| intent.recorded.is_empty()), "delivered");
    }
}

#[test]
fn a_dead_letter_that_is_sent_again_does_not_repeat_what_was_accepted() {
    for restarts in [false, true] {
        let rule = rule(vec![step(0, &["chat"])]);
        let mut host = Host::new(holding(30));
        host.unavailable.insert("chat", vec![call(0)]);
        host.deploy(&rule);
        host.until_instant(START + Duration(60_400));
        host.unavailable.clear();
        host.refused.insert("chat");
        host.until(5);
        let [letter] = &host.dead_letters()[..] else { panic!("one dead letter") };
        if restarts {
            host.restart(&rule);
        }
        host.refused.clear();
        host.command("1", Command::Retry { intent: letter.clone() });
        host.until(6);
        let [(_, intent)] = &host.inbox[..] else { panic!("one message: {:?}", host.inbox) };
        assert_eq!(intent.recorded, [call(0)]);
    }
}

#[test]
fn what_is_recorded_of_a_message_is_bounded() {
    let rule = rule(vec![step(0, &["chat"])]);
    let mut host = Host::new(holding(30));
    let of = |number, body: usize| RecordedCall { body: vec![7; body], ..call(number) };
    let mut calls: Vec<RecordedCall> = (0..40).map(call).collect();
    calls[3] = of(3, 64 << 10);
    calls[4] = of(4, (64 << 10) + 1);
    calls[5].status = 500;
    calls[6].headers = vec![("x".into(), "y".repeat(16 << 10))];
    host.unavailable.insert("chat", calls);
    host.deploy(&rule);
    host.until_instant(START + Duration(60_400));
    let [intent] = &host.stored()[..] else { panic!("one message") };
    let numbers: Vec<u32> = intent.recorded.iter().map(|call| call.number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
}
