use std::collections::BTreeMap;
use std::fmt;

use crate::node::NodeId;

/// A shard of an index: its primary and all its replicas.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId {
    pub index: String,
    pub number: u32,
}

/// One copy of a shard.
#[derive(Clone, Debug, PartialEq)]
pub struct Copy {
    pub shard: ShardId,
    pub primary: bool,
    pub state: CopyState,
    /// How an unstarted copy is recovered: `PEER`, `LOCAL_SHARDS`, `SNAPSHOT`…
    pub recovery: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum CopyState {
    Unassigned(Unassigned),
    Initializing { node: NodeId },
    Started { node: NodeId },
    Relocating { node: NodeId, to: Option<NodeId> },
}

/// Why a copy has no node, as recorded by the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unassigned {
    /// `NODE_LEFT`, `INDEX_CREATED`, `ALLOCATION_FAILED`…
    pub reason: String,
    pub failed_attempts: u32,
    /// The cluster waits for a node to return before it looks for another.
    pub delayed: bool,
}

/// The unassigned copies of a shard that share one explanation: its primary, or its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub shard: ShardId,
    pub primary: bool,
    /// At least 1.
    pub copies: u32,
    pub reason: String,
    /// The highest count of these copies.
    pub failed_attempts: u32,
    /// Whether the cluster waits for the return of a node of any of them.
    pub delayed: bool,
}

impl Copy {
    /// The node that holds it; for a relocating copy, the source.
    pub fn node(&self) -> Option<&NodeId> {
        match &self.state {
            CopyState::Unassigned(_) => None,
            CopyState::Initializing { node }
            | CopyState::Started { node }
            | CopyState::Relocating { node, .. } => Some(node),
        }
    }

    /// Whether it holds all of its shard's data.
    pub fn is_active(&self) -> bool {
        matches!(self.state, CopyState::Started { .. } | CopyState::Relocating { .. })
    }

    /// Whether it is on `node` or moving to it.
    pub fn touches(&self, node: &NodeId) -> bool {
        self.node() == Some(node)
            || matches!(&self.state, CopyState::Relocating { to: Some(to), .. } if to == node)
    }
}

/// The unassigned copies among `copies`, by shard, primaries first.
pub(crate) fn groups(copies: &[Copy]) -> Vec<Group> {
    let mut groups: BTreeMap<(ShardId, bool), Group> = BTreeMap::new();
    for copy in copies {
        let CopyState::Unassigned(why) = &copy.state else { continue };
        let group = groups.entry((copy.shard.clone(), !copy.primary)).or_insert_with(|| Group {
            shard: copy.shard.clone(),
            primary: copy.primary,
            copies: 0,
            reason: why.reason.clone(),
            failed_attempts: 0,
            delayed: false,
        });
        group.delayed |= why.delayed;
        group.copies += 1;
        group.failed_attempts = group.failed_attempts.max(why.failed_attempts);
    }
    groups.into_values().collect()
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.index, self.number)
    }
}

impl Group {
    /// `primary` or `replica`.
    pub fn kind(&self) -> &'static str {
        if self.primary { "primary" } else { "replica" }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.copies {
            1 => write!(f, "the {} of {}", self.kind(), self.shard),
            copies => write!(f, "{copies} replicas of {}", self.shard),
        }
    }
}
