use watchbell_contract::{Cause, Duration, Intent, Severity, Signal, SignalKind, Timestamp};
use watchbell_pipeline::action::Run;
use watchbell_pipeline::record::{Command, Delivery, IntentRecord};
use watchbell_pipeline::spec::{Comparison, RuleSpec, Worse};

use crate::host::{Host, START, firing, rule, step};

/// A level that holds for this many minutes, and is worse from half of them on.
fn holding(minutes: u64) -> impl Fn(&Run, Timestamp) -> Vec<Signal> {
    move |run, _| {
        let at = run.window.end;
        let past = |minutes: u64| at >= START + Duration::from_mins(minutes);
        let value = if past(minutes / 2) { 9.0 } else { 1.0 };
        if past(minutes) { Vec::new() } else { vec![firing("a", at, at + Duration::from_secs(90), value)] }
    }
}

fn event(run: &Run, _: Timestamp) -> Vec<Signal> {
    let at = run.window.end;
    let event = Signal { kind: SignalKind::Event, until: None, ..firing("a", at, at, 1.0) };
    if at == START + Duration::from_mins(1) { vec![event] } else { Vec::new() }
}

fn to_sms() -> RuleSpec {
    rule(vec![step(0, &["sms"])])
}

/// `sms` refuses everything; what it does not take goes to `mail`.
fn refusing(guest: impl Fn(&Run, Timestamp) -> Vec<Signal> + 'static) -> Host {
    let mut host = Host::new(guest);
    host.fallbacks.insert("sms", "mail");
    host.refused.insert("sms");
    host
}

#[test]
fn what_is_refused_goes_to_the_fallback_which_hears_the_rest() {
    for restarts in [false, true] {
        let mut rule = to_sms();
        rule.worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(5.0) }];
        rule.alert.repeat = vec![Duration::from_mins(7)];
        let mut host = refusing(holding(20));
        host.deploy(&rule);
        let told = host.minute_by_minute(&rule, 1..40, restarts);
        let expected =
            ["1 mail opened", "8 mail repeat", "10 mail worse", "17 mail repeat", "21 mail resolved"];
        assert_eq!(told, expected, "{restarts}");
        // The other has heard of nothing, so it hears no end either.
        assert_eq!(host.tried.len(), 1, "{restarts}");
        assert_eq!(host.dead_letters().len(), 1);
    }
}

#[test]
fn the_fallback_is_told_why_and_under_an_id_of_its_own() {
    let mut host = refusing(holding(20));
    host.deploy(&to_sms());
    host.until(1);
    let [(_, copy)] = &host.inbox[..] else { panic!("one message: {:?}", host.inbox) };
    assert_eq!(copy.body, "1 events\n\nSent to you because `sms` did not take it: no");
    let [(_, refused)] = &host.tried[..] else { panic!("one attempt") };
    assert_eq!((&copy.episode, copy.cause), (&refused.episode, refused.cause));
    assert_ne!(copy.id, refused.id);
    // Nor is it the id of the fallback's own message.
    let mut own = Host::new(holding(20));
    own.deploy(&rule(vec![step(0, &["mail"])]));
    own.until(1);
    assert_eq!(own.inbox[0].1.episode, copy.episode);
    assert_ne!(own.inbox[0].1.id, copy.id);
}

#[test]
fn what_a_receiver_answered_is_no_part_of_the_text_s_template() {
    let mut host = Host::new(holding(20));
    host.fallbacks.insert("sms", "mail");
    host.reason = "{{ rule }} \"{% endraw %}\" \\ *x*".into();
    host.refused.insert("sms");
    host.deploy(&to_sms());
    host.until(1);
    let [(_, copy)] = &host.inbox[..] else { panic!("one message: {:?}", host.inbox) };
    assert!(copy.body.ends_with(r#"did not take it: {{ rule }} "{% endraw %}" \ *x*"#), "{}", copy.body);
}

#[test]
fn who_is_not_available_is_tried_until_the_deadline() {
    for restarts in [false, true] {
        let rule = to_sms();
        let mut host = Host::new(holding(60));
        host.fallbacks.insert("sms", "mail");
        host.deadline = Duration::from_mins(10);
        host.unavailable.insert("sms", Vec::new());
        host.deploy(&rule);
        let told = host.minute_by_minute(&rule, 1..80, restarts);
        assert_eq!(told, ["11 mail opened", "61 mail resolved"], "{restarts}");
    }
}

#[test]
fn who_gets_the_message_anyhow_gets_it_once() {
    for (steps, expected) in [
        (vec![step(0, &["sms", "mail"])], &["1 mail opened", "21 mail resolved"][..]),
        (vec![step(0, &["mail", "sms"])], &["1 mail opened", "21 mail resolved"]),
        // It was notified by an earlier step.
        (vec![step(0, &["mail"]), step(5, &["sms"])], &["1 mail opened", "21 mail resolved"]),
    ] {
        for restarts in [false, true] {
            let rule = rule(steps.clone());
            let mut host = refusing(holding(20));
            host.deploy(&rule);
            assert_eq!(host.minute_by_minute(&rule, 1..40, restarts), expected, "{restarts}");
        }
    }
}

#[test]
fn a_chain_ends_with_the_first_that_takes_the_message() {
    for restarts in [false, true] {
        let rule = to_sms();
        let mut host = refusing(holding(20));
        host.fallbacks.insert("mail", "chat");
        host.refused.insert("mail");
        host.deploy(&rule);
        let told = host.minute_by_minute(&rule, 1..40, restarts);
        assert_eq!(told, ["1 chat opened", "21 chat resolved"], "{restarts}");
        assert_eq!((host.tried.len(), host.dead_letters().len()), (2, 2));
    }
}

#[test]
fn destinations_that_fall_back_to_each_other_are_each_tried_once() {
    let mut host = refusing(holding(20));
    host.fallbacks.insert("mail", "sms");
    host.refused.insert("mail");
    host.deploy(&to_sms());
    host.until(40);
    let tried: Vec<&str> = host.tried.iter().map(|(name, _)| name.0.as_str()).collect();
    assert_eq!(tried, ["sms", "mail"]);
}

#[test]
fn an_event_falls_back_and_only_once_if_the_letter_is_sent_again() {
    for restarts in [false, true] {
        let rule = to_sms();
        let mut host = refusing(event);
        host.deploy(&rule);
        assert_eq!(host.minute_by_minute(&rule, 1..3, restarts), ["1 mail event"]);
        let [letter] = &host.dead_letters()[..] else { panic!("one dead letter") };
        host.command("1", Command::Retry { intent: letter.clone() });
        assert_eq!(host.minute_by_minute(&rule, 3..5, restarts), [""; 0], "{restarts}");
        assert_eq!(host.tried.len(), 2);
        let [letter] = &host.dead_letters()[..] else { panic!("one dead letter") };
        host.command("2", Command::Drop { intent: letter.clone() });
        assert_eq!(host.minute_by_minute(&rule, 5..7, restarts), [""; 0], "{restarts}");
    }
}

#[test]
fn an_opening_that_died_after_its_end_is_told_as_over() {
    for restarts in [false, true] {
        let rule = to_sms();
        let mut host = Host::new(holding(5));
        host.fallbacks.insert("sms", "mail");
        host.deadline = Duration::from_mins(30);
        host.unavailable.insert("sms", Vec::new());
        host.deploy(&rule);
        let told = host.minute_by_minute(&rule, 1..120, restarts);
        assert_eq!(told, ["31 mail was"], "{restarts}");
        // The end was withdrawn with its opening.
        let causes = |intent: &&IntentRecord| matches!(intent.delivery, Delivery::Dead { .. });
        assert_eq!(host.stored().into_iter().filter(causes).count(), 2, "{restarts}");
    }
}

#[test]
fn an_end_that_only_the_fallback_takes_reaches_it() {
    for restarts in [false, true] {
        let rule = to_sms();
        let mut host = Host::new(holding(5));
        host.fallbacks.insert("sms", "mail");
        host.deploy(&rule);
        let mut told = host.minute_by_minute(&rule, 1..3, restarts);
        host.refused.insert("sms");
        told.extend(host.minute_by_minute(&rule, 3..20, restarts));
        assert_eq!(told, ["1 sms opened", "6 mail resolved"], "{restarts}");
    }
}

#[test]
fn a_fallback_that_is_slow_still_hears_the_end() {
    for restarts in [false, true] {
        let rule = to_sms();
        let mut host = refusing(holding(5));
        host.unavailable.insert("mail", Vec::new());
        host.deploy(&rule);
        assert_eq!(host.minute_by_minute(&rule, 1..10, restarts), [""; 0]);
        host.unavailable.clear();
        let told = host.minute_by_minute(&rule, 10..20, restarts);
        let told: Vec<&str> =
            told.iter().filter_map(|line| line.split_once(' ')).map(|(_, line)| line).collect();
        assert_eq!(told, ["mail opened", "mail resolved"], "{restarts}");
    }
}

#[test]
fn a_fallback_is_sent_no_more_than_its_own_limit_allows() {
    let mut host = refusing(|run: &Run, _: Timestamp| {
        let at = run.window.end;
        let keys = if at < START + Duration::from_mins(3) { 0..5 } else { 0..0 };
        keys.map(|key| firing(&format!("k{key}"), at, at + Duration::from_secs(90), 1.0)).collect()
    });
    let limit = watchbell_pipeline::limit::Limit::within("UTC").expect("a zone");
    let per_day = std::num::NonZeroU32::new(2);
    host.limits.insert("mail", watchbell_pipeline::limit::Limit { per_day, ..limit });
    host.deploy(&to_sms());
    host.until(105);
    let causes =
        |host: &Host| host.inbox.iter().map(|(_, intent): &(_, Intent)| intent.cause).collect::<Vec<_>>();
    assert_eq!(causes(&host), [Cause::Opened; 2]);
    host.until(106);
    assert_eq!(causes(&host)[2..], [Cause::Summary, Cause::Resolved]);
    assert_eq!(host.inbox[2].1.title, "3 messages left out");
}
