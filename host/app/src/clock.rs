//! The one clock. The engine's time is the wall clock at start plus the monotonic clock since then, so that setting the
//! wall clock while the host runs does not move windows.
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use watchbell_contract::{Duration, Timestamp};

/// How far the wall clock may drift from the engine's time before evaluation stops.
pub use watchbell_pipeline::health::DRIFT_MAX;

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Reads the wall clock.
    read: fn() -> Timestamp,
    wall_at_start: Timestamp,
    started: Instant,
}

/// The wall clock, in milliseconds.
#[expect(clippy::disallowed_methods, reason = "the one clock")]
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let wall = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Timestamp(wall.saturating_add(set_by(wall)))
}

/// The offset that a test has set: `WATCHBELL_CLOCK_AT`, in milliseconds, is the time shown at the first reading. Only
/// debug builds support it.
#[cfg(debug_assertions)]
fn set_by(wall: i64) -> i64 {
    static SET_BY: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    *SET_BY.get_or_init(|| {
        let at = std::env::var("WATCHBELL_CLOCK_AT").ok().and_then(|at| at.parse().ok());
        at.map_or(0, |at: i64| at.saturating_sub(wall))
    })
}

#[cfg(not(debug_assertions))]
fn set_by(_: i64) -> i64 {
    0
}

/// A point to measure durations from; never used for windows.
#[expect(clippy::disallowed_methods, reason = "the one clock")]
pub fn monotonic() -> Instant {
    Instant::now()
}

impl Clock {
    pub fn start() -> Self {
        Self::reading(wall)
    }

    /// Starts with another wall clock.
    pub fn reading(read: fn() -> Timestamp) -> Self {
        Self { read, wall_at_start: read(), started: monotonic() }
    }

    pub fn now(&self) -> Timestamp {
        self.wall_at_start + Duration::from(self.started.elapsed())
    }

    /// How far the wall clock is from the engine's time, in either direction.
    pub fn drift(&self) -> Duration {
        let (now, wall) = (self.now(), (self.read)());
        if wall > now { wall.since(now) } else { now.since(wall) }
    }
}

/// `2026-11-23T10:00:00Z`, with milliseconds only if they are not zero.
pub fn rfc3339(at: Timestamp) -> String {
    at.to_string()
}
