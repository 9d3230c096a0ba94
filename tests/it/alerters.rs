//! Destinations whose alerter is a module of one's own, by the example `ticket`.
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::journey::{FAILED_LOGINS, with_failed_logins};
use crate::world::{World, hit, now};

/// A component of the examples.
fn example(name: &str) -> Vec<u8> {
    built("WATCHBELL_PLUGINS", "plugins", &format!("examples/example-{name}.wasm"))
}

/// A guest of `tests/guests`.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    built("WATCHBELL_GUESTS", "guests", &format!("{name}.wasm"))
}

fn built(variable: &str, beside: &str, file: &str) -> Vec<u8> {
    let beside_target = || std::env::current_exe().unwrap().ancestors().nth(4).unwrap().join(beside);
    let folder = std::env::var_os(variable).map_or_else(beside_target, PathBuf::from);
    let path = folder.join(file);
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run cargo xtask plugins", path.display()))
}

/// Puts the module into the world, and returns the destination that names it, with `more`.
pub(crate) fn own(world: &World, name: &str, bytes: &[u8], more: &Value) -> Value {
    let folder = world.rules().join("environments/alerters");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.wasm")), bytes).unwrap();
    let mut destination = json!({
        "use": format!("./alerters/{name}.wasm"),
        "sha256": hex::encode(Sha256::digest(bytes)),
        "url": world.receiver.url,
        "grants": { "private_addresses": true },
    });
    destination.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    destination
}

/// The built alerter as the only destination of a host: the message arrives, and is delivered.
pub(crate) async fn delivers(component: &Path, params: &Value) -> Value {
    let world = with_failed_logins().await;
    let bytes = std::fs::read(component).unwrap();
    let hook = own(&world, "own", &bytes, &json!({ "params": params }));
    world.environment(&json!({ "destinations": { "hook": hook } }));
    let cache = world.scratch.path().join("cache").display().to_string();
    let mut host = world.start_with(&["--cache", &cache], &[]);
    host.until("its delivery", |line| line["message"] == "delivered").await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    let got = world.receiver.got();
    assert_eq!(got.len(), 1);
    got[0].body.clone()
}

type Calls = Arc<Mutex<Vec<(String, Value)>>>;

/// As a system of tickets answers.
async fn tickets() -> (String, Calls) {
    async fn answer(State(calls): State<Calls>, request: Request) -> axum::Json<Value> {
        let line = format!("{} {}", request.method(), request.uri().path());
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        calls.lock().unwrap().push((line, serde_json::from_slice(&body).unwrap()));
        axum::Json(json!({ "id": "T-1" }))
    }
    let calls = Calls::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&calls));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, calls)
}

fn lines(calls: &Calls) -> Vec<String> {
    calls.lock().unwrap().iter().map(|(line, _)| line.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alerter_of_ones_own_is_checked_listed_previewed_and_tested() {
    let world = World::new().await;
    let (url, calls) = tickets().await;
    let more = json!({ "url": url, "params": { "queue": "night" } });
    let tickets = own(&world, "ticket", &example("ticket"), &more);
    world.environment(&json!({ "destinations": { "hook": tickets } }));
    world.write("failed-logins.yaml", FAILED_LOGINS);
    let (code, out, err) = world.call(&["check"]).await;
    assert_eq!(code, 0, "{out}{err}");

    let (_, out, _) = world.call(&["destination", "list", "--json"]).await;
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(listed[0]["product"], "ticket");
    assert!(listed[0]["module"].as_str().unwrap().ends_with("environments/alerters/ticket.wasm"), "{listed}");
    let (_, out, _) = world.call(&["destination", "list"]).await;
    assert!(out.contains("ticket of rules/environments/alerters/ticket.wasm"), "{out}");

    let (code, out, err) = world.call(&["preview", "failed-logins", "--json"]).await;
    assert_eq!(code, 0, "{out}{err}");
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["messages"][0]["requests"][0]["url"], format!("{url}/tickets"));
    assert!(lines(&calls).is_empty());

    let (code, out, err) = world.call(&["destination", "test", "hook"]).await;
    assert_eq!(code, 0, "{out}{err}");
    let sent = calls.lock().unwrap().clone();
    assert_eq!((&*sent[0].0, &sent[0].1["queue"]), ("POST /tickets", &json!("night")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alerter_of_ones_own_posts_alone_unless_it_is_granted_more() {
    for is_granted in [false, true] {
        let world = World::new().await;
        world.index("logs-auth").await;
        let (url, calls) = tickets().await;
        let mut more = json!({ "url": url, "params": { "queue": "night" } });
        if is_granted {
            more["grants"] = json!({ "private_addresses": true, "methods": ["POST", "PATCH"] });
        }
        let tickets = own(&world, "ticket", &example("ticket"), &more);
        world.environment(&json!({ "destinations": { "hook": tickets } }));
        world.write("failed-logins.yaml", &FAILED_LOGINS.replace("timeframe: 1m", "timeframe: 4s"));
        let mut host = world.start();
        host.until("a window", |line| line["outcome"] == "committed").await;
        let documents: Vec<Value> = (0..3).map(|number| hit(now() - number * 100, 401, "web-1")).collect();
        world.documents("logs-auth", &documents).await;
        host.until("the opening", |line| line["message"] == "delivered").await;
        if is_granted {
            host.until("the end", |line| line["message"] == "delivered").await;
        } else {
            let refused = host
                .until("the end", |line| {
                    line["message"].as_str().is_some_and(|text| text.starts_with("dead letter"))
                })
                .await;
            let why = "does not grant `PATCH`: if that is intended, add it to `grants.methods`";
            assert!(refused["message"].as_str().unwrap().contains(why), "{refused}");
        }
        assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
        let mut expected = vec!["POST /tickets", "POST /tickets/T-1/comments"];
        expected.extend(is_granted.then_some("PATCH /tickets/T-1"));
        assert_eq!(lines(&calls), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_no_alerter_and_an_alerter_no_rule() {
    let world = World::new().await;
    let rule = own(&world, "scan", &example("port-scan"), &json!({}));
    let ticket = example("ticket");
    // Of one product there is nothing to choose, but what is chosen must be there.
    let chosen = own(&world, "ticket", &ticket, &json!({ "product": "tickets" }));
    let idle = own(&world, "idle", &guest("alerter-trap"), &json!({}));
    world.environment(&json!({ "destinations": { "hook": rule, "chosen": chosen, "idle": idle } }));
    let digest = hex::encode(Sha256::digest(&ticket));
    let named = format!("use: ./environments/alerters/ticket.wasm\nsha256: {digest}");
    world.write("failed-logins.yaml", &FAILED_LOGINS.replace("use: frequency", &named));
    let (code, _, err) = world.call(&["check"]).await;
    assert_eq!(code, 1, "{err}");
    for part in [
        "the module `./alerters/scan.wasm` is a rule, not an alerter",
        "the module `./environments/alerters/ticket.wasm` is an alerter, not a rule",
        "the module `./alerters/ticket.wasm` has no product `tickets`",
        "did you mean `ticket`?",
        "`./alerters/idle.wasm` cannot be used: it imports neither",
    ] {
        assert!(err.contains(part), "{part} is missing in {err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alerter_runs_only_where_the_environment_allows_it() {
    let world = World::new().await;
    let ticket = example("ticket");
    let digest = hex::encode(Sha256::digest(&ticket));
    // A digest that belongs to no module: nothing of another is run, not even to see what it is.
    for (bytes, allowed, code) in
        [(&ticket[..], &*digest, 0), (&ticket, &"0".repeat(64), 1), (b"junk", &digest, 1)]
    {
        let more = json!({ "params": { "queue": "night" } });
        let hook = own(&world, "ticket", bytes, &more);
        world.environment(&json!({ "destinations": { "hook": hook }, "plugins": { "allow": [allowed] } }));
        world.write("failed-logins.yaml", FAILED_LOGINS);
        let (ended, out, err) = world.call(&["check"]).await;
        assert_eq!(ended, code, "{out}{err}");
        let told = "the module `./alerters/ticket.wasm` is not allowed in environment `default`";
        assert_eq!(err.contains(told), code == 1, "{err}");
        assert!(!err.contains("WebAssembly"), "{err}");
    }
}
