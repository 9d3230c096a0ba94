//! What people ask for: silences, a pause, and the log of their commands.
use rusqlite::{Connection, Result, Row, params};
use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{
    Command, CommandId, CommandRecord, EpisodeId, IntentId, PauseRecord, SilenceId, SilenceRecord,
    SilenceSpec,
};

use super::names::command_name;
use super::rows::{FromRow, Unread, json as read_json, plain};
use super::write::json;

pub(crate) fn silence(db: &Connection, record: &SilenceRecord) -> Result<()> {
    let spec = &record.spec;
    db.prepare_cached(
        "INSERT OR REPLACE INTO silences (id, matchers, starts, ends, reason, who, at, format)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        record.id.0,
        json(&spec.matchers)?,
        spec.from.0,
        spec.until.0,
        spec.reason,
        record.by,
        record.at.0,
        SilenceRecord::FORMAT,
    ])?;
    Ok(())
}

pub(crate) fn end_silence(db: &Connection, id: &SilenceId) -> Result<()> {
    db.prepare_cached("DELETE FROM silences WHERE id = ?1")?.execute([&id.0])?;
    Ok(())
}

pub(crate) fn pause(db: &Connection, pause: Option<&PauseRecord>) -> Result<()> {
    match pause {
        Some(pause) => db
            .prepare_cached(
                "INSERT OR REPLACE INTO pause (id, since, until, reason, who, format)
                 VALUES (1, ?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![pause.since.0, pause.until.0, pause.reason, pause.by, PauseRecord::FORMAT])?,
        None => db.prepare_cached("DELETE FROM pause")?.execute([])?,
    };
    Ok(())
}

/// A command's episode and its note. What has no episode has an empty one, and the note says what it is about.
fn columns(command: &Command) -> Result<(&str, Option<String>)> {
    Ok(match command {
        Command::Acknowledge { episode }
        | Command::Unacknowledge { episode }
        | Command::Resolve { episode } => (&episode.0, None),
        Command::Note { episode, text } => (&episode.0, Some(text.clone())),
        Command::Retry { intent } | Command::Drop { intent } => ("", Some(intent.0.clone())),
        Command::Silence(spec) => ("", Some(json(spec)?)),
        Command::Unsilence { silence } => ("", Some(silence.0.clone())),
        Command::Pause { until, reason } => ("", Some(json(&(*until, reason.clone()))?)),
        Command::Unpause => ("", None),
    })
}

pub(crate) fn command(db: &Connection, record: &CommandRecord) -> Result<()> {
    let (episode, note) = columns(&record.command)?;
    let mut statement = db.prepare_cached(
        "INSERT OR IGNORE INTO commands (number, id, at, who, command, episode, note, refused, format)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    statement.execute(params![
        record.number.cast_signed(),
        record.id.0,
        record.at.0,
        record.by,
        command_name(&record.command),
        episode,
        note,
        record.refused,
        CommandRecord::FORMAT,
    ])?;
    Ok(())
}

impl FromRow for SilenceRecord {
    const TABLE: &'static str = "silences";
    const KEY: &'static str = "id";
    const FORMAT: u32 = 1;

    fn from_row(row: &Row<'_>) -> std::result::Result<Self, Unread> {
        Ok(Self {
            id: SilenceId(plain(row, "id")?),
            spec: SilenceSpec {
                matchers: read_json(row, "matchers")?,
                from: Timestamp(plain(row, "starts")?),
                until: Timestamp(plain(row, "ends")?),
                reason: plain(row, "reason")?,
            },
            by: plain(row, "who")?,
            at: Timestamp(plain(row, "at")?),
        })
    }
}

impl FromRow for PauseRecord {
    const TABLE: &'static str = "pause";
    const KEY: &'static str = "since";
    const FORMAT: u32 = 1;

    fn from_row(row: &Row<'_>) -> std::result::Result<Self, Unread> {
        Ok(Self {
            since: Timestamp(plain(row, "since")?),
            until: Timestamp(plain(row, "until")?),
            reason: plain(row, "reason")?,
            by: plain(row, "who")?,
        })
    }
}

impl FromRow for CommandRecord {
    const TABLE: &'static str = "commands";
    const KEY: &'static str = "id";
    const FORMAT: u32 = 1;

    fn from_row(row: &Row<'_>) -> std::result::Result<Self, Unread> {
        let episode = EpisodeId(plain(row, "episode")?);
        let command = match plain::<String>(row, "command")?.as_str() {
            "acknowledge" => Command::Acknowledge { episode },
            "unacknowledge" => Command::Unacknowledge { episode },
            "resolve" => Command::Resolve { episode },
            "note" => Command::Note { episode, text: plain(row, "note")? },
            "retry" => Command::Retry { intent: IntentId(plain(row, "note")?) },
            "drop" => Command::Drop { intent: IntentId(plain(row, "note")?) },
            "silence" => Command::Silence(read_json(row, "note")?),
            "unsilence" => Command::Unsilence { silence: SilenceId(plain(row, "note")?) },
            "pause" => {
                let (until, reason) = read_json(row, "note")?;
                Command::Pause { until, reason }
            }
            "unpause" => Command::Unpause,
            _ => return Err(Unread::Column("command")),
        };
        Ok(Self {
            number: plain::<i64>(row, "number")?.cast_unsigned(),
            id: CommandId(plain(row, "id")?),
            at: Timestamp(plain(row, "at")?),
            by: plain(row, "who")?,
            command,
            refused: plain(row, "refused")?,
        })
    }
}
