//! The order of buckets: by count, by key, or by what a sub-aggregation says.
use std::cmp::Ordering;

use serde_json::{Map, Value as Json};

use crate::errors::{Answer, Refusal};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum By {
    Count,
    Key,
    /// The name of a metric, and which of its numbers.
    Sub(String, String),
}

/// Several orders, the first decides; each with whether it descends.
#[derive(Clone, Debug)]
pub(super) struct Order(pub(super) Vec<(By, bool)>);

impl Order {
    pub(super) fn parse(value: &Json) -> Answer<Self> {
        let one = |value: &Json| -> Answer<(By, bool)> {
            let entry =
                value.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
            let (key, order) =
                entry.ok_or_else(|| Refusal::parsing("Must specify at least one field for [order]"))?;
            let descending = match order.as_str() {
                Some("asc") => false,
                Some("desc") => true,
                _ => return Err(Refusal::parsing(format!("Unknown order direction [{order}]"))),
            };
            let by = match key.as_str() {
                "_count" => By::Count,
                "_key" => By::Key,
                path if path.contains('>') => return Err(Refusal::unmodelled(format!("the order [{path}]"))),
                path => {
                    let (name, part) = path.split_once('.').unwrap_or((path, "value"));
                    By::Sub(name.to_owned(), part.to_owned())
                }
            };
            Ok((by, descending))
        };
        match value {
            Json::Array(all) => all.iter().map(one).collect::<Answer<_>>().map(Self),
            value => Ok(Self(vec![one(value)?])),
        }
    }

    pub(super) fn needs_subs(&self) -> bool {
        self.0.iter().any(|(by, _)| matches!(by, By::Sub(..)))
    }

    /// `keys` compares keys; it also breaks every tie, ascending.
    pub(super) fn compare(
        &self,
        a: &Map<String, Json>,
        b: &Map<String, Json>,
        counts: (usize, usize),
        keys: Ordering,
    ) -> Ordering {
        for (by, descending) in &self.0 {
            let order = match by {
                By::Count => counts.0.cmp(&counts.1),
                By::Key => keys,
                By::Sub(name, part) => {
                    let number = |bucket: &Map<String, Json>| {
                        let sub = bucket.get(name)?;
                        sub.get(part).or(sub.get("doc_count").filter(|_| part == "value"))?.as_f64()
                    };
                    match (number(a), number(b)) {
                        (Some(a), Some(b)) => a.total_cmp(&b),
                        // A bucket without a number comes last in either direction.
                        (None, Some(_)) => return Ordering::Greater,
                        (Some(_), None) => return Ordering::Less,
                        (None, None) => Ordering::Equal,
                    }
                }
            };
            let order = if *descending { order.reverse() } else { order };
            if order.is_ne() {
                return order;
            }
        }
        keys
    }
}
