use watchbell_contract::{Duration, Timestamp, Window};

use crate::because::Because;
use crate::order::{Purpose, RunId};
use crate::record::{Failure, RunSummary};
use crate::spec::RuleName;
use crate::window;

use super::Engine;
use super::rule::{Activity, Rule};

/// What `status`, `/readyz` and the metrics tell of one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleStatus {
    pub name: RuleName,
    pub enabled: bool,
    /// The end of the last committed window. The rule's age is now minus this.
    pub cursor: Timestamp,
    /// Wall time of the last commit that moved it; `None` before the first.
    pub committed_at: Option<Timestamp>,
    /// How far the cursor is behind what could be judged by now.
    pub lag: Duration,
    /// When its next run may begin; `None` if disabled or never.
    pub next_due: Option<Timestamp>,
    pub running: Option<Running>,
    pub priming: Option<PrimingProgress>,
    pub failure: Option<Failure>,
    pub last_run: Option<RunSummary>,
    /// Announced or pending, not resolved.
    pub open_episodes: usize,
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

impl Engine {
    /// What every rule of the bundle is doing, disabled ones included.
    pub fn rules(&self) -> impl Iterator<Item = RuleStatus> + '_ {
        self.rules.values().map(|rule| self.rule_status(rule))
    }

    /// Why the rule, its episodes and its messages are where they are, then its last decisions, oldest first.
    /// Empty if there is no such rule.
    pub fn explain(&self, rule: &RuleName) -> Vec<Because> {
        let mut reasons: Vec<Because> = self.explain_run(rule).into_iter().collect();
        let Some(known) = self.rules.get(rule) else { return reasons };
        if let Some(priming) = &known.record.priming {
            reasons.push(Because::Priming { reached: priming.reached, until: priming.until });
        }
        reasons.extend(self.explain_episodes(rule));
        reasons.extend(self.outbox.explain(&rule.0));
        reasons.extend(known.recent.iter().cloned());
        reasons
    }

    fn rule_status(&self, rule: &Rule) -> RuleStatus {
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
            _ => rule.due(self.config.jitter_max),
        };
        // Behind by what is due, not by what lies between two points of the schedule.
        let slot = rule.table.as_ref().and_then(|table| window::next_slot(table, &rule.spec, rule.committed));
        let due = slot.is_some_and(|slot| slot.due + rule.jitter(self.config.jitter_max) <= self.now);
        let judgeable = (self.now - rule.spec.delay).floor(rule.spec.grid);
        RuleStatus {
            name: rule.spec.name.clone(),
            enabled: rule.spec.enabled,
            cursor: rule.committed,
            committed_at: rule.record.committed_at,
            lag: if rule.spec.enabled && due { judgeable.since(rule.committed) } else { Duration::ZERO },
            next_due,
            running,
            priming: rule.record.priming.as_ref().map(|priming| PrimingProgress {
                from: rule.primed_from.unwrap_or(priming.reached),
                reached: priming.reached,
                until: priming.until,
            }),
            failure: rule.record.failure.clone(),
            last_run: rule.record.last_run.clone(),
            open_episodes: rule.open.len(),
        }
    }
}
