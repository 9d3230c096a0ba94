//! How far apart to judge what time alone can change.
use crate::Duration;

/// Judgements within a timeframe: below the first number the shortest step that is round, beyond it the second or fewer.
const CHECKS_FINE: u64 = 120;
const CHECKS_COARSE: u64 = 60;

impl Duration {
    /// The grid on which to judge a timeframe of whole seconds: a whole part of it.
    ///
    /// It is the longest of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 and 60 seconds that divides the timeframe and is at most
    /// a tenth of it, or else 1 second; where that makes more than 120 checks within a timeframe, the shortest whole
    /// seconds that make 60 or fewer. So 5m is checked every 30s, 10m to 2h every minute, 1d every 24m.
    pub fn grid(self) -> Self {
        const SECS: [u64; 12] = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];
        let secs = self.millis() / 1_000;
        let fine = SECS.into_iter().find(|every| secs.is_multiple_of(*every) && every * 10 <= secs);
        let fine = fine.unwrap_or(1);
        if secs / fine <= CHECKS_FINE {
            return Self::from_secs(fine);
        }
        let coarse = (2..=CHECKS_COARSE).rev().find(|checks| secs.is_multiple_of(*checks));
        Self::from_secs(coarse.map_or(fine, |checks| secs / checks))
    }

    /// Whether it is one or more whole seconds, as [`grid`](Self::grid) needs it.
    pub fn is_whole_seconds(self) -> bool {
        !self.is_zero() && self.millis().is_multiple_of(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_a_whole_part_of_the_timeframe() {
        for (timeframe, secs) in [
            ("1s", 1),
            ("7s", 1),
            ("30s", 3),
            ("90s", 6),
            ("5m", 30),
            ("2h", 60),
            ("3h", 180),
            ("1d", 1_440),
            ("7d", 10_080),
            ("3599s", 61),
            ("61s", 1),
        ] {
            let timeframe = Duration::parse(timeframe).unwrap();
            assert!(timeframe.is_whole_seconds());
            assert_eq!(timeframe.grid(), Duration::from_secs(secs), "{timeframe}");
            assert!(timeframe.millis().is_multiple_of(timeframe.grid().millis()));
        }
        assert!(!Duration::ZERO.is_whole_seconds() && !Duration(1_500).is_whole_seconds());
    }
}
