//! The story of one alert: chat at once, mail after 15 minutes, text message after 45, acknowledged at 50, worse at 60,
//! resolved at 90; and the same with another host that takes over at any minute of it.
use watchbell_contract::{Duration, Severity, Signal, Timestamp};
use watchbell_pipeline::action::Run;
use watchbell_pipeline::record::Command;
use watchbell_pipeline::spec::{Comparison, RuleSpec, Step, Worse};

use crate::host::{Host, START, firing, rule, step};

/// When it opens, in minutes after the start.
const OPENS: u64 = 1;

fn rule_of_the_story() -> RuleSpec {
    let unless = |step| Step { unless_acknowledged: true, ..step };
    let mut rule = rule(vec![step(0, &["chat"]), unless(step(15, &["mail"])), unless(step(45, &["sms"]))]);
    rule.worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(50.0) }];
    rule
}

/// Fires from minute 0 to 90 of the story, worth 60 from minute 60 on.
fn signals(run: &Run, _: Timestamp) -> Vec<Signal> {
    let at = |minute: u64| START + Duration::from_mins(OPENS + minute);
    let value = |minute| if minute < 60 { 1.0 } else { 60.0 };
    let all = (0..90).map(|minute| firing("a", at(minute), at(90) - Duration::from_secs(1), value(minute)));
    all.filter(|signal| run.window.start <= signal.at && signal.at <= run.window.end).collect()
}

/// Minute of the story, destination and cause of each message.
fn told(restart: Option<u64>) -> Vec<String> {
    let rule = rule_of_the_story();
    let mut host = Host::new(signals);
    host.deploy(&rule);
    let mut told = Vec::new();
    for minute in 0..=100 {
        host.until(OPENS + minute);
        told.extend(host.received().into_iter().map(|message| format!("{minute} {message}")));
        if restart == Some(minute) {
            host.restart(&rule);
        }
        if minute == 50 {
            let episode = host.open()[0].id.clone();
            // A person whose command got no answer sends it again.
            host.command("ack", Command::Acknowledge { episode: episode.clone() });
            host.command("ack", Command::Acknowledge { episode });
            told.extend(host.received().into_iter().map(|message| format!("{minute} {message}")));
        }
    }
    told
}

#[test]
fn an_alert_gets_worse_over_time_until_somebody_has_it_and_is_told_to_be_over() {
    let expected = [
        "0 chat opened",
        "15 mail escalated",
        "45 sms escalated",
        "50 chat acknowledged",
        "50 mail acknowledged",
        "50 sms acknowledged",
        "60 chat worse",
        "60 mail worse",
        "60 sms worse",
        "90 chat resolved",
        "90 mail resolved",
        "90 sms resolved",
    ];
    assert_eq!(told(None), expected);
    for minute in 0..=95 {
        assert_eq!(told(Some(minute)), expected, "another host takes over at minute {minute}");
    }
}
