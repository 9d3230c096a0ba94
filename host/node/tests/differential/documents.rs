//! Documents as the host writes them: each created once, alone and many at a time.
use reqwest::Method;
use serde_json::{Map, Value as Json, json};

use crate::compare::{kind_of_error, same};
use crate::servers::{Server, node, real};

async fn clear(server: &Server) {
    for path in ["/wb-doc", "/wb-doc-new", "/wb-doc-other"] {
        server.send(Method::DELETE, &format!("{path}?ignore_unavailable=true"), "").await;
    }
}

/// Actions and sources, a line each.
fn bulk(lines: &[Json]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn requests() -> Vec<(Method, String, String)> {
    let (get, put, post) = (Method::GET, Method::PUT, Method::POST);
    let n = |n: i64| json!({ "n": n });
    let create = |id: &str| json!({ "create": { "_index": "wb-doc", "_id": id } });
    let definition = json!({
        "settings": { "number_of_shards": 1, "number_of_replicas": 0 },
        "mappings": { "properties": { "n": { "type": "long" }, "at": { "type": "date" } } },
        "aliases": { "wb-doc-alias": {}, "wb-doc-two": {} },
    });
    let other = json!({
        "settings": { "number_of_shards": 1, "number_of_replicas": 0 }, "aliases": { "wb-doc-two": {} },
    });
    let mixed = [
        create("10"),
        n(10),
        create("1"),
        n(99),
        create("11"),
        json!({ "n": "many" }),
        create("12"),
        json!({ "at": "yesterday" }),
        json!({ "create": { "_index": "wb-doc-alias", "_id": "13" } }),
        n(13),
        json!({ "create": { "_index": "wb-doc-alias", "_id": "13" } }),
        n(14),
        json!({ "create": { "_index": "wb-doc-two", "_id": "14" } }),
        n(14),
        json!({ "create": { "_index": "wb-doc-new", "_id": "a/b c?" } }),
        n(15),
        json!({ "create": { "_index": "WB-DOC", "_id": "15" } }),
        n(15),
        json!({ "index": { "_index": "wb-doc", "_id": "10" } }),
        n(16),
        json!({ "index": { "_index": "wb-doc", "_id": "16" } }),
        n(16),
        json!({ "delete": { "_index": "wb-doc", "_id": "16" } }),
        json!({ "delete": { "_index": "wb-doc", "_id": "gone" } }),
    ];
    let own = [json!({ "create": { "_id": "20" } }), n(20), json!({ "create": { "_id": "20" } }), n(21)];
    let named = [json!({ "create": {} }), n(22)];
    let id = "i".repeat(512);
    let all = json!({ "size": 50, "sort": [{ "n": "asc" }] });
    vec![
        (put.clone(), "/wb-doc".into(), definition.to_string()),
        (put.clone(), "/wb-doc-other".into(), other.to_string()),
        (put.clone(), "/wb-doc/_create/1".into(), n(1).to_string()),
        (put.clone(), "/wb-doc/_create/1".into(), n(2).to_string()),
        (post.clone(), "/wb-doc/_create/2".into(), n(2).to_string()),
        (post.clone(), "/wb-doc/_create/2".into(), n(3).to_string()),
        (put.clone(), "/wb-doc/_create/a%2Fb%20c%3F".into(), n(3).to_string()),
        (put.clone(), "/wb-doc/_create/a%2Fb%20c%3F".into(), n(3).to_string()),
        (put.clone(), "/wb-doc/_create/3".into(), json!({ "n": "many" }).to_string()),
        (put.clone(), "/wb-doc/_create/3".into(), json!({ "at": "yesterday" }).to_string()),
        (put.clone(), "/wb-doc/_create/3".into(), json!([1]).to_string()),
        (put.clone(), format!("/wb-doc/_create/{id}"), n(4).to_string()),
        (put.clone(), format!("/wb-doc/_create/{id}i"), n(5).to_string()),
        (put.clone(), "/wb-doc-alias/_create/5".into(), n(5).to_string()),
        (put.clone(), "/wb-doc-two/_create/6".into(), n(6).to_string()),
        (put.clone(), "/WB-DOC/_create/7".into(), n(7).to_string()),
        (post.clone(), "/_bulk".into(), bulk(&mixed)),
        (put.clone(), "/wb-doc/_bulk".into(), bulk(&own)),
        (post.clone(), "/wb-doc/_bulk".into(), bulk(&named)),
        (post.clone(), "/_bulk".into(), bulk(&[json!({ "create": { "_id": "30" } }), n(30)])),
        (post.clone(), "/_bulk".into(), bulk(&[create(&format!("{id}i")), n(31), create("31"), n(31)])),
        (post.clone(), "/_bulk".into(), String::new()),
        (post.clone(), "/_bulk".into(), create("32").to_string()),
        (post.clone(), "/wb-doc,wb-doc-new/_refresh".into(), String::new()),
        (post.clone(), "/wb-doc/_search".into(), all.to_string()),
        (post.clone(), "/wb-doc-new/_search".into(), all.to_string()),
        (get.clone(), "/wb-doc/_doc/1".into(), String::new()),
        (get, "/wb-doc/_mapping".into(), String::new()),
    ]
}

/// What a server says of an error, in the word that all versions share.
fn kind(error: &Json) -> &str {
    match kind_of_error(error) {
        "document_parsing_exception" => "mapper_parsing_exception",
        kind => kind,
    }
}

/// What is compared of one document's result; an id that the server made is its own.
fn result(of: &Json, status: u16) -> Json {
    if of["error"].is_object() {
        return json!({ "status": status, "error": kind(&of["error"]) });
    }
    let id = of["_id"].as_str().filter(|id| id.len() != 20);
    json!({ "status": status, "index": of["_index"], "id": id, "version": of["_version"], "result": of["result"] })
}

fn judged(path: &str, status: u16, body: &Json) -> Json {
    if let Some(items) = body["items"].as_array() {
        let items = items.iter().flat_map(|item| item.as_object().into_iter().flatten());
        let items: Vec<Json> = items
            .map(|(action, item)| {
                let status = item["status"].as_u64().and_then(|status| u16::try_from(status).ok());
                json!({ action: result(item, status.unwrap_or(0)) })
            })
            .collect();
        return json!({ "errors": body["errors"], "items": items });
    }
    if status < 400 && path.contains("_search") {
        let hits = body["hits"]["hits"].as_array().into_iter().flatten();
        return hits.map(|hit| hit["_source"].clone()).collect();
    }
    if status < 400 && path.contains("_mapping") {
        return body.clone();
    }
    if status < 400 && path.contains("/_doc/") {
        let kept = ["_index", "_id", "_version", "_source", "found"];
        return Json::Object(Map::from_iter(kept.map(|key| (key.to_owned(), body[key].clone()))));
    }
    result(body, status)
}

#[tokio::test]
async fn documents_are_created_once() {
    let servers = real("documents");
    let node = node().await;
    let embedded = Server::new("node", &node.url());
    for server in servers.iter().chain([&embedded]) {
        clear(server).await;
    }
    let mut wrong = Vec::new();
    for (method, path, body) in requests() {
        let (status, answer) = embedded.send(method.clone(), &path, body.clone()).await;
        let ours = judged(&path, status, &answer);
        for server in &servers {
            let (status, answer) = server.send(method.clone(), &path, body.clone()).await;
            let theirs = judged(&path, status, &answer);
            if !same(&ours, &theirs, 0.0) {
                let name = server.name;
                wrong.push(format!("{name} {method} {path} {body}\n  server {theirs}\n  node   {ours}"));
            }
        }
    }
    for server in &servers {
        clear(server).await;
    }
    node.stop().await;
    assert!(wrong.is_empty(), "{} answers are wrong\n{}", wrong.len(), wrong.join("\n"));
}
