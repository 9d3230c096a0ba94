//! The state of a cluster at one moment.
use std::collections::BTreeMap;

use crate::node::{Node, NodeId};
use crate::settings::Settings;
use crate::shard::{Copy, Group, groups};

/// What a cluster reports about itself at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    pub cluster: String,
    pub uuid: String,
    /// The elected master; `None` if there is none.
    pub master: Option<NodeId>,
    /// By node id.
    pub nodes: BTreeMap<NodeId, Node>,
    /// Every copy of every shard, assigned or not.
    pub copies: Vec<Copy>,
    pub indices: BTreeMap<String, Index>,
    pub settings: Settings,
    pub tasks: Vec<Task>,
    /// Snapshots in progress, as `repository/snapshot`.
    pub snapshots: Vec<String>,
    /// Restores in progress, as `repository/snapshot`.
    pub restores: Vec<String>,
    /// `None` before Elasticsearch 7.0.
    pub voting: Option<Voting>,
    pub health: Health,
    /// Contradictions and gaps in the responses, which rule out a verdict.
    pub doubts: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    pub replicas: u32,
    /// The index that this one was created from by a shrink, split or clone.
    pub resize_source: Option<String>,
    /// The nodes, by name or id, that must hold all its shards: a shrink requires this first.
    pub required_on: Vec<String>,
    /// The index's own allocation settings, without `index.routing.allocation.`.
    pub allocation: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Green,
    Yellow,
    Red,
}

/// The counts of `_cluster/health`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    pub status: Status,
    pub relocating: u64,
    pub initializing: u64,
    pub unassigned: u64,
    pub delayed: u64,
    pub pending_tasks: u64,
    pub in_flight_fetches: u64,
}

/// A task waiting for the master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    pub source: String,
    pub waiting_millis: u64,
}

/// Who elects the master.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voting {
    pub committed: Vec<NodeId>,
    pub accepted: Vec<NodeId>,
    /// Ids and names of nodes excluded from voting.
    pub exclusions: Vec<(NodeId, String)>,
}

impl Facts {
    /// The unassigned copies, grouped by the explanation that covers them.
    pub fn unassigned(&self) -> Vec<Group> {
        groups(&self.copies)
    }

    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes
            .values()
            .find(|node| node.name == name)
            .or_else(|| self.nodes.get(&NodeId(name.to_owned())))
    }

    /// A node's name, or its id if it is gone.
    pub fn name<'a>(&'a self, id: &'a NodeId) -> &'a str {
        self.nodes.get(id).map_or(id.0.as_str(), |node| node.name.as_str())
    }

    pub fn data_nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(|node| node.holds_data())
    }

    /// The copies on `node` or moving to it.
    pub fn copies_on<'a>(&'a self, node: &'a NodeId) -> impl Iterator<Item = &'a Copy> {
        self.copies.iter().filter(move |copy| copy.touches(node))
    }

    /// Whether a verdict based on `earlier` also holds for these facts: the same nodes, copies and settings. Times,
    /// disks and tasks may differ; the later facts decide them.
    pub fn confirms(&self, earlier: &Self) -> bool {
        let nodes = |facts: &Self| -> Vec<_> {
            let one =
                |node: &Node| (node.id.clone(), node.ephemeral.clone(), node.version, node.roles.clone());
            facts.nodes.values().map(one).collect()
        };
        self.uuid == earlier.uuid
            && self.master == earlier.master
            && nodes(self) == nodes(earlier)
            && self.copies == earlier.copies
            && self.indices == earlier.indices
            && self.settings == earlier.settings
    }
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }
}

impl Index {
    pub fn is_required_on(&self, node: &Node) -> bool {
        self.required_on.iter().any(|named| *named == node.name || *named == node.id.0)
    }
}
