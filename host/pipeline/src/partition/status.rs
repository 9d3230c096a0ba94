use std::collections::BTreeSet;

use watchbell_contract::{Duration, Timestamp, Window};

use crate::action::{Purpose, RunId};
use crate::queue::Queue;
use crate::reason::RunReason;
use crate::record::{Failure, RunSummary};
use crate::spec::RuleName;
use crate::window;

use super::Partition;
use super::rule::{Activity, Rule};

/// How many intervals late a window may be, and the minimum and maximum for any rule.
const LATE_INTERVALS: u64 = 2;
const LATE_MIN: Duration = Duration::from_secs(30);
const LATE_MAX: Duration = Duration::from_mins(15);

/// What `status`, `/readyz` and the metrics report about one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleStatus {
    pub name: RuleName,
    pub enabled: bool,
    pub cluster: String,
    /// The time limit of one run.
    pub deadline: Duration,
    /// The end of the last committed window. The rule's age is now minus this.
    pub cursor: Timestamp,
    /// Wall time of the last commit that moved the cursor; `None` before the first.
    pub committed_at: Option<Timestamp>,
    /// When its next run may begin; `None` if disabled or never.
    pub next_due: Option<Timestamp>,
    /// When the window after the cursor is due, regardless of current runs; `None` if disabled or never.
    pub window_due: Option<Timestamp>,
    /// The time between `window_due` and when the window after that is due.
    pub interval: Duration,
    /// Data younger than this is not evaluated yet.
    pub delay: Duration,
    pub running: Option<Running>,
    pub priming: Option<PrimingProgress>,
    pub failure: Option<Failure>,
    /// A sentence for each field that its last run found in no mapping; at most `UNMAPPED_MAX`.
    pub warnings: Vec<String>,
    pub last_run: Option<RunSummary>,
    /// Announced or pending, but not resolved.
    pub open_episodes: usize,
    /// The keys beyond its limit of open episodes, if there are any.
    pub overflow: Option<OverflowStatus>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverflowStatus {
    /// How many keys fire; at least that many if `!is_exact`.
    pub keys: u64,
    pub is_exact: bool,
    /// The limit.
    pub episodes_max: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    pub run: RunId,
    pub purpose: Purpose,
    pub window: Window,
    pub since: Timestamp,
    pub attempt: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrimingProgress {
    pub from: Timestamp,
    pub reached: Timestamp,
    pub until: Timestamp,
}

/// What a rule that is not running may be waiting for.
pub(crate) struct Waiting<'a> {
    pub(crate) now: Timestamp,
    pub(crate) queue: &'a Queue,
    pub(crate) draining: bool,
}

impl RuleStatus {
    /// Whether the next window has been due for too long. This is measured from when it was due: nothing is late
    /// between two points of a schedule, however far apart, and a missed daily rule is noticed within minutes.
    pub fn is_late(&self, now: Timestamp) -> bool {
        let late_max = self.interval.saturating_mul(LATE_INTERVALS).min(LATE_MAX).max(LATE_MIN);
        self.window_due.is_some_and(|due| now.since(due) > late_max)
    }

    /// How far the cursor is behind what could be evaluated by `now`. Only due windows count, not the time between two
    /// points of the schedule.
    pub fn lag(&self, now: Timestamp) -> Duration {
        match self.window_due {
            Some(due) if due <= now => (now - self.delay).since(self.cursor),
            _ => Duration::ZERO,
        }
    }
}

impl Partition {
    /// The status of each of its rules, disabled ones included.
    pub(crate) fn rules(&self, jitter_max: Duration) -> impl Iterator<Item = RuleStatus> + '_ {
        self.rules.values().map(move |rule| self.rule_status(rule, jitter_max))
    }

    pub(crate) fn rule(&self, name: &RuleName, jitter_max: Duration) -> Option<RuleStatus> {
        self.rules.get(name).map(|rule| self.rule_status(rule, jitter_max))
    }

    /// Rules that may have changed since the last call, ended ones included.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<RuleName> {
        self.rules.take_changed()
    }

    /// What keeps the rule from running, most important first, and how far its priming has come.
    pub(crate) fn explain(&self, name: &RuleName, host: &Waiting<'_>) -> Vec<RunReason> {
        let Some(rule) = self.rules.get(name) else { return Vec::new() };
        let mut reasons = vec![self.explain_run(rule, host)];
        if let Some(priming) = &rule.record.priming {
            let (reached, until) = (priming.reached, priming.until);
            reasons.push(RunReason::Priming { reached, until });
        }
        reasons
    }

    fn explain_run(&self, rule: &Rule, host: &Waiting<'_>) -> RunReason {
        match (rule.activity, &rule.retry) {
            _ if !rule.spec.enabled => RunReason::Disabled,
            (Activity::Running(id), _) => {
                RunReason::UnderWay { since: self.underway.get(&id).map_or(host.now, |run| run.since) }
            }
            (Activity::Committing, _) => RunReason::Committing,
            _ if host.draining => RunReason::Draining,
            (Activity::Idle, Some(retry)) => {
                let failure = rule.record.failure.clone();
                let (streak, message) = failure.map_or((0, String::new()), |f| (f.streak, f.message));
                RunReason::Backoff { until: retry.at, streak, message }
            }
            (Activity::Idle, None) => match host.queue.ready_at(&rule.spec.name) {
                None => RunReason::NeverDue,
                Some(until) if until > host.now => RunReason::NotDue { until },
                Some(_) => RunReason::ClusterBusy { cluster: rule.spec.cluster.clone() },
            },
        }
    }

    fn rule_status(&self, rule: &Rule, jitter_max: Duration) -> RuleStatus {
        let running = match rule.activity {
            Activity::Running(id) => {
                self.underway.get(&id).filter(|underway| !underway.abandoned).map(|underway| Running {
                    run: id,
                    purpose: underway.purpose,
                    window: underway.window,
                    since: underway.since,
                    attempt: underway.attempt,
                })
            }
            Activity::Idle | Activity::Committing => None,
        };
        let next_due = match (&rule.retry, rule.activity) {
            _ if !rule.spec.enabled => None,
            (Some(retry), Activity::Idle) => Some(retry.at),
            _ => rule.due(jitter_max),
        };
        let table = rule.table.as_ref().filter(|_| rule.spec.enabled);
        let slot = table.and_then(|table| window::next_slot(table, &rule.spec, rule.committed));
        let after = slot.zip(table).and_then(|(slot, table)| window::next_slot(table, &rule.spec, slot.end));
        let interval = slot.zip(after).map_or(Duration::ZERO, |(slot, after)| after.due.since(slot.due));
        RuleStatus {
            name: rule.spec.name.clone(),
            enabled: rule.spec.enabled,
            cluster: rule.spec.cluster.clone(),
            deadline: rule.spec.deadline,
            cursor: rule.committed,
            committed_at: rule.record.committed_at,
            next_due,
            window_due: slot.map(|slot| slot.due + rule.jitter(jitter_max)),
            interval,
            delay: rule.spec.delay,
            running,
            priming: rule.record.priming.as_ref().map(|priming| PrimingProgress {
                from: rule.primed_from.unwrap_or(priming.reached),
                reached: priming.reached,
                until: priming.until,
            }),
            failure: rule.record.failure.clone(),
            warnings: rule.unmapped.iter().map(|field| rule.spec.unmapped(field)).collect(),
            last_run: rule.record.last_run.clone(),
            open_episodes: rule.open.len(),
            overflow: (!rule.record.overflow.is_over()).then(|| OverflowStatus {
                keys: rule.record.overflow.keys(),
                is_exact: rule.record.overflow.is_exact(),
                episodes_max: rule.spec.episodes_max,
            }),
        }
    }
}
