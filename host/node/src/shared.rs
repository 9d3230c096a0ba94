//! State shared by all requests.
use std::sync::Mutex;

use crate::cluster::Cluster;
use crate::config::{Clock, InjectedFault, Limits, Retention};

/// The state of one node.
pub(crate) struct Shared {
    pub(crate) cluster: Mutex<Cluster>,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
    pub(crate) fault: Mutex<Option<InjectedFault>>,
    pub(crate) clock: Clock,
    pub(crate) body_bytes_max: usize,
}

impl Shared {
    /// A panicking request leaves the documents consistent: every write is one push.
    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn fault(&self) -> Option<InjectedFault> {
        *self.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
