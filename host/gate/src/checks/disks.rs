use std::collections::{BTreeMap, BTreeSet};

use crate::disk::{Disk, Room, Watermarks, shown};
use crate::facts::Facts;
use crate::finding::{Code, Finding};
use crate::node::{Node, NodeId};
use crate::shard::{Copy, ShardId};

const AWARENESS: &str = "cluster.routing.allocation.awareness.";
const HELP: &str = "free disk space, or add a node first";

/// Whether the nodes that would take over what `node` holds have room for it. How much of it can go to another node is
/// estimated by the number of shards, each counted with their mean size.
pub(super) fn check(facts: &Facts, node: &Node, found: &mut Vec<Finding>) {
    let marks = match Watermarks::of(&facts.settings) {
        Ok(Some(marks)) => marks,
        Ok(None) => return,
        Err(setting) => {
            let what = format!("`{setting}` is `{}`", facts.settings.get(&setting).unwrap_or_default());
            found.push(Finding::unknown(Code::Setting, what, "not a valid watermark: correct it"));
            return;
        }
    };
    let takeover = Takeover::of(facts, node);
    let (mut room, mut full) = (0_u64, Vec::new());
    for other in facts.data_nodes().filter(|other| other.id != node.id && node.shares_tier_with(other)) {
        let Some(disk) = &other.disk else { continue };
        match marks.room(disk) {
            Room::Bytes(bytes) if takeover.nodes.contains(&other.id) => room = room.saturating_add(bytes),
            Room::Bytes(_) => {}
            Room::AboveLow => full.push(told(other, disk, "low")),
            // These stop the cluster from working whichever node leaves.
            Room::AboveHigh => found.push(Finding::stop(Code::Disk, told(other, disk, "high"), HELP)),
            Room::AboveFlood => found.push(Finding::stop(Code::Disk, told(other, disk, "flood-stage"), HELP)),
        }
    }
    if room < takeover.bytes {
        let what = format!(
            "{} holds {} that would be allocated elsewhere, but the nodes that can take it have room for only {}",
            node.name,
            shown(takeover.bytes),
            shown(room)
        );
        let what = [vec![what], full].concat().join("; ");
        found.push(Finding::stop(Code::Disk, what, HELP));
    } else if !full.is_empty() {
        found.push(Finding::note(Code::Disk, full.join("; ")));
    }
}

fn told(node: &Node, disk: &Disk, mark: &str) -> String {
    let total: u64 = disk.paths.iter().map(|space| space.total).sum();
    let available: u64 = disk.paths.iter().map(|space| space.available).sum();
    format!(
        "the disk of {} is above the {mark} watermark ({} of {} available)",
        node.name,
        shown(available),
        shown(total)
    )
}

/// What the cluster would allocate elsewhere if a node left, and where.
#[derive(Default)]
struct Takeover {
    bytes: u64,
    nodes: BTreeSet<NodeId>,
}

impl Takeover {
    fn of(facts: &Facts, node: &Node) -> Self {
        let here: Vec<&Copy> = facts.copies_on(&node.id).collect();
        let mut elsewhere: BTreeMap<&ShardId, Vec<&Node>> =
            here.iter().map(|copy| (&copy.shard, vec![])).collect();
        for copy in &facts.copies {
            let on = copy.node().filter(|on| **on != node.id).and_then(|on| facts.nodes.get(on));
            if let (Some(on), Some(nodes)) = (on, elsewhere.get_mut(&copy.shard)) {
                nodes.push(on);
            }
        }
        let others: Vec<&Node> =
            facts.data_nodes().filter(|other| other.id != node.id && node.shares_tier_with(other)).collect();
        let zones = Zones::of(facts, node);
        let (mut moving, mut nodes) = (0_u64, BTreeSet::new());
        for (shard, holders) in &elsewhere {
            let copies = 1 + facts.indices.get(&shard.index).map_or(0, |index| index.replicas as usize);
            let takes = |other: &&&Node| {
                holders.iter().all(|holder| holder.id != other.id)
                    // Newer data is not allocated to older nodes.
                    && holders.iter().map(|holder| holder.version).min().is_none_or(|least| other.version >= least)
                    && zones.let_take(other, holders, copies)
            };
            let takers: Vec<&&Node> = others.iter().filter(takes).collect();
            moving += u64::from(!takers.is_empty());
            nodes.extend(takers.into_iter().map(|taker| taker.id.clone()));
        }
        let stored = node.disk.as_ref().map_or(0, |disk| disk.store_bytes);
        let bytes = u128::from(stored) * u128::from(moving) / here.len().max(1) as u128;
        Self { bytes: u64::try_from(bytes).unwrap_or(u64::MAX), nodes }
    }
}

/// The awareness attributes, with the number of values each has once a node is gone.
struct Zones(Vec<(String, usize)>);

impl Zones {
    fn of(facts: &Facts, node: &Node) -> Self {
        let attributes = facts.settings.list(&format!("{AWARENESS}attributes"));
        let values = |attribute: String| {
            let forced = facts.settings.list(&format!("{AWARENESS}force.{attribute}.values"));
            let others = facts.data_nodes().filter(|other| other.id != node.id);
            let here = others.filter_map(|other| other.attributes.get(&attribute).cloned());
            let values: BTreeSet<String> = here.chain(forced).collect();
            (attribute, values.len().max(1))
        };
        Self(attributes.into_iter().map(values).collect())
    }

    /// No value of an attribute gets more than its share of a shard's copies.
    fn let_take(&self, taker: &Node, holders: &[&Node], copies: usize) -> bool {
        self.0.iter().all(|(attribute, values)| {
            let value = taker.attributes.get(attribute);
            let held = holders.iter().filter(|holder| holder.attributes.get(attribute) == value).count();
            value.is_some() && held < copies.div_ceil(*values)
        })
    }
}
