//! Changes of a partition since its last commit.
use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Range, Timestamp};

use crate::action::Note;
use crate::record::{
    Change, EpisodeId, GapReason, GapRecord, Level, PartitionCommit, PartitionId, RuleRecord, Tenure,
    TransitionRecord,
};
use crate::spec::RuleName;

/// The newest version of each record, and every transition in order.
pub(super) struct Draft {
    partition: PartitionId,
    /// The generation of the bundle under which transitions are made.
    pub(super) generation: u64,
    /// The number of the last transition.
    last: u64,
    pub(super) rules: BTreeMap<RuleName, RuleRecord>,
    rules_ended: BTreeSet<RuleName>,
    levels: BTreeMap<EpisodeId, (RuleName, Level)>,
    levels_ended: BTreeSet<EpisodeId>,
    transitions: Vec<TransitionRecord>,
    /// How many of the transitions were handed out.
    handed: usize,
    gaps: Vec<GapRecord>,
    /// Logged once the draft is written.
    notes: Vec<Note>,
}

impl Draft {
    pub(super) fn new(partition: PartitionId, generation: u64, last: u64) -> Self {
        Self {
            partition,
            generation,
            last,
            rules: BTreeMap::new(),
            rules_ended: BTreeSet::new(),
            levels: BTreeMap::new(),
            levels_ended: BTreeSet::new(),
            transitions: Vec::new(),
            handed: 0,
            gaps: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn rule(&mut self, record: &RuleRecord) {
        self.rules_ended.remove(&record.rule);
        self.rules.insert(record.rule.clone(), record.clone());
    }

    pub(super) fn rule_ended(&mut self, name: &RuleName) {
        self.rules.remove(name);
        self.rules_ended.insert(name.clone());
    }

    /// Records that a slice of time was not evaluated.
    pub(super) fn gap(
        &mut self,
        recorded_at: Timestamp,
        rule: &RuleName,
        over: Range,
        reason: GapReason,
        message: String,
    ) {
        self.note(Note::GapRecorded {
            rule: rule.clone(),
            start: over.start,
            end: over.end,
            reason: message.clone(),
        });
        self.gaps.push(GapRecord { rule: rule.clone(), over, reason, recorded_at, message });
    }

    pub(super) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Numbers the changes of a rule, and stores its levels as of then. `judged`: up to where the rule is evaluated.
    pub(super) fn pass(
        &mut self,
        rule: &RuleName,
        judged: Timestamp,
        changes: impl IntoIterator<Item = Change>,
    ) {
        for change in changes {
            match &change {
                Change::Level { level, .. } | Change::Suspended { level } => {
                    self.levels.insert(level.id.clone(), (rule.clone(), level.clone()));
                }
                Change::Ended { level, .. } => {
                    self.levels.remove(&level.id);
                    self.levels_ended.insert(level.id.clone());
                }
                Change::Renewed { .. }
                | Change::Events { .. }
                | Change::Withheld { .. }
                | Change::Later { .. }
                | Change::Gap { .. } => {}
            }
            self.last += 1;
            self.transitions.push(TransitionRecord {
                partition: self.partition,
                number: self.last,
                generation: self.generation,
                rule: rule.clone(),
                judged,
                change,
            });
        }
    }

    /// Transitions made since the last call.
    pub(super) fn hand_out(&mut self) -> &[TransitionRecord] {
        let handed = std::mem::replace(&mut self.handed, self.transitions.len());
        &self.transitions[handed..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
            && self.rules_ended.is_empty()
            && self.levels.is_empty()
            && self.levels_ended.is_empty()
            && self.transitions.is_empty()
            && self.gaps.is_empty()
    }

    /// Takes what is to be written under `tenure`, and what is logged after that.
    pub(super) fn take(&mut self, tenure: Tenure) -> (PartitionCommit, Vec<Note>) {
        let rest = Self::new(self.partition, self.generation, self.last);
        let draft = std::mem::replace(self, rest);
        let commit = PartitionCommit {
            partition: draft.partition,
            tenure,
            rules: draft.rules.into_values().collect(),
            rules_ended: draft.rules_ended.into_iter().collect(),
            levels: draft.levels.into_values().collect(),
            levels_ended: draft.levels_ended.into_iter().collect(),
            transitions: draft.transitions,
            gaps: draft.gaps,
        };
        (commit, draft.notes)
    }
}
