//! What the cluster said, reduced to counts and the worst few, and what is wrong with it.
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

use crate::gate::Gate;
use crate::worst::{keep, word};
use crate::{ClusterHealth, Status};

/// Everything that is counted is counted to the end; of what is named, only the worst are kept.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    status: Option<String>,
    nodes: Option<i64>,
    waiting: Option<i64>,
    shards: u32,
    worst_shards: Vec<Shard>,
    worst_disks: Vec<Disk>,
    worst_tasks: Vec<Task>,
    pub(crate) gate: Gate,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Shard {
    /// Those that hold the only copy come first.
    is_replica: bool,
    index: String,
    shard: i64,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Disk {
    used_percent: f64,
    node: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Task {
    waiting_millis: i64,
    source: String,
    priority: String,
}

/// One thing that is wrong.
struct Fault {
    value: f64,
    threshold: f64,
    text: String,
}

impl Heard {
    pub(crate) fn health(&mut self, row: &Row<'_>) {
        self.status = row.text("status").map(str::to_owned);
        self.nodes = row.integer("number_of_nodes");
        self.waiting = row.integer("number_of_pending_tasks");
    }

    pub(crate) fn shard(&mut self, row: &Row<'_>, ignored: &[String]) {
        let reason = row.text("unassigned.reason").unwrap_or("UNKNOWN");
        if ignored.iter().any(|ignored| ignored.eq_ignore_ascii_case(reason)) {
            return;
        }
        self.shards = self.shards.saturating_add(1);
        let shard = Shard {
            is_replica: row.text("prirep") != Some("p"),
            index: word(row, "index"),
            shard: row.integer("shard").unwrap_or_default(),
            reason: reason.to_owned(),
        };
        keep(&mut self.worst_shards, shard, |a, b| a.cmp(b));
    }

    /// `_cat/allocation` has a line for the shards of no node: it has no disk.
    pub(crate) fn disk(&mut self, row: &Row<'_>) {
        if let Some(used_percent) = row.number("disk.percent") {
            let disk = Disk { used_percent, node: word(row, "node") };
            keep(&mut self.worst_disks, disk, |a, b| {
                b.used_percent.total_cmp(&a.used_percent).then_with(|| a.node.cmp(&b.node))
            });
        }
    }

    pub(crate) fn task(&mut self, row: &Row<'_>) {
        let task = Task {
            waiting_millis: row.integer("time_in_queue_millis").unwrap_or_default(),
            source: word(row, "source"),
            priority: word(row, "priority"),
        };
        keep(&mut self.worst_tasks, task, |a, b| {
            b.waiting_millis.cmp(&a.waiting_millis).then_with(|| a.source.cmp(&b.source))
        });
    }

    /// One signal for all that is wrong, as bad as the first of it.
    pub(crate) fn judge(self, rule: &ClusterHealth, at: Timestamp) -> Option<Signal> {
        let faults: Vec<Fault> = [
            self.bad_status(rule),
            self.too_many_shards(rule),
            self.full_disk(rule),
            self.too_many_tasks(rule),
            self.refused(rule),
        ]
        .into_iter()
        .flatten()
        .collect();
        let first = faults.first()?;
        let signal = Signal::firing(Labels::default(), at)
            .value(first.value)
            .threshold(first.threshold)
            .summary(faults.iter().map(|fault| fault.text.as_str()).collect::<Vec<_>>().join("; "));
        Some(signal.details(&self.details(rule)))
    }

    fn bad_status(&self, rule: &ClusterHealth) -> Option<Fault> {
        let wanted = rule.status?;
        let status = match self.status.as_deref()? {
            "yellow" => Status::Yellow,
            "red" => Status::Red,
            _ => return None,
        };
        let text = format!("status {}", status.word());
        (status >= wanted).then(|| Fault { value: status.number(), threshold: wanted.number(), text })
    }

    fn too_many_shards(&self, rule: &ClusterHealth) -> Option<Fault> {
        let above = rule.unassigned_shards.as_ref()?.above;
        let worst = self.worst_shards.first()?;
        let copy = if worst.is_replica { "replica" } else { "primary" };
        let text = format!(
            "{} unassigned shards, such as the {copy} of {}[{}] ({})",
            self.shards, worst.index, worst.shard, worst.reason
        );
        (self.shards > above).then(|| Fault { value: self.shards.into(), threshold: above.into(), text })
    }

    fn full_disk(&self, rule: &ClusterHealth) -> Option<Fault> {
        let above = rule.disk_used_percent.as_ref()?.above;
        let worst = self.worst_disks.first()?;
        let text = format!("the disk of {} is {}% full", worst.node, worst.used_percent);
        (worst.used_percent > above).then_some(Fault { value: worst.used_percent, threshold: above, text })
    }

    fn too_many_tasks(&self, rule: &ClusterHealth) -> Option<Fault> {
        let above = rule.pending_tasks.as_ref()?.above;
        let waiting = self.waiting?;
        let longest = self.worst_tasks.first().map_or(0, |task| task.waiting_millis.max(0));
        let text = format!("{waiting} pending tasks, the oldest for {}", Duration(longest.unsigned_abs()));
        (waiting > i64::from(above)).then(|| Fault { value: waiting as f64, threshold: above.into(), text })
    }

    fn refused(&self, rule: &ClusterHealth) -> Option<Fault> {
        let wrong = self.gate.wrong();
        (rule.gate && wrong > 0).then(|| Fault {
            value: wrong.into(),
            threshold: 0.0,
            text: self.gate.text(),
        })
    }

    /// What was looked at, and the worst of it.
    fn details(&self, rule: &ClusterHealth) -> impl Serialize + use<> {
        let mut details =
            json!({ "status": self.status, "nodes": self.nodes, "pending_tasks": self.waiting });
        if rule.unassigned_shards.is_some() {
            details["unassigned_shards"] = self.shards.into();
            let shards = self.worst_shards.iter().map(|shard| {
                json!({
                    "index": shard.index,
                    "shard": shard.shard,
                    "copy": if shard.is_replica { "replica" } else { "primary" },
                    "reason": shard.reason,
                })
            });
            details["shards"] = shards.collect();
        }
        if rule.disk_used_percent.is_some() {
            let disks = self.worst_disks.iter();
            details["disks"] =
                disks.map(|disk| json!({ "node": disk.node, "used_percent": disk.used_percent })).collect();
        }
        if rule.pending_tasks.is_some() {
            let tasks = self.worst_tasks.iter().map(|task| {
                json!({
                    "source": task.source,
                    "priority": task.priority,
                    "waiting_millis": task.waiting_millis,
                })
            });
            details["tasks"] = tasks.collect();
        }
        if rule.gate {
            details["gate"] = json!(self.gate.details());
        }
        details
    }
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }

    fn number(self) -> f64 {
        match self {
            Self::Yellow => 1.0,
            Self::Red => 2.0,
        }
    }
}
