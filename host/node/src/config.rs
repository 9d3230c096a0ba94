//! How a node is set up, and what can go wrong with it on purpose.
use std::sync::Arc;
use std::time::Duration;

/// Milliseconds since the epoch: what `now` means in date maths, and when views expire.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

#[derive(Clone)]
pub struct Config {
    pub clock: Clock,
    pub limits: Limits,
    pub retention: Retention,
}

#[derive(Clone, Debug)]
pub struct Limits {
    pub indices_max: usize,
    /// Over all indices. Beyond it, writes are refused with 429, as by Elasticsearch's circuit breaker.
    pub documents_max: usize,
    /// Over all indices, in memory, about; refused as above.
    pub bytes_max: usize,
    /// Of one request; as `http.max_content_length`.
    pub body_bytes_max: usize,
}

/// What each index forgets, oldest first. By default nothing.
#[derive(Clone, Debug)]
pub struct Retention {
    pub age_max: Option<Duration>,
    pub documents_max: Option<usize>,
    pub time_field: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { clock: Arc::new(wall_clock), limits: Limits::default(), retention: Retention::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { indices_max: 1_000, documents_max: 2_000_000, bytes_max: 4 << 30, body_bytes_max: 100 << 20 }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { age_max: None, documents_max: None, time_field: "@timestamp".into() }
    }
}

#[expect(clippy::disallowed_methods, reason = "the default clock; tests pass their own")]
fn wall_clock() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A fault that a test injects, until it takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    /// Searches are refused with this status.
    Refuse(u16),
    /// A shard is on no node. An answer without it is given to those alone who let a part be missing.
    PartialShards,
    /// So many shards have no node; searches are answered.
    Unassigned(u32),
}
