//! Which node is next in a rolling upgrade, and why.
use std::collections::BTreeMap;

use crate::checks::leaving;
use crate::facts::Facts;
use crate::finding::{Code, Finding, Stand};
use crate::node::{Node, Version};

/// The nodes still to be replaced, the next one first.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The target version: as requested, or else the newest in the cluster.
    pub target: Version,
    /// All nodes have the same version and none was requested: the upgrade has not begun, or has ended.
    pub uniform: bool,
    pub candidates: Vec<Candidate>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub name: String,
    pub version: Version,
    /// The values of the awareness attributes.
    pub zone: Option<String>,
    /// Why it has this position.
    pub reasons: Vec<String>,
    /// Why it may not be replaced now; empty: it may.
    pub hindrances: Vec<Finding>,
}

/// The nodes to upgrade to `target`, in order: masters last, oldest version first, zones in turn.
pub fn order(facts: &Facts, target: Option<Version>) -> Option<Order> {
    let versions = || facts.nodes.values().map(|node| node.version);
    let newest = versions().max()?;
    let uniform = target.is_none() && versions().all(|version| version == newest);
    let target = target.unwrap_or(newest);
    let zones = Zones::of(facts, target);
    let mut left: Vec<&Node> = facts.nodes.values().filter(|node| uniform || node.version < target).collect();
    left.sort_by_key(|node| (is_late(facts, node), node.version, zones.done(node), node.name.clone()));
    let candidates = left.iter().map(|node| {
        let mut hindrances = Vec::new();
        leaving(facts, node, &mut hindrances);
        hindrances.retain(|finding| finding.stand > Stand::Note);
        Candidate {
            name: node.name.clone(),
            version: node.version,
            zone: zones.value(node),
            reasons: reasons(facts, node, &left, &zones),
            hindrances,
        }
    });
    Some(Order { target, uniform, candidates: candidates.collect() })
}

impl Order {
    /// The first that may be replaced.
    pub fn next(&self) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.hindrances.is_empty())
    }

    /// Whether all nodes are upgraded.
    pub fn is_done(&self) -> bool {
        self.candidates.is_empty()
    }

    /// What replacing `name` now would break, or why it is not next.
    pub fn objections(&self, name: &str) -> Vec<Finding> {
        let Some(candidate) = self.candidates.iter().find(|candidate| candidate.name == name) else {
            let what = format!("{name} does not need an upgrade to {}", self.target);
            return vec![Finding::note(Code::Stranded, what)];
        };
        let mut found = candidate.hindrances.clone();
        if let Some(next) = self.next().filter(|next| next.name != name) {
            found.push(Finding::note(
                Code::Stranded,
                format!("{} is next: {}", next.name, next.reasons.join(", ")),
            ));
        }
        found
    }
}

/// Masters are last, and the elected one last of all: an older node may be unable to join under a newer master.
fn is_late(facts: &Facts, node: &Node) -> u8 {
    u8::from(node.is_master_eligible()) + u8::from(facts.master.as_ref() == Some(&node.id))
}

fn reasons(facts: &Facts, node: &Node, left: &[&Node], zones: &Zones) -> Vec<String> {
    let mut reasons = Vec::new();
    match is_late(facts, node) {
        0 if left.iter().any(|other| is_late(facts, other) > 0) => {
            reasons.push("it is not master-eligible; master-eligible nodes go last".to_owned());
        }
        1 => reasons.push("it is master-eligible, but not the elected master".to_owned()),
        2 => reasons.push("it is the elected master, which goes last".to_owned()),
        _ => {}
    }
    let differs = left.iter().any(|other| other.version != node.version);
    if differs && left.iter().all(|other| node.version <= other.version) {
        reasons.push(format!("it has the oldest version, {}", node.version));
    }
    if let Some(zone) = zones.value(node) {
        let done = zones.done(node);
        if zones.by_value.len() > 1 {
            reasons.push(format!("{done} of the nodes in zone {zone} are upgraded"));
        }
    }
    if reasons.is_empty() {
        reasons.push("any order works; this one is by name".to_owned());
    }
    reasons
}

/// How many nodes of each zone are upgraded. The zone with the fewest is next, so that zones alternate.
struct Zones {
    attributes: Vec<String>,
    by_value: BTreeMap<String, usize>,
}

impl Zones {
    fn of(facts: &Facts, target: Version) -> Self {
        let attributes = facts.settings.list("cluster.routing.allocation.awareness.attributes");
        let mut zones = Self { attributes, by_value: BTreeMap::new() };
        for node in facts.data_nodes() {
            if let Some(zone) = zones.value(node) {
                *zones.by_value.entry(zone).or_default() += usize::from(node.version >= target);
            }
        }
        zones
    }

    fn value(&self, node: &Node) -> Option<String> {
        let values: Vec<&str> =
            self.attributes.iter().filter_map(|name| node.attributes.get(name)).map(String::as_str).collect();
        (!values.is_empty()).then(|| values.join("/"))
    }

    fn done(&self, node: &Node) -> usize {
        self.value(node).and_then(|zone| self.by_value.get(&zone).copied()).unwrap_or(0)
    }
}
