use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};

use crate::fake::{Fake, Reply, Seen};

/// How the server continues long answers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Server {
    /// `_pit`
    Elasticsearch,
    /// `point_in_time` with `_shard_doc`
    OpenSearch,
    /// `point_in_time` without it
    OpenSearch2,
    /// Scroll alone, and a word about document types
    Old,
}

#[derive(Clone, Debug)]
pub(crate) struct Doc {
    pub(crate) time: i64,
    pub(crate) index: &'static str,
    pub(crate) id: String,
}

/// Documents in the order in which this server returns equal times.
pub(crate) fn docs(times: impl IntoIterator<Item = i64>) -> Vec<Doc> {
    let docs = times.into_iter().enumerate().map(|(n, time)| {
        let index = if n % 3 == 0 { "logs-2" } else { "logs-1" };
        Doc { time, index, id: format!("{:05}", (n * 7_919) % 10_007) }
    });
    let mut docs: Vec<_> = docs.collect();
    docs.sort_by_key(|doc| doc.time);
    docs
}

/// What the host is to make of them.
pub(crate) fn in_order(docs: &[Doc]) -> Vec<(i64, String)> {
    let mut docs = docs.to_vec();
    docs.sort_by(|a, b| (a.time, a.index, &a.id).cmp(&(b.time, b.index, &b.id)));
    docs.into_iter().map(|doc| (doc.time, doc.id)).collect()
}

pub(crate) fn caps() -> Value {
    json!({ "indices": ["logs-1", "logs-2"], "fields": {
        "@timestamp": { "date": { "type": "date", "aggregatable": true } },
        "host": { "keyword": { "type": "keyword", "aggregatable": true } },
    } })
}

pub(crate) async fn library(server: Server, docs: Vec<Doc>) -> Fake {
    let scroll = Mutex::default();
    Fake::start(move |seen| answer(server, &docs, &scroll, seen)).await
}

/// A library whose answers to searches, and to the opening of contexts, are changed on their way.
pub(crate) async fn changed(
    server: Server,
    docs: Vec<Doc>,
    change: impl Fn(&Seen, &mut Value) + Send + Sync + 'static,
) -> Fake {
    let scroll = Mutex::default();
    Fake::start(move |seen| match answer(server, &docs, &scroll, seen) {
        Reply::Json(200, mut body) if body.get("_shards").is_some() => {
            change(seen, &mut body);
            Reply::Json(200, body)
        }
        reply => reply,
    })
    .await
}

/// A library whose indices are all gone once `gone` says so. What each server then says was tried on
/// Elasticsearch 9.5.3, OpenSearch 3.8 and Elasticsearch 7.10.2.
pub(crate) async fn vanishing(server: Server, docs: Vec<Doc>, gone: Arc<AtomicBool>) -> Fake {
    let scroll = Mutex::default();
    let nothing = || envelope(vec![], json!({ "_shards": { "total": 0, "failed": 0 } }));
    Fake::start(move |seen| match gone.load(Ordering::SeqCst) {
        false => answer(server, &docs, &scroll, seen),
        true if seen.path.contains("_field_caps") => Reply::Json(200, caps()),
        true if seen.path.contains("/_pit?") => Reply::Json(200, json!({ "id": "pit-0" })),
        true if seen.path.contains("/point_in_time?") => {
            let error = json!({ "type": "illegal_argument_exception", "reason": "invalid id: [null]" });
            Reply::Json(400, json!({ "error": error, "status": 400 }))
        }
        true => Reply::Json(200, nothing()),
    })
    .await
}

/// What a scroll has yet to return, and how many at a time.
#[derive(Default)]
struct Scroll {
    rest: Vec<(i64, Doc)>,
    size: usize,
}

impl Scroll {
    fn page(&mut self) -> Reply {
        let hits =
            self.rest.drain(..self.size.min(self.rest.len())).map(|(_, doc)| hit(&doc, json!([doc.time])));
        Reply::Json(200, envelope(hits.collect(), json!({ "_scroll_id": "scroll-1" })))
    }
}

fn answer(server: Server, docs: &[Doc], scroll: &Mutex<Scroll>, seen: &Seen) -> Reply {
    let refused = |reason: &str| {
        let error = json!({ "type": "illegal_argument_exception", "reason": reason });
        Reply::Json(400, json!({ "error": error, "status": 400 }))
    };
    let line = format!("{} {}", seen.method, seen.path);
    let size = seen.body["size"].as_u64().unwrap_or(0) as usize;
    if seen.path.contains("/_field_caps") {
        return Reply::Json(200, caps());
    }
    if line.contains("/_pit?") {
        return match server {
            Server::Elasticsearch => Reply::Json(200, json!({ "id": "pit-1" })),
            Server::Old => refused("request [/logs-*/_pit] contains unrecognized parameter: [keep_alive]"),
            _ => refused("no handler found for uri [/logs-*/_pit] and method [POST]"),
        };
    }
    if line.contains("/_search/point_in_time?") {
        return match server {
            Server::OpenSearch | Server::OpenSearch2 => {
                let shards = json!({ "total": 2, "successful": 2, "skipped": 0, "failed": 0 });
                Reply::Json(200, json!({ "pit_id": "pit-1", "_shards": shards }))
            }
            _ => refused("no handler found for uri"),
        };
    }
    if seen.method == "DELETE" {
        return Reply::Json(200, json!({ "succeeded": true }));
    }
    if seen.path == "/_search/scroll" {
        return scroll.lock().unwrap().page();
    }
    let found = matching(docs, &seen.body);
    if seen.path.contains("scroll=") {
        if seen.body["track_total_hits"] == false {
            return refused("disabling [track_total_hits] is not allowed in a scroll context");
        }
        *scroll.lock().unwrap() = Scroll { rest: found, size };
        return scroll.lock().unwrap().page();
    }
    if seen.body.get("pit").is_some() {
        if server == Server::OpenSearch2 {
            return refused("No mapping found for [_shard_doc] in order to sort on");
        }
        return in_pit(server, found, size, &seen.body);
    }
    let hits = found.iter().take(size).map(|(_, doc)| hit(doc, json!([doc.time]))).collect();
    Reply::Json(200, envelope(hits, json!({})))
}

/// A page of a point in time. OpenSearch numbers documents per index, so two of them may share a number.
fn in_pit(server: Server, found: Vec<(i64, Doc)>, size: usize, body: &Value) -> Reply {
    let by_index = server == Server::OpenSearch;
    let key = |(n, doc): &(i64, Doc)| match by_index {
        true => json!([
            doc.time,
            doc.index,
            found.iter().filter(|(m, other)| other.index == doc.index && m < n).count()
        ]),
        false => json!([doc.time, n]),
    };
    let asked: Vec<_> = body["sort"].as_array().unwrap()[1..].to_vec();
    let expected = match by_index {
        true => vec![json!({ "_index": "asc" }), json!({ "_shard_doc": "asc" })],
        false => vec![json!({ "_shard_doc": "asc" })],
    };
    assert_eq!(asked, expected, "paging needs a tiebreaker");
    let order = |key: &Value| {
        (key[0].as_i64(), key[1].as_str().map(str::to_owned), key[1].as_i64().or(key[2].as_i64()))
    };
    let after = body.get("search_after").map(order);
    let mut rest: Vec<_> = found
        .iter()
        .map(|found| (key(found), &found.1))
        .filter(|(key, _)| after.as_ref().is_none_or(|after| order(key) > *after))
        .collect();
    rest.sort_by_key(|(key, _)| order(key));
    let hits: Vec<Value> = rest.iter().take(size).map(|(key, doc)| hit(doc, key.clone())).collect();
    Reply::Json(200, envelope(hits, json!({ "pit_id": format!("pit-{}", rest.len()) })))
}

fn matching(docs: &[Doc], body: &Value) -> Vec<(i64, Doc)> {
    let range = &body["query"]["bool"]["filter"][0]["range"]["@timestamp"];
    let bound = |key: &str, otherwise| range[key].as_i64().unwrap_or(otherwise);
    let (start, end) = (bound("gte", i64::MIN), bound("lt", i64::MAX));
    let numbered = docs.iter().cloned().enumerate().map(|(n, doc)| (n as i64, doc));
    numbered.filter(|(_, doc)| start <= doc.time && doc.time < end).collect()
}

fn hit(doc: &Doc, sort: Value) -> Value {
    json!({ "_index": doc.index, "_id": doc.id, "_score": null, "fields": { "host": ["a"] }, "sort": sort })
}

pub(crate) fn envelope(hits: Vec<Value>, more: Value) -> Value {
    let mut answer = json!({ "took": 1, "timed_out": false,
        "_shards": { "total": 2, "successful": 2, "skipped": 0, "failed": 0 },
        "hits": { "max_score": null, "hits": hits } });
    if let (Value::Object(answer), Value::Object(more)) = (&mut answer, more) {
        answer.extend(more);
    }
    answer
}
