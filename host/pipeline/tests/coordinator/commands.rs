use watchbell_contract::{Duration, Severity, Signal, Timestamp};
use watchbell_pipeline::action::Run;
use watchbell_pipeline::record::{Command, Delivery, EpisodeId, Phase};
use watchbell_pipeline::spec::{Comparison, RuleSpec, Step, Worse};

use crate::host::{Host, START, firing, rule, step};

/// One level that opens at minute 1, is worth 60 from minute `worse` on, and holds until minute 60.
fn level(worse: u64) -> impl Fn(&Run, Timestamp) -> Vec<Signal> {
    let at = |minute| START + Duration::from_mins(minute);
    move |run, _| {
        let value = |minute| if minute < worse { 1.0 } else { 60.0 };
        let all = (1..59).map(|minute| firing("a", at(minute), at(60), value(minute)));
        all.filter(|signal| run.window.start <= signal.at && signal.at <= run.window.end).collect()
    }
}

/// Chat at once, mail after a quarter of an hour unless acknowledged; repeated every twenty minutes.
fn escalated() -> RuleSpec {
    let mail = Step { unless_acknowledged: true, ..step(15, &["mail"]) };
    let mut rule = rule(vec![step(0, &["chat"]), mail]);
    rule.alert.repeat = vec![Duration::from_mins(20)];
    rule
}

fn opened(rule: &RuleSpec, worse: u64) -> (Host, EpisodeId) {
    let mut host = Host::new(level(worse));
    host.deploy(rule);
    host.until(3);
    assert_eq!(host.received(), ["chat opened"]);
    let id = host.open()[0].id.clone();
    (host, id)
}

#[test]
fn an_acknowledged_episode_is_quiet_and_one_that_is_taken_back_goes_on() {
    for restart in [false, true] {
        let rule = escalated();
        let (mut host, episode) = opened(&rule, 99);
        host.command("1", Command::Acknowledge { episode: episode.clone() });
        if restart {
            host.restart(&rule);
        }
        host.until(40);
        assert_eq!(host.received(), ["chat acknowledged"]);
        assert!(matches!(&host.open()[0].phase, Phase::Acknowledged { by, .. } if by == "ann"));
        host.command("2", Command::Unacknowledge { episode });
        // Whoever was notified is told, and the escalation goes on from where it was: 13 minutes before the mail.
        assert_eq!(host.received(), ["chat repeat"]);
        host.until(52);
        assert_eq!(host.received(), [""; 0]);
        host.until(70);
        assert_eq!(host.received(), ["mail escalated", "chat resolved", "mail resolved"]);
    }
}

#[test]
fn worse_ends_an_acknowledgement() {
    let mut rule = escalated();
    rule.worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(50.0) }];
    let (mut host, episode) = opened(&rule, 10);
    host.command("1", Command::Acknowledge { episode });
    host.until(12);
    assert_eq!(host.received(), ["chat acknowledged", "chat worse"]);
    // The escalation goes on from where it was: the mail was 13 minutes away.
    host.until(22);
    assert_eq!(host.received(), [""; 0]);
    host.until(24);
    assert_eq!(host.received(), ["mail escalated"]);
}

#[test]
fn who_was_notified_learns_that_it_was_resolved_and_nothing_more() {
    let rule = escalated();
    let (mut host, episode) = opened(&rule, 99);
    host.command("1", Command::Resolve { episode: episode.clone() });
    host.until(4);
    assert_eq!(host.received(), ["chat resolved"]);
    host.command("2", Command::Acknowledge { episode });
    host.restart(&rule);
    host.until(80);
    assert!(host.received().is_empty() && host.open().is_empty());
    assert_eq!(host.log()[1].refused.as_deref(), Some("it is already resolved"));
}

#[test]
fn a_command_is_applied_once_however_often_it_is_asked() {
    let rule = escalated();
    let (mut host, episode) = opened(&rule, 99);
    let acknowledge = Command::Acknowledge { episode: episode.clone() };
    host.command("1", acknowledge.clone());
    host.command("2", Command::Unacknowledge { episode: episode.clone() });
    host.command("1", acknowledge.clone());
    host.restart(&rule);
    host.command("1", acknowledge);
    assert_eq!(host.open()[0].phase, Phase::Active);
    host.command("3", Command::Note { episode, text: "looking".into() });
    host.command("4", Command::Resolve { episode: EpisodeId("nobody's".into()) });
    let log: Vec<_> = host.log().iter().map(|line| (line.number, line.id.0.as_str())).collect();
    assert_eq!(log, [(1, "1"), (2, "2"), (3, "3"), (4, "4")]);
    assert_eq!(host.log()[3].refused.as_deref(), Some("there is no open episode `nobody's`"));
}

#[test]
fn a_dead_letter_is_sent_again_when_somebody_asks_for_it() {
    for restart in [false, true] {
        let rule = escalated();
        let mut host = Host::new(level(99));
        host.refused.insert("chat");
        host.deploy(&rule);
        host.until(3);
        assert!(host.received().is_empty());
        let [letter] = &host.dead_letters()[..] else { panic!("one dead letter") };
        host.refused.clear();
        if restart {
            host.restart(&rule);
        }
        host.until(5);
        assert!(host.received().is_empty(), "nobody asked yet");
        host.command("1", Command::Retry { intent: letter.clone() });
        assert_eq!(host.received(), ["chat opened"]);
        // It is no dead letter any more.
        host.command("2", Command::Retry { intent: letter.clone() });
        host.until(10);
        assert!(host.received().is_empty() && host.dead_letters().is_empty());
        let refused: Vec<bool> = host.log().iter().map(|line| line.refused.is_some()).collect();
        assert_eq!(refused, [false, true]);
        // Who was notified after all is notified of the end.
        host.until(70);
        assert!(host.received().contains(&"chat resolved".to_owned()));
    }
}

#[test]
fn a_step_that_fired_while_somebody_was_at_it_does_not_fire_again() {
    let rule = rule(vec![step(0, &["chat"]), step(15, &["mail"]), step(40, &["sms"])]);
    let (mut host, episode) = opened(&rule, 99);
    host.command("1", Command::Acknowledge { episode: episode.clone() });
    host.until(20);
    assert_eq!(host.received(), ["chat acknowledged", "mail escalated"]);
    host.command("2", Command::Unacknowledge { episode });
    assert_eq!(host.received(), ["chat repeat", "mail repeat"]);
    // The clock is back at minute 2 of the episode, before the mail.
    host.until(57);
    assert_eq!(host.received(), [""; 0]);
    host.until(59);
    assert_eq!(host.received(), ["sms escalated"]);
}

#[test]
fn a_dead_letter_that_somebody_dropped_is_not_sent_again() {
    for restart in [false, true] {
        let rule = escalated();
        let mut host = Host::new(level(99));
        host.refused.insert("chat");
        host.deploy(&rule);
        host.until(3);
        let [letter] = &host.dead_letters()[..] else { panic!("one dead letter") };
        host.refused.clear();
        host.command("1", Command::Drop { intent: letter.clone() });
        if restart {
            host.restart(&rule);
        }
        host.command("2", Command::Retry { intent: letter.clone() });
        host.until(5);
        assert!(host.received().is_empty());
        let refused: Vec<bool> = host.log().iter().map(|line| line.refused.is_some()).collect();
        assert_eq!(refused, [false, true]);
        // Who decided that is said, and the receiver's own reason stays as it was.
        let stored = host.stored();
        let [dropped] = &stored[..] else { panic!("one message") };
        assert!(
            matches!(&dropped.delivery, Delivery::Dead { last, dropped_by: Some(by), .. } if last == "no" && by == "ann"),
            "{dropped:?}"
        );
    }
}
