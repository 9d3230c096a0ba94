use rusqlite::{Connection, Result, params};
use watchbell_contract::Timestamp;
use watchbell_pipeline::record::COMMAND_IDS_MAX;

use crate::Pruned;

/// Deletes at most `rows_max` rows of each kind, within the caller's transaction.
pub(crate) fn prune(db: &Connection, before: Timestamp, rows_max: u32) -> Result<Pruned> {
    // An open episode or a group may still have messages to send, which refer to its first one.
    let intents = db.execute(
        "DELETE FROM intents WHERE ordinal IN (SELECT ordinal FROM intents
         WHERE delivery IN ('delivered', 'dead', 'merged') AND at < ?1
           AND NOT (delivery = 'delivered'
             AND (EXISTS (SELECT 1 FROM episodes WHERE episodes.id = intents.episode AND phase <> 'resolved')
               OR EXISTS (SELECT 1 FROM groups WHERE groups.episode = intents.episode)))
         ORDER BY at, ordinal LIMIT ?2)",
        params![before.0, rows_max],
    )?;
    let episodes = db.execute(
        "DELETE FROM episodes WHERE id IN (SELECT id FROM episodes
         WHERE phase = 'resolved' AND phase_at < ?1
           AND NOT EXISTS (SELECT 1 FROM intents WHERE intents.episode = episodes.id)
         ORDER BY phase_at, id LIMIT ?2)",
        params![before.0, rows_max],
    )?;
    let gaps = db.execute(
        "DELETE FROM gaps WHERE (rule, starts, ends, reason) IN (SELECT rule, starts, ends, reason FROM gaps
         WHERE recorded_at < ?1 ORDER BY recorded_at, rule, starts, ends, reason LIMIT ?2)",
        params![before.0, rows_max],
    )?;
    // The newest stay, however old: their ids and the last number are still needed.
    let commands = db.execute(
        "DELETE FROM commands WHERE number IN (SELECT number FROM commands
         WHERE at < ?1 AND number <= (SELECT max(number) FROM commands) - ?3 ORDER BY number LIMIT ?2)",
        params![before.0, rows_max, COMMAND_IDS_MAX as i64],
    )?;
    let more = [intents, episodes, gaps, commands].contains(&(rows_max as usize));
    Ok(Pruned {
        episodes: episodes as u64,
        intents: intents as u64,
        gaps: gaps as u64,
        commands: commands as u64,
        more,
    })
}
