//! A bucket per value.
use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::column::Column;
use super::sorted::Order;
use super::{Agg, Context, Entry};
use crate::dates::Formats;
use crate::errors::{Answer, Refusal};
use crate::query::Regexp;
use crate::value::{Value, scalar_text};

#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) field: String,
    pub(super) size: usize,
    pub(super) min_doc_count: usize,
    pub(super) shard_size: Option<usize>,
    pub(super) order: Order,
    pub(super) missing: Option<Json>,
    pub(super) format: Option<Formats>,
    pub(super) include: Option<Choice>,
    pub(super) exclude: Option<Choice>,
}

/// `include` and `exclude`: a list of values, or a regular expression.
#[derive(Clone, Debug)]
pub(super) enum Choice {
    List(Vec<String>),
    Regexp(Regexp),
}

impl Choice {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::List(values) => values.iter().any(|value| value == text),
            Self::Regexp(regex) => regex.is_match(text),
        }
    }
}

/// Values as keys of a map: equal exactly if the values are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Term<'a> {
    Long(i64),
    Double(u64),
    Str(&'a str),
    Ip(u128),
}

impl<'a> Term<'a> {
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Long(n) => Self::Long(*n),
            Value::Double(n) => Self::Double(n.to_bits()),
            Value::Str(text) => Self::Str(text),
            Value::Ip(ip) => Self::Ip(*ip),
            Value::Tokens(_) | Value::Point(_) => return None,
        })
    }
}

struct Bucket<'a> {
    value: &'a Value,
    entries: Vec<Entry<'a>>,
    shown: Map<String, Json>,
}

impl Terms {
    pub(super) fn run(&self, context: &Context<'_>, subs: &[Agg], entries: &[Entry<'_>]) -> Answer<Json> {
        let column = Column::new(context, &self.field, self.missing.as_ref())?;
        let mut places: HashMap<Term<'_>, usize> = HashMap::new();
        let mut buckets: Vec<Bucket<'_>> = Vec::new();
        for entry in entries {
            let mut last: Option<&Value> = None;
            for value in column.values(entry) {
                // A document counts once per bucket, however often it has the value.
                if last.is_some_and(|last| last.order(value).is_eq()) {
                    continue;
                }
                last = Some(value);
                let Some(term) = Term::of(value) else { continue };
                let place = *places.entry(term).or_insert_with(|| {
                    buckets.push(Bucket { value, entries: Vec::new(), shown: Map::new() });
                    buckets.len() - 1
                });
                buckets[place].entries.push(*entry);
            }
        }
        // Without a minimum count, also values of documents that did not match.
        if self.min_doc_count == 0 {
            for (shard, number) in context.shards.iter().zip(0u32..) {
                for document in shard.snapshot.documents.iter().flatten() {
                    for value in document.all().flat_map(|document| column.of(number, document)) {
                        let Some(term) = Term::of(value) else { continue };
                        places.entry(term).or_insert_with(|| {
                            buckets.push(Bucket { value, entries: Vec::new(), shown: Map::new() });
                            buckets.len() - 1
                        });
                    }
                }
            }
        }
        let text = |value: &Value| {
            let key = column.key(value, self.format.as_ref());
            key.get("key_as_string").or(key.get("key")).and_then(scalar_text).unwrap_or_default()
        };
        if self.include.is_some() || self.exclude.is_some() {
            buckets.retain(|bucket| {
                let text = text(bucket.value);
                self.include.as_ref().is_none_or(|choice| choice.holds(&text))
                    && !self.exclude.as_ref().is_some_and(|choice| choice.holds(&text))
            });
        }
        let show = |bucket: &mut Bucket<'_>| -> Answer<()> {
            let key = column.key(bucket.value, self.format.as_ref());
            bucket.shown = context.bucket(key, subs, &bucket.entries)?;
            Ok(())
        };
        let early = self.order.needs_subs();
        if early {
            buckets.iter_mut().try_for_each(show)?;
        }
        buckets.sort_by(|a, b| {
            let counts = (a.entries.len(), b.entries.len());
            self.order.compare(&a.shown, &b.shown, counts, a.value.order(b.value))
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

impl Choice {
    pub(super) fn parse(value: &Json) -> Answer<Self> {
        match value {
            Json::Array(all) => {
                let texts = all.iter().map(scalar_text).collect::<Option<Vec<_>>>();
                texts.map(Self::List).ok_or_else(|| Refusal::parsing("include and exclude take values"))
            }
            Json::String(pattern) => Regexp::new(pattern, false).map(Self::Regexp).map_err(Refusal::illegal),
            _ => Err(Refusal::unmodelled("include or exclude by partition")),
        }
    }
}
