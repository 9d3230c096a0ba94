use std::num::NonZeroU32;

use watchbell_contract::{Cause, Duration, Severity, Signal, SignalKind, Timestamp};
use watchbell_pipeline::action::{Note, Run};
use watchbell_pipeline::limit::Limit;
use watchbell_pipeline::record::{Command, EpisodeId};
use watchbell_pipeline::spec::{Comparison, DestinationName, Worse};

use crate::host::{Host, START, firing, rule, step};

/// The hour of the clock ends 46 minutes after the start, and the day in UTC 106.
const HOUR_ENDS: u64 = 46;
const DAY_ENDS: u64 = 106;

fn per_hour(most: u32) -> Limit {
    Limit { per_hour: NonZeroU32::new(most), ..unlimited("UTC") }
}

fn per_day(most: u32, zone: &str) -> Limit {
    Limit { per_day: NonZeroU32::new(most), ..unlimited(zone) }
}

fn unlimited(zone: &str) -> Limit {
    Limit::within(zone).expect("a zone")
}

/// A level: its key, and the minutes of its beginning, of getting worse, and of its end.
type Level = (&'static str, u64, u64, u64);

const NEVER: u64 = 10_000;

fn levels(levels: &'static [Level]) -> impl Fn(&Run, Timestamp) -> Vec<Signal> {
    move |run, _| {
        let at = run.window.end;
        let minute = at.since(START).millis() / 60_000;
        let holds = levels.iter().filter(|(_, begins, _, ends)| (*begins..*ends).contains(&minute));
        holds
            .map(|(key, _, worse, _)| {
                let value = if minute >= *worse { 9.0 } else { 1.0 };
                firing(key, at, at + Duration::from_secs(90), value)
            })
            .collect()
    }
}

fn event(key: &str, at: Timestamp) -> Signal {
    Signal { kind: SignalKind::Event, until: None, ..firing(key, at, at, 1.0) }
}

fn to(name: &str) -> DestinationName {
    DestinationName(name.into())
}

#[test]
fn a_thousand_openings_under_a_spend_cap_are_fifty_messages_and_a_summary() {
    for restarts in [false, true] {
        let rule = rule(vec![step(0, &["sms"])]);
        let mut host = Host::new(|run, _| {
            let at = run.window.end;
            let holds = at < START + Duration::from_mins(5);
            let keys = if holds { 0..1_000 } else { 0..0 };
            keys.map(|key| firing(&format!("k{key:03}"), at, at + Duration::from_secs(90), 1.0)).collect()
        });
        host.limits.insert("sms", per_day(50, "UTC"));
        host.holds.host_alerts = vec![to("sms"), to("mail")];
        host.deploy(&rule);
        host.until(2);
        assert_eq!(host.open().len(), 1_000);
        assert_eq!(host.open().iter().filter(|episode| !episode.notified.is_empty()).count(), 50);
        let causes = |host: &Host, of: &str| {
            let own = host.inbox.iter().filter(|(name, _)| name.0 == of);
            own.map(|(_, intent)| intent.cause).collect::<Vec<_>>()
        };
        assert_eq!(causes(&host, "sms"), [Cause::Opened; 50]);
        // That the cap is reached is said once, and not to the one that has no room.
        assert_eq!(causes(&host, "mail"), [Cause::Event]);
        let (_, alert) = host.inbox.iter().find(|(name, _)| name.0 == "mail").expect("an alert");
        assert_eq!(
            alert.title,
            "Watchbell: `sms` was sent 50 messages this day, as many as its limit allows"
        );
        assert!(alert.body.contains("until 2023-11-15T00:00:00Z"), "{}", alert.body);
        host.inbox.clear();
        if restarts {
            host.restart(&rule);
        }
        // The ends wait, and those who never knew of an episode are not told of its end.
        host.until(DAY_ENDS - 1);
        assert!(host.open().is_empty() && host.inbox.is_empty(), "{restarts}");
        if restarts {
            host.restart(&rule);
        }
        host.until(DAY_ENDS);
        let day: Vec<Cause> = causes(&host, "sms");
        assert_eq!(day.len(), 50, "{restarts}");
        let place = day.iter().position(|cause| *cause == Cause::Summary).expect("a summary");
        let ends = day.iter().filter(|cause| **cause == Cause::Resolved).count();
        // Before all ends but one at most: after a restart rules take their turns anew.
        assert!(place <= usize::from(restarts) && ends == 49, "{restarts}: {day:?}");
        let summary = &host.inbox[place].1;
        assert_eq!(summary.title, "950 messages left out");
        assert_eq!(
            summary.summary,
            "950 messages were left out from 2023-11-14T22:15:00Z to 2023-11-15T00:00:00Z: the limit of `sms` was reached"
        );
        let lines: Vec<&str> = summary.body.lines().filter(|line| line.starts_with("- ")).collect();
        assert_eq!((lines.len(), lines[0], lines[10]), (11, "- rule: k050", "- and 940 more"));
        host.inbox.clear();
        host.until(DAY_ENDS + 24 * 60);
        assert_eq!(causes(&host, "sms"), [Cause::Resolved], "{restarts}");
    }
}

#[test]
fn an_opening_is_left_out_and_nobody_hears_its_end() {
    for restarts in [false, true] {
        let rule = rule(vec![step(0, &["sms"]), step(10, &["mail"])]);
        let mut host = Host::new(levels(&[("a", 1, NEVER, NEVER), ("b", 3, NEVER, 5), ("c", 4, NEVER, 20)]));
        host.limits.insert("sms", per_hour(1));
        host.deploy(&rule);
        let told = host.minute_by_minute(&rule, 1..60, restarts);
        // The later step goes on as usual: it escalates, and whoever hears it hears the end.
        let expected =
            ["1 sms opened", "11 mail escalated", "14 mail escalated", "21 mail resolved", "46 sms summary"];
        assert_eq!(told, expected, "{restarts}");
    }
}

#[test]
fn steps_rises_acknowledgements_and_ends_wait_in_order() {
    for restarts in [false, true] {
        let mut rule = rule(vec![step(0, &["sms"]), step(2, &["sms"])]);
        rule.worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(5.0) }];
        let mut host = Host::new(levels(&[("a", 1, 5, 10)]));
        host.limits.insert("sms", per_hour(1));
        host.deploy(&rule);
        let mut told = host.minute_by_minute(&rule, 1..8, restarts);
        let episode = host.open()[0].id.clone();
        host.command("1", Command::Acknowledge { episode });
        told.extend(host.minute_by_minute(&rule, 8..300, restarts));
        let expected =
            ["1 sms opened", "46 sms escalated", "106 sms worse", "166 sms acknowledged", "226 sms resolved"];
        assert_eq!(told, expected, "{restarts}");
    }
}

#[test]
fn a_repeat_is_dropped_and_that_an_acknowledgement_is_over_waits() {
    for restarts in [false, true] {
        let mut rule = rule(vec![step(0, &["sms"])]);
        rule.alert.repeat = vec![Duration::from_mins(10)];
        let mut host = Host::new(levels(&[("a", 1, NEVER, NEVER)]));
        host.limits.insert("sms", per_hour(2));
        host.deploy(&rule);
        assert_eq!(host.minute_by_minute(&rule, 1..13, restarts), ["1 sms opened", "11 sms repeat"]);
        assert_eq!(host.minute_by_minute(&rule, 13..23, restarts), [""; 0]);
        let held = "left out: the limit of `sms` is reached until 2023-11-14T23:00:00Z";
        host.until(31);
        assert!(host.explain().iter().any(|reason| reason == held), "{:?}", host.explain());
        let episode = host.open()[0].id.clone();
        host.command("1", Command::Acknowledge { episode: episode.clone() });
        host.until(32);
        host.command("2", Command::Unacknowledge { episode });
        let told = host.minute_by_minute(&rule, 33..60, restarts);
        assert_eq!(told, ["46 sms acknowledged", "46 sms repeat"], "{restarts}");
        assert!(host.stored().iter().all(|intent| intent.destination.0 == "sms"));
    }
}

#[test]
fn what_came_and_went_and_events_are_summed_up() {
    for restarts in [false, true] {
        let rule = rule(vec![step(0, &["sms"])]);
        let mut host = Host::new(|run, _| {
            let at = run.window.end;
            let minute = at.since(START).millis() / 60_000;
            match minute {
                1 | 2 => vec![event(&format!("e{minute}"), at)],
                // It begins and ends while everything is paused.
                4..=5 => vec![firing("was", at, at + Duration::from_secs(90), 1.0)],
                _ => Vec::new(),
            }
        });
        host.limits.insert("sms", per_hour(1));
        host.deploy(&rule);
        assert_eq!(host.minute_by_minute(&rule, 1..3, restarts), ["1 sms event"]);
        let until = START + Duration::from_mins(9);
        host.command("1", Command::Pause { until, reason: "a deploy".into() });
        assert_eq!(host.minute_by_minute(&rule, 3..46, restarts), [""; 0]);
        host.until(HOUR_ENDS);
        let [(_, summary)] = &host.inbox[..] else { panic!("one message: {:?}", host.inbox) };
        assert_eq!((summary.cause, summary.title.as_str()), (Cause::Summary, "2 messages left out"));
        assert!(summary.body.contains("- rule: e2\n- rule: was\n"), "{}", summary.body);
    }
}

#[test]
fn a_message_is_counted_once_however_often_it_is_tried() {
    for restarts in [false, true] {
        let rule = rule(vec![step(0, &["sms"])]);
        let mut host = Host::new(levels(&[("a", 1, NEVER, NEVER), ("b", 10, NEVER, NEVER)]));
        host.limits.insert("sms", per_hour(2));
        host.unavailable.insert("sms", Vec::new());
        host.deploy(&rule);
        assert_eq!(host.minute_by_minute(&rule, 1..12, restarts), [""; 0]);
        assert!(host.tried.len() > 8, "{}", host.tried.len());
        // The limit is reached, and holds nothing that was counted already.
        host.unavailable.clear();
        assert_eq!(
            host.minute_by_minute(&rule, 12..14, restarts),
            ["12 sms opened", "12 sms opened"],
            "{restarts}"
        );
    }
}

#[test]
fn minutes_hours_and_days_end_by_their_clock_and_calendar() {
    let mut host =
        Host::new(levels(&[("a", 1, NEVER, NEVER), ("b", 2, NEVER, NEVER), ("c", 20, NEVER, NEVER)]));
    let rule = rule(vec![step(0, &["sms"])]);
    // Midnight in Berlin is an hour before midnight in UTC.
    host.limits.insert("sms", per_day(1, "Europe/Berlin"));
    host.deploy(&rule);
    assert_eq!(host.minute_by_minute(&rule, 1..60, false), ["1 sms opened", "46 sms summary"]);

    let mut host =
        Host::new(levels(&[("a", 1, NEVER, NEVER), ("b", 2, NEVER, NEVER), ("c", 20, NEVER, NEVER)]));
    host.limits.insert("sms", Limit { per_minute: NonZeroU32::new(1), ..per_hour(2) });
    host.deploy(&rule);
    let told = host.minute_by_minute(&rule, 1..60, false);
    assert_eq!(told, ["1 sms opened", "2 sms opened", "46 sms summary"]);
}

#[test]
fn minutes_that_are_full_one_after_the_other_are_said_once_and_each_day_is() {
    let mut host = Host::new(|run, _| vec![event("e", run.window.end)]);
    let rule = rule(vec![step(0, &["sms"])]);
    host.limits.insert("sms", Limit { per_minute: NonZeroU32::new(1), ..per_day(100, "UTC") });
    host.holds.host_alerts = vec![to("mail")];
    host.deploy(&rule);
    host.until(DAY_ENDS + 24 * 60);
    let alerts = host.inbox.iter().filter(|(name, _)| name.0 == "mail");
    let titles: Vec<&str> = alerts.map(|(_, intent)| intent.title.as_str()).collect();
    let of = |what: &str| titles.iter().filter(|title| title.contains(what)).count();
    // The cap of the day ends each spell of full minutes.
    assert_eq!((of("1 message this minute"), of("100 messages this day")), (3, 2), "{titles:?}");
    let warned = |note: &&Note| matches!(note, Note::DestinationChanged { is_bad: true, .. });
    assert_eq!(host.notes.iter().filter(warned).count(), titles.len());
}

#[test]
fn nobody_to_tell_is_a_line_in_the_log() {
    let mut host = Host::new(levels(&[("a", 1, NEVER, NEVER)]));
    let rule = rule(vec![step(0, &["sms"])]);
    host.limits.insert("sms", per_hour(1));
    host.holds.host_alerts = vec![to("sms")];
    host.deploy(&rule);
    host.until(2);
    assert_eq!(host.received(), ["sms opened"]);
    let warned = |note: &&Note| {
        matches!(note, Note::DestinationChanged { is_bad: true, message, .. }
        if message == "`sms` was sent 1 message this hour, as many as its limit allows, until 2023-11-14T23:00:00Z")
    };
    assert_eq!(host.notes.iter().filter(warned).count(), 1, "{:?}", host.notes);
}

#[test]
fn a_message_that_waits_for_room_is_sent_although_its_deadline_has_passed() {
    let rule = rule(vec![step(0, &["sms"]), step(2, &["sms"])]);
    let mut host = Host::new(levels(&[("a", 1, NEVER, NEVER)]));
    host.limits.insert("sms", per_hour(1));
    host.deadline = Duration::from_mins(10);
    host.deploy(&rule);
    host.until(20);
    let waits = "the limit of `sms` is reached until 2023-11-14T23:00:00Z";
    assert!(host.explain().iter().any(|reason| reason == waits), "{:?}", host.explain());
    assert_eq!(host.minute_by_minute(&rule, 20..60, true), ["20 sms opened", "46 sms escalated"]);
    assert_eq!(host.dead_letters(), []);
}

#[test]
fn the_count_survives_an_edit_and_no_limit_holds_what_waited() {
    let rule = rule(vec![step(0, &["sms"]), step(2, &["sms"]), step(3, &["sms"])]);
    let mut host = Host::new(levels(&[("a", 1, NEVER, NEVER)]));
    host.limits.insert("sms", per_hour(1));
    host.deploy(&rule);
    assert_eq!(host.minute_by_minute(&rule, 1..10, false), ["1 sms opened"]);
    host.limits.insert("sms", per_hour(2));
    host.deploy(&rule);
    assert_eq!(host.minute_by_minute(&rule, 10..20, false), ["10 sms escalated"]);
    host.limits.clear();
    host.deploy(&rule);
    assert_eq!(host.minute_by_minute(&rule, 20..30, false), ["20 sms escalated"]);
    let ids: Vec<EpisodeId> = host.open().iter().map(|episode| episode.id.clone()).collect();
    assert_eq!(ids.len(), 1);
}
