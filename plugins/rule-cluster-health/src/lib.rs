//! `cluster_health`: what a cluster says of itself.
mod findings; // what was heard, and what is wrong with it
mod worst; // the worst few of what was named
mod gate; // what the upgrade gate would refuse

use schemars::JsonSchema;
use serde::Deserialize;
use watchbell_sdk::prelude::*;
use watchbell_sdk::{Ask, ClusterView};

pub use findings::Heard;

#[cfg(test)]
mod tests;

/// Fires while the cluster's status, unassigned shards, disks or pending tasks are not as they should be, or an upgrade of
/// it is stuck.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["status", "nodes", "pending_tasks", "unassigned_shards", "shards", "disks", "tasks", "gate"]))]
#[serde(deny_unknown_fields)]
pub struct ClusterHealth {
    /// Fires at this status or a worse one.
    status: Option<Status>,
    /// Fires while there are more unassigned shards than `above`.
    unassigned_shards: Option<Shards>,
    /// Fires while a node's disk is used by more than `above` percent.
    disk_used_percent: Option<Disks>,
    /// Fires while more than `above` cluster tasks wait.
    pending_tasks: Option<Tasks>,
    /// Fires while `watchbell upgrade-gate` would refuse to go on: shards are unassigned for reasons that an upgrade does
    /// not explain, or allocation was left disabled or excluded.
    #[serde(default)]
    gate: bool,
    /// How often it asks.
    #[serde(default = "minute")]
    every: Duration,
}

#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Status {
    Yellow,
    Red,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shards {
    /// This many are fine.
    #[serde(default)]
    above: u32,
    /// Shards that are unassigned for one of these reasons are not counted, such as `INDEX_CREATED`, `REPLICA_ADDED` or
    /// `NODE_LEFT`; in letters of either case.
    #[serde(default)]
    ignore: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Disks {
    /// 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    above: f64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tasks {
    /// This many are fine.
    above: u32,
}

fn minute() -> Duration {
    Duration::from_mins(1)
}

#[watchbell_sdk::rule(
    name = "cluster_health",
    summary = "Fires while a cluster's status, shards, disks or pending tasks are not as they should be"
)]
impl Rule for ClusterHealth {
    /// Heard in a window and judged at its end: nothing lasts from run to run.
    type State = Heard;

    fn plan(&self, context: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = Vec::new();
        if !context.key.is_empty() {
            faults
                .push(Fault::new("", "it watches the cluster as a whole: leave `key:` out of the manifest"));
        }
        if self.status.is_none()
            && self.unassigned_shards.is_none()
            && self.disk_used_percent.is_none()
            && self.pending_tasks.is_none()
            && !self.gate
        {
            let message = "give at least one of `status`, `unassigned_shards`, `disk_used_percent`, `pending_tasks` and `gate`";
            faults.push(Fault::new("", message));
        }
        if self.every.is_zero() {
            faults.push(Fault::new("/every", "must be longer than zero"));
        }
        if self.disk_used_percent.as_ref().is_some_and(|disks| !(0.0..=100.0).contains(&disks.above)) {
            faults.push(Fault::new("/disk_used_percent/above", "must be from 0 to 100"));
        }
        if faults.is_empty() { Ok(Plan::checks(Duration::ZERO, self.every)) } else { Err(faults) }
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        let views = self.views();
        let question = |view| Question { over, only: vec![], filter: None, ask: Ask::Cluster(view) };
        views.into_iter().map(question).collect()
    }

    fn row(&self, row: &Row<'_>, heard: &mut Heard, _out: &mut Signals) {
        match self.views().get(row.question()) {
            Some(ClusterView::Health) => heard.health(row),
            Some(ClusterView::UnassignedShards) => heard.shard(row, self.ignored()),
            Some(ClusterView::Disks) => heard.disk(row),
            Some(ClusterView::PendingTasks) => heard.task(row),
            Some(ClusterView::Gate) => heard.gate.row(row),
            None => {}
        }
    }

    /// Answers are of now: they carry the window's last instant, so only the check at its end has any.
    fn check(&self, at: Timestamp, heard: &mut Heard, out: &mut Signals) {
        if let Some(signal) = std::mem::take(heard).judge(self, at) {
            out.push(signal.until(at + self.every * 2));
        }
    }
}

impl ClusterHealth {
    /// The health always: it tells the rest where it happened.
    fn views(&self) -> Vec<ClusterView> {
        let others = [
            self.unassigned_shards.as_ref().map(|_| ClusterView::UnassignedShards),
            self.disk_used_percent.as_ref().map(|_| ClusterView::Disks),
            self.pending_tasks.as_ref().map(|_| ClusterView::PendingTasks),
            self.gate.then_some(ClusterView::Gate),
        ];
        [ClusterView::Health].into_iter().chain(others.into_iter().flatten()).collect()
    }

    fn ignored(&self) -> &[String] {
        self.unassigned_shards.as_ref().map_or(&[], |shards| &shards.ignore)
    }
}
