//! A bucket per range of dates or addresses.
use serde_json::{Map, Value as Json};

use super::column::Column;
use super::{Agg, Context, Entry, shown};
use crate::dates::{Formats, Zone, from_millis, parse_math, to_millis};
use crate::errors::{Answer, Refusal};
use crate::mapping::FieldKind;
use crate::value::{Value, print_ip};

#[derive(Clone, Debug)]
pub(super) struct DateRanges {
    pub(super) field: String,
    /// Each with its key, from, and to.
    pub(super) ranges: Vec<(Option<String>, Option<Edge>, Option<Edge>)>,
    pub(super) keyed: bool,
    pub(super) format: Option<Formats>,
    pub(super) zone: Zone,
    pub(super) missing: Option<Json>,
}

#[derive(Clone, Debug)]
pub(super) enum Edge {
    /// Milliseconds since the epoch.
    At(f64),
    /// A date, with its maths.
    Said(String),
}

impl DateRanges {
    pub(super) fn run(&self, context: &Context<'_>, subs: &[Agg], entries: &[Entry<'_>]) -> Answer<Json> {
        let column =
            Column::new(context, &self.field, self.missing.as_ref())?.dates(&self.field, "date_range")?;
        let formats =
            self.format.clone().or(column.field.map(|field| field.formats.clone())).unwrap_or_default();
        let at = |edge: &Option<Edge>| -> Answer<Option<f64>> {
            match edge {
                None => Ok(None),
                Some(Edge::At(at)) => Ok(Some(*at)),
                Some(Edge::Said(text)) => parse_math(text, &formats, context.now, false, &self.zone)
                    .map(|at| Some(to_millis(at) as f64))
                    .map_err(|reason| Refusal::new(400, "parse_exception", reason)),
            }
        };
        let mut ranges = Vec::new();
        for (name, from, to) in &self.ranges {
            ranges.push((name.clone(), at(from)?, at(to)?));
        }
        ranges.sort_by(|a, b| {
            let edge = |edge: Option<f64>, open: f64| edge.unwrap_or(open);
            edge(a.1, f64::NEG_INFINITY)
                .total_cmp(&edge(b.1, f64::NEG_INFINITY))
                .then(edge(a.2, f64::INFINITY).total_cmp(&edge(b.2, f64::INFINITY)))
        });
        let text = |edge: Option<f64>| {
            edge.map_or("*".to_owned(), |edge| formats.print(from_millis(edge as i64), &self.zone))
        };
        let mut made = Vec::new();
        for (name, from, to) in ranges {
            let inside = |at: f64| from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to);
            let held: Vec<Entry<'_>> = entries
                .iter()
                .filter(|entry| {
                    let millis = column.values(entry).iter().filter_map(|value| column.millis(value));
                    millis.map(|at| at as f64).any(inside)
                })
                .copied()
                .collect();
            let name = name.unwrap_or_else(|| format!("{}-{}", text(from), text(to)));
            let mut key = Map::new();
            if !self.keyed {
                key.insert("key".into(), name.clone().into());
            }
            for (edge, value) in [("from", from), ("to", to)] {
                if let Some(at) = value {
                    key.insert(edge.into(), at.into());
                    key.insert(format!("{edge}_as_string"), text(value).into());
                }
            }
            made.push((name, context.bucket(key, subs, &held)?));
        }
        Ok(shown(context.piped(subs, made)?, self.keyed))
    }
}

#[derive(Clone, Debug)]
pub(super) struct IpRanges {
    pub(super) field: String,
    /// Each with its key, its first address, and the first after it.
    pub(super) ranges: Vec<(Option<String>, Option<u128>, Option<u128>)>,
    pub(super) keyed: bool,
}

impl IpRanges {
    pub(super) fn run(&self, context: &Context<'_>, subs: &[Agg], entries: &[Entry<'_>]) -> Answer<Json> {
        let column = Column::new(context, &self.field, None)?;
        if let Some(kind) = column.field.map(|field| field.kind).filter(|kind| *kind != FieldKind::Ip) {
            return Err(Refusal::illegal(format!(
                "Field [{}] of type [{}] is not supported for aggregation [ip_range]",
                self.field,
                kind.name()
            )));
        }
        let mut ranges = self.ranges.clone();
        // An open end comes first at the bottom and last at the top.
        ranges.sort_by_key(|(_, from, to)| (*from, to.is_none(), *to));
        let text = |edge: Option<u128>| edge.map_or("*".to_owned(), print_ip);
        let mut made = Vec::new();
        for (name, from, to) in ranges {
            let inside = |value: &Value| matches!(value, Value::Ip(ip) if from.is_none_or(|from| *ip >= from) && to.is_none_or(|to| *ip < to));
            let held: Vec<Entry<'_>> =
                entries.iter().filter(|entry| column.values(entry).iter().any(inside)).copied().collect();
            let name = name.unwrap_or_else(|| format!("{}-{}", text(from), text(to)));
            let mut key = Map::new();
            if !self.keyed {
                key.insert("key".into(), name.clone().into());
            }
            for (edge, value) in [("from", from), ("to", to)] {
                if value.is_some() {
                    key.insert(edge.into(), text(value).into());
                }
            }
            made.push((name, context.bucket(key, subs, &held)?));
        }
        Ok(shown(context.piped(subs, made)?, self.keyed))
    }
}
