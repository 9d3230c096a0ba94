//! The same documents and requests to the node and, where there are any, to real servers.
//!
//! Cases are folders of `tests/cases/node`: `index.json`, `documents.ndjson`, `requests.json`, and `expected.json`, which
//! holds what the node answered when the real servers were last seen to agree. `WATCHBELL_SERVERS` names servers
//! (`es7=http://127.0.0.1:9207,…`); without it the golden answers alone are compared. `WATCHBELL_BLESS=1` writes them anew.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use reqwest::Client;
use serde_json::{Map, Value as Json, json};
use watchbell_node::{Config, Node};

struct Case {
    name: String,
    folder: PathBuf,
    index: Json,
    bulk: String,
    requests: Vec<Json>,
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/node");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("tests/cases/node is there")
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    let read =
        |path: PathBuf| std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let json = |path: PathBuf| -> Json {
        serde_json::from_str(&read(path.clone())).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    folders
        .into_iter()
        .map(|folder| {
            let mut bulk = String::new();
            for line in read(folder.join("documents.ndjson")).lines() {
                let document: Json = serde_json::from_str(line).expect("a document is JSON");
                bulk.push_str(&format!(
                    "{}\n{}\n",
                    json!({"index": {"_id": document["_id"]}}),
                    document["_source"]
                ));
            }
            let mut index = json(folder.join("index.json"));
            // One shard, so that ties come in one order.
            index["settings"]["number_of_shards"] = 1.into();
            index["settings"]["number_of_replicas"] = 0.into();
            Case {
                name: folder.file_name().unwrap().to_string_lossy().into_owned(),
                index,
                bulk,
                requests: json(folder.join("requests.json")).as_array().expect("a list of requests").clone(),
                folder,
            }
        })
        .collect()
}

/// Loads the case into a server and asks everything; answers by the request's name.
async fn ask(client: &Client, url: &str, case: &Case) -> BTreeMap<String, Json> {
    let index = format!("{url}/wb-node-{}", case.name);
    let send = |request: reqwest::RequestBuilder| async move {
        let response =
            request.header("content-type", "application/json").send().await.expect("the server answers");
        let status = response.status().as_u16();
        let body: Json = serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Json::Null);
        (status, body)
    };
    send(client.delete(&index)).await;
    let (status, body) = send(client.put(&index).body(case.index.to_string())).await;
    assert_eq!(status, 200, "{url} {}: {body}", case.name);
    let (status, body) =
        send(client.post(format!("{index}/_bulk?refresh=true")).body(case.bulk.clone())).await;
    assert!(status == 200 && body["errors"] == false, "{url} {}: {body}", case.name);
    let mut answers = BTreeMap::new();
    for request in &case.requests {
        let name = request["name"].as_str().expect("a request has a name").to_owned();
        let path = match request["path"].as_str() {
            Some(path) => format!("{url}{path}"),
            None => format!("{index}/_search{}", request["parameters"].as_str().unwrap_or_default()),
        };
        let (status, body) = send(client.post(path).body(request["body"].to_string())).await;
        let old = answers.insert(name.clone(), extract(request, status, &body));
        assert!(old.is_none(), "{} has two requests named `{name}`", case.name);
    }
    send(client.delete(&index)).await;
    answers
}

/// What is compared: the status, and of a success the ids, the total, and what else the request is about.
fn extract(request: &Json, status: u16, body: &Json) -> Json {
    if status != 200 {
        return json!({"status": status});
    }
    let mut out = Map::new();
    let hits = body["hits"]["hits"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<&str> = hits.iter().filter_map(|hit| hit["_id"].as_str()).collect();
    if request["body"].get("sort").is_none() {
        ids.sort_unstable();
    }
    out.insert("ids".into(), ids.into());
    out.insert("total".into(), body["hits"]["total"].clone());
    if request["hits"] == true {
        let kept = ["sort", "fields", "_source", "matched_queries"];
        let shown = hits.iter().map(|hit| {
            let parts = kept.iter().filter_map(|key| Some(((*key).to_owned(), hit.get(*key)?.clone())));
            Json::Object(parts.collect())
        });
        out.insert("hits".into(), shown.collect());
    }
    if let Some(aggs) = body.get("aggregations") {
        out.insert("aggs".into(), aggs.clone());
    }
    Json::Object(out)
}

/// Equal but for the spelling of numbers, and within `tolerance` of each other where they are fractions.
fn same(a: &Json, b: &Json, tolerance: f64) -> bool {
    match (a, b) {
        (Json::Number(x), Json::Number(y)) => {
            x == y
                || (!(x.is_i64() && y.is_i64())
                    && x.as_f64()
                        .zip(y.as_f64())
                        .is_some_and(|(x, y)| (x - y).abs() <= tolerance * (1.0 + x.abs())))
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, tolerance))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b, tolerance)))
        }
        (a, b) => a == b,
    }
}

fn tolerance(request: &Json) -> f64 {
    if request["approximate"] == true { 0.02 } else { 1e-9 }
}

async fn node() -> Node {
    Node::start(SocketAddr::from(([127, 0, 0, 1], 0)), Config::default()).await.expect("a free port")
}

#[tokio::test]
async fn answers_are_the_golden_ones() {
    let (client, node) = (Client::new(), node().await);
    let bless = std::env::var_os("WATCHBELL_BLESS").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let answers = ask(&client, &node.url(), &case).await;
        let golden = case.folder.join("expected.json");
        if bless {
            let lines: Vec<String> = case
                .requests
                .iter()
                .filter_map(|request| request["name"].as_str())
                .map(|name| format!("  {}: {}", Json::from(name), answers[name]))
                .collect();
            std::fs::write(&golden, format!("{{\n{}\n}}\n", lines.join(",\n")))
                .expect("golden answers can be written");
            continue;
        }
        let expected: Json = serde_json::from_str(&std::fs::read_to_string(&golden).unwrap_or_default())
            .unwrap_or_else(|e| panic!("{}: {e}; WATCHBELL_BLESS=1 writes it", golden.display()));
        for request in &case.requests {
            let name = request["name"].as_str().unwrap_or_default();
            if !same(&answers[name], &expected[name], 1e-12) {
                wrong.push(format!(
                    "{} `{name}`\n  expected {}\n  answered {}",
                    case.name, expected[name], answers[name]
                ));
            }
            let status = request["status"].as_u64().unwrap_or(200);
            if answers[name]["status"].as_u64().unwrap_or(200) != status {
                wrong.push(format!("{} `{name}`: status is not {status}: {}", case.name, answers[name]));
            }
        }
    }
    node.stop().await;
    assert!(wrong.is_empty(), "{} wrong answers\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn real_servers_answer_the_same() {
    let servers = std::env::var("WATCHBELL_SERVERS").unwrap_or_default();
    let servers: Vec<(&str, &str)> =
        servers.split(',').filter_map(|pair| pair.trim().split_once('=')).collect();
    if servers.is_empty() {
        eprintln!("WATCHBELL_SERVERS names no server: only golden answers were compared");
        return;
    }
    let (client, node) = (Client::new(), node().await);
    let (mut wrong, mut equal, mut known) = (Vec::new(), 0, Vec::new());
    for case in cases() {
        let ours = ask(&client, &node.url(), &case).await;
        for (server, url) in &servers {
            let theirs = ask(&client, url, &case).await;
            for request in &case.requests {
                let name = request["name"].as_str().unwrap_or_default();
                let (ours, theirs) = (&ours[name], &theirs[name]);
                if same(ours, theirs, tolerance(request)) {
                    equal += 1;
                } else if let Some(why) = request["differs"][server].as_str() {
                    known.push(format!("{server} {} `{name}`: {why}", case.name));
                } else {
                    wrong
                        .push(format!("{server} {} `{name}`\n  server {theirs}\n  node   {ours}", case.name));
                }
            }
        }
    }
    node.stop().await;
    eprintln!("{equal} answers equal, {} different, {} known to differ", wrong.len(), known.len());
    known.iter().for_each(|line| eprintln!("  {line}"));
    assert!(wrong.is_empty(), "{} answers differ\n{}", wrong.len(), wrong.join("\n"));
}
