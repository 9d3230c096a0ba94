use watchbell_contract::{Duration, Timestamp};

use crate::action::Note;
use crate::backoff::backoff;
use crate::record::{Commit, IntentId, Nonce, Owned};

const REPEAT_FIRST: Duration = Duration(100);
const REPEAT_MAX: Duration = Duration::from_secs(5);

/// One write at a time, each at least one interval after the previous one, and each repeated until its outcome is
/// known.
#[derive(Default)]
pub(super) struct Writer {
    flight: Option<Flight>,
    begun_at: Option<Timestamp>,
    /// The number of writes started.
    pub(super) commits: u64,
}

/// A write whose success is not yet known.
pub(super) struct Flight {
    pub(super) commit: Commit,
    /// Messages to send once it is written.
    pub(super) claims: Vec<IntentId>,
    /// Logged once it is written, each only if its part was written.
    pub(super) notes: Vec<(Owned, Note)>,
    tries: u32,
    /// When to repeat it, once its outcome has turned out to be unknown.
    repeat_at: Option<Timestamp>,
}

impl Writer {
    pub(super) fn is_busy(&self) -> bool {
        self.flight.is_some()
    }

    /// When the next write may start, if one is needed from `owed_at` on; `None` while one is in progress.
    pub(super) fn due(&self, owed_at: Option<Timestamp>, interval: Duration) -> Option<Timestamp> {
        if let Some(flight) = &self.flight {
            return flight.repeat_at;
        }
        let earliest = self.begun_at.map_or(Timestamp::MIN, |at| at + interval);
        owed_at.map(|at| at.max(earliest))
    }

    /// Repeats the write whose outcome is unknown.
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

    /// The write with `nonce` succeeded.
    pub(super) fn written(&mut self, nonce: Nonce) -> Option<Flight> {
        self.flight.take_if(|flight| flight.commit.nonce == nonce)
    }

    /// The outcome of the write with `nonce` is unknown.
    pub(super) fn unknown(&mut self, nonce: Nonce, now: Timestamp) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.commit.nonce == nonce) {
            let pause = backoff(REPEAT_FIRST, REPEAT_MAX, flight.tries, "commit", nonce.0);
            flight.repeat_at = Some(now + pause);
        }
    }
}
