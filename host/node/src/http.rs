//! Requests to responses: one function per endpoint, and a refusal for all others.
mod request; // path, parameters, body
mod reply; // status and body
mod bulk; // `_bulk`
mod documents; // single documents
mod indices; // indices and mappings
mod aliases; // index aliases
mod templates; // index templates and data streams
mod search; // `_search`, `_count`, scrolls, points in time
mod fields; // `_field_caps`
mod injected_fault; // faults injected by a test
mod admin; // the cluster's state, nodes and settings
mod about; // `/`, `_cluster/health`, `_cat`

use crate::errors::{Answer, Refusal};
use crate::shared::Shared;

pub(crate) use reply::Reply;
pub(crate) use request::Request;

pub(crate) fn handle(shared: &Shared, request: Request) -> Reply {
    let head = request.method == "HEAD";
    if let Some(fault) = shared.fault()
        && let Some(reply) = injected_fault::reply(fault, &request, &|| route(shared, &request))
    {
        return reply;
    }
    match route(shared, &request) {
        Ok(reply) if head => Reply { body: String::new(), ..reply },
        Ok(reply) => reply,
        Err(refusal) if head => Reply::empty(refusal.status),
        Err(refusal) => Reply::refusal(&refusal),
    }
}

fn route(shared: &Shared, request: &Request) -> Answer<Reply> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET" | "HEAD", []) => about::info(request),
        ("GET", ["_cluster", "health"] | ["_cluster", "health", _]) => about::health(shared, request),
        ("GET", ["_cat", "health"]) => about::cat_health(shared, request),
        ("GET", ["_cat", "shards"]) => about::cat_shards(shared, request),
        ("GET", ["_cat", "allocation"]) => about::cat_allocation(shared, request),
        ("GET", ["_cluster", "pending_tasks"]) => about::pending_tasks(request),
        ("GET", ["_cluster", "state"] | ["_cluster", "state", _]) => admin::state(shared, request),
        ("GET", ["_cluster", "settings"]) => admin::settings(request),
        ("GET" | "POST", ["_cluster", "allocation", "explain"]) => admin::explain(request),
        ("GET", ["_nodes"] | ["_nodes", "http"]) => admin::nodes(request),
        ("GET", ["_nodes", "stats", ..]) => admin::stats(shared, request),
        ("GET", ["_cat", "indices"] | ["_cat", "indices", _]) => about::cat_indices(shared, request),
        ("POST" | "PUT", ["_bulk"]) => bulk::bulk(shared, request, None),
        ("GET" | "POST", ["_search"]) => search::search(shared, request, None),
        ("GET" | "POST", ["_count"]) => search::count(shared, request, "*"),
        ("GET" | "POST", ["_search", "scroll"]) => search::scroll(shared, request, None),
        ("GET" | "POST", ["_search", "scroll", id]) => search::scroll(shared, request, Some(id)),
        ("DELETE", ["_search", "scroll"]) => search::close_scroll(shared, request, None),
        ("DELETE", ["_search", "scroll", ids]) => search::close_scroll(shared, request, Some(ids)),
        ("DELETE", ["_pit"]) => search::close_point(shared, request),
        ("GET" | "POST", ["_field_caps"]) => fields::field_caps(shared, request, "*"),
        ("GET" | "POST", ["_refresh" | "_flush"]) => indices::refresh(shared, request, "*"),
        ("GET", ["_mapping"]) => indices::mapping(shared, request, "*"),
        ("POST", ["_aliases"]) => aliases::change(shared, request),
        ("GET", ["_alias" | "_aliases"]) => aliases::get(shared, request, "*", None),
        ("GET" | "HEAD", ["_alias", names]) => aliases::get(shared, request, "*", Some(names)),
        (method, [kind @ ("_index_template" | "_component_template" | "_template"), rest @ ..]) => {
            let kind = match *kind {
                "_index_template" => templates::TemplateKind::Index,
                "_component_template" => templates::TemplateKind::Component,
                _ => templates::TemplateKind::Old,
            };
            match (method, rest) {
                ("PUT" | "POST", [name]) => templates::put(shared, request, kind, name),
                ("GET" | "HEAD", [name]) => templates::get(shared, request, kind, name),
                ("GET", []) => templates::get(shared, request, kind, "*"),
                ("DELETE", [name]) => templates::delete(shared, request, kind, name),
                _ => no_handler(request),
            }
        }
        ("PUT", ["_data_stream", name]) => templates::create_stream(shared, request, name),
        ("GET", ["_data_stream"]) => templates::get_streams(shared, request, "*"),
        ("GET", ["_data_stream", pattern]) => templates::get_streams(shared, request, pattern),
        ("DELETE", ["_data_stream", pattern]) => templates::delete_streams(shared, request, pattern),
        ("POST", [name, "_rollover"]) => templates::roll_over(shared, request, name),
        ("PUT", [index]) if !index.starts_with('_') => indices::create(shared, request, index),
        ("DELETE", [index]) if !index.starts_with('_') => indices::delete(shared, request, index),
        ("GET" | "HEAD", [index]) if !index.starts_with('_') => indices::get(shared, request, index),
        ("GET", [index, "_mapping"]) => indices::mapping(shared, request, index),
        ("GET", [index, "_mapping", "field", fields]) => {
            indices::field_mapping(shared, request, index, fields)
        }
        ("PUT" | "POST", [index, "_mapping"]) => indices::put_mapping(shared, request, index),
        ("GET", [index, "_settings"]) => indices::settings(shared, request, index),
        ("PUT" | "POST", [index, "_alias" | "_aliases", alias]) => {
            aliases::put(shared, request, index, alias)
        }
        ("DELETE", [index, "_alias" | "_aliases", alias]) => aliases::delete(shared, request, index, alias),
        ("GET", [index, "_alias"]) => aliases::get(shared, request, index, None),
        ("GET" | "HEAD", [index, "_alias", names]) => aliases::get(shared, request, index, Some(names)),
        ("GET" | "POST", [index, "_refresh" | "_flush"]) => indices::refresh(shared, request, index),
        ("POST" | "PUT", [index, "_bulk"]) => bulk::bulk(shared, request, Some(index)),
        ("POST", [index, "_doc"]) => documents::write(shared, request, index, None),
        ("POST" | "PUT", [index, "_doc" | "_create", id]) => {
            documents::write(shared, request, index, Some(id))
        }
        ("GET" | "HEAD", [index, "_doc" | "_source", id]) => documents::get(shared, request, index, id),
        ("DELETE", [index, "_doc", id]) => documents::delete(shared, request, index, id),
        ("GET" | "POST", [index, "_search"]) => search::search(shared, request, Some(index)),
        ("GET" | "POST", [index, "_search_shards"]) => aliases::search_shards(shared, request, index),
        ("GET" | "POST", [index, "_count"]) => search::count(shared, request, index),
        ("POST", [index, "_pit"]) => search::open_point(shared, request, index),
        ("GET" | "POST", [index, "_field_caps"]) => fields::field_caps(shared, request, index),
        _ => no_handler(request),
    }
}

fn no_handler(request: &Request) -> Answer<Reply> {
    let Request { uri, method, .. } = request;
    Err(Refusal::illegal(format!("no handler found for uri [{uri}] and method [{method}]")))
}
