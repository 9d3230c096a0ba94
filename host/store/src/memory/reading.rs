use watchbell_pipeline::record::{
    CommandRecord, EpisodeRecord, GapRecord, IntentRecord, Level, Owned, PartitionId, PauseRecord,
    RuleRecord, SilenceRecord, StoreMeta,
};
use watchbell_pipeline::spec::RuleName;

use super::{Memory, Row};
use crate::StoreError;
use crate::read::{EpisodeFilter, EpisodeOutline, Head, IntentFilter, MessageOutline, Read, StoredRule};

impl Read for Memory {
    fn meta(&self) -> Result<StoreMeta, StoreError> {
        Ok(StoreMeta { incarnation: self.incarnation.clone(), bundle: self.bundle.clone() })
    }

    fn heads(&self) -> Result<Vec<Head>, StoreError> {
        let head = |(what, row): (&Owned, &Row)| Head {
            what: *what,
            owner: row.owner.clone(),
            epoch: row.tenure.epoch,
            commits: row.tenure.number,
        };
        Ok(self.owned.iter().map(head).collect())
    }

    fn rules(&self) -> Result<Vec<StoredRule>, StoreError> {
        Ok(self.rules.values().map(stored).collect())
    }

    fn rule(&self, name: &RuleName) -> Result<Option<StoredRule>, StoreError> {
        Ok(self.rules.get(name).map(stored))
    }

    fn levels(&self, rule: Option<&RuleName>) -> Result<Vec<(RuleName, Level)>, StoreError> {
        let levels = self.levels.values().map(|(_, rule, level)| (rule.clone(), level.clone()));
        let mut levels: Vec<_> = levels.filter(|(of, _)| rule.is_none_or(|rule| rule == of)).collect();
        levels.sort_by(|(a, one), (b, other)| (a, &one.id).cmp(&(b, &other.id)));
        Ok(levels)
    }

    fn episodes(&self, filter: &EpisodeFilter) -> Result<Vec<EpisodeRecord>, StoreError> {
        let mut taken: Vec<&EpisodeRecord> = self.episodes().filter(|it| filter.takes(it)).collect();
        taken.sort_by(|a, b| b.opened_at.cmp(&a.opened_at).then_with(|| a.id.cmp(&b.id)));
        Ok(first(taken, filter.rows_max))
    }

    fn intents(&self, filter: &IntentFilter) -> Result<Vec<IntentRecord>, StoreError> {
        let newest = self.intents().into_iter().rev().filter(|it| filter.takes(it));
        Ok(first(newest, filter.rows_max))
    }

    fn gaps(&self, rule: Option<&RuleName>, rows_max: u32) -> Result<Vec<GapRecord>, StoreError> {
        let mut taken: Vec<&GapRecord> =
            self.gaps().iter().filter(|gap| rule.is_none_or(|rule| *rule == gap.rule)).collect();
        taken.sort_by_key(|gap| std::cmp::Reverse((gap.recorded_at, gap.over.start)));
        Ok(first(taken, rows_max))
    }

    fn silences(&self) -> Result<Vec<SilenceRecord>, StoreError> {
        Ok(self.silences.values().cloned().collect())
    }

    fn pause(&self) -> Result<Option<PauseRecord>, StoreError> {
        Ok(self.pause.clone())
    }

    fn commands(&self, rows_max: u32) -> Result<Vec<CommandRecord>, StoreError> {
        Ok(first(self.commands.values().rev(), rows_max))
    }

    fn episode_outlines(&self) -> Result<Vec<EpisodeOutline>, StoreError> {
        let mut outlines: Vec<_> = self.episodes().map(EpisodeOutline::of).collect();
        outlines.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(outlines)
    }

    fn message_outlines(&self) -> Result<Vec<MessageOutline>, StoreError> {
        Ok(self.intents().into_iter().map(MessageOutline::of).collect())
    }
}

fn stored((partition, record): &(PartitionId, RuleRecord)) -> StoredRule {
    let mut record = record.clone();
    let bytes = record.state.as_mut().map(|state| std::mem::take(&mut state.bytes));
    StoredRule { partition: *partition, record, state_bytes: bytes.map_or(0, |bytes| bytes.len() as u64) }
}

fn first<'a, T: Clone + 'a>(records: impl IntoIterator<Item = &'a T>, rows_max: u32) -> Vec<T> {
    records.into_iter().take(rows_max as usize).cloned().collect()
}
