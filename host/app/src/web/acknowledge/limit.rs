//! How often one link or one number may ask. Whoever has neither gets no further than the signature.
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

/// Requests are counted over so long.
const SPAN: Duration = Duration::from_secs(60);
/// How many links and numbers are counted at once.
const COUNTED_MAX: usize = 10_000;

/// What is counted, apart from each other: a scanner that opens a link again and again must not keep a person from
/// pressing the button.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    Show,
    Change,
}

impl Asked {
    fn max(self) -> u32 {
        match self {
            Self::Show => 120,
            Self::Change => 12,
        }
    }
}

#[derive(Default)]
pub(super) struct Limits {
    counts: Mutex<HashMap<(Asked, [u8; 32]), Count>>,
}

struct Count {
    since: Instant,
    requests: u32,
}

impl Limits {
    /// Counts a request of `who`, a link or a number. Whether it is let in.
    pub(super) fn admit(&self, asked: Asked, who: &str, now: Instant) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (asked, Sha256::digest(who).into());
        if !counts.contains_key(&key) && counts.len() >= COUNTED_MAX {
            counts.retain(|_, count| now.duration_since(count.since) < SPAN);
            if counts.len() >= COUNTED_MAX {
                return false;
            }
        }
        let count = counts.entry(key).or_insert(Count { since: now, requests: 0 });
        if now.duration_since(count.since) >= SPAN {
            *count = Count { since: now, requests: 0 };
        }
        count.requests = count.requests.saturating_add(1);
        count.requests <= asked.max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_is_used_too_often_waits_a_minute_and_no_other_does() {
        let (limits, now) = (Limits::default(), crate::clock::monotonic());
        let later = |seconds| now + Duration::from_secs(seconds);
        for _ in 0..Asked::Change.max() {
            assert!(limits.admit(Asked::Change, "a", now));
        }
        assert!(!limits.admit(Asked::Change, "a", later(59)));
        assert!(limits.admit(Asked::Change, "b", now));
        assert!(limits.admit(Asked::Show, "a", now), "whoever opens a link does not block its button");
        assert!(limits.admit(Asked::Change, "a", later(60)));
    }

    #[test]
    fn what_is_counted_is_bounded_and_makes_place() {
        let (limits, now) = (Limits::default(), crate::clock::monotonic());
        for who in 0..COUNTED_MAX {
            assert!(limits.admit(Asked::Show, &who.to_string(), now));
        }
        assert!(!limits.admit(Asked::Show, "one more", now));
        assert!(limits.admit(Asked::Show, "0", now));
        assert!(limits.admit(Asked::Show, "one more", now + SPAN));
        assert_eq!(limits.counts.lock().unwrap().len(), 1);
    }
}
