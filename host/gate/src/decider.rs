//! Why a server allocates a shard to no node: its deciders, by name. Their messages change from version to version.
use std::collections::BTreeSet;
use std::fmt;

/// What an upgrade explains by itself: newer data on older nodes, a copy on the same node, a zone that has its share.
pub const ALLOWED_BY_DEFAULT: &str = "version,same-node,awareness";

/// Short names, for people.
const ALIASES: &[(&str, &[&str])] = &[
    // Elasticsearch judges index versions separately since 8.11.
    ("version", &["node_version", "index_version"]),
    ("same-node", &["same_shard"]),
];

/// The deciders of Elasticsearch 6.8 to 9.5 and OpenSearch 1 to 3.
const KNOWN: &[&str] = &[
    "archive_allocation",
    "awareness",
    "ccr_primary_follower",
    "cluster_rebalance",
    "concurrent_rebalance",
    "concurrent_recoveries",
    "data_tier",
    "dedicated_frozen_node",
    "disk_threshold",
    "enable",
    "filter",
    "has_frozen_cache",
    "index_version",
    "load_awareness",
    "max_retry",
    "node_load_awareness",
    "node_replacement",
    "node_shutdown",
    "node_version",
    "rebalance_only_when_active",
    "remote_store_migration",
    "replica_after_primary_active",
    "resize",
    "restore_in_progress",
    "same_shard",
    "search_replica_allocation",
    "searchable_snapshot_repository_exists",
    "searchable_snapshots",
    "searchable_snapshots_enable",
    "shards_limit",
    "snapshot_in_progress",
    "target_pool",
    "throttling",
];

/// Parts of the messages of servers that do not name their deciders.
const SENTENCES: &[(&str, &[&str])] = &[
    (
        "node_version",
        &[
            "is older than the source node version",
            "is older than the source version",
            "since this is older than the primary version",
        ],
    ),
    (
        "same_shard",
        &[
            "shard cannot be allocated on same node",
            "shard cannot be allocated on the same node",
            "the shard cannot be allocated to the same node on which a copy of the shard already exists",
            "a copy of this shard is already allocated to this node",
            "shard cannot be allocated on the same host",
            "shard cannot be allocated on same host",
        ],
    ),
    (
        "awareness",
        &[
            "too many shards on node for attribute",
            "too many shards on nodes for attribute",
            "there are too many copies of the shard allocated to nodes with attribute",
            "node does not contain the awareness attribute",
            "node does not contain awareness attribute",
        ],
    ),
];

/// The deciders that may keep a replica unassigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed(BTreeSet<String>);

/// A word that names no decider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a decider; allowed are `version`, `same-node` and the servers' own names: {known}", known = KNOWN.join(", "))]
pub struct UnknownDecider(pub String);

impl Allowed {
    /// `version,same-node,awareness`: short names or the servers' own, comma-separated. Empty: none.
    ///
    /// # Errors
    /// The first word that is neither.
    pub fn parse(text: &str) -> Result<Self, UnknownDecider> {
        let mut allowed = BTreeSet::new();
        for word in crate::settings::items(text) {
            match ALIASES.iter().find(|(alias, _)| *alias == word) {
                Some((_, names)) => allowed.extend(names.iter().map(|name| (*name).to_owned())),
                None if KNOWN.contains(&word.as_str()) => _ = allowed.insert(word),
                None => return Err(UnknownDecider(word)),
            }
        }
        Ok(Self(allowed))
    }

    pub fn contains(&self, decider: &str) -> bool {
        self.0.contains(decider)
    }
}

impl Default for Allowed {
    fn default() -> Self {
        let names = ["node_version", "index_version", "same_shard", "awareness"];
        Self(names.into_iter().map(str::to_owned).collect())
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(String::as_str).collect();
        f.write_str(&names.join(", "))
    }
}

/// The decider behind `sentence`, for servers that do not name it.
pub(crate) fn by_sentence(sentence: &str) -> Option<&'static str> {
    let holds = |parts: &[&str]| parts.iter().any(|part| sentence.contains(part));
    SENTENCES.iter().find(|(_, parts)| holds(parts)).map(|(name, _)| *name)
}

/// What would help against a decider that is not allowed.
pub(crate) fn help(decider: &str) -> &'static str {
    match decider {
        "filter" => {
            "remove the allocation filter (`index.routing.allocation.*` of the index or `cluster.routing.allocation.*`), or add nodes that match it"
        }
        "disk_threshold" => "free disk space, or add a node with room",
        "max_retry" => {
            "fix the cause of the failed allocation, then `POST _cluster/reroute?retry_failed=true`"
        }
        "enable" => {
            "enable allocation again: `cluster.routing.allocation.enable` of the cluster, or `index.routing.allocation.enable` of the index"
        }
        "replica_after_primary_active" => "the primary has to be active first",
        "shards_limit" => "raise `index.routing.allocation.total_shards_per_node`, or add a node",
        "data_tier" => {
            "add a node of the tier that the index prefers (`index.routing.allocation.include._tier_preference`)"
        }
        "node_shutdown" | "node_replacement" => "cancel the registered node shutdown, or let it finish",
        "snapshot_in_progress" | "restore_in_progress" => "wait for the snapshot or restore to end",
        _ => "see `GET _cluster/allocation/explain` for the shard",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_what_its_words_say() {
        assert_eq!(Allowed::parse(ALLOWED_BY_DEFAULT), Ok(Allowed::default()));
        assert_eq!(Allowed::parse(" filter , same-node").unwrap().to_string(), "filter, same_shard");
        assert!(!Allowed::parse("").unwrap().contains("node_version"));
        assert_eq!(Allowed::parse("version,zone"), Err(UnknownDecider("zone".into())));
    }

    #[test]
    fn sentences_of_several_versions_name_their_decider() {
        let said = |sentence| by_sentence(sentence);
        assert_eq!(
            said("target node version [5.0.0] is older than the source node version [5.1.0]"),
            Some("node_version")
        );
        assert_eq!(
            said(
                "cannot allocate replica shard to a node with version [7.8.1] since this is older than the primary version [7.10.2]"
            ),
            Some("node_version")
        );
        assert_eq!(
            said(
                "there are too many copies of the shard allocated to nodes with attribute [zone], there are [2] total configured shard copies"
            ),
            Some("awareness")
        );
        assert_eq!(
            said("node does not match index setting [index.routing.allocation.require] filters"),
            None
        );
    }

    #[test]
    fn every_decider_with_a_sentence_is_known_and_has_help() {
        assert!(SENTENCES.iter().all(|(name, _)| KNOWN.contains(name)));
        assert!(ALIASES.iter().flat_map(|(_, names)| *names).all(|name| KNOWN.contains(name)));
        assert!(KNOWN.is_sorted());
        assert!(KNOWN.iter().all(|name| !help(name).is_empty()));
    }
}
