//! Indices and their mappings.
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::reply::Reply;
use super::request::Request;
use crate::errors::{Answer, Refusal};
use crate::shared::Shared;

pub(super) fn create(shared: &Shared, request: &Request, name: &str) -> Answer<Reply> {
    request.ignore(&["wait_for_active_shards"]);
    request.finish()?;
    let body = Json::Object(request.object()?);
    shared.lock().create(name, &body)?;
    Ok(Reply::ok(json!({"acknowledged": true, "shards_acknowledged": true, "index": name})))
}

pub(super) fn delete(shared: &Shared, request: &Request, expression: &str) -> Answer<Reply> {
    let lookup = request.lookup()?;
    request.finish()?;
    let mut cluster = shared.lock();
    let mut doomed = Vec::new();
    for part in expression.split(',') {
        let is_alias = |index: &crate::cluster::Index| index.aliases.contains_key(part);
        if cluster.streams.contains_key(part) {
            return Err(Refusal::missing_index(part));
        }
        if cluster.indices.values().any(is_alias) {
            return Err(Refusal::illegal(format!(
                "The provided expression [{part}] matches an alias, specify the corresponding concrete indices instead."
            )));
        }
    }
    for name in cluster.resolve(expression, lookup)? {
        let streamed = cluster.streams.values().any(|stream| stream.backing.contains(&name));
        match (streamed, expression.contains('*')) {
            // Backing indices go with their stream.
            (true, true) => {}
            (true, false) => {
                return Err(Refusal::illegal(format!(
                    "index [{name}] is the write index for a data stream and cannot be deleted"
                )));
            }
            (false, _) => doomed.push(name),
        }
    }
    for name in doomed {
        cluster.indices.remove(&name);
    }
    Ok(Reply::ok(json!({"acknowledged": true})))
}

pub(super) fn get(shared: &Shared, request: &Request, expression: &str) -> Answer<Reply> {
    each(shared, request, expression, |index| {
        let aliases: Map<String, Json> =
            index.aliases.iter().map(|(name, alias)| (name.clone(), alias.show())).collect();
        json!({"aliases": aliases, "mappings": index.mapping.print(), "settings": index.settings_json()})
    })
}

pub(super) fn mapping(shared: &Shared, request: &Request, expression: &str) -> Answer<Reply> {
    each(shared, request, expression, |index| json!({"mappings": index.mapping.print()}))
}

pub(super) fn field_mapping(
    shared: &Shared,
    request: &Request,
    expression: &str,
    fields: &str,
) -> Answer<Reply> {
    let patterns: Vec<&str> = fields.split(',').map(str::trim).collect();
    each(shared, request, expression, |index| json!({"mappings": index.mapping.print_fields(&patterns)}))
}

pub(super) fn settings(shared: &Shared, request: &Request, expression: &str) -> Answer<Reply> {
    each(shared, request, expression, |index| json!({"settings": index.settings_json()}))
}

pub(super) fn each(
    shared: &Shared,
    request: &Request,
    expression: &str,
    show: impl Fn(&crate::cluster::Index) -> Json,
) -> Answer<Reply> {
    let lookup = request.lookup()?;
    request.ignore(&["local", "include_defaults", "flat_settings"]);
    request.finish()?;
    let cluster = shared.lock();
    let names = cluster.resolve(expression, lookup)?;
    let shown: Map<String, Json> = names
        .into_iter()
        .filter_map(|name| cluster.indices.get(&name).map(|index| (name.clone(), show(index))))
        .collect();
    Ok(Reply::ok(Json::Object(shown)))
}

pub(super) fn put_mapping(shared: &Shared, request: &Request, expression: &str) -> Answer<Reply> {
    let lookup = request.lookup()?;
    request.finish()?;
    let body = Json::Object(request.object()?);
    let mut cluster = shared.lock();
    let names = cluster.resolve(expression, lookup)?;
    // All or none.
    let mut merged = Vec::new();
    for name in names {
        if let Some(index) = cluster.indices.get(&name) {
            let mut mapping = (*index.mapping).clone();
            mapping.merge(&body)?;
            merged.push((name, mapping));
        }
    }
    for (name, mapping) in merged {
        if let Some(index) = cluster.indices.get_mut(&name) {
            index.mapping = Arc::new(mapping);
        }
    }
    Ok(Reply::ok(json!({"acknowledged": true})))
}

pub(super) fn refresh(shared: &Shared, request: &Request, expression: &str) -> Answer<Reply> {
    let lookup = request.lookup()?;
    request.ignore(&["force", "wait_if_ongoing"]);
    request.finish()?;
    // Writes are visible at once; a refresh only checks that the names exist.
    let count = shared.lock().resolve(expression, lookup)?.len();
    Ok(Reply::ok(json!({"_shards": {"total": count, "successful": count, "failed": 0}})))
}
