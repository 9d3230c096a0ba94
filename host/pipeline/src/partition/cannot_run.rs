//! A rule that cannot run finds nothing, and says so: it has an episode of its own, from the failure that makes it last
//! too long until a run succeeds.
use watchbell_contract::Duration;

use crate::level;
use crate::record::{Change, Ending, Failure};

use super::rule::{Rule, Scope};

/// A rule has failed for too long after three intervals, within these bounds. Somebody must hear of a daily rule before
/// it has missed three days.
const INTERVALS: u64 = 3;
const LEAST: Duration = Duration::from_mins(5);
const MOST: Duration = Duration::from_hours(1);

impl Rule {
    /// A run has failed: if that has lasted too long, a level says so. Outside the `active:` hours none begins.
    pub(super) fn cannot_run(&mut self, failure: &Failure, scope: &mut Scope<'_>) {
        let after = self.spec.grid.saturating_mul(INTERVALS).max(LEAST).min(MOST);
        let is_active = self.spec.active.as_ref().is_none_or(|active| active.holds(scope.now));
        if failure.at.since(failure.since) < after || !is_active {
            return;
        }
        let level = level::cannot_run(scope.incarnation, &self.spec, failure);
        if self.open.contains_key(&level.labels) {
            return;
        }
        self.open.insert(level.labels.clone(), level.clone());
        self.pass([Change::Level { level, worse: None }], scope);
    }

    /// A run has succeeded.
    pub(super) fn runs_again(&mut self, scope: &mut Scope<'_>) {
        if let Some(level) = self.open.remove(&level::cannot_run_labels()) {
            self.pass([Change::Ended { level, why: Ending::Cleared }], scope);
        }
    }
}
