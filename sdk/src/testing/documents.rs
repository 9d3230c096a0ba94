//! Documents in time, and their fields as columns.
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire::types::{Column, Dictionary, Values};

/// The kind of question that an answer was recorded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// A raw search.
    Search,
    /// `_cluster/health`.
    Health,
    /// Unassigned shards.
    UnassignedShards,
    /// The master's pending tasks.
    PendingTasks,
    /// The nodes' disk usage.
    Disks,
    /// Whether a node may be replaced.
    Gate,
}

/// A document in time.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) time: i64,
    /// When searches first return it.
    pub(super) arrives: i64,
    pub(super) fields: Map<String, Value>,
    /// This is not a document but the cluster's answer to questions of this kind.
    pub(super) answers: Option<Answers>,
}

impl Document {
    /// Adds an id if it has none, because every hit has one. Ids are numbered, so that documents with the same
    /// timestamp keep their order.
    pub(super) fn numbered(mut self, number: usize) -> Self {
        if self.answers.is_none() {
            self.fields.entry("_id").or_insert_with(|| format!("{number:08}").into());
            self.fields.entry("_index").or_insert_with(|| "documents".into());
        }
        self
    }
}

/// A column with any number of values per row.
pub(super) fn column_of(field: &str, rows: Vec<Vec<&Value>>) -> Result<Column, String> {
    let arrays = rows.iter().any(|row| row.len() > 1);
    let mut present = vec![0_u8; rows.len().div_ceil(8)];
    let mut offsets = vec![0_u32];
    let mut flat = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        if row.is_empty() && !arrays {
            flat.push(&Value::Null);
        } else {
            present[index / 8] |= u8::from(!row.is_empty()) << (index % 8);
            flat.extend(row);
        }
        offsets.push(flat.len() as u32);
    }
    let all = rows.iter().all(|row| !row.is_empty());
    Ok(Column {
        field: field.into(),
        values: pack(field, &flat)?,
        present: if arrays || all { vec![] } else { present },
        offsets: if arrays { offsets } else { vec![] },
    })
}

fn pack(field: &str, flat: &[&Value]) -> Result<Values, String> {
    let known = || flat.iter().filter(|value| !value.is_null());
    if known().all(|value| value.is_i64()) && known().next().is_some() {
        Ok(Values::Integers(flat.iter().map(|value| value.as_i64().unwrap_or(0)).collect()))
    } else if known().all(|value| value.is_number()) && known().next().is_some() {
        Ok(Values::Numbers(flat.iter().map(|value| value.as_f64().unwrap_or(0.0)).collect()))
    } else if known().all(|value| value.is_boolean()) && known().next().is_some() {
        Ok(Values::Booleans(flat.iter().map(|value| u8::from(value.as_bool() == Some(true))).collect()))
    } else if known().all(|value| value.is_string()) {
        let mut words: Vec<&str> = known().filter_map(|value| value.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        let code =
            |value: &&Value| value.as_str().and_then(|word| words.binary_search(&word).ok()).unwrap_or(0);
        let ends = words.iter().scan(0, |end, word| {
            *end += word.len() as u32;
            Some(*end)
        });
        Ok(Values::Words(Dictionary {
            codes: flat.iter().map(|value| code(value) as u32).collect(),
            ends: ends.collect(),
            bytes: words.concat().into_bytes(),
        }))
    } else {
        Err(format!("the documents' `{field}` has mixed types, which no mapping allows"))
    }
}

/// A field's values: by its literal name, otherwise by its path; arrays are flattened, nulls omitted.
pub(super) fn values<'a>(fields: &'a Map<String, Value>, path: &str) -> Vec<&'a Value> {
    let found = fields.get(path).or_else(|| {
        let mut parts = path.split('.');
        let first = fields.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    });
    match found {
        None | Some(Value::Null) => vec![],
        Some(Value::Array(values)) => values.iter().filter(|value| !value.is_null()).collect(),
        Some(value) => vec![value],
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
