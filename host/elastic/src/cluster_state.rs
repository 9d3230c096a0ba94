//! The cluster's state as rows. It is the current state: rows have the last instant of the range as their time.
use serde_json::Value;
use tokio::time::Instant;
use watchbell_contract::{ClusterView, Range, Rows};
use watchbell_views::{DISKS, HEALTH, PENDING_TASKS, UNASSIGNED_SHARDS};

use crate::{error::ErrorKind, gate, session::Session, value_column::column};

pub(crate) async fn ask(
    session: &Session,
    view: ClusterView,
    over: Range,
    deadline: Instant,
) -> Result<Rows, ErrorKind> {
    let path = match view {
        ClusterView::Health => "/_cluster/health",
        ClusterView::UnassignedShards => {
            "/_cat/shards?format=json&h=index,shard,prirep,state,unassigned.reason"
        }
        ClusterView::PendingTasks => "/_cluster/pending_tasks",
        ClusterView::Disks => {
            "/_cat/allocation?format=json&bytes=b&h=node,shards,disk.used,disk.avail,disk.total,disk.percent"
        }
        // Made from several endpoints, and judged.
        ClusterView::Gate => return gate::ask(session, over, deadline).await,
    };
    let get = async |path: &str| session.get(path, deadline).await.map_err(ErrorKind::of_the_host);
    let answer = get(path).await?;
    if view == ClusterView::Disks {
        all_nodes(&answer, &get("/_cluster/health").await?)?;
    }
    rows(view, answer, over)
}

/// A node that does not answer is silently left out of the list of disks.
fn all_nodes(disks: &Value, health: &Value) -> Result<(), ErrorKind> {
    let expected = health.get("number_of_data_nodes").and_then(Value::as_u64).unwrap_or(0);
    let nodes = disks.as_array().into_iter().flatten();
    let told = nodes.filter(|row| row.get("node").is_some_and(|node| node != "UNASSIGNED")).count() as u64;
    match expected.saturating_sub(told) {
        0 => Ok(()),
        silent => Err(ErrorKind::PartialView {
            reason: format!("{silent} of {expected} data nodes did not answer"),
        }),
    }
}

fn rows(view: ClusterView, mut answer: Value, over: Range) -> Result<Rows, ErrorKind> {
    if answer.get("timed_out").is_some_and(|timed_out| timed_out == true) {
        return Err(ErrorKind::PartialView { reason: "the request timed out on the server".into() });
    }
    let list = |value: Option<&mut Value>| match value.map(Value::take) {
        Some(Value::Array(list)) => Ok(list),
        _ => Err(ErrorKind::Malformed { reason: "no list in the response".into() }),
    };
    let (fields, mut found): (&[&str], Vec<Value>) = match view {
        ClusterView::Health if answer.get("status").is_some_and(Value::is_string) => (&HEALTH, vec![answer]),
        ClusterView::Health => {
            return Err(ErrorKind::Malformed { reason: "no `status` in the response".into() });
        }
        ClusterView::UnassignedShards => (&UNASSIGNED_SHARDS, list(Some(&mut answer))?),
        ClusterView::PendingTasks => (&PENDING_TASKS, list(answer.get_mut("tasks"))?),
        ClusterView::Disks => (&DISKS, list(Some(&mut answer))?),
        ClusterView::Gate => {
            return Err(ErrorKind::Malformed { reason: "the view `gate` is not a single response".into() });
        }
    };
    if view == ClusterView::UnassignedShards {
        found.retain(|shard| shard.get("state").is_some_and(|state| state == "UNASSIGNED"));
    }
    // `_cat` returns numbers as text.
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
    Ok(Rows { columns: columns.collect(), times: vec![over.end.0.saturating_sub(1); found.len()] })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use watchbell_contract::{Timestamp, Values};

    use super::*;

    const OVER: Range = Range { start: Timestamp(0), end: Timestamp(10) };

    #[test]
    fn health_is_one_row() {
        let rows =
            rows(ClusterView::Health, json!({ "status": "red", "unassigned_shards": 3 }), OVER).unwrap();
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
        let rows = rows(ClusterView::UnassignedShards, answer, OVER).unwrap();
        assert_eq!((rows.len(), rows.validate()), (1, Ok(())));
        assert_eq!(rows.column("shard").unwrap().values, Values::Integers(vec![1]));
    }
    #[test]
    fn a_view_that_is_not_whole_is_no_quiet_cluster() {
        let fault = |view, answer: Value| rows(view, answer, OVER).unwrap_err().to_string();
        assert_eq!(
            fault(ClusterView::Health, json!({ "status": "green", "timed_out": true })),
            "the cluster's state is incomplete: the request timed out on the server"
        );
        for (view, answer) in [
            (ClusterView::Health, json!({})),
            (ClusterView::UnassignedShards, json!({})),
            (ClusterView::PendingTasks, json!({ "tasks": null })),
            (ClusterView::Disks, json!({ "error": "no" })),
        ] {
            let told = fault(view, answer);
            assert!(told.starts_with("unexpected response: no "), "{told}");
        }
        let disks = json!([{ "node": "a" }, { "node": "UNASSIGNED" }]);
        assert_eq!(all_nodes(&disks, &json!({ "number_of_data_nodes": 1 })), Ok(()));
        assert_eq!(
            all_nodes(&disks, &json!({ "number_of_data_nodes": 2 })).unwrap_err().to_string(),
            "the cluster's state is incomplete: 1 of 2 data nodes did not answer"
        );
    }
}
