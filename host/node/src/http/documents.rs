//! Single documents.
use serde_json::{Value as Json, json};

use super::reply::Reply;
use super::request::Request;
use crate::cluster::{Op, Written};
use crate::errors::{Answer, Refusal};
use crate::shared::Shared;

pub(super) fn write(shared: &Shared, request: &Request, index: &str, id: Option<&str>) -> Answer<Reply> {
    refresh(request);
    let create =
        request.parameter("op_type") == Some("create") || request.path.get(1).is_some_and(|p| p == "_create");
    request.finish()?;
    // Without an id it cannot exist yet.
    let op = if create || id.is_none() { Op::Create } else { Op::Index };
    let written = shared.lock().write(index, id, op, &request.body, (shared.clock)())?;
    let status = if written.result == "created" { 201 } else { 200 };
    Ok(Reply::with(status, shown(&written)))
}

pub(super) fn delete(shared: &Shared, request: &Request, index: &str, id: &str) -> Answer<Reply> {
    refresh(request);
    request.finish()?;
    let written = shared.lock().write(index, Some(id), Op::Delete, "", (shared.clock)())?;
    let status = if written.result == "deleted" { 200 } else { 404 };
    Ok(Reply::with(status, shown(&written)))
}

pub(super) fn get(shared: &Shared, request: &Request, index: &str, id: &str) -> Answer<Reply> {
    request.ignore(&["realtime", "refresh"]);
    request.finish()?;
    let cluster = shared.lock();
    let name = match cluster.resolve(index, Default::default())?.as_slice() {
        [one] => one.clone(),
        _ => return Err(Refusal::illegal(format!("[{index}] does not stand for exactly one index"))),
    };
    let document = cluster.indices.get(&name).and_then(|index| index.get(id));
    let Some(document) = document else {
        return Ok(Reply::with(404, json!({"_index": name, "_id": id, "found": false})));
    };
    if request.path.get(1).is_some_and(|part| part == "_source") {
        return Ok(Reply::raw(document.source.to_string()));
    }
    let source: Json = serde_json::from_str(&document.source).unwrap_or(Json::Null);
    Ok(Reply::ok(json!({
        "_index": name, "_id": id, "_version": document.version, "_seq_no": document.seq_no, "_primary_term": 1,
        "found": true, "_source": source,
    })))
}

/// Writes are visible at once, whatever the caller waits for.
fn refresh(request: &Request) {
    request.ignore(&["refresh", "wait_for_active_shards"]);
}

pub(super) fn shown(written: &Written) -> Json {
    json!({
        "_index": written.index, "_id": written.id, "_version": written.version, "result": written.result,
        "_shards": {"total": 1, "successful": 1, "failed": 0},
        "_seq_no": written.seq_no, "_primary_term": 1,
    })
}
