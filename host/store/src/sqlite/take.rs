use rusqlite::{Connection, params};
use watchbell_contract::Receipt;
use watchbell_pipeline::record::{
    BundleRef, COMMAND_IDS_MAX, CommandId, CommandLog, DEAD_LETTERS_MAX, EpisodeId, FirstReceipt,
    Incarnation, NotifierSnapshot, PartitionId, PartitionSnapshot, Position, StoreMeta, TransitionRecord,
};
use watchbell_pipeline::spec::DestinationName;

use super::owned::Row;
use super::rows::{self, RowError};

pub(crate) fn meta(db: &Connection) -> rusqlite::Result<StoreMeta> {
    db.query_row("SELECT incarnation, bundle, generation FROM meta", [], |row| {
        let (digest, generation): (Option<String>, Option<i64>) = (row.get(1)?, row.get(2)?);
        Ok(StoreMeta {
            incarnation: Incarnation(row.get(0)?),
            bundle: digest
                .zip(generation)
                .map(|(digest, generation)| BundleRef { digest, generation: generation.cast_unsigned() }),
        })
    })
}

fn generation(db: &Connection) -> rusqlite::Result<u64> {
    Ok(meta(db)?.bundle.map_or(0, |bundle| bundle.generation))
}

pub(crate) fn partition(
    db: &Connection,
    partition: PartitionId,
    row: &Row,
) -> Result<PartitionSnapshot, RowError> {
    Ok(PartitionSnapshot {
        partition,
        tenure: row.tenure,
        generation: generation(db)?,
        transitions: row.transitions,
        rules: rows::all(
            db,
            "SELECT rules.*, states.bytes FROM rules LEFT JOIN states ON states.rule = rules.name
             WHERE partition = ?1 ORDER BY name",
            [partition.0],
        )?,
        levels: rows::all(db, "SELECT * FROM levels WHERE partition = ?1 ORDER BY id", [partition.0])?,
    })
}

pub(crate) fn notifier(db: &Connection, row: &Row) -> Result<NotifierSnapshot, RowError> {
    Ok(NotifierSnapshot {
        tenure: row.tenure,
        generation: generation(db)?,
        positions: positions(db)?,
        episodes: rows::all(db, "SELECT * FROM episodes WHERE phase <> 'resolved' ORDER BY id", [])?,
        intents: rows::all(
            db,
            "SELECT * FROM intents WHERE delivery IN ('owed', 'claimed') ORDER BY ordinal",
            [],
        )?,
        dead_letters: rows::all(
            db,
            "SELECT * FROM (SELECT * FROM intents WHERE delivery = 'dead' ORDER BY ordinal DESC LIMIT ?1)
             ORDER BY ordinal",
            [DEAD_LETTERS_MAX as i64],
        )?,
        receipts: receipts(db)?,
        groups: rows::all(db, "SELECT * FROM groups ORDER BY id", [])?,
        silences: rows::all(db, "SELECT * FROM silences ORDER BY id", [])?,
        pause: rows::all(db, "SELECT * FROM pause", [])?.pop(),
        destinations: rows::all(db, "SELECT * FROM destinations ORDER BY name", [])?,
        commands: commands(db)?,
    })
}

pub(crate) fn transitions(
    db: &Connection,
    after: &[Position],
    rows_max: u32,
) -> Result<Vec<TransitionRecord>, RowError> {
    let mut found = Vec::new();
    for Position { partition, number } in after {
        found.extend(rows::all::<TransitionRecord>(
            db,
            "SELECT * FROM transitions WHERE partition = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
            params![partition.0, number.cast_signed(), rows_max],
        )?);
    }
    Ok(found)
}

fn positions(db: &Connection) -> rusqlite::Result<Vec<Position>> {
    let mut statement = db.prepare_cached("SELECT partition, number FROM positions ORDER BY partition")?;
    let positions = statement.query_map([], |row| {
        let number: i64 = row.get(1)?;
        Ok(Position { partition: PartitionId(row.get(0)?), number: number.cast_unsigned() })
    })?;
    positions.collect()
}

/// What each destination returned for the first message of an episode that is open or has messages to send,
/// or of a group.
fn receipts(db: &Connection) -> rusqlite::Result<Vec<FirstReceipt>> {
    let mut statement = db.prepare_cached(
        "WITH wanted (episode) AS (
           SELECT id FROM episodes WHERE phase <> 'resolved'
           UNION SELECT episode FROM intents WHERE delivery IN ('owed', 'claimed')
           UNION SELECT episode FROM groups
           UNION SELECT episode FROM
             (SELECT episode FROM intents WHERE delivery = 'dead' ORDER BY ordinal DESC LIMIT ?1))
         SELECT intents.episode, destination, note
         FROM wanted CROSS JOIN intents ON intents.episode = wanted.episode AND delivery = 'delivered'
         ORDER BY intents.episode, destination, at, ordinal",
    )?;
    let delivered = statement.query_map([DEAD_LETTERS_MAX as i64], |row| {
        Ok(FirstReceipt {
            episode: EpisodeId(row.get(0)?),
            destination: DestinationName(row.get(1)?),
            receipt: Receipt { reference: row.get(2)? },
        })
    })?;
    let mut first: Vec<FirstReceipt> = Vec::new();
    for receipt in delivered {
        let receipt = receipt?;
        let of = |receipt: &FirstReceipt| (receipt.episode.clone(), receipt.destination.clone());
        if first.last().map(of) != Some(of(&receipt)) {
            first.push(receipt);
        }
    }
    Ok(first)
}

/// The position of the command log.
fn commands(db: &Connection) -> rusqlite::Result<CommandLog> {
    let mut statement = db.prepare_cached("SELECT number, id FROM commands ORDER BY number DESC LIMIT ?1")?;
    let newest = statement.query_map([COMMAND_IDS_MAX as i64], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), CommandId(row.get(1)?)))
    })?;
    let mut newest: Vec<(u64, CommandId)> = newest.collect::<rusqlite::Result<_>>()?;
    newest.reverse();
    let last = newest.last().map_or(0, |(number, _)| *number);
    Ok(CommandLog { last, recent: newest.into_iter().map(|(_, id)| id).collect() })
}
