use std::collections::BTreeMap;

use watchbell_contract::Duration;

use crate::queue::Line;
use crate::record::{HostId, PARTITIONS};

/// What a coordinator needs to know of its host. Every field has a default but the host's name.
#[derive(Clone, Debug)]
pub struct Config {
    pub host: HostId,
    /// Named in every intent.
    pub environment: String,
    /// Runs under way at once, per cluster.
    pub cluster_concurrency: BTreeMap<String, usize>,
    /// For clusters that `cluster_concurrency` does not name.
    pub cluster_concurrency_default: usize,
    /// Live runs under way at once, over all clusters. Each cluster has an equal share of it (one run at least) and
    /// no more, so that those which hang delay no other.
    pub runs_max: usize,
    /// Priming runs under way at once, per cluster; they do not count as live runs.
    pub priming_max: usize,
    /// A rule whose last run took this long is slow: such rules leave a slot of their cluster to the others.
    pub slow_run: Duration,
    /// Commits begin at least this far apart.
    pub commit_interval: Duration,
    /// Runs begin up to this long after they are due (at most a quarter of `every`), to spread load.
    pub jitter_max: Duration,
    /// The first pause after a failed run; doubled each time up to `backoff_max`, with jitter.
    pub backoff_first: Duration,
    pub backoff_max: Duration,
    /// Failures of the module on the same window before it is bisected.
    pub poison_attempts: u32,
    /// Runs of one grid step that are too large for the cluster before it is left out as a gap. More than
    /// `poison_attempts`, for the cluster may be short of memory for a while only.
    pub oversize_attempts: u32,
    /// Events of one rule in one commit that are still announced one by one.
    pub events_max: usize,
    /// Open episodes of a rule that are told one by one of what an edit made overdue: a step, or a lowered `repeat`.
    pub edited_max: usize,
    /// How often transitions of other hosts' partitions are read.
    pub read_interval: Duration,
    /// How many partitions there are: `PARTITIONS` in every store, fewer in simulations.
    pub partitions: u16,
    /// Decides jitter and nonces, and nothing else.
    pub seed: u64,
}

impl Config {
    pub fn new(host: HostId) -> Self {
        Self {
            host,
            environment: "default".into(),
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

    /// How many runs `line` has at once, where the rules ask `clusters` clusters.
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
