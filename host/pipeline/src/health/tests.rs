use watchbell_contract::{Range, Window};

use crate::action::{Purpose, RunId};
use crate::partition::{OverflowStatus, Running};
use crate::record::{Failure, RunSummary};

use super::progress::{COMMIT_MAX, MARGIN};
use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const DAY: i64 = 24 * 60 * 60_000;

/// A rule that runs every minute, evaluated up to `cursor`, and behind.
fn status(cursor: Timestamp) -> RuleStatus {
    RuleStatus {
        name: RuleName("r".into()),
        enabled: true,
        cluster: "main".into(),
        deadline: MINUTE,
        cursor,
        committed_at: None,
        next_due: Some(cursor + MINUTE),
        window_due: Some(cursor + MINUTE),
        interval: MINUTE,
        delay: Duration::ZERO,
        running: None,
        priming: None,
        failure: None,
        warnings: Vec::new(),
        last_run: None,
        open_episodes: 0,
        overflow: None,
    }
}

type Measure = fn(&Rules, &Vitals<'_>) -> Vec<HealthCause>;

fn judged(of: Measure, status: RuleStatus, progress: Progress, now: Timestamp) -> Vec<String> {
    messages(of, &[Arc::new(status)], progress, now)
}

fn messages(of: Measure, rules: &Rules, progress: Progress, now: Timestamp) -> Vec<String> {
    let concurrency = BTreeMap::from([("main".to_owned(), 1)]);
    let vitals = Vitals {
        now,
        drift: Duration::ZERO,
        apart: &[],
        progress,
        store_fault: None,
        concurrency: &concurrency,
    };
    of(rules, &vitals).into_iter().map(|cause| cause.message).collect()
}

fn fresh() -> Progress {
    Progress::starting(Timestamp(0))
}

#[test]
fn a_daily_rule_is_ready_until_it_is_a_quarter_of_an_hour_late() {
    let six = Timestamp(6 * 60 * 60_000);
    let day = Duration::from_hours(24);
    let daily = RuleStatus { window_due: Some(six + day), interval: day, ..status(six) };
    let at = |after: Duration| judged(freshness, daily.clone(), fresh(), six + day + after);
    assert_eq!(at(Duration::from_mins(15)), Vec::<String>::new());
    assert_eq!(at(Duration::from_mins(16)).len(), 1);
}

#[test]
fn a_rule_of_every_minute_may_be_two_late_and_the_cause_is_named() {
    let mut behind = status(Timestamp(DAY));
    behind.failure = Some(Failure {
        at: Timestamp(DAY),
        window: Range::new(Timestamp(0), Timestamp(1)),
        message: "cluster `main` is down".into(),
        streak: 3,
        since: Timestamp(DAY),
    });
    let due = Timestamp(DAY) + MINUTE;
    let at = |after: Duration| judged(freshness, behind.clone(), fresh(), due + after);
    assert_eq!(at(Duration::from_mins(2)), Vec::<String>::new());
    let why = at(Duration::from_mins(2) + Duration(1));
    assert!(why[0].contains("`r`") && why[0].contains("cluster `main` is down"), "{why:?}");
}

#[test]
fn a_store_that_refuses_is_not_ready_and_alive() {
    let mut progress = fresh();
    progress.commit_began(Timestamp(DAY));
    progress.commit_ended(Timestamp(DAY), false);
    progress.commit_began(Timestamp(2 * DAY));
    let now = Timestamp(2 * DAY) + Duration::from_secs(1);
    let waiting = status(Timestamp(DAY));
    assert_eq!(judged(super::progress, waiting.clone(), progress, now), Vec::<String>::new());
    assert!(judged(freshness, waiting, progress, now)[0].contains("the store has refused"));
}

#[test]
fn a_store_that_is_gone_is_not_ready_and_says_why_until_it_is_back() {
    let concurrency = BTreeMap::from([("main".to_owned(), 1)]);
    let mut progress = fresh();
    progress.store_lost(Timestamp(DAY));
    // Told again, it began when it began.
    progress.store_lost(Timestamp(DAY) + MINUTE);
    let now = Timestamp(DAY) + MINUTE;
    let drift = Duration::ZERO;
    let why = Some("it was removed");
    let vitals = Vitals { now, drift, apart: &[], progress, store_fault: why, concurrency: &concurrency };
    let causes = freshness(&[], &vitals);
    let expected = format!("nothing is committed or sent since {}: it was removed", Timestamp(DAY));
    assert_eq!((causes[0].kind, causes[0].message.as_str()), (CauseKind::StoreRefuses, expected.as_str()));
    assert_eq!(super::progress(&[], &vitals), []);
    progress.store_restored();
    let vitals = Vitals { progress, store_fault: None, ..vitals };
    assert_eq!(freshness(&[], &vitals), []);
}

#[test]
fn a_commit_that_never_ends_is_a_stall() {
    let mut progress = fresh();
    progress.commit_began(Timestamp(DAY));
    let at = |after| judged(super::progress, status(Timestamp(DAY)), progress, Timestamp(DAY) + after);
    assert_eq!(at(COMMIT_MAX), Vec::<String>::new());
    assert_eq!(at(COMMIT_MAX + Duration(1)).len(), 1);
}

#[test]
fn a_run_that_outlives_its_deadline_is_a_stall() {
    let start = Timestamp(DAY);
    let mut busy = status(start);
    busy.running = Some(Running {
        run: RunId(1),
        purpose: Purpose::Live,
        window: Window { start, settled: start, end: start + MINUTE },
        since: start,
        attempt: 1,
    });
    let at = |progress, after| judged(super::progress, busy.clone(), progress, start + after);
    let longest = MINUTE + MARGIN;
    assert_eq!(at(fresh(), longest), Vec::<String>::new());
    assert_eq!(at(fresh(), longest + Duration(1)).len(), 1);
    // It was on hold until the clocks agreed.
    let mut freed = fresh();
    freed.freed(start + MINUTE);
    assert_eq!(at(freed, longest + Duration(1)), Vec::<String>::new());
}

#[test]
fn a_rule_that_is_due_and_never_begins_is_a_stall_unless_it_just_ran() {
    let mut idle = status(Timestamp(DAY));
    let now = Timestamp(2 * DAY);
    assert_eq!(judged(super::progress, idle.clone(), fresh(), now).len(), 1);
    idle.last_run = Some(RunSummary {
        window: Range::new(Timestamp(DAY - 1), Timestamp(DAY)),
        rows: 0,
        signals: 0,
        took: Duration::ZERO,
        ended_at: now,
    });
    assert_eq!(judged(super::progress, idle, fresh(), now), Vec::<String>::new());
}

#[test]
fn a_rule_waits_where_its_cluster_has_no_room() {
    let run = Running {
        run: RunId(1),
        purpose: Purpose::Live,
        window: Window { start: Timestamp(DAY), settled: Timestamp(DAY), end: Timestamp(DAY) + MINUTE },
        since: Timestamp(2 * DAY),
        attempt: 1,
    };
    let busy = RuleStatus { running: Some(run), ..status(Timestamp(DAY)) };
    let elsewhere = RuleStatus { cluster: "other".into(), ..busy.clone() };
    let why = |other: RuleStatus| {
        let rules = [Arc::new(status(Timestamp(DAY))), Arc::new(other)];
        messages(super::progress, &rules, fresh(), Timestamp(2 * DAY))
    };
    assert_eq!(why(busy), Vec::<String>::new());
    assert_eq!(why(elsewhere).len(), 1);
}

#[test]
fn thousands_of_causes_are_counted() {
    let late = Arc::new(status(Timestamp(DAY)));
    let rules: Vec<_> = std::iter::repeat_n(late, 20_000).collect();
    let why = messages(freshness, &rules, fresh(), Timestamp(2 * DAY));
    assert_eq!((why.len(), why[50].as_str()), (51, "and 19950 more rules"));
}

#[test]
fn a_cause_says_what_and_who_and_since_when() {
    let concurrency = BTreeMap::new();
    let (now, apart) = (Timestamp(2 * DAY), []);
    let vitals = Vitals {
        now,
        drift: Duration::ZERO,
        apart: &apart,
        progress: fresh(),
        store_fault: None,
        concurrency: &concurrency,
    };
    let [cause] = &freshness(&[Arc::new(status(Timestamp(DAY)))], &vitals)[..] else { panic!("one") };
    let due = Timestamp(DAY) + MINUTE;
    assert_eq!((cause.kind.name(), cause.since), ("late", Some(due)));
    assert_eq!(
        (cause.rule.as_ref().map(|rule| rule.0.as_str()), cause.cluster.as_deref()),
        (Some("r"), Some("main"))
    );
}

#[test]
fn keys_beyond_the_limit_of_open_episodes_are_a_warning() {
    let overflow = |is_exact| Some(OverflowStatus { keys: 7_000, is_exact, episodes_max: 1_000 });
    let of = |overflow| {
        let rules = [Arc::new(RuleStatus { overflow, ..status(Timestamp(DAY)) })];
        warnings(&rules).into_iter().map(|cause| cause.message).collect::<Vec<_>>()
    };
    let said = "7000 keys beyond its limit of 1000 open episodes (`limits.episodes`) share one";
    assert_eq!(of(None), Vec::<String>::new());
    assert_eq!(of(overflow(true)), [format!("rule `r`: {said}")]);
    assert_eq!(of(overflow(false)), [format!("rule `r`: at least {said}")]);
}

#[test]
fn a_field_that_no_mapping_has_is_a_warning_and_no_failure() {
    let sentences = |count: usize| (0..count).map(|n| format!("no mapping has `f{n}`")).collect();
    let fresh_rule = |name: &str, count| RuleStatus {
        name: RuleName(name.into()),
        warnings: sentences(count),
        ..status(Timestamp(DAY))
    };
    let of = |rules: Vec<RuleStatus>| {
        let rules: Vec<_> = rules.into_iter().map(Arc::new).collect();
        let now = Timestamp(DAY) + MINUTE;
        assert_eq!(messages(freshness, &rules, fresh(), now), Vec::<String>::new());
        assert_eq!(messages(super::progress, &rules, fresh(), now), Vec::<String>::new());
        warnings(&rules).into_iter().map(|cause| (cause.kind, cause.message)).collect::<Vec<_>>()
    };
    assert_eq!(of(vec![fresh_rule("a", 0), RuleStatus { enabled: false, ..fresh_rule("b", 1) }]), []);
    let said = "rule `a`: no mapping has `f0`; no mapping has `f1`; no mapping has `f2`; and 2 more";
    assert_eq!(of(vec![fresh_rule("a", 5)]), [(CauseKind::FieldsUnmapped, said.to_owned())]);
    let many = of((0..52).map(|n| fresh_rule(&format!("r{n}"), 1)).collect());
    assert_eq!((many.len(), many[50].clone()), (51, (CauseKind::More, "and 2 more rules".to_owned())));
}
