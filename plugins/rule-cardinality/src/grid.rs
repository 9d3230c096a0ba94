//! The cells in which time is counted: few enough that a key's counts stay small, and the same for documents and
//! buckets.
use watchbell_sdk::Duration;

const SECS: [u64; 12] = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];
/// Cells of a timeframe: beyond the first it has the second or fewer.
const CELLS_FINE: u64 = 120;
const CELLS_COARSE: u64 = 60;

/// The longest of the steps that divides the timeframe and is at most a tenth of it, or a second. Where that makes too
/// many cells, the shortest whole seconds that make 60 or fewer.
pub(crate) fn of(timeframe: Duration) -> Duration {
    let secs = timeframe.millis() / 1_000;
    let fine = SECS.into_iter().find(|step| secs.is_multiple_of(*step) && step * 10 <= secs).unwrap_or(1);
    if secs / fine <= CELLS_FINE {
        return Duration::from_secs(fine);
    }
    let coarse = (2..=CELLS_COARSE).rev().find(|cells| secs.is_multiple_of(*cells));
    Duration::from_secs(coarse.map_or(fine, |cells| secs / cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeframe_has_ten_to_a_hundred_and_twenty_cells() {
        for (timeframe, grid) in
            [("10m", "1m"), ("5m", "30s"), ("5s", "1s"), ("2h", "1m"), ("1d", "24m"), ("7d", "2h48m")]
        {
            assert_eq!(of(Duration::parse(timeframe).unwrap()).to_string(), grid, "{timeframe}");
        }
    }
}
