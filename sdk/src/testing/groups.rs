//! Counts and metrics of documents per group and interval, as in a composite aggregation: there are no empty buckets.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Number, Value};
use watchbell_rows::{Column, Rows};

use super::corpus::Corpus;
use super::documents::{Document, column_of, text};
use crate::{Buckets, Calc, Metric, Range, Source, Timestamp, grid};

/// A bucket's key: its start, then a value (none: missing) for each field.
type Place = (i64, Vec<Option<String>>);
/// Its values, and its documents.
type Held<'d> = (Vec<Value>, Vec<&'d Document>);

pub(super) fn answer(
    corpus: &Corpus,
    buckets: &Buckets,
    over: Range,
    found: &[&Document],
    now: Timestamp,
    page_rows: usize,
) -> Result<Vec<Rows>, String> {
    let mut groups: BTreeMap<Place, Held<'_>> = BTreeMap::new();
    // Neither groups nor intervals: one row, even if it is empty.
    if buckets.by.is_empty() && buckets.every.is_none() {
        groups.insert((over.start.0, vec![]), (vec![], found.to_vec()));
    }
    for document in found {
        let start = match buckets.every {
            Some(every) => grid::cell_start(grid::cell(Timestamp(document.time), every), every).0,
            None => over.start.0,
        };
        let mut keys = vec![vec![]];
        for field in &buckets.by {
            let mut own: Vec<Value> = corpus.values(&document.fields, field);
            if own.is_empty() {
                own.push(Value::Null);
            }
            keys = keys.iter().flat_map(|key| own.iter().map(|value| with(key, value))).collect();
        }
        if buckets.by.is_empty() && buckets.every.is_none() {
            continue;
        }
        for key in keys {
            let name = key.iter().map(|value| (!value.is_null()).then(|| text(value))).collect();
            groups.entry((start, name)).or_insert_with(|| (key, vec![])).1.push(document);
        }
    }
    let groups: Vec<_> = groups.into_iter().collect();
    let filters = corpus.named(&buckets.filters, now)?;
    let counted: Vec<Option<Vec<bool>>> = buckets
        .metrics
        .iter()
        .map(|metric| metric.filter.as_ref().map(|filter| corpus.matching(filter, None, now)).transpose())
        .collect::<Result<_, _>>()?;
    let rows = |page: &[(Place, Held<'_>)]| -> Result<Rows, String> {
        let mut columns = Vec::new();
        for (number, field) in buckets.by.iter().enumerate() {
            let cells = page.iter().map(|(_, (key, _))| key[number].clone()).collect();
            columns.push(single(field, corpus.is_mapped(field), cells)?);
        }
        columns.push(single("_count", true, page.iter().map(|(_, (_, held))| held.len().into()).collect())?);
        for (metric, counted) in buckets.metrics.iter().zip(&counted) {
            let cells = page.iter().map(|(_, (_, held))| measure(corpus, metric, counted.as_deref(), held));
            columns.push(single(&metric.name, true, cells.collect())?);
        }
        for (name, matching) in &filters {
            let count = |held: &[&Document]| held.iter().filter(|document| matching[document.place]).count();
            let cells = page.iter().map(|(_, (_, held))| count(held).into()).collect();
            columns.push(single(name, true, cells)?);
        }
        Ok(Rows { times: page.iter().map(|((start, _), _)| *start).collect(), columns })
    };
    groups.chunks(page_rows.max(1)).map(rows).collect()
}

fn single(name: &str, is_mapped: bool, cells: Vec<Value>) -> Result<Column, String> {
    let rows: Vec<Vec<Value>> =
        cells.into_iter().map(|cell| if cell.is_null() { vec![] } else { vec![cell] }).collect();
    column_of(name, is_mapped, &rows)
}

fn with(key: &[Value], value: &Value) -> Vec<Value> {
    key.iter().chain([value]).cloned().collect()
}

/// Always a floating-point number or nothing, so the column has the same type on every page.
fn measure(corpus: &Corpus, metric: &Metric, counted: Option<&[bool]>, held: &[&Document]) -> Value {
    // A script is not run: its result for a document is a field with the metric's name.
    let field = match &metric.source {
        Source::Field(field) => field,
        Source::Script(_) => &metric.name,
    };
    let counts = |document: &&&Document| counted.is_none_or(|counted| counted[document.place]);
    let own: Vec<Value> =
        held.iter().filter(counts).flat_map(|document| corpus.values(&document.fields, field)).collect();
    let mut numbers: Vec<f64> = own.iter().filter_map(Value::as_f64).collect();
    numbers.sort_by(f64::total_cmp);
    let sum = numbers.iter().sum::<f64>();
    let value = match &metric.calc {
        Calc::Minimum => numbers.first().copied(),
        Calc::Maximum => numbers.last().copied(),
        Calc::Average => (!numbers.is_empty()).then(|| sum / numbers.len() as f64),
        Calc::Sum => Some(sum),
        Calc::ValueCount => Some(own.len() as f64),
        Calc::Cardinality => Some(own.iter().map(text).collect::<BTreeSet<_>>().len() as f64),
        Calc::Percentile(percent) => percentile(&numbers, *percent),
    };
    value.and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

/// Interpolated between the two nearest values.
fn percentile(sorted: &[f64], percent: f64) -> Option<f64> {
    let place = percent / 100.0 * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}
