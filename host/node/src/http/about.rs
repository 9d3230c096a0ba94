//! General information about the node.
use serde_json::json;

use super::reply::Reply;
use super::request::Request;
use crate::cluster::Index;
use crate::errors::{Answer, Refusal};
use crate::names::Lookup;
use crate::shared::Shared;

pub(super) fn info(request: &Request) -> Answer<Reply> {
    request.finish()?;
    Ok(Reply::ok(json!({
        "name": "watchbell-node",
        "cluster_name": "watchbell-node",
        "cluster_uuid": "watchbell-node-in-memory",
        "version": {
            "number": "8.17.0",
            "build_flavor": "watchbell-node",
            "build_type": "embedded",
            "build_snapshot": false,
            "lucene_version": "none",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    })))
}

pub(super) fn health(shared: &Shared, request: &Request) -> Answer<Reply> {
    request.ignore(&["wait_for_status", "wait_for_no_relocating_shards", "wait_for_nodes", "level", "local"]);
    request.ignore(&["wait_for_active_shards", "wait_for_no_initializing_shards", "wait_for_events"]);
    request.finish()?;
    let indices = shared.lock().indices.len();
    Ok(Reply::ok(json!({
        "cluster_name": "watchbell-node", "status": "green", "timed_out": false,
        "number_of_nodes": 1, "number_of_data_nodes": 1,
        "active_primary_shards": indices, "active_shards": indices,
        "relocating_shards": 0, "initializing_shards": 0, "unassigned_shards": 0, "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0, "number_of_in_flight_fetch": 0, "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0,
    })))
}

/// Used mainly for the node's time.
pub(super) fn cat_health(shared: &Shared, request: &Request) -> Answer<Reply> {
    only_json(request)?;
    let seconds = (shared.clock)().div_euclid(1_000);
    let of_day = seconds.rem_euclid(86_400);
    let time = format!("{:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let shards = shared.lock().indices.len().to_string();
    let mut row = json!({
        "epoch": seconds.to_string(), "timestamp": time, "cluster": "watchbell-node", "status": "green",
        "node.total": "1", "node.data": "1", "shards": shards, "pri": shards, "relo": "0", "init": "0",
        "unassign": "0", "pending_tasks": "0", "max_task_wait_time": "-", "active_shards_percent": "100.0%",
    });
    if let (Some(asked), Some(row)) = (request.parameter("h"), row.as_object_mut()) {
        row.retain(|name, _| asked.split(',').any(|asked| asked == name));
    }
    Ok(Reply::ok(json!([row])))
}

/// One shard per index, on this node.
pub(super) fn cat_shards(shared: &Shared, request: &Request) -> Answer<Reply> {
    only_json(request)?;
    let cluster = shared.lock();
    let rows = cluster.indices.keys().map(|name| {
        json!({ "index": name, "shard": "0", "prirep": "p", "state": "STARTED", "unassigned.reason": null })
    });
    Ok(Reply::ok(rows.collect::<Vec<_>>().into()))
}

/// Document bytes out of their limit: there is no disk.
pub(super) fn cat_allocation(shared: &Shared, request: &Request) -> Answer<Reply> {
    only_json(request)?;
    let cluster = shared.lock();
    let used: usize = cluster.indices.values().map(|index| index.bytes).sum();
    let total = shared.limits.bytes_max.max(1);
    Ok(Reply::ok(json!([{
        "node": "watchbell-node", "shards": cluster.indices.len().to_string(), "disk.used": used.to_string(),
        "disk.avail": total.saturating_sub(used).to_string(), "disk.total": total.to_string(),
        "disk.percent": (used * 100 / total).to_string(),
    }])))
}

/// There is no queue.
pub(super) fn pending_tasks(request: &Request) -> Answer<Reply> {
    request.finish()?;
    Ok(Reply::ok(json!({ "tasks": [] })))
}

/// The columns that the host requests, as JSON.
fn only_json(request: &Request) -> Answer<()> {
    request.ignore(&["h", "bytes", "v", "s"]);
    match request.parameter("format") {
        Some("json") => request.finish(),
        other => Err(Refusal::unmodelled(format!("format [{}] here", other.unwrap_or("text")))),
    }
}

pub(super) fn cat_indices(shared: &Shared, request: &Request) -> Answer<Reply> {
    request.ignore(&["v", "s", "bytes"]);
    let as_json = match request.parameter("format") {
        Some("json") => true,
        None | Some("text") => false,
        Some(other) => return Err(Refusal::unmodelled(format!("format [{other}]"))),
    };
    let header = request.flag("v", false)?;
    if request.parameter("h").is_some() {
        return Err(Refusal::unmodelled("parameter [h] of _cat"));
    }
    request.finish()?;
    let cluster = shared.lock();
    let expression = request.path.get(2).map_or("*", String::as_str);
    let names = cluster.resolve(expression, Lookup::default())?;
    let row = |name: &String, index: &Index| {
        json!({
            "health": "green", "status": "open", "index": name, "uuid": index.uuid, "pri": "1", "rep": "0",
            "docs.count": index.len().to_string(), "docs.deleted": "0", "store.size": format!("{}b", index.bytes),
            "pri.store.size": format!("{}b", index.bytes),
        })
    };
    let rows: Vec<_> =
        names.iter().filter_map(|name| cluster.indices.get(name).map(|index| row(name, index))).collect();
    if as_json {
        return Ok(Reply::ok(rows.into()));
    }
    let mut out = String::new();
    if header {
        out.push_str("health status index uuid pri rep docs.count docs.deleted store.size pri.store.size\n");
    }
    for row in &rows {
        let cells: Vec<&str> =
            row.as_object().into_iter().flatten().filter_map(|(_, cell)| cell.as_str()).collect();
        out.push_str(&cells.join(" "));
        out.push('\n');
    }
    Ok(Reply::text(out))
}
