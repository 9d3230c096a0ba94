//! Messages that are gathered and sent as one. What is decided about an episode or an event is stored at once, as ever;
//! where its rule has a `group`, it waits there for others with the same labels, and one message names them all when the
//! group is due.
mod gathered; // what waits, and when it is due
mod merge; // many messages become one
mod text; // what is said of each
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use watchbell_contract::{Cause, Duration, Timestamp};

use crate::action::Note;
use crate::digest;
use crate::matcher;
use crate::message::{Message, Wording};
use crate::record::{
    Delivery, EpisodeId, EpisodeRecord, GroupId, GroupKey, GroupRecord, Grouping, IntentId, IntentRecord,
    Phase,
};
use crate::schedule::Timetable;
use crate::spec::{DestinationName, GroupSpec, Pace, RuleName, Schedule};
use watchbell_contract::Label;

use super::decider::{Context, Decider};
use super::{escalation, outbox};
pub(super) use gathered::Groups;
use merge::{Merge, Merged};
pub(super) use text::pairs;

/// A group that has only counted keys looks this often whether they are over.
const LOOK_AGAIN: Duration = Duration::from_hours(1);

impl GroupSpec {
    /// When a group is due of which the first message is gathered now, and which rests until `rests_until`.
    fn due(&self, rests_until: Option<Timestamp>, now: Timestamp) -> Timestamp {
        match &self.pace {
            Pace::Interval { wait, .. } => rests_until.filter(|until| now < *until).unwrap_or(now + *wait),
            Pace::Digest { expression, timezone } => {
                let schedule = Schedule::Cron { expression: expression.clone(), timezone: timezone.clone() };
                let next = Timetable::of(&schedule).ok().and_then(|table| table.next_after(now));
                next.unwrap_or(now)
            }
        }
    }

    /// Until when a group rests after a message that is sent now.
    fn rests_until(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.pace {
            Pace::Interval { interval, .. } => Some(now + *interval),
            Pace::Digest { .. } => None,
        }
    }
}

impl Decider {
    /// Lets a message wait in its group, or gives it back if it is to be sent by itself.
    pub(super) fn gather(&mut self, record: IntentRecord, context: &mut Context<'_>) -> Option<IntentRecord> {
        let Some(id) = self.group_of(&record, context) else { return Some(record) };
        let rests_until = self.groups.get(&id).and_then(|group| group.rests_until);
        let spec = self.group_spec(&record.message.rule);
        let due = spec.map_or(context.now, |spec| spec.due(rests_until, context.now));
        if let Some((record, group)) = self.groups.add(&id, due, record) {
            context.draft.intent(record);
            group.into_iter().for_each(|group| context.draft.group(group));
        }
        None
    }

    /// The group in which a message waits. What was said of an episode in a group, or outside of groups, is continued
    /// there, whatever an edit of the rule says since: receivers know it by that.
    fn group_of(&mut self, record: &IntentRecord, context: &Context<'_>) -> Option<GroupId> {
        let (message, destination) = (&record.message, &record.destination);
        if !is_gathered(message) {
            return None;
        }
        if let Some(group) = self.groups.of_episode(&message.episode, destination) {
            return Some(group.clone());
        }
        let spec = self.group_spec(&message.rule)?;
        let continues = matches!(message.cause, Cause::Resolved | Cause::Acknowledged | Cause::Repeat);
        let is_known = || continues || self.outbox.concerns(&message.episode, destination);
        if !is_event(message.cause) && is_known() {
            return None;
        }
        let value = |name: &String| Label {
            name: name.clone(),
            value: matcher::label(&message.labels, name).map(str::to_owned),
        };
        let labels: Vec<Label> = spec.by.iter().map(value).collect();
        let id = digest::group_id(&message.rule, &labels, destination);
        if self.groups.get(&id).is_none() {
            self.groups.put(GroupRecord {
                id: id.clone(),
                rule: message.rule.clone(),
                episode: thread(context, &message.rule, &labels, destination),
                labels,
                destination: destination.clone(),
                ordinal: 0,
                due: None,
                rests_until: None,
                open: Vec::new(),
                unnamed: Vec::new(),
            });
        }
        Some(id)
    }

    fn group_spec(&self, rule: &RuleName) -> Option<&GroupSpec> {
        self.rules.get(rule).filter(|known| !known.is_gone())?.spec.alert.group.as_ref()
    }

    /// Another bundle is in force: what is gathered is sent no later than it says, and at once if it no longer gathers.
    pub(super) fn follow_groups(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        for id in self.groups.begin() {
            let Some(group) = self.groups.get(&id) else { continue };
            let spec = self.group_spec(&group.rule);
            let longest = spec.and_then(|spec| spec.rests_until(now));
            let rests_until = group.rests_until.zip(longest).map(|(rests, longest)| rests.min(longest));
            let due = spec.map_or(now, |spec| spec.due(rests_until, now));
            let due = group.due.map(|before| before.min(due));
            if let Some(changed) = self.groups.put_off(&id, due, rests_until) {
                context.draft.group(changed);
            }
        }
    }

    /// Sends what is due, and forgets the groups of which nothing is left. A pause holds all of it, so that it is still
    /// one message for each group when the pause is over.
    pub(super) fn send_groups(&mut self, context: &mut Context<'_>) {
        if self.standing.pause(context.now).is_some() {
            return;
        }
        while let Some(id) = self.groups.next_due(context.now) {
            let Some((mut group, gathered)) = self.groups.take(&id) else { return };
            if !gathered.is_empty() {
                self.send_group(group, gathered, context);
                continue;
            }
            self.forget_ended(&mut group, &[]);
            if group.unnamed.is_empty() {
                context.draft.end_group(group.id);
                continue;
            }
            context.draft.group(group.clone());
            self.groups.look_again(group, context.now + LOOK_AGAIN);
        }
    }

    fn send_group(&mut self, mut group: GroupRecord, gathered: Vec<IntentRecord>, context: &mut Context<'_>) {
        self.forget_ended(&mut group, &gathered);
        let episode = |key: &GroupKey| self.open_episode_of(&group.rule, key);
        let Merged { mut message, is_apart, named, open, counted, unnamed } =
            Merge::of(&group, &gathered, &episode).message();
        let begins = !is_apart && group.open.is_empty();
        let (episode, ordinal) = match is_apart {
            true => (message.episode.clone(), 0),
            false if begins && group.ordinal > 0 => {
                (thread(context, &group.rule, &group.labels, &group.destination), 0)
            }
            false => (group.episode.clone(), group.ordinal),
        };
        message.episode = episode.clone();
        let id = digest::intent_id(&episode, "group", ordinal, &group.destination);
        // Where its beginning still waits, one message says that it was.
        let waiting = match message.cause {
            Cause::Resolved => self.outbox.take_back(&episode, &group.destination),
            _ => Vec::new(),
        };
        if let Some(first) = waiting.first() {
            message.cause = Cause::Was;
            message.since = message.since.min(first.message.since);
        }
        let destination = group.destination.clone();
        merged(gathered.into_iter().chain(waiting).collect(), &id, &destination, context);
        self.note_named(&group, &open, &counted, context);
        let grouping = Some(Grouping::Merged { group: group.id.clone(), named });
        let owed = IntentRecord { grouping, ..outbox::owed(id, destination, message, context.now) };
        let sample = owed.clone();
        if let Some(record) = self.outbox.push(owed) {
            context.draft.intent(record);
        }
        if !is_apart {
            (group.episode, group.ordinal) = (episode, ordinal + 1);
        }
        group.rests_until = self.group_spec(&group.rule).and_then(|spec| spec.rests_until(context.now));
        (group.open, group.unnamed) = (open, unnamed);
        context.draft.group(group.clone());
        self.groups.put(group);
        self.make_room(&sample, context);
    }

    /// Episodes that ended without a message to this group, or were told to its destination elsewhere.
    fn forget_ended(&self, group: &mut GroupRecord, gathered: &[IntentRecord]) {
        if !self.rules.contains_key(&group.rule) {
            return;
        }
        let rule = group.rule.clone();
        let is_open = |key: &GroupKey| self.open_episode_of(&rule, key).is_some();
        let gathered: BTreeSet<&EpisodeId> = gathered.iter().map(|it| &it.message.episode).collect();
        let is_gathered = |key: &GroupKey| gathered.contains(&key.episode);
        group.open.retain(|key| is_open(key) || is_gathered(key));
        let is_told = |key: &GroupKey| {
            let episode = self.open_episode_of(&rule, key);
            episode.is_some_and(|episode| escalation::is_notified(episode, &group.destination))
        };
        group.unnamed.retain(|key| is_open(key) && (is_gathered(key) || !is_told(key)));
    }

    pub(super) fn open_episode_of(&self, rule: &RuleName, key: &GroupKey) -> Option<&EpisodeRecord> {
        let episode = self.rules.get(rule)?.open.get(&key.labels)?;
        let is_it = episode.id == key.episode && !matches!(episode.phase, Phase::ResolvedByHand { .. });
        is_it.then_some(episode)
    }

    /// A key that a message names was notified; one that it only counts was not.
    fn note_named(
        &mut self,
        group: &GroupRecord,
        open: &[GroupKey],
        counted: &[GroupKey],
        context: &mut Context<'_>,
    ) {
        let destination = &group.destination;
        for key in open {
            self.note_notified(&group.rule, key, destination, context);
        }
        for key in counted {
            self.note_not_notified(&group.rule, key, destination, context);
        }
    }

    fn note_notified(
        &mut self,
        rule: &RuleName,
        key: &GroupKey,
        destination: &DestinationName,
        context: &mut Context<'_>,
    ) {
        let Some(episode) = self.open_mut(rule, key) else { return };
        let is_over = matches!(episode.phase, Phase::ResolvedByHand { .. });
        if !is_over && escalation::add_notified(episode, destination, None, context.now) {
            context.draft.episode(episode);
        }
    }

    fn note_not_notified(
        &mut self,
        rule: &RuleName,
        key: &GroupKey,
        destination: &DestinationName,
        context: &mut Context<'_>,
    ) {
        let Some(episode) = self.open_mut(rule, key) else { return };
        if escalation::is_notified(episode, destination) {
            episode.notified.retain(|notified| notified.destination != *destination);
            context.draft.episode(episode);
        }
    }

    fn open_mut(&mut self, rule: &RuleName, key: &GroupKey) -> Option<&mut EpisodeRecord> {
        let episode = self.rules.get_mut(rule)?.open.get_mut(&key.labels)?;
        (episode.id == key.episode).then_some(episode)
    }

    /// The message of a group was delivered, perhaps as a dead letter that a person has sent again.
    pub(super) fn group_arrived(&mut self, record: &IntentRecord, context: &mut Context<'_>) {
        let Some(Grouping::Merged { group, named }) = &record.grouping else { return };
        for named in named.iter().filter(|named| named.is_open) {
            if self.open_episode_of(&record.message.rule, &named.key).is_none() {
                continue;
            }
            self.note_notified(&record.message.rule, &named.key, &record.destination, context);
            if let Some(changed) = self.groups.tell(group, &named.key) {
                context.draft.group(changed);
            }
        }
    }

    /// The message of a group is a dead letter: the keys that it was the first to name were not notified, and their ends
    /// are told to nobody.
    pub(super) fn group_never_arrived(
        &mut self,
        record: &IntentRecord,
        context: &mut Context<'_>,
    ) -> Option<Message> {
        let Some(Grouping::Merged { group, named }) = &record.grouping else { return None };
        for named in named.iter().filter(|named| named.begins && named.is_open) {
            self.note_not_notified(&record.message.rule, &named.key, &record.destination, context);
            let Some((changed, withdrawn)) = self.groups.withdraw(group, &named.key) else { continue };
            context.draft.group(changed);
            if let Some(end) = withdrawn {
                self.bury(outbox::untold(end, context.now), context);
            }
        }
        self.withdraw_end(record, context)
    }

    /// Sends the end of an episode. Where its beginning still waits, one message says that it was.
    pub(super) fn send_end(
        &mut self,
        message: &Message,
        ordinal: u32,
        to: Vec<DestinationName>,
        context: &mut Context<'_>,
    ) -> Vec<DestinationName> {
        let mut told = Vec::new();
        let mut others = Vec::new();
        let mut message = message.clone();
        message.route.to.clone_from(&to);
        for destination in to {
            let waiting = self.outbox.take_back(&message.episode, &destination);
            if waiting.is_empty() {
                others.push(destination);
                continue;
            }
            let mut was = Message { cause: Cause::Was, ..message.clone() };
            was.route.instead = waiting.iter().find_map(|record| record.message.route.instead.clone());
            let into = digest::intent_id(&was.episode, Cause::Was.as_str(), ordinal, &destination);
            merged(waiting, &into, &destination, context);
            // There is room: it takes the place of what waited.
            self.queue(&was, ordinal, &destination, context);
            told.push(destination);
        }
        told.extend(self.send(&message, ordinal, &others, context));
        told
    }
}

/// Records that another message to `destination` says what these would have said.
fn merged(
    records: Vec<IntentRecord>,
    into: &IntentId,
    destination: &DestinationName,
    context: &mut Context<'_>,
) {
    let count = records.len();
    context.draft.note(Note::Merged { destination: destination.clone(), into: into.clone(), count });
    for record in records {
        let delivery = Delivery::Merged { at: context.now, into: into.clone() };
        context.draft.intent(IntentRecord { delivery, ..record });
    }
}

/// Whether messages of this kind are gathered. The host's own already stand for many.
fn is_gathered(message: &Message) -> bool {
    match message.wording {
        Wording::Rule
        | Wording::RuleEnded
        | Wording::BeforeStore
        | Wording::Acknowledged
        | Wording::Unacknowledged => true,
        Wording::Gap
        | Wording::CannotRun
        | Wording::Edited
        | Wording::Backlog
        | Wording::Overflow
        | Wording::Grouped
        | Wording::Limited
        | Wording::Host => false,
    }
}

fn is_event(cause: Cause) -> bool {
    matches!(cause, Cause::Event | Cause::Summary)
}

/// What a group's messages are about, from now until all that they named is over.
fn thread(context: &Context<'_>, rule: &RuleName, labels: &[Label], to: &DestinationName) -> EpisodeId {
    digest::once_id(context.incarnation, "group", &[&to.0], rule, labels, context.now)
}
