use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Duration, Timestamp};

use crate::message::Message;
use crate::notifier::outbox::{Claim, backoff};
use crate::order::{Action, Note};
use crate::record::{
    Commit, EpisodeId, EpisodeRecord, Epoch, GapRecord, IntentId, IntentRecord, Partition, RuleRecord,
};
use crate::spec::RuleName;

use super::Engine;
use super::rule::Activity;

/// What changed since the last commit, and the commit that is under way.
pub(super) struct Ledger {
    partition: Partition,
    epoch: Epoch,
    commits: u64,
    pub(super) draft: Draft,
    /// Told once the draft is written.
    notes: Vec<Note>,
    flight: Option<Flight>,
    begun_at: Option<Timestamp>,
}

#[derive(Default)]
pub(super) struct Draft {
    pub(super) bundle: Option<String>,
    pub(super) rules: BTreeMap<RuleName, RuleRecord>,
    rules_ended: BTreeSet<RuleName>,
    episodes: BTreeMap<EpisodeId, EpisodeRecord>,
    intents: BTreeMap<IntentId, IntentRecord>,
    pub(super) gaps: Vec<GapRecord>,
}

/// A write that is not known to be written.
struct Flight {
    commit: Commit,
    claims: Vec<IntentId>,
    notes: Vec<Note>,
    tries: u32,
    /// When to repeat it, once its outcome is known to be unknown.
    repeat_at: Option<Timestamp>,
}

const REPEAT_FIRST: Duration = Duration(100);
const REPEAT_MAX: Duration = Duration::from_secs(5);

impl Ledger {
    pub(super) fn new(partition: Partition, epoch: Epoch) -> Self {
        Self {
            partition,
            epoch,
            commits: 0,
            draft: Draft::default(),
            notes: Vec::new(),
            flight: None,
            begun_at: None,
        }
    }

    pub(super) fn rule(&mut self, record: &RuleRecord) {
        self.draft.rules_ended.remove(&record.rule);
        self.draft.rules.insert(record.rule.clone(), record.clone());
    }

    pub(super) fn rule_ended(&mut self, name: &RuleName) {
        self.draft.rules.remove(name);
        self.draft.rules_ended.insert(name.clone());
    }

    pub(super) fn episode(&mut self, record: &EpisodeRecord) {
        self.draft.episodes.insert(record.id.clone(), record.clone());
    }

    pub(super) fn intent(&mut self, record: IntentRecord) {
        self.draft.intents.insert(record.id.clone(), record);
    }

    pub(super) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Whether the rule's record is not known to be written as it is.
    pub(super) fn is_writing(&self, name: &RuleName) -> bool {
        let in_flight = |flight: &Flight| flight.commit.rules.iter().any(|record| record.rule == *name);
        self.draft.rules.contains_key(name) || self.flight.as_ref().is_some_and(in_flight)
    }

    pub(super) fn is_busy(&self) -> bool {
        self.flight.is_some()
    }

    pub(super) fn is_owed(&self) -> bool {
        !self.draft.is_empty()
    }
}

impl Draft {
    fn is_empty(&self) -> bool {
        self.bundle.is_none()
            && self.rules.is_empty()
            && self.rules_ended.is_empty()
            && self.episodes.is_empty()
            && self.intents.is_empty()
            && self.gaps.is_empty()
    }

    fn into_commit(self, partition: Partition, epoch: Epoch, nonce: u64) -> Commit {
        Commit {
            partition,
            epoch,
            nonce,
            bundle: self.bundle,
            rules: self.rules.into_values().collect(),
            rules_ended: self.rules_ended.into_iter().collect(),
            episodes: self.episodes.into_values().collect(),
            intents: self.intents.into_values().collect(),
            gaps: self.gaps,
        }
    }
}

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
            self.outbox.next_due().filter(|_| !self.draining)?
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
        let mut claims = Vec::new();
        if !self.draining {
            let templates = &self.templates;
            let render = |message: &Message, wants| templates.render(message, wants);
            let due = self.outbox.claim(self.now, &self.config.host, self.ledger.epoch, render);
            for claim in due {
                match claim {
                    Claim::Sent(record) => {
                        claims.push(record.id.clone());
                        self.ledger.intent(record);
                    }
                    Claim::Dead(settled) => self.settled(settled),
                }
            }
        }
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
        for id in flight.claims {
            if !self.draining {
                self.actions.extend(self.outbox.start(&id));
            } else if let Some(record) = self.outbox.release(&id, self.now) {
                self.ledger.intent(record);
            }
        }
    }
}
