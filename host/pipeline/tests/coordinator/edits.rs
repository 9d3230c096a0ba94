use watchbell_contract::{Duration, Severity, Signal};
use watchbell_pipeline::action::Run;
use watchbell_pipeline::record::Phase;
use watchbell_pipeline::spec::{Comparison, Meaning, RuleSpec, Step, Worse};

use crate::host::{Host, START, firing, rule, step};

/// Each of `keys` opens in the first minute and holds for a day and a bit.
fn holding(keys: usize) -> impl Fn(&Run, watchbell_contract::Timestamp) -> Vec<Signal> {
    let at = START + Duration::from_secs(30);
    move |run, _| {
        let inside = run.window.start <= at && at <= run.window.end;
        let all = (0..keys).map(|key| firing(&format!("k{key:03}"), at, at + Duration::from_hours(26), 1.0));
        all.filter(|_| inside).collect()
    }
}

/// A rule in force whose one episode opened at minute 1, `minutes` after the start.
fn opened(rule: &RuleSpec, minutes: u64) -> Host {
    let mut host = Host::new(holding(1));
    host.deploy(rule);
    host.until(minutes);
    host
}

/// An edit by a reload, and the same by a restart: it must not matter which.
fn both(before: &RuleSpec, minutes: u64, after: &RuleSpec, check: impl Fn(&mut Host)) {
    for restart in [false, true] {
        let mut host = opened(before, minutes);
        host.received();
        if restart {
            host.restart(after);
        } else {
            host.deploy(after);
        }
        host.until_instant(host.now);
        check(&mut host);
    }
}

#[test]
fn a_receiver_added_to_a_step_that_is_done_is_notified_at_once_and_of_the_end() {
    let before = rule(vec![step(0, &["chat"]), step(300, &["mail"])]);
    let after = rule(vec![step(0, &["chat", "sms"]), step(300, &["mail"])]);
    both(&before, 221, &after, |host| {
        assert_eq!(host.received(), ["sms escalated"]);
        host.until(301);
        assert_eq!(host.received(), ["mail escalated"]);
        host.until(27 * 60);
        assert_eq!(host.received(), ["chat resolved", "mail resolved", "sms resolved"]);
    });
}

#[test]
fn an_inserted_step_fires_when_it_is_due_or_once_if_it_is_past() {
    let before = rule(vec![step(0, &["chat"])]);
    both(&before, 10, &rule(vec![step(0, &["chat"]), step(20, &["mail"])]), |host| {
        assert!(host.received().is_empty());
        host.until(21);
        assert_eq!(host.received(), ["mail escalated"]);
    });
    // Of two that are past, the latest.
    let two = rule(vec![step(0, &["chat"]), step(2, &["mail"]), step(4, &["sms"])]);
    both(&before, 10, &two, |host| {
        assert_eq!(host.received(), ["sms escalated"]);
        host.restart(&two);
        host.deploy(&two);
        host.until(200);
        assert!(host.received().is_empty(), "an edit is carried out once");
    });
}

#[test]
fn a_removed_step_never_fires_and_a_moved_one_fires_when_it_is_due_now() {
    let before = rule(vec![step(0, &["chat"]), step(30, &["mail"])]);
    both(&before, 10, &rule(vec![step(0, &["chat"])]), |host| {
        host.until(200);
        assert!(host.received().is_empty());
    });
    both(&before, 10, &rule(vec![step(0, &["chat"]), step(60, &["mail"])]), |host| {
        host.until(60);
        assert!(host.received().is_empty());
        host.until(61);
        assert_eq!(host.received(), ["mail escalated"]);
    });
    both(&before, 10, &rule(vec![step(0, &["chat"]), step(5, &["mail"])]), |host| {
        assert_eq!(host.received(), ["mail escalated"]);
        host.until(200);
        assert!(host.received().is_empty());
    });
    // What was sent stays sent: a step that fired and is moved into the past again is not sent again.
    both(&before, 40, &rule(vec![step(0, &["chat"]), step(5, &["mail"])]), |host| {
        host.until(200);
        assert!(host.received().is_empty());
    });
}

#[test]
fn a_removed_destination_is_notified_of_the_end_and_nothing_else() {
    let mut before = rule(vec![step(0, &["chat", "mail"])]);
    before.alert.repeat = vec![Duration::from_hours(10)];
    let mut after = rule(vec![step(0, &["mail"])]);
    after.alert.repeat = vec![Duration::from_hours(10)];
    both(&before, 10, &after, |host| {
        host.until(25 * 60);
        assert_eq!(host.received(), ["mail repeat", "mail repeat"]);
        host.until(27 * 60);
        assert_eq!(host.received(), ["chat resolved", "mail resolved"]);
    });
}

#[test]
fn repeat_and_texts_are_those_of_the_rule_in_force() {
    let mut before = rule(vec![step(0, &["chat"])]);
    before.alert.repeat = vec![Duration::from_hours(4)];
    let mut after = before.clone();
    after.alert.repeat = vec![Duration::from_mins(30)];
    after.alert.title = "still {{ summary }}".into();
    both(&before, 10, &after, |host| {
        assert!(host.received().is_empty());
        host.until(31);
        let (_, repeat) = host.inbox.pop().expect("a repeat");
        assert_eq!((repeat.cause.as_str(), repeat.title.as_str()), ("repeat", "still 1 events"));
    });
    // Lowered below what has passed already, it is due.
    both(&before, 100, &after, |host| assert_eq!(host.received(), ["chat repeat"]));
    after.alert.repeat = Vec::new();
    both(&before, 10, &after, |host| {
        host.until(20 * 60);
        assert!(host.received().is_empty());
    });
}

#[test]
fn steps_that_fell_due_while_the_host_was_down_are_no_edit() {
    let before = rule(vec![step(0, &["chat"]), step(30, &["mail"]), step(26 * 60, &["boss"])]);
    let mut host = opened(&before, 10);
    host.received();
    host.now = START + Duration::from_hours(25);
    let mut after = before.clone();
    after.alert.steps.insert(1, step(20, &["sms"]));
    host.restart(&after);
    // Mail's step was in force; sms's was added, when the episode was a day old.
    assert_eq!(host.received(), ["mail escalated"]);
}

#[test]
fn a_deploy_at_noon_over_hundreds_of_open_episodes_is_twenty_messages_and_a_summary() {
    let before = rule(vec![step(0, &["chat"])]);
    let after = rule(vec![step(0, &["chat"]), step(5, &["sms"])]);
    for restart in [false, true] {
        let mut host = Host::new(holding(500));
        host.deploy(&before);
        host.until(20);
        assert_eq!(host.received().len(), 500);
        if restart {
            host.restart(&after);
        } else {
            host.deploy(&after);
        }
        host.until(21);
        let received = std::mem::take(&mut host.inbox);
        let (summary, single): (Vec<_>, Vec<_>) =
            received.iter().partition(|(_, intent)| intent.labels.is_empty());
        assert_eq!((summary.len(), single.len()), (1, 20));
        assert!(received.iter().all(|(to, _)| to.0 == "sms"));
        let summary = &summary[0].1;
        assert_eq!(summary.title, "rule: 480 more episodes are open");
        assert_eq!(summary.body.matches(": 1 events").count(), 20, "{}", summary.body);
        assert!(summary.body.contains("and 460 more"), "{}", summary.body);
        host.restart(&after);
        host.until(22);
        assert!(host.received().is_empty(), "a deploy is carried out once");
        // Twenty episodes were announced to sms one by one; it is notified of their ends.
        host.until(27 * 60);
        let received = host.received();
        assert_eq!(received.iter().filter(|line| *line == "sms resolved").count(), 20);
        assert_eq!(received.iter().filter(|line| *line == "chat resolved").count(), 500);
    }
}

#[test]
fn a_lowered_repeat_over_hundreds_of_open_episodes_is_twenty_messages_and_a_summary() {
    let every = |repeat: Option<Duration>| {
        let mut rule = rule(vec![step(0, &["chat"])]);
        rule.alert.repeat = repeat.into_iter().collect();
        rule
    };
    let after = every(Some(Duration::from_mins(30)));
    for (before, restart) in [
        (Some(Duration::from_hours(4)), false),
        (Some(Duration::from_hours(4)), true),
        (None, false),
        (None, true),
    ] {
        let mut host = Host::new(holding(500));
        host.deploy(&every(before));
        host.until(100);
        assert_eq!(host.received().len(), 500);
        if restart {
            host.restart(&after);
        } else {
            host.deploy(&after);
        }
        host.until(129);
        let received = host.received();
        let count = |wanted: &str| received.iter().filter(|line| *line == wanted).count();
        assert_eq!((count("chat repeat"), count("chat summary"), received.len()), (20, 1, 21));
        // From then on, each repeats as the rule says.
        host.restart(&after);
        host.until(131);
        assert_eq!(host.received(), vec!["chat repeat"; 500]);
    }
}

#[test]
fn a_repeat_that_fell_due_while_the_host_was_down_is_no_edit() {
    let mut rule = rule(vec![step(0, &["chat"])]);
    rule.alert.repeat = vec![Duration::from_mins(30)];
    let mut host = Host::new(holding(50));
    host.deploy(&rule);
    host.until(20);
    host.received();
    host.now = START + Duration::from_hours(2);
    // Lowered meanwhile, but due by what was in force before as well.
    rule.alert.repeat = vec![Duration::from_mins(25)];
    host.restart(&rule);
    assert_eq!(host.received(), vec!["chat repeat"; 50]);
}

#[test]
fn severity_and_worse_of_an_edit_count_from_the_next_signal() {
    let at = |minute| START + Duration::from_mins(minute);
    let beats = move |run: &Run, _| -> Vec<Signal> {
        let all = (1..60).map(|minute| firing("a", at(minute), at(minute + 2), 60.0));
        all.filter(|signal| run.window.start <= signal.at && signal.at <= run.window.end).collect()
    };
    let before = rule(vec![step(0, &["chat"])]);
    let critical = Step { severity: Some(Severity::Critical), ..step(5, &["sms"]) };
    let steps = vec![step(0, &["chat"]), critical];
    let worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(50.0) }];
    for after in
        [RuleSpec { severity: Severity::Critical, ..rule(steps.clone()) }, RuleSpec { worse, ..rule(steps) }]
    {
        let mut host = Host::new(beats);
        host.deploy(&before);
        host.until(10);
        assert_eq!(host.received(), ["chat opened"]);
        host.deploy(&after);
        assert!(host.received().is_empty());
        host.until(12);
        assert_eq!(host.received(), ["chat worse", "sms worse"]);
        host.until(70);
        assert_eq!(host.received(), ["chat resolved", "sms resolved"]);
    }
}

#[test]
fn a_rule_that_means_something_else_keeps_its_episodes_and_they_follow_it() {
    let before = rule(vec![step(0, &["chat"])]);
    let after = RuleSpec {
        meaning: Meaning("2".into()),
        history: Duration::from_mins(10),
        ..rule(vec![step(0, &["chat", "mail"]), step(60, &["sms"])])
    };
    both(&before, 10, &after, |host| {
        host.until(11);
        assert_eq!(host.received(), ["mail escalated"]);
        host.until(61);
        assert_eq!(host.received(), ["sms escalated"]);
    });
}

#[test]
fn a_pending_episode_takes_the_steps_that_are_in_force_when_it_becomes_active() {
    let mut before = rule(vec![step(0, &["chat"])]);
    before.alert.hold = Duration::from_mins(20);
    let mut after = rule(vec![step(0, &["mail"]), step(5, &["sms"])]);
    after.alert.hold = Duration::from_mins(15);
    both(&before, 10, &after, |host| {
        assert!(host.received().is_empty());
        host.until(16);
        assert_eq!(host.received(), ["mail opened"]);
        host.until(21);
        assert_eq!(host.received(), ["sms escalated"]);
    });
}

#[test]
fn a_level_resolved_by_hand_is_quiet_until_it_has_ended_once() {
    let at = |minute| START + Duration::from_mins(minute);
    // It holds for ten minutes, is silent for ten, and holds again.
    let beats = move |run: &Run, _| -> Vec<Signal> {
        let all = (1..=10).chain(20..=30).map(|minute| firing("a", at(minute), at(minute + 2), 1.0));
        all.filter(|signal| run.window.start <= signal.at && signal.at <= run.window.end).collect()
    };
    let mut spec = rule(vec![step(0, &["chat"]), step(5, &["mail"])]);
    spec.alert.repeat = vec![Duration::from_mins(1)];
    let mut host = Host::new(beats);
    host.deploy(&spec);
    host.until(3);
    host.received();
    host.change_kept(|episode| {
        episode.phase = Phase::ResolvedByHand { at: at(3), by: "ann".into() };
        episode.notified.clear();
    });
    host.restart(&spec);
    host.until(19);
    assert!(host.received().is_empty() && host.open().is_empty());
    spec.alert.repeat = Vec::new();
    host.deploy(&spec);
    host.until(40);
    assert_eq!(host.received(), ["chat opened", "mail escalated", "chat resolved", "mail resolved"]);
}
