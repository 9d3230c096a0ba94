//! A rule that cannot run has an episode of its own, which is told once and ends when it runs.
use std::cell::Cell;
use std::rc::Rc;

use watchbell_contract::Duration;
use watchbell_pipeline::fault::{RunFault, RunFaultKind};
use watchbell_pipeline::spec::{RuleSpec, Schedule};
use watchbell_pipeline::{CANNOT_RUN_LABEL, matcher::Matcher};

use crate::host::{Host, rule, step};

/// A host whose rule finds nothing, and a switch by which its runs fail.
fn host(rule: &RuleSpec) -> (Host, Rc<Cell<bool>>) {
    let is_down = Rc::new(Cell::new(false));
    let mut host = Host::new(|_, _| Vec::new());
    let switch = Rc::clone(&is_down);
    host.fault = Box::new(move |_| {
        let kind = RunFaultKind::Outside;
        switch.get().then(|| RunFault { kind, message: "connection refused".into() })
    });
    host.deploy(rule);
    (host, is_down)
}

fn escalating() -> RuleSpec {
    let mut rule = rule(vec![step(0, &["chat"]), step(15, &["mail"]), step(45, &["sms"])]);
    rule.alert.repeat = vec![Duration::from_mins(10)];
    // Window time, on which `for` runs, stands meanwhile.
    rule.alert.hold = Duration::from_mins(30);
    rule
}

#[test]
fn it_is_told_once_after_five_minutes_and_over_when_the_rule_runs() {
    let rule = escalating();
    let (mut host, is_down) = host(&rule);
    host.until(10);
    is_down.set(true);
    host.until(15);
    assert_eq!(host.received(), [""; 0], "it has not failed for long");
    host.until(18);
    let [(_, told)] = &host.inbox[..] else { panic!("{:?}", host.inbox) };
    assert_eq!(told.title, "rule cannot run");
    assert!(told.body.contains("connection refused"), "{}", told.body);
    assert_eq!(host.received(), ["chat opened"]);
    host.until(120);
    assert_eq!(host.received(), [""; 0], "neither a step nor a repeat");
    let explained = host.explain();
    assert!(explained.iter().any(|line| line == "that a rule cannot run is said once"), "{explained:?}");
    is_down.set(false);
    host.until(125);
    assert_eq!(host.inbox[0].1.title, "rule runs again");
    assert_eq!(host.received(), ["chat resolved"]);
    assert!(host.open().is_empty());
}

#[test]
fn a_short_failure_is_told_to_nobody() {
    let (mut host, is_down) = host(&escalating());
    for minute in [10, 20, 30] {
        host.until(minute);
        is_down.set(true);
        host.until(minute + 4);
        is_down.set(false);
    }
    host.until(60);
    assert_eq!(host.received(), [""; 0]);
    assert!(host.all().is_empty());
}

#[test]
fn a_rule_that_runs_seldom_may_fail_for_three_intervals_but_not_for_more_than_an_hour() {
    let told_after = |every: u64| {
        let every = Duration::from_mins(every);
        let rule = RuleSpec { schedule: Schedule::Every(every), grid: every, ..escalating() };
        let (mut host, is_down) = host(&rule);
        is_down.set(true);
        let mut minute = 0;
        while host.inbox.is_empty() && minute < 3_000 {
            minute += 1;
            host.until(minute);
        }
        let failed_at = host.status().failure.expect("it fails").since;
        host.now.since(failed_at)
    };
    for (every, minutes) in [(1, 5), (10, 30), (1_440, 60)] {
        let after = told_after(every);
        let least = Duration::from_mins(minutes);
        // An attempt fails at least once a minute, and the clock of this test ticks each minute.
        assert!((least..=least + Duration::from_mins(2)).contains(&after), "every {every} min: {after}");
    }
}

#[test]
fn a_host_that_takes_over_says_nothing_twice_and_forgets_nothing() {
    for takeover in [12, 15, 17, 30] {
        let rule = escalating();
        let (mut host, is_down) = host(&rule);
        host.until(10);
        is_down.set(true);
        host.until(takeover);
        host.restart(&rule);
        host.until(60);
        assert_eq!(host.received(), ["chat opened"], "at minute {takeover}");
        host.restart(&rule);
        is_down.set(false);
        host.until(70);
        assert_eq!(host.received(), ["chat resolved"], "at minute {takeover}");
    }
}

#[test]
fn what_holds_others_holds_it_too() {
    use watchbell_contract::Timestamp;
    use watchbell_pipeline::maintenance::{Maintenance, Span};
    let rule = escalating();
    let (mut host, is_down) = host(&rule);
    let matchers = vec![Matcher::parse(&format!("{CANNOT_RUN_LABEL}=true")).expect("a condition")];
    let when = Span::Once { from: Timestamp(0), until: crate::host::START + Duration::from_mins(60) };
    host.holds.maintenance = vec![Maintenance { name: "move".into(), matchers, when }];
    host.deploy(&rule);
    is_down.set(true);
    host.until(59);
    assert_eq!(host.received(), [""; 0]);
    host.until(61);
    assert_eq!(host.received(), ["chat opened"]);
}
