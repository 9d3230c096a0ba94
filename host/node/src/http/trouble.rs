//! What goes wrong on purpose, so that tests can see what comes of it.
use serde_json::{Value as Json, json};

use super::{Reply, Request, route};
use crate::errors::Refusal;
use crate::server::{Shared, Trouble};

/// What a troubled node answers; `None`: as ever, for it is no search.
pub(super) fn reply(trouble: Trouble, shared: &Shared, request: &Request) -> Option<Reply> {
    let searches = ["_search", "_count", "_pit"];
    if let Trouble::Unassigned(count) = trouble {
        return unassigned(count, shared, request);
    }
    if !request.path.iter().any(|part| searches.contains(&part.as_str())) {
        return None;
    }
    match trouble {
        Trouble::Refuse(status) => {
            let kind = if status == 429 {
                "es_rejected_execution_exception"
            } else {
                "search_phase_execution_exception"
            };
            Some(Reply::refusal(&Refusal::new(status, kind, "all shards failed")))
        }
        Trouble::PartialShards => {
            let reply = route(shared, request).unwrap_or_else(|refusal| Reply::refusal(&refusal));
            let mut body: Json = serde_json::from_str(&reply.body).ok()?;
            let shards = body.get_mut("_shards")?;
            shards["failed"] = json!(1);
            shards["failures"] = json!([{
                "shard": 0, "index": "test", "node": "watchbell-node",
                "reason": { "type": "node_not_connected_exception", "reason": "a shard is lacking on purpose" },
            }]);
            Some(Reply { body: body.to_string(), ..reply })
        }
        Trouble::Unassigned(_) => None,
    }
}

/// The cluster's own views, with `count` shards whose node has left.
fn unassigned(count: u32, shared: &Shared, request: &Request) -> Option<Reply> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let change: fn(&mut Json, u32) = match path.as_slice() {
        ["_cluster", "health"] => |body, count| {
            body["status"] = json!("yellow");
            body["unassigned_shards"] = json!(count);
        },
        ["_cat", "shards"] => |body, count| {
            let rows = (0..count).map(|shard| {
                json!({ "index": "test", "shard": shard.to_string(), "prirep": "r", "state": "UNASSIGNED",
                    "unassigned.reason": "NODE_LEFT" })
            });
            if let Some(list) = body.as_array_mut() {
                list.extend(rows);
            }
        },
        _ => return None,
    };
    let reply = route(shared, request).unwrap_or_else(|refusal| Reply::refusal(&refusal));
    let mut body: Json = serde_json::from_str(&reply.body).ok()?;
    change(&mut body, count);
    Some(Reply { body: body.to_string(), ..reply })
}
