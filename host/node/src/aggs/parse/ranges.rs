//! Aggregations with a bucket per range or per filter.
use serde_json::Value as Json;

use super::body::Body;
use crate::aggs::AggregationKind;
use crate::aggs::range::Ranges;
use crate::aggs::spans::{DateRanges, Edge, IpRanges};
use crate::errors::{Answer, Refusal};
use crate::query;
use crate::value::{parse_cidr, parse_ip};

pub(super) fn ranges(name: &str, body: &mut Body<'_>) -> Answer<Ranges> {
    let list = body.take("ranges").unwrap_or_default();
    let mut ranges = Vec::new();
    for range in list.as_array().into_iter().flatten() {
        let mut one = Body { kind: "range", rest: range.as_object().cloned().unwrap_or_default() };
        ranges.push((one.text("key")?, edge(&mut one, "from")?, edge(&mut one, "to")?));
        one.finish()?;
    }
    if ranges.is_empty() {
        return Err(none(name));
    }
    Ok(Ranges {
        field: body.field()?,
        missing: body.take("missing"),
        ranges,
        keyed: body.flag("keyed")?.unwrap_or(false),
    })
}

pub(super) fn filters(value: &Json) -> Answer<AggregationKind> {
    let body = value.as_object().ok_or_else(|| Refusal::parsing("[filters] must be an object"))?;
    let mut body = Body { kind: "filters", rest: body.clone() };
    let filters = match body.take("filters") {
        Some(Json::Object(named)) => named
            .iter()
            .map(|(name, filter)| Ok((Some(name.clone()), query::parse(filter)?)))
            .collect::<Answer<Vec<_>>>()?,
        Some(Json::Array(list)) => {
            list.iter().map(|filter| Ok((None, query::parse(filter)?))).collect::<Answer<Vec<_>>>()?
        }
        _ => return Err(Refusal::illegal("[filters] cannot be null or empty")),
    };
    let name = body.text("other_bucket_key")?;
    let other = body.flag("other_bucket")?.unwrap_or(name.is_some());
    body.finish()?;
    Ok(AggregationKind::Filters { filters, other: other.then(|| name.unwrap_or_else(|| "_other_".into())) })
}

fn none(name: &str) -> Refusal {
    Refusal::illegal(format!("No [ranges] specified for the [{name}] aggregation"))
}

/// A number, possibly written as text.
fn edge(body: &mut Body<'_>, key: &str) -> Answer<Option<f64>> {
    match body.take(key) {
        None | Some(Json::Null) => Ok(None),
        Some(value) => {
            let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
            number.map(Some).ok_or_else(|| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Refusal::new(400, "number_format_exception", format!("For input string: \"{text}\""))
            })
        }
    }
}

pub(super) fn date_ranges(name: &str, body: &mut Body<'_>) -> Answer<DateRanges> {
    let list = body.take("ranges").unwrap_or_default();
    let mut ranges = Vec::new();
    for range in list.as_array().into_iter().flatten() {
        let mut one = Body { kind: "date_range", rest: range.as_object().cloned().unwrap_or_default() };
        let mut edge = |key: &str| -> Answer<Option<Edge>> {
            match one.take(key) {
                None | Some(Json::Null) => Ok(None),
                Some(Json::String(text)) => Ok(Some(Edge::Said(text))),
                Some(value) => {
                    value.as_f64().map(|at| Some(Edge::At(at))).ok_or_else(|| one.wrong(key, &value))
                }
            }
        };
        let (from, to) = (edge("from")?, edge("to")?);
        ranges.push((one.text("key")?, from, to));
        one.finish()?;
    }
    if ranges.is_empty() {
        return Err(none(name));
    }
    Ok(DateRanges {
        field: body.field()?,
        ranges,
        keyed: body.flag("keyed")?.unwrap_or(false),
        format: body.format()?,
        zone: body.zone()?,
        missing: body.take("missing"),
    })
}

pub(super) fn ip_ranges(name: &str, body: &mut Body<'_>) -> Answer<IpRanges> {
    let list = body.take("ranges").unwrap_or_default();
    let mut ranges = Vec::new();
    for range in list.as_array().into_iter().flatten() {
        let mut one = Body { kind: "ip_range", rest: range.as_object().cloned().unwrap_or_default() };
        let address = |text: Option<String>| -> Answer<Option<u128>> {
            let Some(text) = text else { return Ok(None) };
            parse_ip(&text)
                .map(Some)
                .ok_or_else(|| Refusal::illegal(format!("'{text}' is not an IP string literal.")))
        };
        let key = one.text("key")?;
        ranges.push(match one.text("mask")? {
            Some(mask) => {
                let (low, high) = parse_cidr(&mask)
                    .ok_or_else(|| Refusal::illegal(format!("Expected [ip/prefix] but was [{mask}]")))?;
                (key.or(Some(mask)), Some(low).filter(|low| *low > 0), high.checked_add(1))
            }
            None => (key, address(one.text("from")?)?, address(one.text("to")?)?),
        });
        one.finish()?;
    }
    if ranges.is_empty() {
        return Err(none(name));
    }
    Ok(IpRanges { field: body.field()?, ranges, keyed: body.flag("keyed")?.unwrap_or(false) })
}
