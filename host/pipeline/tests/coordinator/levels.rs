use watchbell_contract::{Cause, Duration, Severity, Signal, Timestamp, Window};
use watchbell_pipeline::action::Run;
use watchbell_pipeline::spec::{Comparison, RuleSpec, Schedule, Worse};

use crate::host::{Host, START, firing, rule, step};

const TIMEFRAME: Duration = Duration::from_mins(5);
const NUM_EVENTS: usize = 5;
const GRID: Duration = Duration(500);

/// An event's instant, and the one from which a search finds it.
type Arrival = (Timestamp, Timestamp);

/// 300 events within half a minute, every fifteenth of them 90 s late.
fn burst() -> Vec<Arrival> {
    let event = |n: i64| {
        let at = START + Duration(10_000) + Duration(n.cast_unsigned() * 100);
        (at, if n % 15 == 7 { at + Duration::from_secs(90) } else { at })
    };
    (0..300).map(event).collect()
}

/// Counts as `frequency` does: a match drops the events it is made of and holds for the timeframe; while the level
/// holds, it reports its count at each grid point at which that grew.
fn counted(events: &[Arrival], run: &Run, now: Timestamp) -> Vec<Signal> {
    let Window { start, end, .. } = run.window;
    let known: Vec<Timestamp> =
        events.iter().filter(|(at, visible)| *visible <= now && *at < end).map(|(at, _)| *at).collect();
    let count =
        |at: Timestamp| known.iter().filter(|event| at - TIMEFRAME < **event && **event <= at).count() as f64;
    let mut signals = Vec::new();
    let mut window: Vec<Timestamp> = Vec::new();
    let mut matched: Option<Timestamp> = None;
    let mut point = events[0].0.floor(GRID) + GRID;
    for at in known.iter().copied().chain([end]) {
        while point <= at && point <= end {
            if let Some(last) = matched
                && point < last + TIMEFRAME
                && known.iter().any(|event| point - GRID < *event && *event <= point)
            {
                signals.push(firing("ada", point, last + TIMEFRAME, count(point)));
            }
            point = point + GRID;
        }
        window.push(at);
        if at < end && window.len() == NUM_EVENTS {
            window.clear();
            matched = Some(at);
            signals.push(firing("ada", at, at + TIMEFRAME, count(at)));
        }
    }
    signals.retain(|signal| signal.at >= start);
    signals
}

fn failed_logins(every: Duration) -> RuleSpec {
    RuleSpec {
        schedule: Schedule::Every(every),
        grid: GRID,
        worse: vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(50.0) }],
        ..rule(vec![step(0, &["chat"])])
    }
}

#[test]
fn a_burst_is_critical_once_and_counted_whole_however_its_time_is_cut() {
    for every in [Duration::from_secs(30), Duration(4_500), Duration(500)] {
        let events = burst();
        let mut host = Host::new(move |run, now| counted(&events, run, now));
        host.deploy(&failed_logins(every));
        host.until(4);
        let [open] = host.open()[..] else { panic!("{:?}", host.open()) };
        assert_eq!((open.severity, open.last.value), (Severity::Critical, Some(300.0)), "every {every}");
        host.until(20);
        assert!(host.open().is_empty());
        let critical = host.inbox.iter().filter(|(_, intent)| intent.severity == Severity::Critical);
        let critical: Vec<_> = critical.map(|(_, intent)| (intent.cause, intent.value)).collect();
        let (end, begun) = critical.split_last().expect("messages");
        assert_eq!((end, begun.len()), (&(Cause::Resolved, Some(300.0)), 1), "every {every}: {critical:?}");
        assert!(matches!(begun[0].0, Cause::Opened | Cause::Worse), "every {every}: {critical:?}");
    }
}

/// Opens at minute 1 and holds until minute 30; at every minute after it says the value of that minute.
fn growing(values: &'static [f64]) -> impl Fn(&Run, Timestamp) -> Vec<Signal> {
    let at = |minute: usize| START + Duration::from_mins(minute as u64);
    move |run, _| {
        let all = values.iter().enumerate().map(|(index, value)| firing("a", at(index + 1), at(30), *value));
        all.filter(|signal| run.window.start <= signal.at && signal.at <= run.window.end).collect()
    }
}

#[test]
fn growth_is_written_where_it_matters_and_sent_where_it_is_worse() {
    // Less than a tenth, twice: then a tenth of what was written; then a bound.
    let mut host = Host::new(growing(&[100.0, 104.0, 109.0, 111.0, 119.0, 120.0]));
    let worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(120.0) }];
    let mut spec = RuleSpec { worse, ..rule(vec![step(0, &["chat"]), step(20, &["mail"])]) };
    spec.alert.repeat = vec![Duration::from_mins(8)];
    host.deploy(&spec);
    let mut kept = Vec::new();
    for minute in 1..=6 {
        host.until(minute);
        kept.push(host.open()[0].last.value.expect("a value"));
    }
    assert_eq!(kept, [100.0, 100.0, 100.0, 111.0, 111.0, 120.0]);
    assert_eq!(host.writes, 3, "opened, grown, worse");
    let said = |host: &mut Host| -> Vec<(&str, String)> {
        std::mem::take(&mut host.inbox).iter().map(|(_, it)| (it.cause.as_str(), it.title.clone())).collect()
    };
    assert_eq!(said(&mut host), [("opened", "100".into()), ("worse", "120".into())]);
    host.until(14);
    assert_eq!(said(&mut host), [("repeat", "120".into())]);
    host.until(40);
    assert_eq!(
        said(&mut host),
        [
            ("escalated", "120".into()),
            ("repeat", "120".into()),
            ("repeat", "120".into()),
            ("resolved", "120".into()),
            ("resolved", "120".into())
        ]
    );
}

#[test]
fn the_last_of_a_small_growth_is_kept_once_it_is_settled() {
    let mut host = Host::new(growing(&[100.0, 104.0]));
    host.deploy(&rule(vec![step(0, &["chat"])]));
    host.until(3);
    assert_eq!(host.open()[0].last.value, Some(100.0));
    host.until(5);
    assert_eq!(host.open()[0].last.value, Some(104.0));
    let writes = host.writes;
    host.until(20);
    assert_eq!(host.writes, writes);
}

#[test]
fn a_level_that_is_seen_again_lasts_no_longer_and_opens_nothing() {
    // Seen in every window that reaches back to it, each time with an `until` further on.
    let seen = START + Duration::from_mins(1);
    let mut host = Host::new(move |run, now| {
        let inside = run.window.start <= seen && seen <= run.window.end;
        let until = START + Duration::from_mins(2) + Duration(now.since(START).0 / 2);
        inside.then(|| firing("a", seen, until, 1.0)).into_iter().collect()
    });
    host.deploy(&rule(vec![step(0, &["chat"])]));
    host.until(2);
    assert_eq!(host.open().len(), 1);
    host.until(4);
    assert_eq!(host.open().len(), 0);
    assert_eq!(host.received(), ["chat opened", "chat resolved"]);
}

#[test]
fn a_late_value_makes_a_level_worse_that_was_announced() {
    let at = START + Duration::from_mins(1);
    let mut host = Host::new(move |run, now| {
        let inside = run.window.start <= at && at <= run.window.end;
        let value = if now < START + Duration::from_mins(3) { 3.0 } else { 60.0 };
        inside.then(|| firing("a", at, at + Duration::from_mins(30), value)).into_iter().collect()
    });
    let worse = vec![Worse { severity: Severity::Critical, when: Comparison::AtLeast(50.0) }];
    host.deploy(&RuleSpec { worse, ..rule(vec![step(0, &["chat"])]) });
    host.until(10);
    assert_eq!(host.received(), ["chat opened", "chat worse"]);
    assert_eq!(host.open()[0].last.summary, "60 events");
}

#[test]
fn for_holds_until_the_level_has_held_so_long_and_says_so_everywhere() {
    let since = START + Duration::from_mins(1);
    let mut host = Host::new(move |run, _| {
        let inside = run.window.start <= since && since <= run.window.end;
        inside.then(|| firing("a", since, START + Duration::from_hours(1), 1.0)).into_iter().collect()
    });
    let mut spec = rule(vec![step(0, &["chat"])]);
    spec.alert.hold = Duration::from_mins(20);
    host.deploy(&spec);
    host.until(5);
    // Once as the reason of now, once as the last decision; not when the level would lapse.
    let said: Vec<String> = host.explain().into_iter().filter(|line| line.contains("`for`")).collect();
    assert_eq!(said, ["`for` holds it until window time 2023-11-14T22:35:00Z"; 2]);
    assert!(host.received().is_empty());
    host.until(21);
    assert_eq!(host.received(), ["chat opened"]);
}
