//! Changes of episodes and messages since the last commit.
use std::collections::{BTreeMap, BTreeSet};

use crate::action::Note;
use crate::record::{
    CommandRecord, DestinationRecord, EpisodeId, EpisodeRecord, GroupId, GroupRecord, IntentId, IntentRecord,
    NotifierCommit, PartitionId, PauseRecord, Position, SilenceId, SilenceRecord, Tenure,
};
use crate::spec::DestinationName;

/// The newest version of each record.
#[derive(Default)]
pub(super) struct Draft {
    positions: BTreeMap<PartitionId, u64>,
    depends: BTreeSet<PartitionId>,
    episodes: BTreeMap<EpisodeId, EpisodeRecord>,
    intents: BTreeMap<IntentId, IntentRecord>,
    /// `None`: it has ended.
    groups: BTreeMap<GroupId, Option<GroupRecord>>,
    /// `None`: it has ended.
    silences: BTreeMap<SilenceId, Option<SilenceRecord>>,
    pause: Option<Option<PauseRecord>>,
    destinations: BTreeMap<DestinationName, DestinationRecord>,
    commands: Vec<CommandRecord>,
    /// Logged once the draft is written.
    notes: Vec<Note>,
}

impl Draft {
    /// Everything up to `position` is decided; `is_written` says whether the store already has it.
    pub(super) fn position(&mut self, position: Position, is_written: bool) {
        self.positions.insert(position.partition, position.number);
        if !is_written {
            self.depends.insert(position.partition);
        }
    }

    pub(super) fn episode(&mut self, record: &EpisodeRecord) {
        self.episodes.insert(record.id.clone(), record.clone());
    }

    pub(super) fn intent(&mut self, record: IntentRecord) {
        self.intents.insert(record.id.clone(), record);
    }

    pub(super) fn group(&mut self, record: GroupRecord) {
        self.groups.insert(record.id.clone(), Some(record));
    }

    pub(super) fn end_group(&mut self, id: GroupId) {
        self.groups.insert(id, None);
    }

    pub(super) fn silence(&mut self, record: SilenceRecord) {
        self.silences.insert(record.id.clone(), Some(record));
    }

    pub(super) fn end_silence(&mut self, id: SilenceId) {
        self.silences.insert(id, None);
    }

    pub(super) fn pause(&mut self, pause: Option<PauseRecord>) {
        self.pause = Some(pause);
    }

    pub(super) fn destination(&mut self, name: &DestinationName, record: &DestinationRecord) {
        self.destinations.insert(name.clone(), record.clone());
    }

    pub(super) fn command(&mut self, record: CommandRecord) {
        self.commands.push(record);
    }

    pub(super) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.positions.is_empty()
            && self.episodes.is_empty()
            && self.intents.is_empty()
            && self.groups.is_empty()
            && self.silences.is_empty()
            && self.pause.is_none()
            && self.destinations.is_empty()
            && self.commands.is_empty()
    }

    /// Takes what is to be written under `tenure`, and what is logged after that.
    pub(super) fn take(&mut self, tenure: Tenure) -> (NotifierCommit, Vec<Note>) {
        let draft = std::mem::take(self);
        let positions = draft.positions.into_iter();
        let silences_ended = draft.silences.iter().filter(|(_, record)| record.is_none());
        let groups_ended = draft.groups.iter().filter(|(_, record)| record.is_none());
        let commit = NotifierCommit {
            tenure,
            positions: positions.map(|(partition, number)| Position { partition, number }).collect(),
            depends: draft.depends.into_iter().collect(),
            episodes: draft.episodes.into_values().collect(),
            intents: draft.intents.into_values().collect(),
            groups_ended: groups_ended.map(|(id, _)| id.clone()).collect(),
            groups: draft.groups.into_values().flatten().collect(),
            silences_ended: silences_ended.map(|(id, _)| id.clone()).collect(),
            silences: draft.silences.into_values().flatten().collect(),
            pause: draft.pause,
            destinations: draft.destinations.into_iter().collect(),
            commands: draft.commands,
        };
        (commit, draft.notes)
    }
}
