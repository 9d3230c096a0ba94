//! Pipeline aggregations, over finished buckets.
use serde_json::{Map, Value as Json};

use super::body::Body;
use crate::aggs::pipeline::{Formula, Pipeline, Sort};
use crate::aggs::script::Script;
use crate::errors::{Answer, Refusal};

impl Pipeline {
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let (formula, sort) = match self {
            Self::Selector(formula) | Self::Script(formula) => (Some(formula), None),
            Self::Sort(sort) => (None, Some(sort)),
        };
        let numbers =
            formula.into_iter().flat_map(|formula| formula.paths.iter().map(|(_, path)| path.as_str()));
        numbers.chain(sort.into_iter().flat_map(|sort| sort.by.iter().map(|(path, _)| path.as_str())))
    }
}

pub(super) fn pipeline(kind: &str, body: &mut Body<'_>) -> Answer<Pipeline> {
    let zeros = match body.text("gap_policy")?.as_deref() {
        None | Some("skip") => false,
        Some("insert_zeros") if kind != "bucket_sort" => true,
        Some(other) => return Err(Refusal::unmodelled(format!("gap_policy [{other}] of [{kind}]"))),
    };
    match kind {
        "bucket_selector" => formula(body, zeros).map(Pipeline::Selector),
        "bucket_script" => formula(body, zeros).map(Pipeline::Script),
        _ => sort(body).map(Pipeline::Sort),
    }
}

fn formula(body: &mut Body<'_>, zeros: bool) -> Answer<Formula> {
    let paths = match body.take("buckets_path") {
        Some(Json::Object(paths)) => paths
            .iter()
            .map(|(name, path)| Some((name.clone(), path.as_str()?.to_owned())))
            .collect::<Option<Vec<_>>>(),
        _ => None,
    };
    let paths = paths
        .ok_or_else(|| Refusal::unmodelled("a [buckets_path] that is not an object of names and paths"))?;
    let (source, params) = match body.take("script") {
        Some(Json::String(source)) => (source, Json::Object(Map::new())),
        Some(Json::Object(mut script)) => {
            let source = script.shift_remove("source").and_then(|source| source.as_str().map(str::to_owned));
            let source =
                source.ok_or_else(|| Refusal::illegal("must specify [source] for an inline script"))?;
            let params = script.shift_remove("params").unwrap_or_default();
            if script.shift_remove("lang").is_some_and(|lang| lang != "painless") || !script.is_empty() {
                return Err(Refusal::unmodelled("a script in another language than painless"));
            }
            (source, params)
        }
        _ => return Err(Refusal::illegal("Required [script]")),
    };
    let known: Vec<&str> = paths.iter().map(|(name, _)| name.as_str()).collect();
    let script = Script::new(&source, &params, &known).map_err(Refusal::unmodelled)?;
    Ok(Formula { paths, script, zeros })
}

fn sort(body: &mut Body<'_>) -> Answer<Sort> {
    let mut by = Vec::new();
    let list = match body.take("sort") {
        Some(Json::Array(all)) => all,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    for one in &list {
        let direction = |order: &str| match order {
            "asc" => Ok(false),
            "desc" => Ok(true),
            other => Err(Refusal::illegal(format!("Unknown SortOrder [{other}]"))),
        };
        match one {
            Json::String(path) => by.push((path.clone(), false)),
            Json::Object(entry) => {
                for (path, options) in entry {
                    let order = options.as_str().or_else(|| options.get("order")?.as_str()).unwrap_or("asc");
                    by.push((path.clone(), direction(order)?));
                }
            }
            other => return Err(body.wrong("sort", other)),
        }
    }
    let size = match body.take("size") {
        None => None,
        Some(value) => {
            let size = value.as_u64().filter(|size| *size > 0).and_then(|size| usize::try_from(size).ok());
            Some(
                size.ok_or_else(|| {
                    Refusal::illegal(format!("[size] must be a positive integer: [{value}]"))
                })?,
            )
        }
    };
    Ok(Sort { by, from: body.count("from", 0)?, size })
}
