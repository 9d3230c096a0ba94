use rusqlite::{Connection, Result, named_params, params};
use watchbell_pipeline::record::{
    Command, CommandRecord, Commit, Delivery, EpisodeRecord, GapRecord, IntentRecord, Later, Partition,
    Phase, RuleRecord,
};
use watchbell_pipeline::spec::RuleName;

use super::json::Column;
use super::names::{command_name, ending_name, gap_reason_name};
use super::rows::FromRow;

/// Everything that `commit` changes, within the transaction that the caller holds.
pub(crate) fn commit(db: &Connection, commit: &Commit) -> Result<()> {
    db.prepare_cached("UPDATE heads SET nonce = ?2, bundle = coalesce(?3, bundle) WHERE partition = ?1")?
        .execute(params![commit.partition.0, commit.nonce.cast_signed(), commit.bundle])?;
    for name in &commit.rules_ended {
        end_rule(db, name)?;
    }
    for record in &commit.rules {
        rule(db, commit.partition, record)?;
    }
    for record in &commit.episodes {
        episode(db, commit.partition, record)?;
    }
    for record in &commit.intents {
        intent(db, commit.partition, record)?;
    }
    for record in &commit.gaps {
        gap(db, record)?;
    }
    for record in &commit.commands {
        command(db, record)?;
    }
    Ok(())
}

fn end_rule(db: &Connection, name: &RuleName) -> Result<()> {
    db.prepare_cached("DELETE FROM rules WHERE name = ?1")?.execute([&name.0])?;
    db.prepare_cached("DELETE FROM states WHERE rule = ?1")?.execute([&name.0])?;
    Ok(())
}

fn rule(db: &Connection, partition: Partition, rule: &RuleRecord) -> Result<()> {
    let mut statement = db.prepare_cached(
        "INSERT OR REPLACE INTO rules (name, partition, meaning, cursor, state_settled, state_version,
           priming_reached, priming_until, told, committed_at, last_run, failure, format, off_since, later, told_from,
           gap_told)
         VALUES (:name, :partition, :meaning, :cursor, :state_settled, :state_version,
           :priming_reached, :priming_until, :told, :committed_at, :last_run, :failure, :format, :off_since, :later,
           :told_from, :gap_told)",
    )?;
    statement.execute(named_params! {
        ":name": rule.rule.0,
        ":partition": partition.0,
        ":meaning": rule.meaning.0,
        ":cursor": rule.cursor.0,
        ":state_settled": rule.state.as_ref().map(|state| state.settled.0),
        ":state_version": rule.state.as_ref().map(|state| state.version),
        ":priming_reached": rule.priming.as_ref().map(|priming| priming.reached.0),
        ":priming_until": rule.priming.as_ref().map(|priming| priming.until.0),
        ":told": json(&rule.told)?,
        ":committed_at": rule.committed_at.map(|at| at.0),
        ":last_run": rule.last_run.as_ref().map(json).transpose()?,
        ":failure": rule.failure.as_ref().map(json).transpose()?,
        ":format": RuleRecord::FORMAT,
        ":gap_told": rule.gap_told,
        ":off_since": rule.off_since.map(|at| at.0),
        ":told_from": rule.told_from.0,
        ":later": (rule.later != Later::default()).then(|| json(&rule.later)).transpose()?,
    })?;
    match &rule.state {
        Some(state) => db
            .prepare_cached(
                "INSERT INTO states (rule, bytes) VALUES (?1, ?2)
                 ON CONFLICT (rule) DO UPDATE SET bytes = excluded.bytes WHERE bytes <> excluded.bytes",
            )?
            .execute(params![rule.rule.0, state.bytes])?,
        None => db.prepare_cached("DELETE FROM states WHERE rule = ?1")?.execute([&rule.rule.0])?,
    };
    Ok(())
}

fn episode(db: &Connection, partition: Partition, episode: &EpisodeRecord) -> Result<()> {
    let (phase, phase_at, phase_note) = match &episode.phase {
        Phase::Pending => ("pending", None, None),
        Phase::Active => ("active", None, None),
        Phase::Acknowledged { at, by } => ("acknowledged", Some(at.0), Some(by.as_str())),
        Phase::ResolvedByHand { at, by } => ("resolved-by-hand", Some(at.0), Some(by.as_str())),
        Phase::Resolved { at, why } => ("resolved", Some(at.0), Some(ending_name(*why))),
    };
    let mut statement = db.prepare_cached(
        "INSERT OR REPLACE INTO episodes (id, partition, rule, labels, phase, phase_at, phase_note, severity,
           since, opened_at, until, last, steps, repeat, stepped_until, announced_at, notified, ordinal, format,
           early, chain, step, told)
         VALUES (:id, :partition, :rule, :labels, :phase, :phase_at, :phase_note, :severity,
           :since, :opened_at, :until, :last, :steps, :repeat, :stepped_until, :announced_at, :notified, :ordinal,
           :format, :early, '[]', 0, '[]')",
    )?;
    statement.execute(named_params! {
        ":id": episode.id.0,
        ":partition": partition.0,
        ":rule": episode.rule.0,
        ":labels": json(&episode.labels)?,
        ":phase": phase,
        ":phase_at": phase_at,
        ":phase_note": phase_note,
        ":severity": episode.severity.as_str(),
        ":since": episode.since.0,
        ":opened_at": episode.opened_at.0,
        ":until": episode.until.0,
        ":last": json(&episode.last)?,
        ":steps": json(&episode.steps)?,
        ":early": (!episode.early.is_empty()).then(|| json(&episode.early)).transpose()?,
        ":repeat": episode.repeat.map(|span| span.0.cast_signed()),
        ":stepped_until": episode.stepped_until.map(|at| at.0),
        ":announced_at": episode.announced_at.map(|at| at.0),
        ":notified": json(&episode.told)?,
        ":ordinal": episode.ordinal,
        ":format": EpisodeRecord::FORMAT,
    })?;
    Ok(())
}

fn intent(db: &Connection, partition: Partition, intent: &IntentRecord) -> Result<()> {
    let row = DeliveryRow::of(&intent.delivery);
    // Not `OR REPLACE`, which would give the row a new place in the order of creation.
    let mut statement = db.prepare_cached(
        "INSERT INTO intents (id, partition, destination, rule, episode, created_at, delivery, at, attempt,
           owner, epoch, maybe_repeated, note, message, text, format)
         VALUES (:id, :partition, :destination, :rule, :episode, :created_at, :delivery, :at, :attempt,
           :owner, :epoch, :maybe_repeated, :note, :message, :text, :format)
         ON CONFLICT (id) DO UPDATE SET partition = excluded.partition, destination = excluded.destination,
           rule = excluded.rule, episode = excluded.episode, created_at = excluded.created_at,
           delivery = excluded.delivery, at = excluded.at, attempt = excluded.attempt, owner = excluded.owner,
           epoch = excluded.epoch, maybe_repeated = excluded.maybe_repeated, note = excluded.note,
           message = excluded.message, text = excluded.text, format = excluded.format",
    )?;
    statement.execute(named_params! {
        ":id": intent.id.0,
        ":partition": partition.0,
        ":destination": intent.destination.0,
        ":rule": intent.message.rule.0,
        ":episode": intent.message.episode.0,
        ":created_at": intent.created_at.0,
        ":delivery": row.delivery,
        ":at": row.at,
        ":attempt": row.attempt,
        ":owner": row.owner,
        ":epoch": row.epoch,
        ":maybe_repeated": intent.maybe_repeated,
        ":note": row.note,
        ":message": json(&intent.message)?,
        ":text": intent.text.as_ref().map(json).transpose()?,
        ":format": IntentRecord::FORMAT,
    })?;
    Ok(())
}

#[derive(Default)]
struct DeliveryRow<'a> {
    delivery: &'static str,
    at: Option<i64>,
    attempt: u32,
    owner: Option<&'a str>,
    epoch: Option<i64>,
    note: Option<&'a str>,
}

impl<'a> DeliveryRow<'a> {
    fn of(delivery: &'a Delivery) -> Self {
        match delivery {
            Delivery::Owed { due, attempt, last } => Self {
                delivery: "owed",
                at: Some(due.0),
                attempt: *attempt,
                note: last.as_deref(),
                ..Self::default()
            },
            Delivery::Claimed { owner, epoch, attempt } => Self {
                delivery: "claimed",
                attempt: *attempt,
                owner: Some(&owner.0),
                epoch: Some(epoch.0.cast_signed()),
                ..Self::default()
            },
            Delivery::Delivered { at, attempt, reference } => Self {
                delivery: "delivered",
                at: Some(at.0),
                attempt: *attempt,
                note: reference.as_deref(),
                ..Self::default()
            },
            Delivery::Dead { at, attempt, last } => Self {
                delivery: "dead",
                at: Some(at.0),
                attempt: *attempt,
                note: Some(last),
                ..Self::default()
            },
        }
    }
}

fn gap(db: &Connection, gap: &GapRecord) -> Result<()> {
    let mut statement = db.prepare_cached(
        "INSERT OR REPLACE INTO gaps (rule, starts, ends, reason, recorded_at, message, format)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute(params![
        gap.rule.0,
        gap.over.start.0,
        gap.over.end.0,
        gap_reason_name(gap.reason),
        gap.recorded_at.0,
        gap.message,
        GapRecord::FORMAT
    ])?;
    Ok(())
}

fn command(db: &Connection, record: &CommandRecord) -> Result<()> {
    let (episode, note) = match &record.command {
        Command::Acknowledge { episode }
        | Command::Unacknowledge { episode }
        | Command::Resolve { episode } => (episode, None),
        Command::Note { episode, text } => (episode, Some(text)),
    };
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
        episode.0,
        note,
        record.refused,
        CommandRecord::FORMAT,
    ])?;
    Ok(())
}

fn json<T: Column>(value: &T) -> Result<String> {
    serde_json::to_string(&value.form())
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
