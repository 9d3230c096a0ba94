//! Counts and metrics per group and slice of time: composite aggregations, paged to the last bucket.
mod read; // answers, straight into columns
mod merge; // groups of indices that disagree, added up

use std::{cell::Cell, sync::Arc};

use bytes::Bytes;
use elasticsearch::http::Method;
use serde::de::DeserializeSeed as _;
use serde_json::{Map, Value, json, value::RawValue};
use tokio::time::Instant;
use watchbell_contract::{Buckets, Calc, Metric, Range, Rows};
use watchbell_values::Precision;

pub(crate) use self::merge::MergedCursor;
use self::read::{AnswerSeed, BucketsPage, PageOfBuckets};
use crate::{
    cluster::Inner,
    columns::Misfit,
    error::Cause,
    mapping::{Class, Mapping},
    plan::{Kind, kind},
    query,
    resolve::{Field, Group},
    target::Target,
    transport::Request,
    whole::search_path,
};

pub(crate) struct BucketsCursor {
    inner: Arc<Inner>,
    target: Target,
    deadline: Instant,
    shape: Shape,
    /// The request without `after`.
    body: Value,
    /// As the server wrote it: a double that was read and written again may be another one.
    after: Option<Box<RawValue>>,
    size: usize,
    ended: bool,
    /// Whether there was any bucket.
    pub(crate) any: bool,
}

/// What a bucket's parts are called in requests and answers, and what they become.
#[derive(Debug)]
struct Shape {
    /// A bucket's time if it has none of its own.
    start: i64,
    by: Vec<(String, Kind)>,
    metrics: Vec<(String, Kind)>,
    filters: Vec<String>,
    /// Neither groups nor slices: one row for all of it.
    whole: bool,
}

/// The fields of `buckets` by which the indices are asked, in groups that agree: those counted by, then the metrics'.
///
/// # Errors
/// What cannot be counted by, or measured.
pub(crate) fn groups(buckets: &Buckets, mapping: &Mapping) -> Result<Vec<Group<Field>>, Cause> {
    for name in &buckets.by {
        if let Some(root) = mapping.nested_root(name) {
            let reason =
                format!("field `{name}` lies in the nested object `{root}`, which cannot be counted by");
            return Err(Cause::Question { reason });
        }
        mapping.field(name).map_or(Ok(Kind::Words), |caps| kind(name, caps))?;
    }
    for metric in measured(buckets) {
        // Types without values of their own may have metrics; words and numbers have none in common.
        if let Some(caps) = mapping.field(&metric.field)
            && let Err(conflict @ Cause::MappingConflict { .. }) = kind(&metric.field, caps)
        {
            return Err(conflict);
        }
    }
    let one = |name: &str, class: Class, family: fn(&str) -> &str| {
        let field = mapping.resolve(name, class)?;
        Ok(field.map(|field| Field { kind: family(&field.kind).into(), ..field }))
    };
    let groups = mapping.groups(|class| {
        let by = buckets.by.iter().map(|name| one(name, class, keyed));
        let metrics = measured(buckets).map(|metric| {
            let family = if metric.calc == Calc::Cardinality { compared } else { added };
            one(&metric.field, class, family)
        });
        by.chain(metrics).collect()
    })?;
    if groups.len() > 1 {
        merge::check(buckets)?;
    }
    Ok(groups)
}

/// Metrics of a field; a script names its own.
pub(crate) fn measured(buckets: &Buckets) -> impl Iterator<Item = &Metric> {
    buckets.metrics.iter().filter(|metric| !matches!(metric.calc, Calc::Script(_)))
}

/// Types of which a value is the same key. What a field of less precision shows as 0.1 is another number to the server.
fn keyed(kind: &str) -> &str {
    if Precision::of(kind).is_some() { kind } else { compared(kind) }
}

/// Types whose values servers compare with each other.
fn compared(kind: &str) -> &str {
    match kind {
        "long" | "integer" | "short" | "byte" => "long",
        "double" | "float" | "half_float" | "scaled_float" => "double",
        "date" | "date_nanos" => "date",
        "keyword" | "constant_keyword" | "wildcard" => "keyword",
        other => other,
    }
}

/// Types whose values servers add to each other.
fn added(kind: &str) -> &str {
    match compared(kind) {
        "long" | "double" | "unsigned_long" => "number",
        other => other,
    }
}

impl BucketsCursor {
    /// - `fields`: of one group of `target`'s indices, as `groups` says.
    pub(crate) fn new(
        inner: Arc<Inner>,
        target: Target,
        over: Range,
        filters: Vec<Value>,
        buckets: &Buckets,
        (mapping, fields): (&Mapping, &[Option<Field>]),
        deadline: Instant,
    ) -> Result<Self, Cause> {
        let size = inner.config().page_buckets;
        let mut shape = Shape::new(over, buckets, mapping)?;
        for ((_, kind), field) in
            shape.by.iter_mut().zip(fields).filter(|((_, kind), _)| *kind == Kind::Numbers)
        {
            let precision = field.as_ref().and_then(|field| Precision::of(&field.kind));
            *kind = precision.map_or(*kind, Kind::Rounded);
        }
        let body = shape.body(&target.time_field, filters, buckets, fields, size);
        Ok(Self { inner, target, deadline, shape, body, after: None, size, ended: false, any: false })
    }

    /// The next page, never empty; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Rows>, Cause> {
        if self.ended {
            return Ok(None);
        }
        let path = search_path(&self.target, "");
        let body = Some(Bytes::from(self.asked()));
        let request = Request { method: Method::Post, path, body, repeatable: true, deadline: self.deadline };
        let answer = self.inner.send(&request).await?;
        let page = self.shape.read(&answer)?;
        page.extent.check()?;
        if page.extent.is_of_nothing() && !self.target.ignore_unavailable {
            return Err(Cause::NoIndex { reason: String::new() });
        }
        match page.after {
            Some(after) if page.rows.len() >= self.size && !self.shape.whole => {
                self.after = Some(after);
            }
            _ => self.ended = true,
        }
        self.any |= !page.rows.is_empty();
        Ok((!page.rows.is_empty()).then_some(page.rows))
    }
}

impl BucketsCursor {
    /// The request, from where the last page ended.
    fn asked(&self) -> String {
        let mut text = self.body.to_string();
        if let Some(after) = &self.after {
            // The aggregation stands last, and in it its own parts, `composite` first.
            let composite = self.body["aggs"]["page"]["composite"].to_string();
            if let Some(at) = text.rfind(&composite) {
                text.insert_str(at + 1, &format!("\"after\":{},", after.get()));
            }
        }
        text
    }
}

/// The smallest and the largest of a field's values are values of it, and shown as those are.
fn shown(metric: &Metric, mapping: &Mapping) -> Kind {
    let caps = mapping.field(&metric.field).filter(|_| matches!(metric.calc, Calc::Minimum | Calc::Maximum));
    match caps.map(|caps| kind(&metric.field, caps)) {
        Some(Ok(rounded @ Kind::Rounded(_))) => rounded,
        _ => Kind::Numbers,
    }
}

impl Shape {
    fn new(over: Range, buckets: &Buckets, mapping: &Mapping) -> Result<Self, Cause> {
        let by = buckets.by.iter().map(|name| {
            let kind = mapping.field(name).map_or(Ok(Kind::Words), |caps| kind(name, caps))?;
            Ok((name.clone(), kind))
        });
        Ok(Self {
            start: over.start.0,
            by: by.collect::<Result<_, _>>()?,
            metrics: buckets
                .metrics
                .iter()
                .map(|metric| (metric.name.clone(), shown(metric, mapping)))
                .collect(),
            filters: buckets.filters.iter().map(|filter| filter.name.clone()).collect(),
            whole: buckets.by.is_empty() && buckets.every.is_none(),
        })
    }

    fn body(
        &self,
        time_field: &str,
        filters: Vec<Value>,
        buckets: &Buckets,
        fields: &[Option<Field>],
        size: usize,
    ) -> Value {
        let mut fields = fields.iter();
        let mut field = |name: &str| fields.next().cloned().flatten().unwrap_or_else(|| Field::absent(name));
        let by: Vec<Field> = buckets.by.iter().map(|name| field(name)).collect();
        let mut aggs = Map::new();
        for (number, metric) in buckets.metrics.iter().enumerate() {
            let calc = match &metric.calc {
                // One value per document, averaged.
                Calc::Script(source) => json!({ "avg": { "script": { "source": source } } }),
                _ => calc(metric, &field(&metric.field)),
            };
            aggs.insert(format!("m{number}"), calc);
        }
        for (number, filter) in buckets.filters.iter().enumerate() {
            aggs.insert(format!("f{number}"), json!({ "filter": query::query_string(&filter.filter) }));
        }
        let query = query::query(filters, &[]);
        if self.whole {
            let mut body = json!({ "size": 0, "track_total_hits": true, "query": query });
            if !aggs.is_empty() {
                body["aggs"] = aggs.into();
            }
            return body;
        }
        let mut sources = vec![];
        if let Some(every) = buckets.every {
            let interval = format!("{}ms", every.millis().max(1));
            let mut slices = json!({ "field": time_field, "fixed_interval": interval });
            if !buckets.offset.is_zero() {
                slices["offset"] = format!("{}ms", buckets.offset.millis()).into();
            }
            sources.push(json!({ "t": { "date_histogram": slices } }));
        }
        for (number, Field { exact, .. }) in by.iter().enumerate() {
            sources.push(
                json!({ format!("b{number}"): { "terms": { "field": exact, "missing_bucket": true } } }),
            );
        }
        let mut page = json!({ "composite": { "size": size, "sources": sources } });
        if !aggs.is_empty() {
            page["aggs"] = aggs.into();
        }
        json!({ "size": 0, "track_total_hits": false, "query": query, "aggs": { "page": page } })
    }

    fn read(&self, bytes: &[u8]) -> Result<BucketsPage, Cause> {
        let malformed = |reason: String| Cause::Malformed { reason };
        let text = std::str::from_utf8(bytes).map_err(|error| malformed(format!("not utf-8: {error}")))?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let misfit = Cell::new(None);
        let mut page = PageOfBuckets::new(self);
        let read = AnswerSeed { page: &mut page, misfit: &misfit }.deserialize(&mut reader);
        match (misfit.get(), read.and_then(|()| reader.end())) {
            (Some((column, Misfit(what))), _) => {
                let name = self.by.get(column).map_or("", |(name, _)| name);
                Err(Cause::Misfit { reason: format!("field `{name}`: {what}") })
            }
            (None, Err(error)) => Err(malformed(error.to_string())),
            (None, Ok(())) => Ok(page.finish()),
        }
    }
}

fn calc(metric: &Metric, field: &Field) -> Value {
    let name = match metric.calc {
        Calc::Minimum => "min",
        Calc::Maximum => "max",
        Calc::Average | Calc::Script(_) => "avg",
        Calc::Sum => "sum",
        Calc::ValueCount => "value_count",
        Calc::Cardinality => "cardinality",
        Calc::Percentile(_) => "percentiles",
    };
    let mut of = json!({ "field": field.exact });
    if let Calc::Percentile(percent) = metric.calc {
        of["percents"] = json!([percent]);
        of["keyed"] = false.into();
    }
    let calc = json!({ name: of });
    match &field.nested {
        // The values of a nested object are those of documents of their own.
        Some(path) => json!({ "nested": { "path": path }, "aggs": { "v": calc } }),
        None => calc,
    }
}

#[cfg(test)]
mod tests;
