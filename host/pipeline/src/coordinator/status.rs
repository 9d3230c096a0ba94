use crate::health::HealthCause;
use crate::partition::{RuleStatus, Waiting};
use crate::reason::Reason;
use crate::spec::RuleName;

use super::Coordinator;

impl Coordinator {
    /// The status of every rule in its partitions, including disabled ones.
    pub fn rules(&self) -> impl Iterator<Item = RuleStatus> + '_ {
        self.partitions.values().flat_map(|partition| partition.rules(self.config.jitter_max))
    }

    pub fn rule(&self, name: &RuleName) -> Option<RuleStatus> {
        let partition = self.partitions.get(&self.partition_of(name))?;
        partition.rule(name, self.config.jitter_max)
    }

    /// Rules that may have changed since the last call; `None` means that the rule is no longer in the bundle or no
    /// longer this host's. A status changes at no other time, so that watching thousands of rules costs only as much as
    /// those that run.
    pub fn take_changed(&mut self) -> Vec<(RuleName, Option<RuleStatus>)> {
        let mut changed = std::mem::take(&mut self.gone);
        for partition in self.partitions.values_mut() {
            changed.append(&mut partition.take_changed());
        }
        let status = |name: RuleName| {
            let status = self.rule(&name);
            (name, status)
        };
        changed.into_iter().map(status).collect()
    }

    /// Why the rule, its episodes and its messages are in their current state, followed by its last decisions, oldest
    /// first. Empty if this host does not have the rule.
    pub fn explain(&self, rule: &RuleName) -> Vec<Reason> {
        let waiting = Waiting { now: self.now, queue: &self.queue, draining: self.draining };
        let partition = self.partitions.get(&self.partition_of(rule));
        let runs = partition.map(|partition| partition.explain(rule, &waiting)).unwrap_or_default();
        let decisions = self.notifier.as_ref().map(|notifier| notifier.explain(rule, self.now));
        runs.into_iter().map(Reason::Run).chain(decisions.into_iter().flatten()).collect()
    }

    /// What people should look at of the destinations: those that fail, and those whose limits are reached.
    pub fn destination_warnings(&self) -> Vec<HealthCause> {
        self.notifier.as_ref().map_or_else(Vec::new, |notifier| notifier.destination_warnings(self.now))
    }

    /// Messages that are queued or being delivered.
    pub fn outbox_depth(&self) -> usize {
        self.notifier.as_ref().map_or(0, |notifier| notifier.depth())
    }
}
