//! The cluster's state, which the master keeps as a whole: nodes, copies and indices are from one moment.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Unreadable;
use crate::facts::{Index, Voting};
use crate::node::NodeId;
use crate::settings::{flatten, items};
use crate::shard::{Copy, CopyState, ShardId, Unassigned};

const ANSWER: &str = "_cluster/state";

pub(super) struct State {
    pub(super) cluster: String,
    pub(super) uuid: String,
    pub(super) master: Option<NodeId>,
    pub(super) nodes: BTreeMap<String, StateNode>,
    pub(super) copies: Vec<Copy>,
    pub(super) indices: BTreeMap<String, Index>,
    pub(super) snapshots: Vec<String>,
    pub(super) restores: Vec<String>,
    pub(super) voting: Option<Voting>,
}

#[derive(Deserialize)]
pub(super) struct StateNode {
    pub(super) name: String,
    pub(super) ephemeral_id: Option<String>,
}

#[derive(Deserialize)]
struct Wire {
    cluster_name: String,
    cluster_uuid: Option<String>,
    master_node: Option<String>,
    nodes: BTreeMap<String, StateNode>,
    metadata: Metadata,
    #[serde(default)]
    routing_table: Routing,
    #[serde(default)]
    snapshots: InProgress,
    #[serde(default)]
    restore: InProgress,
}

#[derive(Deserialize)]
struct Metadata {
    cluster_uuid: Option<String>,
    cluster_coordination: Option<Coordination>,
    #[serde(default)]
    indices: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Coordination {
    #[serde(default)]
    last_committed_config: Vec<String>,
    #[serde(default)]
    last_accepted_config: Vec<String>,
    #[serde(default)]
    voting_config_exclusions: Vec<Exclusion>,
}

#[derive(Deserialize)]
struct Exclusion {
    #[serde(default)]
    node_id: String,
    #[serde(default)]
    node_name: String,
}

#[derive(Default, Deserialize)]
struct Routing {
    #[serde(default)]
    indices: BTreeMap<String, RoutingIndex>,
}

#[derive(Deserialize)]
struct RoutingIndex {
    shards: BTreeMap<String, Vec<WireCopy>>,
}

#[derive(Deserialize)]
struct WireCopy {
    index: String,
    shard: u32,
    primary: bool,
    state: String,
    node: Option<String>,
    relocating_node: Option<String>,
    recovery_source: Option<Recovery>,
    unassigned_info: Option<Info>,
}

#[derive(Deserialize)]
struct Recovery {
    r#type: String,
}

#[derive(Default, Deserialize)]
struct Info {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    delayed: bool,
    #[serde(default)]
    failed_attempts: u32,
}

#[derive(Default, Deserialize)]
struct InProgress {
    #[serde(default)]
    snapshots: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    repository: String,
    #[serde(default)]
    snapshot: String,
    #[serde(default)]
    state: String,
}

impl State {
    pub(super) fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let wire: Wire = Unreadable::parse(ANSWER, body)?;
        if wire.nodes.is_empty() {
            return Err(Unreadable::new(ANSWER, "it lists no nodes"));
        }
        let copies =
            wire.routing_table.indices.into_values().flat_map(|index| index.shards.into_values().flatten());
        let copies: Vec<Copy> = copies.map(WireCopy::read).collect::<Result<_, _>>()?;
        let indices: BTreeMap<String, Index> = wire
            .metadata
            .indices
            .iter()
            .map(|(name, held)| Ok((name.clone(), index(name, held)?)))
            .collect::<Result<_, _>>()?;
        if let Some(copy) = copies.iter().find(|copy| !indices.contains_key(&copy.shard.index)) {
            return Err(Unreadable::new(
                ANSWER,
                format!("index `{}` has shards but no settings", copy.shard.index),
            ));
        }
        Ok(Self {
            cluster: wire.cluster_name,
            uuid: wire.cluster_uuid.or(wire.metadata.cluster_uuid).unwrap_or_default(),
            master: wire.master_node.map(NodeId),
            nodes: wire.nodes,
            copies,
            indices,
            snapshots: wire.snapshots.under_way(),
            restores: wire.restore.under_way(),
            voting: wire.metadata.cluster_coordination.map(Coordination::read),
        })
    }
}

impl WireCopy {
    fn read(self) -> Result<Copy, Unreadable> {
        let Self { index, shard, primary, state, node, relocating_node, recovery_source, unassigned_info } =
            self;
        let missing =
            || Unreadable::new(ANSWER, format!("a copy of {index}[{shard}] is {state} but on no node"));
        let on = node.map(NodeId).ok_or_else(missing);
        let state = match state.as_str() {
            "UNASSIGNED" => {
                let info = unassigned_info.unwrap_or_default();
                let (reason, failed_attempts, delayed) = (info.reason, info.failed_attempts, info.delayed);
                CopyState::Unassigned(Unassigned { reason, failed_attempts, delayed })
            }
            "INITIALIZING" => CopyState::Initializing { node: on? },
            "STARTED" => CopyState::Started { node: on? },
            "RELOCATING" => CopyState::Relocating { node: on?, to: relocating_node.map(NodeId) },
            other => return Err(Unreadable::new(ANSWER, format!("`{other}` is not a shard state"))),
        };
        let shard = ShardId { index, number: shard };
        Ok(Copy { shard, primary, state, recovery: recovery_source.map(|source| source.r#type) })
    }
}

fn index(name: &str, held: &Value) -> Result<Index, Unreadable> {
    let settings = flatten(held.pointer("/settings/index").unwrap_or(&Value::Null));
    let replicas = settings.get("number_of_replicas").and_then(|replicas| replicas.parse().ok());
    let replicas = replicas
        .ok_or_else(|| Unreadable::new(ANSWER, format!("index `{name}` has no `number_of_replicas`")))?;
    let source = ["resize.source.name", "shrink.source.name"].iter().find_map(|key| settings.get(*key));
    let required =
        ["_id", "_name"].iter().filter_map(|by| settings.get(&format!("routing.allocation.require.{by}")));
    Ok(Index {
        replicas,
        resize_source: source.cloned(),
        required_on: required.flat_map(|named| items(named)).collect(),
        allocation: settings
            .iter()
            .filter_map(|(name, value)| {
                Some((name.strip_prefix("routing.allocation.")?.to_owned(), value.clone()))
            })
            .collect(),
    })
}

impl Coordination {
    fn read(self) -> Voting {
        let ids = |ids: Vec<String>| ids.into_iter().map(NodeId).collect();
        let exclusion = |one: Exclusion| (NodeId(one.node_id), one.node_name);
        Voting {
            committed: ids(self.last_committed_config),
            accepted: ids(self.last_accepted_config),
            exclusions: self.voting_config_exclusions.into_iter().map(exclusion).collect(),
        }
    }
}

impl InProgress {
    /// Finished entries are kept for a moment.
    fn under_way(self) -> Vec<String> {
        let ended = ["SUCCESS", "FAILED", "FAILURE", "PARTIAL", "MISSING"];
        let open = self.snapshots.into_iter().filter(|entry| !ended.contains(&entry.state.as_str()));
        open.map(|entry| format!("{}/{}", entry.repository, entry.snapshot)).collect()
    }
}
