use rusqlite::types::FromSql;
use rusqlite::{Connection, Params, Row};
use watchbell_contract::{Duration, Intent, Range, Timestamp};
use watchbell_pipeline::record::{
    Delivery, EpisodeId, EpisodeRecord, Epoch, GapRecord, HostId, IntentId, IntentRecord, Phase, Priming,
    RuleRecord, StateRecord,
};
use watchbell_pipeline::spec::{DestinationName, Meaning, RuleName};

use super::json::Column;
use super::names::{ending, gap_reason, severity};

/// Why a read failed: SQLite could not, or what it returned is not what this program writes.
#[derive(Debug)]
pub(crate) enum RowError {
    Sqlite(rusqlite::Error),
    Unreadable { table: &'static str, key: String, what: String },
}

/// A record that is one row of `TABLE`, whose column `KEY` tells which.
pub(crate) trait FromRow: Sized {
    const TABLE: &'static str;
    const KEY: &'static str;
    fn from_row(row: &Row<'_>) -> Result<Self, Unread>;
}

/// What is wrong within a row.
pub(crate) enum Unread {
    Sqlite(rusqlite::Error),
    Column(&'static str),
}

pub(crate) fn all<T: FromRow>(db: &Connection, sql: &str, params: impl Params) -> Result<Vec<T>, RowError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(T::from_row(row).map_err(|unread| unread.at::<T>(row))?);
    }
    Ok(records)
}

pub(crate) fn epoch(bits: i64) -> Epoch {
    Epoch(bits.cast_unsigned())
}

impl FromRow for RuleRecord {
    const TABLE: &'static str = "rules";
    const KEY: &'static str = "name";

    fn from_row(row: &Row<'_>) -> Result<Self, Unread> {
        let state = match time(row, "state_settled")? {
            Some(settled) => Some(StateRecord {
                settled,
                version: plain(row, "state_version")?,
                bytes: plain(row, "bytes")?,
            }),
            None => None,
        };
        let priming = match (time(row, "priming_reached")?, time(row, "priming_until")?) {
            (Some(reached), Some(until)) => Some(Priming { reached, until }),
            _ => None,
        };
        let cursor = Timestamp(plain(row, "cursor")?);
        let settled = state.as_ref().map_or(cursor, |state| state.settled);
        Ok(Self {
            rule: RuleName(plain(row, "name")?),
            meaning: Meaning(plain(row, "meaning")?),
            cursor,
            told_from: time(row, "told_from")?.unwrap_or(settled),
            state,
            priming,
            told: json(row, "told")?,
            later: json_or_null(row, "later")?.unwrap_or_default(),
            committed_at: time(row, "committed_at")?,
            last_run: json_or_null(row, "last_run")?,
            failure: json_or_null(row, "failure")?,
            off_since: time(row, "off_since")?,
        })
    }
}

impl FromRow for EpisodeRecord {
    const TABLE: &'static str = "episodes";
    const KEY: &'static str = "id";

    fn from_row(row: &Row<'_>) -> Result<Self, Unread> {
        let phase: String = plain(row, "phase")?;
        let phase = match phase.as_str() {
            "pending" => Phase::Pending,
            "active" => Phase::Active,
            "acknowledged" => {
                Phase::Acknowledged { at: Timestamp(plain(row, "phase_at")?), by: plain(row, "phase_note")? }
            }
            "resolved" => Phase::Resolved {
                at: Timestamp(plain(row, "phase_at")?),
                why: word(row, "phase_note", ending)?,
            },
            _ => return Err(Unread::Column("phase")),
        };
        Ok(Self {
            id: EpisodeId(plain(row, "id")?),
            rule: RuleName(plain(row, "rule")?),
            labels: json(row, "labels")?,
            phase,
            severity: word(row, "severity", severity)?,
            since: Timestamp(plain(row, "since")?),
            opened_at: Timestamp(plain(row, "opened_at")?),
            until: Timestamp(plain(row, "until")?),
            last: json(row, "last")?,
            chain: json(row, "chain")?,
            step: plain(row, "step")?,
            repeat: plain::<Option<i64>>(row, "repeat")?.map(|bits| Duration(bits.cast_unsigned())),
            announced_at: time(row, "announced_at")?,
            told: json(row, "told")?,
            ordinal: plain(row, "ordinal")?,
        })
    }
}

impl FromRow for IntentRecord {
    const TABLE: &'static str = "intents";
    const KEY: &'static str = "id";

    fn from_row(row: &Row<'_>) -> Result<Self, Unread> {
        let attempt: u32 = plain(row, "attempt")?;
        let maybe_repeated: bool = plain(row, "maybe_repeated")?;
        let delivery: String = plain(row, "delivery")?;
        let delivery = match delivery.as_str() {
            "owed" => {
                Delivery::Owed { due: Timestamp(plain(row, "at")?), attempt, last: plain(row, "note")? }
            }
            "claimed" => Delivery::Claimed {
                owner: HostId(plain(row, "owner")?),
                epoch: epoch(plain(row, "epoch")?),
                attempt,
                maybe_repeated,
            },
            "delivered" => Delivery::Delivered {
                at: Timestamp(plain(row, "at")?),
                attempt,
                reference: plain(row, "note")?,
                maybe_repeated,
            },
            "dead" => Delivery::Dead { at: Timestamp(plain(row, "at")?), attempt, last: plain(row, "note")? },
            _ => return Err(Unread::Column("delivery")),
        };
        Ok(Self {
            id: IntentId(plain(row, "id")?),
            destination: DestinationName(plain(row, "destination")?),
            intent: json::<Intent>(row, "message")?,
            created_at: Timestamp(plain(row, "created_at")?),
            delivery,
        })
    }
}

impl FromRow for GapRecord {
    const TABLE: &'static str = "gaps";
    const KEY: &'static str = "rule";

    fn from_row(row: &Row<'_>) -> Result<Self, Unread> {
        Ok(Self {
            rule: RuleName(plain(row, "rule")?),
            over: Range::new(Timestamp(plain(row, "starts")?), Timestamp(plain(row, "ends")?)),
            reason: word(row, "reason", gap_reason)?,
            recorded_at: Timestamp(plain(row, "recorded_at")?),
            message: plain(row, "message")?,
        })
    }
}

fn plain<T: FromSql>(row: &Row<'_>, column: &'static str) -> Result<T, Unread> {
    row.get(column).map_err(|error| match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => Unread::Column(column),
        error => Unread::Sqlite(error),
    })
}

fn time(row: &Row<'_>, column: &'static str) -> Result<Option<Timestamp>, Unread> {
    Ok(plain::<Option<i64>>(row, column)?.map(Timestamp))
}

fn word<T>(row: &Row<'_>, column: &'static str, read: fn(&str) -> Option<T>) -> Result<T, Unread> {
    read(&plain::<String>(row, column)?).ok_or(Unread::Column(column))
}

fn json<T: Column>(row: &Row<'_>, column: &'static str) -> Result<T, Unread> {
    json_or_null(row, column)?.ok_or(Unread::Column(column))
}

fn json_or_null<T: Column>(row: &Row<'_>, column: &'static str) -> Result<Option<T>, Unread> {
    let Some(text) = plain::<Option<String>>(row, column)? else {
        return Ok(None);
    };
    let form = serde_json::from_str(&text).map_err(|_| Unread::Column(column))?;
    T::read(form).map(Some).ok_or(Unread::Column(column))
}

impl Unread {
    fn at<T: FromRow>(self, row: &Row<'_>) -> RowError {
        match self {
            Self::Sqlite(error) => RowError::Sqlite(error),
            Self::Column(column) => RowError::Unreadable {
                table: T::TABLE,
                key: row.get(T::KEY).unwrap_or_default(),
                what: format!("its `{column}` cannot be understood"),
            },
        }
    }
}

impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<rusqlite::Error> for Unread {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
