//! Wrong tokens, counted by address, so that nobody tries thousands.
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;

/// How many wrong tokens an address may send at once. A program with an outdated token must not lock out the people who
/// come by the same proxy.
const BURST: u32 = 30;
/// After that, one more each time this has passed.
const EVERY: Duration = Duration::from_secs(2);
/// How many addresses are remembered; the one that has been good for longest is forgotten first.
const ADDRESSES_MAX: usize = 1_024;

#[derive(Default)]
pub(crate) struct Failures {
    /// When the last failure of each address will be forgiven.
    until: Mutex<BTreeMap<IpAddr, Instant>>,
}

impl Failures {
    /// How many seconds an address has to wait before it may try again, if it has to.
    pub(super) fn wait(&self, address: IpAddr) -> Option<u64> {
        self.wait_at(address, clock::monotonic())
    }

    /// Notes a wrong token.
    pub(super) fn note(&self, address: IpAddr) {
        if self.note_at(address, clock::monotonic()) {
            tracing::warn!(%address, "many wrong tokens: more are not looked at for now");
        }
    }

    fn wait_at(&self, address: IpAddr, now: Instant) -> Option<u64> {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let debt = until.get(&address)?.saturating_duration_since(now);
        let over = (debt + EVERY).checked_sub(EVERY * BURST).filter(|over| !over.is_zero())?;
        Some(over.as_secs() + 1)
    }

    /// Whether this was the last that is looked at.
    fn note_at(&self, address: IpAddr, now: Instant) -> bool {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= ADDRESSES_MAX && !until.contains_key(&address) {
            let best = until.iter().min_by_key(|(_, until)| **until).map(|(address, _)| *address);
            best.map(|address| until.remove(&address));
        }
        let forgiven = until.entry(address).or_insert(now);
        let was_full = forgiven.saturating_duration_since(now) + EVERY > EVERY * BURST;
        *forgiven = (*forgiven).max(now) + EVERY;
        let is_full = forgiven.saturating_duration_since(now) + EVERY > EVERY * BURST;
        is_full && !was_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_fails_often_has_to_wait_and_others_do_not() {
        let (failures, now) = (Failures::default(), clock::monotonic());
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for number in 1..=BURST {
            assert_eq!(failures.wait_at(one, now), None, "{number}");
            assert_eq!(failures.note_at(one, now), number == BURST);
        }
        assert!(failures.wait_at(one, now).is_some());
        assert_eq!(failures.wait_at(other, now), None);
        assert_eq!(failures.wait_at(one, now + EVERY), None);
        failures.note_at(one, now + EVERY);
        assert!(failures.wait_at(one, now + EVERY).is_some());
        assert_eq!(failures.wait_at(one, now + EVERY * (BURST + 2)), None);
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_least_guilty() {
        let (failures, now) = (Failures::default(), clock::monotonic());
        let guilty = IpAddr::from([10, 0, 0, 1]);
        for _ in 0..BURST {
            failures.note_at(guilty, now);
        }
        for number in 0..2 * ADDRESSES_MAX as u32 {
            failures.note_at(IpAddr::from((0x0b00_0000 + number).to_be_bytes()), now);
        }
        assert_eq!(failures.until.lock().unwrap().len(), ADDRESSES_MAX);
        assert!(failures.wait_at(guilty, now).is_some());
    }
}
