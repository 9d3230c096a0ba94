//! Answers with faults that a test injects.
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::admin::{self, Asked};
use super::reply::Reply;
use super::request::Request;
use crate::config::InjectedFault;
use crate::errors::{Answer, Refusal};
use crate::shared::Shared;
use crate::snapshot::Snapshot;

/// The response under `fault`; `None`: the fault does not affect this request. `reachable` does the rest.
///
/// `well`: the response without a fault.
pub(super) fn reply(
    fault: InjectedFault,
    request: &Request,
    well: &dyn Fn() -> Answer<Reply>,
) -> Option<Reply> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match (fault, path.as_slice()) {
        (InjectedFault::Refuse(status), path) if path.iter().any(|part| SEARCHES.contains(part)) => {
            let kind = if status == 429 { "es_rejected_execution_exception" } else { PHASE };
            Some(Reply::refusal(&Refusal::new(status, kind, "all shards failed")))
        }
        (InjectedFault::PartialShards, ["_search", "scroll", ..]) if request.method != "DELETE" => {
            changed(well, |body| {
                let failure = json!({ "shard": 0, "index": "test", "node": "watchbell-node",
                    "reason": { "type": "node_not_connected_exception", "reason": "a node is gone on purpose" } });
                body["_shards"]["successful"] = json!(0);
                body["_shards"]["failed"] = json!(1);
                body["_shards"]["failures"] = json!([failure]);
            })
        }
        (InjectedFault::PartialShards, _) => views(1, "red", "p", request, well),
        (InjectedFault::Unassigned(count), _) => views(count, "yellow", "r", request, well),
        (InjectedFault::Refuse(_), _) => None,
    }
}

const SEARCHES: [&str; 3] = ["_search", "_count", "_pit"];
const PHASE: &str = "search_phase_execution_exception";

/// The reachable shards, one per index, and the number of unreachable ones: the last index, under the fault. A search
/// that allows no partial results, or has no other index, is refused.
pub(super) fn reachable(
    shared: &Shared,
    shards: Arc<Vec<Snapshot>>,
    partial: bool,
) -> Answer<(Arc<Vec<Snapshot>>, usize)> {
    let Some((missing, rest)) =
        shards.split_last().filter(|_| shared.fault() == Some(InjectedFault::PartialShards))
    else {
        return Ok((shards, 0));
    };
    if partial && !rest.is_empty() {
        return Ok((Arc::new(rest.to_vec()), 1));
    }
    let reason = format!(
        "Search rejected due to missing shards [[{}][0]]. Consider using `allow_partial_search_results` setting to bypass this error.",
        missing.name
    );
    Err(Refusal::new(503, PHASE, "").caused_by(PHASE, reason))
}

/// The cluster's state, with `count` unassigned shards.
fn views(
    count: u32,
    status: &str,
    prirep: &str,
    request: &Request,
    well: &dyn Fn() -> Answer<Reply>,
) -> Option<Reply> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["_cluster", "health"] => changed(well, |body| {
            body["status"] = json!(status);
            body["unassigned_shards"] = json!(count);
        }),
        ["_cluster", "state", ..] => changed(well, |body| {
            let mut shards = body["routing_table"]["indices"]["test"]["shards"].take();
            for shard in 0..count {
                let copy = json!({ "index": "test", "shard": shard, "primary": prirep == "p",
                    "state": "UNASSIGNED", "node": null, "unassigned_info": { "reason": "NODE_LEFT" } });
                // An existing index of this name keeps what it has.
                match shards[shard.to_string()].as_array_mut() {
                    Some(copies) => copies.push(copy),
                    None => shards[shard.to_string()] = json!([copy]),
                }
            }
            body["routing_table"]["indices"]["test"] = json!({ "shards": shards });
            body["metadata"]["indices"]["test"] =
                json!({ "settings": { "index": { "number_of_replicas": "1" } } });
        }),
        ["_cluster", "allocation", "explain"] => {
            let asked = Asked::of(request).ok()?;
            let says = "a copy of this shard is already allocated to this node";
            let decider = json!({ "decider": "same_shard", "decision": "NO", "explanation": says });
            Some(Reply::ok(json!({
                "index": asked.index, "shard": asked.shard, "primary": asked.primary,
                "current_state": "unassigned", "unassigned_info": { "reason": "NODE_LEFT" },
                "can_allocate": if asked.primary { "no_valid_shard_copy" } else { "no" },
                "allocate_explanation": "no node takes the shard",
                "node_allocation_decisions": [{
                    "node_id": admin::NAME, "node_name": admin::NAME, "node_decision": "no", "deciders": [decider],
                }],
            })))
        }
        ["_cat", "shards"] => changed(well, |body| {
            let rows = (0..count).map(|shard| {
                json!({ "index": "test", "shard": shard.to_string(), "prirep": prirep, "state": "UNASSIGNED",
                    "unassigned.reason": "NODE_LEFT" })
            });
            if let Some(list) = body.as_array_mut() {
                list.extend(rows);
            }
        }),
        _ => None,
    }
}

/// The normal response, changed.
fn changed(well: &dyn Fn() -> Answer<Reply>, change: impl FnOnce(&mut Json)) -> Option<Reply> {
    let reply = match well() {
        Ok(reply) => reply,
        Err(refusal) => return Some(Reply::refusal(&refusal)),
    };
    let mut body: Json = serde_json::from_str(&reply.body).ok()?;
    change(&mut body);
    Some(Reply { body: body.to_string(), ..reply })
}
