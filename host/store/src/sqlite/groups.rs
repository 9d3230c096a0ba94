//! Messages that are gathered and sent as one.
use rusqlite::{Connection, Result, Row, named_params};
use serde::{Deserialize, Serialize};
use watchbell_pipeline::record::{EpisodeId, GroupId, GroupKey, GroupRecord, Grouping, NamedEpisode};
use watchbell_pipeline::spec::{DestinationName, RuleName};

use super::json::{Column, Labels};
use super::rows::{FromRow, Unread, json as read_json, plain, time};
use super::write::json;

/// An episode's id, and its labels.
type KeyForm = (String, Labels);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GroupingForm {
    Gathered(String),
    Merged { group: String, named: Vec<NamedForm> },
}

#[derive(Serialize, Deserialize)]
pub(crate) struct NamedForm {
    key: KeyForm,
    begins: bool,
    open: bool,
}

pub(crate) fn group(db: &Connection, group: &GroupRecord) -> Result<()> {
    let mut statement = db.prepare_cached(
        "INSERT OR REPLACE INTO groups (id, rule, labels, destination, episode, ordinal, due, rests_until, open, unnamed,
           format)
         VALUES (:id, :rule, :labels, :destination, :episode, :ordinal, :due, :rests_until, :open, :unnamed, :format)",
    )?;
    statement.execute(named_params! {
        ":id": group.id.0,
        ":rule": group.rule.0,
        ":labels": json(&group.labels)?,
        ":destination": group.destination.0,
        ":episode": group.episode.0,
        ":ordinal": group.ordinal,
        ":due": group.due.map(|at| at.0),
        ":rests_until": group.rests_until.map(|at| at.0),
        ":open": json(&group.open)?,
        ":unnamed": json(&group.unnamed)?,
        ":format": GroupRecord::FORMAT,
    })?;
    Ok(())
}

pub(crate) fn end_group(db: &Connection, id: &GroupId) -> Result<()> {
    db.prepare_cached("DELETE FROM groups WHERE id = ?1")?.execute([&id.0])?;
    Ok(())
}

impl FromRow for GroupRecord {
    const TABLE: &'static str = "groups";
    const KEY: &'static str = "id";
    const FORMAT: u32 = 1;

    fn from_row(row: &Row<'_>) -> std::result::Result<Self, Unread> {
        Ok(Self {
            id: GroupId(plain(row, "id")?),
            rule: RuleName(plain(row, "rule")?),
            labels: read_json(row, "labels")?,
            destination: DestinationName(plain(row, "destination")?),
            episode: EpisodeId(plain(row, "episode")?),
            ordinal: plain(row, "ordinal")?,
            due: time(row, "due")?,
            rests_until: time(row, "rests_until")?,
            open: read_json(row, "open")?,
            unnamed: read_json(row, "unnamed")?,
        })
    }
}

impl Column for Vec<GroupKey> {
    type Form = Vec<KeyForm>;
    fn form(&self) -> Self::Form {
        self.iter().map(key_form).collect()
    }
    fn read(form: Self::Form) -> Option<Self> {
        form.into_iter().map(key).collect()
    }
}

impl Column for Grouping {
    type Form = GroupingForm;
    fn form(&self) -> Self::Form {
        match self {
            Self::Gathered(group) => GroupingForm::Gathered(group.0.clone()),
            Self::Merged { group, named } => {
                let form = |named: &NamedEpisode| NamedForm {
                    key: key_form(&named.key),
                    begins: named.begins,
                    open: named.is_open,
                };
                GroupingForm::Merged { group: group.0.clone(), named: named.iter().map(form).collect() }
            }
        }
    }
    fn read(form: Self::Form) -> Option<Self> {
        Some(match form {
            GroupingForm::Gathered(group) => Self::Gathered(GroupId(group)),
            GroupingForm::Merged { group, named } => {
                let read = |named: NamedForm| {
                    Some(NamedEpisode { key: key(named.key)?, begins: named.begins, is_open: named.open })
                };
                Self::Merged {
                    group: GroupId(group),
                    named: named.into_iter().map(read).collect::<Option<_>>()?,
                }
            }
        })
    }
}

fn key_form(key: &GroupKey) -> KeyForm {
    (key.episode.0.clone(), key.labels.form())
}

fn key((episode, labels): KeyForm) -> Option<GroupKey> {
    Some(GroupKey { episode: EpisodeId(episode), labels: Column::read(labels)? })
}
