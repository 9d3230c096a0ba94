//! Alive: the engine makes progress, so restarting the host would not help. Fresh: every rule was evaluated lately.
use std::collections::BTreeMap;
use std::sync::Arc;

use watchbell_contract::{Duration, Timestamp};
use watchbell_pipeline::RuleStatus;

use crate::clock::{DRIFT_MAX, rfc3339};
use crate::host_state::HostState;
use crate::view::Health;

/// A commit that takes longer means that the store hangs.
const COMMIT_MAX: Duration = Duration::from_secs(30);
/// How much longer than its own deadline a run may take, and a rule that is due may wait while there is room.
const MARGIN: Duration = Duration::from_secs(30);
/// How late a window may be, in intervals, and the least and the most that any rule is given.
const LATE_INTERVALS: u64 = 2;
const LATE_MIN: Duration = Duration::from_secs(30);
const LATE_MAX: Duration = Duration::from_mins(15);
/// Well below what the engine lets run at once: with fewer, a rule that is due begins.
const RUNS_MAX: usize = 32;
/// Causes of one kind that are told one by one.
const CAUSES_MAX: usize = 50;

/// Whether the host makes progress: for causes that a restart would not cure, it does.
pub(crate) fn alive(rules: &[Arc<RuleStatus>], host: &HostState) -> Health {
    let HostState { progress, at: now, .. } = *host;
    let mut why = Vec::new();
    if let Some(since) = progress.commit_since.filter(|&since| now.since(since) > COMMIT_MAX) {
        why.push(format!("the store has not finished a commit since {}", rfc3339(since)));
    }
    // While the clocks disagree no run begins, and while the store refuses none is committed: no stall of our own.
    if host.drift <= DRIFT_MAX && host.apart.is_empty() && progress.refused_since.is_none() {
        let rooms = Rooms::of(rules, &host.concurrency);
        why.extend(first(rules.iter().filter_map(|rule| stalled(rule, &rooms, host))));
    }
    Health::of(why)
}

/// A run that outlives its deadline, or a rule that is due and not begun although its cluster has room.
fn stalled(rule: &RuleStatus, rooms: &Rooms<'_>, host: &HostState) -> Option<String> {
    let HostState { progress, at: now, .. } = *host;
    let longest = rule.deadline + MARGIN;
    if let Some(run) = &rule.running {
        let since = run.since.max(progress.free_since);
        return (now.since(since) > longest)
            .then(|| format!("a run of rule `{}` has not ended since {}", rule.name, rfc3339(since)));
    }
    // Few rules are primed at once, however long that takes.
    if !rule.enabled || rule.priming.is_some() || !rooms.has_room(&rule.cluster) {
        return None;
    }
    let ended = rule.last_run.as_ref().map(|run| run.ended_at);
    let failed = rule.failure.as_ref().map(|failure| failure.at);
    let due = rule.next_due?;
    // A rule that catches up is due long before its last run ended.
    let since = [Some(due), ended, failed, Some(progress.free_since)].into_iter().flatten().max()?;
    (now.since(since) > longest)
        .then(|| format!("rule `{}` is due since {} and has not begun", rule.name, rfc3339(since)))
}

/// How many runs are under way, counted once for all rules.
struct Rooms<'a> {
    concurrency: &'a BTreeMap<String, usize>,
    running: usize,
    by_cluster: BTreeMap<&'a str, usize>,
}

impl<'a> Rooms<'a> {
    fn of(rules: &'a [Arc<RuleStatus>], concurrency: &'a BTreeMap<String, usize>) -> Self {
        let mut rooms = Self { concurrency, running: 0, by_cluster: BTreeMap::new() };
        for rule in rules.iter().filter(|rule| rule.running.is_some()) {
            rooms.running += 1;
            *rooms.by_cluster.entry(&rule.cluster).or_default() += 1;
        }
        rooms
    }

    fn has_room(&self, cluster: &str) -> bool {
        let here = self.by_cluster.get(cluster).copied().unwrap_or(0);
        here < self.concurrency.get(cluster).copied().unwrap_or(1) && self.running < RUNS_MAX
    }
}

/// Whether every rule was evaluated lately.
pub(crate) fn ready(rules: &[Arc<RuleStatus>], host: &HostState) -> Health {
    let HostState { progress, drift, at: now, .. } = *host;
    let mut why = Vec::new();
    if drift > DRIFT_MAX {
        why.push(format!(
            "the wall clock is {drift} from the engine's time: no window starts; set the clock, or restart the host"
        ));
    }
    why.extend(host.apart.iter().cloned());
    if let Some(since) = progress.refused_since {
        why.push(format!("the store has refused every commit since {}; the log says why", rfc3339(since)));
    }
    let enabled = rules.iter().filter(|rule| rule.enabled);
    why.extend(first(enabled.filter_map(|rule| not_fresh(rule, now))));
    Health::of(why)
}

fn not_fresh(rule: &RuleStatus, now: Timestamp) -> Option<String> {
    let failure = rule.failure.as_ref().map(|failure| failure.message.as_str());
    if rule.priming.is_some() {
        let failure = failure.map(|failure| format!("; it fails: {failure}"));
        return Some(format!("rule `{}` is being primed{}", rule.name, failure.unwrap_or_default()));
    }
    is_late(rule, now).then(|| {
        let age = Duration::from_secs(now.since(rule.cursor).millis() / 1_000);
        let cause = failure.unwrap_or("no run has ended");
        format!("rule `{}` was last evaluated up to {age} ago: {cause}", rule.name)
    })
}

/// Whether the window after the rule's last one is due for too long. Measured from when it was due: between two points
/// of a schedule, however far apart, nothing is late, and a rule that runs once a day is missed within minutes.
fn is_late(rule: &RuleStatus, now: Timestamp) -> bool {
    let late_max = rule.interval.saturating_mul(LATE_INTERVALS).min(LATE_MAX).max(LATE_MIN);
    rule.window_due.is_some_and(|due| now.since(due) > late_max)
}

/// As many causes as a person reads, and the number of the others.
fn first(mut why: impl Iterator<Item = String>) -> Vec<String> {
    let mut told: Vec<String> = why.by_ref().take(CAUSES_MAX).collect();
    match why.count() {
        0 => {}
        more => told.push(format!("and {more} more rules")),
    }
    told
}

#[cfg(test)]
mod tests {
    use watchbell_contract::{Range, Window};
    use watchbell_pipeline::Running;
    use watchbell_pipeline::order::{Purpose, RunId};
    use watchbell_pipeline::record::{Failure, RunSummary};
    use watchbell_pipeline::spec::RuleName;

    use super::*;
    use crate::host_state::Progress;

    const MINUTE: Duration = Duration::from_mins(1);
    const DAY: i64 = 24 * 60 * 60_000;

    /// Of every minute, evaluated up to `cursor`, and behind.
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
            last_run: None,
            open_episodes: 0,
        }
    }

    fn host(progress: Progress, at: Timestamp) -> HostState {
        HostState {
            at,
            name: "h".into(),
            environment: "test".into(),
            bundle: "b".into(),
            generation: 1,
            owed: 0,
            drift: Duration::ZERO,
            apart: Vec::new(),
            progress,
            concurrency: Arc::new(BTreeMap::from([("main".to_owned(), 1)])),
        }
    }

    fn judged(
        of: impl Fn(&[Arc<RuleStatus>], &HostState) -> Health,
        status: RuleStatus,
        progress: Progress,
        now: Timestamp,
    ) -> Vec<String> {
        of(&[Arc::new(status)], &host(progress, now)).why
    }

    fn fresh() -> Progress {
        Progress::starting(Timestamp(0))
    }

    #[test]
    fn a_daily_rule_is_ready_until_it_is_a_quarter_of_an_hour_late() {
        let six = Timestamp(6 * 60 * 60_000);
        let day = Duration::from_hours(24);
        let daily = RuleStatus { window_due: Some(six + day), interval: day, ..status(six) };
        let at = |after: Duration| judged(ready, daily.clone(), fresh(), six + day + after);
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
        });
        let due = Timestamp(DAY) + MINUTE;
        let at = |after: Duration| judged(ready, behind.clone(), fresh(), due + after);
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
        assert_eq!(judged(alive, waiting.clone(), progress, now), Vec::<String>::new());
        assert!(judged(ready, waiting, progress, now)[0].contains("the store has refused"));
    }

    #[test]
    fn a_commit_that_never_ends_is_a_stall() {
        let mut progress = fresh();
        progress.commit_began(Timestamp(DAY));
        let at = |after| judged(alive, status(Timestamp(DAY)), progress, Timestamp(DAY) + after);
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
        let at = |progress, after| judged(alive, busy.clone(), progress, start + after);
        let longest = MINUTE + MARGIN;
        assert_eq!(at(fresh(), longest), Vec::<String>::new());
        assert_eq!(at(fresh(), longest + Duration(1)).len(), 1);
        // It was held until the clocks agreed.
        let mut freed = fresh();
        freed.freed(start + MINUTE);
        assert_eq!(at(freed, longest + Duration(1)), Vec::<String>::new());
    }

    #[test]
    fn a_rule_that_is_due_and_never_begins_is_a_stall_unless_it_just_ran() {
        let mut idle = status(Timestamp(DAY));
        let now = Timestamp(2 * DAY);
        assert_eq!(judged(alive, idle.clone(), fresh(), now).len(), 1);
        idle.last_run = Some(RunSummary {
            window: Range::new(Timestamp(DAY - 1), Timestamp(DAY)),
            rows: 0,
            signals: 0,
            took: Duration::ZERO,
            ended_at: now,
        });
        assert_eq!(judged(alive, idle, fresh(), now), Vec::<String>::new());
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
            alive(&rules, &host(fresh(), Timestamp(2 * DAY))).why
        };
        assert_eq!(why(busy), Vec::<String>::new());
        assert_eq!(why(elsewhere).len(), 1);
    }

    #[test]
    fn thousands_of_causes_are_counted() {
        let late = Arc::new(status(Timestamp(DAY)));
        let rules: Vec<_> = std::iter::repeat_n(late, 20_000).collect();
        let why = ready(&rules, &host(fresh(), Timestamp(2 * DAY))).why;
        assert_eq!((why.len(), why[50].as_str()), (51, "and 19950 more rules"));
    }
}
