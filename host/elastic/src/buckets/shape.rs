use serde_json::{Map, Value, json};
use watchbell_contract::{Buckets, Calc, Metric, Range, Source};

use super::groups::measured_field;
use crate::{
    error::ErrorKind,
    mapping::Mapping,
    plan::{ColumnKind, kind},
    query,
    resolve::Field,
};

/// The names of a bucket's parts in requests and responses, and the columns they become.
#[derive(Debug)]
pub(super) struct Shape {
    /// A bucket's time if it has no time of its own.
    pub(super) start: i64,
    pub(super) by: Vec<Key>,
    pub(super) metrics: Vec<(String, ColumnKind)>,
    pub(super) filters: Vec<String>,
    /// Neither groups nor slices: one row for everything.
    pub(super) whole: bool,
    /// Whether time comes first in the buckets' order.
    pub(super) is_sliced: bool,
}

/// The column of a group key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) kind: ColumnKind,
    pub(super) is_mapped: bool,
}

impl Shape {
    pub(super) fn new(over: Range, buckets: &Buckets, mapping: &Mapping) -> Result<Self, ErrorKind> {
        let by = buckets.by.iter().map(|name| {
            let kind = mapping.field(name).map_or(Ok(ColumnKind::Words), |caps| kind(name, caps))?;
            Ok(Key { name: name.clone(), kind, is_mapped: mapping.defines(name) })
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
            is_sliced: buckets.every.is_some(),
        })
    }

    pub(super) fn body(
        &self,
        time_field: &str,
        filters: Vec<Value>,
        buckets: &Buckets,
        fields: &[Option<Field>],
        size: usize,
    ) -> Result<Value, ErrorKind> {
        let mut fields = fields.iter();
        let mut field = |name: &str| fields.next().cloned().flatten().unwrap_or_else(|| Field::absent(name));
        let by: Vec<Field> = buckets.by.iter().map(|name| field(name)).collect();
        let mut aggs = Map::new();
        for (number, metric) in buckets.metrics.iter().enumerate() {
            let field = field(measured_field(metric).map_or("", String::as_str));
            let mut agg = calc(metric, &field);
            if let Some(filter) = &metric.filter {
                agg = json!({ "filter": query::clause(filter)?, "aggs": { "v": agg } });
            }
            aggs.insert(format!("m{number}"), agg);
        }
        for (number, filter) in buckets.filters.iter().enumerate() {
            aggs.insert(format!("f{number}"), json!({ "filter": query::clause(&filter.query)? }));
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
        for (number, Field { exact, .. }) in by.iter().enumerate() {
            sources.push(
                json!({ format!("b{number}"): { "terms": { "field": exact, "missing_bucket": true } } }),
            );
        }
        let mut page = json!({ "composite": { "size": size, "sources": sources } });
        if !aggs.is_empty() {
            page["aggs"] = aggs.into();
        }
        Ok(json!({ "size": 0, "track_total_hits": false, "query": query, "aggs": { "page": page } }))
    }
}

/// A minimum or maximum is one of the field's values, and shown like them.
fn shown(metric: &Metric, mapping: &Mapping) -> ColumnKind {
    let field = measured_field(metric).filter(|_| matches!(metric.calc, Calc::Minimum | Calc::Maximum));
    let caps = field.and_then(|field| Some((field, mapping.field(field)?)));
    match caps.map(|(field, caps)| kind(field, caps)) {
        Some(Ok(rounded @ ColumnKind::Rounded(_))) => rounded,
        _ => ColumnKind::Numbers,
    }
}

fn calc(metric: &Metric, field: &Field) -> Value {
    let name = match metric.calc {
        Calc::Minimum => "min",
        Calc::Maximum => "max",
        Calc::Average => "avg",
        Calc::Sum => "sum",
        Calc::ValueCount => "value_count",
        Calc::Cardinality => "cardinality",
        Calc::Percentile(_) => "percentiles",
    };
    let mut of = match &metric.source {
        Source::Field(_) => json!({ "field": field.exact }),
        Source::Script(source) => json!({ "script": { "source": source } }),
    };
    if let Calc::Percentile(percent) = metric.calc {
        of["percents"] = json!([percent]);
        of["keyed"] = false.into();
    }
    let calc = json!({ name: of });
    match &field.nested {
        // Nested objects are documents of their own.
        Some(path) => json!({ "nested": { "path": path }, "aggs": { "v": calc } }),
        None => calc,
    }
}
