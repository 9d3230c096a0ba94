//! The web listener is open to whoever reaches its port: that costs evaluation and delivery nothing.
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::journey::{FAILED_LOGINS, with_failed_logins};
use crate::world::{Host, PROGRAM, World, hit};

/// As many as a shell gives a program by default.
const FILES: usize = 1_024;
const CONNECTIONS: usize = 1_100;
/// The promise: an orchestrator's probe gets its answer within this time.
const PROBE_MAX: Duration = Duration::from_secs(2);

/// A program that starts the host with `files` descriptors, and no way to get more.
fn limited(world: &World, files: usize) -> PathBuf {
    let path = world.scratch.path().join("limited");
    std::fs::write(&path, format!("#!/bin/sh\nulimit -n {files}\nexec {PROGRAM} \"$@\"\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Forwards to the server at `url`, and closes each connection after one answer: each request needs a descriptor.
async fn closing(url: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("http://{}", listener.local_addr().unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let router = Router::new().fallback(forward).with_state((url.to_owned(), client));
    tokio::spawn(async move { axum::serve(listener, router).await });
    here
}

async fn forward(State((url, client)): State<(String, reqwest::Client)>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut headers = head.headers;
    headers.remove("host");
    let answer = client.request(head.method, format!("{url}{}", head.uri)).headers(headers).body(body);
    let answer = answer.send().await.unwrap();
    let mut response = Response::builder().status(answer.status()).header("connection", "close");
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

/// Holds connections that have sent one byte each, and opens another in place of each every two seconds, until it is
/// dropped.
fn besiege(address: &str) -> JoinSet<()> {
    let mut besiegers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let address = address.to_owned();
        besiegers.spawn(async move {
            let mut turn = tokio::time::interval(PROBE_MAX);
            let mut held = None;
            loop {
                turn.tick().await;
                drop(held.take());
                let Ok(mut stream) = TcpStream::connect(&address).await else { continue };
                let _ = stream.write_all(b"G").await;
                held = Some(stream);
            }
        });
    }
    besiegers
}

/// Asks as a probe does, on a connection of its own.
async fn probe(address: &str, path: &str) -> String {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    timeout(PROBE_MAX, asking).await.expect("an answer in time").expect("an answer")
}

async fn besieged(mut world: World) {
    rlimit::increase_nofile_limit(16 * FILES as u64).unwrap();
    world.write("failed-logins.yaml", &FAILED_LOGINS.replace("lateness: 1s", "lateness: 1m"));
    let mut host: Host = world.start_program(&limited(&world, FILES), &[], &[]);
    let address = host.address().await;
    world.receiver.until("the first alert", |got| got.len() == 1).await;
    let besiegers = besiege(&address);
    for _ in 0..20 {
        let answer = probe(&address, "/livez").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    // Rules are evaluated and what they find is delivered, as before.
    let more: Vec<_> = (0..3).map(|_| hit(watchbell::clock::wall().0, 401, "web-9")).collect();
    world.documents("logs-auth", &more).await;
    world
        .receiver
        .until("an alert during the siege", |got| {
            got.iter().any(|it| it.body["labels"] == json!({ "host.name": "web-9" }))
        })
        .await;
    // What is answered is a picture of up to a second ago, when the rule may have been reading its history.
    let is_ready = async { while !probe(&address, "/readyz").await.starts_with("HTTP/1.1 200") {} };
    timeout(Duration::from_secs(30), is_ready).await.expect("it is ready");
    let status = probe(&address, "/status").await;
    assert!(status.contains("failed-logins"), "{status}");
    drop(besiegers);
    assert_eq!(host.stop().await, Some(0));
    let said = host.said.join("\n");
    assert!(!said.contains("Too many open files") && !said.contains("\"outcome\":\"failed\""), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections_cost_nothing() {
    besieged(with_failed_logins().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections_cost_nothing_where_each_request_takes_a_connection() {
    let world = with_failed_logins().await;
    let cluster = closing(&world.cluster).await;
    let receiver = closing(world.receiver.url.strip_suffix("/hook").unwrap()).await;
    let hook = json!({
        "use": "webhook", "url": format!("{receiver}/hook"), "grants": { "private_addresses": true },
    });
    world.environment(&json!({
        "clusters": { "main": { "nodes": [cluster] } },
        "destinations": { "hook": hook },
    }));
    besieged(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_files_and_connections_are_said() {
    let world = with_failed_logins().await;
    let mut host = world.start_program(&limited(&world, 200), &["--max-connections", "100"], &[]);
    let fewer = host.until("fewer connections", |line| line["asked"] == 100).await;
    assert_eq!((fewer["connections"].as_u64(), fewer["limit"].as_u64()), (Some(50), Some(200)), "{fewer}");
    assert_eq!(host.stop().await, Some(0));

    // A soft limit is raised to the hard one.
    let path = world.scratch.path().join("soft");
    std::fs::write(&path, format!("#!/bin/sh\nulimit -Sn 300\nulimit -Hn 900\nexec {PROGRAM} \"$@\"\n"))
        .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut host = world.start_program(&path, &[], &[]);
    let raised = host.until("the limit", |line| line["before"] == 300).await;
    assert_eq!(raised["limit"], 900, "{raised}");
    host.until("a window", |line| line["outcome"] == "committed").await;
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_halves_and_giants_end() {
    let world = with_failed_logins().await;
    let mut host = world.start();
    let address = host.address().await;

    // A byte of a header each second, for as long as the host takes them.
    let mut slow = TcpStream::connect(&address).await.unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nx: ").await.unwrap();
    let dripping = async {
        let mut read = [0; 64];
        while slow.write_all(b"x").await.is_ok() {
            if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_secs(1), slow.read(&mut read)).await {
                break;
            }
        }
    };
    timeout(Duration::from_secs(60), dripping).await.expect("the host ends it");

    // A request that never sends its body is answered, and the connection ends.
    let mut half = TcpStream::connect(&address).await.unwrap();
    half.write_all(b"POST /status HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\nhalf")
        .await
        .unwrap();
    let mut answer = String::new();
    let read = timeout(Duration::from_secs(120), half.read_to_string(&mut answer)).await;
    read.expect("the host ends it").unwrap();
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");

    // Headers beyond 16 KiB are refused.
    let mut giant = TcpStream::connect(&address).await.unwrap();
    let request = format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(20 << 10));
    giant.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The host may close before it has read everything.
    let _ = timeout(Duration::from_secs(60), giant.read_to_end(&mut answer)).await.expect("the host ends it");
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    assert!(probe(&address, "/livez").await.starts_with("HTTP/1.1 200"));
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_browsers_to_run_and_keep_nothing() {
    let world = with_failed_logins().await;
    let mut host = world.start();
    let address = host.address().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let paths =
        ["/livez", "/readyz", "/metrics", "/status", "/explain/failed-logins", "/explain/none", "/none"];
    for path in paths {
        for method in ["GET", "POST", "DELETE", "OPTIONS", "BREW"] {
            let method: reqwest::Method = method.parse().unwrap();
            let url = format!("http://{address}{path}");
            let asked = client.request(method.clone(), url).header("origin", "https://elsewhere.example");
            let answer = asked.send().await.unwrap();
            let header = |name: &str| {
                answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
            };
            let policy = header("content-security-policy");
            for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
                assert!(policy.contains(part), "{method} {path}: {policy}");
            }
            assert_eq!(header("x-content-type-options"), "nosniff", "{method} {path}");
            assert_eq!(header("referrer-policy"), "no-referrer", "{method} {path}");
            assert_eq!(header("cache-control"), "no-store", "{method} {path}");
            assert!(!answer.headers().contains_key("access-control-allow-origin"), "{method} {path}");
            if method != reqwest::Method::GET {
                let expected = if path == "/none" { 404 } else { 405 };
                assert_eq!(answer.status().as_u16(), expected, "{method} {path}");
            }
        }
    }
    assert_eq!(host.stop().await, Some(0));
}
