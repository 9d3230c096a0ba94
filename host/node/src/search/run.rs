//! Which documents match, and in which order.
use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value as Json;

use super::request::{Request, Total};
use super::shard::{Hit, Shard};
use super::sort::{By, Key, Slot, Spec};
use crate::aggs;
use crate::document::Document;
use crate::errors::{Answer, Refusal};
use crate::query::{Predicate, compile};
use crate::snapshot::Snapshot;

/// A search bound to its indices.
pub(crate) struct Plan {
    pub(crate) request: Request,
    pub(crate) shards: Vec<Shard>,
    pub(crate) now: i64,
}

pub(crate) struct Outcome {
    pub(crate) matched: usize,
    pub(crate) hits: Vec<Hit>,
    pub(crate) aggs: Option<Json>,
}

pub(crate) fn bind(mut request: Request, snapshots: &[Snapshot], now: i64) -> Answer<Plan> {
    // A point in time breaks ties, so its pages lose nothing.
    if request.pit.is_some()
        && !request.hits.sort.iter().any(|spec| spec.by == By::ShardDoc)
        && !request.hits.sort.is_empty()
    {
        request.hits.sort.push(Spec::shard_doc());
    }
    if request.pit.is_none() && request.hits.sort.iter().any(|spec| spec.by == By::ShardDoc) {
        return Err(Refusal::illegal("[_shard_doc] sort field cannot be used without [point in time]"));
    }
    let mut shards = Vec::with_capacity(snapshots.len());
    for snapshot in snapshots {
        let scope = snapshot.scope(now);
        let inside = |refusal: Refusal| {
            if refusal.kind == "query_shard_exception" {
                refusal.with("index", &*snapshot.name)
            } else {
                refusal
            }
        };
        let mut compiled = compile(&request.query, &scope).map_err(inside)?;
        if let Some(filter) = &snapshot.filter {
            let filter = compile(filter, &scope).map_err(inside)?.predicate;
            compiled.predicate = Predicate::and(vec![filter, compiled.predicate]);
        }
        let slots = request
            .hits
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

fn matching(plan: &Plan) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    for (shard, number) in plan.shards.iter().zip(0u32..) {
        let first = i64::from(number) << 32;
        for (place, document) in shard.snapshot.documents.iter().enumerate() {
            let Some(document) = document else { continue };
            if shard.compiled.predicate.hit(document) {
                found.push(Found { shard: number, place: first + place as i64, document });
            }
        }
    }
    found
}

fn post_filtered<'a>(plan: &Plan, mut found: Vec<Found<'a>>) -> Answer<Vec<Found<'a>>> {
    let Some(filter) = &plan.request.post_filter else { return Ok(found) };
    let mut predicates = Vec::new();
    for shard in &plan.shards {
        let scope = shard.snapshot.scope(plan.now);
        predicates.push(compile(filter, &scope)?.predicate);
    }
    found.retain(|found| predicates[found.shard as usize].hit(found.document));
    Ok(found)
}

/// Runs a bound search. `all`: every hit, for a scroll, instead of the first page.
pub(crate) fn run(plan: &Plan, all: bool) -> Answer<Outcome> {
    let request = &plan.request;
    let found = matching(plan);
    let aggs = if request.aggs.is_empty() {
        None
    } else {
        let documents: Vec<aggs::Entry<'_>> =
            found.iter().map(|found| aggs::Entry::root(found.shard, found.document)).collect();
        Some(aggs::run(&request.aggs, &plan.shards, &documents, plan.now)?)
    };
    let found = post_filtered(plan, found)?;
    let matched = found.len();
    let wanted = if all { usize::MAX } else { request.hits.from.saturating_add(request.hits.size) };
    if wanted == 0 {
        return Ok(Outcome { matched, hits: Vec::new(), aggs });
    }
    let mut keyed = keyed(plan, found);
    if let Some(after) = after(plan)? {
        keyed.retain(|one| compare(plan, &one.keys, &after).is_gt());
    }
    // Without a sort the documents are already in write order.
    if !request.hits.sort.is_empty() {
        if wanted < keyed.len() / 2 {
            keyed.select_nth_unstable_by(wanted, |a, b| full(plan, a, b));
            keyed.truncate(wanted);
        }
        keyed.sort_unstable_by(|a, b| full(plan, a, b));
    }
    let skip = if all { 0 } else { request.hits.from };
    let hits = keyed.iter().take(wanted).skip(skip).map(|one| one.hit(plan)).collect();
    Ok(Outcome { matched, hits, aggs })
}

/// All hits of a search in order: the source of a point in time's pages.
pub(crate) struct Sorted(Vec<Keyed>);

/// Runs a bound search without its page.
pub(crate) fn sort_all(plan: &Plan) -> Answer<Sorted> {
    let found = post_filtered(plan, matching(plan))?;
    let mut keyed = keyed(plan, found);
    if !plan.request.hits.sort.is_empty() {
        keyed.sort_unstable_by(|a, b| full(plan, a, b));
    }
    Ok(Sorted(keyed))
}

impl Sorted {
    /// The page of `plan`, whose search was the one sorted.
    pub(crate) fn page(&self, plan: &Plan) -> Answer<Outcome> {
        let start = match after(plan)? {
            Some(after) => self.0.partition_point(|one| compare(plan, &one.keys, &after).is_le()),
            None => plan.request.hits.from,
        };
        let hits = self.0.iter().skip(start).take(plan.request.hits.size).map(|one| one.hit(plan)).collect();
        Ok(Outcome { matched: self.0.len(), hits, aggs: None })
    }
}

/// A matching document with its sort keys.
struct Keyed {
    keys: Box<[Key]>,
    shard: u32,
    place: i64,
    document: Arc<Document>,
}

impl Keyed {
    fn hit(&self, plan: &Plan) -> Hit {
        let slots = &plan.shards[self.shard as usize].slots;
        let keys = plan.request.hits.sort.iter().zip(slots).zip(&self.keys);
        let sort = keys.map(|((spec, slot), key)| spec.show(key, slot)).collect();
        Hit { shard: self.shard, document: Arc::clone(&self.document), sort }
    }
}

fn keyed(plan: &Plan, found: Vec<Found<'_>>) -> Vec<Keyed> {
    let one = |found: Found<'_>| {
        let shard = &plan.shards[found.shard as usize];
        let slots = plan.request.hits.sort.iter().zip(&shard.slots);
        let key =
            |(spec, slot): (&Spec, &Slot)| spec.key(slot, found.document, &shard.snapshot.name, found.place);
        Keyed {
            keys: slots.map(key).collect(),
            shard: found.shard,
            place: found.place,
            document: Arc::clone(found.document),
        }
    };
    found.into_iter().map(one).collect()
}

fn compare(plan: &Plan, a: &[Key], b: &[Key]) -> Ordering {
    let mut orders =
        plan.request.hits.sort.iter().zip(a.iter().zip(b)).map(|(spec, (a, b))| spec.compare(a, b));
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn full(plan: &Plan, a: &Keyed, b: &Keyed) -> Ordering {
    compare(plan, &a.keys, &b.keys).then_with(|| a.place.cmp(&b.place))
}

/// The values of `search_after`, as keys of this order.
fn after(plan: &Plan) -> Answer<Option<Vec<Key>>> {
    let Some(values) = &plan.request.search_after else { return Ok(None) };
    let specs = &plan.request.hits.sort;
    // The tie may be omitted, as the point in time adds its own at the end.
    let implied = specs.last().is_some_and(|spec| spec.by == By::ShardDoc) && values.len() + 1 == specs.len();
    if values.len() != specs.len() && !implied {
        return Err(Refusal::illegal(if specs.is_empty() {
            "Sort must contain at least one field.".to_owned()
        } else {
            format!("search_after has {} value(s) but sort has {}.", values.len(), specs.len())
        }));
    }
    let key = |(at, (spec, value)): (usize, (&Spec, &Json))| {
        let mapped = plan.shards.iter().find(|shard| matches!(shard.slots[at], Slot::Field { .. }));
        let shard = mapped.or(plan.shards.first());
        let (slot, mapping) =
            (shard.map(|shard| &shard.slots[at]), shard.map(|shard| &*shard.snapshot.mapping));
        spec.after(value, slot, mapping)
    };
    specs.iter().zip(values).enumerate().map(key).collect::<Answer<_>>().map(Some)
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
