use rusqlite::types::FromSql;
use rusqlite::{Connection, Params, Row};
use watchbell_contract::{Duration, Range, Timestamp};
use watchbell_pipeline::record::{
    Delivery, EpisodeId, EpisodeProgress, EpisodeRecord, Epoch, GapRecord, HostId, IntentId, IntentRecord,
    Level, Notified, PartitionId, Phase, Priming, RuleRecord, StateRecord, TransitionRecord,
};
use watchbell_pipeline::spec::{DestinationName, Meaning, RuleName, Step, StepId};

use super::json::{Column, IntentForm};
use super::names::{ending, gap_reason, severity};

/// Why a read failed: SQLite failed, or it returned something that this program does not write.
#[derive(Debug)]
pub(crate) enum RowError {
    Sqlite(rusqlite::Error),
    Unreadable { table: &'static str, key: String, what: String },
}

/// A record stored as one row of `TABLE`, identified by column `KEY`.
pub(crate) trait FromRow: Sized {
    const TABLE: &'static str;
    const KEY: &'static str;
    /// The newest format of its rows; older ones can be read too.
    const FORMAT: u32;
    fn from_row(row: &Row<'_>) -> Result<Self, Unread>;

    fn unreadable(row: &Row<'_>, what: String) -> RowError {
        RowError::Unreadable { table: Self::TABLE, key: row.get(Self::KEY).unwrap_or_default(), what }
    }
}

/// What is wrong with a row.
pub(crate) enum Unread {
    Sqlite(rusqlite::Error),
    Column(&'static str),
    /// A later version wrote it.
    Format(u32),
}

pub(crate) fn all<T: FromRow>(db: &Connection, sql: &str, params: impl Params) -> Result<Vec<T>, RowError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(read(row).map_err(|unread: Unread| unread.at::<T>(row))?);
    }
    Ok(records)
}

fn read<T: FromRow>(row: &Row<'_>) -> Result<T, Unread> {
    match plain(row, "format")? {
        found if found > T::FORMAT => Err(Unread::Format(found)),
        _ => T::from_row(row),
    }
}

pub(crate) fn epoch(bits: i64) -> Epoch {
    Epoch(bits.cast_unsigned())
}

impl FromRow for RuleRecord {
    const TABLE: &'static str = "rules";
    const KEY: &'static str = "name";
    const FORMAT: u32 = 1;

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
            final_before: time(row, "final_before")?.unwrap_or(settled),
            state,
            priming,
            seen: json(row, "seen")?,
            later: json_or_null(row, "later")?.unwrap_or_default(),
            overflow: json_or_null(row, "overflow")?.unwrap_or_default(),
            committed_at: time(row, "committed_at")?,
            last_run: json_or_null(row, "last_run")?,
            failure: json_or_null(row, "failure")?,
            gap_announced: plain(row, "gap_announced")?,
            off_since: time(row, "off_since")?,
        })
    }
}

impl FromRow for EpisodeRecord {
    const TABLE: &'static str = "episodes";
    const KEY: &'static str = "id";
    const FORMAT: u32 = 3;

    fn from_row(row: &Row<'_>) -> Result<Self, Unread> {
        let phase: String = plain(row, "phase")?;
        let phase = match phase.as_str() {
            "pending" => Phase::Pending,
            "active" => Phase::Active,
            "acknowledged" => {
                Phase::Acknowledged { at: Timestamp(plain(row, "phase_at")?), by: plain(row, "phase_note")? }
            }
            "resolved-by-hand" => Phase::ResolvedByHand {
                at: Timestamp(plain(row, "phase_at")?),
                by: plain(row, "phase_note")?,
            },
            "resolved" => Phase::Resolved {
                at: Timestamp(plain(row, "phase_at")?),
                why: word(row, "phase_note", ending)?,
            },
            _ => return Err(Unread::Column("phase")),
        };
        let opened_at = Timestamp(plain(row, "opened_at")?);
        let severity = word(row, "severity", severity)?;
        let announced_at = time(row, "announced_at")?;
        let escalated = match plain(row, "format")? {
            1 => Escalated::of_chain(row, opened_at, announced_at)?,
            _ => Escalated {
                steps: json(row, "steps")?,
                stepped_until: time(row, "stepped_until")?,
                notified: json(row, "notified")?,
            },
        };
        Ok(Self {
            id: EpisodeId(plain(row, "id")?),
            rule: RuleName(plain(row, "rule")?),
            labels: json(row, "labels")?,
            phase,
            severity,
            since: Timestamp(plain(row, "since")?),
            opened_at,
            until: Timestamp(plain(row, "until")?),
            last: json(row, "last")?,
            steps: escalated.steps,
            early: json_or_null(row, "early")?.unwrap_or_default(),
            repeat: plain::<Option<i64>>(row, "repeat")?.map(|span| Duration(span.cast_unsigned())),
            stepped_until: escalated.stepped_until,
            announced_at,
            notified: escalated.notified,
            ordinal: plain(row, "ordinal")?,
            // Before layout 8, whatever rose had been said.
            progress: json_or_null(row, "progress")?
                .unwrap_or_else(|| EpisodeProgress { followed: severity, ..EpisodeProgress::default() }),
        })
    }
}

impl FromRow for (RuleName, Level) {
    const TABLE: &'static str = "levels";
    const KEY: &'static str = "id";
    const FORMAT: u32 = 1;

    fn from_row(row: &Row<'_>) -> Result<Self, Unread> {
        let level = Level {
            id: EpisodeId(plain(row, "id")?),
            labels: json(row, "labels")?,
            has_begun: plain(row, "has_begun")?,
            severity: word(row, "severity", severity)?,
            since: Timestamp(plain(row, "since")?),
            until: Timestamp(plain(row, "until")?),
            last: json(row, "last")?,
        };
        Ok((RuleName(plain(row, "rule")?), level))
    }
}

impl FromRow for TransitionRecord {
    const TABLE: &'static str = "transitions";
    const KEY: &'static str = "number";
    const FORMAT: u32 = 1;

    fn from_row(row: &Row<'_>) -> Result<Self, Unread> {
        Ok(Self {
            partition: PartitionId(plain(row, "partition")?),
            number: plain::<i64>(row, "number")?.cast_unsigned(),
            generation: plain::<i64>(row, "generation")?.cast_unsigned(),
            rule: RuleName(plain(row, "rule")?),
            judged: Timestamp(plain(row, "judged")?),
            change: json(row, "change")?,
        })
    }

    fn unreadable(row: &Row<'_>, what: String) -> RowError {
        let number = |column| row.get::<_, i64>(column).unwrap_or_default();
        let key = format!("{} of partition {}", number(Self::KEY), number("partition"));
        RowError::Unreadable { table: Self::TABLE, key, what }
    }
}

/// The progress of an episode's escalation.
struct Escalated {
    steps: Vec<StepId>,
    stepped_until: Option<Timestamp>,
    notified: Vec<Notified>,
}

impl Escalated {
    /// Episodes used to store their whole escalation, and how many of its steps were done.
    fn of_chain(
        row: &Row<'_>,
        opened_at: Timestamp,
        announced_at: Option<Timestamp>,
    ) -> Result<Self, Unread> {
        let chain: Vec<Step> = json(row, "chain")?;
        let done: u32 = plain(row, "step")?;
        let done = &chain[..chain.len().min(done as usize)];
        let names: Vec<DestinationName> = json(row, "told")?;
        let at = announced_at.unwrap_or(opened_at);
        Ok(Self {
            steps: chain.iter().map(Step::id).collect(),
            stepped_until: done.last().map(|step| opened_at + step.after),
            notified: names
                .into_iter()
                .map(|destination| {
                    let step = done.iter().find(|step| step.to.contains(&destination));
                    Notified {
                        at: step.map_or(at, |step| opened_at + step.after),
                        step: step.map(Step::id),
                        destination,
                    }
                })
                .collect(),
        })
    }
}

impl FromRow for IntentRecord {
    const TABLE: &'static str = "intents";
    const KEY: &'static str = "id";
    const FORMAT: u32 = 2;

    fn from_row(row: &Row<'_>) -> Result<Self, Unread> {
        let attempt: u32 = plain(row, "attempt")?;
        let delivery: String = plain(row, "delivery")?;
        let delivery = match delivery.as_str() {
            "owed" => {
                Delivery::Owed { due: Timestamp(plain(row, "at")?), attempt, last: plain(row, "note")? }
            }
            "claimed" => Delivery::Claimed {
                owner: HostId(plain(row, "owner")?),
                epoch: epoch(plain(row, "epoch")?),
                attempt,
            },
            "delivered" => Delivery::Delivered {
                at: Timestamp(plain(row, "at")?),
                attempt,
                reference: plain(row, "note")?,
            },
            "dead" => Delivery::Dead {
                at: Timestamp(plain(row, "at")?),
                attempt,
                last: plain(row, "note")?,
                dropped_by: plain(row, "owner")?,
            },
            "merged" => {
                Delivery::Merged { at: Timestamp(plain(row, "at")?), into: IntentId(plain(row, "note")?) }
            }
            _ => return Err(Unread::Column("delivery")),
        };
        let mut maybe_repeated: bool = plain(row, "maybe_repeated")?;
        let (message, text) = match plain(row, "format")? {
            // Intents used to be stored whole, with the text rendered at creation.
            1 => {
                let kept: String = plain(row, "message")?;
                let kept = serde_json::from_str::<IntentForm>(&kept).ok().and_then(IntentForm::parts);
                let (message, text, repeated) = kept.ok_or(Unread::Column("message"))?;
                maybe_repeated |= repeated;
                (message, Some(text))
            }
            _ => (json(row, "message")?, json_or_null(row, "text")?),
        };
        let mut record = Self {
            id: IntentId(plain(row, "id")?),
            destination: DestinationName(plain(row, "destination")?),
            message,
            text,
            created_at: Timestamp(plain(row, "created_at")?),
            maybe_repeated,
            recorded: Vec::new(),
            grouping: json_or_null(row, "grouping")?,
            delivery,
        };
        record.record(json_or_null(row, "recorded")?.unwrap_or_default());
        Ok(record)
    }
}

impl FromRow for GapRecord {
    const TABLE: &'static str = "gaps";
    const KEY: &'static str = "rule";
    const FORMAT: u32 = 1;

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

pub(super) fn plain<T: FromSql>(row: &Row<'_>, column: &'static str) -> Result<T, Unread> {
    row.get(column).map_err(|error| match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => Unread::Column(column),
        error => Unread::Sqlite(error),
    })
}

pub(super) fn time(row: &Row<'_>, column: &'static str) -> Result<Option<Timestamp>, Unread> {
    Ok(plain::<Option<i64>>(row, column)?.map(Timestamp))
}

pub(super) fn word<T>(row: &Row<'_>, column: &'static str, read: fn(&str) -> Option<T>) -> Result<T, Unread> {
    read(&plain::<String>(row, column)?).ok_or(Unread::Column(column))
}

pub(super) fn json<T: Column>(row: &Row<'_>, column: &'static str) -> Result<T, Unread> {
    json_or_null(row, column)?.ok_or(Unread::Column(column))
}

pub(super) fn json_or_null<T: Column>(row: &Row<'_>, column: &'static str) -> Result<Option<T>, Unread> {
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
            Self::Column(column) => T::unreadable(row, format!("its `{column}` cannot be read")),
            Self::Format(found) => {
                let known = T::FORMAT;
                T::unreadable(row, format!("it has format {found}, but this version reads up to {known}"))
            }
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
