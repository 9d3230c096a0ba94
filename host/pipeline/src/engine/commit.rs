use watchbell_contract::{Duration, Timestamp};

use crate::ledger::Flight;
use crate::notifier::outbox::backoff;
use crate::order::Action;

use super::Engine;
use super::rule::Activity;

const REPEAT_FIRST: Duration = Duration(100);
const REPEAT_MAX: Duration = Duration::from_secs(5);

impl Engine {
    /// When the next write may begin; `None` while one is under way or nothing is owed.
    pub(super) fn commit_at(&self) -> Option<Timestamp> {
        if let Some(flight) = &self.ledger.flight {
            return flight.repeat_at;
        }
        let wanted = if self.ledger.is_owed() {
            self.now
        } else {
            // A message that is due is sent only after its claim is written.
            self.notifier.next_claim().filter(|_| !self.draining)?
        };
        let earliest = self.ledger.begun_at.map_or(Timestamp::MIN, |at| at + self.config.commit_interval);
        Some(wanted.max(earliest))
    }

    pub(super) fn commit(&mut self) {
        if self.commit_at().is_none_or(|at| at > self.now) {
            return;
        }
        if let Some(flight) = &mut self.ledger.flight {
            flight.repeat_at = None;
            flight.tries += 1;
            return self.actions.push_back(Action::Persist(Box::new(flight.commit.clone())));
        }
        let claims =
            if self.draining { Vec::new() } else { self.notify(|notifier, context| notifier.claim(context)) };
        let ledger = &mut self.ledger;
        if ledger.draft.is_empty() {
            return;
        }
        ledger.commits += 1;
        // Epochs never repeat, so neither do nonces of different owners.
        let nonce = (ledger.epoch.0 << 32) | ledger.commits;
        let commit = std::mem::take(&mut ledger.draft).into_commit(ledger.partition, ledger.epoch, nonce);
        self.actions.push_back(Action::Persist(Box::new(commit.clone())));
        let notes = std::mem::take(&mut ledger.notes);
        ledger.flight = Some(Flight { commit, claims, notes, tries: 1, repeat_at: None });
        ledger.begun_at = Some(self.now);
    }

    pub(super) fn persisted(&mut self, nonce: u64, written: bool) {
        let Some(flight) = self.ledger.flight.take_if(|flight| flight.commit.nonce == nonce) else { return };
        if !written {
            let pause = backoff(REPEAT_FIRST, REPEAT_MAX, flight.tries, "commit", nonce);
            self.ledger.flight = Some(Flight { repeat_at: Some(self.now + pause), ..flight });
            return;
        }
        self.actions.extend(flight.notes.into_iter().map(Action::Note));
        for record in flight.commit.rules {
            let Some(rule) = self.rules.get_mut(&record.rule) else { continue };
            rule.committed = record.cursor;
            // A later result of the same rule may wait in the draft: then that one is not known to be written yet.
            if rule.activity == Activity::Committing && !self.ledger.draft.rules.contains_key(&record.rule) {
                rule.activity = Activity::Idle;
                self.enqueue(&record.rule);
            }
        }
        let draining = self.draining;
        self.notify(|notifier, context| {
            for id in flight.claims {
                if draining { notifier.release(&id, context) } else { notifier.start(&id, context) }
            }
        });
    }
}
