use rusqlite::{Connection, OptionalExtension, Result, named_params, params};
use watchbell_pipeline::record::{
    BundleRef, Commit, Delivery, EpisodeId, EpisodeRecord, GapRecord, IntentRecord, Later, Level,
    NotifierCommit, Overflow, Owned, PartitionCommit, PartitionId, Phase, Position, RuleRecord,
    TransitionRecord,
};
use watchbell_pipeline::spec::RuleName;

use super::destinations;
use super::groups;
use super::holds;
use super::json::Column;
use super::names::{ending_name, gap_reason_name};
use super::owned;
use super::rows::FromRow;

/// Writes everything that the valid parts of `commit` change, within the caller's transaction.
pub(crate) fn commit(db: &Connection, commit: &Commit, stands: &[Owned]) -> Result<()> {
    if let Some(bundle) = &commit.bundle {
        put_in_force(db, bundle)?;
    }
    // The notifier first: transitions it has already processed are not stored, so they need not be written.
    if let Some(part) = commit.notifier.as_ref().filter(|_| stands.contains(&Owned::Notifier)) {
        notifier(db, part)?;
        owned::written(db, Owned::Notifier, commit.nonce)?;
    }
    for part in &commit.partitions {
        let what = Owned::Partition(part.partition);
        if stands.contains(&what) {
            partition(db, part)?;
            owned::written(db, what, commit.nonce)?;
        }
    }
    Ok(())
}

fn put_in_force(db: &Connection, bundle: &BundleRef) -> Result<()> {
    db.prepare_cached(
        "UPDATE meta SET bundle = ?1, generation = ?2 WHERE generation IS NULL OR generation < ?2",
    )?
    .execute(params![bundle.digest, bundle.generation.cast_signed()])?;
    Ok(())
}

fn partition(db: &Connection, part: &PartitionCommit) -> Result<()> {
    for name in &part.rules_ended {
        end_rule(db, name)?;
    }
    for record in &part.rules {
        rule(db, part.partition, record)?;
    }
    for id in &part.levels_ended {
        end_level(db, id)?;
    }
    for (rule, record) in &part.levels {
        level(db, part.partition, rule, record)?;
    }
    for record in &part.gaps {
        gap(db, record)?;
    }
    let Some(last) = part.transitions.last() else {
        return Ok(());
    };
    owned::numbered(db, part.partition, last.number)?;
    let decided = position(db, part.partition)?;
    for record in part.transitions.iter().filter(|record| record.number > decided) {
        transition(db, record)?;
    }
    Ok(())
}

fn notifier(db: &Connection, part: &NotifierCommit) -> Result<()> {
    for position in &part.positions {
        decide(db, *position)?;
    }
    for record in &part.episodes {
        episode(db, record)?;
    }
    for record in &part.intents {
        intent(db, record)?;
    }
    for record in &part.groups {
        groups::group(db, record)?;
    }
    for id in &part.groups_ended {
        groups::end_group(db, id)?;
    }
    for record in &part.silences {
        holds::silence(db, record)?;
    }
    for id in &part.silences_ended {
        holds::end_silence(db, id)?;
    }
    if let Some(pause) = &part.pause {
        holds::pause(db, pause.as_ref())?;
    }
    for (name, record) in &part.destinations {
        destinations::destination(db, name, record)?;
    }
    for record in &part.commands {
        holds::command(db, record)?;
    }
    Ok(())
}

/// Transitions that were processed are not stored.
fn decide(db: &Connection, position: Position) -> Result<()> {
    let (partition, number) = (position.partition.0, position.number.cast_signed());
    db.prepare_cached(
        "INSERT INTO positions (partition, number) VALUES (?1, ?2)
         ON CONFLICT (partition) DO UPDATE SET number = excluded.number",
    )?
    .execute(params![partition, number])?;
    db.prepare_cached("DELETE FROM transitions WHERE partition = ?1 AND number <= ?2")?
        .execute(params![partition, number])?;
    Ok(())
}

fn position(db: &Connection, partition: PartitionId) -> Result<u64> {
    let number: Option<i64> = db
        .prepare_cached("SELECT number FROM positions WHERE partition = ?1")?
        .query_row([partition.0], |row| row.get(0))
        .optional()?;
    Ok(number.unwrap_or(0).cast_unsigned())
}

fn transition(db: &Connection, record: &TransitionRecord) -> Result<()> {
    let mut statement = db.prepare_cached(
        "INSERT OR REPLACE INTO transitions (partition, number, rule, generation, judged, change, format)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute(params![
        record.partition.0,
        record.number.cast_signed(),
        record.rule.0,
        record.generation.cast_signed(),
        record.judged.0,
        json(&record.change)?,
        TransitionRecord::FORMAT,
    ])?;
    Ok(())
}

fn end_level(db: &Connection, id: &EpisodeId) -> Result<()> {
    db.prepare_cached("DELETE FROM levels WHERE id = ?1")?.execute([&id.0])?;
    Ok(())
}

fn level(db: &Connection, partition: PartitionId, rule: &RuleName, level: &Level) -> Result<()> {
    let mut statement = db.prepare_cached(
        "INSERT OR REPLACE INTO levels (id, partition, rule, labels, has_begun, severity, since, until, last, format)
         VALUES (:id, :partition, :rule, :labels, :has_begun, :severity, :since, :until, :last, :format)",
    )?;
    statement.execute(named_params! {
        ":id": level.id.0,
        ":partition": partition.0,
        ":rule": rule.0,
        ":labels": json(&level.labels)?,
        ":has_begun": level.has_begun,
        ":severity": level.severity.as_str(),
        ":since": level.since.0,
        ":until": level.until.0,
        ":last": json(&level.last)?,
        ":format": <(RuleName, Level)>::FORMAT,
    })?;
    Ok(())
}

fn end_rule(db: &Connection, name: &RuleName) -> Result<()> {
    db.prepare_cached("DELETE FROM rules WHERE name = ?1")?.execute([&name.0])?;
    db.prepare_cached("DELETE FROM states WHERE rule = ?1")?.execute([&name.0])?;
    Ok(())
}

fn rule(db: &Connection, partition: PartitionId, rule: &RuleRecord) -> Result<()> {
    let mut statement = db.prepare_cached(
        "INSERT OR REPLACE INTO rules (name, partition, meaning, cursor, state_settled, state_version,
           priming_reached, priming_until, seen, committed_at, last_run, failure, format, off_since, later,
           final_before, gap_announced, overflow)
         VALUES (:name, :partition, :meaning, :cursor, :state_settled, :state_version,
           :priming_reached, :priming_until, :seen, :committed_at, :last_run, :failure, :format, :off_since, :later,
           :final_before, :gap_announced, :overflow)",
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
        ":seen": json(&rule.seen)?,
        ":committed_at": rule.committed_at.map(|at| at.0),
        ":last_run": rule.last_run.as_ref().map(json).transpose()?,
        ":failure": rule.failure.as_ref().map(json).transpose()?,
        ":format": RuleRecord::FORMAT,
        ":gap_announced": rule.gap_announced,
        ":off_since": rule.off_since.map(|at| at.0),
        ":final_before": rule.final_before.0,
        ":overflow": (rule.overflow != Overflow::default()).then(|| json(&rule.overflow)).transpose()?,
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

fn episode(db: &Connection, episode: &EpisodeRecord) -> Result<()> {
    let (phase, phase_at, phase_note) = match &episode.phase {
        Phase::Pending => ("pending", None, None),
        Phase::Active => ("active", None, None),
        Phase::Acknowledged { at, by } => ("acknowledged", Some(at.0), Some(by.as_str())),
        Phase::ResolvedByHand { at, by } => ("resolved-by-hand", Some(at.0), Some(by.as_str())),
        Phase::Resolved { at, why } => ("resolved", Some(at.0), Some(ending_name(*why))),
    };
    let mut statement = db.prepare_cached(
        "INSERT OR REPLACE INTO episodes (id, rule, labels, phase, phase_at, phase_note, severity,
           since, opened_at, until, last, steps, repeat, stepped_until, announced_at, notified, ordinal, format,
           early, progress, chain, step, told)
         VALUES (:id, :rule, :labels, :phase, :phase_at, :phase_note, :severity,
           :since, :opened_at, :until, :last, :steps, :repeat, :stepped_until, :announced_at, :notified, :ordinal,
           :format, :early, :progress, '[]', 0, '[]')",
    )?;
    statement.execute(named_params! {
        ":id": episode.id.0,
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
        ":progress": json(&episode.progress)?,
        ":repeat": episode.repeat.map(|span| span.0.cast_signed()),
        ":stepped_until": episode.stepped_until.map(|at| at.0),
        ":announced_at": episode.announced_at.map(|at| at.0),
        ":notified": json(&episode.notified)?,
        ":ordinal": episode.ordinal,
        ":format": EpisodeRecord::FORMAT,
    })?;
    Ok(())
}

fn intent(db: &Connection, intent: &IntentRecord) -> Result<()> {
    let row = DeliveryRow::of(&intent.delivery);
    // Not `OR REPLACE`, which would move the row to the end of the order of creation.
    let mut statement = db.prepare_cached(
        "INSERT INTO intents (id, destination, rule, episode, created_at, delivery, at, attempt,
           owner, epoch, maybe_repeated, note, message, text, recorded, grouping, format)
         VALUES (:id, :destination, :rule, :episode, :created_at, :delivery, :at, :attempt,
           :owner, :epoch, :maybe_repeated, :note, :message, :text, :recorded, :grouping, :format)
         ON CONFLICT (id) DO UPDATE SET destination = excluded.destination, rule = excluded.rule, episode = excluded.episode, created_at = excluded.created_at,
           delivery = excluded.delivery, at = excluded.at, attempt = excluded.attempt, owner = excluded.owner,
           epoch = excluded.epoch, maybe_repeated = excluded.maybe_repeated, note = excluded.note,
           message = excluded.message, text = excluded.text, recorded = excluded.recorded,
           grouping = excluded.grouping, format = excluded.format",
    )?;
    statement.execute(named_params! {
        ":id": intent.id.0,
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
        ":recorded": (!intent.recorded.is_empty()).then(|| json(&intent.recorded)).transpose()?,
        ":grouping": intent.grouping.as_ref().map(json).transpose()?,
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
            Delivery::Dead { at, attempt, last, dropped_by } => Self {
                delivery: "dead",
                at: Some(at.0),
                attempt: *attempt,
                // Nobody else can own it.
                owner: dropped_by.as_deref(),
                note: Some(last),
                ..Self::default()
            },
            Delivery::Merged { at, into } => {
                Self { delivery: "merged", at: Some(at.0), note: Some(&into.0), ..Self::default() }
            }
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

pub(super) fn json<T: Column>(value: &T) -> Result<String> {
    serde_json::to_string(&value.form())
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
