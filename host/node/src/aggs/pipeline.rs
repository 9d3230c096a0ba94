//! Pipeline aggregations: select buckets, reorder them, or add a number.
use std::cmp::Ordering;

use serde_json::{Map, Value as Json, json};

use super::Agg;
use super::script::{Script, Value};
use crate::errors::{Answer, Refusal};

type Bucket = Map<String, Json>;

#[derive(Clone, Debug)]
pub(super) enum Pipeline {
    Selector(Formula),
    Script(Formula),
    Sort(Sort),
}

/// A script over numbers of the bucket.
#[derive(Clone, Debug)]
pub(super) struct Formula {
    pub(super) paths: Vec<(String, String)>,
    pub(super) script: Script,
    /// A missing number counts as zero instead of being missing.
    pub(super) zeros: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Sort {
    pub(super) by: Vec<(String, bool)>,
    pub(super) from: usize,
    pub(super) size: Option<usize>,
}

/// The number at a path such as `errors>_count`, `took.avg` or `p.95`; `None` if the bucket has none there.
pub(super) fn number_at(bucket: &Bucket, path: &str) -> Option<f64> {
    let (outer, last) = path.rsplit_once('>').map_or((None, path), |(outer, last)| (Some(outer), last));
    let mut at = bucket;
    for name in outer.into_iter().flat_map(|outer| outer.split('>')) {
        at = at.get(name.trim())?.as_object()?;
    }
    let last = last.trim();
    if last == "_count" {
        return at.get("doc_count")?.as_f64();
    }
    if let Some(name) = last.strip_suffix("._count") {
        return at.get(name)?.get("doc_count")?.as_f64();
    }
    if let Some(name) = last.strip_suffix("._bucket_count") {
        return Some(at.get(name)?.get("buckets")?.as_array()?.len() as f64);
    }
    if let Some(sub) = at.get(last) {
        return sub.get("value").or(sub.get("doc_count"))?.as_f64();
    }
    let (name, part) = match last.strip_suffix(']').and_then(|last| last.split_once('[')) {
        Some(split) => split,
        None => last.split_once('.')?,
    };
    let sub = at.get(name)?;
    let values = |part: &str| sub.get("values")?.get(part);
    let whole = part.parse::<f64>().ok().map(|percent| format!("{percent:?}"));
    sub.get(part).or_else(|| values(part)).or_else(|| values(&whole?))?.as_f64()
}

/// Whether a path leads to a result of these aggregations.
pub(super) fn leads(subs: &[Agg], path: &str) -> bool {
    if path == "_count" || path == "_key" {
        return true;
    }
    let (first, rest) = path.split_once('>').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let first = first.trim();
    let named = |agg: &&Agg| {
        let part = first.strip_prefix(agg.name.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']));
        agg.name == first || part
    };
    match (subs.iter().find(named), rest) {
        (Some(agg), None) => agg.is_number() || first.len() > agg.name.len(),
        (Some(agg), Some(rest)) => agg.kind.is_single() && leads(&agg.subs, rest),
        (None, _) => false,
    }
}

impl Formula {
    fn value(&self, bucket: &Bucket) -> Answer<Value> {
        let count = bucket.get("doc_count").and_then(Json::as_u64).unwrap_or(0);
        let number = |(name, path): &(String, String)| {
            let found = number_at(bucket, path).filter(|number| {
                // A count is never missing; everything else of an empty bucket is.
                number.is_finite() && (count > 0 || path == "_count")
            });
            let number = found.unwrap_or(if self.zeros { 0.0 } else { f64::NAN });
            (name.clone(), number)
        };
        let numbers: Vec<(String, f64)> = self.paths.iter().map(number).collect();
        self.script.run(&numbers).map_err(|reason| Refusal::new(400, "script_exception", reason))
    }
}

impl Pipeline {
    pub(super) fn run<K>(&self, name: &str, buckets: &mut Vec<(K, Bucket)>) -> Answer<()> {
        match self {
            Self::Selector(formula) => {
                let mut kept = Vec::with_capacity(buckets.len());
                for (key, bucket) in buckets.drain(..) {
                    match formula.value(&bucket)? {
                        Value::Bool(true) => kept.push((key, bucket)),
                        Value::Bool(false) => {}
                        other => {
                            return Err(Refusal::new(
                                400,
                                "script_exception",
                                format!("Cannot cast from [{other:?}] to [boolean]."),
                            ));
                        }
                    }
                }
                *buckets = kept;
            }
            Self::Script(formula) => {
                for (_, bucket) in buckets.iter_mut() {
                    let missing = formula.paths.iter().any(|(_, path)| number_at(bucket, path).is_none());
                    if missing && !formula.zeros {
                        continue;
                    }
                    match formula.value(bucket)?.number() {
                        Some(number) if number.is_finite() => {
                            bucket.insert(name.to_owned(), json!({"value": number}));
                        }
                        _ => {}
                    }
                }
            }
            Self::Sort(sort) => {
                if !sort.by.is_empty() {
                    // A bucket with none of the numbers is omitted.
                    buckets.retain(|(_, bucket)| {
                        sort.by.iter().any(|(path, _)| sort_key(bucket, path).is_some())
                    });
                    buckets.sort_by(|a, b| sort.compare(&a.1, &b.1));
                }
                buckets.drain(..sort.from.min(buckets.len()));
                buckets.truncate(sort.size.unwrap_or(usize::MAX));
            }
        }
        Ok(())
    }
}

/// A number, or the key itself.
fn sort_key(bucket: &Bucket, path: &str) -> Option<Json> {
    if path == "_key" {
        return bucket.get("key").cloned();
    }
    number_at(bucket, path).map(Json::from)
}

impl Sort {
    fn compare(&self, a: &Bucket, b: &Bucket) -> Ordering {
        for (path, descending) in &self.by {
            let order = match (sort_key(a, path), sort_key(b, path)) {
                (Some(Json::String(a)), Some(Json::String(b))) => a.as_bytes().cmp(b.as_bytes()),
                (Some(a), Some(b)) => match (a.as_f64(), b.as_f64()) {
                    (Some(a), Some(b)) => a.total_cmp(&b),
                    _ => Ordering::Equal,
                },
                // A bucket without a number comes last in either direction.
                (None, Some(_)) => return Ordering::Greater,
                (Some(_), None) => return Ordering::Less,
                (None, None) => Ordering::Equal,
            };
            let order = if *descending { order.reverse() } else { order };
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_into_a_bucket() {
        let bucket = json!({
            "doc_count": 3, "took": {"avg": 2.5}, "max": {"value": 9.0}, "f": {"doc_count": 1, "m": {"value": 4.0}},
            "p": {"values": {"95.0": 7.0}}, "t": {"buckets": [1, 2]},
        });
        let at = |path: &str| number_at(bucket.as_object().unwrap(), path);
        assert_eq!((at("_count"), at("max"), at("max.value")), (Some(3.0), Some(9.0), Some(9.0)));
        assert_eq!(
            (at("took.avg"), at("f"), at("f>_count"), at("f>m")),
            (Some(2.5), Some(1.0), Some(1.0), Some(4.0))
        );
        assert_eq!((at("p.95"), at("p[95.0]"), at("t._bucket_count")), (Some(7.0), Some(7.0), Some(2.0)));
        assert_eq!((at("gone"), at("took.gone"), at("f>gone")), (None, None, None));
    }
}
