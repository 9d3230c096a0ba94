//! Dates as Elasticsearch reads and writes them: calendar, zones, formats, maths.
mod civil; // calendar arithmetic
mod zone; // time zones
mod format; // text to instant and back
mod math; // `now-5m/d`, `2024-01-01||+1M`

pub use civil::Unit;
pub use format::Formats;
pub use math::parse_math;
pub use zone::Zone;

/// Nanoseconds since the epoch; wide enough for every year that a format accepts.
pub type Nanos = i128;

pub const NANOS_PER_MILLI: Nanos = 1_000_000;
pub const NANOS_PER_SECOND: Nanos = 1_000_000_000;

pub fn to_millis(nanos: Nanos) -> i64 {
    i64::try_from(nanos.div_euclid(NANOS_PER_MILLI)).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

pub fn from_millis(millis: i64) -> Nanos {
    Nanos::from(millis) * NANOS_PER_MILLI
}
