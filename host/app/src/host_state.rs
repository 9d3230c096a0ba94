//! The host's own state, as the loop hands it over.
use std::collections::BTreeMap;
use std::sync::Arc;

use watchbell_contract::{Duration, Timestamp};

/// The host's own state.
#[derive(Clone, Debug)]
pub(crate) struct HostState {
    pub(crate) at: Timestamp,
    pub(crate) name: String,
    pub(crate) environment: String,
    pub(crate) bundle: String,
    pub(crate) generation: u64,
    pub(crate) owed: u64,
    pub(crate) drift: Duration,
    /// What clusters say of this host's clock, where it holds windows.
    pub(crate) apart: Vec<String>,
    pub(crate) progress: Progress,
    /// Requests at once, per cluster.
    pub(crate) concurrency: Arc<BTreeMap<String, usize>>,
}

/// When things last moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) commit_since: Option<Timestamp>,
    /// The store answers, and says no: restarting the host frees no disk.
    pub(crate) refused_since: Option<Timestamp>,
    /// Before this, runs waited for the clocks to agree, or for a bundle.
    pub(crate) free_since: Timestamp,
}

impl Progress {
    pub(crate) fn starting(now: Timestamp) -> Self {
        Self { commit_since: None, refused_since: None, free_since: now }
    }

    pub(crate) fn commit_began(&mut self, now: Timestamp) {
        self.commit_since = Some(now);
    }

    pub(crate) fn commit_ended(&mut self, now: Timestamp, written: bool) {
        self.commit_since = None;
        if written {
            self.refused_since = None;
        } else {
            self.refused_since.get_or_insert(now);
        }
    }

    /// From now on runs may begin that could not before.
    pub(crate) fn freed(&mut self, now: Timestamp) {
        self.free_since = now;
    }
}
