//! How long to wait before trying again.
use watchbell_contract::Duration;

use crate::digest;

/// The pause after the `attempt`th failure in a row. It doubles from `first` up to `most`; its upper half is jitter
/// derived from `name`, `seed` and the attempt.
pub(crate) fn backoff(first: Duration, most: Duration, attempt: u32, name: &str, seed: u64) -> Duration {
    let doubled = first.saturating_mul(1_u64 << attempt.saturating_sub(1).min(32)).min(most);
    let half = Duration(doubled.0 / 2);
    half + digest::spread(Duration(doubled.0 - half.0 + 1), name, seed ^ u64::from(attempt))
}
