//! Everything that is looked at besides explanations: one room for each concern, each of which says what it found.
mod whole; // whether the picture is one
mod motion; // what the cluster is in the middle of
mod allocation; // what an earlier run left behind
mod masters; // who would be left to elect a master
mod copies; // which data would be lost with the node
mod disks; // whether the others have room

use crate::change::Own;
use crate::facts::Facts;
use crate::finding::Finding;
use crate::node::{Node, NodeId};

/// What is in the way of replacing `node` or, without one, of going on with an upgrade. The worst come first.
///
/// `own`: what this very call wrote to the cluster, and what therefore is not left over from an earlier one.
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

/// What `node` alone stands for, whatever else the cluster does.
pub(crate) fn leaving(facts: &Facts, node: &Node, found: &mut Vec<Finding>) {
    masters::check(facts, node, found);
    copies::check(facts, node, found);
    disks::check(facts, node, found);
}
