//! A node's configuration, and the faults that can be injected.
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
    /// Approximate memory over all indices; refused as above.
    pub bytes_max: usize,
    /// Per request, as `http.max_content_length`.
    pub body_bytes_max: usize,
}

/// What each index drops, oldest first. By default nothing.
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

/// A fault injected by a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    /// Searches are refused with this status.
    Refuse(u16),
    /// One shard is unassigned. Responses without it go only to requests that allow partial results.
    PartialShards,
    /// This many shards are unassigned; searches still work.
    Unassigned(u32),
}
