//! A store that forgets with its process. Its plainness makes it the model that the others are tested against.
mod reading; // what it tells those who ask

use std::collections::BTreeMap;

use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{
    COMMAND_IDS_MAX, CommandLog, CommandRecord, Commit, Delivery, EpisodeId, EpisodeRecord, Epoch, GapRecord,
    HostId, IntentId, IntentRecord, Partition, Phase, RuleRecord, Snapshot,
};
use watchbell_pipeline::spec::RuleName;

use crate::sqlite::names::gap_reason_name;
use crate::{CommitError, Pruned, Store, StoreError};

#[derive(Clone, Debug, Default)]
pub struct Memory {
    heads: BTreeMap<u16, Head>,
    rules: BTreeMap<RuleName, (Partition, RuleRecord)>,
    episodes: BTreeMap<EpisodeId, (Partition, EpisodeRecord)>,
    /// With the order in which they were first committed.
    intents: BTreeMap<IntentId, (Partition, u64, IntentRecord)>,
    intents_seen: u64,
    gaps: Vec<GapRecord>,
    commands: BTreeMap<u64, CommandRecord>,
}

#[derive(Clone, Debug)]
struct Head {
    owner: HostId,
    epoch: Epoch,
    nonce: Option<u64>,
    bundle: Option<String>,
}

impl Memory {
    pub fn new() -> Self {
        Self::default()
    }

    /// All intents, whatever became of them, in the order of their creation.
    pub fn intents(&self) -> Vec<&IntentRecord> {
        let mut intents: Vec<_> = self.intents.values().collect();
        intents.sort_by_key(|(_, order, _)| *order);
        intents.into_iter().map(|(_, _, intent)| intent).collect()
    }

    /// All episodes, resolved ones included.
    pub fn episodes(&self) -> impl Iterator<Item = &EpisodeRecord> {
        self.episodes.values().map(|(_, episode)| episode)
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
}

impl Store for Memory {
    fn take_over(&mut self, partition: Partition, owner: &HostId) -> Result<Snapshot, StoreError> {
        let head = self.heads.entry(partition.0).or_insert_with(|| Head {
            owner: owner.clone(),
            epoch: Epoch(0),
            nonce: None,
            bundle: None,
        });
        head.owner = owner.clone();
        head.epoch = Epoch(head.epoch.0 + 1);
        head.nonce = None;
        let (epoch, bundle) = (head.epoch, head.bundle.clone());
        let mut intents: Vec<_> =
            self.intents.values().filter(|(of, _, intent)| *of == partition && is_open(intent)).collect();
        intents.sort_by_key(|(_, order, _)| *order);
        Ok(Snapshot {
            partition,
            epoch,
            bundle,
            rules: self
                .rules
                .values()
                .filter(|(of, _)| *of == partition)
                .map(|(_, rule)| rule.clone())
                .collect(),
            episodes: self
                .episodes
                .values()
                .filter(|(of, episode)| *of == partition && !matches!(episode.phase, Phase::Resolved { .. }))
                .map(|(_, episode)| episode.clone())
                .collect(),
            intents: intents.into_iter().map(|(_, _, intent)| intent.clone()).collect(),
            commands: self.command_log(),
        })
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), CommitError> {
        let partition = commit.partition;
        let Some(head) = self.heads.get_mut(&partition.0) else {
            return Err(CommitError::Refused(StoreError::Unowned(partition)));
        };
        if head.epoch != commit.epoch {
            return Err(CommitError::Superseded { epoch: head.epoch, owner: head.owner.clone() });
        }
        if head.nonce == Some(commit.nonce) {
            return Ok(());
        }
        head.nonce = Some(commit.nonce);
        if let Some(bundle) = &commit.bundle {
            head.bundle = Some(bundle.clone());
        }
        for rule in &commit.rules_ended {
            self.rules.remove(rule);
        }
        for rule in &commit.rules {
            self.rules.insert(rule.rule.clone(), (partition, rule.clone()));
        }
        for episode in &commit.episodes {
            self.episodes.insert(episode.id.clone(), (partition, episode.clone()));
        }
        for intent in &commit.intents {
            let order = match self.intents.get(&intent.id) {
                Some((_, order, _)) => *order,
                None => {
                    self.intents_seen += 1;
                    self.intents_seen
                }
            };
            self.intents.insert(intent.id.clone(), (partition, order, intent.clone()));
        }
        for gap in &commit.gaps {
            self.gaps.retain(|old| (&old.rule, old.over, old.reason) != (&gap.rule, gap.over, gap.reason));
            self.gaps.push(gap.clone());
        }
        for record in &commit.commands {
            if !self.commands.values().any(|kept| kept.id == record.id) {
                self.commands.entry(record.number).or_insert_with(|| record.clone());
            }
        }
        Ok(())
    }

    fn prune(&mut self, before: Timestamp, rows_max: u32) -> Result<Pruned, StoreError> {
        let rows_max = rows_max.max(1) as usize;
        let mut ended: Vec<(Timestamp, u64, IntentId)> = self
            .intents
            .values()
            .filter_map(|(_, order, intent)| match intent.delivery {
                Delivery::Delivered { at, .. } | Delivery::Dead { at, .. } if at < before => {
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
            .filter_map(|(_, episode)| match episode.phase {
                Phase::Resolved { at, .. } if at < before => Some((at, episode.id.clone())),
                _ => None,
            })
            .filter(|(_, id)| !self.intents.values().any(|(_, _, intent)| intent.message.episode == *id))
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

/// By which gaps are forgotten, oldest first: when each was recorded, then its key.
fn gap_age(gap: &GapRecord) -> (Timestamp, &RuleName, Timestamp, Timestamp, &'static str) {
    (gap.recorded_at, &gap.rule, gap.over.start, gap.over.end, gap_reason_name(gap.reason))
}

fn is_open(intent: &IntentRecord) -> bool {
    matches!(intent.delivery, Delivery::Owed { .. } | Delivery::Claimed { .. })
}
