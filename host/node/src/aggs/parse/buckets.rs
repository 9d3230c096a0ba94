//! Aggregations with a bucket per value, interval or combination.
use serde_json::Value as Json;

use super::body::Body;
use crate::aggs::BUCKETS_MAX;
use crate::aggs::composite::{Composite, Source, Steps};
use crate::aggs::histogram::{DateHistogram, Histogram, Interval};
use crate::aggs::multi_terms::{MultiTerms, Part};
use crate::aggs::sorted::{By, Order};
use crate::aggs::terms::{Choice, Terms};
use crate::dates::Unit;
use crate::errors::{Answer, Refusal};

pub(super) fn terms(body: &mut Body<'_>) -> Answer<Terms> {
    for hint in ["execution_hint", "collect_mode", "show_term_doc_count_error"] {
        if hint != "show_term_doc_count_error" || body.rest.get(hint) == Some(&Json::Bool(false)) {
            body.rest.shift_remove(hint);
        }
    }
    let order = match body.take("order") {
        Some(order) => Order::parse(&order)?,
        None => Order(vec![(By::Count, true)]),
    };
    let choice = |value: Option<Json>| value.map(|value| Choice::parse(&value)).transpose();
    let terms = Terms {
        field: body.field()?,
        size: body.count("size", 10)?,
        min_doc_count: body.count("min_doc_count", 1)?,
        shard_size: shard_size(body)?,
        order,
        missing: body.take("missing"),
        format: body.format()?,
        include: choice(body.take("include"))?,
        exclude: choice(body.take("exclude"))?,
    };
    if terms.min_doc_count == 0 && terms.missing.is_some() {
        return Err(Refusal::unmodelled("min_doc_count [0] of [terms] beside [missing]"));
    }
    if terms.size == 0 || terms.size > BUCKETS_MAX {
        return Err(Refusal::content(format!(
            "[size] must be greater than 0 and at most {BUCKETS_MAX}. Found [{}]",
            terms.size
        )));
    }
    Ok(terms)
}

pub(super) fn multi_terms(body: &mut Body<'_>) -> Answer<MultiTerms> {
    body.rest.shift_remove("collect_mode");
    let shard_size = shard_size(body)?;
    let list = body.take("terms").unwrap_or_default();
    let mut parts = Vec::new();
    for part in list.as_array().into_iter().flatten() {
        let mut one = Body { kind: "multi_terms", rest: part.as_object().cloned().unwrap_or_default() };
        parts.push(Part { field: one.field()?, missing: one.take("missing"), format: one.format()? });
        one.finish()?;
    }
    if parts.len() < 2 {
        return Err(Refusal::content("[multi_terms] failed to parse field [terms]").caused_by(
            "illegal_argument_exception",
            format!(
                "The [terms] parameter in the aggregation [multi_terms] must contain at least 2 terms, and has {}",
                parts.len()
            ),
        ));
    }
    let order = match body.take("order") {
        Some(order) => Order::parse(&order)?,
        None => Order(vec![(By::Count, true)]),
    };
    let (size, min_doc_count) = (body.count("size", 10)?, body.count("min_doc_count", 1)?);
    if min_doc_count == 0 {
        return Err(Refusal::unmodelled("min_doc_count [0] of [multi_terms]"));
    }
    if size == 0 || size > BUCKETS_MAX {
        return Err(Refusal::illegal(format!(
            "[size] must be greater than 0 and at most {BUCKETS_MAX}. Found [{size}]"
        )));
    }
    Ok(MultiTerms { parts, size, min_doc_count, shard_size, order })
}

fn shard_size(body: &mut Body<'_>) -> Answer<Option<usize>> {
    let asked = body.count("shard_size", 0)?;
    Ok(Some(asked).filter(|asked| *asked > 0))
}

/// A time value such as `90s`, in milliseconds.
fn span(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let factor = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    text[..digits].parse::<i64>().ok()?.checked_mul(factor)?.checked_mul(sign)
}

fn interval(body: &mut Body<'_>) -> Answer<Interval> {
    match (body.text("fixed_interval")?, body.text("calendar_interval")?) {
        (Some(text), None) => {
            let fixed = span(&text).filter(|span| *span > 0).map(Interval::Fixed);
            fixed.ok_or_else(|| Refusal::illegal(format!("failed to parse setting [date_histogram.fixedInterval] with value [{text}] as a time value")))
        }
        (None, Some(text)) => Ok(Interval::Calendar(match text.as_str() {
            "second" | "1s" => Unit::Second,
            "minute" | "1m" => Unit::Minute,
            "hour" | "1h" => Unit::Hour,
            "day" | "1d" => Unit::Day,
            "week" | "1w" => Unit::Week,
            "month" | "1M" => Unit::Month,
            "quarter" | "1q" => Unit::Quarter,
            "year" | "1y" => Unit::Year,
            other => {
                return Err(Refusal::content(format!(
                    "The supplied interval [{other}] could not be parsed as a calendar interval."
                )));
            }
        })),
        (None, None) => Err(Refusal::illegal(
            "Required one of fields [fixed_interval, calendar_interval], but none were specified.",
        )),
        _ => Err(Refusal::content(
            "Cannot use [fixed_interval] with [calendar_interval] configuration option.",
        )),
    }
}

fn offset(body: &mut Body<'_>) -> Answer<i64> {
    match body.take("offset") {
        None => Ok(0),
        Some(value) => {
            let millis = value.as_i64().or_else(|| span(value.as_str()?));
            millis.ok_or_else(|| body.wrong("offset", &value))
        }
    }
}

pub(super) fn date_histogram(body: &mut Body<'_>) -> Answer<DateHistogram> {
    let bounds = |value: Option<Json>, key: &str| -> Answer<Option<(Json, Json)>> {
        let Some(value) = value else { return Ok(None) };
        let pair = value.get("min").zip(value.get("max")).map(|(min, max)| (min.clone(), max.clone()));
        pair.map(Some).ok_or_else(|| Refusal::unmodelled(format!("[{key}] without both min and max")))
    };
    Ok(DateHistogram {
        field: body.field()?,
        interval: interval(body)?,
        offset: offset(body)?,
        zone: body.zone()?,
        format: body.format()?,
        min_doc_count: body.count("min_doc_count", 0)?,
        order: body.take("order").map(|order| Order::parse(&order)).transpose()?,
        keyed: body.flag("keyed")?.unwrap_or(false),
        missing: body.take("missing"),
        extended: bounds(body.take("extended_bounds"), "extended_bounds")?,
        hard: bounds(body.take("hard_bounds"), "hard_bounds")?,
    })
}

pub(super) fn histogram(body: &mut Body<'_>) -> Answer<Histogram> {
    let interval = body.number("interval")?.filter(|interval| *interval > 0.0);
    Ok(Histogram {
        field: body.field()?,
        interval: interval
            .ok_or_else(|| Refusal::illegal("[interval] must be >0 for histogram aggregation"))?,
        offset: body.number("offset")?.unwrap_or(0.0),
        min_doc_count: body.count("min_doc_count", 0)?,
        keyed: body.flag("keyed")?.unwrap_or(false),
        missing: body.take("missing"),
    })
}

pub(super) fn composite(body: &mut Body<'_>) -> Answer<Composite> {
    let list = body.take("sources").unwrap_or_default();
    let mut sources = Vec::new();
    for source in list.as_array().into_iter().flatten() {
        let malformed = || Refusal::parsing(format!("[composite] malformed source [{source}]"));
        let single = |json: &Json| -> Option<(String, Json)> {
            let object = json.as_object().filter(|object| object.len() == 1)?;
            object.iter().next().map(|(key, value)| (key.clone(), value.clone()))
        };
        let (name, inner) = single(source).ok_or_else(malformed)?;
        let (kind, options) = single(&inner).ok_or_else(malformed)?;
        let mut one = Body { kind: "composite", rest: options.as_object().cloned().ok_or_else(malformed)? };
        let steps = match kind.as_str() {
            "terms" => Steps::Values,
            "date_histogram" => Steps::Dates(interval(&mut one)?, offset(&mut one)?, one.zone()?),
            "histogram" => {
                let interval = one.number("interval")?.filter(|interval| *interval > 0.0);
                Steps::Numbers(interval.ok_or_else(|| {
                    Refusal::illegal("[interval] must be greater than 0 for [histogram] source")
                })?)
            }
            other => return Err(Refusal::unmodelled(format!("composite source [{other}]"))),
        };
        let read = Source {
            name,
            field: one.field()?,
            steps,
            format: one.format()?,
            descending: match one.text("order")?.as_deref() {
                None | Some("asc") => false,
                Some("desc") => true,
                Some(other) => return Err(Refusal::illegal(format!("Unknown SortOrder [{other}]"))),
            },
            missing_bucket: one.flag("missing_bucket")?.unwrap_or(false),
            missing_first: match one.text("missing_order")?.as_deref() {
                None | Some("default") => None,
                Some("first") => Some(true),
                Some("last") => Some(false),
                Some(other) => return Err(Refusal::illegal(format!("Unknown missing_order [{other}]"))),
            },
        };
        one.finish()?;
        sources.push(read);
    }
    if sources.is_empty() {
        return Err(Refusal::illegal("Composite [sources] cannot be null or empty"));
    }
    let after = match body.take("after") {
        None => None,
        Some(Json::Object(after)) => Some(after),
        Some(other) => return Err(body.wrong("after", &other)),
    };
    let size = body.count("size", 10)?;
    if size == 0 || size > BUCKETS_MAX {
        return Err(Refusal::illegal(format!(
            "[size] must be greater than 0 and at most {BUCKETS_MAX}. Found [{size}]"
        )));
    }
    Ok(Composite { size, sources, after })
}
