//! What operators read: the cluster's state, nodes and settings, and why a shard is unassigned.
use serde_json::{Map, Value as Json, json};

use super::reply::Reply;
use super::request::Request;
use crate::errors::{Answer, Refusal};
use crate::shared::Shared;

pub(super) const NAME: &str = "watchbell-node";

/// The parts that describe one node with a shard of each index.
pub(super) fn state(shared: &Shared, request: &Request) -> Answer<Reply> {
    request.ignore(&["filter_path", "local"]);
    request.finish()?;
    let cluster = shared.lock();
    let (mut indices, mut routing) = (Map::new(), Map::new());
    for name in cluster.indices.keys() {
        let copy = json!({ "index": name, "shard": 0, "primary": true, "state": "STARTED", "node": NAME });
        indices.insert(name.clone(), json!({ "settings": { "index": { "number_of_replicas": "0" } } }));
        routing.insert(name.clone(), json!({ "shards": { "0": [copy] } }));
    }
    Ok(Reply::ok(json!({
        "cluster_name": NAME,
        "cluster_uuid": "watchbell-node-in-memory",
        "master_node": NAME,
        "nodes": { NAME: { "name": NAME, "ephemeral_id": NAME, "attributes": {} } },
        "metadata": {
            "cluster_coordination": { "last_committed_config": [NAME], "last_accepted_config": [NAME] },
            "indices": indices,
        },
        "routing_table": { "indices": routing },
    })))
}

pub(super) fn nodes(request: &Request) -> Answer<Reply> {
    request.ignore(&["filter_path"]);
    request.finish()?;
    Ok(Reply::ok(json!({
        "_nodes": { "total": 1, "successful": 1, "failed": 0 },
        "cluster_name": NAME,
        "nodes": { NAME: {
            "name": NAME, "version": "8.17.0", "roles": ["data", "master"], "attributes": {},
            "host": "127.0.0.1", "ip": "127.0.0.1",
        } },
    })))
}

/// Document bytes out of their limit: there is no disk.
pub(super) fn stats(shared: &Shared, request: &Request) -> Answer<Reply> {
    request.ignore(&["filter_path"]);
    request.finish()?;
    let used: usize = shared.lock().indices.values().map(|index| index.bytes).sum();
    let total = shared.limits.bytes_max.max(1);
    let space = json!({ "total_in_bytes": total, "available_in_bytes": total.saturating_sub(used) });
    Ok(Reply::ok(json!({
        "_nodes": { "total": 1, "successful": 1, "failed": 0 },
        "cluster_name": NAME,
        "nodes": { NAME: {
            "name": NAME, "fs": { "total": space, "data": [space] },
            "indices": { "store": { "size_in_bytes": used } },
        } },
    })))
}

/// There are no settings, and none can be set.
pub(super) fn settings(request: &Request) -> Answer<Reply> {
    request.ignore(&["include_defaults", "flat_settings", "filter_path"]);
    request.finish()?;
    Ok(Reply::ok(json!({ "persistent": {}, "transient": {}, "defaults": {} })))
}

/// All shards of this node are assigned.
pub(super) fn explain(request: &Request) -> Answer<Reply> {
    let asked = Asked::of(request)?;
    Err(Refusal::illegal(format!(
        "unable to find any unassigned shards to explain [index={}, shard={}] in the routing table",
        asked.index, asked.shard
    )))
}

/// The shard that the request is about.
pub(super) struct Asked {
    pub(super) index: String,
    pub(super) shard: u64,
    pub(super) primary: bool,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Answer<Self> {
        request.finish()?;
        let body = request.object()?;
        let index = body.get("index").and_then(Json::as_str);
        let shard = body.get("shard").and_then(Json::as_u64);
        let primary = body.get("primary").and_then(Json::as_bool);
        match (index, shard, primary) {
            (Some(index), Some(shard), Some(primary)) => Ok(Self { index: index.to_owned(), shard, primary }),
            _ => Err(Refusal::unmodelled("an explanation without [index], [shard] and [primary]")),
        }
    }
}
