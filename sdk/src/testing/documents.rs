//! Documents in time, and their fields as columns.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use watchbell_rows::{Column, Dictionary, Points, Values};

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

/// The field with a document's time.
pub(super) const TIME: &str = "@timestamp";

/// A document in time.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) time: i64,
    /// When searches first return it.
    pub(super) arrives: i64,
    pub(super) fields: Map<String, Value>,
    /// Results of named filters, by their names, instead of evaluating them.
    pub(super) matches: Option<BTreeMap<String, bool>>,
    /// This is not a document but the cluster's answer to questions of this kind.
    pub(super) answers: Option<Answers>,
    /// Its place among all, in order of time.
    pub(super) place: usize,
}

impl Document {
    /// Adds what every hit has, if the document lacks it: its time, an index and an id. Ids are numbered, so that
    /// documents of one instant keep their order.
    pub(super) fn numbered(mut self, number: usize) -> Self {
        if self.answers.is_none() {
            self.fields.entry("_id").or_insert_with(|| format!("{number:08}").into());
            self.fields.entry("_index").or_insert_with(|| "documents".into());
            self.fields.entry(TIME).or_insert_with(|| self.time.into());
        }
        self
    }

    /// A field that has one text, such as `_id`; empty if it does not.
    pub(super) fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Puts documents in the order of the host: by time, then by `_index` and `_id`.
pub(super) fn sort(documents: &mut [Document]) {
    documents.sort_by(|a, b| {
        (a.time, a.text("_index"), a.text("_id")).cmp(&(b.time, b.text("_index"), b.text("_id")))
    });
    (0..).zip(documents).for_each(|(place, document)| document.place = place);
}

/// A column with any number of values per row.
pub(super) fn column_of(field: &str, is_mapped: bool, rows: &[Vec<Value>]) -> Result<Column, String> {
    let arrays = rows.iter().any(|row| row.len() > 1);
    let mut present = vec![0_u8; rows.len().div_ceil(8)];
    let mut offsets = vec![0_u32];
    let mut flat: Vec<&Value> = Vec::new();
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
        is_mapped,
        values: pack(field, &flat)?,
        present: if arrays || all { vec![] } else { present },
        offsets: if arrays { offsets } else { vec![] },
    })
}

fn pack(field: &str, flat: &[&Value]) -> Result<Values, String> {
    let known = || flat.iter().filter(|value| !value.is_null());
    if known().next().is_none() {
        return Ok(Values::Words(Dictionary { codes: vec![0; flat.len()], ..Dictionary::default() }));
    }
    Ok(if known().all(|value| value.is_i64()) {
        Values::Integers(flat.iter().map(|value| value.as_i64().unwrap_or(0)).collect())
    } else if known().all(|value| value.is_number()) {
        Values::Numbers(flat.iter().map(|value| value.as_f64().unwrap_or(0.0)).collect())
    } else if known().all(|value| value.is_boolean()) {
        Values::Booleans(flat.iter().map(|value| u8::from(value.as_bool() == Some(true))).collect())
    } else if known().all(|value| point(value).is_some()) {
        let points = flat.iter().map(|value| point(value).unwrap_or_default());
        let (latitudes, longitudes) = points.unzip();
        Values::Points(Points { latitudes, longitudes })
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
        Values::Words(Dictionary {
            codes: flat.iter().map(|value| code(value) as u32).collect(),
            ends: ends.collect(),
            bytes: words.concat().into_bytes(),
        })
    } else {
        return Err(format!("the documents' `{field}` has mixed types, which no mapping allows"));
    })
}

/// `{ lat: …, lon: … }`, in degrees.
pub(super) fn point(value: &Value) -> Option<(f64, f64)> {
    let object = value.as_object().filter(|object| object.len() == 2)?;
    Some((object.get("lat")?.as_f64()?, object.get("lon")?.as_f64()?))
}

/// A field's values, under a dotted name, a path or both; arrays are flattened, nulls omitted.
pub(super) fn values<'a>(fields: &'a Map<String, Value>, path: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    below(fields, path, &mut found);
    found
}

fn below<'a>(fields: &'a Map<String, Value>, path: &str, found: &mut Vec<&'a Value>) {
    if let Some(value) = fields.get(path) {
        flatten(value, found);
    }
    for (at, _) in path.match_indices('.') {
        match fields.get(&path[..at]) {
            Some(Value::Object(inner)) => below(inner, &path[at + 1..], found),
            Some(Value::Array(items)) => {
                let objects = items.iter().filter_map(Value::as_object);
                objects.for_each(|inner| below(inner, &path[at + 1..], found));
            }
            _ => {}
        }
    }
}

fn flatten<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter().for_each(|item| flatten(item, found)),
        Value::Object(_) if point(value).is_none() => {}
        value => found.push(value),
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found_under_any_spelling() {
        let fields =
            json!({ "a.b": { "c": 1 }, "a": [{ "b": { "c": [2, null] } }, { "b.c": 3 }], "d": { "e": {} } });
        let found =
            |path: &str| values(fields.as_object().unwrap(), path).into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(found("a.b.c"), [json!(2), json!(3), json!(1)]);
        assert!(found("a.b").is_empty() && found("d.e").is_empty() && found("x").is_empty());
    }

    #[test]
    fn places_are_points() {
        let column = column_of("p", true, &[vec![json!({ "lat": 1.5, "lon": 2 })], vec![]]).unwrap();
        assert_eq!(
            column.values,
            Values::Points(Points { latitudes: vec![1.5, 0.0], longitudes: vec![2.0, 0.0] })
        );
        assert!(column_of("p", true, &[vec![json!(1)], vec![json!("x")]]).is_err());
    }
}
