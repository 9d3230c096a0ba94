//! A response of `_cluster/allocation/explain`, from Elasticsearch 6.8 to 9 and OpenSearch 1 to 3.
use serde::Deserialize;

use crate::decider;
use crate::node::NodeId;
use crate::shard::ShardId;
use crate::wire::Unreadable;

/// Why a copy of a shard has no node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub shard: ShardId,
    pub primary: bool,
    /// `unassigned`, unless the copy was allocated meanwhile.
    pub state: String,
    /// `None` for an unassigned copy.
    pub can_allocate: Option<CanAllocate>,
    /// Of the explained copy.
    pub failed_attempts: u32,
    /// The server's own sentence.
    pub summary: String,
    pub nodes: Vec<NodeDecision>,
}

/// The outcome over all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanAllocate {
    Yes,
    No,
    Throttled,
    /// The nodes are still being asked for their copies.
    AwaitingInfo,
    /// A node that left is given time to return.
    Delayed,
    /// For a primary: no node has its data, or all copies are stale or corrupt.
    NoValidCopy,
    /// No attempt was made yet.
    NoAttempt,
    /// A word that this version does not know.
    Other(String),
}

/// One node's decision on the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDecision {
    pub id: NodeId,
    pub name: String,
    /// In the words of `CanAllocate`; `worse_balance` is an `Other`.
    pub decision: CanAllocate,
    /// Without deciders that agree.
    pub objections: Vec<Objection>,
}

/// A decider that does not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// By the server's name for it, or else by its message; `None` if neither is known.
    pub decider: Option<String>,
    pub kind: ObjectionKind,
    pub sentence: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectionKind {
    No,
    Throttle,
    Other(String),
}

#[derive(Deserialize)]
struct Wire {
    index: String,
    shard: u32,
    primary: bool,
    current_state: String,
    can_allocate: Option<String>,
    #[serde(default)]
    allocate_explanation: String,
    #[serde(default)]
    unassigned_info: WireInfo,
    #[serde(default)]
    node_allocation_decisions: Vec<WireNode>,
}

#[derive(Default, Deserialize)]
struct WireInfo {
    #[serde(default, alias = "failed_attempts")]
    failed_allocation_attempts: u32,
}

#[derive(Deserialize)]
struct WireNode {
    node_id: String,
    #[serde(default)]
    node_name: String,
    node_decision: String,
    #[serde(default)]
    deciders: Vec<WireDecider>,
}

#[derive(Deserialize)]
struct WireDecider {
    decider: Option<String>,
    decision: String,
    #[serde(default)]
    explanation: String,
}

impl Explanation {
    /// # Errors
    /// The response is not an explanation.
    pub fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let wire: Wire = Unreadable::parse("_cluster/allocation/explain", body)?;
        Ok(Self {
            shard: ShardId { index: wire.index, number: wire.shard },
            primary: wire.primary,
            state: wire.current_state,
            can_allocate: wire.can_allocate.as_deref().map(CanAllocate::read),
            failed_attempts: wire.unassigned_info.failed_allocation_attempts,
            summary: wire.allocate_explanation,
            nodes: wire.node_allocation_decisions.into_iter().map(WireNode::read).collect(),
        })
    }

    pub fn is_of_unassigned(&self) -> bool {
        self.state.eq_ignore_ascii_case("unassigned")
    }
}

impl CanAllocate {
    fn read(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "yes" => Self::Yes,
            "no" => Self::No,
            "throttled" | "throttle" => Self::Throttled,
            "awaiting_info" => Self::AwaitingInfo,
            "allocation_delayed" => Self::Delayed,
            "no_valid_shard_copy" => Self::NoValidCopy,
            "no_attempt" => Self::NoAttempt,
            other => Self::Other(other.to_owned()),
        }
    }

    /// What the cluster is about to do by itself; `None` if nothing.
    pub fn pending(&self) -> Option<&'static str> {
        match self {
            Self::Yes => Some("it can be allocated"),
            Self::Throttled => Some("its allocation is throttled"),
            Self::AwaitingInfo => Some("the nodes are being asked for their copies"),
            Self::Delayed => Some("its allocation is delayed to give a node that left time to return"),
            Self::NoAttempt => Some("its allocation has not been attempted yet"),
            Self::No | Self::NoValidCopy | Self::Other(_) => None,
        }
    }
}

impl WireNode {
    fn read(self) -> NodeDecision {
        let agrees =
            |one: &WireDecider| ["YES", "ALWAYS"].iter().any(|word| one.decision.eq_ignore_ascii_case(word));
        NodeDecision {
            name: if self.node_name.is_empty() { self.node_id.clone() } else { self.node_name },
            id: NodeId(self.node_id),
            decision: CanAllocate::read(&self.node_decision),
            objections: self.deciders.into_iter().filter(|one| !agrees(one)).map(WireDecider::read).collect(),
        }
    }
}

impl WireDecider {
    fn read(self) -> Objection {
        let kind = match self.decision.to_ascii_uppercase().as_str() {
            "NO" => ObjectionKind::No,
            "THROTTLE" => ObjectionKind::Throttle,
            _ => ObjectionKind::Other(self.decision),
        };
        // A message never overrules a name.
        let named = self.decider.filter(|name| !name.trim().is_empty());
        let decider = named.or_else(|| decider::by_sentence(&self.explanation).map(str::to_owned));
        Objection { decider, kind, sentence: self.explanation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Explanation, Unreadable> {
        Explanation::read(body.as_bytes())
    }

    #[test]
    fn a_name_is_believed_before_a_sentence() {
        let body = |named: &str| {
            format!(
                r#"{{"index":"i","shard":0,"primary":false,"current_state":"unassigned","can_allocate":"no",
                "node_allocation_decisions":[{{"node_id":"n","node_name":"a","node_decision":"no","deciders":[
                {{{named}"decision":"NO","explanation":"a copy of this shard is already allocated to this node [x]"}},
                {{"decider":"enable","decision":"YES","explanation":""}}]}}]}}"#
            )
        };
        let decider = |text: &str| read(&body(text)).unwrap().nodes[0].objections[0].decider.clone();
        assert_eq!(decider(r#""decider":"filter","#), Some("filter".into()));
        assert_eq!(decider(""), Some("same_shard".into()));
        assert_eq!(read(&body("")).unwrap().nodes[0].objections.len(), 1, "who agrees is left out");
    }

    #[test]
    fn what_is_not_an_explanation_is_an_error() {
        for body in [
            "",
            "[]",
            "{}",
            "<html>",
            r#"{"index":"i","shard":-1,"primary":true,"current_state":"unassigned"}"#,
        ] {
            let error = read(body).unwrap_err().to_string();
            assert!(
                error.starts_with("cannot read the response of `_cluster/allocation/explain`: "),
                "{error}"
            );
        }
    }
}
