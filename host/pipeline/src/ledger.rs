//! What changed since the last write, and the write that is under way.
use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::Timestamp;

use crate::order::Note;
use crate::record::{
    CommandRecord, Commit, EpisodeId, EpisodeRecord, Epoch, GapRecord, IntentId, IntentRecord, Partition,
    RuleRecord,
};
use crate::spec::RuleName;

/// What changed since the last commit, and the commit that is under way.
pub(crate) struct Ledger {
    pub(crate) partition: Partition,
    pub(crate) epoch: Epoch,
    pub(crate) commits: u64,
    pub(crate) draft: Draft,
    /// Told once the draft is written.
    pub(crate) notes: Vec<Note>,
    pub(crate) flight: Option<Flight>,
    pub(crate) begun_at: Option<Timestamp>,
}

#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) bundle: Option<String>,
    pub(crate) rules: BTreeMap<RuleName, RuleRecord>,
    rules_ended: BTreeSet<RuleName>,
    episodes: BTreeMap<EpisodeId, EpisodeRecord>,
    intents: BTreeMap<IntentId, IntentRecord>,
    pub(crate) gaps: Vec<GapRecord>,
    commands: Vec<CommandRecord>,
}

/// A write that is not known to be written.
pub(crate) struct Flight {
    pub(crate) commit: Commit,
    pub(crate) claims: Vec<IntentId>,
    pub(crate) notes: Vec<Note>,
    pub(crate) tries: u32,
    /// When to repeat it, once its outcome is known to be unknown.
    pub(crate) repeat_at: Option<Timestamp>,
}

impl Ledger {
    pub(crate) fn new(partition: Partition, epoch: Epoch) -> Self {
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

    pub(crate) fn rule(&mut self, record: &RuleRecord) {
        self.draft.rules_ended.remove(&record.rule);
        self.draft.rules.insert(record.rule.clone(), record.clone());
    }

    pub(crate) fn rule_ended(&mut self, name: &RuleName) {
        self.draft.rules.remove(name);
        self.draft.rules_ended.insert(name.clone());
    }

    pub(crate) fn episode(&mut self, record: &EpisodeRecord) {
        self.draft.episodes.insert(record.id.clone(), record.clone());
    }

    pub(crate) fn intent(&mut self, record: IntentRecord) {
        self.draft.intents.insert(record.id.clone(), record);
    }

    pub(crate) fn command(&mut self, record: CommandRecord) {
        self.draft.commands.push(record);
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Whether the rule's record is not known to be written as it is.
    pub(crate) fn is_writing(&self, name: &RuleName) -> bool {
        let in_flight = |flight: &Flight| flight.commit.rules.iter().any(|record| record.rule == *name);
        self.draft.rules.contains_key(name) || self.flight.as_ref().is_some_and(in_flight)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.flight.is_some()
    }

    pub(crate) fn is_owed(&self) -> bool {
        !self.draft.is_empty()
    }
}

impl Draft {
    pub(crate) fn is_empty(&self) -> bool {
        self.bundle.is_none()
            && self.rules.is_empty()
            && self.rules_ended.is_empty()
            && self.episodes.is_empty()
            && self.intents.is_empty()
            && self.gaps.is_empty()
            && self.commands.is_empty()
    }

    pub(crate) fn into_commit(self, partition: Partition, epoch: Epoch, nonce: u64) -> Commit {
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
            commands: self.commands,
        }
    }
}
