use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::disk::Disk;

/// A node's persistent id: a restart keeps it, a replacement with an empty disk has a new one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub String);

/// A node as the cluster knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub id: NodeId,
    pub name: String,
    /// Changes with each start of the process.
    pub ephemeral: Option<String>,
    pub version: Version,
    pub roles: BTreeSet<String>,
    pub attributes: BTreeMap<String, String>,
    pub host: String,
    pub ip: String,
    /// `None` if the node holds no data or did not report it.
    pub disk: Option<Disk>,
}

/// A server's version. OpenSearch, which restarted at 1.0, sorts after every Elasticsearch version that can be upgraded
/// to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl Node {
    pub fn is_master_eligible(&self) -> bool {
        self.roles.contains("master") || self.roles.contains("cluster_manager")
    }

    /// Whether it can be elected, not only vote.
    pub fn is_electable(&self) -> bool {
        self.is_master_eligible() && !self.roles.contains("voting_only")
    }

    pub fn holds_data(&self) -> bool {
        self.roles.iter().any(|role| role == "data" || role.starts_with("data_"))
    }

    /// Whether a shard on one could be on the other, by their data tiers.
    pub fn shares_tier_with(&self, other: &Self) -> bool {
        let tiers = |node: &Self| -> BTreeSet<String> {
            node.roles.iter().filter(|role| role.starts_with("data_")).cloned().collect()
        };
        let is_any = |node: &Self| node.roles.contains("data");
        is_any(self) && other.holds_data()
            || is_any(other) && self.holds_data()
            || !tiers(self).is_disjoint(&tiers(other))
    }
}

impl Version {
    /// `7.10.2`, also with a suffix such as `-SNAPSHOT`.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['-', '+']).next()?;
        let mut parts = numbers.split('.').map(str::parse);
        let version = Self {
            major: parts.next()?.ok()?,
            minor: parts.next()?.ok()?,
            patch: parts.next().unwrap_or(Ok(0)).ok()?,
        };
        parts.next().is_none().then_some(version)
    }

    /// Elasticsearch before 6.0 is not supported, so lower numbers are OpenSearch's.
    fn is_open_search(self) -> bool {
        self.major < 6
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let rank = |v: &Self| (v.is_open_search(), v.major, v.minor, v.patch);
        rank(self).cmp(&rank(other))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn versions_are_compared_by_number_and_opensearch_follows_elasticsearch() {
        assert!(version("7.8.1") < version("7.10.2"));
        assert!(version("7.17.0") < version("8.0.0-SNAPSHOT"));
        assert!(version("7.10.2") < version("1.0.0"));
        assert!(version("1.3.20") < version("2.0.0"));
        for text in ["", "seven", "7", "7.x.1", "7.1.2.3"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
