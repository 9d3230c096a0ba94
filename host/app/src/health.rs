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
/// With rules due, some run must end at least this often; a run's own deadline is 60 s.
const RUN_END_MAX: Duration = Duration::from_secs(120);
/// How many intervals may pass before a rule counts as stale, and the least that it is given.
const STALE_INTERVALS: u64 = 3;
const STALE_MIN: Duration = Duration::from_secs(30);

/// When things last moved, for `/livez`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    run_ended_at: Timestamp,
    commit_since: Option<Timestamp>,
}

impl Progress {
    pub(crate) fn starting(now: Timestamp) -> Self {
        Self { run_ended_at: now, commit_since: None }
    }

    pub(crate) fn run_ended(&mut self, now: Timestamp) {
        self.run_ended_at = now;
    }

    pub(crate) fn commit_began(&mut self, now: Timestamp) {
        // A commit that is repeated counts from its first attempt.
        self.commit_since.get_or_insert(now);
    }

    pub(crate) fn committed(&mut self, _: Timestamp) {
        self.commit_since = None;
    }
}

pub(crate) fn view(shell: &Shell) -> View {
    let now = shell.clock.now();
    let drift = shell.clock.drift();
    let statuses: Vec<RuleStatus> = shell.engine.rules().collect();
    let intervals = intervals(&shell.bindings.specs);
    View {
        environment: shell.bindings.environment.clone(),
        host: shell.host.clone(),
        at: rfc3339(now),
        bundle: Some(shell.bindings.digest.clone()),
        generation: shell.generation,
        alive: alive(&statuses, shell.progress, now),
        ready: ready(&statuses, &intervals, drift, now),
        rules: statuses.iter().map(|status| rule(status, now)).collect(),
        owed: shell.engine.outbox_depth() as u64,
        clock_drift_seconds: drift.secs_f64(),
    }
}

fn alive(rules: &[RuleStatus], progress: Progress, now: Timestamp) -> Health {
    let mut why = Vec::new();
    let waiting = rules.iter().filter(|rule| is_overdue(rule, now)).count();
    let quiet = now.since(progress.run_ended_at);
    if waiting > 0 && quiet > RUN_END_MAX {
        why.push(format!("{waiting} rules are due and no run has ended for {quiet}"));
    }
    if let Some(since) = progress.commit_since.filter(|&since| now.since(since) > COMMIT_MAX) {
        why.push(format!("the store has not finished a commit since {}", rfc3339(since)));
    }
    Health::of(why)
}

fn is_overdue(rule: &RuleStatus, now: Timestamp) -> bool {
    rule.enabled && rule.next_due.is_some_and(|due| now.since(due) > RUN_END_MAX)
}

fn ready(
    rules: &[RuleStatus],
    intervals: &BTreeMap<&RuleName, Duration>,
    drift: Duration,
    now: Timestamp,
) -> Health {
    let mut why = Vec::new();
    if drift > DRIFT_MAX {
        why.push(format!(
            "the wall clock is {drift} from the engine's time: no window starts; set the clock, or restart the host"
        ));
    }
    for rule in rules.iter().filter(|rule| rule.enabled) {
        let interval = intervals.get(&rule.name).copied().unwrap_or_default();
        if rule.priming.is_some() {
            why.push(format!("rule `{}` is being primed", rule.name));
        } else if rule.lag > interval.saturating_mul(STALE_INTERVALS).max(STALE_MIN) {
            let cause = rule.failure.as_ref().map_or("no run has ended", |failure| failure.message.as_str());
            let age = Duration::from_secs(now.since(rule.cursor).millis() / 1_000);
            why.push(format!("rule `{}` was last evaluated up to {age} ago: {cause}", rule.name));
        }
    }
    Health::of(why)
}

/// How far apart a rule's windows are; cron schedules get the least that any rule is given.
fn intervals(specs: &[RuleSpec]) -> BTreeMap<&RuleName, Duration> {
    specs
        .iter()
        .map(|spec| match spec.schedule {
            Schedule::Every(span) => (&spec.name, span),
            Schedule::Cron { .. } => (&spec.name, Duration::ZERO),
        })
        .collect()
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
