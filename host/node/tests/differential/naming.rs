//! Aliases, templates and data streams: what is made by one request is seen by the next.
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::compare::{kind_of_error, same};
use crate::servers::{Server, node, real};

/// Takes away what an earlier run may have left.
async fn clear(server: &Server) {
    for path in [
        "/_data_stream/wb-nam-stream*",
        "/_index_template/wb-nam-stream",
        "/_index_template/wb-nam-logs",
        "/_component_template/wb-nam-base",
        "/_component_template/wb-nam-more",
        "/_template/wb-nam-old",
        "/wb-nam-a?ignore_unavailable=true",
        "/wb-nam-b?ignore_unavailable=true",
        "/wb-nam-logs-1?ignore_unavailable=true",
        "/wb-nam-logs-2?ignore_unavailable=true",
        "/wb-nam-old-1?ignore_unavailable=true",
    ] {
        server.send(Method::DELETE, path, "").await;
    }
}

fn requests() -> Vec<(Method, &'static str, Json)> {
    let (get, put, post, delete) = (Method::GET, Method::PUT, Method::POST, Method::DELETE);
    let one = json!({"settings": {"number_of_shards": 1, "number_of_replicas": 0}});
    let document = |host: &str, status: u32| json!({"host": host, "status": status});
    let keyword = json!({"type": "keyword"});
    let all = json!({"size": 20, "sort": [{"status": "asc"}]});
    vec![
        (
            put.clone(),
            "/wb-nam-a",
            json!({
                "settings": {"number_of_shards": 1, "number_of_replicas": 0},
                "mappings": {"properties": {"host": keyword, "status": {"type": "long"}}},
                "aliases": {"wb-nam-errors": {"filter": {"range": {"status": {"gte": 500}}}}, "wb-nam-all": {}},
            }),
        ),
        (put.clone(), "/wb-nam-b", one.clone()),
        (put.clone(), "/wb-nam-a/_doc/1?refresh=true", document("x", 200)),
        (put.clone(), "/wb-nam-a/_doc/2?refresh=true", document("y", 503)),
        (put.clone(), "/wb-nam-b/_doc/3?refresh=true", document("x", 404)),
        (
            post.clone(),
            "/_aliases",
            json!({"actions": [
                {"add": {"index": "wb-nam-b", "alias": "wb-nam-all", "is_write_index": true}},
                {"add": {"indices": ["wb-nam-a", "wb-nam-b"], "aliases": ["wb-nam-x"], "filter": {"match": {"host": "x"}}}},
            ]}),
        ),
        (post.clone(), "/wb-nam-errors/_search", all.clone()),
        (post.clone(), "/wb-nam-all/_search", all.clone()),
        (post.clone(), "/wb-nam-x/_search", all.clone()),
        (post.clone(), "/wb-nam-x,wb-nam-errors/_search", all.clone()),
        (post.clone(), "/wb-nam-x,wb-nam-a/_search", all.clone()),
        (post.clone(), "/wb-nam-*/_search", all.clone()),
        (post.clone(), "/wb-nam-errors/_count", json!({"query": {"match_all": {}}})),
        (
            post.clone(),
            "/wb-nam-x/_search",
            json!({"size": 0, "aggs": {"a": {"terms": {"field": "status"}}}}),
        ),
        (put.clone(), "/wb-nam-all/_doc/4?refresh=true", document("z", 201)),
        (put.clone(), "/wb-nam-x/_doc/5?refresh=true", document("z", 201)),
        (post.clone(), "/wb-nam-b/_search", all.clone()),
        (get.clone(), "/wb-nam-a/_alias", Json::Null),
        (get.clone(), "/_alias/wb-nam-errors", Json::Null),
        (get.clone(), "/_alias/wb-nam-gone", Json::Null),
        (delete.clone(), "/wb-nam-a/_alias/wb-nam-gone", Json::Null),
        (delete.clone(), "/wb-nam-a/_alias/wb-nam-errors", Json::Null),
        (post.clone(), "/wb-nam-errors/_search", all.clone()),
        (put.clone(), "/wb-nam-b/_alias/wb-nam-a", json!({})),
        (delete.clone(), "/wb-nam-all", Json::Null),
        (
            put.clone(),
            "/_component_template/wb-nam-base",
            json!({"template": {
                "settings": {"number_of_shards": 1, "number_of_replicas": 0},
                "mappings": {"properties": {"host": {"type": "text"}, "o": {"properties": {"x": {"type": "long"}}}}},
            }}),
        ),
        (
            put.clone(),
            "/_component_template/wb-nam-more",
            json!({"template": {
                "mappings": {"dynamic_templates": [{"all": {"match_mapping_type": "string", "mapping": keyword}}]},
                "aliases": {"wb-nam-some": {}},
            }}),
        ),
        (
            put.clone(),
            "/_index_template/wb-nam-logs",
            json!({
                "index_patterns": ["wb-nam-logs-*"], "priority": 700, "composed_of": ["wb-nam-base", "wb-nam-more"],
                "template": {"mappings": {"properties": {"host": keyword, "o": {"properties": {"y": {"type": "ip"}}}}}},
            }),
        ),
        (
            put.clone(),
            "/wb-nam-logs-1/_doc/1?refresh=true",
            json!({"host": "H 1", "new": "N 1", "o": {"x": 1, "z": "Z"}}),
        ),
        (put.clone(), "/wb-nam-logs-2", json!({"mappings": {"properties": {"host": {"type": "long"}}}})),
        (get.clone(), "/wb-nam-logs-1/_mapping", Json::Null),
        (get.clone(), "/wb-nam-logs-2/_mapping", Json::Null),
        (post.clone(), "/wb-nam-some/_search", json!({"query": {"term": {"new": "N 1"}}})),
        (delete.clone(), "/_component_template/wb-nam-base", Json::Null),
        (
            put.clone(),
            "/_template/wb-nam-old",
            json!({
                "index_patterns": ["wb-nam-old-*"], "order": 1, "settings": {"number_of_shards": 1, "number_of_replicas": 0},
                "mappings": {"properties": {"host": keyword}},
            }),
        ),
        (put.clone(), "/wb-nam-old-1/_doc/1?refresh=true", document("a b", 1)),
        (post.clone(), "/wb-nam-old-1/_search", json!({"query": {"term": {"host": "a b"}}})),
    ]
}

/// Where the server has them.
fn streams() -> Vec<(Method, &'static str, Json)> {
    let (put, post) = (Method::PUT, Method::POST);
    let all = json!({"size": 20, "sort": ["@timestamp"]});
    vec![
        (
            put.clone(),
            "/_index_template/wb-nam-stream",
            json!({
                "index_patterns": ["wb-nam-stream-*"], "data_stream": {}, "priority": 800,
                "template": {
                    "settings": {"number_of_shards": 1, "number_of_replicas": 0},
                    "mappings": {"properties": {"host": {"type": "keyword"}}},
                },
            }),
        ),
        (
            post.clone(),
            "/wb-nam-stream-a/_doc?refresh=true",
            json!({"@timestamp": "2024-01-01T00:00:00Z", "host": "a"}),
        ),
        (
            put.clone(),
            "/wb-nam-stream-a/_create/2?refresh=true",
            json!({"@timestamp": "2024-01-02T00:00:00Z", "host": "b"}),
        ),
        (put.clone(), "/wb-nam-stream-a/_doc/3", json!({"@timestamp": "2024-01-02T00:00:00Z"})),
        (put.clone(), "/wb-nam-stream-a/_create/4", json!({"host": "c"})),
        (put.clone(), "/wb-nam-stream-a/_create/5", json!({"@timestamp": ["2024-01-01", "2024-01-02"]})),
        (post.clone(), "/wb-nam-stream-a/_search", all.clone()),
        (post.clone(), "/wb-nam-str*/_count", json!({})),
        (post.clone(), "/wb-nam-stream-a/_search", json!({"query": {"term": {"host": "b"}}})),
        (Method::DELETE, "/wb-nam-stream-a", Json::Null),
    ]
}

/// What is compared: of a refusal its status and kind, of a search what it found, else the answer.
fn judged(path: &str, status: u16, body: Json) -> Json {
    if status >= 400 {
        let kind = if body["error"].is_object() { kind_of_error(&body["error"]) } else { "" };
        // Newer servers name what went wrong with a document by another word.
        let kind = if kind == "document_parsing_exception" { "mapper_parsing_exception" } else { kind };
        return json!({"status": status, "error": kind});
    }
    if path.contains("_search") {
        let hits = body["hits"]["hits"].as_array().cloned().unwrap_or_default();
        let sources: Vec<&Json> = hits.iter().map(|hit| &hit["_source"]).collect();
        return json!({"sources": sources, "total": body["hits"]["total"], "aggs": body["aggregations"]});
    }
    if path.contains("_count") {
        return body["count"].clone();
    }
    if path.contains("_doc") || path.contains("_create") {
        return body["result"].clone();
    }
    if path.contains("_mapping") || path.contains("_alias") {
        let mut body = body;
        body.as_object_mut().map(|body| body.remove("errors"));
        return body;
    }
    json!({"status": status, "acknowledged": body["acknowledged"]})
}

#[tokio::test]
async fn other_names_lead_to_the_same_documents() {
    let servers = real("aliases, templates and data streams");
    let node = node().await;
    let embedded = Server::new("node", &node.url());
    let mut wrong = Vec::new();
    for server in servers.iter().chain([&embedded]) {
        clear(server).await;
    }
    // Elasticsearch 7.10.2 without x-pack has no data streams.
    let has_streams = |server: &&Server| server.name != "es7";
    let flows = [
        (requests(), servers.iter().collect::<Vec<_>>()),
        (streams(), servers.iter().filter(has_streams).collect()),
    ];
    for (requests, servers) in flows {
        for (method, path, body) in requests {
            // A stream of its own for each run: Elasticsearch 9 without its module has no way to delete one.
            let path = &path.replace("wb-nam-stream-a", &format!("wb-nam-stream-a{}", std::process::id()));
            let path = &path.replace("wb-nam-str*", &format!("wb-nam-stream-a{}*", std::process::id()));
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let (status, answer) = embedded.send(method.clone(), path, body.clone()).await;
            let ours = judged(path, status, answer);
            for server in &servers {
                let (status, answer) = server.send(method.clone(), path, body.clone()).await;
                let theirs = judged(path, status, answer);
                if !same(&ours, &theirs, 1e-9) {
                    wrong.push(format!(
                        "{} {method} {path} {body}\n  server {theirs}\n  node   {ours}",
                        server.name
                    ));
                }
            }
        }
    }
    for server in &servers {
        clear(server).await;
    }
    node.stop().await;
    assert!(wrong.is_empty(), "{} answers are wrong\n{}", wrong.len(), wrong.join("\n"));
}
