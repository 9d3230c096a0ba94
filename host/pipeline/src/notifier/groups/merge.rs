//! Many messages become one. What was said of one key becomes one line.
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Cause, Label, Severity};

use crate::message::{Message, Wording};
use crate::record::{EpisodeId, EpisodeRecord, GroupKey, GroupRecord, IntentRecord, NamedEpisode, Phase};

use super::super::events::{named_labels, shared_labels};
use super::{is_event, text};

/// How many keys a message is the first to name; the others are counted.
const KEYS_NAMED_MAX: usize = 10;

/// How many keys it names of which its destination was notified before. There are no more in a usual life: each message
/// adds a few.
const CHANGES_NAMED_MAX: usize = 100;

/// The messages of a group that is due.
pub(super) struct Merge<'a> {
    group: &'a GroupRecord,
    /// In the order of the first message of each.
    lines: Vec<Line<'a>>,
    /// Which line is about an episode.
    places: BTreeMap<&'a EpisodeId, usize>,
    episode: &'a dyn Fn(&GroupKey) -> Option<&'a EpisodeRecord>,
}

/// What is said of a key, or an event.
pub(super) struct Line<'a> {
    /// `None`: an event.
    key: Option<GroupKey>,
    pub(super) newest: &'a Message,
    /// The destination was not notified of it before.
    pub(super) begins: bool,
    pub(super) is_over: bool,
    is_worse: bool,
}

pub(super) struct Merged {
    pub(super) message: Message,
    /// It is about events alone, and no part of what the group's other messages are about.
    pub(super) is_apart: bool,
    pub(super) named: Vec<NamedEpisode>,
    /// The open episodes that the group's messages have named, with this one.
    pub(super) open: Vec<GroupKey>,
    /// Those that this message only counts.
    pub(super) counted: Vec<GroupKey>,
    /// Those that the group's messages have only counted, with this one.
    pub(super) unnamed: Vec<GroupKey>,
}

/// Which lines are named.
struct Naming<'m, 'a> {
    named: Vec<&'m Line<'a>>,
    left: Vec<&'m Line<'a>>,
    /// Those that earlier messages only counted, as far as there is room for them now.
    still: Vec<(&'m GroupKey, &'a EpisodeRecord)>,
}

impl<'a> Merge<'a> {
    /// `gathered` is not empty, and in order. `episode` finds open episodes.
    pub(super) fn of(
        group: &'a GroupRecord,
        gathered: &'a [IntentRecord],
        episode: &'a dyn Fn(&GroupKey) -> Option<&'a EpisodeRecord>,
    ) -> Self {
        let mut lines: Vec<Line<'a>> = Vec::new();
        let mut places: BTreeMap<&EpisodeId, usize> = BTreeMap::new();
        let known: BTreeSet<&EpisodeId> = group.open.iter().map(|open| &open.episode).collect();
        for record in gathered {
            let message = &record.message;
            let is_over = matches!(message.cause, Cause::Resolved | Cause::Was);
            let is_worse = message.cause == Cause::Worse;
            if is_event(message.cause) {
                lines.push(Line {
                    key: None,
                    newest: message,
                    begins: false,
                    is_over: true,
                    is_worse: false,
                });
            } else if let Some(line) = places.get(&message.episode).and_then(|place| lines.get_mut(*place)) {
                line.newest = message;
                line.is_over |= is_over;
                line.is_worse |= is_worse;
            } else {
                places.insert(&message.episode, lines.len());
                let key = GroupKey { episode: message.episode.clone(), labels: message.labels.clone() };
                let begins = !known.contains(&message.episode);
                lines.push(Line { key: Some(key), newest: message, begins, is_over, is_worse });
            }
        }
        Self { group, lines, places, episode }
    }

    pub(super) fn message(&self) -> Merged {
        let is_apart = self.lines.iter().all(|line| line.key.is_none());
        let naming = self.naming(is_apart);
        let open = self.open(&naming);
        let counted = self.counted(&naming);
        let unnamed = self.unnamed(&naming, &counted);
        let about: &[GroupKey] = if is_apart { &[] } else { &open };
        let cause = self.cause(about);
        let message = match &self.lines[..] {
            [line] if naming.still.is_empty() && line.says(cause) => {
                Message { cause, severity: self.severity(about), ..line.newest.clone() }
            }
            _ => self.merged(&naming, about, cause),
        };
        let lines = naming.named.iter().filter_map(|line| {
            let key = line.key.clone()?;
            Some(NamedEpisode { key, begins: line.begins, is_open: !line.is_over })
        });
        let still = naming.still.iter().map(|(key, _)| NamedEpisode {
            key: (*key).clone(),
            begins: true,
            is_open: true,
        });
        Merged { message, is_apart, named: lines.chain(still).collect(), open, counted, unnamed }
    }

    /// First what the destination did not know, the worst of it first; then what has changed.
    fn naming(&self, is_apart: bool) -> Naming<'_, 'a> {
        let (mut firsts, mut changes): (Vec<&Line<'a>>, Vec<&Line<'a>>) =
            self.lines.iter().partition(|line| line.begins || line.key.is_none());
        firsts.sort_by_key(|line| (line.is_over, Reverse(line.newest.severity)));
        let mut left = firsts.split_off(firsts.len().min(KEYS_NAMED_MAX));
        left.extend(changes.split_off(changes.len().min(CHANGES_NAMED_MAX)));
        let room = if is_apart { 0 } else { KEYS_NAMED_MAX - firsts.len() };
        let known = self.group.unnamed.iter().filter(|key| !self.has_line(key));
        let still = known.filter_map(|key| Some((key, (self.episode)(key)?))).take(room).collect();
        firsts.append(&mut changes);
        Naming { named: firsts, left, still }
    }

    fn open(&self, naming: &Naming<'_, 'a>) -> Vec<GroupKey> {
        let is_over = |key: &&GroupKey| self.line(key).is_some_and(|line| line.is_over);
        let before = self.group.open.iter().filter(|key| !is_over(key));
        let begun = naming.named.iter().filter(|line| line.begins && !line.is_over);
        let begun = begun.filter_map(|line| line.key.as_ref());
        before.chain(begun).chain(naming.still.iter().map(|(key, _)| *key)).cloned().collect()
    }

    fn counted(&self, naming: &Naming<'_, 'a>) -> Vec<GroupKey> {
        let left = naming.left.iter().filter(|line| line.begins && !line.is_over);
        left.filter_map(|line| line.key.clone()).collect()
    }

    fn unnamed(&self, naming: &Naming<'_, 'a>, counted: &[GroupKey]) -> Vec<GroupKey> {
        let named: BTreeSet<&EpisodeId> = naming.still.iter().map(|(key, _)| &key.episode).collect();
        let is_left = |key: &&GroupKey| !self.has_line(key) && !named.contains(&key.episode);
        let before = self.group.unnamed.iter().filter(is_left);
        before.chain(counted).cloned().collect()
    }

    fn has_line(&self, key: &GroupKey) -> bool {
        self.places.contains_key(&key.episode)
    }

    fn line(&self, key: &GroupKey) -> Option<&Line<'a>> {
        self.lines.get(*self.places.get(&key.episode)?)
    }

    /// What the message is to receivers, who know the group as one thing that begins and ends.
    fn cause(&self, open: &[GroupKey]) -> Cause {
        let episodes = || self.lines.iter().filter(|line| line.key.is_some());
        match &self.lines[..] {
            [event] if event.key.is_none() => return event.newest.cause,
            _ if episodes().next().is_none() => return Cause::Summary,
            _ => {}
        }
        match (self.group.open.is_empty(), open.is_empty()) {
            (true, false) => Cause::Opened,
            (false, true) => Cause::Resolved,
            (true, true) if self.lines.iter().all(|line| line.begins) => Cause::Was,
            (true, true) => Cause::Summary,
            (false, false) if episodes().any(|line| line.is_worse && !line.is_over) => Cause::Worse,
            (false, false) if episodes().any(Line::escalates) => Cause::Escalated,
            (false, false) if self.is_acknowledged(open) => Cause::Acknowledged,
            (false, false) => Cause::Repeat,
        }
    }

    /// Somebody has acknowledged the last open key that nobody had.
    fn is_acknowledged(&self, open: &[GroupKey]) -> bool {
        let is_taken = |key: &GroupKey| {
            (self.episode)(key).is_some_and(|episode| matches!(episode.phase, Phase::Acknowledged { .. }))
        };
        self.lines.iter().any(|line| line.newest.cause == Cause::Acknowledged) && open.iter().all(is_taken)
    }

    /// The highest of the open keys; if none is, of those that were.
    fn severity(&self, open: &[GroupKey]) -> Severity {
        let known = open.iter().filter_map(|key| Some((self.episode)(key)?.severity));
        let lines = self.lines.iter();
        let open_lines = lines.clone().filter(|line| !line.is_over).map(|line| line.newest.severity);
        let all = lines.map(|line| line.newest.severity);
        known.chain(open_lines).max().or(all.max()).unwrap_or_default()
    }

    /// The message shows the worst key that it names as still open, else the worst that is open, else the first; and lists
    /// them all.
    fn merged(&self, naming: &Naming<'_, 'a>, open: &[GroupKey], cause: Cause) -> Message {
        let first = self.lines[0].newest;
        let by = &self.group.labels;
        let worst = naming.named.iter().rev().filter(|line| line.is_pressing());
        let worst = worst.max_by_key(|line| line.newest.severity);
        let listed: Vec<&EpisodeRecord> = naming.still.iter().map(|(_, episode)| *episode).collect();
        let others = open.iter().filter(|key| listed.is_empty() && !self.has_line(key));
        let others = listed.iter().copied().chain(others.filter_map(|key| (self.episode)(key)));
        let others: Vec<&EpisodeRecord> = if worst.is_none() { others.collect() } else { Vec::new() };
        let other = others.into_iter().rev().max_by_key(|episode| episode.severity);
        let shown = match (worst, other) {
            (Some(line), _) => line.newest.clone(),
            (None, Some(episode)) => {
                Message::of(episode, cause, first.owner.clone(), first.environment.clone())
            }
            (None, None) => naming.named.first().map_or(first, |line| line.newest).clone(),
        };
        let mut still = listed;
        if let Some(other) = other.filter(|_| still.is_empty()) {
            still.push(other);
        }
        let mut more: Vec<String> = naming.named.iter().map(|line| text::line(line, by)).collect();
        more.extend(still.iter().map(|episode| text::still(episode, by)));
        more.extend(text::left(naming.left.len()));
        let mut labels: Vec<&[Label]> = vec![&shown.labels];
        labels.extend(self.lines.iter().map(|line| line.newest.labels.as_slice()));
        labels.extend(still.iter().map(|episode| episode.labels.as_slice()));
        let (shared, named) = (shared_labels(&labels), named_labels(&labels[1..]));
        let since = self.lines.iter().map(|line| line.newest.since).min();
        Message {
            severity: self.severity(open),
            cause,
            person: None,
            since: since.unwrap_or(shown.since).min(shown.since),
            count: u32::try_from(self.lines.len() + still.len()).unwrap_or(u32::MAX),
            more,
            wording: Wording::Grouped,
            labels: shared,
            named,
            ..shown
        }
    }
}

impl Line<'_> {
    /// Whether its own newest message says what a message with this cause is to say.
    fn says(&self, cause: Cause) -> bool {
        match (self.is_over, self.newest.cause) {
            (true, own) if self.key.is_some() => cause == if self.begins { Cause::Was } else { own },
            (_, Cause::Acknowledged) => self.begins || cause == Cause::Acknowledged,
            _ => true,
        }
    }

    /// Somebody has to look at it.
    fn is_pressing(&self) -> bool {
        self.key.is_some() && !self.is_over && (self.begins || self.newest.cause != Cause::Acknowledged)
    }

    fn escalates(&self) -> bool {
        !self.is_over && (self.begins || self.newest.cause == Cause::Escalated)
    }
}
