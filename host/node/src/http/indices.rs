//! Indices, their mappings, aliases and templates.
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::{Reply, Request};
use crate::errors::{Answer, Refusal};
use crate::server::Shared;

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
    for name in cluster.resolve(expression, lookup)? {
        cluster.indices.remove(&name);
    }
    Ok(Reply::ok(json!({"acknowledged": true})))
}

pub(super) fn get(shared: &Shared, request: &Request, expression: &str) -> Answer<Reply> {
    each(shared, request, expression, |index| {
        let aliases: Map<String, Json> =
            index.aliases.iter().map(|alias| (alias.clone(), json!({}))).collect();
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

fn each(
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
    // What is written is seen at once; a refresh only checks that the names exist.
    let count = shared.lock().resolve(expression, lookup)?.len();
    Ok(Reply::ok(json!({"_shards": {"total": count, "successful": count, "failed": 0}})))
}

pub(super) fn put_alias(shared: &Shared, request: &Request, expression: &str, alias: &str) -> Answer<Reply> {
    request.finish()?;
    if !request.object()?.is_empty() {
        return Err(Refusal::unmodelled("an alias with a filter or a routing"));
    }
    alter(shared, expression, alias, true)?;
    Ok(Reply::ok(json!({"acknowledged": true, "errors": false})))
}

pub(super) fn aliases(shared: &Shared, request: &Request) -> Answer<Reply> {
    request.finish()?;
    let body = request.object()?;
    for action in body.get("actions").and_then(Json::as_array).into_iter().flatten() {
        let (what, of) = action
            .as_object()
            .and_then(|a| a.iter().next())
            .ok_or_else(|| Refusal::parsing("empty action"))?;
        let text = |key: &str| {
            of.get(key).and_then(Json::as_str).ok_or_else(|| Refusal::illegal(format!("Required [{key}]")))
        };
        match what.as_str() {
            "add" => alter(shared, text("index")?, text("alias")?, true)?,
            "remove" => alter(shared, text("index")?, text("alias")?, false)?,
            other => return Err(Refusal::unmodelled(format!("the alias action [{other}]"))),
        }
    }
    Ok(Reply::ok(json!({"acknowledged": true, "errors": false})))
}

fn alter(shared: &Shared, expression: &str, alias: &str, add: bool) -> Answer<()> {
    crate::names::check(alias)?;
    let mut cluster = shared.lock();
    if cluster.indices.contains_key(alias) {
        return Err(Refusal::new(
            400,
            "invalid_alias_name_exception",
            format!(
                "Invalid alias name [{alias}]: an index or data stream exists with the same name as the alias"
            ),
        ));
    }
    for name in cluster.resolve(expression, Default::default())? {
        if let Some(index) = cluster.indices.get_mut(&name) {
            if add {
                index.aliases.insert(alias.to_owned());
            } else {
                index.aliases.remove(alias);
            }
        }
    }
    Ok(())
}

pub(super) fn put_template(shared: &Shared, request: &Request, name: &str) -> Answer<Reply> {
    request.ignore(&["create", "cause"]);
    request.finish()?;
    let body = request.object()?;
    for key in body.keys() {
        if !["index_patterns", "template", "priority", "version", "_meta"].contains(&key.as_str()) {
            return Err(Refusal::unmodelled(format!("index template key [{key}]")));
        }
    }
    if !body.contains_key("index_patterns") {
        return Err(Refusal::illegal("Required [index_patterns]"));
    }
    // Tried on an index that is thrown away, so that a broken template is refused now.
    if let Some(template) = body.get("template") {
        crate::cluster::Index::new("template", 0).configure(template)?;
    }
    shared.lock().templates.insert(name.to_owned(), Json::Object(body));
    Ok(Reply::ok(json!({"acknowledged": true})))
}

pub(super) fn get_template(shared: &Shared, request: &Request, name: &str) -> Answer<Reply> {
    request.finish()?;
    let missing = || {
        Refusal::new(
            404,
            "resource_not_found_exception",
            format!("index template matching [{name}] not found"),
        )
    };
    let cluster = shared.lock();
    let body = cluster.templates.get(name).ok_or_else(missing)?;
    Ok(Reply::ok(json!({"index_templates": [{"name": name, "index_template": body}]})))
}

pub(super) fn delete_template(shared: &Shared, request: &Request, name: &str) -> Answer<Reply> {
    request.finish()?;
    match shared.lock().templates.remove(name) {
        Some(_) => Ok(Reply::ok(json!({"acknowledged": true}))),
        None => Err(Refusal::new(
            404,
            "index_template_missing_exception",
            format!("index_template [{name}] missing"),
        )),
    }
}
