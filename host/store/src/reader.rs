//! A view of an SQLite store for people and programs that ask what is going on.
use std::path::PathBuf;

use rusqlite::{Connection, params};
use watchbell_pipeline::record::{
    CommandRecord, EpisodeRecord, Epoch, GapRecord, HostId, IntentRecord, Level, Owned, PartitionId,
    RuleRecord, StoreMeta, Tenure,
};
use watchbell_pipeline::spec::{DestinationName, RuleName};

use crate::StoreError;
use crate::sqlite::{FromRow, RowError, all, meta, owned, store_error};

/// Reads a store without disturbing its owner. Each call sees the commits made before it.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    db: Connection,
}

/// Who owns what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub what: Owned,
    pub owner: HostId,
    pub epoch: Epoch,
    /// Its commits so far, over all epochs.
    pub commits: u64,
}

/// What is kept of a rule, its state left out.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleView {
    pub partition: PartitionId,
    /// `record.state.bytes` is left empty here: `state_bytes` tells its size.
    pub record: RuleRecord,
    pub state_bytes: u64,
}

/// Which episodes to read; newest first.
#[derive(Clone, Debug)]
pub struct EpisodeFilter {
    /// Only those that are not resolved.
    pub open: bool,
    pub rule: Option<RuleName>,
    pub rows_max: u32,
}

/// Which intents to read; newest first.
#[derive(Clone, Debug)]
pub struct IntentFilter {
    pub phase: Option<IntentPhase>,
    pub rule: Option<RuleName>,
    /// An episode's id.
    pub episode: Option<String>,
    pub destination: Option<DestinationName>,
    pub rows_max: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentPhase {
    /// Owed or claimed.
    Open,
    Delivered,
    Dead,
}

impl Default for EpisodeFilter {
    fn default() -> Self {
        Self { open: true, rule: None, rows_max: 1_000 }
    }
}

impl Default for IntentFilter {
    fn default() -> Self {
        Self { phase: None, rule: None, episode: None, destination: None, rows_max: 1_000 }
    }
}

impl Reader {
    pub(crate) fn new(path: PathBuf, db: Connection) -> Self {
        Self { path, db }
    }

    /// The store's incarnation, and the bundle in force.
    pub fn meta(&self) -> Result<StoreMeta, StoreError> {
        meta(&self.db).map_err(|error| store_error(&self.path, error.into()))
    }

    /// All that was ever owned: the partitions by number, then the notifier.
    pub fn heads(&self) -> Result<Vec<Head>, StoreError> {
        let owned = owned(&self.db).map_err(|error| store_error(&self.path, error.into()))?;
        let head = |(what, owner, tenure): (Owned, HostId, Tenure)| Head {
            what,
            owner,
            epoch: tenure.epoch,
            commits: tenure.number,
        };
        Ok(owned.into_iter().map(head).collect())
    }

    /// All rules, by name.
    pub fn rules(&self) -> Result<Vec<RuleView>, StoreError> {
        let sql = "SELECT rules.*, x'' AS bytes, coalesce(length(states.bytes), 0) AS state_bytes
                   FROM rules LEFT JOIN states ON states.rule = rules.name
                   ORDER BY name";
        self.all(sql, [])
    }

    /// One rule; `None` if it never committed.
    pub fn rule(&self, name: &RuleName) -> Result<Option<RuleView>, StoreError> {
        let sql = "SELECT rules.*, x'' AS bytes, coalesce(length(states.bytes), 0) AS state_bytes
                   FROM rules LEFT JOIN states ON states.rule = rules.name
                   WHERE name = ?1";
        Ok(self.all(sql, [&name.0])?.pop())
    }

    /// What holds on the data's clock, of one rule or of all, with the rule that says so.
    pub fn levels(&self, rule: Option<&RuleName>) -> Result<Vec<(RuleName, Level)>, StoreError> {
        let sql = "SELECT * FROM levels WHERE ?1 IS NULL OR rule = ?1 ORDER BY rule, id";
        self.all(sql, params![rule.map(|rule| &rule.0)])
    }

    pub fn episodes(&self, filter: &EpisodeFilter) -> Result<Vec<EpisodeRecord>, StoreError> {
        let sql = "SELECT * FROM episodes
                   WHERE (NOT ?1 OR phase <> 'resolved') AND (?2 IS NULL OR rule = ?2)
                   ORDER BY opened_at DESC, id LIMIT ?3";
        self.all(sql, params![filter.open, filter.rule.as_ref().map(|rule| &rule.0), filter.rows_max])
    }

    pub fn intents(&self, filter: &IntentFilter) -> Result<Vec<IntentRecord>, StoreError> {
        let phases = match filter.phase {
            None => ["owed", "claimed", "delivered", "dead"],
            Some(IntentPhase::Open) => ["owed", "claimed", "", ""],
            Some(IntentPhase::Delivered) => ["delivered", "", "", ""],
            Some(IntentPhase::Dead) => ["dead", "", "", ""],
        };
        let sql = "SELECT * FROM intents
                   WHERE delivery IN (?1, ?2, ?3, ?4) AND (?5 IS NULL OR rule = ?5)
                     AND (?6 IS NULL OR episode = ?6) AND (?7 IS NULL OR destination = ?7)
                   ORDER BY ordinal DESC LIMIT ?8";
        self.all(
            sql,
            params![
                phases[0],
                phases[1],
                phases[2],
                phases[3],
                filter.rule.as_ref().map(|rule| &rule.0),
                filter.episode,
                filter.destination.as_ref().map(|destination| &destination.0),
                filter.rows_max,
            ],
        )
    }

    /// The newest gaps, of one rule or of all; at most `rows_max`.
    pub fn gaps(&self, rule: Option<&RuleName>, rows_max: u32) -> Result<Vec<GapRecord>, StoreError> {
        let sql = "SELECT * FROM gaps WHERE ?1 IS NULL OR rule = ?1
                   ORDER BY recorded_at DESC, starts DESC LIMIT ?2";
        self.all(sql, params![rule.map(|rule| &rule.0), rows_max])
    }

    /// The newest commands, what became of each with it; at most `rows_max`.
    pub fn commands(&self, rows_max: u32) -> Result<Vec<CommandRecord>, StoreError> {
        self.all("SELECT * FROM commands ORDER BY number DESC LIMIT ?1", params![rows_max])
    }

    fn all<T: FromRow>(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<T>, StoreError> {
        all(&self.db, sql, params).map_err(|error: RowError| store_error(&self.path, error))
    }
}

impl FromRow for RuleView {
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
