//! What the host asks beside searches: mappings, counts, buckets in pages, and indices that are not there.
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::compare::{kind_of_error, same};
use crate::servers::{Server, node, real};

/// Two indices, which differ in the type of `status`.
async fn load(server: &Server, prefix: &str) {
    for (letter, status) in [("a", "integer"), ("b", "long")] {
        let definition = json!({"mappings": {"properties": {
            "@timestamp": {"type": "date"}, "status": {"type": status}, "took": {"type": "double"},
            "host": {"properties": {"name": {"type": "keyword", "ignore_above": 64}, "ip": {"type": "ip"}}},
            "message": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 8}}},
            "hidden": {"type": "keyword", "doc_values": false}, "ok": {"type": "boolean"},
        }}});
        let mut bulk = String::new();
        for at in 0..60 {
            let mut source = json!({
                "@timestamp": 1_709_251_200_000_i64 + at * 17_000, "status": 200 + at % 3 * 150, "ok": at % 2 == 0,
                "took": at as f64 / 8.0, "message": format!("m {}", "x".repeat(at as usize % 12)),
            });
            if at % 4 > 0 {
                source["host"] = json!({"name": format!("h{}", at % 4), "ip": format!("10.0.0.{}", at % 3)});
            }
            if at % 13 == 0 {
                source["host"] = json!({"name": ["h1", "h9"]});
            }
            bulk.push_str(&format!("{}\n{source}\n", json!({"index": {"_id": format!("{at}")}})));
        }
        server.load(&format!("{prefix}-{letter}"), &definition, &bulk).await;
    }
}

async fn unload(server: &Server, prefix: &str) {
    for letter in ["a", "b"] {
        server.drop_index(&format!("{prefix}-{letter}")).await;
    }
}

/// Requests whose answers are compared: method, path, body.
fn requests() -> Vec<(Method, String, Json)> {
    let get = |path: &str| (Method::GET, path.to_owned(), Json::Null);
    let post = |path: &str, body: Json| (Method::POST, path.to_owned(), body);
    let all = json!({"query": {"bool": {"filter": [{"query_string": {"query": "status:[300 TO *]"}}]}}});
    let search = json!({"size": 0, "track_total_hits": true, "query": {"match_all": {}}});
    vec![
        get("/wb-dialect-a/_field_caps?fields=*"),
        get("/wb-dialect-*/_field_caps?fields=status,host,host.name,message,message.keyword,hidden,nothing"),
        get("/wb-dialect-*/_field_caps?fields=status,host,host.name,hidden,nothing&include_unmapped=true"),
        get("/wb-dialect-a/_field_caps?fields=nothing"),
        get("/wb-dialect-gone/_field_caps?fields=*"),
        get("/wb-dialect-a,wb-dialect-gone/_field_caps?fields=ok"),
        get("/wb-dialect-a,wb-dialect-gone/_field_caps?fields=ok&ignore_unavailable=true"),
        get("/wb-dialect-gone*/_field_caps?fields=*"),
        get("/wb-dialect-a/_mapping"),
        get("/wb-dialect-gone/_mapping"),
        get("/wb-dialect-*/_mapping/field/message,message.keyword,host.name,nothing"),
        get("/wb-dialect-gone/_mapping/field/message"),
        post("/wb-dialect-a/_count", json!({})),
        post("/wb-dialect-*/_count", all.clone()),
        post("/wb-dialect-gone/_count", all.clone()),
        post("/wb-dialect-a/_count", json!({"query": {"nothing": {}}})),
        post("/wb-dialect-a/_search", search.clone()),
        post("/wb-dialect-gone/_search", search.clone()),
        post("/wb-dialect-gone/_search?ignore_unavailable=true", search.clone()),
        post("/wb-dialect-a,wb-dialect-gone/_search", search.clone()),
        post("/wb-dialect-a,wb-dialect-gone/_search?ignore_unavailable=true", search.clone()),
        post("/wb-dialect-gone*/_search", search.clone()),
        post("/wb-dialect-gone*/_search?allow_no_indices=false", search.clone()),
        post("/wb-dialect-*,-wb-dialect-a/_search", search),
        post("/wb-dialect-gone/_search?scroll=1m", json!({"sort": ["_doc"]})),
        post("/_search/scroll", json!({"scroll_id": "nonsense"})),
    ]
}

/// What is compared of such an answer.
fn judged(path: &str, status: u16, mut body: Json) -> Json {
    if status != 200 {
        return json!({"status": status, "error": kind_of_error(&body["error"])});
    }
    if path.contains("_search") {
        return json!({"total": body["hits"]["total"], "shards": body["_shards"]["total"]});
    }
    if path.contains("_count") {
        return json!({"count": body["count"], "shards": body["_shards"]["total"]});
    }
    if path.contains("_field_caps") {
        let mut kept = serde_json::Map::new();
        for (name, kinds) in body["fields"].as_object_mut().into_iter().flatten() {
            // Fields that the server itself keeps, each its own.
            if name.starts_with('_') {
                continue;
            }
            for caps in kinds.as_object_mut().into_iter().flat_map(|kinds| kinds.values_mut()) {
                // Newer servers return more than the host reads.
                let read =
                    |key: &String, _: &mut Json| !["metadata_field", "inference"].contains(&key.as_str());
                if let Some(caps) = caps.as_object_mut() {
                    caps.retain(read);
                }
            }
            kept.insert(name.clone(), kinds.clone());
        }
        return json!({"fields": kept, "indices": body["indices"]});
    }
    body
}

async fn buckets(server: &Server, size: usize) -> Vec<Json> {
    let mut rows = Vec::new();
    let mut body = json!({"size": 0, "track_total_hits": false, "query": {"match_all": {}}, "aggs": {"page": {
        "composite": {"size": size, "sources": [
            {"t": {"date_histogram": {"field": "@timestamp", "fixed_interval": "120000ms"}}},
            {"b0": {"terms": {"field": "host.name", "missing_bucket": true}}},
            {"b1": {"terms": {"field": "ok", "missing_bucket": true}}},
        ]},
        "aggs": {
            "m0": {"max": {"field": "took"}}, "m1": {"cardinality": {"field": "host.ip"}},
            "f0": {"filter": {"query_string": {"query": "status:500"}}},
        },
    }}});
    for _ in 0..400 {
        let (status, answer) = server.send(Method::POST, "/wb-buckets-*/_search", body.to_string()).await;
        assert_eq!(status, 200, "{}: {answer}", server.name);
        let page = &answer["aggregations"]["page"];
        let found = page["buckets"].as_array().expect("a list of buckets");
        rows.extend(found.iter().cloned());
        match page.get("after_key") {
            Some(after) if !found.is_empty() => body["aggs"]["page"]["composite"]["after"] = after.clone(),
            _ => break,
        }
    }
    rows
}

#[tokio::test]
async fn buckets_are_read_to_the_end_in_one_order() {
    let node = node().await;
    let embedded = Server::new("node", &node.url());
    load(&embedded, "wb-buckets").await;
    let expected = buckets(&embedded, 1_000).await;
    assert!(expected.len() > 40, "{}", expected.len());
    let real = real("buckets to the end");
    for server in [&embedded].into_iter().chain(&real) {
        load(server, "wb-buckets").await;
        for size in [1, 7, 1_000] {
            let read = buckets(server, size).await;
            let at = read.iter().zip(&expected).position(|(a, b)| !same(a, b, 1e-9));
            assert!(
                at.is_none() && read.len() == expected.len(),
                "{}, pages of {size}: {} buckets, expected {}; different {:?}",
                server.name,
                read.len(),
                expected.len(),
                at.map(|at| (&read[at], &expected[at]))
            );
        }
        unload(server, "wb-buckets").await;
    }
    node.stop().await;
}

#[tokio::test]
async fn the_host_is_answered_the_same() {
    let servers = real("the requests of the host");
    let node = node().await;
    let embedded = Server::new("node", &node.url());
    load(&embedded, "wb-dialect").await;
    let mut wrong = Vec::new();
    for server in &servers {
        load(server, "wb-dialect").await;
    }
    for (method, path, body) in requests() {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = embedded.send(method.clone(), &path, body.clone()).await;
        let ours = judged(&path, status, answer);
        for server in &servers {
            let (status, answer) = server.send(method.clone(), &path, body.clone()).await;
            let theirs = judged(&path, status, answer);
            if !same(&ours, &theirs, 1e-9) {
                wrong.push(format!("{} {path} {body}\n  server {theirs}\n  node   {ours}", server.name));
            }
        }
    }
    for server in &servers {
        unload(server, "wb-dialect").await;
    }
    node.stop().await;
    assert!(wrong.is_empty(), "{} answers are wrong\n{}", wrong.len(), wrong.join("\n"));
}
