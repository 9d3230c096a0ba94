//! What a rule queries, and whether the environment allows it.
use serde_json::Value;
use watchbell_confine::{Scope, fault_of_name};

use super::doc::Doc;
use crate::report::{Diagnostic, list, nearest, suggest};
use crate::{Environment, TargetSpec, filter, raw};

/// The parts of a manifest that say what to query.
pub(crate) struct Asked {
    pub(crate) cluster: Option<String>,
    pub(crate) index: raw::OneOrMany,
    pub(crate) time_field: Option<String>,
    pub(crate) filter: Option<Value>,
    pub(crate) ignore_unavailable: Option<bool>,
}

pub(crate) fn target(doc: &mut Doc<'_>, asked: Asked, environment: Option<&Environment>) -> TargetSpec {
    let cluster = asked.cluster.unwrap_or_else(|| "main".into());
    let written = match asked.index {
        raw::OneOrMany::One(index) => vec![("/index".to_string(), index)],
        raw::OneOrMany::Many(indices) => {
            indices.into_iter().enumerate().map(|(index, name)| (format!("/index/{index}"), name)).collect()
        }
    };
    let mut indices = Vec::new();
    for (pointer, written) in written {
        for index in written.split(',').map(str::trim) {
            match fault_of_name(index) {
                Some(why) => {
                    doc.fault(&pointer, format!("`{index}` is not a valid index name: {why}")).push(doc)
                }
                None => indices.push((pointer.clone(), index.to_string())),
            }
        }
    }
    // What an unknown environment allows is unknown.
    let mut scope = Scope::all();
    if let Some(environment) = environment {
        match environment.clusters.get(&cluster) {
            Some(spec) => {
                scope = Scope { grants: spec.allow.clone(), indices: spec.indices.clone() };
                let names: Vec<String> = indices.iter().map(|(_, index)| index.clone()).collect();
                let beyond = scope.beyond(&names);
                for (pointer, index) in indices.iter().filter(|(_, index)| beyond.contains(&index.as_str())) {
                    let allowed = spec.indices.as_deref().unwrap_or_default();
                    allowance(doc, pointer, index, allowed, &cluster, environment);
                }
            }
            None if doc.was_wrong("/cluster") => {}
            None => {
                let known: Vec<&str> = environment.clusters.keys().map(String::as_str).collect();
                doc.fault(
                    "/cluster",
                    format!("environment `{}` has no cluster `{cluster}`", environment.name),
                )
                .maybe_hint(suggest(&cluster, &known))
                .push(doc);
            }
        }
    }
    let mut reader =
        filter::Reader { spans: doc.spans, faults: doc.faults, scope: &scope, cluster: &cluster };
    let filter = asked.filter.and_then(|typed| reader.read(&typed, "/filter"));
    TargetSpec {
        cluster,
        indices: indices.into_iter().map(|(_, index)| index).collect(),
        time_field: asked.time_field.unwrap_or_else(|| "@timestamp".into()),
        filter,
        ignore_unavailable: asked.ignore_unavailable.unwrap_or(false),
        scope,
    }
}

fn allowance(
    doc: &mut Doc<'_>,
    pointer: &str,
    index: &str,
    allowed: &[String],
    cluster: &str,
    environment: &Environment,
) {
    let home = environment.places.get(&format!("/clusters/{cluster}/indices"));
    let file = home.map_or_else(|| "the environment".to_string(), |place| place.file.to_string());
    let near = nearest(index, allowed.iter().map(String::as_str));
    let hint = match near {
        _ if index.starts_with('-') => "write an exclusion after what it excludes from".to_string(),
        _ if index == "_all" => format!("name indices, or add `*` to {file}"),
        _ if index.contains('<') => format!("add a pattern that covers any date to {file}"),
        Some(near) => format!("write `{near}`, or add `{index}` to {file}"),
        None => format!("add `{index}` to {file}"),
    };
    let message = format!("environment `{}` does not allow index `{index}`", environment.name);
    let mut fault = Diagnostic::error(doc.spans.value(pointer), message).hint(hint);
    if let Some(place) = home {
        let allows = if allowed.is_empty() { "no index".to_string() } else { list(allowed) };
        fault = fault.note(format!("{} allows {allows}", place.short()));
    }
    fault.push(doc);
}
