//! Reads buckets straight into columns.
use std::fmt;

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use watchbell_contract::Rows;

use super::shape::Shape;
use crate::{
    columns::ColumnBuilder,
    envelope::{self, Envelope},
    error::ErrorKind,
    hits::{PageLimits, ValueSeed},
    misfit::{Misfit, Misfits},
    plan::ColumnKind,
};

pub(super) struct BucketsPage {
    pub(super) rows: Rows,
    pub(super) after: Option<Box<RawValue>>,
    pub(super) envelope: Envelope,
}

/// Reads one response.
pub(super) fn page(shape: &Shape, limits: PageLimits, bytes: &[u8]) -> Result<BucketsPage, ErrorKind> {
    let malformed = |reason: String| ErrorKind::Malformed { reason };
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(format!("not utf-8: {error}")))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let misfit = Misfits::new(limits.bytes);
    let mut page = PageOfBuckets::new(shape, limits.rows);
    let read = AnswerSeed { page: &mut page, misfit: &misfit }.deserialize(&mut reader);
    match (misfit.first(), read.and_then(|()| reader.end())) {
        (None, Err(_)) if misfit.is_full() => Err(ErrorKind::MemoryTooLarge { max: limits.bytes }),
        (Some((column, Misfit(what))), _) => {
            let name = shape.by.get(column).map_or("", |key| &key.name);
            Err(ErrorKind::Misfit { reason: format!("field `{name}`: {what}") })
        }
        (None, Err(error)) => Err(malformed(error.to_string())),
        (None, Ok(())) => Ok(page.finish()),
    }
}

/// Reads one response to a question.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_page(
    over: watchbell_contract::Range,
    question: &watchbell_contract::Buckets,
    mapping: &crate::mapping::Mapping,
    bytes: &[u8],
) -> Result<Rows, ErrorKind> {
    let limits = PageLimits { rows: 10_000, bytes: 64 << 20 };
    page(&Shape::new(over, question, mapping)?, limits, bytes).map(|page| page.rows)
}

struct PageOfBuckets<'a> {
    shape: &'a Shape,
    rows_max: usize,
    times: Vec<i64>,
    by: Vec<ColumnBuilder>,
    counts: ColumnBuilder,
    metrics: Vec<ColumnBuilder>,
    filters: Vec<ColumnBuilder>,
    after: Option<Box<RawValue>>,
    envelope: Envelope,
    total: i64,
    /// Of the current bucket.
    time: i64,
    count: i64,
}

impl<'a> PageOfBuckets<'a> {
    fn new(shape: &'a Shape, rows_max: usize) -> Self {
        let columns = |count: usize, kind| (0..count).map(|_| ColumnBuilder::new(kind)).collect();
        Self {
            shape,
            rows_max,
            times: vec![],
            by: shape.by.iter().map(|key| ColumnBuilder::new(key.kind)).collect(),
            counts: ColumnBuilder::new(ColumnKind::Integers),
            metrics: shape.metrics.iter().map(|(_, kind)| ColumnBuilder::new(*kind)).collect(),
            filters: columns(shape.filters.len(), ColumnKind::Integers),
            after: None,
            envelope: Envelope::default(),
            total: 0,
            time: shape.start,
            count: 0,
        }
    }

    /// Ends a bucket. Parts that it lacks are missing.
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
        let by = shape.by.iter().zip(self.by);
        columns.extend(by.map(|(key, column)| column.finish_field(key.name.clone(), key.is_mapped)));
        columns.push(self.counts.finish("_count".into()));
        columns.extend(
            shape.metrics.iter().zip(self.metrics).map(|((name, _), column)| column.finish(name.clone())),
        );
        columns
            .extend(shape.filters.iter().zip(self.filters).map(|(name, column)| column.finish(name.clone())));
        let rows = Rows { times: self.times, columns };
        BucketsPage { rows, after: self.after, envelope: self.envelope }
    }
}

/// Sets a row's only value; columns of integers and numbers accept all of theirs.
fn put(column: &mut ColumnBuilder, push: impl FnOnce(&mut ColumnBuilder) -> Result<(), Misfit>) {
    let start = column.begin();
    _ = push(column);
    column.end(start);
}

#[derive(Deserialize)]
struct Total {
    total: Option<Count>,
}

/// A number on servers before 7.0, else an object.
struct Count(i64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrObject;
        impl<'de> Visitor<'de> for NumberOrObject {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a total")
            }
            fn visit_i64<E>(self, total: i64) -> Result<Count, E> {
                Ok(Count(total))
            }
            fn visit_u64<E: serde::de::Error>(self, total: u64) -> Result<Count, E> {
                total.try_into().map(Count).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Count, A::Error> {
                let mut total = None;
                while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
                    match &*key {
                        "value" => total = Some(map.next_value()?),
                        _ => _ = map.next_value::<IgnoredAny>()?,
                    }
                }
                total.map(Count).ok_or_else(|| A::Error::missing_field("value"))
            }
        }
        deserializer.deserialize_any(NumberOrObject)
    }
}

/// A metric or filter of a bucket.
#[derive(Deserialize)]
struct Part {
    value: Option<Loose>,
    /// Of the only percentile that was asked for.
    #[serde(default, deserialize_with = "envelope::first")]
    values: Option<Percentile>,
    doc_count: Option<i64>,
    /// The metric itself, inside a filter or a nested object.
    v: Option<Box<Part>>,
}

#[derive(Deserialize)]
struct Percentile {
    value: Option<Loose>,
}

/// A number, or nothing: servers write `"NaN"` or `null` if there was nothing to measure.
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
                "timed_out" => page.envelope.timed_out = map.next_value()?,
                "_shards" => page.envelope.shards = map.next_value()?,
                "_clusters" => page.envelope.clusters = map.next_value()?,
                "hits" => {
                    let hits: Total = map.next_value()?;
                    page.total = match hits.total {
                        Some(Count(total)) => total,
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
        // Without shards there is no aggregation; the envelope shows that.
        if seen || page.envelope.is_of_nothing() {
            Ok(())
        } else {
            Err(A::Error::custom("no `aggregations` in the response"))
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

/// An object on the way to a bucket's values.
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
                (Level::Aggregations, "page") if !page.shape.whole => {
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
                // Above the buckets they belong to no row, unless the question has one row alone.
                (Level::Bucket | Level::Aggregations, name) if level == Level::Bucket || page.shape.whole => {
                    let metric = numbered(name, 'm').and_then(|number| page.metrics.get_mut(number));
                    let filter = numbered(name, 'f').and_then(|number| page.filters.get_mut(number));
                    match (metric, filter) {
                        (Some(column), _) if column.rows() == row => {
                            let mut part: Part = map.next_value()?;
                            while let Some(within) = part.v.take() {
                                part = *within;
                            }
                            let of_list = part.values.and_then(|percentile| percentile.value);
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
            if page.times.len() == page.rows_max {
                let most = page.rows_max;
                return Err(A::Error::custom(format!("more than the {most} buckets that were asked for")));
            }
            page.end_row();
        }
        Ok(())
    }
}
