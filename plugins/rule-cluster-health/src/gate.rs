//! What the upgrade gate said: what it refuses, reduced to counts and the worst few.
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

use crate::worst::{keep, word};

/// Verdicts are the host's; they are counted here.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gate {
    /// Unassigned shards whose reasons an upgrade does not explain.
    refused: u32,
    /// Unassigned shards of which nothing is known.
    unexplained: u32,
    /// The shard of the last row: each has as many rows as nodes and deciders.
    last: Option<Copy>,
    worst: Vec<Objection>,
    /// What else is in the way, such as allocation that is still disabled.
    others: Vec<Other>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Copy {
    /// Those whose data cannot be read come first.
    is_replica: bool,
    index: String,
    shard: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Objection {
    is_replica: bool,
    /// The nodes that only say what an upgrade explains come last.
    is_allowed: bool,
    copy: Copy,
    node: Option<String>,
    decider: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Other {
    code: String,
    what: String,
}

impl Gate {
    pub(crate) fn row(&mut self, row: &Row<'_>) {
        let standing = row.text("standing").unwrap_or_default();
        if row.text("index").is_none() {
            if standing == "refused" {
                let other = Other { code: word(row, "code"), what: word(row, "what") };
                keep(&mut self.others, other, Ord::cmp);
            }
            return;
        }
        let copy = Copy {
            is_replica: row.text("prirep") != Some("p"),
            index: word(row, "index"),
            shard: row.integer("shard").unwrap_or_default(),
        };
        let is_new = self.last.as_ref() != Some(&copy);
        match standing {
            "refused" => {
                self.refused = self.refused.saturating_add(is_new.into());
                let text = |field| row.text(field).map(str::to_owned);
                let objection = Objection {
                    is_replica: copy.is_replica,
                    is_allowed: row.text("verdict") == Some("allowed"),
                    copy: copy.clone(),
                    node: text("node"),
                    decider: text("decider"),
                };
                keep(&mut self.worst, objection, Ord::cmp);
            }
            "unknown" => self.unexplained = self.unexplained.saturating_add(is_new.into()),
            _ => {}
        }
        self.last = Some(copy);
    }

    /// How much is in the way; none where nothing is.
    pub(crate) fn wrong(&self) -> u32 {
        self.refused.saturating_add(u32::try_from(self.others.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn text(&self) -> String {
        let mut parts = Vec::new();
        if let Some(worst) = self.worst.first() {
            let copy = if worst.copy.is_replica { "replica" } else { "primary" };
            let shards = if self.refused == 1 { "shard" } else { "shards" };
            let mut part = format!(
                "the upgrade gate refuses {} unassigned {shards}, such as the {copy} of {}[{}]",
                self.refused, worst.copy.index, worst.copy.shard
            );
            match (&worst.decider, &worst.node) {
                (Some(decider), Some(node)) => part.push_str(&format!(" ({decider} on {node})")),
                (Some(decider), None) => part.push_str(&format!(" ({decider})")),
                _ => {}
            }
            parts.push(part);
        }
        parts.extend(self.others.iter().map(|other| other.what.clone()));
        parts.join("; ")
    }

    pub(crate) fn details(&self) -> impl Serialize + use<> {
        // Where others object, those nodes are nobody's concern.
        let is_shown = |one: &&Objection| !one.is_allowed || self.worst.iter().all(|one| one.is_allowed);
        let shards: Vec<_> = self
            .worst
            .iter()
            .filter(is_shown)
            .map(|one| {
                json!({
                    "index": one.copy.index,
                    "shard": one.copy.shard,
                    "copy": if one.copy.is_replica { "replica" } else { "primary" },
                    "node": one.node,
                    "decider": one.decider,
                })
            })
            .collect();
        let others: Vec<_> =
            self.others.iter().map(|other| json!({ "code": other.code, "what": other.what })).collect();
        json!({ "refused": self.refused, "unexplained": self.unexplained, "shards": shards, "others": others })
    }
}
