//! `_field_caps`: the fields and their types.
use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::reply::Reply;
use super::request::Request;
use crate::config::InjectedFault;
use crate::errors::{Answer, Refusal};
use crate::shared::Shared;

pub(super) fn field_caps(shared: &Shared, request: &Request, expression: &str) -> Answer<Reply> {
    let lookup = request.lookup()?;
    let include_unmapped = request.flag("include_unmapped", false)?;
    let mut body = request.object()?;
    let patterns: Vec<String> = match (request.parameter("fields"), body.shift_remove("fields")) {
        (Some(text), _) => text.split(',').map(|field| field.trim().to_owned()).collect(),
        (None, Some(Json::Array(all))) => {
            all.iter().filter_map(|field| field.as_str().map(Into::into)).collect()
        }
        (None, Some(Json::String(one))) => vec![one],
        _ => Vec::new(),
    };
    request.finish()?;
    if let Some(key) = body.keys().next() {
        return Err(Refusal::unmodelled(format!("field caps key [{key}]")));
    }
    if patterns.is_empty() {
        return Err(Refusal::new(
            400,
            "action_request_validation_exception",
            "Validation Failed: 1: no fields specified;",
        ));
    }
    let mut snapshots = shared.lock().snapshots(expression, lookup)?;
    if shared.fault() == Some(InjectedFault::PartialShards) {
        // An index without its shard is silently left out, as in Elasticsearch 7 and OpenSearch.
        snapshots.pop();
    }
    // Field, type: searchable, aggregatable, indices.
    type Caps<'a> = BTreeMap<&'a str, BTreeMap<&'a str, (bool, bool, Vec<&'a str>)>>;
    let mut caps: Caps<'_> = BTreeMap::new();
    for snapshot in &snapshots {
        let mapping = &snapshot.mapping;
        let wanted = |path: &str| patterns.iter().any(|pattern| crate::names::glob(pattern, path));
        let own = mapping.fields.iter().filter(|field| !field.is_hidden());
        let fields = own.map(|field| (&field.path, field)).chain(mapping.aliases());
        for (path, field) in fields.filter(|(path, _)| wanted(path)) {
            let kinds = caps.entry(path).or_default();
            let (searchable, aggregatable, indices) =
                kinds.entry(field.kind.name()).or_insert_with(|| (true, true, Vec::new()));
            *searchable &= field.index || field.doc_values;
            *aggregatable &= field.doc_values;
            indices.push(&snapshot.name);
        }
        for (path, object) in mapping.object_paths().filter(|(path, _)| wanted(path)) {
            let kinds = caps.entry(path).or_default();
            let kind = if object.nested { "nested" } else { "object" };
            kinds.entry(kind).or_insert_with(|| (false, false, Vec::new())).2.push(&snapshot.name);
        }
    }
    if include_unmapped {
        for kinds in caps.values_mut() {
            let lacks = |name: &&str| !kinds.values().any(|(_, _, indices)| indices.contains(name));
            let lacking: Vec<&str> = snapshots.iter().map(|snapshot| &*snapshot.name).filter(lacks).collect();
            if !lacking.is_empty() {
                kinds.insert("unmapped", (false, false, lacking));
            }
        }
    }
    let fields: serde_json::Map<String, Json> = caps
        .into_iter()
        .map(|(path, kinds)| {
            let conflict = kinds.len() > 1;
            let kinds = kinds.into_iter().map(|(kind, (searchable, aggregatable, indices))| {
                let mut caps = json!({
                    "type": kind, "metadata_field": false, "searchable": searchable, "aggregatable": aggregatable,
                });
                if let (true, Some(caps)) = (conflict, caps.as_object_mut()) {
                    caps.insert("indices".into(), indices.into());
                }
                (kind.to_owned(), caps)
            });
            (path.to_owned(), Json::Object(kinds.collect()))
        })
        .collect();
    let indices: Vec<&str> = snapshots.iter().map(|snapshot| &*snapshot.name).collect();
    Ok(Reply::ok(json!({"indices": indices, "fields": fields})))
}
