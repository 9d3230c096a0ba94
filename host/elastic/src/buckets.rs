//! Counts and metrics per group and slice of time: composite aggregations, paged to the last bucket.
use std::{cell::Cell, fmt, sync::Arc};

use bytes::Bytes;
use elasticsearch::http::Method;
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value, json, value::RawValue};
use tokio::time::Instant;
use watchbell_contract::{Buckets, Calc, Metric, Range, Rows};

use crate::{
    cluster::Inner,
    columns::{ColumnBuilder, Misfit},
    error::Cause,
    hits::{Misfits, ValueSeed},
    mapping::Mapping,
    plan::{Kind, kind},
    query,
    target::Target,
    transport::Request,
    whole::{Extent, search_path},
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
            let mut slices = json!({ "field": time_field, "fixed_interval": interval });
            if !buckets.offset.is_zero() {
                slices["offset"] = format!("{}ms", buckets.offset.millis()).into();
            }
            sources.push(json!({ "t": { "date_histogram": slices } }));
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
                Err(Cause::Misfit { reason: format!("field `{name}`: {what}") })
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

struct BucketsPage {
    rows: Rows,
    after: Option<Box<RawValue>>,
    extent: Extent,
}

struct PageOfBuckets<'a> {
    shape: &'a Shape,
    times: Vec<i64>,
    by: Vec<ColumnBuilder>,
    counts: ColumnBuilder,
    metrics: Vec<ColumnBuilder>,
    filters: Vec<ColumnBuilder>,
    after: Option<Box<RawValue>>,
    extent: Extent,
    total: i64,
    /// Of the bucket being read.
    time: i64,
    count: i64,
}

impl<'a> PageOfBuckets<'a> {
    fn new(shape: &'a Shape) -> Self {
        let columns = |count: usize, kind| (0..count).map(|_| ColumnBuilder::new(kind)).collect();
        Self {
            shape,
            times: vec![],
            by: shape.by.iter().map(|(_, kind)| ColumnBuilder::new(*kind)).collect(),
            counts: ColumnBuilder::new(Kind::Integers),
            metrics: columns(shape.metrics.len(), Kind::Numbers),
            filters: columns(shape.filters.len(), Kind::Integers),
            after: None,
            extent: Extent::default(),
            total: 0,
            time: shape.start,
            count: 0,
        }
    }

    /// Ends a bucket; parts that were not in it are missing.
    fn end_row(&mut self) {
        self.times.push(self.time);
        put(&mut self.counts, |column| column.integer(self.count));
        let rows = self.times.len();
        for column in self.by.iter_mut().chain(&mut self.metrics).chain(&mut self.filters) {
            if column.rows() < rows {
                column.missing();
            }
        }
        (self.time, self.count) = (self.shape.start, 0);
    }

    fn finish(mut self) -> BucketsPage {
        if self.shape.whole {
            self.count = self.total;
            self.end_row();
        }
        let shape = self.shape;
        let mut columns = vec![];
        columns.extend(shape.by.iter().zip(self.by).map(|((name, _), column)| column.finish(name.clone())));
        columns.push(self.counts.finish("_count".into()));
        columns
            .extend(shape.metrics.iter().zip(self.metrics).map(|(name, column)| column.finish(name.clone())));
        columns
            .extend(shape.filters.iter().zip(self.filters).map(|(name, column)| column.finish(name.clone())));
        let rows = Rows { times: self.times, columns };
        BucketsPage { rows, after: self.after, extent: self.extent }
    }
}

/// Gives a row its one value; integers and numbers refuse none of theirs.
fn put(column: &mut ColumnBuilder, push: impl FnOnce(&mut ColumnBuilder) -> Result<(), Misfit>) {
    let start = column.begin();
    _ = push(column);
    column.end(start);
}

#[derive(Deserialize)]
struct Total {
    total: Option<Count>,
}

/// A number on servers before 7.0.
#[derive(Deserialize)]
#[serde(untagged)]
enum Count {
    Plain(i64),
    Told { value: i64 },
}

/// What a metric or a filter says of a bucket.
#[derive(Deserialize)]
struct Part {
    value: Option<Loose>,
    values: Option<Vec<Percentile>>,
    doc_count: Option<i64>,
}

#[derive(Deserialize)]
struct Percentile {
    value: Option<Loose>,
}

/// A number, or nothing: servers write `"NaN"` or `null` where there was nothing to measure.
struct Loose(Option<f64>);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Loose;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_f64<E>(self, value: f64) -> Result<Loose, E> {
                Ok(Loose(Some(value)))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Loose, E> {
                Ok(Loose(Some(value as f64)))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Loose, E> {
                Ok(Loose(Some(value as f64)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Loose, E> {
                Ok(Loose(value.parse().ok().filter(|value: &f64| !value.is_nan())))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

struct AnswerSeed<'a, 'b> {
    page: &'a mut PageOfBuckets<'b>,
    misfit: &'a Misfits,
}

impl<'de> DeserializeSeed<'de> for AnswerSeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnswerSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer to a search")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { page, misfit } = self;
        let mut seen = page.shape.whole;
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            match &*key {
                "timed_out" => page.extent.timed_out = map.next_value()?,
                "_shards" => page.extent.shards = map.next_value()?,
                "_clusters" => page.extent.clusters = map.next_value()?,
                "hits" => {
                    let hits: Total = map.next_value()?;
                    page.total = match hits.total {
                        Some(Count::Plain(total) | Count::Told { value: total }) => total,
                        None => 0,
                    };
                }
                "aggregations" => {
                    seen = true;
                    map.next_value_seed(ObjectSeed { page: &mut *page, misfit, level: Level::Aggregations })?;
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        // With no shard there is no aggregation; that is told apart elsewhere.
        if seen || page.extent.is_of_nothing() {
            Ok(())
        } else {
            Err(A::Error::custom("no `aggregations` in the answer"))
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Aggregations,
    Page,
    Bucket,
    Key,
}

/// One of the objects on the way down to a bucket's values.
struct ObjectSeed<'a, 'b> {
    page: &'a mut PageOfBuckets<'b>,
    misfit: &'a Misfits,
    level: Level,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of an aggregation")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { page, misfit, level } = self;
        let row = page.times.len();
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            match (level, &*key) {
                (Level::Aggregations, "page") => {
                    map.next_value_seed(ObjectSeed { page: &mut *page, misfit, level: Level::Page })?;
                }
                (Level::Page, "after_key") => page.after = map.next_value()?,
                (Level::Page, "buckets") => {
                    map.next_value_seed(BucketArraySeed { page: &mut *page, misfit })?
                }
                (Level::Bucket, "key") => {
                    map.next_value_seed(ObjectSeed { page: &mut *page, misfit, level: Level::Key })?;
                }
                (Level::Bucket, "doc_count") => page.count = map.next_value()?,
                (Level::Key, "t") => page.time = map.next_value()?,
                (Level::Key, name) => match numbered(name, 'b').filter(|&by| by < page.by.len()) {
                    Some(column) if page.by[column].rows() == row => {
                        let start = page.by[column].begin();
                        map.next_value_seed(ValueSeed { to: &mut page.by[column], column, misfit })?;
                        page.by[column].end(start);
                    }
                    _ => _ = map.next_value::<IgnoredAny>()?,
                },
                (Level::Bucket | Level::Aggregations, name) => {
                    let metric = numbered(name, 'm').and_then(|number| page.metrics.get_mut(number));
                    let filter = numbered(name, 'f').and_then(|number| page.filters.get_mut(number));
                    match (metric, filter) {
                        (Some(column), _) if column.rows() == row => {
                            let part: Part = map.next_value()?;
                            let of_list = part.values.and_then(|values| values.into_iter().next()?.value);
                            match part.value.or(of_list) {
                                Some(Loose(Some(value))) => put(column, |column| column.number(value)),
                                _ => column.missing(),
                            }
                        }
                        (_, Some(column)) if column.rows() == row => {
                            let part: Part = map.next_value()?;
                            put(column, |column| column.integer(part.doc_count.unwrap_or(0)));
                        }
                        _ => _ = map.next_value::<IgnoredAny>()?,
                    }
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

fn numbered(name: &str, letter: char) -> Option<usize> {
    name.strip_prefix(letter)?.parse().ok()
}

struct BucketArraySeed<'a, 'b> {
    page: &'a mut PageOfBuckets<'b>,
    misfit: &'a Misfits,
}

impl<'de> DeserializeSeed<'de> for BucketArraySeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for BucketArraySeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of buckets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { page, misfit } = self;
        while seq.next_element_seed(ObjectSeed { page: &mut *page, misfit, level: Level::Bucket })?.is_some()
        {
            page.end_row();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
