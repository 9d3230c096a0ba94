use watchbell_contract::{Cause, Duration, Intent, Severity, Signal, SignalKind, Timestamp};
use watchbell_pipeline::action::{Note, Run};
use watchbell_pipeline::spec::{DestinationName, RuleSpec};

use crate::host::{Host, START, firing, rule, step};

/// An event each minute.
fn events(run: &Run, _: Timestamp) -> Vec<Signal> {
    let at = run.window.end;
    vec![Signal { kind: SignalKind::Event, until: None, ..firing("a", at, at, 1.0) }]
}

fn to_sms() -> RuleSpec {
    rule(vec![step(0, &["sms"])])
}

fn host(alerts: &[&str]) -> Host {
    let mut host = Host::new(events);
    host.holds.host_alerts = names(alerts);
    host
}

fn names(names: &[&str]) -> Vec<DestinationName> {
    names.iter().map(|name| DestinationName((*name).into())).collect()
}

/// Lets minutes pass, and now and then replaces the host.
fn pass(host: &mut Host, rule: &RuleSpec, minutes: std::ops::Range<u64>, restarts: bool) {
    for minute in minutes {
        host.until(minute);
        if restarts {
            host.restart(rule);
        }
    }
}

/// What was received of the host itself since the last look.
fn alerts(host: &mut Host) -> Vec<(String, Intent)> {
    let of_host =
        |(to, intent): (DestinationName, Intent)| (intent.rule == "watchbell").then_some((to.0, intent));
    std::mem::take(&mut host.inbox).into_iter().filter_map(of_host).collect()
}

fn said(alerts: &[(String, Intent)]) -> Vec<String> {
    alerts.iter().map(|(to, intent)| format!("{to} {}", intent.cause.as_str())).collect()
}

#[test]
fn a_dead_letter_raises_one_alert_and_a_message_that_arrives_ends_it() {
    for restarts in [false, true] {
        let rule = to_sms();
        let mut host = host(&["sms", "mail", "chat"]);
        host.refused.insert("sms");
        host.deploy(&rule);
        pass(&mut host, &rule, 1..10, restarts);
        let begun = alerts(&mut host);
        assert_eq!(said(&begun), ["chat opened", "mail opened"], "{restarts}");
        let first = &begun[0].1;
        assert_eq!(first.title, "Watchbell: messages to `sms` keep failing");
        let body = "- since 2023-11-14T22:15:00Z\n- the last error: no\n- 0 messages wait, 1 is a dead letter\n\
                    - next: `watchbell destination test sms`, then `watchbell dead-letter list`";
        assert_eq!(first.body.trim_end(), body);
        assert_eq!(first.severity, Severity::Critical);
        // Whoever was told hears the end, whoever is to be told from now on.
        host.holds.host_alerts = names(&["chat"]);
        host.deploy(&rule);
        host.refused.clear();
        pass(&mut host, &rule, 10..20, restarts);
        let ended = alerts(&mut host);
        assert_eq!(said(&ended), ["chat resolved", "mail resolved"], "{restarts}");
        assert_eq!(ended[0].1.title, "Watchbell: `sms` takes messages again");
        assert!(ended.iter().all(|(_, intent)| intent.episode == first.episode));
        // The next time is another.
        host.refused.insert("sms");
        pass(&mut host, &rule, 20..25, restarts);
        let again = alerts(&mut host);
        assert_eq!(said(&again), ["chat opened"], "{restarts}");
        assert_ne!(again[0].1.episode, first.episode);
    }
}

#[test]
fn attempts_that_fail_for_five_minutes_raise_it_and_a_short_failure_does_not() {
    for restarts in [false, true] {
        let rule = to_sms();
        let mut host = host(&["mail"]);
        host.unavailable.insert("sms", Vec::new());
        host.deploy(&rule);
        pass(&mut host, &rule, 1..6, restarts);
        assert_eq!(alerts(&mut host).len(), 0, "{restarts}");
        host.unavailable.clear();
        pass(&mut host, &rule, 6..8, restarts);
        host.unavailable.insert("sms", Vec::new());
        pass(&mut host, &rule, 8..13, restarts);
        assert_eq!(alerts(&mut host).len(), 0, "{restarts}");
        pass(&mut host, &rule, 13..40, restarts);
        let begun = alerts(&mut host);
        assert_eq!(said(&begun), ["mail opened"], "{restarts}");
        assert!(begun[0].1.body.contains("- the last error: 503"), "{}", begun[0].1.body);
        host.unavailable.clear();
        pass(&mut host, &rule, 40..43, restarts);
        assert_eq!(said(&alerts(&mut host)), ["mail resolved"], "{restarts}");
    }
}

#[test]
fn two_that_fail_tell_each_other_nothing_for_ever() {
    for restarts in [false, true] {
        let rule = to_sms();
        let mut host = host(&["sms", "mail"]);
        host.refused.extend(["sms", "mail"]);
        host.deploy(&rule);
        pass(&mut host, &rule, 1..30, restarts);
        let tried = |name: &str| {
            host.tried.iter().filter(|(to, intent)| to.0 == name && intent.rule == "watchbell").count()
        };
        assert_eq!((tried("mail"), tried("sms")), (1, 1), "{restarts}");
        assert_eq!(alerts(&mut host).len(), 0);
        // Nobody was told, so nobody is told that it is over.
        host.refused.clear();
        pass(&mut host, &rule, 30..40, restarts);
        assert_eq!(said(&alerts(&mut host)), [""; 0], "{restarts}");
    }
}

#[test]
fn an_alert_that_falls_back_is_ended_where_it_went() {
    for restarts in [false, true] {
        let rule = to_sms();
        let mut host = host(&["mail"]);
        host.fallbacks.insert("mail", "chat");
        host.refused.extend(["sms", "mail"]);
        host.deploy(&rule);
        pass(&mut host, &rule, 1..5, restarts);
        // `mail` fails as well, and the only one to be told of that is itself.
        let begun = alerts(&mut host);
        assert_eq!(said(&begun), ["chat opened"], "{restarts}");
        host.refused.clear();
        pass(&mut host, &rule, 5..10, restarts);
        assert_eq!(said(&alerts(&mut host)), ["chat resolved"], "{restarts}");
    }
}

#[test]
fn an_alert_about_a_destination_does_not_fall_back_to_it() {
    let rule = to_sms();
    let mut host = host(&["mail"]);
    host.fallbacks.insert("mail", "sms");
    host.refused.extend(["sms", "mail"]);
    host.deploy(&rule);
    host.until(10);
    let about = host.tried.iter().filter(|(_, intent)| intent.rule == "watchbell");
    let to: Vec<&str> = about.map(|(to, _)| to.0.as_str()).collect();
    assert_eq!(to, ["mail"]);
}

#[test]
fn a_destination_that_is_removed_fails_no_more() {
    for restarts in [false, true] {
        let rule = to_sms();
        let mut host = host(&["mail"]);
        host.refused.insert("sms");
        host.deploy(&rule);
        pass(&mut host, &rule, 1..5, restarts);
        assert_eq!(said(&alerts(&mut host)), ["mail opened"]);
        host.destinations = vec!["chat", "mail"];
        host.deploy(&rule);
        pass(&mut host, &rule, 5..10, restarts);
        let ended = alerts(&mut host);
        assert_eq!(said(&ended), ["mail resolved"], "{restarts}");
        assert_eq!(ended[0].1.title, "Watchbell: `sms` is no longer configured");
    }
}

#[test]
fn nobody_to_tell_is_a_line_in_the_log_and_one_more_at_the_end() {
    let rule = to_sms();
    let mut host = host(&[]);
    host.refused.insert("sms");
    host.deploy(&rule);
    host.until(10);
    host.refused.clear();
    host.until(20);
    let notes = host.notes.iter().filter_map(|note| match note {
        Note::DestinationChanged { is_bad, .. } => Some(*is_bad),
        _ => None,
    });
    assert_eq!(notes.collect::<Vec<_>>(), [true, false]);
    let told = host.inbox.iter().filter(|(_, intent)| intent.rule == "watchbell");
    assert_eq!(told.count(), 0);
}

#[test]
fn what_waits_is_counted_and_one_that_is_slow_is_not_failing() {
    let rule = to_sms();
    let mut host = host(&["mail"]);
    host.unavailable.insert("sms", Vec::new());
    host.deploy(&rule);
    host.until(20);
    let begun = alerts(&mut host);
    let waiting = begun[0].1.body.lines().find(|line| line.contains("wait")).expect("how many wait");
    assert!(waiting.ends_with("messages wait, 0 are dead letters"), "{waiting}");
    assert!(begun[0].1.at >= START + Duration::from_mins(6) && begun[0].1.cause == Cause::Opened);
}
