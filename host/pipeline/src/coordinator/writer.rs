use watchbell_contract::{Duration, Timestamp};

use crate::action::Note;
use crate::backoff::backoff;
use crate::record::{Commit, IntentId, Nonce, Owned};

const REPEAT_FIRST: Duration = Duration(100);
const REPEAT_MAX: Duration = Duration::from_secs(5);

/// One write at a time, each at least an interval after the one before, and each repeated until its outcome is known.
#[derive(Default)]
pub(super) struct Writer {
    flight: Option<Flight>,
    begun_at: Option<Timestamp>,
    /// How many were begun.
    pub(super) commits: u64,
}

/// A write that is not known to be written.
pub(super) struct Flight {
    pub(super) commit: Commit,
    /// Messages that go out once it is written.
    pub(super) claims: Vec<IntentId>,
    /// Logged once it is written, each if its part is.
    pub(super) notes: Vec<(Owned, Note)>,
    tries: u32,
    /// When to repeat it, once its outcome is known to be unknown.
    repeat_at: Option<Timestamp>,
}

impl Writer {
    pub(super) fn is_busy(&self) -> bool {
        self.flight.is_some()
    }

    /// When the next write may begin, if one is owed from `owed_at` on; `None` while one is under way.
    pub(super) fn due(&self, owed_at: Option<Timestamp>, interval: Duration) -> Option<Timestamp> {
        if let Some(flight) = &self.flight {
            return flight.repeat_at;
        }
        let earliest = self.begun_at.map_or(Timestamp::MIN, |at| at + interval);
        owed_at.map(|at| at.max(earliest))
    }

    /// The write whose outcome is unknown, once more.
    pub(super) fn repeat(&mut self) -> Option<Commit> {
        let flight = self.flight.as_mut()?;
        flight.repeat_at = None;
        flight.tries += 1;
        Some(flight.commit.clone())
    }

    pub(super) fn begin(
        &mut self,
        commit: Commit,
        claims: Vec<IntentId>,
        notes: Vec<(Owned, Note)>,
        now: Timestamp,
    ) -> Commit {
        let given = commit.clone();
        self.flight = Some(Flight { commit, claims, notes, tries: 1, repeat_at: None });
        self.begun_at = Some(now);
        given
    }

    /// The write of `nonce` is written.
    pub(super) fn written(&mut self, nonce: Nonce) -> Option<Flight> {
        self.flight.take_if(|flight| flight.commit.nonce == nonce)
    }

    /// It is not known whether it is.
    pub(super) fn unknown(&mut self, nonce: Nonce, now: Timestamp) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.commit.nonce == nonce) {
            let pause = backoff(REPEAT_FIRST, REPEAT_MAX, flight.tries, "commit", nonce.0);
            flight.repeat_at = Some(now + pause);
        }
    }
}
