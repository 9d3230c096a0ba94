//! Which documents, and in which order.
use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value as Json;

use super::request::{Request, Total};
use super::sort::{By, Key, Slot, Spec};
use crate::aggs;
use crate::cluster::Snapshot;
use crate::document::Document;
use crate::errors::{Answer, Refusal};
use crate::query::{Compiled, Scope, compile};

/// One index in a search.
pub(crate) struct Shard {
    pub(crate) snapshot: Snapshot,
    pub(crate) compiled: Compiled,
    slots: Vec<Slot>,
}

/// A search bound to its indices.
pub(crate) struct Plan {
    pub(crate) request: Request,
    pub(crate) shards: Vec<Shard>,
    pub(crate) now: i64,
}

pub(crate) struct Hit {
    pub(crate) shard: u32,
    pub(crate) document: Arc<Document>,
    pub(crate) sort: Vec<Json>,
}

pub(crate) struct Outcome {
    pub(crate) matched: usize,
    pub(crate) hits: Vec<Hit>,
    pub(crate) aggs: Option<Json>,
}

pub(crate) fn bind(mut request: Request, snapshots: &[Snapshot], now: i64) -> Answer<Plan> {
    // A point in time breaks ties by itself; so pages over it lose nothing.
    if request.pit.is_some()
        && !request.sort.iter().any(|spec| spec.by == By::ShardDoc)
        && !request.sort.is_empty()
    {
        request.sort.push(Spec::shard_doc());
    }
    if request.pit.is_none() && request.sort.iter().any(|spec| spec.by == By::ShardDoc) {
        return Err(Refusal::illegal("[_shard_doc] sort field cannot be used without [point in time]"));
    }
    let mut shards = Vec::with_capacity(snapshots.len());
    for snapshot in snapshots {
        let scope = Scope { mapping: &snapshot.mapping, index: &snapshot.name, now };
        let inside = |refusal: Refusal| {
            if refusal.kind == "query_shard_exception" {
                refusal.with("index", &*snapshot.name)
            } else {
                refusal
            }
        };
        let compiled = compile(&request.query, &scope).map_err(inside)?;
        let slots = request
            .sort
            .iter()
            .map(|spec| spec.slot(&snapshot.mapping).map_err(inside))
            .collect::<Answer<_>>()?;
        shards.push(Shard { snapshot: snapshot.clone(), compiled, slots });
    }
    Ok(Plan { request, shards, now })
}

struct Found<'a> {
    shard: u32,
    place: i64,
    document: &'a Arc<Document>,
}

/// Runs a bound search. `all`: every hit, for a scroll, and not the first page alone.
pub(crate) fn run(plan: &Plan, all: bool) -> Answer<Outcome> {
    let request = &plan.request;
    let mut found: Vec<Found<'_>> = Vec::new();
    for (shard, number) in plan.shards.iter().zip(0u32..) {
        let first = i64::from(number) << 32;
        for (place, document) in shard.snapshot.documents.iter().enumerate() {
            let Some(document) = document else { continue };
            if shard.compiled.predicate.hit(document) {
                found.push(Found { shard: number, place: first + place as i64, document });
            }
        }
    }
    let aggs = if request.aggs.is_empty() {
        None
    } else {
        let documents: Vec<aggs::Entry<'_>> =
            found.iter().map(|found| aggs::Entry { shard: found.shard, document: found.document }).collect();
        Some(aggs::run(&request.aggs, &plan.shards, &documents, plan.now)?)
    };
    if let Some(filter) = &request.post_filter {
        let mut predicates = Vec::new();
        for shard in &plan.shards {
            let scope =
                Scope { mapping: &shard.snapshot.mapping, index: &shard.snapshot.name, now: plan.now };
            predicates.push(compile(filter, &scope)?.predicate);
        }
        found.retain(|found| predicates[found.shard as usize].hit(found.document));
    }
    let matched = found.len();
    let wanted = if all { usize::MAX } else { request.from.saturating_add(request.size) };
    if wanted == 0 {
        return Ok(Outcome { matched, hits: Vec::new(), aggs });
    }
    let hits = order(plan, found, wanted)?;
    let skip = if all { 0 } else { request.from };
    Ok(Outcome { matched, hits: hits.into_iter().skip(skip).collect(), aggs })
}

fn order(plan: &Plan, found: Vec<Found<'_>>, wanted: usize) -> Answer<Vec<Hit>> {
    let specs = &plan.request.sort;
    let keys_of = |found: &Found<'_>| -> Vec<Key> {
        let shard = &plan.shards[found.shard as usize];
        let slots = specs.iter().zip(&shard.slots);
        slots.map(|(spec, slot)| spec.key(slot, found.document, &shard.snapshot.name, found.place)).collect()
    };
    let compare = |a: &[Key], b: &[Key]| {
        let mut orders = specs.iter().zip(a.iter().zip(b)).map(|(spec, (a, b))| spec.compare(a, b));
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    };
    let mut keyed: Vec<(Vec<Key>, Found<'_>)> =
        found.into_iter().map(|found| (keys_of(&found), found)).collect();
    if let Some(values) = &plan.request.search_after {
        // Ties may be left out, as the point in time adds its own at the end.
        let implied =
            specs.last().is_some_and(|spec| spec.by == By::ShardDoc) && values.len() + 1 == specs.len();
        if values.len() != specs.len() && !implied {
            return Err(Refusal::illegal(if specs.is_empty() {
                "Sort must contain at least one field.".to_owned()
            } else {
                format!("search_after has {} value(s) but sort has {}.", values.len(), specs.len())
            }));
        }
        let after = specs.iter().zip(values).enumerate().map(|(at, (spec, value))| {
            let mapped = plan.shards.iter().find(|shard| matches!(shard.slots[at], Slot::Field { .. }));
            let shard = mapped.or(plan.shards.first());
            spec.after(
                value,
                shard.map(|shard| &shard.slots[at]),
                shard.map(|shard| &*shard.snapshot.mapping),
            )
        });
        let after = after.collect::<Answer<Vec<Key>>>()?;
        keyed.retain(|(keys, _)| compare(keys, &after).is_gt());
    }
    let full = |a: &(Vec<Key>, Found<'_>), b: &(Vec<Key>, Found<'_>)| {
        compare(&a.0, &b.0).then_with(|| a.1.place.cmp(&b.1.place))
    };
    // Without a sort the documents already stand in the order of writing.
    if !specs.is_empty() {
        if wanted < keyed.len() / 2 {
            keyed.select_nth_unstable_by(wanted, full);
            keyed.truncate(wanted);
        }
        keyed.sort_unstable_by(full);
    }
    keyed.truncate(wanted);
    Ok(keyed
        .into_iter()
        .map(|(keys, found)| {
            let slots = &plan.shards[found.shard as usize].slots;
            let sort =
                specs.iter().zip(slots).zip(&keys).map(|((spec, slot), key)| spec.show(key, slot)).collect();
            Hit { shard: found.shard, document: Arc::clone(found.document), sort }
        })
        .collect())
}

impl Outcome {
    pub(crate) fn total(&self, request: &Request) -> Option<Json> {
        let (value, relation) = match request.total {
            Total::No => return None,
            Total::UpTo(limit) if self.matched > limit && request.scroll.is_none() => (limit, "gte"),
            _ => (self.matched, "eq"),
        };
        Some(if request.total_as_int {
            self.matched.into()
        } else {
            serde_json::json!({"value": value, "relation": relation})
        })
    }
}
