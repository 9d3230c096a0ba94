//! Index aliases.
use serde_json::{Map, Value as Json, json};

use super::indices::each;
use super::reply::Reply;
use super::request::Request;
use crate::cluster::{Alias, Cluster};
use crate::errors::{Answer, Refusal};
use crate::names::glob;
use crate::shared::Shared;

pub(super) fn put(shared: &Shared, request: &Request, expression: &str, name: &str) -> Answer<Reply> {
    request.finish()?;
    let alias = Alias::read(name, &Json::Object(request.object()?))?;
    add(&mut shared.lock(), expression, name, &alias)?;
    Ok(done())
}

pub(super) fn delete(shared: &Shared, request: &Request, expression: &str, names: &str) -> Answer<Reply> {
    request.finish()?;
    remove(&mut shared.lock(), expression, names)?;
    Ok(done())
}

fn done() -> Reply {
    Reply::ok(json!({"acknowledged": true, "errors": false}))
}

/// What a search of `expression` covers: each index, with the filters of the aliases that reach it.
pub(super) fn search_shards(shared: &Shared, request: &Request, expression: &str) -> Answer<Reply> {
    let lookup = request.lookup()?;
    request.finish()?;
    let reached = shared.lock().reached(expression, lookup)?;
    let shards = reached.iter().map(|(index, _)| {
        json!([{ "index": index, "shard": 0, "primary": true, "state": "STARTED", "node": "watchbell-node" }])
    });
    let shards: Vec<Json> = shards.collect();
    let indices = reached.into_iter().map(|(index, aliases)| {
        let (names, mut filters): (Vec<String>, Vec<Json>) = aliases.into_iter().unzip();
        let shown = match filters.len() {
            0 => json!({}),
            1 => json!({ "aliases": names, "filter": filters.swap_remove(0) }),
            _ => json!({ "aliases": names, "filter": { "bool": { "should": filters } } }),
        };
        (index, shown)
    });
    let indices: Map<String, Json> = indices.collect();
    Ok(Reply::ok(json!({ "nodes": { "watchbell-node": {} }, "indices": indices, "shards": shards })))
}

/// Several changes in one request: all are made or, if one is refused, none.
pub(super) fn change(shared: &Shared, request: &Request) -> Answer<Reply> {
    request.finish()?;
    let body = request.object()?;
    let mut cluster = shared.lock();
    let before: Vec<_> =
        cluster.indices.iter().map(|(name, index)| (name.clone(), index.aliases.clone())).collect();
    for action in body.get("actions").and_then(Json::as_array).into_iter().flatten() {
        if let Err(refusal) = act(&mut cluster, action) {
            for (name, aliases) in before {
                if let Some(index) = cluster.indices.get_mut(&name) {
                    index.aliases = aliases;
                }
            }
            return Err(refusal);
        }
    }
    Ok(done())
}

fn act(cluster: &mut Cluster, action: &Json) -> Answer<()> {
    let entry = action.as_object().and_then(|action| action.iter().next());
    let (what, of) = entry.ok_or_else(|| Refusal::parsing("empty action"))?;
    let mut of = of.as_object().cloned().ok_or_else(|| Refusal::parsing("an action must be an object"))?;
    let mut texts = |one: &str, many: &str| -> Answer<String> {
        match (of.shift_remove(one), of.shift_remove(many)) {
            (Some(Json::String(text)), None) => Ok(text),
            (None, Some(Json::Array(all))) => {
                Ok(all.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(","))
            }
            _ => Err(Refusal::illegal(format!("One of [{one}] or [{many}] is required"))),
        }
    };
    let (expression, names) = (texts("index", "indices")?, texts("alias", "aliases")?);
    match what.as_str() {
        "add" => {
            for name in names.split(',') {
                let alias = Alias::read(name, &Json::Object(of.clone()))?;
                add(cluster, &expression, name, &alias)?;
            }
            Ok(())
        }
        "remove" => match remove(cluster, &expression, &names) {
            Err(refusal) if refusal.kind == "aliases_not_found_exception" => {
                if of.get("must_exist") == Some(&Json::Bool(false)) { Ok(()) } else { Err(refusal) }
            }
            other => other,
        },
        other => Err(Refusal::unmodelled(format!("the alias action [{other}]"))),
    }
}

fn add(cluster: &mut Cluster, expression: &str, name: &str, alias: &Alias) -> Answer<()> {
    if cluster.indices.contains_key(name) || cluster.streams.contains_key(name) {
        return Err(Refusal::new(
            400,
            "invalid_alias_name_exception",
            format!(
                "Invalid alias name [{name}]: an index or data stream exists with the same name as the alias"
            ),
        ));
    }
    for index in cluster.resolve(expression, Default::default())? {
        if cluster.streams.values().any(|stream| stream.backing.contains(&index)) {
            return Err(Refusal::unmodelled("an alias of a data stream"));
        }
        if let Some(index) = cluster.indices.get_mut(&index) {
            index.aliases.insert(name.to_owned(), alias.clone());
        }
    }
    Ok(())
}

fn remove(cluster: &mut Cluster, expression: &str, names: &str) -> Answer<()> {
    let mut found = false;
    for index in cluster.resolve(expression, Default::default())? {
        if let Some(index) = cluster.indices.get_mut(&index) {
            let before = index.aliases.len();
            index.aliases.retain(|alias, _| !names.split(',').any(|pattern| glob(pattern, alias)));
            found |= index.aliases.len() < before;
        }
    }
    if found {
        return Ok(());
    }
    Err(Refusal::new(404, "aliases_not_found_exception", format!("aliases [{names}] missing")))
}

/// The aliases that match the patterns `names`; without patterns all.
pub(super) fn get(
    shared: &Shared,
    request: &Request,
    expression: &str,
    names: Option<&str>,
) -> Answer<Reply> {
    let wanted = |alias: &str| names.is_none_or(|names| names.split(',').any(|pattern| glob(pattern, alias)));
    let mut any = false;
    {
        let cluster = shared.lock();
        for index in cluster.resolve(expression, request.lookup()?)? {
            any |= cluster.indices.get(&index).is_some_and(|index| index.aliases.keys().any(|a| wanted(a)));
        }
    }
    if let Some(names) = names.filter(|names| !any && !names.contains('*')) {
        let body = json!({"error": format!("alias [{names}] missing"), "status": 404});
        return Ok(Reply::with(404, body));
    }
    let mut reply = each(shared, request, expression, |index| {
        let aliases = index.aliases.iter().filter(|(alias, _)| wanted(alias));
        json!({"aliases": aliases.map(|(name, alias)| (name.clone(), alias.show())).collect::<Map<_, _>>()})
    })?;
    if names.is_some() {
        // Indices without any of them are left out.
        let mut body: Map<String, Json> = serde_json::from_str(&reply.body).unwrap_or_default();
        body.retain(|_, index| index["aliases"].as_object().is_some_and(|aliases| !aliases.is_empty()));
        reply = Reply::ok(Json::Object(body));
    }
    Ok(reply)
}
