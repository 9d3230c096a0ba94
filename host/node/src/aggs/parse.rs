//! Reads aggregations. Unknown parts are refused in Elasticsearch's words.
mod body; // the unread rest of a body
mod buckets; // a bucket per value, interval or combination
mod ranges; // a bucket per range or filter
mod metrics; // numbers and hits
mod pipelines; // pipeline aggregations

use serde_json::Value as Json;

use body::Body;

use super::metric::Calc;
use super::pipeline::leads;
use super::sorted::{By, Order};
use super::terms::Terms;
use super::top_hits::TopHits;
use super::{Agg, AggregationKind};
use crate::errors::{Answer, Refusal};
use crate::query;

const DEPTH_MAX: usize = 20;

const UNMODELLED: &[&str] = &[
    "global",
    "percentile_ranks",
    "significant_terms",
    "rare_terms",
    "sampler",
    "scripted_metric",
    "geo_bounds",
    "auto_date_histogram",
    "variable_width_histogram",
    "median_absolute_deviation",
    "top_metrics",
    "avg_bucket",
    "max_bucket",
    "min_bucket",
    "sum_bucket",
    "derivative",
    "cumulative_sum",
    "moving_fn",
    "weighted_avg",
    "boxplot",
    "rate",
    "string_stats",
    "children",
    "parent",
    "adjacency_matrix",
    "matrix_stats",
    "geotile_grid",
];

pub(crate) fn parse(json: &Json) -> Answer<Vec<Agg>> {
    at(json, 0, Above::default())
}

/// The context of an aggregation.
#[derive(Clone, Copy, Default)]
struct Above<'a> {
    kind: Option<&'a str>,
    /// The nested path whose objects are counted.
    nested: Option<&'a str>,
}

fn at(json: &Json, depth: usize, above: Above<'_>) -> Answer<Vec<Agg>> {
    if depth > DEPTH_MAX {
        return Err(Refusal::illegal(format!("aggregations are nested more than {DEPTH_MAX} deep")));
    }
    let object = json.as_object().ok_or_else(|| Refusal::parsing("Expected [START_OBJECT] under [aggs]"))?;
    object.iter().map(|(name, body)| one(name, body, depth, above)).collect()
}

fn one(name: &str, body: &Json, depth: usize, above: Above<'_>) -> Answer<Agg> {
    let wrong = |what: &str| Refusal::parsing(format!("{what} under aggregation [{name}]"));
    if name.is_empty() || name.contains(['[', ']', '>']) {
        return Err(Refusal::parsing(format!(
            "Invalid aggregation name [{name}]. Aggregation names can contain any character except '[', ']', and '>'"
        )));
    }
    let body = body.as_object().ok_or_else(|| wrong("Expected [START_OBJECT]"))?;
    let (mut kind, mut subs) = (None, Vec::new());
    let own = body.keys().find(|key| !matches!(key.as_str(), "aggs" | "aggregations" | "meta"));
    for (key, value) in body {
        match key.as_str() {
            "aggs" | "aggregations" => {
                let own = own.map(String::as_str);
                let nested = match own {
                    Some("nested") => body["nested"].get("path").and_then(Json::as_str),
                    Some("reverse_nested") => None,
                    _ => above.nested,
                };
                subs = at(value, depth + 1, Above { kind: own, nested })?;
            }
            "meta" => return Err(Refusal::unmodelled("aggregation key [meta]")),
            _ if kind.is_some() => {
                return Err(Refusal::parsing(format!(
                    "Found two aggregation type definitions in [{name}]: one of them [{key}]"
                )));
            }
            key => kind = Some(read(name, key, value)?),
        }
    }
    let kind =
        kind.ok_or_else(|| Refusal::parsing(format!("Missing definition for aggregation [{name}]")))?;
    if matches!(kind, AggregationKind::Metric(_) | AggregationKind::TopHits(_) | AggregationKind::Pipeline(_))
        && !subs.is_empty()
    {
        return Err(Refusal::illegal(format!("Aggregator [{name}] cannot accept sub-aggregations")));
    }
    match (&kind, above.nested) {
        (AggregationKind::ReverseNested, None) => {
            return Err(Refusal::illegal(format!(
                "Reverse nested aggregation [{name}] can only be used inside a [nested] aggregation"
            )));
        }
        (AggregationKind::Nested(path), Some(outer))
            if !path.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.')) =>
        {
            return Err(Refusal::unmodelled(format!(
                "a [nested] aggregation of [{path}] inside of one of [{outer}]"
            )));
        }
        _ => {}
    }
    let parent = above.kind;
    if let (AggregationKind::Composite(_), Some(parent)) =
        (&kind, parent.filter(|parent| !matches!(*parent, "filter" | "nested")))
    {
        return Err(Refusal::illegal(format!(
            "[composite] aggregation cannot be used with a parent aggregation of type: [{parent}]"
        )));
    }
    if let (AggregationKind::Pipeline(_), None | Some("filter" | "missing" | "nested" | "reverse_nested")) =
        (&kind, parent)
    {
        return Err(Refusal::new(
            400,
            "action_request_validation_exception",
            format!(
                "Validation Failed: 1: [{name}] must be declared inside of an aggregation with several buckets;"
            ),
        ));
    }
    // Ordering by something missing would silently not order.
    let order = match &kind {
        AggregationKind::Terms(Terms { order, .. }) => Some(order),
        AggregationKind::MultiTerms(terms) => Some(&terms.order),
        AggregationKind::DateHistogram(histogram) => histogram.order.as_ref(),
        _ => None,
    };
    for (by, _) in order.into_iter().flat_map(|Order(all)| all) {
        if let By::Sub(path) = by
            && !leads(&subs, path)
        {
            return Err(Refusal::illegal(format!(
                "Invalid aggregation order path [{path}]. The provided aggregation [{path}] either does not exist, or is a \
                 pipeline aggregation and cannot be used to sort the buckets."
            )));
        }
    }
    for sub in &subs {
        if let AggregationKind::Pipeline(pipeline) = &sub.kind
            && let Some(path) = pipeline.paths().find(|path| !leads(&subs, path))
        {
            return Err(Refusal::illegal(format!("No aggregation found for path [{path}]")));
        }
    }
    Ok(Agg { name: name.to_owned(), kind, subs })
}

fn read(name: &str, kind: &str, value: &Json) -> Answer<AggregationKind> {
    match kind {
        "filter" => return query::parse(value).map(AggregationKind::Filter),
        "filters" => return ranges::filters(value),
        _ => {}
    }
    let body = value.as_object().ok_or_else(|| {
        Refusal::parsing(format!("Expected [START_OBJECT] under [{kind}], but got [{value}] in [{name}]"))
    })?;
    if kind == "top_hits" {
        return TopHits::read(name, body).map(AggregationKind::TopHits);
    }
    let mut body = Body { kind, rest: body.clone() };
    let read = match kind {
        "min" => metrics::metric(&mut body, Calc::Min)?,
        "max" => metrics::metric(&mut body, Calc::Max)?,
        "avg" => metrics::metric(&mut body, Calc::Avg)?,
        "sum" => metrics::metric(&mut body, Calc::Sum)?,
        "value_count" => metrics::metric(&mut body, Calc::ValueCount)?,
        "stats" => metrics::metric(&mut body, Calc::Stats)?,
        "extended_stats" => metrics::extended_stats(&mut body)?,
        "cardinality" => {
            body.rest.shift_remove("precision_threshold");
            metrics::metric(&mut body, Calc::Cardinality)?
        }
        "percentiles" => metrics::percentiles(&mut body)?,
        "terms" => AggregationKind::Terms(buckets::terms(&mut body)?),
        "multi_terms" => AggregationKind::MultiTerms(buckets::multi_terms(&mut body)?),
        "date_histogram" => AggregationKind::DateHistogram(buckets::date_histogram(&mut body)?),
        "histogram" => AggregationKind::Histogram(buckets::histogram(&mut body)?),
        "range" => AggregationKind::Range(ranges::ranges(name, &mut body)?),
        "date_range" => AggregationKind::DateRange(ranges::date_ranges(name, &mut body)?),
        "ip_range" => AggregationKind::IpRange(ranges::ip_ranges(name, &mut body)?),
        "missing" => AggregationKind::Missing { field: body.field()?, missing: body.take("missing") },
        "composite" => AggregationKind::Composite(buckets::composite(&mut body)?),
        "nested" => AggregationKind::Nested(body.text("path")?.ok_or_else(|| {
            Refusal::parsing(format!("Missing [path] field for nested aggregation [{name}]"))
        })?),
        "reverse_nested" => match body.text("path")? {
            None => AggregationKind::ReverseNested,
            Some(_) => return Err(Refusal::unmodelled("[path] of [reverse_nested]")),
        },
        "bucket_selector" | "bucket_script" | "bucket_sort" => {
            AggregationKind::Pipeline(pipelines::pipeline(kind, &mut body)?)
        }
        other if UNMODELLED.contains(&other) => {
            return Err(Refusal::unmodelled(format!("aggregation [{other}]")));
        }
        other => return Err(Refusal::parsing(format!("Unknown aggregation type [{other}]"))),
    };
    body.finish()?;
    Ok(read)
}
