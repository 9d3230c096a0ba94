//! An SQLite store, read while a host owns it.
use std::path::PathBuf;

use rusqlite::{Connection, params};
use watchbell_pipeline::record::{
    CommandRecord, EpisodeRecord, GapRecord, HostId, IntentRecord, Level, Owned, PartitionId, PauseRecord,
    RuleRecord, SilenceRecord, StoreMeta, Tenure,
};
use watchbell_pipeline::spec::RuleName;

use crate::StoreError;
use crate::read::{
    EpisodeFilter, EpisodeOutline, Head, IntentFilter, IntentPhase, MessageOutline, Read, StoredRule,
};
use crate::sqlite::{FromRow, RowError, all, meta, owned, store_error};

/// The store's file, opened for reading.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    db: Connection,
}

impl Reader {
    pub(crate) fn new(path: PathBuf, db: Connection) -> Self {
        Self { path, db }
    }

    fn all<T: FromRow>(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<T>, StoreError> {
        all(&self.db, sql, params).map_err(|error: RowError| store_error(&self.path, error))
    }
}

impl Read for Reader {
    fn meta(&self) -> Result<StoreMeta, StoreError> {
        meta(&self.db).map_err(|error| store_error(&self.path, error.into()))
    }

    fn heads(&self) -> Result<Vec<Head>, StoreError> {
        let owned = owned(&self.db).map_err(|error| store_error(&self.path, error.into()))?;
        let head = |(what, owner, tenure): (Owned, HostId, Tenure)| Head {
            what,
            owner,
            epoch: tenure.epoch,
            commits: tenure.number,
        };
        Ok(owned.into_iter().map(head).collect())
    }

    fn rules(&self) -> Result<Vec<StoredRule>, StoreError> {
        let sql = "SELECT rules.*, x'' AS bytes, coalesce(length(states.bytes), 0) AS state_bytes
                   FROM rules LEFT JOIN states ON states.rule = rules.name
                   ORDER BY name";
        self.all(sql, [])
    }

    fn rule(&self, name: &RuleName) -> Result<Option<StoredRule>, StoreError> {
        let sql = "SELECT rules.*, x'' AS bytes, coalesce(length(states.bytes), 0) AS state_bytes
                   FROM rules LEFT JOIN states ON states.rule = rules.name
                   WHERE name = ?1";
        Ok(self.all(sql, [&name.0])?.pop())
    }

    fn levels(&self, rule: Option<&RuleName>) -> Result<Vec<(RuleName, Level)>, StoreError> {
        let sql = "SELECT * FROM levels WHERE ?1 IS NULL OR rule = ?1 ORDER BY rule, id";
        self.all(sql, params![rule.map(|rule| &rule.0)])
    }

    fn episodes(&self, filter: &EpisodeFilter) -> Result<Vec<EpisodeRecord>, StoreError> {
        if let Some(id) = &filter.id {
            // By the primary key, which a condition that may be absent would not use.
            let found = self.all("SELECT * FROM episodes WHERE id = ?1", params![id.0])?;
            let found = found.into_iter().filter(|episode| filter.takes(episode));
            return Ok(found.take(usize::try_from(filter.rows_max).unwrap_or(usize::MAX)).collect());
        }
        if let Some(begins) = &filter.id_begins {
            // By the primary key: no digit of an id comes after `f`.
            let sql = "SELECT * FROM episodes WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY opened_at DESC, id";
            let found = self.all(sql, params![begins])?.into_iter().filter(|episode| filter.takes(episode));
            return Ok(found.take(usize::try_from(filter.rows_max).unwrap_or(usize::MAX)).collect());
        }
        let sql = "SELECT * FROM episodes
                   WHERE (NOT ?1 OR phase <> 'resolved') AND (?2 IS NULL OR rule = ?2)
                   ORDER BY opened_at DESC, id LIMIT ?3";
        self.all(sql, params![filter.open, filter.rule.as_ref().map(|rule| &rule.0), filter.rows_max])
    }

    fn intents(&self, filter: &IntentFilter) -> Result<Vec<IntentRecord>, StoreError> {
        let phases = match filter.phase {
            None => ["owed", "claimed", "delivered", "dead", "merged"],
            Some(IntentPhase::Open) => ["owed", "claimed", "", "", ""],
            Some(IntentPhase::Delivered) => ["delivered", "", "", "", ""],
            Some(IntentPhase::Dead) => ["dead", "", "", "", ""],
            Some(IntentPhase::Merged) => ["merged", "", "", "", ""],
        };
        let sql = "SELECT * FROM intents
                   WHERE delivery IN (?1, ?2, ?3, ?4, ?5) AND (?6 IS NULL OR rule = ?6)
                     AND (?7 IS NULL OR episode = ?7) AND (?8 IS NULL OR destination = ?8)
                   ORDER BY ordinal DESC LIMIT ?9";
        self.all(
            sql,
            params![
                phases[0],
                phases[1],
                phases[2],
                phases[3],
                phases[4],
                filter.rule.as_ref().map(|rule| &rule.0),
                filter.episode,
                filter.destination.as_ref().map(|destination| &destination.0),
                filter.rows_max,
            ],
        )
    }

    fn gaps(&self, rule: Option<&RuleName>, rows_max: u32) -> Result<Vec<GapRecord>, StoreError> {
        let sql = "SELECT * FROM gaps WHERE ?1 IS NULL OR rule = ?1
                   ORDER BY recorded_at DESC, starts DESC LIMIT ?2";
        self.all(sql, params![rule.map(|rule| &rule.0), rows_max])
    }

    fn silences(&self) -> Result<Vec<SilenceRecord>, StoreError> {
        self.all("SELECT * FROM silences ORDER BY id", [])
    }

    fn pause(&self) -> Result<Option<PauseRecord>, StoreError> {
        Ok(self.all("SELECT * FROM pause", [])?.pop())
    }

    fn commands(&self, rows_max: u32) -> Result<Vec<CommandRecord>, StoreError> {
        self.all("SELECT * FROM commands ORDER BY number DESC LIMIT ?1", params![rows_max])
    }

    fn episode_outlines(&self) -> Result<Vec<EpisodeOutline>, StoreError> {
        let sql = "SELECT id, rule, opened_at, phase, phase_at, phase_note, format FROM episodes ORDER BY id";
        self.all(sql, [])
    }

    fn message_outlines(&self) -> Result<Vec<MessageOutline>, StoreError> {
        let sql = "SELECT id, rule, episode, destination, created_at, format FROM intents ORDER BY ordinal";
        self.all(sql, [])
    }
}

impl FromRow for StoredRule {
    const TABLE: &'static str = RuleRecord::TABLE;
    const KEY: &'static str = RuleRecord::KEY;
    const FORMAT: u32 = RuleRecord::FORMAT;

    fn from_row(row: &rusqlite::Row<'_>) -> Result<Self, crate::sqlite::Unread> {
        Ok(Self {
            partition: PartitionId(row.get("partition")?),
            record: RuleRecord::from_row(row)?,
            state_bytes: row.get::<_, i64>("state_bytes")?.cast_unsigned(),
        })
    }
}
