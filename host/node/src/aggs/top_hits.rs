//! The first hits of each bucket.
use std::cmp::Ordering;

use serde_json::{Map, Value as Json, json};

use super::{Context, Entry};
use crate::errors::{Answer, Refusal};
use crate::search::{Asked, Hit, write_hits};

/// As `index.max_inner_result_window`.
pub(super) const WINDOW_MAX: usize = 100;

/// The parts of a search that a bucket may request: an order, a page, and what is shown of each hit.
#[derive(Clone)]
pub(super) struct TopHits(pub(super) std::sync::Arc<Asked>);

impl std::fmt::Debug for TopHits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopHits").finish_non_exhaustive()
    }
}

impl TopHits {
    pub(super) fn read(name: &str, body: &Map<String, Json>) -> Answer<Self> {
        const KNOWN: &[&str] = &[
            "from",
            "size",
            "sort",
            "_source",
            "docvalue_fields",
            "fields",
            "version",
            "seq_no_primary_term",
            "explain",
            "track_scores",
        ];
        for (key, value) in body {
            if ["highlight", "script_fields", "stored_fields", "rescore"].contains(&key.as_str()) {
                return Err(Refusal::unmodelled(format!("[{key}] of [top_hits]")));
            }
            if !KNOWN.contains(&key.as_str()) {
                return Err(Refusal::parsing(format!("Unknown key for a value in [{key}]: [{value}].")));
            }
        }
        let mut asked = Asked::first(3);
        for (key, value) in body {
            asked.read(key, value)?;
        }
        let window = asked.from.saturating_add(asked.size);
        if window > WINDOW_MAX {
            return Err(Refusal::illegal(format!(
                "Top hits result window is too large, the top hits aggregator [{name}]'s from + size must be less than or \
                 equal to: [{WINDOW_MAX}] but was [{window}]. This limit can be set by changing the \
                 [index.max_inner_result_window] index level setting."
            )));
        }
        Ok(Self(std::sync::Arc::new(asked)))
    }

    pub(super) fn run(&self, context: &Context<'_>, entries: &[Entry<'_>]) -> Answer<Json> {
        let asked = &self.0;
        if entries.iter().any(Entry::is_nested) {
            return Err(Refusal::unmodelled("[top_hits] inside of [nested]"));
        }
        let mut slots = Vec::with_capacity(context.shards.len());
        for shard in context.shards {
            let bound = asked.sort.iter().map(|spec| spec.slot(&shard.snapshot.mapping));
            slots.push(bound.collect::<Answer<Vec<_>>>()?);
        }
        let mut keyed: Vec<_> = entries
            .iter()
            .zip(0i64..)
            .map(|(entry, place)| {
                let name = &context.shards[entry.shard as usize].snapshot.name;
                let slots = asked.sort.iter().zip(&slots[entry.shard as usize]);
                let keys: Vec<_> =
                    slots.map(|(spec, slot)| spec.key(slot, entry.document, name, place)).collect();
                (keys, entry)
            })
            .collect();
        // The sort is stable: equal keys stay in write order.
        keyed.sort_by(|(a, _), (b, _)| {
            let mut orders = asked.sort.iter().zip(a.iter().zip(b)).map(|(spec, (a, b))| spec.compare(a, b));
            orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        let page = keyed.into_iter().skip(asked.from).take(asked.size);
        let hits: Vec<Hit> = page
            .map(|(keys, entry)| {
                let slots = &slots[entry.shard as usize];
                let shown = asked.sort.iter().zip(slots).zip(&keys);
                Hit {
                    shard: entry.shard,
                    document: std::sync::Arc::clone(entry.document),
                    sort: shown.map(|((spec, slot), key)| spec.show(key, slot)).collect(),
                }
            })
            .collect();
        let mut written = String::new();
        write_hits(asked, context.shards, &hits, &mut written)?;
        let written: Json = serde_json::from_str(&written).unwrap_or_default();
        let scored = asked.sort.is_empty() && !hits.is_empty();
        Ok(json!({"hits": {
            "total": {"value": entries.len(), "relation": "eq"},
            "max_score": scored.then_some(1.0),
            "hits": written,
        }}))
    }
}
