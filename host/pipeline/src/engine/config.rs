use std::collections::BTreeMap;

use watchbell_contract::Duration;

use crate::record::HostId;

/// What the engine needs to know of its host. Every field has a default but the host's name.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    pub host: HostId,
    /// Named in every intent.
    pub environment: String,
    /// Runs under way at once, per cluster.
    pub cluster_concurrency: BTreeMap<String, usize>,
    /// For clusters that `cluster_concurrency` does not name.
    pub cluster_concurrency_default: usize,
    /// Live runs under way at once, over all clusters.
    pub runs_max: usize,
    /// Priming runs under way at once; they count against no cluster.
    pub priming_max: usize,
    /// Commits begin at least this far apart.
    pub commit_interval: Duration,
    /// Runs begin up to this long after they are due (at most a quarter of `every`), to spread load.
    pub jitter_max: Duration,
    /// The first pause after a failed run; doubled each time up to `backoff_max`, with jitter.
    pub backoff_first: Duration,
    pub backoff_max: Duration,
    /// Failures of the module on the same window before it is bisected.
    pub poison_attempts: u32,
    /// Events of one rule in one commit that are still announced one by one.
    pub events_max: usize,
    /// Decides jitter, and nothing else.
    pub seed: u64,
}

impl EngineConfig {
    pub fn new(host: HostId) -> Self {
        Self {
            host,
            environment: "default".into(),
            cluster_concurrency: BTreeMap::new(),
            cluster_concurrency_default: 5,
            runs_max: 64,
            priming_max: 2,
            commit_interval: Duration(200),
            jitter_max: Duration::from_secs(15),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            poison_attempts: 3,
            events_max: 20,
            seed: 0,
        }
    }

    pub(crate) fn concurrency(&self, cluster: &str) -> usize {
        self.cluster_concurrency.get(cluster).copied().unwrap_or(self.cluster_concurrency_default).max(1)
    }
}
