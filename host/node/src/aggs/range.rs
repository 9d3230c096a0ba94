//! A bucket per given range, per given filter, or for missing values.
use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::column::Column;
use super::{Agg, Context, Entry, shown};
use crate::errors::Answer;
use crate::query::Query;
use crate::value::Value;

/// Over numbers; `from` is inclusive, `to` is exclusive.
#[derive(Clone, Debug)]
pub(super) struct Ranges {
    pub(super) field: String,
    pub(super) ranges: Vec<(Option<String>, Option<f64>, Option<f64>)>,
    pub(super) keyed: bool,
    pub(super) missing: Option<Json>,
}

impl Ranges {
    pub(super) fn run(&self, context: &Context<'_>, subs: &[Agg], entries: &[Entry<'_>]) -> Answer<Json> {
        let column =
            Column::new(context, &self.field, self.missing.as_ref())?.numeric(&self.field, "range")?;
        let mut ranges = self.ranges.clone();
        let edge = |edge: Option<f64>, open: f64| edge.unwrap_or(open);
        ranges.sort_by(|a, b| {
            edge(a.1, f64::NEG_INFINITY)
                .total_cmp(&edge(b.1, f64::NEG_INFINITY))
                .then(edge(a.2, f64::INFINITY).total_cmp(&edge(b.2, f64::INFINITY)))
        });
        let mut made = Vec::new();
        for (name, from, to) in ranges {
            let inside =
                |number: f64| from.is_none_or(|from| number >= from) && to.is_none_or(|to| number < to);
            let held: Vec<Entry<'_>> = entries
                .iter()
                .filter(|entry| column.values(entry).iter().filter_map(Value::number).any(inside))
                .copied()
                .collect();
            let beside = |edge: f64| column.as_string(edge);
            let text = |edge: Option<f64>| {
                edge.map_or("*".to_owned(), |edge| beside(edge).unwrap_or_else(|| format!("{edge:?}")))
            };
            let name = name.unwrap_or_else(|| format!("{}-{}", text(from), text(to)));
            let mut key = Map::new();
            if !self.keyed {
                key.insert("key".into(), name.clone().into());
            }
            for (edge, value) in [("from", from), ("to", to)] {
                if let Some(value) = value {
                    key.insert(edge.into(), value.into());
                    if let Some(text) = beside(value) {
                        key.insert(format!("{edge}_as_string"), text.into());
                    }
                }
            }
            made.push((name, context.bucket(key, subs, &held)?));
        }
        Ok(shown(context.piped(subs, made)?, self.keyed))
    }
}

/// Named filters give an object, others a list; `other` names the bucket of what no filter matches.
pub(super) fn filters(
    context: &Context<'_>,
    filters: &[(Option<String>, Query)],
    other: Option<&str>,
    subs: &[Agg],
    entries: &[Entry<'_>],
) -> Answer<Json> {
    let keyed = filters.iter().any(|(name, _)| name.is_some());
    let mut made = Vec::new();
    let mut taken = HashSet::new();
    for (name, query) in filters {
        let held = context.filtered(query, entries)?;
        if other.is_some() {
            taken.extend(held.iter().map(|entry| std::ptr::from_ref(entry.document)));
        }
        made.push((name.clone().unwrap_or_default(), context.bucket(Map::new(), subs, &held)?));
    }
    if let Some(other) = other {
        let left = entries.iter().filter(|entry| !taken.contains(&std::ptr::from_ref(entry.document)));
        let left: Vec<Entry<'_>> = left.copied().collect();
        made.push((other.to_owned(), context.bucket(Map::new(), subs, &left)?));
    }
    Ok(shown(context.piped(subs, made)?, keyed))
}

pub(super) fn missing(
    context: &Context<'_>,
    field: &str,
    missing: Option<&Json>,
    subs: &[Agg],
    entries: &[Entry<'_>],
) -> Answer<Json> {
    let column = Column::new(context, field, missing)?;
    let held: Vec<Entry<'_>> =
        entries.iter().filter(|entry| column.values(entry).is_empty()).copied().collect();
    Ok(json!(context.bucket(Map::new(), subs, &held)?))
}
