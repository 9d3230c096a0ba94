//! Whether unassigned shards are explained: every node by allowed deciders alone.
use crate::decider::{self, Allowed};
use crate::explain::{CanAllocate, Explanation, NodeDecision, ObjectionKind};
use crate::facts::Facts;
use crate::shard::Group;

/// The outcome of asking about a group of unassigned copies.
#[derive(Clone, Debug, PartialEq)]
pub enum Explained {
    By(Explanation),
    /// The server knows no such shard, or it is not unassigned.
    Gone(String),
    /// No response, or an unreadable one.
    Failed(String),
}

/// A group of unassigned copies with its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub group: Group,
    pub standing: Standing,
    /// One per node and decider, or one for the whole group.
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Allowed deciders explain every node.
    Accepted,
    /// The cluster is still working on it.
    Waiting(String),
    Refused {
        why: String,
        help: String,
    },
    Unknown(String),
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub node: Option<String>,
    pub decider: Option<String>,
    pub verdict: RowVerdict,
    /// The server's own sentence.
    pub sentence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowVerdict {
    Allowed,
    Waiting,
    Refused,
    Unknown,
}

/// The verdict on `group`, given what was `explained` in the cluster of `facts`.
pub fn judge(group: &Group, explained: &Explained, facts: &Facts, allowed: &Allowed) -> Judged {
    let (standing, rows) = match explained {
        Explained::By(explanation) => stand(group, explanation, facts, allowed),
        // Judged only if a later look still finds it unassigned.
        Explained::Gone(said) => {
            let why = format!("the cluster lists it as unassigned but does not explain it: {said}");
            (Standing::Unknown(why), vec![Row::whole(RowVerdict::Unknown, said)])
        }
        Explained::Failed(why) => {
            (Standing::Unknown(why.clone()), vec![Row::whole(RowVerdict::Unknown, why)])
        }
    };
    Judged { group: group.clone(), standing, rows }
}

fn stand(group: &Group, explanation: &Explanation, facts: &Facts, allowed: &Allowed) -> (Standing, Vec<Row>) {
    let whole = |standing: Standing, verdict| (standing, vec![Row::whole(verdict, &explanation.summary)]);
    let unknown = |why: String| (Standing::Unknown(why.clone()), vec![Row::whole(RowVerdict::Unknown, &why)]);
    if explanation.shard != group.shard || explanation.primary != group.primary {
        return unknown(format!("the response is about another shard, {}", explanation.shard));
    }
    if !explanation.is_of_unassigned() {
        return whole(Standing::Waiting(format!("it is now {}", explanation.state)), RowVerdict::Waiting);
    }
    let Some(can_allocate) = &explanation.can_allocate else {
        return unknown("the explanation has no `can_allocate`".into());
    };
    if let Some(pending) = can_allocate.pending() {
        return whole(Standing::Waiting(pending.into()), RowVerdict::Waiting);
    }
    // If no other node could take it, an explanation names the deciders but not the delay.
    if group.delayed && !group.primary {
        let pending = CanAllocate::Delayed.pending().unwrap_or_default();
        return whole(Standing::Waiting(pending.into()), RowVerdict::Waiting);
    }
    let mut rows: Vec<Row> = explanation.nodes.iter().flat_map(|node| node_rows(node, allowed)).collect();
    if rows.is_empty() {
        rows.push(Row::whole(RowVerdict::Unknown, &explanation.summary));
    }
    if group.primary {
        return (refused_primary(can_allocate, &rows), rows);
    }
    if let CanAllocate::Other(word) = can_allocate {
        return (
            Standing::Unknown(format!("`can_allocate` is `{word}`, which this version does not know")),
            rows,
        );
    }
    if *can_allocate == CanAllocate::NoValidCopy {
        return (refused("no node has a valid copy", "restore the index from a snapshot"), rows);
    }
    if let Some(pending) = explanation.nodes.iter().find_map(|node| Some((node, node.decision.pending()?))) {
        return (Standing::Waiting(format!("on {}, {}", pending.0.name, pending.1)), rows);
    }
    let is_named = |id: &crate::node::NodeId| explanation.nodes.iter().any(|node| node.id == *id);
    if let Some(silent) = facts.data_nodes().find(|node| !is_named(&node.id)) {
        return (Standing::Unknown(format!("the explanation does not mention node {}", silent.name)), rows);
    }
    if let Some(row) = rows.iter().find(|row| row.verdict == RowVerdict::Refused) {
        let decider = row.decider.as_deref().unwrap_or("an unnamed decider");
        let node = row.node.as_deref().unwrap_or("every node");
        let why = format!("`{decider}` on {node}: {}", row.sentence);
        return (refused(&why, decider::help(decider)), rows);
    }
    if let Some(row) = rows.iter().find(|row| row.verdict != RowVerdict::Allowed) {
        let node = row.node.as_deref().unwrap_or("every node");
        return (Standing::Unknown(format!("no decider explains why {node} does not take it")), rows);
    }
    // One explanation covers all replicas of a shard, but failed attempts are counted per replica.
    if group.failed_attempts > explanation.failed_attempts {
        let why = format!("the allocation of one of its replicas failed {} times", group.failed_attempts);
        return (refused(&why, decider::help("max_retry")), rows);
    }
    (Standing::Accepted, rows)
}

fn refused(why: &str, help: &str) -> Standing {
    Standing::Refused { why: why.into(), help: help.into() }
}

/// Never acceptable: its data cannot be read or written now.
fn refused_primary(can_allocate: &CanAllocate, rows: &[Row]) -> Standing {
    let named = rows.iter().find_map(|row| Some((row.decider.as_deref()?, row.node.as_deref()?)));
    match (can_allocate, named) {
        (CanAllocate::NoValidCopy, _) => refused(
            "an unassigned primary without a valid copy on any node",
            "start the node that has its data, or restore the index from a snapshot",
        ),
        (_, Some((decider, node))) => {
            refused(&format!("an unassigned primary: `{decider}` on {node}"), decider::help(decider))
        }
        (_, None) => refused("an unassigned primary", "start the node that has its data"),
    }
}

fn node_rows(node: &NodeDecision, allowed: &Allowed) -> Vec<Row> {
    let row = |decider: Option<String>, verdict, sentence: &str| Row {
        node: Some(node.name.clone()),
        decider,
        verdict,
        sentence: sentence.to_owned(),
    };
    let mut rows: Vec<Row> = Vec::new();
    for objection in &node.objections {
        let verdict = match (&objection.kind, &objection.decider) {
            (ObjectionKind::No, Some(decider)) if allowed.contains(decider) => RowVerdict::Allowed,
            (ObjectionKind::No, Some(_)) => RowVerdict::Refused,
            // It objects together with others, or the node's decision says that the allocation is throttled.
            (ObjectionKind::Throttle, _) => continue,
            (ObjectionKind::No, None) | (ObjectionKind::Other(_), _) => RowVerdict::Unknown,
        };
        rows.push(row(objection.decider.clone(), verdict, &objection.sentence));
    }
    match node.decision {
        CanAllocate::No if rows.is_empty() => rows.push(row(None, RowVerdict::Unknown, "")),
        CanAllocate::No => {}
        ref other if other.pending().is_some() => rows.push(row(None, RowVerdict::Waiting, "")),
        _ => rows.push(row(None, RowVerdict::Unknown, "")),
    }
    rows
}

impl Row {
    fn whole(verdict: RowVerdict, sentence: &str) -> Self {
        Self { node: None, decider: None, verdict, sentence: sentence.to_owned() }
    }
}

impl RowVerdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

impl Standing {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Waiting(_) => "waiting",
            Self::Refused { .. } => "refused",
            Self::Unknown(_) => "unknown",
        }
    }
}
