//! Counts and metrics per group and slice of time: composite aggregations, paged to the last bucket.
mod read;

use std::{cell::Cell, sync::Arc};

use bytes::Bytes;
use elasticsearch::http::Method;
use serde::de::DeserializeSeed as _;
use serde_json::{Map, Value, json, value::RawValue};
use tokio::time::Instant;
use watchbell_contract::{Buckets, Calc, Metric, Range, Rows};

use self::read::{AnswerSeed, BucketsPage, PageOfBuckets};
use crate::{
    cluster::Inner,
    columns::Misfit,
    cursor::ignoring,
    error::Cause,
    mapping::Mapping,
    plan::{Kind, kind},
    query,
    target::Target,
    transport::{Request, index_path},
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
}

/// What a bucket's parts are called in requests and answers, and what they become.
#[derive(Debug)]
struct Shape {
    /// A bucket's time if it has none of its own.
    start: i64,
    by: Vec<(String, Kind)>,
    metrics: Vec<String>,
    filters: Vec<String>,
    /// Neither groups nor slices: one row for all of it.
    whole: bool,
}

impl BucketsCursor {
    pub(crate) fn new(
        inner: Arc<Inner>,
        target: Target,
        over: Range,
        filters: Vec<Value>,
        buckets: &Buckets,
        mapping: &Mapping,
        deadline: Instant,
    ) -> Result<Self, Cause> {
        let size = inner.config().page_buckets;
        let shape = Shape::new(over, buckets, mapping)?;
        let body = shape.body(&target.time_field, filters, buckets, mapping, size)?;
        Ok(Self { inner, target, deadline, shape, body, after: None, size, ended: false })
    }

    /// The next page, never empty; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Rows>, Cause> {
        if self.ended {
            return Ok(None);
        }
        let path = format!("{}/_search{}", index_path(&self.target.indices), ignoring(&self.target, '?'));
        let body = Some(Bytes::from(self.asked()));
        let request = Request { method: Method::Post, path, body, repeatable: true, deadline: self.deadline };
        let answer = self.inner.send(&request).await?;
        let page = self.shape.read(&answer)?;
        page.shards.check()?;
        page.clusters.check(self.target.ignore_unavailable)?;
        if page.timed_out {
            return Err(Cause::ServerTimedOut);
        }
        if page.shards.total == 0 && !self.target.ignore_unavailable {
            return Err(Cause::NoIndex { reason: String::new() });
        }
        match page.after {
            Some(after) if page.rows.len() >= self.size && !self.shape.whole => {
                self.after = Some(after);
            }
            _ => self.ended = true,
        }
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

impl Shape {
    fn new(over: Range, buckets: &Buckets, mapping: &Mapping) -> Result<Self, Cause> {
        let by = buckets.by.iter().map(|name| {
            if let Some((root, _)) = mapping.parents(name).find(|(_, caps)| caps.is("nested")) {
                let reason =
                    format!("field `{name}` lies in the nested object `{root}`, which cannot be counted by");
                return Err(Cause::Question { reason });
            }
            let kind = mapping.field(name).map_or(Ok(Kind::Words), |caps| kind(name, caps))?;
            Ok((name.clone(), kind))
        });
        Ok(Self {
            start: over.start.0,
            by: by.collect::<Result<_, _>>()?,
            metrics: buckets.metrics.iter().map(|metric| metric.name.clone()).collect(),
            filters: buckets.filters.iter().map(|filter| filter.name.clone()).collect(),
            whole: buckets.by.is_empty() && buckets.every.is_none(),
        })
    }

    fn body(
        &self,
        time_field: &str,
        filters: Vec<Value>,
        buckets: &Buckets,
        mapping: &Mapping,
        size: usize,
    ) -> Result<Value, Cause> {
        let mut aggs = Map::new();
        for (number, metric) in buckets.metrics.iter().enumerate() {
            aggs.insert(format!("m{number}"), calc(metric, mapping)?);
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
            return Ok(body);
        }
        let mut sources = vec![];
        if let Some(every) = buckets.every {
            let interval = format!("{}ms", every.millis().max(1));
            sources.push(
                json!({ "t": { "date_histogram": { "field": time_field, "fixed_interval": interval } } }),
            );
        }
        for (number, name) in buckets.by.iter().enumerate() {
            let field = mapping.exact(name)?;
            sources.push(
                json!({ format!("b{number}"): { "terms": { "field": field, "missing_bucket": true } } }),
            );
        }
        let mut page = json!({ "composite": { "size": size, "sources": sources } });
        if !aggs.is_empty() {
            page["aggs"] = aggs.into();
        }
        Ok(json!({ "size": 0, "track_total_hits": false, "query": query, "aggs": { "page": page } }))
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
                Err(malformed(format!("field `{name}`: {what}")))
            }
            (None, Err(error)) => Err(malformed(error.to_string())),
            (None, Ok(())) => Ok(page.finish()),
        }
    }
}

fn calc(metric: &Metric, mapping: &Mapping) -> Result<Value, Cause> {
    if let Calc::Script(source) = &metric.calc {
        // One value per document, averaged.
        return Ok(json!({ "avg": { "script": { "source": source } } }));
    }
    let field = mapping.exact(&metric.field)?;
    let name = match metric.calc {
        Calc::Minimum => "min",
        Calc::Maximum => "max",
        Calc::Average => "avg",
        Calc::Sum => "sum",
        Calc::ValueCount => "value_count",
        Calc::Cardinality => "cardinality",
        Calc::Percentile(percent) => {
            return Ok(json!({ "percentiles": { "field": field, "percents": [percent], "keyed": false } }));
        }
        Calc::Script(_) => "avg",
    };
    Ok(json!({ name: { "field": field } }))
}

#[cfg(test)]
mod tests;
