use std::collections::BTreeMap;

use watchbell_contract::{Duration, Timestamp};

use crate::queue::Line;
use crate::record::{HostId, PARTITIONS};

/// What a coordinator needs to know about its host. Every field except the host's name has a default.
#[derive(Clone, Debug)]
pub struct Config {
    pub host: HostId,
    /// Included in every intent.
    pub environment: String,
    /// When the store was made, if that is known: what happened before may have been told by a host with another store.
    pub store_made_at: Option<Timestamp>,
    /// Maximum concurrent runs per cluster.
    pub cluster_concurrency: BTreeMap<String, usize>,
    /// For clusters not listed in `cluster_concurrency`.
    pub cluster_concurrency_default: usize,
    /// Maximum concurrent live runs over all clusters. Each cluster gets an equal share, at least one run and never
    /// more than its share, so that clusters that hang do not delay the others.
    pub runs_max: usize,
    /// Maximum concurrent priming runs per cluster; they do not count as live runs.
    pub priming_max: usize,
    /// A rule whose last run took this long is slow. Slow rules leave one slot of their cluster to the others.
    pub slow_run: Duration,
    /// Minimum time between the starts of two commits.
    pub commit_interval: Duration,
    /// Runs start up to this long after they are due (at most a quarter of `every`), to spread load.
    pub jitter_max: Duration,
    /// The first pause after a failed run; it doubles up to `backoff_max`, with jitter.
    pub backoff_first: Duration,
    pub backoff_max: Duration,
    /// How often the module may fail on the same window before the window is bisected.
    pub poison_attempts: u32,
    /// How often one grid step may be too large for the cluster before it is skipped as a gap. This is more than
    /// `poison_attempts`, because the cluster may only be short of memory for a while.
    pub oversize_attempts: u32,
    /// Maximum events of one rule in one commit that are announced one by one.
    pub events_max: usize,
    /// Maximum open episodes of a rule that are notified one by one about what an edit made overdue: a step, or a
    /// shorter `repeat`.
    pub edited_max: usize,
    /// How often to read transitions of partitions that other hosts own.
    pub read_interval: Duration,
    /// The number of partitions: `PARTITIONS` in every store, fewer in simulations.
    pub partitions: u16,
    /// Seeds jitter and nonces, and nothing else.
    pub seed: u64,
}

impl Config {
    pub fn new(host: HostId) -> Self {
        Self {
            host,
            environment: "default".into(),
            store_made_at: None,
            cluster_concurrency: BTreeMap::new(),
            cluster_concurrency_default: 5,
            runs_max: 64,
            priming_max: 2,
            slow_run: Duration::from_secs(5),
            commit_interval: Duration(200),
            jitter_max: Duration::from_secs(15),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            poison_attempts: 3,
            oversize_attempts: 10,
            events_max: 20,
            edited_max: 20,
            read_interval: Duration(200),
            partitions: PARTITIONS,
            seed: 0,
        }
    }

    /// How many runs `line` may have at once when the rules use `clusters` clusters.
    pub(crate) fn room(&self, line: &Line, clusters: usize) -> usize {
        let room = match line {
            Line::Cluster(cluster) => {
                let own = self.cluster_concurrency.get(cluster).copied();
                own.unwrap_or(self.cluster_concurrency_default).min(self.runs_max / clusters.max(1))
            }
            Line::Priming(_) => self.priming_max,
        };
        room.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cluster_has_its_share_of_the_runs_and_one_at_least() {
        let config = Config {
            cluster_concurrency: [("big".to_owned(), 50)].into(),
            ..Config::new(HostId("h".into()))
        };
        let room = |cluster: &str, clusters| config.room(&Line::Cluster(cluster.into()), clusters);
        assert_eq!((room("big", 1), room("big", 2), room("big", 100)), (50, 32, 1));
        assert_eq!((room("other", 2), room("other", 0)), (5, 5));
        assert_eq!(config.room(&Line::Priming("big".into()), 100), 2);
    }
}
