//! `_search`, `_count`, scrolls and points in time.
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::injected_fault::reachable;
use super::reply::Reply;
use super::request::Request;
use crate::errors::{Answer, Refusal};
use crate::search::{self, Cursor, Hit, Plan, Sorted, bind, keep_alive, run, sort_all, write_hits};
use crate::shared::Shared;
use crate::snapshot::Snapshot;

/// Parameters without effect on a single node in memory.
const IGNORED: &[&str] = &[
    "preference",
    "request_cache",
    "batched_reduce_size",
    "ccs_minimize_roundtrips",
    "max_concurrent_shard_requests",
    "pre_filter_shard_size",
];

fn only(request: &Request, body: &Map<String, Json>, keys: &[&str]) -> Answer<()> {
    request.finish()?;
    match body.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(Refusal::parsing(format!("request does not support [{key}]"))),
        None => Ok(()),
    }
}

fn parse(request: &Request) -> Answer<search::Request> {
    let mut body = request.object()?;
    if let Some(text) = request.parameter("q") {
        let mut query = json!({"query": text});
        for (parameter, key) in
            [("df", "default_field"), ("default_operator", "default_operator"), ("lenient", "lenient")]
        {
            if let Some(value) = request.parameter(parameter) {
                query[key] = value.into();
            }
        }
        body.insert("query".into(), json!({"query_string": query}));
    }
    for key in ["size", "from", "track_total_hits"] {
        if let Some(value) = request.parameter(key) {
            body.insert(key.into(), value.into());
        }
    }
    for key in ["version", "seq_no_primary_term"] {
        if request.flag(key, false)? {
            body.insert(key.into(), true.into());
        }
    }
    if let Some(text) = request.parameter("sort") {
        let sorts = text.split(',').map(|one| match one.split_once(':') {
            Some((field, order)) => json!({field: order}),
            None => one.into(),
        });
        body.insert("sort".into(), Json::Array(sorts.collect()));
    }
    let list = |text: &str| Json::from(text.split(',').collect::<Vec<_>>());
    match request.parameter("_source") {
        None => {}
        Some("true" | "") => drop(body.insert("_source".into(), true.into())),
        Some("false") => drop(body.insert("_source".into(), false.into())),
        Some(text) => drop(body.insert("_source".into(), list(text))),
    }
    let (includes, excludes) = (request.parameter("_source_includes"), request.parameter("_source_excludes"));
    if includes.is_some() || excludes.is_some() {
        let filter =
            json!({"includes": list(includes.unwrap_or("*")), "excludes": excludes.map_or(json!([]), list)});
        body.insert("_source".into(), filter);
    }
    if let Some(text) = request.parameter("docvalue_fields") {
        body.insert("docvalue_fields".into(), list(text));
    }
    let mut asked = search::Request::parse(&body)?;
    asked.scroll = request.parameter("scroll").map(keep_alive).transpose()?;
    asked.total_as_int = request.flag("rest_total_hits_as_int", false)?;
    match request.parameter("search_type") {
        None | Some("query_then_fetch" | "dfs_query_then_fetch") => {}
        Some(other) => return Err(Refusal::illegal(format!("No search type for [{other}]"))),
    }
    request.ignore(IGNORED);
    Ok(asked)
}

pub(super) fn search(shared: &Shared, request: &Request, index: Option<&str>) -> Answer<Reply> {
    let now = (shared.clock)();
    let lookup = request.lookup()?;
    let asked = parse(request)?;
    let partial = request.flag("allow_partial_search_results", true)?;
    request.finish()?;
    asked.check()?;
    let snapshots: Arc<Vec<Snapshot>> = match &asked.pit {
        Some(_) if index.is_some() => {
            let reason = "Validation Failed: 1: [indices] cannot be used with point in time. Do not specify any index with point in time.;";
            return Err(Refusal::new(400, "action_request_validation_exception", reason));
        }
        Some((id, keep)) => shared.lock().views.point(id, now, *keep)?,
        None => Arc::new(shared.lock().snapshots(index.unwrap_or("*"), lookup)?),
    };
    let (snapshots, missing) = reachable(shared, snapshots, partial)?;
    let plan = bind(asked, &snapshots, now)?;
    let outcome = match &plan.request.pit {
        Some((id, _)) if plan.request.aggs.is_empty() && missing == 0 => {
            sorted(shared, id, &plan)?.page(&plan)?
        }
        _ => run(&plan, plan.request.scroll.is_some())?,
    };
    let total = outcome.total(&plan.request);
    let pit = plan.request.pit.as_ref().map(|(id, _)| id.clone());
    let mut out = Page { pit: pit.as_deref(), scroll: None, missing };
    let Some(keep) = plan.request.scroll else {
        return Ok(Reply::raw(out.write(&plan, &outcome.hits, total, outcome.aggs.as_ref())?));
    };
    let (plan, aggs) = (Arc::new(plan), outcome.aggs);
    let mut hits = outcome.hits.into_iter();
    let page: Vec<Hit> = hits.by_ref().take(plan.request.hits.size).collect();
    let cursor = Cursor { hits, plan: Arc::clone(&plan), total: total.clone() };
    let id = shared.lock().views.open_scroll(cursor, now, keep)?;
    out.scroll = Some(&id);
    Ok(Reply::raw(out.write(&plan, &page, total, aggs.as_ref())?))
}

/// The hits of a page's search in its point in time. Computed once: sorting again for each page would make reading to
/// the end quadratic.
fn sorted(shared: &Shared, id: &str, plan: &Plan) -> Answer<Arc<Sorted>> {
    let mut question = plan.request.question.clone();
    if question.contains("now") {
        // `now` may mean another time range later.
        question.push_str(&plan.now.to_string());
    }
    if let Some(known) = shared.lock().views.sorted(id, &question) {
        return Ok(known);
    }
    let sorted = Arc::new(sort_all(plan)?);
    shared.lock().views.keep_sorted(id, question, Arc::clone(&sorted));
    Ok(sorted)
}

struct Page<'a> {
    pit: Option<&'a str>,
    scroll: Option<&'a str>,
    /// Unreachable shards.
    missing: usize,
}

impl Page<'_> {
    fn write(&self, plan: &Plan, hits: &[Hit], total: Option<Json>, aggs: Option<&Json>) -> Answer<String> {
        let mut out = String::with_capacity(256 + hits.len() * 256);
        out.push('{');
        for (key, id) in [("pit_id", self.pit), ("_scroll_id", self.scroll)] {
            if let Some(id) = id {
                out.push_str(&format!("\"{key}\":{},", Json::from(id)));
            }
        }
        let shards = plan.shards.len();
        let asked = shards + self.missing;
        out.push_str(&format!(
            "\"took\":0,\"timed_out\":false,\"_shards\":{{\"total\":{asked},\"successful\":{shards},\"skipped\":0,\"failed\":0}},\"hits\":{{"
        ));
        if let Some(total) = total {
            out.push_str(&format!("\"total\":{total},"));
        }
        let scored = plan.request.hits.sort.is_empty() && !hits.is_empty();
        out.push_str(if scored { "\"max_score\":1.0,\"hits\":" } else { "\"max_score\":null,\"hits\":" });
        write_hits(&plan.request.hits, &plan.shards, hits, &mut out)?;
        out.push('}');
        if let Some(aggs) = aggs {
            out.push_str(&format!(",\"aggregations\":{aggs}"));
        }
        out.push('}');
        Ok(out)
    }
}

pub(super) fn scroll(shared: &Shared, request: &Request, id: Option<&str>) -> Answer<Reply> {
    let body = request.object()?;
    let text = |key: &str| body.get(key).and_then(Json::as_str);
    let id = id.or(text("scroll_id")).or(request.parameter("scroll_id"));
    let id = id.ok_or_else(|| Refusal::illegal("scrollId is missing"))?.to_owned();
    let keep = text("scroll").or(request.parameter("scroll")).map(keep_alive).transpose()?;
    only(request, &body, &["scroll_id", "scroll"])?;
    let now = (shared.clock)();
    let (page, plan, total) = {
        let mut cluster = shared.lock();
        let cursor = cluster.views.scroll(&id, now, keep)?;
        let size = cursor.plan.request.hits.size;
        let page: Vec<Hit> = cursor.hits.by_ref().take(size).collect();
        (page, Arc::clone(&cursor.plan), cursor.total.clone())
    };
    Ok(Reply::raw(Page { pit: None, scroll: Some(&id), missing: 0 }.write(&plan, &page, total, None)?))
}

pub(super) fn close_scroll(shared: &Shared, request: &Request, ids: Option<&str>) -> Answer<Reply> {
    let body = request.object()?;
    let ids: Vec<String> = match (ids, body.get("scroll_id")) {
        (Some(ids), _) => ids.split(',').map(str::to_owned).collect(),
        (None, Some(Json::String(id))) => vec![id.clone()],
        (None, Some(Json::Array(ids))) => ids.iter().filter_map(|id| id.as_str().map(Into::into)).collect(),
        _ => return Err(Refusal::illegal("no scroll ids specified")),
    };
    only(request, &body, &["scroll_id"])?;
    let freed = shared.lock().views.close_scrolls(&ids);
    let status = if freed == 0 { 404 } else { 200 };
    Ok(Reply::with(status, json!({"succeeded": true, "num_freed": freed})))
}

pub(super) fn open_point(shared: &Shared, request: &Request, index: &str) -> Answer<Reply> {
    let lookup = request.lookup()?;
    let keep = request.parameter("keep_alive").ok_or_else(|| {
        Refusal::new(
            400,
            "action_request_validation_exception",
            "Validation Failed: 1: keep_alive must be specified;",
        )
    })?;
    let keep = keep_alive(keep)?;
    request.ignore(IGNORED);
    request.finish()?;
    let now = (shared.clock)();
    let mut cluster = shared.lock();
    let snapshots = cluster.snapshots(index, lookup)?;
    let (snapshots, _) = reachable(shared, snapshots.into(), false)?;
    let count = snapshots.len();
    let id = cluster.views.open_point(snapshots, now, keep)?;
    Ok(Reply::ok(
        json!({"id": id, "_shards": {"total": count, "successful": count, "skipped": 0, "failed": 0}}),
    ))
}

pub(super) fn close_point(shared: &Shared, request: &Request) -> Answer<Reply> {
    let body = request.object()?;
    only(request, &body, &["id"])?;
    let id = body.get("id").and_then(Json::as_str).ok_or_else(|| Refusal::illegal("Required [id]"))?;
    let freed = shared.lock().views.close_point(id);
    let status = if freed { 200 } else { 404 };
    Ok(Reply::with(status, json!({"succeeded": true, "num_freed": usize::from(freed)})))
}

pub(super) fn count(shared: &Shared, request: &Request, index: &str) -> Answer<Reply> {
    let now = (shared.clock)();
    let lookup = request.lookup()?;
    let mut asked = parse(request)?;
    let body = request.object()?;
    only(request, &body, &["query"])?;
    (asked.hits.size, asked.hits.from) = (0, 0);
    let snapshots = shared.lock().snapshots(index, lookup)?;
    let (snapshots, missing) = reachable(shared, snapshots.into(), true)?;
    let plan = bind(asked, &snapshots, now)?;
    let outcome = run(&plan, false)?;
    let shards = snapshots.len();
    Ok(Reply::ok(json!({
        "count": outcome.matched,
        "_shards": {"total": shards + missing, "successful": shards, "skipped": 0, "failed": 0},
    })))
}
