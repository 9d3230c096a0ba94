//! Queries on one field.
use serde_json::Value as Json;

use super::body::{Body, count, flag, is_boost, named, one_field, scalar, text, unsupported};
use super::full_text::{edits, expansions};
use crate::errors::{Answer, Refusal};
use crate::query::ast::{Bound, Fuzzy, Query, Range};

/// As `index.max_terms_count`.
const TERMS_MAX: usize = 65_536;

pub(super) fn term(kind: &str, mut body: Body) -> Answer<Query> {
    let mut name = body.shift_remove("_name").map(|name| text(kind, "_name", &name)).transpose()?;
    body.retain(|key, value| !is_boost(key, value));
    let (field, value) = one_field(kind, body)?;
    let Json::Object(body) = value else {
        return Ok(named(name, Query::Term { field, value: scalar(kind, value)?, fold: false }));
    };
    let (mut term, mut fold) = (None, false);
    for (key, value) in body {
        match key.as_str() {
            "value" | "term" => term = Some(scalar(kind, value)?),
            "case_insensitive" => fold = flag(kind, &key, &value)?,
            "_name" => name = Some(text(kind, &key, &value)?),
            key if is_boost(key, &value) => {}
            other => return Err(unsupported(kind, other)),
        }
    }
    let value = term.ok_or_else(|| Refusal::illegal("value cannot be null"))?;
    Ok(named(name, Query::Term { field, value, fold }))
}

pub(super) fn terms(mut body: Body) -> Answer<Query> {
    let name = body.shift_remove("_name").map(|name| text("terms", "_name", &name)).transpose()?;
    body.retain(|key, value| !is_boost(key, value));
    let (field, value) = one_field("terms", body)?;
    let Json::Array(values) = value else {
        return Err(Refusal::unmodelled("a [terms] query without a list of values"));
    };
    if values.len() > TERMS_MAX {
        return Err(Refusal::illegal(format!(
            "The number of terms [{}] used in the Terms Query request has exceeded the allowed maximum of [{TERMS_MAX}]. \
             This maximum can be set by changing the [index.max_terms_count] index level setting.",
            values.len()
        )));
    }
    let values = values.into_iter().map(|value| scalar("terms", value)).collect::<Answer<_>>()?;
    Ok(named(name, Query::Terms { field, values }))
}

pub(super) fn range(kind: &str, mut body: Body) -> Answer<Query> {
    let mut name = body.shift_remove("_name").map(|name| text(kind, "_name", &name)).transpose()?;
    let (field, value) = one_field(kind, body)?;
    let Json::Object(body) = value else {
        return Err(Refusal::parsing(format!("[range] query does not support [{field}]")));
    };
    let mut range = Range::default();
    for (key, value) in body {
        let bound = |inclusive| -> Answer<Option<Bound>> {
            match value.clone() {
                Json::Null => Ok(None),
                value => Ok(Some(Bound { value: scalar(kind, value)?, inclusive })),
            }
        };
        match key.as_str() {
            "gte" => range.low = bound(true)?,
            "gt" => range.low = bound(false)?,
            "lte" => range.high = bound(true)?,
            "lt" => range.high = bound(false)?,
            "format" => range.format = Some(text(kind, &key, &value)?),
            "time_zone" => range.time_zone = Some(text(kind, &key, &value)?),
            "relation" if value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("intersects")) => {}
            "_name" => name = Some(text(kind, &key, &value)?),
            key if is_boost(key, &value) => {}
            other => return Err(Refusal::parsing(format!("[range] query does not support [{other}]"))),
        }
    }
    if range.low.is_none() && range.high.is_none() {
        // Without bounds, a range matches documents that have the field.
        return Ok(named(name, Query::Exists { field }));
    }
    Ok(named(name, Query::Range { field, range }))
}

pub(super) fn exists(body: Body) -> Answer<Query> {
    let (mut field, mut name) = (None, None);
    for (key, value) in &body {
        match key.as_str() {
            "field" => field = Some(text("exists", key, value)?),
            "_name" => name = Some(text("exists", key, value)?),
            key if is_boost(key, value) => {}
            other => return Err(unsupported("exists", other)),
        }
    }
    let field = field.filter(|field| !field.is_empty());
    let field = field.ok_or_else(|| Refusal::parsing("[exists] must be provided with a [field]"))?;
    Ok(named(name, Query::Exists { field }))
}

pub(super) fn strings(kind: &str, mut body: Body) -> Answer<Query> {
    let mut name = body.shift_remove("_name").map(|name| text(kind, "_name", &name)).transpose()?;
    let (field, value) = one_field(kind, body)?;
    let (mut pattern, mut fold) = (None, false);
    match value {
        Json::Object(body) => {
            for (key, value) in body {
                match (key.as_str(), kind) {
                    ("value", _) | ("wildcard", "wildcard") => pattern = Some(text(kind, &key, &value)?),
                    ("case_insensitive", _) => fold = flag(kind, &key, &value)?,
                    ("_name", _) => name = Some(text(kind, &key, &value)?),
                    ("rewrite", _) | ("max_determinized_states", "regexp") => {}
                    ("flags", "regexp") if value == "ALL" => {}
                    (key, _) if is_boost(key, &value) => {}
                    (other, _) => return Err(unsupported(kind, other)),
                }
            }
        }
        value => pattern = Some(text(kind, &field, &value)?),
    }
    let pattern = pattern.ok_or_else(|| Refusal::illegal("value cannot be null"))?;
    let query = match kind {
        "prefix" => Query::Prefix { field, value: pattern, fold },
        "wildcard" => Query::Wildcard { field, pattern, fold },
        _ => Query::Regexp { field, pattern, fold },
    };
    Ok(named(name, query))
}

pub(super) fn ids(body: Body) -> Answer<Query> {
    let (mut ids, mut name) = (Vec::new(), None);
    for (key, value) in &body {
        match (key.as_str(), value) {
            ("values", Json::Array(values)) => {
                ids = values.iter().map(|value| text("ids", key, value)).collect::<Answer<_>>()?;
            }
            ("values", value) => ids = vec![text("ids", key, value)?],
            ("_name", _) => name = Some(text("ids", key, value)?),
            (key, _) if is_boost(key, value) => {}
            (other, _) => return Err(Refusal::parsing(format!("[ids] unknown field [{other}]"))),
        }
    }
    Ok(named(name, Query::Ids(ids)))
}

pub(super) fn fuzzy(kind: &str, body: Body) -> Answer<Query> {
    let (field, value) = one_field(kind, body)?;
    let Json::Object(body) = value else {
        return Ok(Query::Fuzzy { field, value: scalar(kind, value)?, fuzzy: Fuzzy::default() });
    };
    let (mut term, mut fuzzy, mut name) = (None, Fuzzy::default(), None);
    for (key, value) in body {
        match key.as_str() {
            "value" | "term" => term = Some(scalar(kind, value)?),
            "fuzziness" => fuzzy.edits = edits(&value)?,
            "prefix_length" => fuzzy.prefix = count(kind, &key, &value)?,
            "max_expansions" => fuzzy.expansions = expansions(kind, &value)?,
            "transpositions" => fuzzy.transpositions = flag(kind, &key, &value)?,
            "_name" => name = Some(text(kind, &key, &value)?),
            key if is_boost(key, &value) => {}
            other => return Err(Refusal::parsing(format!("[fuzzy] query does not support [{other}]"))),
        }
    }
    let value = term.ok_or_else(|| Refusal::illegal("query value cannot be null"))?;
    Ok(named(name, Query::Fuzzy { field, value, fuzzy }))
}
