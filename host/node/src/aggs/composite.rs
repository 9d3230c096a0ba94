//! A bucket per combination of sources, paged.
use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::column::Column;
use super::histogram::Interval;
use super::{Agg, Context, Entry};
use crate::dates::{Formats, Zone, from_millis, parse_math, to_millis};
use crate::doc_values::doc_value;
use crate::errors::{Answer, Refusal};
use crate::value::Value;

#[derive(Clone, Debug)]
pub(super) struct Composite {
    pub(super) size: usize,
    pub(super) sources: Vec<Source>,
    pub(super) after: Option<Map<String, Json>>,
}

#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) field: String,
    pub(super) steps: Steps,
    pub(super) format: Option<Formats>,
    pub(super) descending: bool,
    pub(super) missing_bucket: bool,
    /// `missing_order`: `None` is first when ascending and last when descending.
    pub(super) missing_first: Option<bool>,
}

/// How values are grouped.
#[derive(Clone, Debug)]
pub(super) enum Steps {
    /// Each value by itself.
    Values,
    /// The interval, and the offset in milliseconds.
    Dates(Interval, i64, Zone),
    Numbers(f64),
}

/// One part of a key; `None` is the missing bucket.
#[derive(Clone, Debug)]
struct Part {
    value: Option<Value>,
    descending: bool,
    missing_first: bool,
}

impl Ord for Part {
    fn cmp(&self, other: &Self) -> Ordering {
        let missing = if self.missing_first { Ordering::Less } else { Ordering::Greater };
        match (&self.value, &other.value) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => missing,
            (Some(_), None) => missing.reverse(),
            (Some(a), Some(b)) if self.descending => b.order(a),
            (Some(a), Some(b)) => a.order(b),
        }
    }
}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Part {}

impl Source {
    fn part(&self, value: Option<Value>) -> Part {
        let missing_first = self.missing_first.unwrap_or(!self.descending);
        Part { value, descending: self.descending, missing_first }
    }

    fn parts(&self, column: &Column<'_>, entry: &Entry<'_>) -> Vec<Part> {
        let values = column.values(entry);
        let mut parts: Vec<Part> = values
            .iter()
            .filter_map(|value| match &self.steps {
                Steps::Values => Some(value.clone()),
                Steps::Dates(interval, offset, zone) => {
                    Some(Value::Long(interval.floor(column.millis(value)?, *offset, zone)))
                }
                Steps::Numbers(interval) => {
                    Some(Value::Double((value.number()? / interval).floor() * interval))
                }
            })
            .map(|value| self.part(Some(value)))
            .collect();
        parts.dedup();
        if parts.is_empty() && self.missing_bucket {
            parts.push(self.part(None));
        }
        parts
    }

    fn show(&self, column: &Column<'_>, value: &Value) -> Json {
        match (&self.steps, value) {
            (Steps::Dates(_, _, zone), Value::Long(at)) => match &self.format {
                Some(format) => format.print(from_millis(*at), zone).into(),
                None => (*at).into(),
            },
            (Steps::Numbers(_), Value::Double(start)) => (*start).into(),
            _ => match (column.field, value) {
                // Date keys are numbers unless a format was requested.
                (Some(field), Value::Long(n)) if field.kind.is_date() && self.format.is_none() => {
                    column.millis(value).unwrap_or(*n).into()
                }
                (Some(field), value) => doc_value(field, value, self.format.as_ref()),
                (None, _) => Json::Null,
            },
        }
    }

    fn after(&self, column: &Column<'_>, json: &Json) -> Answer<Part> {
        if json.is_null() {
            return Ok(self.part(None));
        }
        let failed =
            || Refusal::illegal(format!("Invalid value [{json}] for source [{}] in [after]", self.name));
        let value = match (&self.steps, json, column.field) {
            (Steps::Numbers(_), json, _) => Value::Double(json.as_f64().ok_or_else(failed)?),
            (Steps::Dates(..), Json::Number(number), _) => Value::Long(number.as_i64().ok_or_else(failed)?),
            (Steps::Dates(_, _, zone), Json::String(text), _) => {
                let formats = self.format.clone().unwrap_or_default();
                Value::Long(to_millis(parse_math(text, &formats, 0, false, zone).map_err(|_| failed())?))
            }
            (Steps::Values, Json::Number(number), Some(field)) if field.kind.is_date() => {
                field.instant(from_millis(number.as_i64().ok_or_else(failed)?)).map_err(|_| failed())?
            }
            (Steps::Values, json, Some(field)) => field.coerce(json).map_err(|_| failed())?,
            // No index has the field, so no bucket follows in any case.
            (Steps::Values, json, None) => Value::Str(json.to_string().into()),
            _ => return Err(failed()),
        };
        Ok(self.part(Some(value)))
    }
}

impl Composite {
    pub(super) fn run(&self, context: &Context<'_>, subs: &[Agg], entries: &[Entry<'_>]) -> Answer<Json> {
        let columns = self
            .sources
            .iter()
            .map(|source| {
                let column = Column::new(context, &source.field, None)?.unkeyed("composite")?;
                if matches!(source.steps, Steps::Values) {
                    Ok(column)
                } else {
                    column.numeric(&source.field, "composite")
                }
            })
            .collect::<Answer<Vec<_>>>()?;
        let after = match &self.after {
            None => None,
            Some(after) => {
                if after.len() != self.sources.len() {
                    return Err(Refusal::illegal(format!(
                        "[after] has {} value(s) but [sources] has {}",
                        after.len(),
                        self.sources.len()
                    )));
                }
                let parts = self.sources.iter().zip(&columns).map(|(source, column)| {
                    let json = after.get(&source.name);
                    let json = json.ok_or_else(|| {
                        Refusal::illegal(format!("Missing value for [after.{}]", source.name))
                    })?;
                    source.after(column, json)
                });
                Some(parts.collect::<Answer<Vec<Part>>>()?)
            }
        };
        let mut buckets: BTreeMap<Vec<Part>, Vec<Entry<'_>>> = BTreeMap::new();
        for entry in entries {
            let mut keys: Vec<Vec<Part>> = vec![Vec::with_capacity(columns.len())];
            for (source, column) in self.sources.iter().zip(&columns) {
                let parts = source.parts(column, entry);
                keys = keys.iter().flat_map(|key| parts.iter().map(move |part| with(key, part))).collect();
            }
            for key in keys {
                if after.as_ref().is_none_or(|after| key > *after) {
                    buckets.entry(key).or_default().push(*entry);
                }
            }
        }
        let mut made = Vec::new();
        let mut last = None;
        for (parts, entries) in buckets.into_iter().take(self.size) {
            let named = self.sources.iter().zip(&columns).zip(&parts).map(|((source, column), part)| {
                let shown = part.value.as_ref().map_or(Json::Null, |value| source.show(column, value));
                (source.name.clone(), shown)
            });
            let key = Json::Object(named.collect());
            let mut bucket = Map::new();
            bucket.insert("key".into(), key.clone());
            last = Some(key);
            made.push(((), context.bucket(bucket, subs, &entries)?));
        }
        let made = context.piped(subs, made)?;
        let made: Vec<Json> = made.into_iter().map(|(_, bucket)| Json::Object(bucket)).collect();
        let mut shown = Map::new();
        if let Some(last) = last {
            shown.insert("after_key".into(), last);
        }
        shown.insert("buckets".into(), made.into());
        Ok(Json::Object(shown))
    }
}

fn with(key: &[Part], part: &Part) -> Vec<Part> {
    key.iter().chain(std::iter::once(part)).cloned().collect()
}
