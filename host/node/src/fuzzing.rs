//! Requests without a listener, for the fuzz targets.
use std::sync::{Arc, Mutex};

use crate::cluster::Cluster;
use crate::config::{Limits, Retention};
use crate::http::{Request, handle};
use crate::shared::Shared;

/// A node whose clock stands still, with small limits.
pub struct Bench {
    shared: Shared,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub body: String,
    pub is_json: bool,
}

impl Bench {
    /// `now`: milliseconds since the epoch.
    #[must_use]
    pub fn new(now: i64) -> Self {
        let limits =
            Limits { indices_max: 100, documents_max: 10_000, bytes_max: 64 << 20, body_bytes_max: 1 << 20 };
        let retention = Retention::default();
        Self {
            shared: Shared {
                body_bytes_max: limits.body_bytes_max,
                cluster: Mutex::new(Cluster::new(limits.clone(), retention.clone())),
                limits,
                retention,
                fault: Mutex::default(),
                clock: Arc::new(move || now),
            },
        }
    }

    /// Responds to `METHOD /path?query` with `body`.
    pub fn answer(&self, method: &str, target: &str, body: &[u8]) -> Reply {
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let reply = handle(&self.shared, Request::new(method, path, query, body));
        let is_json = reply.content_type == "application/json";
        Reply { status: reply.status, body: reply.body, is_json }
    }
}
