//! A store that is lost with its process. It is simple enough to be the model that other stores are tested against.
mod reading; // reading it

use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Receipt, Timestamp};
use watchbell_pipeline::record::{
    BundleRef, COMMAND_IDS_MAX, CommandLog, CommandRecord, Commit, DEAD_LETTERS_MAX, Delivery,
    DestinationRecord, EpisodeId, EpisodeRecord, Epoch, FirstReceipt, GapRecord, GroupId, GroupRecord,
    HostId, Incarnation, IntentId, IntentRecord, Level, Loss, Lost, Nonce, NotifierCommit, NotifierSnapshot,
    Owned, PartitionCommit, PartitionId, PartitionSnapshot, PauseRecord, Phase, Position, RuleRecord,
    SilenceId, SilenceRecord, StoreMeta, Tenure, TransitionRecord,
};
use watchbell_pipeline::spec::{DestinationName, RuleName};

use crate::sqlite::names::gap_reason_name;
use crate::{CommitError, Pruned, Store, StoreError, TakeoverError};

#[derive(Clone, Debug, Default)]
pub struct Memory {
    incarnation: Incarnation,
    bundle: Option<BundleRef>,
    owned: BTreeMap<Owned, Row>,
    /// The number of each partition's last transition.
    numbers: BTreeMap<PartitionId, u64>,
    /// Up to where the notifier has processed transitions.
    positions: BTreeMap<PartitionId, u64>,
    /// Transitions after the notifier's position.
    transitions: BTreeMap<(PartitionId, u64), TransitionRecord>,
    rules: BTreeMap<RuleName, (PartitionId, RuleRecord)>,
    levels: BTreeMap<EpisodeId, (PartitionId, RuleName, Level)>,
    episodes: BTreeMap<EpisodeId, EpisodeRecord>,
    /// With the order of their first commit.
    intents: BTreeMap<IntentId, (u64, IntentRecord)>,
    intents_seen: u64,
    groups: BTreeMap<GroupId, GroupRecord>,
    gaps: Vec<GapRecord>,
    silences: BTreeMap<SilenceId, SilenceRecord>,
    pause: Option<PauseRecord>,
    destinations: BTreeMap<DestinationName, DestinationRecord>,
    commands: BTreeMap<u64, CommandRecord>,
}

/// An owned thing.
#[derive(Clone, Debug)]
struct Row {
    owner: HostId,
    tenure: Tenure,
    nonce: Option<Nonce>,
}

/// What happens to a part of a commit.
enum Judgement {
    Write,
    /// It was already written.
    Written,
    Lose(Loss),
}

impl Memory {
    /// Without an incarnation, so that the same input gives the same ids in every such store.
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with_incarnation(incarnation: Incarnation) -> Self {
        Self { incarnation, ..Self::default() }
    }

    /// All intents, whatever their state, in order of creation.
    pub fn intents(&self) -> Vec<&IntentRecord> {
        let mut intents: Vec<_> = self.intents.values().collect();
        intents.sort_by_key(|(order, _)| *order);
        intents.into_iter().map(|(_, intent)| intent).collect()
    }

    /// All episodes, resolved ones included.
    pub fn episodes(&self) -> impl Iterator<Item = &EpisodeRecord> {
        self.episodes.values()
    }

    pub fn rules(&self) -> impl Iterator<Item = &RuleRecord> {
        self.rules.values().map(|(_, rule)| rule)
    }

    pub fn gaps(&self) -> &[GapRecord] {
        &self.gaps
    }

    /// The log of commands, oldest first.
    pub fn commands(&self) -> impl Iterator<Item = &CommandRecord> {
        self.commands.values()
    }

    fn command_log(&self) -> CommandLog {
        let skipped = self.commands.len().saturating_sub(COMMAND_IDS_MAX);
        CommandLog {
            last: self.commands.keys().next_back().copied().unwrap_or(0),
            recent: self.commands.values().skip(skipped).map(|record| record.id.clone()).collect(),
        }
    }

    fn take(&mut self, what: Owned, owner: &HostId, seen: Option<Epoch>) -> Result<Tenure, TakeoverError> {
        let old = self.owned.get(&what);
        let Tenure { epoch, number } = old.map(|row| row.tenure).unwrap_or_default();
        if seen.is_some_and(|seen| seen != epoch) {
            return Err(match old {
                Some(row) => TakeoverError::Superseded { what, epoch, owner: row.owner.clone() },
                None => StoreError::Unowned(what).into(),
            });
        }
        let tenure = Tenure { epoch: Epoch(epoch.0 + 1), number };
        self.owned.insert(what, Row { owner: owner.clone(), tenure, nonce: None });
        Ok(tenure)
    }

    fn judge(&self, what: Owned, tenure: Tenure, nonce: Nonce) -> Result<Judgement, CommitError> {
        let Some(row) = self.owned.get(&what) else {
            return Err(CommitError::Refused(StoreError::Unowned(what)));
        };
        let Tenure { epoch, number } = row.tenure;
        Ok(if epoch == tenure.epoch && number == tenure.number {
            Judgement::Write
        } else if epoch == tenure.epoch && number == tenure.number + 1 && row.nonce == Some(nonce) {
            Judgement::Written
        } else if epoch < tenure.epoch || epoch == tenure.epoch && number < tenure.number {
            Judgement::Lose(Loss::WentBack)
        } else {
            Judgement::Lose(Loss::Superseded { epoch, owner: row.owner.clone() })
        })
    }

    fn written(&mut self, what: Owned, nonce: Nonce) {
        if let Some(row) = self.owned.get_mut(&what) {
            row.tenure.number += 1;
            row.nonce = Some(nonce);
        }
    }

    fn write_partition(&mut self, part: &PartitionCommit) {
        let partition = part.partition;
        for rule in &part.rules_ended {
            self.rules.remove(rule);
        }
        for rule in &part.rules {
            self.rules.insert(rule.rule.clone(), (partition, rule.clone()));
        }
        for level in &part.levels_ended {
            self.levels.remove(level);
        }
        for (rule, level) in &part.levels {
            self.levels.insert(level.id.clone(), (partition, rule.clone(), level.clone()));
        }
        for transition in &part.transitions {
            self.numbers.insert(partition, transition.number);
            self.transitions.insert((partition, transition.number), transition.clone());
        }
        for gap in &part.gaps {
            self.gaps.retain(|old| (&old.rule, old.over, old.reason) != (&gap.rule, gap.over, gap.reason));
            self.gaps.push(gap.clone());
        }
    }

    fn write_notifier(&mut self, part: &NotifierCommit) {
        for position in &part.positions {
            self.positions.insert(position.partition, position.number);
        }
        for episode in &part.episodes {
            self.episodes.insert(episode.id.clone(), episode.clone());
        }
        for intent in &part.intents {
            let order = match self.intents.get(&intent.id) {
                Some((order, _)) => *order,
                None => {
                    self.intents_seen += 1;
                    self.intents_seen
                }
            };
            self.intents.insert(intent.id.clone(), (order, intent.clone()));
        }
        for group in &part.groups {
            self.groups.insert(group.id.clone(), group.clone());
        }
        for id in &part.groups_ended {
            self.groups.remove(id);
        }
        for silence in &part.silences {
            self.silences.insert(silence.id.clone(), silence.clone());
        }
        for id in &part.silences_ended {
            self.silences.remove(id);
        }
        if let Some(pause) = &part.pause {
            self.pause.clone_from(pause);
        }
        self.destinations.extend(part.destinations.iter().cloned());
        for record in &part.commands {
            if !self.commands.values().any(|kept| kept.id == record.id) {
                self.commands.entry(record.number).or_insert_with(|| record.clone());
            }
        }
    }

    fn dead_letters(&self) -> Vec<IntentRecord> {
        let is_dead = |intent: &&IntentRecord| matches!(intent.delivery, Delivery::Dead { .. });
        let dead: Vec<&IntentRecord> = self.intents().into_iter().filter(is_dead).collect();
        let skipped = dead.len().saturating_sub(DEAD_LETTERS_MAX);
        dead.into_iter().skip(skipped).cloned().collect()
    }

    /// What each destination returned for the first message of an episode that is open or has messages to send,
    /// or of a group.
    fn receipts(&self) -> Vec<FirstReceipt> {
        let open = self.episodes.values().filter(|episode| is_going_on(episode)).map(|episode| &episode.id);
        let groups = self.groups.values().map(|group| &group.episode);
        let queued = self.intents().into_iter().filter(|intent| is_open(intent));
        let dead = self.dead_letters();
        let of = |intent: &IntentRecord| intent.message.episode.clone();
        let wanted: BTreeSet<EpisodeId> =
            open.chain(groups).cloned().chain(queued.map(of)).chain(dead.iter().map(of)).collect();
        let mut first: BTreeMap<(EpisodeId, DestinationName), (Timestamp, u64, Option<String>)> =
            BTreeMap::new();
        for (order, intent) in self.intents.values().filter(|(_, it)| wanted.contains(&it.message.episode)) {
            let Delivery::Delivered { at, reference, .. } = &intent.delivery else { continue };
            let this = (*at, *order, reference.clone());
            let kept = first.entry((of(intent), intent.destination.clone())).or_insert_with(|| this.clone());
            if (this.0, this.1) < (kept.0, kept.1) {
                *kept = this;
            }
        }
        let receipt = |((episode, destination), (_, _, reference))| FirstReceipt {
            episode,
            destination,
            receipt: Receipt { reference },
        };
        first.into_iter().map(receipt).collect()
    }

    fn generation(&self) -> u64 {
        self.bundle.as_ref().map_or(0, |bundle| bundle.generation)
    }

    fn position(&self, partition: PartitionId) -> u64 {
        self.positions.get(&partition).copied().unwrap_or(0)
    }
}

impl Store for Memory {
    fn meta(&mut self) -> Result<StoreMeta, StoreError> {
        Ok(StoreMeta { incarnation: self.incarnation.clone(), bundle: self.bundle.clone() })
    }

    fn take_partition(
        &mut self,
        partition: PartitionId,
        owner: &HostId,
        seen: Option<Epoch>,
    ) -> Result<PartitionSnapshot, TakeoverError> {
        let tenure = self.take(Owned::Partition(partition), owner, seen)?;
        let rules = self.rules.values().filter(|(of, _)| *of == partition);
        let levels = self.levels.values().filter(|(of, ..)| *of == partition);
        Ok(PartitionSnapshot {
            partition,
            tenure,
            generation: self.generation(),
            transitions: self.numbers.get(&partition).copied().unwrap_or(0),
            rules: rules.map(|(_, rule)| rule.clone()).collect(),
            levels: levels.map(|(_, rule, level)| (rule.clone(), level.clone())).collect(),
        })
    }

    fn take_notifier(
        &mut self,
        owner: &HostId,
        seen: Option<Epoch>,
    ) -> Result<NotifierSnapshot, TakeoverError> {
        let tenure = self.take(Owned::Notifier, owner, seen)?;
        let positions = self.positions.iter();
        Ok(NotifierSnapshot {
            tenure,
            generation: self.generation(),
            positions: positions
                .map(|(partition, number)| Position { partition: *partition, number: *number })
                .collect(),
            episodes: self.episodes.values().filter(|episode| is_going_on(episode)).cloned().collect(),
            intents: self.intents().into_iter().filter(|intent| is_open(intent)).cloned().collect(),
            dead_letters: self.dead_letters(),
            receipts: self.receipts(),
            groups: self.groups.values().cloned().collect(),
            silences: self.silences.values().cloned().collect(),
            pause: self.pause.clone(),
            destinations: self.destinations.clone().into_iter().collect(),
            commands: self.command_log(),
        })
    }

    fn transitions(
        &mut self,
        after: &[Position],
        rows_max: u32,
    ) -> Result<Vec<TransitionRecord>, StoreError> {
        let of = |after: &Position| {
            let range = (after.partition, after.number + 1)..=(after.partition, u64::MAX);
            self.transitions.range(range).take(rows_max as usize).map(|(_, transition)| transition.clone())
        };
        Ok(after.iter().flat_map(of).collect())
    }

    fn commit(&mut self, commit: &Commit) -> Result<Vec<Lost>, CommitError> {
        let nonce = commit.nonce;
        let mut lost = Vec::new();
        let mut partitions = Vec::new();
        for part in &commit.partitions {
            let what = Owned::Partition(part.partition);
            match self.judge(what, part.tenure, nonce)? {
                Judgement::Write => partitions.push(part),
                Judgement::Written => {}
                Judgement::Lose(why) => lost.push(Lost { what, why }),
            }
        }
        let mut notifier = None;
        if let Some(part) = &commit.notifier {
            let what = Owned::Notifier;
            let is_lost =
                |partition: &&PartitionId| lost.iter().any(|lost| lost.what == Owned::Partition(**partition));
            match (self.judge(what, part.tenure, nonce)?, part.depends.iter().find(is_lost)) {
                (Judgement::Write, None) => notifier = Some(part),
                (Judgement::Write, Some(on)) => lost.push(Lost { what, why: Loss::Depends(*on) }),
                (Judgement::Written, _) => {}
                (Judgement::Lose(why), _) => lost.push(Lost { what, why }),
            }
        }
        for part in &partitions {
            self.write_partition(part);
            self.written(Owned::Partition(part.partition), nonce);
        }
        if let Some(part) = notifier {
            self.write_notifier(part);
            self.written(Owned::Notifier, nonce);
        }
        let decided: BTreeSet<(PartitionId, u64)> =
            self.transitions.keys().filter(|(of, number)| *number <= self.position(*of)).copied().collect();
        self.transitions.retain(|key, _| !decided.contains(key));
        if let Some(bundle) = &commit.bundle
            && lost.len() < commit.parts().count()
            && self.bundle.as_ref().is_none_or(|known| known.generation < bundle.generation)
        {
            self.bundle = Some(bundle.clone());
        }
        Ok(lost)
    }

    fn prune(&mut self, before: Timestamp, rows_max: u32) -> Result<Pruned, StoreError> {
        let rows_max = rows_max.max(1) as usize;
        let mut ended: Vec<(Timestamp, u64, IntentId)> = self
            .intents
            .values()
            .filter_map(|(order, intent)| match intent.delivery {
                // An open episode or a group may still have messages to send, which refer to its first one.
                Delivery::Delivered { .. }
                    if self.episodes.get(&intent.message.episode).is_some_and(is_going_on)
                        || self.groups.values().any(|group| group.episode == intent.message.episode) =>
                {
                    None
                }
                Delivery::Delivered { at, .. } | Delivery::Dead { at, .. } | Delivery::Merged { at, .. }
                    if at < before =>
                {
                    Some((at, *order, intent.id.clone()))
                }
                _ => None,
            })
            .collect();
        ended.sort();
        ended.truncate(rows_max);
        for (_, _, intent) in &ended {
            self.intents.remove(intent);
        }
        let mut resolved: Vec<(Timestamp, EpisodeId)> = self
            .episodes
            .values()
            .filter_map(|episode| match episode.phase {
                Phase::Resolved { at, .. } if at < before => Some((at, episode.id.clone())),
                _ => None,
            })
            .filter(|(_, id)| !self.intents.values().any(|(_, intent)| intent.message.episode == *id))
            .collect();
        resolved.sort();
        resolved.truncate(rows_max);
        for (_, episode) in &resolved {
            self.episodes.remove(episode);
        }
        self.gaps.sort_by(|a, b| gap_age(a).cmp(&gap_age(b)));
        let old = self.gaps.partition_point(|gap| gap.recorded_at < before);
        let gaps = old.min(rows_max);
        self.gaps.drain(..gaps);
        let last = self.command_log().last;
        let is_old = |(number, record): (&u64, &CommandRecord)| {
            (record.at < before && *number + COMMAND_IDS_MAX as u64 <= last).then_some(*number)
        };
        let commands: Vec<u64> = self.commands.iter().filter_map(is_old).take(rows_max).collect();
        commands.iter().for_each(|number| drop(self.commands.remove(number)));
        Ok(Pruned {
            episodes: resolved.len() as u64,
            intents: ended.len() as u64,
            gaps: gaps as u64,
            commands: commands.len() as u64,
            more: [resolved.len(), ended.len(), gaps, commands.len()].contains(&rows_max),
        })
    }
}

/// The order in which gaps are pruned, oldest first: by when each was recorded, then by key.
fn gap_age(gap: &GapRecord) -> (Timestamp, &RuleName, Timestamp, Timestamp, &'static str) {
    (gap.recorded_at, &gap.rule, gap.over.start, gap.over.end, gap_reason_name(gap.reason))
}

fn is_going_on(episode: &EpisodeRecord) -> bool {
    !matches!(episode.phase, Phase::Resolved { .. })
}

fn is_open(intent: &IntentRecord) -> bool {
    matches!(intent.delivery, Delivery::Owed { .. } | Delivery::Claimed { .. })
}
