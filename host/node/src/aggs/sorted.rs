//! The order of buckets: by count, by key, or by a sub-aggregation.
use std::cmp::Ordering;

use serde_json::{Map, Value as Json};

use super::pipeline::number_at;
use crate::errors::{Answer, Refusal};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum By {
    Count,
    Key,
    /// The path of a number in the bucket.
    Sub(String),
}

/// Several orders, the first decides; each with whether it is descending.
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
                path => By::Sub(path.to_owned()),
            };
            Ok((by, descending))
        };
        match value {
            Json::Array(all) => all.iter().map(one).collect::<Answer<_>>().map(Self),
            value => Ok(Self(vec![one(value)?])),
        }
    }

    /// How many of `size` buckets a shard returns, and whether it then cannot bound the error of their counts.
    pub(super) fn handed_over(&self, size: usize, asked: Option<usize>) -> (usize, bool) {
        let first = self.0.first().map(|(by, descending)| (by, *descending));
        let by_key = matches!(first, Some((By::Key, _)));
        let by_count = matches!(first, Some((By::Count, true)));
        let handed = match asked {
            Some(asked) => asked.max(size),
            None if by_key => size,
            // As servers compute it, so that what a shard omitted is seldom missed.
            None => size + size / 2 + 10,
        };
        (handed, !by_key && !by_count)
    }

    pub(super) fn needs_subs(&self) -> bool {
        self.0.iter().any(|(by, _)| matches!(by, By::Sub(_)))
    }

    /// `keys` compares keys, and also breaks every tie, ascending.
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
                By::Sub(path) => {
                    match (number_at(a, path), number_at(b, path)) {
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
