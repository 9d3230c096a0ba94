//! What changed between two looks, in a line.
use std::collections::BTreeSet;

use crate::facts::Facts;
use crate::finding::few;
use crate::shard::CopyState;

/// `None` if nothing changed that an operator would follow.
pub(crate) fn news(before: &Facts, now: &Facts) -> Option<String> {
    let mut news = Vec::new();
    let ids = |facts: &Facts| -> BTreeSet<String> { facts.nodes.keys().map(|id| id.0.clone()).collect() };
    let (old, new) = (ids(before), ids(now));
    let named = |facts: &Facts, ids: Vec<&String>| -> Vec<String> {
        ids.into_iter().map(|id| facts.name(&crate::node::NodeId(id.clone())).to_owned()).collect()
    };
    let gone = named(before, old.difference(&new).collect());
    let come = named(now, new.difference(&old).collect());
    if !gone.is_empty() {
        news.push(format!("left: {}", few(&gone)));
    }
    if !come.is_empty() {
        news.push(format!("joined: {}", few(&come)));
    }
    let restarted: Vec<&str> = now
        .nodes
        .values()
        .filter(|node| before.nodes.get(&node.id).is_some_and(|old| old.ephemeral != node.ephemeral))
        .map(|node| node.name.as_str())
        .collect();
    if !restarted.is_empty() {
        news.push(format!("restarted: {}", few(&restarted)));
    }
    if before.master != now.master {
        let name = now.master.as_ref().map_or("none", |master| now.name(master));
        news.push(format!("master: {name}"));
    }
    let counts = |facts: &Facts| -> [usize; 3] {
        let mut counts = [0; 3];
        for copy in &facts.copies {
            match copy.state {
                CopyState::Unassigned(_) => counts[0] += 1,
                CopyState::Initializing { .. } => counts[1] += 1,
                CopyState::Relocating { .. } => counts[2] += 1,
                CopyState::Started { .. } => {}
            }
        }
        counts
    };
    for (what, (old, new)) in ["unassigned", "initializing", "relocating"]
        .into_iter()
        .zip(counts(before).into_iter().zip(counts(now)))
    {
        if old != new {
            news.push(format!("{what} shards: {old} → {new}"));
        }
    }
    if news.is_empty() && before.copies != now.copies {
        news.push("shards moved".to_owned());
    }
    (!news.is_empty()).then(|| news.join(", "))
}
