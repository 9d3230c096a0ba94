use crate::facts::{Facts, Voting};
use crate::finding::{Code, Finding};
use crate::node::{Node, NodeId};

/// Before Elasticsearch 7.0 this setting is the quorum.
const MINIMUM: &str = "discovery.zen.minimum_master_nodes";

pub(super) fn check(facts: &Facts, node: &Node, found: &mut Vec<Finding>) {
    if !node.is_master_eligible() {
        return;
    }
    let others = || facts.nodes.values().filter(|other| other.id != node.id);
    if !others().any(Node::is_electable) {
        let what = format!("{} is the last master-eligible node", node.name);
        found.push(Finding::stop(Code::LastMaster, what, "add a master-eligible node first"));
        return;
    }
    match &facts.voting {
        Some(voting) => quorum(facts, node, voting, found),
        None => minimum(facts, node, others().filter(|other| other.is_master_eligible()).count(), found),
    }
    if facts.master.as_ref() == Some(&node.id) {
        let what = format!("{} is the elected master: the others will elect a new one", node.name);
        found.push(Finding::note(Code::ElectedMaster, what));
    }
}

/// Electing a master takes more than half of the voting configuration; absent nodes cannot vote.
fn quorum(facts: &Facts, node: &Node, voting: &Voting, found: &mut Vec<Finding>) {
    for configuration in [&voting.committed, &voting.accepted] {
        if configuration.is_empty() {
            let help = "this user needs the privilege to read the cluster's state";
            found.push(Finding::unknown(Code::Quorum, "the voting configuration is unknown", help));
            return;
        }
        let stays = |id: &&NodeId| **id != node.id && facts.nodes.contains_key(id);
        let left = configuration.iter().filter(stays).count();
        if left * 2 <= configuration.len() {
            let what = format!(
                "without {} only {left} of {} nodes of the voting configuration remain, too few to elect a master",
                node.name,
                configuration.len()
            );
            let help = format!(
                "bring the missing master-eligible nodes back, or remove it from the voting configuration first: POST _cluster/voting_config_exclusions?node_names={}",
                node.name
            );
            found.push(Finding::stop(Code::Quorum, what, help));
            return;
        }
    }
    let stale: Vec<&str> = voting
        .exclusions
        .iter()
        .filter(|(id, name)| *id != node.id && *name != node.name)
        .map(|(id, name)| if name.is_empty() { id.0.as_str() } else { name.as_str() })
        .collect();
    if !stale.is_empty() {
        let what = format!("nodes are excluded from voting: {}", stale.join(", "));
        let help = "once they have left or returned for good: DELETE _cluster/voting_config_exclusions";
        found.push(Finding::note(Code::VotingExclusions, what).with_help(help));
    }
}

fn minimum(facts: &Facts, node: &Node, left: usize, found: &mut Vec<Finding>) {
    let minimum = facts.settings.get(MINIMUM).and_then(|minimum| minimum.parse::<i64>().ok()).unwrap_or(-1);
    if i64::try_from(left).unwrap_or(i64::MAX) < minimum {
        let what = format!(
            "without {} there are {left} master-eligible nodes, and `{MINIMUM}` is {minimum}",
            node.name
        );
        found.push(Finding::stop(Code::Quorum, what, "add a master-eligible node first"));
    }
}
