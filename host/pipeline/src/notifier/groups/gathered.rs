use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Cause, Duration, Timestamp};

use crate::reason::DeliveryReason;
use crate::record::{EpisodeId, GroupId, GroupKey, GroupRecord, Grouping, IntentId, IntentRecord};
use crate::spec::{DestinationName, RuleName};

use super::super::outbox::Queued;
use super::is_event;

/// The groups that have something to send, have named open episodes, or rest.
#[derive(Debug, Default)]
pub(in super::super) struct Groups {
    groups: BTreeMap<GroupId, Group>,
    /// The group that goes on telling a destination of an episode.
    of_episodes: BTreeMap<(EpisodeId, DestinationName), GroupId>,
    waiting: BTreeMap<(RuleName, DestinationName), Queued>,
    /// When each has something to do.
    timers: BTreeSet<(Timestamp, GroupId)>,
    /// A bundle is in force: before that, nobody knows what belongs together.
    has_begun: bool,
}

#[derive(Debug)]
struct Group {
    record: GroupRecord,
    /// Oldest first.
    gathered: Vec<IntentRecord>,
    /// Of what is gathered.
    ids: BTreeSet<IntentId>,
    /// Not before this, if nothing else comes.
    look_at: Timestamp,
}

impl Group {
    /// Nothing is gathered yet.
    fn of(record: GroupRecord, look_at: Timestamp) -> Self {
        Self { record, gathered: Vec::new(), ids: BTreeSet::new(), look_at }
    }

    fn push(&mut self, record: IntentRecord) {
        self.ids.insert(record.id.clone());
        self.gathered.push(record);
    }

    /// When its messages are sent, or when it can be forgotten.
    fn next_at(&self) -> Option<Timestamp> {
        let record = &self.record;
        // Those that it only counted may be over by then, without a word.
        let is_quiet = record.open.is_empty();
        record
            .due
            .or_else(|| is_quiet.then(|| record.rests_until.unwrap_or(Timestamp::MIN).max(self.look_at)))
    }

    /// The episodes that it goes on telling of.
    fn episodes(&self) -> impl Iterator<Item = EpisodeId> {
        let gathered = self.gathered.iter().filter(|record| !is_event(record.message.cause));
        let gathered = gathered.map(|record| record.message.episode.clone());
        let open = self.record.open.iter().map(|key| key.episode.clone());
        open.chain(gathered).collect::<Vec<_>>().into_iter()
    }
}

impl Groups {
    /// Takes over what the store holds; gives back the messages that do not wait in a group.
    pub(in super::super) fn recover(
        groups: Vec<GroupRecord>,
        queued: Vec<IntentRecord>,
    ) -> (Self, Vec<IntentRecord>) {
        let mut kept: BTreeMap<GroupId, Group> =
            groups.into_iter().map(|record| (record.id.clone(), Group::of(record, Timestamp::MIN))).collect();
        let mut others = Vec::new();
        for record in queued {
            match record.gathered_in().and_then(|group| kept.get_mut(group)) {
                Some(group) => group.push(record),
                None => others.push(record),
            }
        }
        let mut recovered = Self::default();
        for (_, mut group) in kept {
            group.gathered.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
            recovered.insert(group);
        }
        (recovered, others)
    }

    /// What was told in groups of which something is open, and to whom.
    pub(in super::super) fn told(&self) -> impl Iterator<Item = (String, DestinationName)> {
        let groups = self.groups.values().map(|group| &group.record);
        groups
            .filter(|record| !record.open.is_empty())
            .map(|record| (record.episode.0.clone(), record.destination.clone()))
    }

    /// The rules that have groups.
    pub(in super::super) fn rules(&self) -> impl Iterator<Item = &RuleName> {
        self.groups.values().map(|group| &group.record.rule)
    }

    /// A bundle is in force. Gives all groups.
    pub(super) fn begin(&mut self) -> Vec<GroupId> {
        self.has_begun = true;
        self.groups.keys().cloned().collect()
    }

    pub(super) fn get(&self, id: &GroupId) -> Option<&GroupRecord> {
        self.groups.get(id).map(|group| &group.record)
    }

    pub(super) fn of_episode(&self, episode: &EpisodeId, to: &DestinationName) -> Option<&GroupId> {
        self.of_episodes.get(&(episode.clone(), to.clone()))
    }

    /// Lets `record` wait in a group, which is due at `due` if nothing waits in it yet. Gives what is to be stored: the
    /// record, unless it waits there already, and the group, if it has changed.
    pub(super) fn add(
        &mut self,
        id: &GroupId,
        due: Timestamp,
        mut record: IntentRecord,
    ) -> Option<(IntentRecord, Option<GroupRecord>)> {
        let group = self.groups.get_mut(id)?;
        if group.ids.contains(&record.id) {
            return None;
        }
        // The store keeps no other order than this.
        if let Some(newest) = group.gathered.last() {
            record.created_at = record.created_at.max(newest.created_at + Duration(1));
        }
        record.grouping = Some(Grouping::Gathered(id.clone()));
        let before = group.next_at();
        let is_first = group.record.due.is_none();
        group.record.due.get_or_insert(due);
        group.push(record.clone());
        if let Some(at) = before {
            self.timers.remove(&(at, id.clone()));
        }
        self.timers.extend(group.next_at().map(|at| (at, id.clone())));
        let changed = is_first.then(|| group.record.clone());
        if !is_event(record.message.cause) {
            let of = (record.message.episode.clone(), record.destination.clone());
            self.of_episodes.insert(of, id.clone());
        }
        let of = (record.message.rule.clone(), record.destination.clone());
        let waiting = self.waiting.entry(of).or_default();
        *waiting = waiting.and(Queued::of(&record));
        Some((record, changed))
    }

    /// Changes when a group is due and until when it rests. Gives the group if that differs.
    pub(super) fn put_off(
        &mut self,
        id: &GroupId,
        due: Option<Timestamp>,
        rests_until: Option<Timestamp>,
    ) -> Option<GroupRecord> {
        let mut group = self.remove(id)?;
        let is_changed = (group.record.due, group.record.rests_until) != (due, rests_until);
        (group.record.due, group.record.rests_until) = (due, rests_until);
        let changed = is_changed.then(|| group.record.clone());
        self.insert(group);
        changed
    }

    /// When a group has something to do.
    pub(in super::super) fn next_at(&self) -> Option<Timestamp> {
        self.timers.first().filter(|_| self.has_begun).map(|(at, _)| *at)
    }

    /// A group that has something to do by now.
    pub(super) fn next_due(&self, now: Timestamp) -> Option<GroupId> {
        self.timers.first().filter(|(at, _)| self.has_begun && *at <= now).map(|(_, id)| id.clone())
    }

    /// Takes a group out, with what waits in it.
    pub(super) fn take(&mut self, id: &GroupId) -> Option<(GroupRecord, Vec<IntentRecord>)> {
        let Group { mut record, gathered, .. } = self.remove(id)?;
        record.due = None;
        Some((record, gathered))
    }

    /// Puts a group back in which nothing waits.
    pub(super) fn put(&mut self, record: GroupRecord) {
        self.insert(Group::of(record, Timestamp::MIN));
    }

    /// Puts a group back of which nothing is left but keys that were counted.
    pub(super) fn look_again(&mut self, record: GroupRecord, look_at: Timestamp) {
        self.insert(Group::of(record, look_at));
    }

    /// The destination knows of an open episode. Gives the group if it did not know that.
    pub(super) fn tell(&mut self, id: &GroupId, key: &GroupKey) -> Option<GroupRecord> {
        if self.get(id)?.open.contains(key) {
            return None;
        }
        let mut group = self.remove(id)?;
        group.record.unnamed.retain(|other| other != key);
        group.record.open.push(key.clone());
        let changed = group.record.clone();
        self.insert(group);
        Some(changed)
    }

    /// The destination does not know of an episode. Gives the group, and the message of the episode's end if nothing else
    /// about it waits.
    pub(super) fn withdraw(
        &mut self,
        id: &GroupId,
        key: &GroupKey,
    ) -> Option<(GroupRecord, Option<IntentRecord>)> {
        let mut group = self.remove(id)?;
        group.record.open.retain(|other| other != key);
        let mut own = group.gathered.iter().enumerate().filter(|(_, it)| it.message.episode == key.episode);
        let end = match (own.next(), own.next()) {
            (Some((place, only)), None) if only.message.cause == Cause::Resolved => Some(place),
            _ => None,
        };
        let end = end.map(|place| group.gathered.remove(place));
        if let Some(end) = &end {
            group.ids.remove(&end.id);
        }
        if group.gathered.is_empty() {
            group.record.due = None;
        }
        let changed = group.record.clone();
        self.insert(group);
        Some((changed, end))
    }

    /// What waits of a rule for a destination.
    pub(in super::super) fn waiting(&self, rule: &RuleName, to: &DestinationName) -> Queued {
        self.waiting.get(&(rule.clone(), to.clone())).copied().unwrap_or_default()
    }

    /// Why the messages of a rule are not sent yet.
    pub(in super::super) fn explain(&self, rule: &RuleName) -> impl Iterator<Item = DeliveryReason> {
        let of = self.groups.values().filter(move |group| group.record.rule == *rule);
        of.filter_map(|group| {
            Some(DeliveryReason::Grouped {
                destination: group.record.destination.clone(),
                until: group.record.due?,
                others: group.gathered.len().saturating_sub(1),
            })
        })
    }

    fn insert(&mut self, group: Group) {
        let id = group.record.id.clone();
        let to = &group.record.destination;
        for episode in group.episodes() {
            self.of_episodes.insert((episode, to.clone()), id.clone());
        }
        self.timers.extend(group.next_at().map(|at| (at, id.clone())));
        if !group.gathered.is_empty() {
            let waiting = self.waiting.entry((group.record.rule.clone(), to.clone())).or_default();
            *waiting = group.gathered.iter().map(Queued::of).fold(*waiting, Queued::and);
        }
        self.groups.insert(id, group);
    }

    fn remove(&mut self, id: &GroupId) -> Option<Group> {
        let group = self.groups.remove(id)?;
        let to = &group.record.destination;
        for episode in group.episodes() {
            self.of_episodes.remove(&(episode, to.clone()));
        }
        if let Some(at) = group.next_at() {
            self.timers.remove(&(at, id.clone()));
        }
        let of = (group.record.rule.clone(), to.clone());
        if let Some(waiting) = self.waiting.get_mut(&of) {
            waiting.count -= group.gathered.len();
            waiting.bytes -= group.gathered.iter().map(|record| Queued::of(record).bytes).sum::<usize>();
            if waiting.count == 0 {
                self.waiting.remove(&of);
            }
        }
        Some(group)
    }
}
