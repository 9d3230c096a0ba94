//! All checks besides explanations, one room per concern.
mod whole; // whether the facts are complete
mod motion; // operations in progress
mod allocation; // what an earlier run left behind
mod masters; // whether a master can still be elected
mod copies; // data that would be lost with the node
mod disks; // whether other nodes have room

use crate::change::Own;
use crate::facts::Facts;
use crate::finding::Finding;
use crate::node::{Node, NodeId};

/// What prevents `node` from being replaced or, without a node, the upgrade from going on. The worst come first.
///
/// `own`: what this call wrote to the cluster, and so is not left over from an earlier one.
pub fn check(facts: &Facts, node: Option<&NodeId>, own: Own) -> Vec<Finding> {
    let mut found = Vec::new();
    let node = node.and_then(|id| facts.nodes.get(id));
    whole::check(facts, &mut found);
    motion::check(facts, &mut found);
    allocation::check(facts, node, own, &mut found);
    if let Some(node) = node {
        leaving(facts, node, &mut found);
    }
    found.sort_by_key(|finding| std::cmp::Reverse(finding.stand));
    found
}

/// What `node` itself is needed for, whatever else the cluster does.
pub(crate) fn leaving(facts: &Facts, node: &Node, found: &mut Vec<Finding>) {
    masters::check(facts, node, found);
    copies::check(facts, node, found);
    disks::check(facts, node, found);
}
