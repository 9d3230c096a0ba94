use watchbell_contract::{Duration, Severity, Signal, SignalKind, Timestamp};
use watchbell_pipeline::action::Run;
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::oncall::{Person, Rotation, Written, WrittenOverride};
use watchbell_pipeline::spec::{Comparison, DestinationName, RuleSpec, Worse};

use crate::host::{Host, START, firing, rule, step};

/// Minutes after the start at which Bob takes over from Ann, at 23:00 UTC.
const HAND_OVER: u64 = 46;

/// Opens in the first minute, is worse from minute `worse` on, and holds until `ends`.
fn level(worse: u64, ends: u64) -> impl Fn(&Run, Timestamp) -> Vec<Signal> {
    let at = |minute: u64| START + Duration::from_mins(minute) + Duration::from_secs(30);
    move |run, _| {
        let inside = |at: Timestamp| run.window.start <= at && at <= run.window.end;
        let signals = [(at(0), 1.0), (at(worse), 9.0)];
        let found = signals.into_iter().filter(|(at, _)| inside(*at));
        found.map(|(from, value)| firing("a", from, at(ends), value)).collect()
    }
}

/// Ann and Bob take turns by the day.
fn rotation(overrides: Vec<WrittenOverride<'_>>) -> HoldsSpec {
    let person =
        |name: &str| Person { name: name.into(), destination: DestinationName(format!("{name}-sms")) };
    let written = Written {
        name: "web",
        people: vec![person("ann"), person("bob")],
        every: Duration::from_hours(24),
        hand_over: "23:00",
        // The first turn ends on the day of the start.
        starts: "2023-11-13",
        timezone: "UTC",
        overrides,
    };
    let rotation = Rotation::parse(written).expect("a rotation");
    HoldsSpec { rotations: vec![rotation], ..HoldsSpec::default() }
}

fn host(rule: &RuleSpec, holds: HoldsSpec, guest: impl Fn(&Run, Timestamp) -> Vec<Signal> + 'static) -> Host {
    let mut host = Host::new(guest);
    host.destinations = vec!["ann-sms", "bob-sms", "chat"];
    host.holds = holds;
    host.deploy(rule);
    host
}

/// Warns at once, and gets critical.
fn rule_of_web(steps: Vec<watchbell_pipeline::spec::Step>) -> RuleSpec {
    let mut rule = rule(steps);
    rule.worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(5.0) }];
    rule
}

#[test]
fn who_is_on_call_when_a_step_fires_gets_it_and_hears_the_rest() {
    let mut rule = rule_of_web(vec![step(0, &["web"]), step(60, &["web", "chat"])]);
    rule.alert.repeat = vec![Duration::from_mins(90)];
    for restart in [false, true] {
        let mut host = host(&rule, rotation(Vec::new()), level(300, 400));
        host.until(5);
        assert_eq!(host.received(), ["ann-sms opened"]);
        host.until(HAND_OVER + 5);
        assert!(host.received().is_empty(), "a hand-over tells nobody");
        if restart {
            host.restart(&rule);
        }
        host.until(HAND_OVER + 20);
        assert_eq!(host.received(), ["bob-sms escalated", "chat escalated"]);
        // Ann was notified, and goes on hearing of it.
        host.until(HAND_OVER + 110);
        assert_eq!(host.received(), ["ann-sms repeat", "bob-sms repeat", "chat repeat"]);
        host.until(302);
        assert!(host.received().ends_with(&[
            "ann-sms worse".into(),
            "bob-sms worse".into(),
            "chat worse".into()
        ]));
        host.until(500);
        let ends = ["ann-sms resolved".to_owned(), "bob-sms resolved".into(), "chat resolved".into()];
        assert!(host.received().ends_with(&ends));
    }
}

#[test]
fn who_stands_in_gets_it() {
    let over = WrittenOverride { from: "2023-11-14 22:00", until: "2023-11-14 22:30", person: "bob" };
    let mut host = host(&rule_of_web(vec![step(0, &["web"])]), rotation(vec![over]), level(300, 400));
    host.until(5);
    assert_eq!(host.received(), ["bob-sms opened"]);
}

#[test]
fn who_leaves_the_rotation_is_notified_of_the_end_alone() {
    let rule = rule_of_web(vec![step(0, &["web"])]);
    let mut host = host(&rule, rotation(Vec::new()), level(60, 90));
    host.until(5);
    assert_eq!(host.received(), ["ann-sms opened"]);
    host.holds = HoldsSpec::default();
    host.deploy(&rule_of_web(vec![step(0, &["chat"])]));
    host.until(8);
    assert_eq!(host.received(), ["chat escalated"]);
    host.until(62);
    assert_eq!(host.received(), ["chat worse"]);
    host.until(200);
    assert_eq!(host.received(), ["ann-sms resolved", "chat resolved"]);
}

#[test]
fn a_rotation_in_an_edited_step_reaches_those_on_call_who_do_not_know_yet() {
    let before = rule_of_web(vec![step(0, &["ann-sms"])]);
    let mut host = host(&before, rotation(Vec::new()), level(300, 400));
    host.until(5);
    assert_eq!(host.received(), ["ann-sms opened"]);
    // Ann is on call, and knows.
    host.deploy(&rule_of_web(vec![step(0, &["web"])]));
    host.until(6);
    assert!(host.received().is_empty());
    host.until(HAND_OVER + 5);
    host.deploy(&rule_of_web(vec![step(0, &["web", "ann-sms"])]));
    host.until(HAND_OVER + 6);
    assert_eq!(host.received(), ["bob-sms escalated"]);
}

#[test]
fn an_event_goes_to_whoever_is_on_call() {
    let guest = |run: &Run, _: Timestamp| {
        let at = [10, 100].map(|minute| START + Duration::from_mins(minute) + Duration::from_secs(30));
        let inside = at.into_iter().filter(|at| run.window.start <= *at && *at < run.window.end);
        inside.map(|at| Signal { kind: SignalKind::Event, until: None, ..firing("a", at, at, 1.0) }).collect()
    };
    let mut host = host(&rule_of_web(vec![step(0, &["web"])]), rotation(Vec::new()), guest);
    host.until(12);
    assert_eq!(host.received(), ["ann-sms event"]);
    host.until(102);
    assert_eq!(host.received(), ["bob-sms event"]);
}
