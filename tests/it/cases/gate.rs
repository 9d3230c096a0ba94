//! The gate in front of every recorded answer of `tests/cases/gate`, whatever the server's version: a server that answers
//! from the recording, and the real program.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::World;
use crate::{folders, name, trial};

/// What the gate has to say of each situation: its exit code, and a word of its reasons.
const EXPECTED: [(&str, i32, &str); 14] = [
    ("version-conflict", 0, "node_version"),
    ("zone-conflict", 0, "awareness"),
    ("both-conflicts", 0, "awareness"),
    ("same-node", 0, "same_shard"),
    ("both-conflicts-and-a-filter", 1, "filter"),
    ("allocation-filter", 1, "filter"),
    ("allocation-disabled", 1, "enable"),
    ("full-disk", 1, "disk_threshold"),
    ("node-lost", 1, "unassigned-primary"),
    ("damaged-primary", 1, "unassigned-primary"),
    ("too-many-retries", 1, "max_retry"),
    // These pass by themselves, once there is time.
    ("throttled", 3, "throttl"),
    ("node-left", 3, "delayed"),
    ("node-left-of-two", 3, "delayed"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let servers: Vec<PathBuf> =
        folders("gate").into_iter().filter(|server| !server.ends_with("situations")).collect();
    assert!(servers.len() >= 2, "{} servers were recorded", servers.len());
    let of_server = |server: &PathBuf| {
        let server_name = server.file_name().expect("a name").to_string_lossy().into_owned();
        let test = move |file: PathBuf| {
            let test_name = format!("gate::{server_name}::{}", name(&file));
            trial(test_name, move || async move { judged(&file).await })
        };
        recordings(server).into_iter().map(test).collect::<Vec<_>>()
    };
    servers.iter().flat_map(of_server).collect()
}

/// The recording is judged as its situation demands.
async fn judged(file: &Path) {
    let situation = name(file);
    let expected = EXPECTED.iter().find(|(name, ..)| *name == situation);
    let (_, code, word) = expected.unwrap_or_else(|| panic!("what is expected of {situation}?"));
    let said = ask(file).await;
    assert_eq!(said.0, *code, "{}: {}\n{}", file.display(), said.1, said.2);
    assert!(said.1.contains(word), "{}: `{word}` in {}", file.display(), said.1);
}

async fn ask(file: &Path) -> (i32, String, String) {
    let text = fs::read_to_string(file).expect("a recording");
    let recording: Value = serde_json::from_str(&text).expect("a recording is JSON");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().fallback(answer).with_state(Arc::new(recording));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let world = World::on(&url).await;
    let options = ["--wait", "1s", "--stable", "0s", "--poll", "100ms", "--json"];
    world.call(&[&["upgrade-gate", "--cluster", &url][..], &options].concat()).await
}

async fn answer(State(recording): State<Arc<Value>>, request: Request) -> impl IntoResponse {
    let path = request.uri().path().to_owned();
    let found = if path == "/_cluster/allocation/explain" {
        let body = axum::body::to_bytes(request.into_body(), 1 << 16).await.expect("a body");
        let wanted: Value = serde_json::from_slice(&body).expect("JSON");
        let mut explanations = recording["explanations"].as_array().into_iter().flatten();
        explanations.find(|one| {
            ["index", "shard", "primary"].iter().all(|member| one["request"][member] == wanted[member])
        })
    } else {
        let mut answers = recording["answers"].as_object().into_iter().flatten();
        let asked = |request: &str| {
            request.strip_prefix("GET ").and_then(|rest| rest.split('?').next().map(str::to_owned))
        };
        answers.find(|(request, _)| asked(request).as_deref() == Some(&path)).map(|(_, answer)| answer)
    };
    let nothing = json!({ "status": 404, "body": { "error": format!("{path} was not recorded") } });
    let found = found.unwrap_or(&nothing);
    let status = found["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [("content-type", "application/json")], found["body"].to_string())
}

/// What was recorded of a server, in order.
fn recordings(server: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(server).expect("a folder").flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        listed.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    found.sort();
    assert!(!found.is_empty(), "{} holds no recording", server.display());
    found
}
