//! Documents as columns, the way the host makes them.
use serde_json::{Map, Value};

use super::{groups, recorded};
use crate::wire::types::{Column, Dictionary, Rows, Values};
use crate::{AnyOf, Ask, NamedFilter, Question};

/// A document in time.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) time: i64,
    /// From when on the cluster returns it.
    pub(super) arrives: i64,
    pub(super) fields: Map<String, Value>,
    /// It is no document but an answer of the cluster's, to questions of this kind.
    pub(super) answers: Option<super::case::Answers>,
}

impl Document {
    /// With a name, if it has none: every hit has one. By number, so that documents of one instant stay in their order.
    pub(super) fn numbered(mut self, number: usize) -> Self {
        if self.answers.is_none() {
            self.fields.entry("_id").or_insert_with(|| format!("{number:08}").into());
            self.fields.entry("_index").or_insert_with(|| "documents".into());
        }
        self
    }
}

/// Answers a question from documents in order of time.
pub(super) fn answer<'a>(
    question: &Question,
    documents: impl Iterator<Item = &'a Document>,
    page_rows: usize,
) -> Result<Vec<Rows>, String> {
    // What the named filters say of a document stands in it, so those that keep it need not be read.
    let named: &[NamedFilter] = match (&question.filter, &question.ask) {
        (None, _) => &[],
        (Some(filter), Ask::Hits(hits)) if *filter == question.either() => &hits.filters,
        (Some(filter), Ask::Buckets(buckets)) if *filter == question.either() => &buckets.filters,
        (Some(filter), _) => {
            return Err(format!(
                "the virtual timeline knows no filter such as `{filter}`: leave such documents out"
            ));
        }
    };
    let is_named = |fields: &Map<String, Value>| {
        named.is_empty() || named.iter().any(|filter| fields.get(&filter.name) == Some(&Value::Bool(true)))
    };
    let (recorded, documents): (Vec<_>, Vec<_>) = documents.partition(|document| document.answers.is_some());
    let found: Vec<_> = documents
        .into_iter()
        .filter(|document| question.over.contains(crate::Timestamp(document.time)))
        .filter(|document| question.only.iter().all(|only| only.keeps(&document.fields)))
        .filter(|document| is_named(&document.fields))
        .collect();
    let hits = match &question.ask {
        Ask::Hits(hits) => hits,
        Ask::Buckets(buckets) => return groups::answer(buckets, question.over, &found, page_rows),
        Ask::Search(search) => {
            return recorded::search(search, question.over, &recorded).map(|rows| vec![rows]);
        }
        Ask::Cluster(view) => {
            return recorded::cluster(*view, question.over, &recorded).map(|rows| vec![rows]);
        }
    };
    // A named filter's column is a boolean field of its name in the documents.
    let names = hits.fields.iter().chain(hits.filters.iter().map(|filter| &filter.name));
    let names: Vec<_> = names.collect();
    found
        .chunks(page_rows.max(1))
        .map(|page| {
            Ok(Rows {
                times: page.iter().map(|document| document.time).collect(),
                columns: names.iter().map(|field| column(field, page)).collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

impl AnyOf {
    fn keeps(&self, fields: &Map<String, Value>) -> bool {
        let found = values(fields, &self.field);
        self.values.iter().any(|wanted| match wanted {
            None => found.is_empty(),
            Some(wanted) => found.iter().any(|value| text(value) == *wanted),
        })
    }
}

fn column(field: &str, page: &[&Document]) -> Result<Column, String> {
    column_of(field, page.iter().map(|document| values(&document.fields, field)).collect())
}

/// A column of as many values per row as each row has.
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
        Err(format!("the documents' `{field}` mixes types, which no mapping allows"))
    }
}

/// A field's values: by its literal name, else by its path; arrays flattened, nulls left out.
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
