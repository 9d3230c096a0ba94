//! A bucket per combination of values.
use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::column::Column;
use super::sorted::Order;
use super::terms::Term;
use super::{Agg, Context, Entry};
use crate::dates::Formats;
use crate::doc_values::doc_value;
use crate::errors::Answer;
use crate::value::Value;

#[derive(Clone, Debug)]
pub(super) struct MultiTerms {
    pub(super) parts: Vec<Part>,
    pub(super) size: usize,
    pub(super) min_doc_count: usize,
    pub(super) shard_size: Option<usize>,
    pub(super) order: Order,
}

#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) field: String,
    pub(super) missing: Option<Json>,
    pub(super) format: Option<Formats>,
}

struct Bucket<'a> {
    values: Vec<&'a Value>,
    entries: Vec<Entry<'a>>,
    shown: Map<String, Json>,
}

impl MultiTerms {
    pub(super) fn run(&self, context: &Context<'_>, subs: &[Agg], entries: &[Entry<'_>]) -> Answer<Json> {
        let columns = self
            .parts
            .iter()
            .map(|part| Column::new(context, &part.field, part.missing.as_ref())?.unkeyed("multi_terms"))
            .collect::<Answer<Vec<_>>>()?;
        let mut places: HashMap<Vec<Term<'_>>, usize> = HashMap::new();
        let mut buckets: Vec<Bucket<'_>> = Vec::new();
        for entry in entries {
            // A document counts once per combination; values are sorted, so equal ones are neighbours.
            let mut combined: Vec<Vec<&Value>> = vec![Vec::new()];
            for column in &columns {
                let mut values: Vec<&Value> = column.values(entry).iter().collect();
                values.dedup_by(|a, b| a.order(b).is_eq());
                combined = combined
                    .iter()
                    .flat_map(|head| {
                        values.iter().map(move |value| head.iter().copied().chain([*value]).collect())
                    })
                    .collect();
            }
            for values in combined {
                let Some(key) = values.iter().map(|value| Term::of(value)).collect::<Option<Vec<_>>>() else {
                    continue;
                };
                let place = *places.entry(key).or_insert_with(|| {
                    buckets.push(Bucket { values, entries: Vec::new(), shown: Map::new() });
                    buckets.len() - 1
                });
                buckets[place].entries.push(*entry);
            }
        }
        let show = |bucket: &mut Bucket<'_>| -> Answer<()> {
            let key: Vec<Json> = self
                .parts
                .iter()
                .zip(&columns)
                .zip(&bucket.values)
                .map(|((part, column), value)| match (column.field, value) {
                    (Some(field), value) => doc_value(field, value, part.format.as_ref()),
                    (None, Value::Str(text)) => (&**text).into(),
                    (None, _) => Json::Null,
                })
                .collect();
            let text: Vec<String> =
                key.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect();
            let mut shown = Map::new();
            shown.insert("key".into(), key.into());
            shown.insert("key_as_string".into(), text.join("|").into());
            bucket.shown = context.bucket(shown, subs, &bucket.entries)?;
            Ok(())
        };
        let early = self.order.needs_subs();
        if early {
            buckets.iter_mut().try_for_each(show)?;
        }
        buckets.sort_by(|a, b| {
            let counts = (a.entries.len(), b.entries.len());
            let mut keys = a.values.iter().zip(&b.values).map(|(a, b)| a.order(b));
            let keys = keys.find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal);
            self.order.compare(&a.shown, &b.shown, counts, keys)
        });
        // A shard counts what it omits; documents that are then too few are omitted uncounted.
        let (handed, unsure) = self.order.handed_over(self.size, self.shard_size);
        let error = if unsure && buckets.len() >= handed { -1 } else { 0 };
        let count = |left: &[Bucket<'_>]| left.iter().map(|bucket| bucket.entries.len()).sum::<usize>();
        let mut rest = count(&buckets[handed.min(buckets.len())..]);
        buckets.truncate(handed);
        buckets.retain(|bucket| bucket.entries.len() >= self.min_doc_count);
        rest += count(&buckets[self.size.min(buckets.len())..]);
        buckets.truncate(self.size);
        if !early {
            buckets.iter_mut().try_for_each(show)?;
        }
        let made = buckets.into_iter().map(|bucket| ((), bucket.shown)).collect();
        let buckets = context.piped(subs, made)?;
        let buckets: Vec<Json> = buckets.into_iter().map(|(_, bucket)| Json::Object(bucket)).collect();
        Ok(json!({"doc_count_error_upper_bound": error, "sum_other_doc_count": rest, "buckets": buckets}))
    }
}
