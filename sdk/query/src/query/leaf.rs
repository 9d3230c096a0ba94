//! Queries on one value of one field, by the field's kind.
use serde_json::Value as Json;

use super::ast::{Bound, Range};
use super::glob::Glob;
use super::predicate::Predicate;
use super::scope::Scope;
use super::strings::StringTest;
use crate::dates::{Formats, Zone, parse_math, to_millis};
use crate::errors::{Answer, Refusal};
use crate::geo::Area;
use crate::mapping::{Field, FieldId, FieldKind, Flavour};
use crate::value::{Value, parse_cidr, parse_ip, scalar_text};

pub(super) fn failed(reason: impl Into<String>, kind: &'static str) -> Refusal {
    let reason = reason.into();
    Refusal::shard(format!("failed to create query: {reason}")).caused_by(kind, reason)
}

fn number_format(text: &str) -> Refusal {
    failed(format!("For input string: \"{text}\""), "number_format_exception")
}

/// The exact term; the value is not analysed.
pub(crate) fn term(scope: &Scope<'_>, id: FieldId, value: &Json, fold: bool) -> Answer<Predicate> {
    let field = scope.mapping.get(id);
    searchable(field)?;
    let text = scalar_text(value)
        .ok_or_else(|| Refusal::parsing("a term must be a string, a number or a boolean"))?;
    let string = |text: String| {
        let test = if fold { StringTest::EqualsFolded(text.into()) } else { StringTest::Equals(text.into()) };
        Predicate::String { field: id, test }
    };
    match field.kind {
        FieldKind::Keyword(_) if field.lowercase => Ok(string(text.to_lowercase())),
        FieldKind::Keyword(_) | FieldKind::Text { .. } => Ok(string(text)),
        _ if fold => Err(failed(
            format!(
                "[{}] field which is of type [{}], does not support case insensitive term queries",
                field.path,
                field.kind.name()
            ),
            "illegal_argument_exception",
        )),
        FieldKind::Whole { .. } => Ok(match whole(value, &text)? {
            Some(number) => Predicate::Long { field: id, low: number, high: number },
            None => Predicate::Nothing,
        }),
        FieldKind::Real { .. } => {
            let number = field.round(real(value, &text)?);
            if !number.is_finite() {
                let name = field.kind.name();
                let reason = format!("[{name}] supports only finite values, but got [{number}]");
                return Err(failed(reason, "illegal_argument_exception"));
            }
            Ok(Predicate::Double { field: id, low: number, high: number })
        }
        FieldKind::Boolean => match searched_bool(field, &text) {
            Ok(Value::Long(flag)) => Ok(Predicate::Long { field: id, low: flag, high: flag }),
            _ => Err(failed(
                format!("Can't parse boolean value [{text}], expected [true] or [false]"),
                "illegal_argument_exception",
            )),
        },
        FieldKind::Date | FieldKind::DateNanos => {
            let bound = Some(Bound { value: value.clone(), inclusive: true });
            range(scope, id, &Range { low: bound.clone(), high: bound, ..Range::default() })
        }
        FieldKind::GeoPoint => Err(geo_only(field)),
        FieldKind::Opaque(_) => Ok(Predicate::Nothing),
        FieldKind::Ip => match parse_cidr(&text).or_else(|| parse_ip(&text).map(|ip| (ip, ip))) {
            Some((low, high)) => Ok(Predicate::Ip { field: id, low, high }),
            None => {
                Err(failed(format!("'{text}' is not an IP string literal."), "illegal_argument_exception"))
            }
        },
    }
}

/// As in a document, except that an empty text is not false.
fn searched_bool(field: &Field, text: &str) -> Result<Value, String> {
    if text.is_empty() { Err("nothing is neither true nor false".into()) } else { field.parse_bool(text) }
}

/// An integer to match; `None` if no integer can equal it.
fn whole(value: &Json, text: &str) -> Answer<Option<i64>> {
    if let Some(number) = value.as_i64().or_else(|| text.trim().parse().ok()) {
        return Ok(Some(number));
    }
    let number = real(value, text)?;
    if number.fract() == 0.0 && number.abs() >= 9_223_372_036_854_775_808.0 {
        return Err(failed(
            format!("Value [{text}] is out of range for a long"),
            "illegal_argument_exception",
        ));
    }
    Ok((number.fract() == 0.0).then_some(number as i64))
}

fn real(value: &Json, text: &str) -> Answer<f64> {
    if value.is_boolean() {
        return Err(number_format(text));
    }
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| number_format(text))
}

pub(crate) fn range(scope: &Scope<'_>, id: FieldId, range: &Range) -> Answer<Predicate> {
    let field = scope.mapping.get(id);
    searchable(field)?;
    let Range { low, high, .. } = range;
    let text = |bound: &Bound| {
        scalar_text(&bound.value)
            .ok_or_else(|| Refusal::parsing("a bound must be a string, a number or a boolean"))
    };
    if !field.kind.is_date() && range.format.is_some() {
        return Err(failed(
            format!("Field [{}] of type [{}] does not support DATE ranges", field.path, field.kind.name()),
            "illegal_argument_exception",
        ));
    }
    match field.kind {
        FieldKind::Date | FieldKind::DateNanos => dates(scope, id, field, range),
        FieldKind::Whole { .. } => {
            let edge = |bound: &Bound, up: bool| -> Answer<Option<i64>> {
                let text = text(bound)?;
                // Exact for integers; others move to the next integer inside the range.
                if let Some(number) = bound.value.as_i64().or_else(|| text.trim().parse().ok()) {
                    return Ok(match (bound.inclusive, up) {
                        (true, _) => Some(number),
                        (false, true) => number.checked_add(1),
                        (false, false) => number.checked_sub(1),
                    });
                }
                let number = real(&bound.value, &text)?;
                let edge = if up { number.ceil() } else { number.floor() };
                let step = if !bound.inclusive && edge == number { if up { 1 } else { -1 } } else { 0 };
                // The cast saturates, as the type's bounds do.
                Ok((edge as i64).checked_add(step))
            };
            let low = low.as_ref().map_or(Ok(Some(i64::MIN)), |bound| edge(bound, true))?;
            let high = high.as_ref().map_or(Ok(Some(i64::MAX)), |bound| edge(bound, false))?;
            Ok(match (low, high) {
                (Some(low), Some(high)) if low <= high => Predicate::Long { field: id, low, high },
                _ => Predicate::Nothing,
            })
        }
        FieldKind::Real { single, .. } => {
            let edge = |bound: &Bound, up: bool| -> Answer<f64> {
                let number = real(&bound.value, &text(bound)?)?;
                // Servers round range bounds only to single precision, not to half.
                let number = match field.kind {
                    FieldKind::Real { name: "half_float", .. } => f64::from(number as f32),
                    _ => field.round(number),
                };
                Ok(match (bound.inclusive, up, single) {
                    (true, ..) => number,
                    (false, true, true) => f64::from((number as f32).next_up()),
                    (false, false, true) => f64::from((number as f32).next_down()),
                    (false, true, false) => number.next_up(),
                    (false, false, false) => number.next_down(),
                })
            };
            let low = low.as_ref().map_or(Ok(f64::NEG_INFINITY), |bound| edge(bound, true))?;
            let high = high.as_ref().map_or(Ok(f64::INFINITY), |bound| edge(bound, false))?;
            Ok(Predicate::Double { field: id, low, high })
        }
        FieldKind::Boolean => {
            let flag = |bound: &Bound| match searched_bool(field, &text(bound)?) {
                Ok(Value::Long(flag)) => Ok(flag),
                _ => Err(failed(
                    "Can't parse boolean value, expected [true] or [false]",
                    "illegal_argument_exception",
                )),
            };
            let low = low.as_ref().map_or(Ok(0), |b| flag(b).map(|n| n + i64::from(!b.inclusive)))?;
            let high = high.as_ref().map_or(Ok(1), |b| flag(b).map(|n| n - i64::from(!b.inclusive)))?;
            Ok(Predicate::Long { field: id, low, high })
        }
        FieldKind::Ip => {
            let ip = |bound: &Bound| {
                let text = text(bound)?;
                parse_ip(&text).ok_or_else(|| {
                    failed(format!("'{text}' is not an IP string literal."), "illegal_argument_exception")
                })
            };
            let low = low
                .as_ref()
                .map_or(Ok(Some(0)), |b| ip(b).map(|ip| ip.checked_add((!b.inclusive).into())))?;
            let high = high
                .as_ref()
                .map_or(Ok(Some(u128::MAX)), |b| ip(b).map(|ip| ip.checked_sub((!b.inclusive).into())))?;
            Ok(match (low, high) {
                (Some(low), Some(high)) if low <= high => Predicate::Ip { field: id, low, high },
                _ => Predicate::Nothing,
            })
        }
        FieldKind::GeoPoint => Err(geo_only(field)),
        FieldKind::Opaque(_) => Ok(Predicate::Nothing),
        FieldKind::Keyword(_) | FieldKind::Text { .. } => {
            let edge = |bound: &Bound| -> Answer<(Box<str>, bool)> {
                let text = text(bound)?;
                Ok((if field.lowercase { text.to_lowercase() } else { text }.into(), bound.inclusive))
            };
            let (low, high) = (low.as_ref().map(edge).transpose()?, high.as_ref().map(edge).transpose()?);
            Ok(Predicate::String { field: id, test: StringTest::Between { low, high } })
        }
    }
}

fn dates(scope: &Scope<'_>, id: FieldId, field: &Field, range: &Range) -> Answer<Predicate> {
    let (low, high) = instants(scope, field, range)?;
    Ok(if low <= high { Predicate::Long { field: id, low, high } } else { Predicate::Nothing })
}

/// Whether a date range is outside everything in an index. Servers check that first.
pub(crate) fn is_beside(scope: &Scope<'_>, name: &str, range: &Range) -> bool {
    let Some((id, field)) = scope.mapping.field(name).filter(|(_, field)| field.kind.is_date()) else {
        return false;
    };
    let Ok((low, high)) = instants(scope, field, range) else { return false };
    let documents = scope.documents.iter().flatten().flat_map(|document| document.all());
    let instants = documents.flat_map(|document| document.values(id));
    let mut span: Option<(i64, i64)> = None;
    for value in instants {
        if let Value::Long(at) = value {
            let (first, last) = span.unwrap_or((*at, *at));
            span = Some((first.min(*at), last.max(*at)));
        }
    }
    span.is_none_or(|(first, last)| last < low || first > high)
}

/// The first and last instant of a range, as the field stores them.
fn instants(scope: &Scope<'_>, field: &Field, range: &Range) -> Answer<(i64, i64)> {
    let refused = |reason: String| Refusal::new(400, "parse_exception", reason);
    // A number is milliseconds whatever the field's format, and so is then the other bound, as in Elasticsearch 9.
    let edges = [&range.low, &range.high];
    let number = edges.into_iter().flatten().any(|bound| bound.value.is_number());
    let formats = match &range.format {
        Some(text) => &Formats::new(text).map_err(|reason| failed(reason, "illegal_argument_exception"))?,
        None if number => &Formats::new("epoch_millis").map_err(Refusal::illegal)?,
        None => &field.formats,
    };
    let zone = match &range.time_zone {
        Some(text) => {
            Zone::parse(text).ok_or_else(|| Refusal::illegal(format!("Unknown time-zone ID: {text}")))?
        }
        None => Zone::UTC,
    };
    let edge = |bound: &Bound, round_up: bool| -> Answer<i64> {
        let text = scalar_text(&bound.value)
            .ok_or_else(|| Refusal::parsing("a date must be a string or a number"))?;
        // Java writes a fraction this small with an exponent, which no format reads.
        if bound.value.is_f64() && bound.value.as_f64().is_some_and(|number| number.abs() >= 1e7) {
            return Err(refused(format!("failed to parse date field [{text}]")));
        }
        let at = parse_math(&text, formats, scope.now, round_up, &zone).map_err(refused)?;
        Ok(match field.kind {
            FieldKind::DateNanos => i64::try_from(at).ok().filter(|at| *at >= 0).ok_or_else(|| {
                let reason = format!(
                    "date[{text}] is before the epoch in 1970 or after 2262 and cannot be compared in nanosecond resolution"
                );
                Refusal::illegal(reason)
            })?,
            _ => to_millis(at),
        })
    };
    let low = match &range.low {
        None => i64::MIN,
        Some(bound) => edge(bound, !bound.inclusive)?.saturating_add((!bound.inclusive).into()),
    };
    let high = match &range.high {
        None => i64::MAX,
        Some(bound) => edge(bound, bound.inclusive)?.saturating_sub((!bound.inclusive).into()),
    };
    Ok((low, high))
}

pub(crate) fn exists(scope: &Scope<'_>, name: &str) -> Answer<Predicate> {
    if matches!(name, "_id" | "_index" | "_source") {
        return Ok(Predicate::All);
    }
    if name == "_ignored" {
        return Ok(Predicate::Ignored(StringTest::Glob(Glob::new("*", false, false))));
    }
    let mut fields: Vec<FieldId> = Vec::new();
    for id in scope.mapping.matching(name) {
        fields.push(id);
    }
    if fields.is_empty() && scope.mapping.object(name).is_some() {
        fields.extend(scope.mapping.below(name));
    }
    fields.iter().try_for_each(|id| modelled(scope.mapping.get(*id)))?;
    // What is neither indexed nor in doc values was never recorded as present.
    fields.retain(|id| {
        let field = scope.mapping.get(*id);
        field.index || field.doc_values
    });
    Ok(if fields.is_empty() { Predicate::Nothing } else { Predicate::Exists(fields) })
}

fn geo_only(field: &Field) -> Refusal {
    let reason = format!(
        "Geometry fields do not support exact searching, use dedicated geometry queries instead: [{}]",
        field.path
    );
    failed(reason, "illegal_argument_exception")
}

/// A place in an area. `kind`: the query's name.
pub(crate) fn within(
    scope: &Scope<'_>,
    name: &str,
    area: &Area,
    kind: &str,
    ignore_unmapped: bool,
) -> Answer<Predicate> {
    match scope.mapping.field(name) {
        None if ignore_unmapped => Ok(Predicate::Nothing),
        None => Err(Refusal::shard(format!("failed to find geo field [{name}]"))),
        Some((id, field)) if field.kind == FieldKind::GeoPoint => {
            searchable(field)?;
            Ok(Predicate::Within { field: id, area: area.clone() })
        }
        Some((_, field)) => {
            modelled(field)?;
            Err(Refusal::shard(format!(
                "Field [{name}] is of unsupported type [{}] for [{kind}] query",
                field.kind.name()
            )))
        }
    }
}

/// Prefix, wildcard and regexp apply only to strings.
pub(crate) fn strings_only(field: &Field, what: &str) -> Answer<()> {
    searchable(field)?;
    match field.kind {
        FieldKind::Keyword(Flavour::Keyed) if what != "prefix" => Err(failed(
            format!("[{what}] queries are not currently supported on keyed [flattened] fields."),
            "unsupported_operation_exception",
        )),
        FieldKind::Keyword(_) | FieldKind::Text { .. } => Ok(()),
        kind => Err(failed(
            format!(
                "Can only use {what} queries on keyword, text and wildcard fields - not on [{}] which is of type [{}]",
                field.path,
                kind.name()
            ),
            "illegal_argument_exception",
        )),
    }
}

/// Refuses a path into values of which nothing is known.
pub(crate) fn modelled_path(scope: &Scope<'_>, path: &str) -> Answer<()> {
    scope.mapping.opaque_above(path).map_or(Ok(()), modelled)
}

fn modelled(field: &Field) -> Answer<()> {
    match field.kind {
        FieldKind::Opaque(name) => {
            Err(Refusal::unmodelled(format!("a query of the field [{}] of type [{name}]", field.path)))
        }
        _ => Ok(()),
    }
}

pub(super) fn searchable(field: &Field) -> Answer<()> {
    modelled(field)?;
    if field.index || field.doc_values {
        return Ok(());
    }
    Err(failed(
        format!("Cannot search on field [{}] since it is not indexed.", field.path),
        "illegal_argument_exception",
    ))
}

/// `normalized`: the pattern is normalized like the field's values, as in `query_string`.
pub(crate) fn wildcard(
    scope: &Scope<'_>,
    id: FieldId,
    pattern: &str,
    fold: bool,
    normalized: bool,
) -> Answer<Predicate> {
    let field = scope.mapping.get(id);
    // `query_string` takes another path.
    if !(normalized && field.is_hidden()) {
        strings_only(field, "wildcard")?;
    }
    let lowercase = field.lowercase || (normalized && field.kind.is_text());
    Ok(Predicate::String { field: id, test: StringTest::Glob(Glob::new(pattern, fold, lowercase)) })
}

pub(crate) fn prefix(
    scope: &Scope<'_>,
    id: FieldId,
    text: &str,
    fold: bool,
    normalized: bool,
) -> Answer<Predicate> {
    let field = scope.mapping.get(id);
    strings_only(field, "prefix")?;
    let lowercase = field.lowercase || (normalized && field.kind.is_text());
    let glob = if lowercase { Glob::prefix(&text.to_lowercase(), fold) } else { Glob::prefix(text, fold) };
    Ok(Predicate::String { field: id, test: StringTest::Glob(glob) })
}

pub(crate) fn regexp(scope: &Scope<'_>, id: FieldId, pattern: &str, fold: bool) -> Answer<Predicate> {
    strings_only(scope.mapping.get(id), "regexp")?;
    let regex = super::regexp::Regexp::new(pattern, fold)
        .map_err(|reason| failed(reason, "illegal_argument_exception"))?;
    Ok(Predicate::String { field: id, test: StringTest::Regexp(Box::new(regex)) })
}
