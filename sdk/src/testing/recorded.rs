//! Recorded answers that do not come from documents: raw searches and the cluster's own state.
use serde_json::Value;
use watchbell_rows::Rows;

use super::documents::{Answers, Document, column_of};
use crate::{ClusterView, Range, RawSearch};

pub(super) fn search(search: &RawSearch, over: Range, recorded: &[&Document]) -> Result<Rows, String> {
    let newest = newest(Answers::Search, over, recorded);
    let last = newest.last().map(|found| &found.fields);
    let columns = search.picks.iter().map(|(name, _)| {
        let value = last.and_then(|fields| fields.get(name)).filter(|value| !value.is_null());
        column_of(name, true, &[value.into_iter().cloned().collect()])
    });
    Ok(Rows { times: vec![over.end.0 - 1], columns: columns.collect::<Result<_, _>>()? })
}

pub(super) fn cluster(view: ClusterView, over: Range, recorded: &[&Document]) -> Result<Rows, String> {
    let (kind, fields): (Answers, &[&str]) = match view {
        ClusterView::Health => (Answers::Health, &watchbell_views::HEALTH),
        ClusterView::UnassignedShards => (Answers::UnassignedShards, &watchbell_views::UNASSIGNED_SHARDS),
        ClusterView::PendingTasks => (Answers::PendingTasks, &watchbell_views::PENDING_TASKS),
        ClusterView::Disks => (Answers::Disks, &watchbell_views::DISKS),
        ClusterView::Gate => (Answers::Gate, &watchbell_views::GATE),
    };
    let rows: Vec<_> =
        newest(kind, over, recorded).into_iter().filter(|row| !row.fields.is_empty()).collect();
    let cells = |field: &str| -> Vec<Vec<Value>> {
        rows.iter()
            .map(|row| row.fields.get(field).filter(|value| !value.is_null()).into_iter().cloned().collect())
            .collect()
    };
    let columns = fields.iter().map(|field| column_of(field, true, &cells(field)));
    Ok(Rows { times: vec![over.end.0 - 1; rows.len()], columns: columns.collect::<Result<_, _>>()? })
}

/// The last answer recorded before the end of `over`, with all rows recorded for that instant.
fn newest<'d>(kind: Answers, over: Range, recorded: &[&'d Document]) -> Vec<&'d Document> {
    let known = || recorded.iter().filter(|row| row.answers == Some(kind) && row.time < over.end.0);
    let last = known().map(|row| row.time).max();
    known().filter(|row| Some(row.time) == last).copied().collect()
}
