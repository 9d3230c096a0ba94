//! Compound queries.
use serde_json::Value as Json;

use super::at;
use super::body::{Body, flag, is_boost, minimum, named, text, unsupported};
use crate::errors::{Answer, Refusal};
use crate::query::ast::{Bool, Query};

fn clauses(value: &Json, depth: usize) -> Answer<Vec<Query>> {
    match value {
        Json::Array(all) => all.iter().map(|one| at(one, depth + 1)).collect(),
        one => Ok(vec![at(one, depth + 1)?]),
    }
}

pub(super) fn boolean(body: Body, depth: usize) -> Answer<Query> {
    let mut bool = Bool::default();
    let mut name = None;
    for (key, value) in &body {
        match key.as_str() {
            "must" | "filter" => bool.must.extend(clauses(value, depth)?),
            "should" => bool.should.extend(clauses(value, depth)?),
            "must_not" | "mustNot" => bool.must_not.extend(clauses(value, depth)?),
            "minimum_should_match" => bool.minimum = Some(minimum(value)?),
            "adjust_pure_negative" if value == &Json::Bool(true) => {}
            "_name" => name = Some(text("bool", key, value)?),
            key if is_boost(key, value) => {}
            other => return Err(Refusal::content(format!("[bool] query does not support [{other}]"))),
        }
    }
    Ok(named(name, Query::Bool(Box::new(bool))))
}

pub(super) fn constant_score(body: Body, depth: usize) -> Answer<Query> {
    let (mut filter, mut name) = (None, None);
    for (key, value) in &body {
        match key.as_str() {
            "filter" => filter = Some(at(value, depth + 1)?),
            "_name" => name = Some(text("constant_score", key, value)?),
            key if is_boost(key, value) => {}
            other => return Err(unsupported("constant_score", other)),
        }
    }
    let filter = filter.ok_or_else(|| Refusal::parsing("[constant_score] requires a 'filter' element"))?;
    Ok(named(name, filter))
}

/// The best of several scores: without scores, any of the queries.
pub(super) fn dis_max(body: Body, depth: usize) -> Answer<Query> {
    let (mut should, mut name) = (Vec::new(), None);
    for (key, value) in &body {
        match key.as_str() {
            "queries" => should = clauses(value, depth)?,
            "tie_breaker" if value.is_number() => {}
            "_name" => name = Some(text("dis_max", key, value)?),
            key if is_boost(key, value) => {}
            other => return Err(unsupported("dis_max", other)),
        }
    }
    if should.is_empty() {
        return Err(Refusal::parsing("[dis_max] requires 'queries' field with at least one clause"));
    }
    Ok(named(name, Query::any(should)))
}

/// `negative` only lowers the score.
pub(super) fn boosting(body: Body, depth: usize) -> Answer<Query> {
    let (mut positive, mut negative, mut boost, mut name) = (None, None, None, None);
    for (key, value) in &body {
        match key.as_str() {
            "positive" => positive = Some(at(value, depth + 1)?),
            "negative" => negative = Some(at(value, depth + 1)?),
            "negative_boost" => boost = value.as_f64().filter(|boost| *boost >= 0.0),
            "_name" => name = Some(text("boosting", key, value)?),
            key if is_boost(key, value) => {}
            other => return Err(unsupported("boosting", other)),
        }
    }
    let positive =
        positive.ok_or_else(|| Refusal::parsing("[boosting] query requires 'positive' query to be set'"))?;
    if negative.is_none() {
        return Err(Refusal::parsing("[boosting] query requires 'negative' query to be set'"));
    }
    if boost.is_none() {
        return Err(Refusal::parsing(
            "[boosting] query requires 'negative_boost' to be set to be a positive value'",
        ));
    }
    Ok(named(name, positive))
}

pub(super) fn nested(body: Body, depth: usize) -> Answer<Query> {
    const KIND: &str = "nested";
    const MODES: [&str; 5] = ["avg", "max", "min", "none", "sum"];
    let (mut path, mut query, mut ignore_unmapped, mut name) = (None, None, false, None);
    for (key, value) in &body {
        match key.as_str() {
            "path" => path = Some(text(KIND, key, value)?),
            "query" => query = Some(at(value, depth + 1)?),
            "ignore_unmapped" => ignore_unmapped = flag(KIND, key, value)?,
            // Affects only the score.
            "score_mode" => {
                let mode = text(KIND, key, value)?;
                if !MODES.contains(&mode.as_str()) {
                    return Err(Refusal::illegal(format!("No score mode for child query [{mode}] found")));
                }
            }
            "inner_hits" => return Err(Refusal::unmodelled("[inner_hits] of [nested]")),
            "_name" => name = Some(text(KIND, key, value)?),
            key if is_boost(key, value) => {}
            other => return Err(unsupported(KIND, other)),
        }
    }
    let path = path.ok_or_else(|| Refusal::illegal("[nested] requires 'path' field"))?;
    let query = query.ok_or_else(|| Refusal::illegal("[nested] requires 'query' field"))?;
    Ok(named(name, Query::Nested { path, query: Box::new(query), ignore_unmapped }))
}
