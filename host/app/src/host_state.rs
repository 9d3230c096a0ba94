//! The host's own state, as the loop hands it over.
use std::collections::BTreeMap;
use std::sync::Arc;

use watchbell_contract::{Duration, Timestamp};
use watchbell_pipeline::health::{Cause, Progress};

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
    pub(crate) apart: Vec<Cause>,
    pub(crate) progress: Progress,
    /// Requests at once, per cluster.
    pub(crate) concurrency: Arc<BTreeMap<String, usize>>,
}
