//! Recorded answers that do not come from documents: raw searches and the cluster's own state.
use serde_json::Value;

use super::documents::{Answers, Document, column_of};
use crate::wire::types::Rows;
use crate::{ClusterView, Range, RawSearch};

pub(super) fn search(search: &RawSearch, over: Range, recorded: &[&Document]) -> Result<Rows, String> {
    let newest = newest(Answers::Search, over, recorded);
    let last = newest.last().map(|found| &found.fields);
    let columns = search.pick.iter().map(|(name, _)| {
        let value = last.and_then(|fields| fields.get(name)).filter(|value| !value.is_null());
        column_of(name, vec![value.into_iter().collect()])
    });
    Ok(Rows { times: vec![over.end.0 - 1], columns: columns.collect::<Result<_, _>>()? })
}

pub(super) fn cluster(view: ClusterView, over: Range, recorded: &[&Document]) -> Result<Rows, String> {
    let (kind, fields): (Answers, &[&str]) = match view {
        ClusterView::Health => (
            Answers::Health,
            &[
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
            ],
        ),
        ClusterView::UnassignedShards => {
            (Answers::UnassignedShards, &["index", "shard", "prirep", "unassigned.reason"])
        }
        ClusterView::PendingTasks => {
            (Answers::PendingTasks, &["insert_order", "priority", "source", "time_in_queue_millis"])
        }
        ClusterView::Disks => {
            (Answers::Disks, &["node", "shards", "disk.used", "disk.avail", "disk.total", "disk.percent"])
        }
        ClusterView::Gate => (
            Answers::Gate,
            &[
                "index",
                "shard",
                "prirep",
                "unassigned.reason",
                "node",
                "decider",
                "verdict",
                "standing",
                "code",
                "what",
            ],
        ),
    };
    let rows: Vec<_> =
        newest(kind, over, recorded).into_iter().filter(|row| !row.fields.is_empty()).collect();
    let cells = |field: &str| -> Vec<Vec<&Value>> {
        rows.iter()
            .map(|row| row.fields.get(field).filter(|value| !value.is_null()).into_iter().collect())
            .collect()
    };
    let columns = fields.iter().map(|field| column_of(field, cells(field)));
    Ok(Rows { times: vec![over.end.0 - 1; rows.len()], columns: columns.collect::<Result<_, _>>()? })
}

/// The last answer recorded before the end of `over`, with all rows recorded for that instant.
fn newest<'d>(kind: Answers, over: Range, recorded: &[&'d Document]) -> Vec<&'d Document> {
    let known = || recorded.iter().filter(|row| row.answers == Some(kind) && row.time < over.end.0);
    let last = known().map(|row| row.time).max();
    known().filter(|row| Some(row.time) == last).copied().collect()
}
