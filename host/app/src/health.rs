//! Alive: the engine makes progress, so restarting the host would not help. Fresh: every rule was evaluated lately.
use std::collections::BTreeMap;

use watchbell_contract::{Duration, Timestamp};
use watchbell_pipeline::RuleStatus;
use watchbell_pipeline::spec::{RuleName, RuleSpec, Schedule};

use crate::clock::{DRIFT_MAX, rfc3339};
use crate::shell::Shell;
use crate::view::{Health, LastRun, RuleView, View};

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

/// When things last moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    commit_since: Option<Timestamp>,
    /// The store answers, and says no: restarting the host frees no disk.
    refused_since: Option<Timestamp>,
    /// Before this, runs waited for the clocks to agree, or for a bundle.
    free_since: Timestamp,
}

impl Progress {
    pub(crate) fn starting(now: Timestamp) -> Self {
        Self { commit_since: None, refused_since: None, free_since: now }
    }

    pub(crate) fn commit_began(&mut self, now: Timestamp) {
        self.commit_since = Some(now);
    }

    pub(crate) fn commit_ended(&mut self, now: Timestamp, written: bool) {
        self.commit_since = None;
        if written {
            self.refused_since = None;
        } else {
            self.refused_since.get_or_insert(now);
        }
    }

    /// From now on runs may begin that could not before.
    pub(crate) fn freed(&mut self, now: Timestamp) {
        self.free_since = now;
    }
}

/// What health is judged by, beside the rules themselves.
struct Situation<'a> {
    specs: BTreeMap<&'a RuleName, &'a RuleSpec>,
    concurrency: &'a BTreeMap<String, usize>,
    progress: Progress,
    drift: Duration,
    now: Timestamp,
}

pub(crate) fn view(shell: &Shell) -> View {
    let now = shell.clock.now();
    let drift = shell.clock.drift();
    let statuses: Vec<RuleStatus> = shell.engine.rules().collect();
    let situation = Situation {
        specs: shell.bindings.specs.iter().map(|spec| (&spec.name, spec)).collect(),
        concurrency: &shell.concurrency,
        progress: shell.progress,
        drift,
        now,
    };
    View {
        environment: shell.bindings.environment.clone(),
        host: shell.host.clone(),
        at: rfc3339(now),
        bundle: Some(shell.bindings.digest.clone()),
        generation: shell.generation,
        alive: alive(&statuses, &situation),
        ready: ready(&statuses, &situation),
        rules: statuses.iter().map(|status| rule(status, now)).collect(),
        owed: shell.engine.outbox_depth() as u64,
        clock_drift_seconds: drift.secs_f64(),
    }
}

fn alive(rules: &[RuleStatus], situation: &Situation<'_>) -> Health {
    let Situation { progress, now, .. } = *situation;
    let mut why = Vec::new();
    if let Some(since) = progress.commit_since.filter(|&since| now.since(since) > COMMIT_MAX) {
        why.push(format!("the store has not finished a commit since {}", rfc3339(since)));
    }
    // While the clocks disagree no run begins, and while the store refuses none is committed: no stall of our own.
    if situation.drift <= DRIFT_MAX && progress.refused_since.is_none() {
        why.extend(rules.iter().filter_map(|rule| stalled(rule, rules, situation)));
    }
    Health::of(why)
}

/// A run that outlives its deadline, or a rule that is due and not begun although its cluster has room.
fn stalled(rule: &RuleStatus, rules: &[RuleStatus], situation: &Situation<'_>) -> Option<String> {
    let Situation { progress, now, .. } = *situation;
    let spec = situation.specs.get(&rule.name)?;
    let longest = spec.deadline + MARGIN;
    if let Some(run) = &rule.running {
        let since = run.since.max(progress.free_since);
        return (now.since(since) > longest)
            .then(|| format!("a run of rule `{}` has not ended since {}", rule.name, rfc3339(since)));
    }
    // Few rules are primed at once, however long that takes.
    if !rule.enabled || rule.priming.is_some() || !has_room(&spec.cluster, rules, situation) {
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

fn has_room(cluster: &str, rules: &[RuleStatus], situation: &Situation<'_>) -> bool {
    let cluster_of = |rule: &RuleStatus| situation.specs.get(&rule.name).map(|spec| spec.cluster.as_str());
    let running: Vec<&RuleStatus> = rules.iter().filter(|rule| rule.running.is_some()).collect();
    let here = running.iter().filter(|rule| cluster_of(rule) == Some(cluster)).count();
    here < situation.concurrency.get(cluster).copied().unwrap_or(1) && running.len() < RUNS_MAX
}

fn ready(rules: &[RuleStatus], situation: &Situation<'_>) -> Health {
    let Situation { progress, drift, now, .. } = *situation;
    let mut why = Vec::new();
    if drift > DRIFT_MAX {
        why.push(format!(
            "the wall clock is {drift} from the engine's time: no window starts; set the clock, or restart the host"
        ));
    }
    if let Some(since) = progress.refused_since {
        why.push(format!("the store has refused every commit since {}; the log says why", rfc3339(since)));
    }
    for rule in rules.iter().filter(|rule| rule.enabled) {
        if rule.priming.is_some() {
            let failure = rule.failure.as_ref().map(|failure| format!("; it fails: {}", failure.message));
            why.push(format!("rule `{}` is being primed{}", rule.name, failure.unwrap_or_default()));
        } else if situation.specs.get(&rule.name).is_some_and(|spec| is_late(spec, rule, now)) {
            let cause = rule.failure.as_ref().map_or("no run has ended", |failure| failure.message.as_str());
            let age = Duration::from_secs(now.since(rule.cursor).millis() / 1_000);
            why.push(format!("rule `{}` was last evaluated up to {age} ago: {cause}", rule.name));
        }
    }
    Health::of(why)
}

/// Whether the window after the rule's last one is due for too long. Measured from when it was due: between two points
/// of a schedule, however far apart, nothing is late, and a rule that runs once a day is missed within minutes.
fn is_late(spec: &RuleSpec, rule: &RuleStatus, now: Timestamp) -> bool {
    // Nothing is due: no need to ask the schedule.
    if rule.lag.is_zero() {
        return false;
    }
    let Some((due, interval)) = slot(spec, rule.cursor) else { return false };
    let late_max = interval.saturating_mul(LATE_INTERVALS).min(LATE_MAX).max(LATE_MIN);
    now.since(due) > late_max
}

/// When the window after `cursor` is due, and how long after it the next one is.
fn slot(spec: &RuleSpec, cursor: Timestamp) -> Option<(Timestamp, Duration)> {
    let (before, after) = match spec.schedule {
        // The schedule says up to when to judge; or it says when, and judged is up to `delay` before.
        Schedule::Every(_) => (Duration::ZERO, spec.delay),
        Schedule::Cron { .. } => (spec.delay, Duration::ZERO),
    };
    let end = cursor.floor(spec.grid) + spec.grid;
    let point = spec.schedule.next_after(end + before - Duration(1))?;
    let next = spec.schedule.next_after(point)?;
    Some((point + after, next.since(point)))
}

fn rule(status: &RuleStatus, now: Timestamp) -> RuleView {
    RuleView {
        name: status.name.0.clone(),
        enabled: status.enabled,
        evaluated_until: Some(rfc3339(status.cursor)),
        window_age_seconds: now.since(status.cursor).secs_f64(),
        lag_seconds: status.lag.secs_f64(),
        next_due: status.next_due.map(rfc3339),
        running: status.running.is_some(),
        priming: status.priming.as_ref().map(|priming| rfc3339(priming.reached)),
        last_error: status.failure.as_ref().map(|failure| failure.message.clone()),
        failures_in_a_row: status.failure.as_ref().map_or(0, |failure| failure.streak),
        open_episodes: status.open_episodes as u64,
        last_run: status.last_run.as_ref().map(|run| LastRun {
            window_start: rfc3339(run.window.start),
            window_end: rfc3339(run.window.end),
            rows: run.rows,
            signals: run.signals,
            took_ms: run.took.millis(),
            ended_at: rfc3339(run.ended_at),
        }),
    }
}

#[cfg(test)]
mod tests {
    use watchbell_contract::{Range, Severity, Window};
    use watchbell_pipeline::Running;
    use watchbell_pipeline::order::{Purpose, RunId};
    use watchbell_pipeline::record::{Failure, RunSummary};
    use watchbell_pipeline::spec::{AlertSpec, CatchUp, Meaning, NoData};

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const DAY: i64 = 24 * 60 * 60_000;

    fn spec(schedule: Schedule) -> RuleSpec {
        RuleSpec {
            name: RuleName("r".into()),
            owner: None,
            enabled: true,
            meaning: Meaning("m".into()),
            state_version: 1,
            cluster: "main".into(),
            schedule,
            grid: MINUTE,
            history: Duration::ZERO,
            delay: Duration::ZERO,
            lateness: Duration::ZERO,
            lookback: None,
            catch_up: CatchUp::Merge,
            window_max: Duration::from_hours(24),
            deadline: MINUTE,
            key: Vec::new(),
            severity: Severity::Warning,
            worse: Vec::new(),
            no_data: NoData::Ignore,
            alert: AlertSpec::default(),
        }
    }

    fn daily() -> RuleSpec {
        spec(Schedule::Cron { expression: "0 6 * * *".into(), timezone: "UTC".into() })
    }

    /// Evaluated up to `cursor`, and behind.
    fn status(cursor: Timestamp) -> RuleStatus {
        RuleStatus {
            name: RuleName("r".into()),
            enabled: true,
            cursor,
            committed_at: None,
            lag: MINUTE,
            next_due: Some(cursor + MINUTE),
            running: None,
            priming: None,
            failure: None,
            last_run: None,
            open_episodes: 0,
        }
    }

    fn judged(
        of: impl Fn(&[RuleStatus], &Situation<'_>) -> Health,
        spec: &RuleSpec,
        status: RuleStatus,
        progress: Progress,
        now: Timestamp,
    ) -> Vec<String> {
        let concurrency = BTreeMap::from([("main".to_owned(), 1)]);
        let specs = BTreeMap::from([(&spec.name, spec)]);
        let situation = Situation { specs, concurrency: &concurrency, progress, drift: Duration::ZERO, now };
        of(&[status], &situation).why
    }

    fn fresh() -> Progress {
        Progress::starting(Timestamp(0))
    }

    #[test]
    fn a_daily_rule_is_ready_until_it_is_a_quarter_of_an_hour_late() {
        let six = Timestamp(6 * 60 * 60_000);
        let at = |after: Duration| {
            let now = six + Duration::from_hours(24) + after;
            judged(ready, &daily(), status(six), fresh(), now)
        };
        assert_eq!(at(Duration::from_mins(15)), Vec::<String>::new());
        assert_eq!(at(Duration::from_mins(16)).len(), 1);
    }

    #[test]
    fn a_rule_of_every_minute_may_be_two_late_and_the_cause_is_named() {
        let every = spec(Schedule::Every(MINUTE));
        let mut behind = status(Timestamp(DAY));
        behind.failure = Some(Failure {
            at: Timestamp(DAY),
            window: Range::new(Timestamp(0), Timestamp(1)),
            message: "cluster `main` is down".into(),
            streak: 3,
        });
        let due = Timestamp(DAY) + MINUTE;
        let at = |after: Duration| judged(ready, &every, behind.clone(), fresh(), due + after);
        assert_eq!(at(Duration::from_mins(2)), Vec::<String>::new());
        let why = at(Duration::from_mins(2) + Duration(1));
        assert!(why[0].contains("`r`") && why[0].contains("cluster `main` is down"), "{why:?}");
    }

    #[test]
    fn a_store_that_refuses_is_not_ready_and_alive() {
        let every = spec(Schedule::Every(MINUTE));
        let mut progress = fresh();
        progress.commit_began(Timestamp(DAY));
        progress.commit_ended(Timestamp(DAY), false);
        progress.commit_began(Timestamp(2 * DAY));
        let now = Timestamp(2 * DAY) + Duration::from_secs(1);
        let waiting = status(Timestamp(DAY));
        assert_eq!(judged(alive, &every, waiting.clone(), progress, now), Vec::<String>::new());
        assert!(judged(ready, &every, waiting, progress, now)[0].contains("the store has refused"));
    }

    #[test]
    fn a_commit_that_never_ends_is_a_stall() {
        let every = spec(Schedule::Every(MINUTE));
        let mut progress = fresh();
        progress.commit_began(Timestamp(DAY));
        let at = |after| judged(alive, &every, status(Timestamp(DAY)), progress, Timestamp(DAY) + after);
        assert_eq!(at(COMMIT_MAX), Vec::<String>::new());
        assert_eq!(at(COMMIT_MAX + Duration(1)).len(), 1);
    }

    #[test]
    fn a_run_that_outlives_its_deadline_is_a_stall() {
        let every = spec(Schedule::Every(MINUTE));
        let start = Timestamp(DAY);
        let mut busy = status(start);
        busy.running = Some(Running {
            run: RunId(1),
            purpose: Purpose::Live,
            window: Window { start, settled: start, end: start + MINUTE },
            since: start,
            attempt: 1,
        });
        let at = |progress, after| judged(alive, &every, busy.clone(), progress, start + after);
        let longest = every.deadline + MARGIN;
        assert_eq!(at(fresh(), longest), Vec::<String>::new());
        assert_eq!(at(fresh(), longest + Duration(1)).len(), 1);
        // It was held until the clocks agreed.
        let mut freed = fresh();
        freed.freed(start + MINUTE);
        assert_eq!(at(freed, longest + Duration(1)), Vec::<String>::new());
    }

    #[test]
    fn a_rule_that_is_due_and_never_begins_is_a_stall_unless_it_just_ran() {
        let every = spec(Schedule::Every(MINUTE));
        let mut idle = status(Timestamp(DAY));
        let now = Timestamp(2 * DAY);
        assert_eq!(judged(alive, &every, idle.clone(), fresh(), now).len(), 1);
        idle.last_run = Some(RunSummary {
            window: Range::new(Timestamp(DAY - 1), Timestamp(DAY)),
            rows: 0,
            signals: 0,
            took: Duration::ZERO,
            ended_at: now,
        });
        assert_eq!(judged(alive, &every, idle, fresh(), now), Vec::<String>::new());
    }
}
