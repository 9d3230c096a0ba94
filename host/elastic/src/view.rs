//! The cluster's own state as rows. It is a state of now: rows carry the last instant of the range asked.
use elasticsearch::http::Method;
use serde_json::Value;
use tokio::time::Instant;
use watchbell_contract::{ClusterView, Range, Rows};

use crate::{cluster::Inner, error::Cause, raw::column, transport::Request};

const HEALTH: [&str; 11] = [
    "status",
    "number_of_nodes",
    "number_of_data_nodes",
    "active_primary_shards",
    "active_shards",
    "relocating_shards",
    "initializing_shards",
    "unassigned_shards",
    "number_of_pending_tasks",
    "task_max_waiting_in_queue_millis",
    "active_shards_percent_as_number",
];
const SHARDS: [&str; 4] = ["index", "shard", "prirep", "unassigned.reason"];
const TASKS: [&str; 4] = ["insert_order", "priority", "source", "time_in_queue_millis"];
const DISKS: [&str; 6] = ["node", "shards", "disk.used", "disk.avail", "disk.total", "disk.percent"];

pub(crate) async fn ask(
    inner: &Inner,
    view: ClusterView,
    over: Range,
    deadline: Instant,
) -> Result<Rows, Cause> {
    let path = match view {
        ClusterView::Health => "/_cluster/health",
        ClusterView::UnassignedShards => {
            "/_cat/shards?format=json&h=index,shard,prirep,state,unassigned.reason"
        }
        ClusterView::PendingTasks => "/_cluster/pending_tasks",
        ClusterView::Disks => {
            "/_cat/allocation?format=json&bytes=b&h=node,shards,disk.used,disk.avail,disk.total,disk.percent"
        }
    };
    let request = Request { method: Method::Get, path: path.into(), body: None, repeatable: true, deadline };
    let body = inner.send(&request).await?;
    let answer =
        serde_json::from_slice(&body).map_err(|error| Cause::Malformed { reason: error.to_string() })?;
    Ok(rows(view, answer, over))
}

fn rows(view: ClusterView, mut answer: Value, over: Range) -> Rows {
    let list = |value: &mut Value| match value.take() {
        Value::Array(list) => list,
        _ => vec![],
    };
    let (fields, mut found): (&[&str], Vec<Value>) = match view {
        ClusterView::Health => (&HEALTH, vec![answer]),
        ClusterView::UnassignedShards => (&SHARDS, list(&mut answer)),
        ClusterView::PendingTasks => (&TASKS, answer.get_mut("tasks").map(list).unwrap_or_default()),
        ClusterView::Disks => (&DISKS, list(&mut answer)),
    };
    if view == ClusterView::UnassignedShards {
        found.retain(|shard| shard.get("state").is_some_and(|state| state == "UNASSIGNED"));
    }
    // `_cat` writes numbers as text.
    let numeric = ["shard", "shards", "disk.used", "disk.avail", "disk.total", "disk.percent"];
    for row in &mut found {
        for field in numeric {
            if let Some(number) =
                row.get(field).and_then(Value::as_str).and_then(|text| text.parse::<i64>().ok())
            {
                row[field] = number.into();
            }
        }
    }
    let columns = fields.iter().map(|field| column(field, found.iter().map(|row| row.get(*field))));
    Rows { columns: columns.collect(), times: vec![over.end.0.saturating_sub(1); found.len()] }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use watchbell_contract::{Timestamp, Values};

    use super::*;

    const OVER: Range = Range { start: Timestamp(0), end: Timestamp(10) };

    #[test]
    fn health_is_one_row() {
        let rows = rows(ClusterView::Health, json!({ "status": "red", "unassigned_shards": 3 }), OVER);
        assert_eq!(rows.validate(), Ok(()));
        assert_eq!(rows.times, [9]);
        assert_eq!(rows.column("unassigned_shards").unwrap().values, Values::Integers(vec![3]));
    }

    #[test]
    fn only_unassigned_shards_are_rows() {
        let answer = json!([
            { "index": "a", "shard": "0", "prirep": "p", "state": "STARTED", "unassigned.reason": null },
            { "index": "a", "shard": "1", "prirep": "r", "state": "UNASSIGNED", "unassigned.reason": "NODE_LEFT" },
        ]);
        let rows = rows(ClusterView::UnassignedShards, answer, OVER);
        assert_eq!((rows.len(), rows.validate()), (1, Ok(())));
        assert_eq!(rows.column("shard").unwrap().values, Values::Integers(vec![1]));
    }
}
