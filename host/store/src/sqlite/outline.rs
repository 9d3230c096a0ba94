use rusqlite::Row;
use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{EpisodeId, EpisodeRecord, IntentRecord};
use watchbell_pipeline::spec::{DestinationName, RuleName};

use super::names::ending;
use super::rows::{FromRow, Unread, plain, word};
use crate::read::{EpisodeOutline, MessageOutline};

impl FromRow for EpisodeOutline {
    const TABLE: &'static str = EpisodeRecord::TABLE;
    const KEY: &'static str = EpisodeRecord::KEY;
    const FORMAT: u32 = EpisodeRecord::FORMAT;

    fn from_row(row: &Row<'_>) -> Result<Self, Unread> {
        let phase: String = plain(row, "phase")?;
        let resolved = match phase.as_str() {
            "resolved" => Some((Timestamp(plain(row, "phase_at")?), word(row, "phase_note", ending)?)),
            _ => None,
        };
        Ok(Self {
            id: EpisodeId(plain(row, "id")?),
            rule: RuleName(plain(row, "rule")?),
            opened_at: Timestamp(plain(row, "opened_at")?),
            resolved,
        })
    }
}

impl FromRow for MessageOutline {
    const TABLE: &'static str = IntentRecord::TABLE;
    const KEY: &'static str = IntentRecord::KEY;
    const FORMAT: u32 = IntentRecord::FORMAT;

    fn from_row(row: &Row<'_>) -> Result<Self, Unread> {
        Ok(Self {
            rule: RuleName(plain(row, "rule")?),
            episode: EpisodeId(plain(row, "episode")?),
            destination: DestinationName(plain(row, "destination")?),
            created_at: Timestamp(plain(row, "created_at")?),
        })
    }
}
