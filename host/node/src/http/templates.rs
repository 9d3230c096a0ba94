//! Index templates, their components, and data streams.
use serde_json::{Map, Value as Json, json};

use super::reply::Reply;
use super::request::Request;
use crate::cluster::Cluster;
use crate::errors::{Answer, Refusal};
use crate::names::{Lookup, glob};
use crate::shared::Shared;

/// The three kinds of templates, each stored separately.
#[derive(Clone, Copy)]
pub(super) enum TemplateKind {
    Index,
    Component,
    Old,
}

impl TemplateKind {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Index => {
                &["index_patterns", "template", "priority", "version", "_meta", "composed_of", "data_stream"]
            }
            Self::Component => &["template", "version", "_meta"],
            Self::Old => &["index_patterns", "order", "version", "settings", "mappings", "aliases"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Index => "index template",
            Self::Component => "component template",
            Self::Old => "template",
        }
    }

    fn list(self, cluster: &mut Cluster) -> &mut std::collections::BTreeMap<String, Json> {
        match self {
            Self::Index => &mut cluster.templates,
            Self::Component => &mut cluster.components,
            Self::Old => &mut cluster.old_templates,
        }
    }
}

pub(super) fn put(shared: &Shared, request: &Request, kind: TemplateKind, name: &str) -> Answer<Reply> {
    request.ignore(&["create", "cause", "order"]);
    request.finish()?;
    let body = request.object()?;
    for key in body.keys() {
        if !kind.keys().contains(&key.as_str()) {
            return Err(Refusal::unmodelled(format!("{} key [{key}]", kind.name())));
        }
    }
    if !matches!(kind, TemplateKind::Component) && !body.contains_key("index_patterns") {
        return Err(Refusal::illegal("Required [index_patterns]"));
    }
    if let Some(options) = body.get("data_stream").and_then(Json::as_object)
        && let Some((key, _)) = options.iter().find(|(_, value)| **value != Json::Bool(false))
    {
        return Err(Refusal::unmodelled(format!("[{key}] of [data_stream]")));
    }
    let body = Json::Object(body);
    let mut cluster = shared.lock();
    let parts = match kind {
        TemplateKind::Old => ["settings", "mappings", "aliases"]
            .iter()
            .filter_map(|key| Some(json!({*key: body.get(*key)?})))
            .collect(),
        TemplateKind::Index | TemplateKind::Component => cluster.parts(&body)?,
    };
    Cluster::try_template(parts)?;
    kind.list(&mut cluster).insert(name.to_owned(), body);
    Ok(Reply::ok(json!({"acknowledged": true})))
}

pub(super) fn get(shared: &Shared, request: &Request, kind: TemplateKind, pattern: &str) -> Answer<Reply> {
    request.ignore(&["flat_settings", "local"]);
    request.finish()?;
    let mut cluster = shared.lock();
    let found: Vec<(String, Json)> = kind
        .list(&mut cluster)
        .iter()
        .filter(|(name, _)| pattern.split(',').any(|pattern| glob(pattern, name)))
        .map(|(name, body)| (name.clone(), body.clone()))
        .collect();
    if found.is_empty() && !pattern.contains('*') {
        if matches!(kind, TemplateKind::Old) {
            return Ok(Reply::with(404, json!({})));
        }
        return Err(Refusal::new(
            404,
            "resource_not_found_exception",
            format!("{} matching [{pattern}] not found", kind.name()),
        ));
    }
    let listed = |key: &str| -> Vec<Json> {
        found.iter().map(|(name, body)| json!({"name": name, key: body})).collect()
    };
    Ok(Reply::ok(match kind {
        TemplateKind::Index => json!({"index_templates": listed("index_template")}),
        TemplateKind::Component => json!({"component_templates": listed("component_template")}),
        TemplateKind::Old => Json::Object(found.into_iter().collect::<Map<_, _>>()),
    }))
}

pub(super) fn delete(shared: &Shared, request: &Request, kind: TemplateKind, name: &str) -> Answer<Reply> {
    request.finish()?;
    let mut cluster = shared.lock();
    let uses = |body: &Json| {
        let parts = body.get("composed_of").and_then(Json::as_array);
        parts.is_some_and(|parts| parts.iter().any(|part| part == name))
    };
    let made = |stream: &crate::cluster::Stream| stream.is_of(name);
    match kind {
        TemplateKind::Component if cluster.templates.values().any(uses) => {
            return Err(Refusal::illegal(format!(
                "component templates [{name}] cannot be removed as they are still in use by index templates"
            )));
        }
        TemplateKind::Index if cluster.streams.values().any(made) => {
            return Err(Refusal::illegal(format!(
                "unable to remove composable templates [{name}] as they are in use by a data streams"
            )));
        }
        _ => {}
    }
    match kind.list(&mut cluster).remove(name) {
        Some(_) => Ok(Reply::ok(json!({"acknowledged": true}))),
        None => Err(Refusal::new(
            404,
            "index_template_missing_exception",
            format!("index_template [{name}] missing"),
        )),
    }
}

pub(super) fn create_stream(shared: &Shared, request: &Request, name: &str) -> Answer<Reply> {
    request.finish()?;
    shared.lock().create_stream(name, (shared.clock)())?;
    Ok(Reply::ok(json!({"acknowledged": true})))
}

fn streams(cluster: &Cluster, pattern: &str) -> Answer<Vec<String>> {
    let fits = |name: &&String| pattern.split(',').any(|pattern| glob(pattern, name));
    let found: Vec<String> = cluster.streams.keys().filter(fits).cloned().collect();
    if found.is_empty() && !pattern.contains('*') {
        return Err(Refusal::missing_index(pattern));
    }
    Ok(found)
}

pub(super) fn get_streams(shared: &Shared, request: &Request, pattern: &str) -> Answer<Reply> {
    request.ignore(&["expand_wildcards"]);
    request.finish()?;
    let cluster = shared.lock();
    let found = streams(&cluster, pattern)?;
    let shown = |name: &String| cluster.streams.get(name).map(|stream| stream.show(name, &cluster));
    Ok(Reply::ok(json!({"data_streams": found.iter().filter_map(shown).collect::<Vec<_>>()})))
}

pub(super) fn delete_streams(shared: &Shared, request: &Request, pattern: &str) -> Answer<Reply> {
    request.ignore(&["expand_wildcards"]);
    request.finish()?;
    let mut cluster = shared.lock();
    for name in streams(&cluster, pattern)? {
        cluster.delete_stream(&name);
    }
    Ok(Reply::ok(json!({"acknowledged": true})))
}

pub(super) fn roll_over(shared: &Shared, request: &Request, name: &str) -> Answer<Reply> {
    request.finish()?;
    if !request.object()?.is_empty() {
        return Err(Refusal::unmodelled("a rollover with conditions"));
    }
    let mut cluster = shared.lock();
    if !cluster.streams.contains_key(name) {
        cluster.resolve(name, Lookup::default())?;
        return Err(Refusal::unmodelled("a rollover of anything but a data stream"));
    }
    let (old, new) = cluster.roll_over(name, (shared.clock)())?;
    Ok(Reply::ok(json!({
        "acknowledged": true, "shards_acknowledged": true, "old_index": old, "new_index": new,
        "rolled_over": true, "dry_run": false, "conditions": {},
    })))
}
