use std::collections::{BTreeMap, BTreeSet};

use crate::facts::Facts;
use crate::finding::{Code, Finding, count, few};
use crate::node::Node;
use crate::shard::{Copy, CopyState, ShardId};

pub(super) fn check(facts: &Facts, node: &Node, found: &mut Vec<Finding>) {
    closed(facts, found);
    if let Some(index) = gathered(facts, node) {
        let what = format!("the shards of index `{index}` must be on {} (a shrink requires it)", node.name);
        let help = "wait for the shrink, or clear `index.routing.allocation.require`";
        found.push(Finding::stop(Code::Resize, what, help));
    }
    let here: BTreeSet<&ShardId> = facts.copies_on(&node.id).map(|copy| &copy.shard).collect();
    if node.holds_data() && !here.is_empty() && !facts.data_nodes().any(|other| other.id != node.id) {
        let what = format!("{} is the last data node", node.name);
        found.push(Finding::stop(Code::LastDataNode, what, "add a data node first"));
    }
    let mut elsewhere: BTreeMap<&ShardId, Vec<&Copy>> =
        here.iter().map(|shard| (*shard, Vec::new())).collect();
    for copy in facts.copies.iter().filter(|copy| copy.node() != Some(&node.id)) {
        if let Some(copies) = elsewhere.get_mut(&copy.shard) {
            copies.push(copy);
        }
    }
    let alone = |copies: &[&Copy]| !copies.iter().any(|copy| copy.is_active() && !is_bound_for(copy, node));
    let single: Vec<&ShardId> =
        elsewhere.iter().filter(|(_, copies)| alone(copies)).map(|(shard, _)| *shard).collect();
    let replicas = |shard: &ShardId| facts.indices.get(&shard.index).map_or(0, |index| index.replicas);
    let (none, some): (Vec<_>, Vec<_>) = single.into_iter().partition(|shard| replicas(shard) == 0);
    if !none.is_empty() {
        let indices: BTreeSet<&str> = none.iter().map(|shard| shard.index.as_str()).collect();
        let indices: Vec<&str> = indices.into_iter().collect();
        let told = count(indices.len(), "index without replicas has", "indices without replicas have");
        let what = format!("{told} shards on {}: {}", node.name, few(&indices));
        let help = "give them a replica, or move them away with `--drain`";
        found.push(Finding::stop(Code::NoReplicas, what, help));
    }
    let initializes = |shard: &&ShardId| {
        elsewhere[shard].iter().any(|copy| matches!(copy.state, CopyState::Initializing { .. }))
    };
    let (soon, never): (Vec<_>, Vec<_>) = some.into_iter().partition(initializes);
    let told = |shards: &[&ShardId]| {
        let copies = count(shards.len(), "shard has", "shards have");
        format!("{copies} no other active copy than the one on {}: {}", node.name, few(shards))
    };
    if !never.is_empty() {
        let help = "replace another node first, so that their replicas are allocated, or move them away with `--drain`";
        found.push(Finding::stop(Code::OnlyCopy, told(&never), help));
    }
    if !soon.is_empty() {
        found.push(Finding::wait(Code::OnlyCopy, told(&soon)));
    }
}

/// An active copy that is moving to `node` leaves the node where it counts.
fn is_bound_for(copy: &Copy, node: &Node) -> bool {
    matches!(&copy.state, CopyState::Relocating { to: Some(to), .. } if *to == node.id)
}

fn gathered<'a>(facts: &'a Facts, node: &Node) -> Option<&'a str> {
    let required = facts.indices.iter().find(|(_, index)| index.is_required_on(node));
    required.map(|(name, _)| name.as_str())
}

/// Elasticsearch before 7.2 does not report where copies of a closed index are, nor does it replace them.
fn closed(facts: &Facts, found: &mut Vec<Finding>) {
    let listed: BTreeSet<&str> = facts.copies.iter().map(|copy| copy.shard.index.as_str()).collect();
    let unlisted: Vec<&str> =
        facts.indices.keys().map(String::as_str).filter(|index| !listed.contains(index)).collect();
    if !unlisted.is_empty() {
        let what =
            format!("the cluster does not report where the shards of closed indices are: {}", few(&unlisted));
        found.push(Finding::stop(Code::ClosedIndex, what, "open them, or take a snapshot and delete them"));
    }
}
