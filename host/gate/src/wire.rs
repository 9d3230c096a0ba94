//! A server's responses → facts. The requests are listed here too: a field that is read here must be requested there.
mod state; // the cluster's state: nodes, copies, indices, operations in progress

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::disk::{Disk, Space};
use crate::facts::{Facts, Health, Status, Task};
use crate::node::{Node, NodeId, Version};
use crate::settings::{Settings, flatten};
use crate::shard::CopyState;

/// The requests for one look, in this order: what is judged first, what confirms it last.
pub const REQUESTS: [&str; 6] = [
    concat!(
        "/_cluster/state/master_node,nodes,metadata,routing_table,customs?filter_path=",
        "cluster_name,cluster_uuid,master_node,nodes.*.name,nodes.*.ephemeral_id,nodes.*.attributes,",
        "metadata.cluster_uuid,metadata.cluster_coordination,",
        "metadata.indices.*.settings.index.number_of_replicas,",
        "metadata.indices.*.settings.index.resize,metadata.indices.*.settings.index.shrink,",
        "metadata.indices.*.settings.index.routing.allocation,",
        "routing_table.indices.*.shards.*.index,routing_table.indices.*.shards.*.shard,",
        "routing_table.indices.*.shards.*.primary,routing_table.indices.*.shards.*.state,",
        "routing_table.indices.*.shards.*.node,routing_table.indices.*.shards.*.relocating_node,",
        "routing_table.indices.*.shards.*.recovery_source.type,",
        "routing_table.indices.*.shards.*.unassigned_info.reason,",
        "routing_table.indices.*.shards.*.unassigned_info.delayed,",
        "routing_table.indices.*.shards.*.unassigned_info.failed_attempts,",
        "snapshots.snapshots.repository,snapshots.snapshots.snapshot,snapshots.snapshots.state,",
        "restore.snapshots.repository,restore.snapshots.snapshot,restore.snapshots.state",
    ),
    "/_nodes/http?filter_path=_nodes,cluster_name,nodes.*.name,nodes.*.version,nodes.*.roles,nodes.*.attributes,nodes.*.host,nodes.*.ip",
    concat!(
        "/_nodes/stats/fs,indices/store?filter_path=_nodes,cluster_name,nodes.*.name,nodes.*.fs.data,nodes.*.fs.total,",
        "nodes.*.indices.store.size_in_bytes",
    ),
    "/_cluster/settings?include_defaults=true",
    "/_cluster/pending_tasks",
    "/_cluster/health",
];

/// The bodies of the responses to `REQUESTS`, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Answers<'a>(pub [&'a [u8]; 6]);

/// A response that is not what was requested.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the response of `{answer}`: {reason}")]
pub struct Unreadable {
    pub answer: &'static str,
    pub reason: String,
}

impl Unreadable {
    pub(crate) fn new(answer: &'static str, reason: impl Into<String>) -> Self {
        Self { answer, reason: reason.into() }
    }

    pub(crate) fn parse<T: DeserializeOwned>(answer: &'static str, body: &[u8]) -> Result<T, Self> {
        serde_json::from_slice(body).map_err(|error| Self::new(answer, error.to_string()))
    }
}

#[derive(Deserialize)]
struct NodesInfo {
    cluster_name: String,
    #[serde(default)]
    nodes: BTreeMap<String, NodeInfo>,
}

#[derive(Deserialize)]
struct NodeInfo {
    version: String,
    #[serde(default)]
    roles: BTreeSet<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    host: String,
    #[serde(default)]
    ip: String,
}

#[derive(Deserialize)]
struct NodesStats {
    #[serde(default)]
    nodes: BTreeMap<String, NodeStats>,
}

#[derive(Deserialize)]
struct NodeStats {
    fs: Option<Fs>,
    indices: Option<StoreOf>,
}

#[derive(Deserialize)]
struct Fs {
    #[serde(default)]
    data: Vec<FsPath>,
    total: Option<FsPath>,
}

#[derive(Deserialize)]
struct FsPath {
    total_in_bytes: Option<u64>,
    available_in_bytes: Option<u64>,
}

#[derive(Deserialize)]
struct StoreOf {
    store: Option<Store>,
}

#[derive(Deserialize)]
struct Store {
    size_in_bytes: u64,
}

#[derive(Deserialize)]
struct WireSettings {
    persistent: Value,
    transient: Value,
    #[serde(default)]
    defaults: Value,
}

#[derive(Deserialize)]
struct WireTasks {
    tasks: Vec<WireTask>,
}

#[derive(Deserialize)]
struct WireTask {
    source: String,
    #[serde(default)]
    time_in_queue_millis: i64,
}

#[derive(Deserialize)]
struct WireHealth {
    cluster_name: String,
    status: String,
    timed_out: bool,
    number_of_nodes: u64,
    active_shards: u64,
    relocating_shards: u64,
    initializing_shards: u64,
    unassigned_shards: u64,
    #[serde(default)]
    delayed_unassigned_shards: u64,
    #[serde(default)]
    number_of_pending_tasks: u64,
    #[serde(default)]
    number_of_in_flight_fetch: u64,
}

impl Facts {
    /// # Errors
    /// An unreadable response. Responses that contradict each other are facts with doubts.
    pub fn read(answers: Answers<'_>) -> Result<Self, Unreadable> {
        let [state, nodes, stats, settings, tasks, health] = answers.0;
        let state = state::State::read(state)?;
        let info: NodesInfo = Unreadable::parse("_nodes", nodes)?;
        let mut stats: NodesStats = Unreadable::parse("_nodes/stats", stats)?;
        let settings: WireSettings = Unreadable::parse("_cluster/settings", settings)?;
        let tasks: WireTasks = Unreadable::parse("_cluster/pending_tasks", tasks)?;
        let wire_health: WireHealth = Unreadable::parse("_cluster/health", health)?;
        let mut doubts = Vec::new();
        if [&info.cluster_name, &wire_health.cluster_name].iter().any(|name| **name != state.cluster) {
            doubts.push("its responses name different clusters".to_owned());
        }
        let mut nodes = BTreeMap::new();
        for (id, named) in &state.nodes {
            let Some(info) = info.nodes.get(id) else {
                doubts.push(format!("node {} did not report its version and roles", named.name));
                continue;
            };
            let version = Version::parse(&info.version)
                .ok_or_else(|| Unreadable::new("_nodes", format!("`{}` is not a version", info.version)))?;
            let mut node = Node {
                id: NodeId(id.clone()),
                name: named.name.clone(),
                ephemeral: named.ephemeral_id.clone(),
                version,
                roles: info.roles.clone(),
                attributes: info.attributes.clone(),
                host: info.host.clone(),
                ip: info.ip.clone(),
                disk: None,
            };
            node.disk = stats.nodes.remove(id).and_then(NodeStats::disk);
            if node.holds_data() && node.disk.is_none() {
                doubts.push(format!("node {} did not report its disk space", node.name));
            }
            nodes.insert(node.id.clone(), node);
        }
        let settings = Settings {
            persistent: flatten(&settings.persistent),
            transient: flatten(&settings.transient),
            defaults: flatten(&settings.defaults),
        };
        let facts = Self {
            cluster: state.cluster,
            uuid: state.uuid,
            master: state.master,
            nodes,
            copies: state.copies,
            indices: state.indices,
            settings,
            tasks: tasks.tasks.into_iter().map(WireTask::read).collect(),
            snapshots: state.snapshots,
            restores: state.restores,
            voting: state.voting,
            health: wire_health.read()?,
            doubts,
        };
        Ok(facts.doubted(&wire_health, state.nodes.len()))
    }

    /// Adds contradictions between health and state: responses are from different moments, and one that lacks a part
    /// looks like one in which all is well.
    fn doubted(mut self, health: &WireHealth, nodes: usize) -> Self {
        if health.timed_out {
            self.doubts.push("the cluster did not answer in time".into());
        }
        if health.number_of_nodes != nodes as u64 {
            let told = health.number_of_nodes;
            self.doubts.push(format!("its state has {nodes} nodes and its health {told}"));
        }
        let counted =
            |what: fn(&CopyState) -> bool| self.copies.iter().filter(|copy| what(&copy.state)).count() as u64;
        let parts = [
            (
                "active",
                counted(|state| matches!(state, CopyState::Started { .. } | CopyState::Relocating { .. })),
                health.active_shards,
            ),
            (
                "relocating",
                counted(|state| matches!(state, CopyState::Relocating { .. })),
                health.relocating_shards,
            ),
            (
                "initializing",
                counted(|state| matches!(state, CopyState::Initializing { .. })),
                health.initializing_shards,
            ),
            (
                "unassigned",
                counted(|state| matches!(state, CopyState::Unassigned(_))),
                health.unassigned_shards,
            ),
        ];
        for (what, in_state, told) in parts {
            if told > in_state {
                self.doubts.push(format!("its health has {told} {what} shards and its state {in_state}"));
            }
        }
        self
    }
}

impl NodeStats {
    fn disk(self) -> Option<Disk> {
        let fs = self.fs?;
        let space = |path: &FsPath| {
            Some(Space {
                total: path.total_in_bytes.filter(|total| *total > 0)?,
                available: path.available_in_bytes?,
            })
        };
        let mut paths: Vec<Space> = fs.data.iter().filter_map(space).collect();
        if paths.is_empty() {
            paths.extend(fs.total.as_ref().and_then(space));
        }
        let store_bytes = self.indices?.store?.size_in_bytes;
        (!paths.is_empty()).then_some(Disk { paths, store_bytes })
    }
}

impl WireTask {
    fn read(self) -> Task {
        Task { source: self.source, waiting_millis: u64::try_from(self.time_in_queue_millis).unwrap_or(0) }
    }
}

impl WireHealth {
    fn read(&self) -> Result<Health, Unreadable> {
        let status = match self.status.as_str() {
            "green" => Status::Green,
            "yellow" => Status::Yellow,
            "red" => Status::Red,
            other => return Err(Unreadable::new("_cluster/health", format!("`{other}` is not a status"))),
        };
        Ok(Health {
            status,
            relocating: self.relocating_shards,
            initializing: self.initializing_shards,
            unassigned: self.unassigned_shards,
            delayed: self.delayed_unassigned_shards,
            pending_tasks: self.number_of_pending_tasks,
            in_flight_fetches: self.number_of_in_flight_fetch,
        })
    }
}
