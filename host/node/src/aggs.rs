//! Aggregations: read from JSON, run over the documents that match the query.
//!
//! Each is a function from documents to JSON; a bucket passes its own documents to its sub-aggregations.
mod parse; // from JSON
mod column; // the values of one field, over several indices
mod metric; // one or a few numbers
mod terms; // a bucket per value
mod multi_terms; // a bucket per combination of values
mod histogram; // a bucket per interval of time or numbers
mod range; // a bucket per given range, filter, or missing values
mod spans; // a bucket per range of dates or addresses
mod composite; // paged buckets
mod sorted; // the order of buckets
mod top_hits; // the first hits of each bucket
mod pipeline; // pipeline aggregations
mod script; // their arithmetic

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::document::Document;
use crate::errors::{Answer, Refusal};
use crate::query::{Predicate, Query};
use crate::search::Shard;

pub(crate) use parse::parse;

/// As `search.max_buckets`.
const BUCKETS_MAX: usize = 65_536;

#[derive(Clone, Debug)]
pub(crate) struct Agg {
    name: String,
    kind: AggregationKind,
    subs: Vec<Agg>,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a request holds a handful of these")]
enum AggregationKind {
    Metric(metric::Metric),
    Terms(terms::Terms),
    DateHistogram(histogram::DateHistogram),
    Histogram(histogram::Histogram),
    Range(range::Ranges),
    Filter(Query),
    /// The objects of a nested path.
    Nested(String),
    /// And back to the documents that contain them.
    ReverseNested,
    Filters {
        filters: Vec<(Option<String>, Query)>,
        other: Option<String>,
    },
    DateRange(spans::DateRanges),
    IpRange(spans::IpRanges),
    MultiTerms(multi_terms::MultiTerms),
    Missing {
        field: String,
        missing: Option<Json>,
    },
    Composite(composite::Composite),
    TopHits(top_hits::TopHits),
    Pipeline(pipeline::Pipeline),
}

impl Agg {
    /// Whether the result is a single number, which can order buckets.
    fn is_number(&self) -> bool {
        match &self.kind {
            AggregationKind::Metric(_) => true,
            kind if kind.is_single() => true,
            AggregationKind::Pipeline(pipeline) => matches!(pipeline, pipeline::Pipeline::Script(_)),
            _ => false,
        }
    }
}

impl AggregationKind {
    /// Whether the result is a single bucket.
    fn is_single(&self) -> bool {
        matches!(self, Self::Filter(_) | Self::Nested(_) | Self::ReverseNested)
    }
}

/// A document in a bucket, or an object nested in it.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) shard: u32,
    pub(crate) document: &'a Arc<Document>,
    /// The document that matched.
    pub(crate) root: &'a Arc<Document>,
}

impl<'a> Entry<'a> {
    pub(crate) fn root(shard: u32, document: &'a Arc<Document>) -> Self {
        Self { shard, document, root: document }
    }

    fn is_nested(&self) -> bool {
        !Arc::ptr_eq(self.document, self.root)
    }
}

pub(crate) fn run(aggs: &[Agg], shards: &[Shard], entries: &[Entry<'_>], now: i64) -> Answer<Json> {
    let context = Context { shards, now, buckets: std::cell::Cell::new(0) };
    context.all(aggs, entries).map(Json::Object)
}

/// Shared by all aggregations of one search.
struct Context<'a> {
    shards: &'a [Shard],
    now: i64,
    buckets: std::cell::Cell<usize>,
}

impl Context<'_> {
    fn all(&self, aggs: &[Agg], entries: &[Entry<'_>]) -> Answer<Map<String, Json>> {
        // Pipeline aggregations wait until the buckets are finished.
        let asked = aggs.iter().filter(|agg| !matches!(agg.kind, AggregationKind::Pipeline(_)));
        asked.map(|agg| Ok((agg.name.clone(), self.one(agg, entries)?))).collect()
    }

    fn one<'d>(&self, agg: &'d Agg, entries: &[Entry<'d>]) -> Answer<Json> {
        match &agg.kind {
            AggregationKind::Metric(metric) => metric.run(self, entries),
            AggregationKind::Terms(terms) => terms.run(self, &agg.subs, entries),
            AggregationKind::DateHistogram(histogram) => histogram.run(self, &agg.subs, entries),
            AggregationKind::Histogram(histogram) => histogram.run(self, &agg.subs, entries),
            AggregationKind::Range(ranges) => ranges.run(self, &agg.subs, entries),
            AggregationKind::Filter(query) => {
                let kept = self.filtered(query, entries)?;
                self.bucket(Map::new(), &agg.subs, &kept).map(Json::Object)
            }
            AggregationKind::Nested(path) => {
                let objects = |entry: &Entry<'d>| {
                    let Entry { shard, document, root } = *entry;
                    document.at(path).map(move |document| Entry { shard, document, root })
                };
                let nested: Vec<Entry<'_>> = entries.iter().flat_map(objects).collect();
                self.bucket(Map::new(), &agg.subs, &nested).map(Json::Object)
            }
            AggregationKind::ReverseNested => {
                let mut seen = std::collections::HashSet::new();
                let roots = entries.iter().map(|entry| Entry::root(entry.shard, entry.root));
                let roots: Vec<Entry<'_>> =
                    roots.filter(|entry| seen.insert(Arc::as_ptr(entry.root))).collect();
                self.bucket(Map::new(), &agg.subs, &roots).map(Json::Object)
            }
            AggregationKind::Filters { filters, other } => {
                range::filters(self, filters, other.as_deref(), &agg.subs, entries)
            }
            AggregationKind::DateRange(ranges) => ranges.run(self, &agg.subs, entries),
            AggregationKind::IpRange(ranges) => ranges.run(self, &agg.subs, entries),
            AggregationKind::MultiTerms(terms) => terms.run(self, &agg.subs, entries),
            AggregationKind::Missing { field, missing } => {
                range::missing(self, field, missing.as_ref(), &agg.subs, entries)
            }
            AggregationKind::TopHits(top) => top.run(self, entries),
            AggregationKind::Pipeline(_) => Ok(Json::Null),
            AggregationKind::Composite(composite) => composite.run(self, &agg.subs, entries),
        }
    }

    fn filtered<'d>(&self, query: &Query, entries: &[Entry<'d>]) -> Answer<Vec<Entry<'d>>> {
        let predicates = self
            .shards
            .iter()
            .map(|shard| {
                crate::query::compile(query, &shard.snapshot.scope(self.now))
                    .map(|compiled| compiled.predicate)
            })
            .collect::<Answer<Vec<_>>>()?;
        // Servers join from the matching documents, whatever is counted around the filter.
        if predicates.iter().any(Predicate::has_nested) && entries.iter().any(Entry::is_nested) {
            return Err(Refusal::unmodelled("a [nested] query inside of a [nested] aggregation"));
        }
        Ok(entries
            .iter()
            .filter(|entry| predicates[entry.shard as usize].hit(entry.document))
            .copied()
            .collect())
    }

    /// A bucket's object: its key, its count, then its sub-aggregations.
    fn bucket(
        &self,
        mut key: Map<String, Json>,
        subs: &[Agg],
        entries: &[Entry<'_>],
    ) -> Answer<Map<String, Json>> {
        self.count(1)?;
        key.insert("doc_count".into(), entries.len().into());
        key.extend(self.all(subs, entries)?);
        Ok(key)
    }

    /// Runs finished buckets through what their aggregation makes of them.
    fn piped<K>(
        &self,
        subs: &[Agg],
        mut buckets: Vec<(K, Map<String, Json>)>,
    ) -> Answer<Vec<(K, Map<String, Json>)>> {
        for sub in subs {
            if let AggregationKind::Pipeline(pipeline) = &sub.kind {
                pipeline.run(&sub.name, &mut buckets)?;
            }
        }
        Ok(buckets)
    }

    fn count(&self, buckets: usize) -> Answer<()> {
        let count = self.buckets.get().saturating_add(buckets);
        self.buckets.set(count);
        if count > BUCKETS_MAX {
            return Err(Refusal::new(
                400,
                "too_many_buckets_exception",
                format!(
                    "Trying to create too many buckets. Must be less than or equal to: [{BUCKETS_MAX}] but was [{count}]. \
                     This limit can be set by changing the [search.max_buckets] cluster level setting."
                ),
            ));
        }
        Ok(())
    }
}

/// `buckets`, as a list, or as an object if keys were requested.
fn shown(buckets: Vec<(String, Map<String, Json>)>, keyed: bool) -> Json {
    if keyed {
        let object: Map<String, Json> =
            buckets.into_iter().map(|(key, bucket)| (key, Json::Object(bucket))).collect();
        return json!({ "buckets": object });
    }
    json!({"buckets": buckets.into_iter().map(|(_, bucket)| Json::Object(bucket)).collect::<Vec<_>>()})
}
