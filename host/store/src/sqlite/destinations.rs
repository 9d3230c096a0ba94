//! What is remembered of destinations besides their messages, and who is sent a message.
use rusqlite::{Connection, Result, Row, params};
use serde::{Deserialize, Serialize};
use watchbell_contract::Timestamp;
use watchbell_pipeline::message::{Instead, Route};
use watchbell_pipeline::record::{Counted, DestinationRecord, EpisodeId, LeftOut, Told, Trouble};
use watchbell_pipeline::spec::DestinationName;

use super::json::Column;
use super::names::severity;
use super::rows::{FromRow, Unread, json as read_json, json_or_null, plain};
use super::write::json;

pub(crate) fn destination(db: &Connection, name: &DestinationName, record: &DestinationRecord) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO destinations (name, counts, left_out, trouble, format)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        name.0,
        json(&record.counts)?,
        record.left_out.as_ref().map(json).transpose()?,
        record.trouble.as_ref().map(json).transpose()?,
        <(DestinationName, DestinationRecord)>::FORMAT,
    ])?;
    Ok(())
}

impl FromRow for (DestinationName, DestinationRecord) {
    const TABLE: &'static str = "destinations";
    const KEY: &'static str = "name";
    const FORMAT: u32 = 1;

    fn from_row(row: &Row<'_>) -> std::result::Result<Self, Unread> {
        let record = DestinationRecord {
            counts: read_json(row, "counts")?,
            left_out: json_or_null(row, "left_out")?,
            trouble: json_or_null(row, "trouble")?,
        };
        Ok((DestinationName(plain(row, "name")?), record))
    }
}

/// Of the minute, the hour and the day.
impl Column for [Counted; 3] {
    type Form = [(i64, u32, Option<i64>); 3];
    fn form(&self) -> Self::Form {
        self.map(|counted| (counted.start.0, counted.count, counted.reached_until.map(|at| at.0)))
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(form.map(|(start, count, reached)| Counted {
            start: Timestamp(start),
            count,
            reached_until: reached.map(Timestamp),
        }))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct LeftOutForm {
    since: i64,
    until: i64,
    count: u32,
    severity: String,
    lines: Vec<String>,
}

impl Column for LeftOut {
    type Form = LeftOutForm;
    fn form(&self) -> Self::Form {
        LeftOutForm {
            since: self.since.0,
            until: self.until.0,
            count: self.count,
            severity: self.severity.as_str().to_owned(),
            lines: self.lines.clone(),
        }
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(Self {
            since: Timestamp(form.since),
            until: Timestamp(form.until),
            count: form.count,
            severity: severity(&form.severity)?,
            lines: form.lines,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct TroubleForm {
    since: i64,
    attempts: u32,
    dead: u32,
    last: String,
    /// The episode of the alert, and who was told.
    told: Option<(String, Vec<String>)>,
}

impl Column for Trouble {
    type Form = TroubleForm;
    fn form(&self) -> Self::Form {
        TroubleForm {
            since: self.since.0,
            attempts: self.attempts,
            dead: self.dead,
            last: self.last.clone(),
            told: self.told.as_ref().map(|told| (told.episode.0.clone(), told.to.form())),
        }
    }
    fn read(form: Self::Form) -> Option<Self> {
        let told = match form.told {
            Some((episode, to)) => Some(Told { episode: EpisodeId(episode), to: Column::read(to)? }),
            None => None,
        };
        Some(Self {
            since: Timestamp(form.since),
            attempts: form.attempts,
            dead: form.dead,
            last: form.last,
            told,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RouteForm {
    to: Vec<String>,
    /// Which destination did not take it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instead: Option<(String, String)>,
}

impl Column for Route {
    type Form = RouteForm;
    fn form(&self) -> Self::Form {
        let instead = |instead: &Instead| (instead.of.0.clone(), instead.why.clone());
        RouteForm { to: self.to.form(), instead: self.instead.as_ref().map(instead) }
    }
    fn read(form: Self::Form) -> Option<Self> {
        let instead = |(of, why)| Instead { of: DestinationName(of), why };
        Some(Self { to: Column::read(form.to)?, instead: form.instead.map(instead) })
    }
}
