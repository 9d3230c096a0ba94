//! The engine in virtual time, nothing going wrong: schedules by a zone's clock, hours in which things may begin, rules
//! that are switched off and on.
mod driver; // carries out what the engine orders, at once

use driver::{Driver, at, cron, event, firing, rule};
use watchbell_contract::{Duration, SignalKind};
use watchbell_pipeline::active::{Active, Outside, Written};
use watchbell_pipeline::record::GapReason;
use watchbell_pipeline::spec::{NoData, RuleSpec};

const DAY: Duration = Duration::from_hours(24);

fn office(outside: Outside) -> Option<Active> {
    let written = Written {
        hours: &["08:00-18:00".into()],
        days: &["mon-fri".into()],
        holidays: &[],
        timezone: "Europe/Berlin",
        outside,
    };
    Some(Active::parse(written).unwrap())
}

#[test]
fn a_day_is_judged_when_it_has_ended_and_again_for_its_late_documents() {
    let rule = cron("0 0 * * *", "Europe/Berlin", DAY);
    let mut driver = Driver::new("2026-03-10T12:00:00Z", vec![rule]);
    driver.until("2026-03-11T12:00:00Z");
    assert_eq!(
        driver.runs(),
        [
            // Ten seconds after midnight, and two minutes after it.
            "03-10T23:00:10 live 03-09T23:00:00..03-10T23:00:00 settled 03-09T23:00:00",
            "03-10T23:02:00 live 03-09T23:00:00..03-10T23:00:00 settled 03-10T23:00:00",
        ]
    );
}

#[test]
fn late_documents_are_announced_once_and_timely_ones_not_again() {
    let mut driver = Driver::new("2026-03-09T12:00:00Z", vec![cron("0 0 * * *", "UTC", DAY)]);
    driver.finds(|run, now| {
        let mut found = vec![event(at("2026-03-09T18:00:00Z"), "in time")];
        if now >= at("2026-03-10T00:01:00Z") {
            found.push(event(at("2026-03-09T19:00:00Z"), "late"));
        }
        found.retain(|signal| run.window.start <= signal.at && signal.at < run.window.end);
        found
    });
    driver.until("2026-03-12T12:00:00Z");
    assert_eq!(driver.sent(), ["03-10T00:00:10 event in time", "03-10T00:02:00 event late"]);
}

#[test]
fn a_clock_change_moves_the_grid_and_the_state_is_made_anew_on_it() {
    for (from, to, hours) in [
        ("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", 23),
        ("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", 25),
    ] {
        // A rule that keeps cells of six hours.
        let six_hours = cron("0 0 * * *", "Europe/Berlin", Duration::from_hours(6));
        let spec = RuleSpec { history: DAY, window_max: Duration::from_hours(48), ..six_hours };
        let mut driver = Driver::new(from, vec![spec]);
        driver.until(to);
        let live: Vec<_> = driver.windows.iter().filter(|run| run.is_live).collect();
        let ends: Vec<_> = live.iter().map(|run| run.window.end).collect();
        assert_eq!(ends[2].since(ends[0]), Duration::from_hours(hours));
        for run in &driver.windows {
            let off = run.window.end.since(run.window.start).millis() % Duration::from_hours(6).millis();
            assert_eq!(off, 0, "cells count back from the end: {:?}", run.window);
        }
        let primed = driver.windows.iter().filter(|run| !run.is_live).count();
        let first = driver.windows.iter().take_while(|run| !run.is_live).count();
        assert!(first > 0 && primed > first, "at first, and when the clock has changed");
    }
}

#[test]
fn a_day_of_the_calendar_is_one_step_of_its_own_length() {
    let spec = RuleSpec { calendar: true, ..cron("0 0 * * *", "Europe/Berlin", DAY) };
    let mut driver = Driver::new("2026-10-24T12:00:00Z", vec![spec]);
    driver.finds(|run, _| vec![firing(run.window.end, run.window.end + run.grid)]);
    driver.until("2026-10-27T12:00:00Z");
    let days: Vec<_> = driver.windows.iter().map(|run| (run.window.end, run.grid)).collect();
    let lengths: Vec<_> = days.iter().map(|(_, day)| day.millis() / 3_600_000).collect();
    assert_eq!(lengths, [24, 24, 25, 25, 24, 24], "each is looked at twice");
    assert_eq!(driver.sent().len(), 1, "it fires every day, and never ends in between: {:?}", driver.sent());
}

#[test]
fn a_new_schedule_counts_anew_where_its_checks_lie_elsewhere() {
    let hourly = RuleSpec { history: Duration::from_hours(2), ..rule(Duration::from_hours(1)) };
    let mut driver = Driver::new("2026-03-09T12:00:00Z", vec![hourly.clone()]);
    driver.until("2026-03-09T13:30:00Z");
    let half_past = cron("30 * * * *", "UTC", Duration::from_hours(1));
    driver.bundle(vec![RuleSpec { schedule: half_past.schedule, ..hourly }]);
    let before = driver.windows.len();
    driver.until("2026-03-09T15:00:00Z");
    let after = &driver.windows[before..];
    assert!(
        !after[0].is_live && after[0].window.start == at("2026-03-09T10:30:00Z"),
        "{:?}",
        after[0].window
    );
    assert!(after.iter().any(|run| run.is_live && run.window.end == at("2026-03-09T14:30:00Z")));
}

#[test]
fn a_quiet_night_is_announced_in_the_morning_if_it_is_still_quiet() {
    let quiet = |until: &'static str| {
        let spec = RuleSpec { active: office(Outside::Skip), ..rule(Duration::from_mins(5)) };
        let mut driver = Driver::new("2026-03-09T22:00:00Z", vec![spec]);
        driver.finds(move |run, _| {
            let (begin, end) = (at("2026-03-10T01:00:00Z"), at(until));
            let mut found = Vec::new();
            let mut check = run.window.start + run.grid;
            while check <= run.window.end {
                // Announced when it begins and every two hours, as a level of a long timeframe is.
                let since = check.since(begin).millis() / 60_000;
                if check >= begin && check < end && since % 120 == 0 {
                    found.push(firing(check, check + Duration::from_hours(4)));
                }
                if check == end {
                    found.push(watchbell_contract::Signal {
                        kind: SignalKind::Clear,
                        until: None,
                        ..firing(check, check)
                    });
                }
                check = check + run.grid;
            }
            found
        });
        driver.until("2026-03-10T20:00:00Z");
        driver.sent()
    };
    // Berlin is an hour ahead.
    assert_eq!(quiet("2026-03-10T06:40:00Z"), Vec::<String>::new());
    assert_eq!(
        quiet("2026-03-10T08:00:00Z"),
        ["03-10T07:00:10 opened level", "03-10T08:00:10 resolved level"]
    );
    // What is open ends at any hour.
    assert_eq!(
        quiet("2026-03-10T19:00:00Z"),
        ["03-10T07:00:10 opened level", "03-10T19:00:10 resolved level"]
    );
}

#[test]
fn events_of_the_night_are_skipped_or_sent_as_one_list() {
    let run = |outside, count: usize| {
        let spec = RuleSpec { active: office(outside), ..rule(Duration::from_mins(5)) };
        let mut driver = Driver::new("2026-03-09T22:00:00Z", vec![spec]);
        driver.finds(move |run, _| {
            let night =
                (0..count).map(|n| event(at("2026-03-10T01:00:00Z") + Duration(n as u64), &format!("e{n}")));
            let mut found: Vec<_> = night.collect();
            found.push(event(at("2026-03-10T09:00:00Z"), "by day"));
            found.retain(|signal| run.window.start <= signal.at && signal.at < run.window.end);
            found
        });
        driver.until("2026-03-10T05:00:00Z");
        driver.restart();
        driver.until("2026-03-10T12:00:00Z");
        driver
    };
    let day = "03-10T09:05:10 event by day";
    assert_eq!(run(Outside::Skip, 3).sent(), [day]);
    let later = run(Outside::Later, 3);
    assert_eq!(later.sent(), ["03-10T07:00:10 summary e0", day]);
    assert!(later.bodies[0].contains("e1") && later.bodies[0].contains("e2"), "{}", later.bodies[0]);
    let many = run(Outside::Later, 130);
    assert!(many.bodies[0].contains("e99") && many.bodies[0].contains("and 30 more"), "{}", many.bodies[0]);
}

#[test]
fn a_rule_that_was_off_announces_nothing_twice_and_names_the_span_it_left_out() {
    let spec = RuleSpec { lookback: Some(Duration::from_mins(10)), ..rule(Duration::from_mins(1)) };
    let off = RuleSpec { enabled: false, ..spec.clone() };
    let after = |pause: &str, restart: bool, gone: bool| {
        let mut driver = Driver::new("2026-03-09T12:00:00Z", vec![spec.clone()]);
        driver.finds(|run, _| {
            let times = ["11:55", "12:02", "12:06", "13:01"];
            let all = times.map(|time| event(at(&format!("2026-03-09T{time}:30Z")), time));
            all.into_iter().filter(|s| run.window.start <= s.at && s.at < run.window.end).collect()
        });
        driver.until("2026-03-09T12:05:00Z");
        driver.bundle(if gone { vec![] } else { vec![off.clone()] });
        driver.until(pause);
        if restart {
            driver.restart();
        }
        driver.bundle(vec![spec.clone()]);
        driver.until("2026-03-09T13:05:00Z");
        driver
    };
    let summaries = |driver: &Driver| -> Vec<String> {
        driver.sent().iter().map(|line| line[line.len() - 5..].to_owned()).collect()
    };
    for (restart, gone) in [(false, false), (true, false), (false, true), (true, true)] {
        // Within the time it looks back: what came meanwhile is announced.
        let soon = after("2026-03-09T12:08:00Z", restart, gone);
        assert_eq!(summaries(&soon), ["11:55", "12:02", "12:06", "13:01"]);
        assert_eq!(soon.gaps(), []);
        let late = after("2026-03-09T13:00:00Z", restart, gone);
        assert_eq!(summaries(&late), ["11:55", "12:02", "13:01"]);
        let [gap] = late.gaps() else { panic!("{:?}", late.gaps()) };
        assert_eq!(
            (gap.reason, gap.over.start, gap.over.end),
            (GapReason::Disabled, at("2026-03-09T12:04:00Z"), at("2026-03-09T12:49:00Z"),)
        );
    }
}

#[test]
fn a_rule_that_takes_over_at_an_instant_tells_all_since_and_nothing_before() {
    let begin = Some(at("2026-03-09T11:30:17Z"));
    for start in ["2026-03-09T11:31:00Z", "2026-03-09T12:00:00Z", "2026-03-09T19:00:00Z"] {
        let spec = RuleSpec { begin, lookback: None, ..rule(Duration::from_mins(1)) };
        let mut driver = Driver::new(start, vec![spec.clone()]);
        driver.finds(|run, _| {
            let times = ["11:29:59", "11:30:16", "11:30:17", "11:30:59", "11:45:00", "19:01:00"];
            let all = times.map(|time| event(at(&format!("2026-03-09T{time}Z")), time));
            all.into_iter().filter(|s| run.window.start <= s.at && s.at < run.window.end).collect()
        });
        driver.until("2026-03-09T19:05:00Z");
        let told: Vec<String> = driver.sent().iter().map(|line| line[line.len() - 8..].to_owned()).collect();
        assert_eq!(told, ["11:30:17", "11:30:59", "11:45:00", "19:01:00"], "{start}");
        // It is no new rule any more: off for a while, it looks back as any other.
        driver.bundle(vec![RuleSpec { enabled: false, ..spec.clone() }]);
        driver.until("2026-03-09T20:05:00Z");
        driver.bundle(vec![spec]);
        driver.until("2026-03-09T20:10:00Z");
        assert_eq!(driver.gaps().len(), 1, "{start}");
    }
}

#[test]
fn what_was_off_for_a_month_is_forgotten() {
    let spec = rule(Duration::from_mins(1));
    let mut driver = Driver::new("2026-03-09T12:00:00Z", vec![spec.clone()]);
    driver.until("2026-03-09T12:05:00Z");
    driver.bundle(vec![]);
    driver.until("2026-03-09T12:06:00Z");
    assert!(driver.rules()[0].off_since.is_some() && driver.rules()[0].state.is_none());
    driver.until("2026-04-20T12:00:00Z");
    driver.bundle(vec![]);
    driver.until("2026-04-20T12:01:00Z");
    assert!(driver.rules().is_empty());
    driver.bundle(vec![spec]);
    driver.until("2026-04-20T12:05:00Z");
    assert_eq!(driver.gaps(), []);
}

#[test]
fn a_second_look_does_not_end_the_silence_of_an_index() {
    let spec = RuleSpec { no_data: NoData::Alert, ..cron("0 0 * * *", "UTC", DAY) };
    let mut driver = Driver::new("2026-03-09T12:00:00Z", vec![spec]);
    driver.is_silent = true;
    driver.until("2026-03-12T12:00:00Z");
    assert_eq!(driver.sent().len(), 1, "{:?}", driver.sent());
}
