//! Changes to a cluster's settings. Each one also writes a mark, in the same request, so that a later call finds what a
//! crash left behind. What others wrote is never removed.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::facts::Facts;
use crate::node::Node;
use crate::settings::{Scope, Settings, items};

pub(crate) const EXCLUDE: &str = "cluster.routing.allocation.exclude._id";
pub(crate) const ENABLE: &str = "cluster.routing.allocation.enable";
/// The value for `ENABLE`: primaries of new indices can still be allocated.
const LIMITED: &str = "primaries";
/// `cluster.metadata.*` may hold anything that users like.
const DRAIN_MARK: &str = "cluster.metadata.watchbell.drain";
const RESTART_MARK: &str = "cluster.metadata.watchbell.restart";

/// Settings to write in one request, which a cluster applies as a whole or not at all. `None`: remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub persistent: BTreeMap<String, Option<String>>,
    pub transient: BTreeMap<String, Option<String>>,
}

/// Who changes something, and when; for people who find the mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub host: String,
    /// RFC 3339.
    pub at: String,
}

/// What an earlier call wrote and did not undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leftover {
    Drain(DrainMark),
    Restart(RestartMark),
    /// A mark of this program that this version cannot read: its setting and its text.
    Unreadable(String, String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainMark {
    pub node: String,
    pub node_id: String,
    /// Whether the exclusion is in the transient settings.
    transient: bool,
    /// Whether this call added the exclusion; otherwise it was there before.
    added: bool,
    host: String,
    at: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartMark {
    pub node: String,
    pub node_id: String,
    /// The process that was to be restarted.
    pub(crate) ephemeral: Option<String>,
    transient: bool,
    /// The value before.
    before: Option<String>,
    host: String,
    at: String,
}

/// All leftovers; at most one drain and one restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers(Vec<Leftover>);

/// What this call itself has in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    pub drain: bool,
    pub restart: bool,
}

/// How a leftover is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    pub change: Change,
    /// What it does, as a sentence.
    pub told: String,
}

impl Change {
    /// The body of `PUT _cluster/settings`.
    pub fn body(&self) -> String {
        json!({ "persistent": self.persistent, "transient": self.transient }).to_string()
    }

    fn set(&mut self, scope: Scope, name: &str, value: Option<String>) {
        let scope = match scope {
            Scope::Transient => &mut self.transient,
            Scope::Persistent => &mut self.persistent,
        };
        scope.insert(name.to_owned(), value);
    }

    /// Excludes `node` from allocation, in addition to existing exclusions.
    pub(crate) fn exclude(settings: &Settings, node: &Node, author: &Author) -> Self {
        let (scope, list) = settings.explicit(EXCLUDE).unwrap_or((Scope::Persistent, ""));
        let mut list = items(list);
        let added = !list.contains(&node.id.0);
        let mut change = Self::default();
        if added {
            list.push(node.id.0.clone());
            change.set(scope, EXCLUDE, Some(list.join(",")));
        }
        let mark = DrainMark {
            node: node.name.clone(),
            node_id: node.id.0.clone(),
            transient: scope == Scope::Transient,
            added,
            host: author.host.clone(),
            at: author.at.clone(),
        };
        change.set(Scope::Persistent, DRAIN_MARK, Some(json!(mark).to_string()));
        change
    }

    /// Limits allocation to primaries while `node` restarts.
    pub(crate) fn limit(settings: &Settings, node: &Node, author: &Author) -> Self {
        let explicit = settings.explicit(ENABLE);
        let scope = explicit.map_or(Scope::Persistent, |(scope, _)| scope);
        let mark = RestartMark {
            node: node.name.clone(),
            node_id: node.id.0.clone(),
            ephemeral: node.ephemeral.clone(),
            transient: scope == Scope::Transient,
            before: explicit.map(|(_, value)| value.to_owned()),
            host: author.host.clone(),
            at: author.at.clone(),
        };
        let mut change = Self::default();
        change.set(scope, ENABLE, Some(LIMITED.to_owned()));
        change.set(Scope::Persistent, RESTART_MARK, Some(json!(mark).to_string()));
        change
    }
}

impl Leftovers {
    pub fn of(settings: &Settings) -> Self {
        let mark = |name: &str| settings.persistent.get(name).filter(|text| !text.trim().is_empty());
        let unreadable = |name: &str, text: &String| Leftover::Unreadable(name.to_owned(), text.clone());
        let drain = mark(DRAIN_MARK).map(|text| {
            serde_json::from_str(text).map_or_else(|_| unreadable(DRAIN_MARK, text), Leftover::Drain)
        });
        let restart = mark(RESTART_MARK).map(|text| {
            serde_json::from_str(text).map_or_else(|_| unreadable(RESTART_MARK, text), Leftover::Restart)
        });
        Self(drain.into_iter().chain(restart).collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Leftover> {
        self.0.iter()
    }

    pub fn drain(&self) -> Option<&DrainMark> {
        self.0.iter().find_map(|one| if let Leftover::Drain(mark) = one { Some(mark) } else { None })
    }

    pub fn restart(&self) -> Option<&RestartMark> {
        self.0.iter().find_map(|one| if let Leftover::Restart(mark) = one { Some(mark) } else { None })
    }
}

impl Leftover {
    pub(crate) fn is_of(&self, own: Own) -> bool {
        matches!(self, Self::Drain(_)) && own.drain || matches!(self, Self::Restart(_)) && own.restart
    }

    /// What was left behind, as a sentence.
    pub fn told(&self, facts: &Facts) -> String {
        let here = |id: &str| {
            let is_here = facts.nodes.keys().any(|node| node.0 == id);
            if is_here { "which is still in the cluster" } else { "which has left it" }
        };
        match self {
            Self::Drain(mark) => format!(
                "an earlier call drains {} ({}), started {} on {}",
                mark.node,
                here(&mark.node_id),
                mark.at,
                mark.host
            ),
            Self::Restart(mark) => format!(
                "an earlier call limits allocation for a restart of {}, started {} on {}",
                mark.node, mark.at, mark.host
            ),
            Self::Unreadable(name, text) => format!("`{name}` contains a mark that cannot be read: {text}"),
        }
    }

    /// The change that undoes what the call wrote, and leaves everything else in `settings` alone.
    pub fn undo(&self, settings: &Settings) -> Undo {
        let mut change = Change::default();
        let told = match self {
            Self::Drain(mark) => {
                change.set(Scope::Persistent, DRAIN_MARK, None);
                let scope = scope(mark.transient);
                let mut list = items(settings.scope(scope).get(EXCLUDE).map_or("", String::as_str));
                let listed = list.contains(&mark.node_id);
                if mark.added && listed {
                    list.retain(|item| *item != mark.node_id);
                    change.set(scope, EXCLUDE, (!list.is_empty()).then(|| list.join(",")));
                    format!("{} is no longer excluded from allocation", mark.node)
                } else {
                    format!("the exclusion of {} was not added by this program and stays", mark.node)
                }
            }
            Self::Restart(mark) => {
                change.set(Scope::Persistent, RESTART_MARK, None);
                let scope = scope(mark.transient);
                match settings.scope(scope).get(ENABLE).map(String::as_str) {
                    Some(LIMITED) => {
                        change.set(scope, ENABLE, mark.before.clone());
                        format!("allocation is restored to its state before the restart of {}", mark.node)
                    }
                    other => {
                        format!("someone else has set `{ENABLE}` to {}", other.unwrap_or("its default"))
                    }
                }
            }
            Self::Unreadable(name, _) => {
                change.set(Scope::Persistent, name, None);
                format!("the mark `{name}` is removed; check `{EXCLUDE}` and `{ENABLE}` yourself")
            }
        };
        Undo { change, told }
    }
}

fn scope(transient: bool) -> Scope {
    if transient { Scope::Transient } else { Scope::Persistent }
}
