//! People's commands, by the command line and over HTTP, to the real program.
use std::time::Duration;

use serde_json::{Value, json};

use crate::journey::FAILED_LOGINS;
use crate::world::{Host, World, hit, now};

/// A host with one open episode for each of `names`, which holds for half an hour.
pub(crate) async fn with_open(environment: &Value, listen: &str, names: &[&str]) -> (World, Host, String) {
    let mut world = World::new().await;
    world.environment(environment);
    world.index("logs-auth").await;
    world.write("failed-logins.yaml", &FAILED_LOGINS.replace("timeframe: 1m", "timeframe: 30m"));
    let mut host = world.start_at(listen, &[], &VARIABLES);
    let address = host.address().await;
    let documents: Vec<Value> = names.iter().flat_map(|name| (0..3).map(|_| hit(now(), 401, name))).collect();
    world.documents("logs-auth", &documents).await;
    world.receiver.until("an alert for each", |got| got.len() == names.len()).await;
    (world, host, address)
}

const VARIABLES: [(&str, &str); 4] = [
    ("VIEW_TOKEN", "view-view-view-view"),
    ("AUTH_TOKEN", "auth-auth-auth-auth"),
    ("WEB_TOKEN", "web-web-web-web-web"),
    ("DEPLOY_TOKEN", "deploy-deploy-deploy"),
];

fn access(trust_proxy_tls: bool) -> Value {
    json!({ "access": {
        "trust_proxy_tls": trust_proxy_tls,
        "tokens": [
            { "name": "dashboard", "secret": { "env": "VIEW_TOKEN" }, "roles": ["view"] },
            { "name": "auth", "secret": { "env": "AUTH_TOKEN" }, "roles": ["view", "ack"], "owner": "auth-team" },
            { "name": "web", "secret": { "env": "WEB_TOKEN" }, "roles": ["view", "ack", "deploy"], "owner": "web-team" },
            { "name": "ci", "secret": { "env": "DEPLOY_TOKEN" }, "roles": ["deploy"] },
        ],
    } })
}

/// Asks over HTTP: status and body.
pub(crate) async fn ask(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<String>,
) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method.parse().unwrap(), url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.body(body);
    }
    let answer = request.send().await.expect("the host answers");
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
}

async fn give(address: &str, token: &str, body: &Value) -> (u16, Value) {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    ask("POST", &format!("http://{address}/api/v1/commands"), &headers, Some(body.to_string())).await
}

pub(crate) async fn called(world: &World, args: &[&str]) -> (i32, String, String) {
    let rules = world.rules().display().to_string();
    world.call(&[args, &["--rules", &rules]].concat()).await
}

pub(crate) async fn told(world: &World, args: &[&str]) -> Value {
    let (code, out, err) = called(world, &[args, &["--json"]].concat()).await;
    assert_eq!(code, 0, "{args:?}: {err}");
    serde_json::from_str(&out).expect("JSON")
}

/// The only open episode.
pub(crate) async fn only(world: &World) -> Value {
    let mut found = told(world, &["episodes"]).await;
    assert_eq!(found["episodes"].as_array().unwrap().len(), 1, "{found}");
    found["episodes"][0].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_episode_is_acknowledged_by_the_command_line_and_each_command_applies_once() {
    let (world, mut host, _) = with_open(&json!({}), "127.0.0.1:0", &["web-1"]).await;
    let episode = only(&world).await;
    assert_eq!((&episode["rule"], &episode["phase"]), (&json!("failed-logins"), &json!("active")));
    let id = episode["id"].as_str().unwrap();
    let user = std::process::Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(user).unwrap().trim().to_owned();

    let (code, out, err) = called(&world, &["ack", &id[..8], "--as", "Ann"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("acknowledged: ") && out.contains("host.name=web-1"), "{out}");
    let by = format!("Ann (user {user})");
    let acknowledged = only(&world).await;
    assert_eq!(
        (&acknowledged["phase"], &acknowledged["acknowledged_by"]),
        (&json!("acknowledged"), &json!(by))
    );
    // The second person hears who was first.
    let (_, out, _) =
        called(&world, &["ack", "--rule", "failed-logins", "host.name=web-1", "--as", "Bob"]).await;
    assert!(out.contains(&format!("by {by} already")), "{out}");

    let note = ["note", id, "-m", "the cable", "--id", "n-1"];
    for _ in 0..2 {
        assert_eq!(told(&world, &note).await, json!({ "id": "n-1", "outcome": "applied" }));
    }
    let (code, _, err) = called(&world, &["unack", "ffff"]).await;
    assert!(code == 1 && err.contains("no open episode has an id that begins with `ffff`"), "{code} {err}");
    let (code, _, err) = called(&world, &["resolve", id]).await;
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = called(&world, &["resolve", id]).await;
    assert!(code == 1 && err.contains("refused: it is already resolved"), "{code} {err}");
    assert_eq!(host.stop().await, Some(0));

    // The audit log needs no host.
    let log = told(&world, &["history", "--commands"]).await;
    let log = log["commands"].as_array().unwrap();
    let names: Vec<&String> =
        log.iter().rev().map(|entry| entry["command"].as_object().unwrap().keys().next().unwrap()).collect();
    assert_eq!(names, ["acknowledge", "acknowledge", "note", "resolve", "resolve"]);
    assert_eq!((&log[4]["by"], &log[4]["refused"]), (&json!(by), &Value::Null));
    assert_eq!(log[0]["refused"], "it is already resolved");
    let (code, _, err) = called(&world, &["ack", id]).await;
    assert!(code == 1 && err.contains("is the host running?"), "{code} {err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_acts_within_its_roles_and_its_owners_rules() {
    let (world, mut host, address) = with_open(&access(false), "127.0.0.1:0", &["web-1"]).await;
    let id = only(&world).await["id"].clone();
    let ack =
        |number: u32| json!({ "id": format!("c-{number}"), "command": { "acknowledge": { "episode": id } } });

    let url = format!("http://{address}/api/v1/commands");
    let json_body = ("content-type", "application/json");
    // Who is on the same machine may read without a token, and no more.
    let (code, _) = ask("GET", &format!("http://{address}/api/v1/episodes"), &[], None).await;
    assert_eq!(code, 200);
    assert_eq!(ask("POST", &url, &[json_body], Some(ack(1).to_string())).await.0, 401);
    assert_eq!(give(&address, "view-view-view-vieW", &ack(1)).await.0, 401);
    let (code, body) = give(&address, "view-view-view-view", &ack(1)).await;
    assert_eq!((code, &body["error"]), (403, &json!("`token dashboard` does not have the role `ack`")));
    let (code, body) = give(&address, "web-web-web-web-web", &ack(1)).await;
    assert!(
        code == 403 && body["error"].as_str().unwrap().contains("limited to rules of `web-team`"),
        "{body}"
    );
    let pause = json!({ "id": "p", "command": { "pause": { "for": "30m", "reason": "deploy" } } });
    assert_eq!(give(&address, "auth-auth-auth-auth", &pause).await.0, 403);
    assert_eq!(
        give(&address, "web-web-web-web-web", &pause).await.0,
        403,
        "a pause is of every owner's rules"
    );
    let silence = |matchers: Value| json!({ "id": "s", "command": { "silence": { "matchers": matchers, "for": "1h", "reason": "x" } } });
    assert_eq!(give(&address, "auth-auth-auth-auth", &silence(json!(["owner=*"]))).await.0, 403);
    assert_eq!(only(&world).await["phase"], "active", "nothing was changed");

    // What a token reads is of its owner.
    for (token, count) in [("auth-auth-auth-auth", 1), ("web-web-web-web-web", 0)] {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let (_, body) = ask("GET", &format!("http://{address}/api/v1/episodes"), &headers, None).await;
        assert_eq!(body["episodes"].as_array().unwrap().len(), count, "{body}");
        let (_, body) = ask("GET", &format!("http://{address}/status"), &headers, None).await;
        assert_eq!(body["rules"].as_array().unwrap().len(), count, "{body}");
        let (code, _) = ask("GET", &format!("http://{address}/explain/failed-logins"), &headers, None).await;
        assert_eq!(code, if count == 1 { 200 } else { 403 });
    }

    // A page of another site cannot have a browser act, and nothing that acts answers GET.
    let bearer = ("authorization", "Bearer auth-auth-auth-auth");
    for cross in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let (code, _) = ask("POST", &url, &[bearer, json_body, cross], Some(ack(2).to_string())).await;
        assert_eq!(code, 403, "{cross:?}");
    }
    assert_eq!(ask("GET", &url, &[bearer], None).await.0, 405);
    let plain = ("content-type", "text/plain");
    assert_eq!(ask("POST", &url, &[bearer, plain], Some(ack(2).to_string())).await.0, 415);
    assert_eq!(ask("POST", &url, &[bearer, json_body], Some("{}".into())).await.0, 400);
    assert_eq!(
        ask("POST", &url, &[bearer, json_body], Some(format!("\"{}\"", "x".repeat(70_000)))).await.0,
        413
    );
    assert_eq!(only(&world).await["phase"], "active", "nothing was changed");

    let mut named = ack(3);
    named["as"] = json!("ann");
    for _ in 0..2 {
        let (code, body) = give(&address, "auth-auth-auth-auth", &named).await;
        assert_eq!((code, body), (200, json!({ "id": "c-3", "outcome": "applied" })));
    }
    assert_eq!(only(&world).await["acknowledged_by"], "ann (token auth)");
    let log = told(&world, &["history", "--commands"]).await;
    assert_eq!(log["commands"].as_array().unwrap().len(), 1, "{log}");

    // Guessing ends soon, for a right guess too.
    let mut codes = Vec::new();
    for number in 0..40 {
        codes.push(give(&address, &format!("guess-number-{number:04}"), &ack(4)).await.0);
    }
    assert_eq!((codes[0], codes[39]), (401, 429));
    assert_eq!(host.stop().await, Some(0));
    assert!(!host.said.join("\n").contains("auth-auth"), "no token is logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_reading_needs_a_token_and_acting_needs_tls_in_front() {
    let (world, mut host, address) = with_open(&access(false), "0.0.0.0:0", &["web-1"]).await;
    let here = address.replace("0.0.0.0", "127.0.0.1");
    for path in ["/livez", "/metrics"] {
        assert_eq!(world.get(&here, path).await.0, 200, "{path}");
    }
    for path in ["/status", "/explain/failed-logins", "/api/v1/episodes", "/api/v1/silences"] {
        assert_eq!(world.get(&here, path).await.0, 401, "{path}");
        let bearer = [("authorization", "Bearer view-view-view-view")];
        assert_eq!(ask("GET", &format!("http://{here}{path}"), &bearer, None).await.0, 200, "{path}");
    }
    let id = only(&world).await["id"].clone();
    let ack = json!({ "id": "c-1", "command": { "acknowledge": { "episode": id } } });
    let (code, body) = give(&here, "auth-auth-auth-auth", &ack).await;
    assert!(code == 403 && body["error"].as_str().unwrap().contains("trust_proxy_tls"), "{body}");
    assert_eq!(only(&world).await["phase"], "active");

    // The environment is read again, and then says that a proxy is in front.
    host.until("the first bundle", |line| line["message"] == "bundle in force").await;
    world.environment(&access(true));
    host.signal("-HUP");
    host.until("the bundle", |line| line["message"] == "bundle in force").await;
    let (code, body) = give(&here, "auth-auth-auth-auth", &ack).await;
    assert_eq!((code, &body["outcome"]), (200, &json!("applied")), "{body}");
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_while_the_store_is_locked_is_recorded_and_applied_later() {
    let (world, mut host, _) = with_open(&json!({}), "127.0.0.1:0", &["web-1"]).await;
    let id = only(&world).await["id"].as_str().unwrap().to_owned();
    let lock = rusqlite::Connection::open(world.store()).unwrap();
    lock.busy_timeout(Duration::from_secs(30)).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ack = ["ack", id.as_str(), "--id", "a-1"];
    let (code, _, err) = called(&world, &ack).await;
    assert!(code == 3 && err.contains("not confirmed") && err.contains("--id a-1"), "{code} {err}");
    assert_eq!(only(&world).await["phase"], "active");
    lock.execute_batch("COMMIT").unwrap();
    host.until("the command", |line| line["command"] == "a-1").await;
    assert_eq!(told(&world, &ack).await["outcome"], "applied");
    let log = told(&world, &["history", "--commands"]).await;
    assert_eq!(log["commands"].as_array().unwrap().len(), 1, "{log}");
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_shows_what_it_holds_and_asks_when_that_is_much_and_a_pause_ends() {
    let names: Vec<String> = (1..=11).map(|number| format!("web-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (world, mut host, _) = with_open(&json!({}), "127.0.0.1:0", &names).await;
    let silence = |matcher| ["silence", matcher, "--for", "2h", "--reason", "planned work"];
    let (code, _, err) = called(&world, &silence("host.name=web-*")).await;
    assert!(code == 1 && err.contains("holds 11 open episodes now") && err.contains("--yes"), "{code} {err}");
    let (code, _, err) = called(&world, &silence("host.name=web-3")).await;
    assert!(code == 0 && err.contains("holds 1 open episode now"), "{code} {err}");
    let all = [&silence("host.name=web-*")[..], &["--yes", "--id", "all"]].concat();
    assert_eq!(told(&world, &all).await["outcome"], "applied");
    let found = told(&world, &["silences"]).await;
    let found = found["silences"].as_array().unwrap();
    let mut counts: Vec<u64> =
        found.iter().map(|silence| silence["open_episodes"].as_u64().unwrap()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 11]);
    assert_eq!(called(&world, &["unsilence", "all"]).await.0, 0);
    assert_eq!(told(&world, &["silences"]).await["silences"].as_array().unwrap().len(), 1);
    let long = ["silence", "rule=*", "--for", "90d", "--reason", "x", "--yes"];
    let (code, _, err) = called(&world, &long).await;
    assert!(code == 1 && err.contains("refused: it would end later than"), "{code} {err}");

    let (code, _, err) = called(&world, &["pause", "--for", "25h", "--reason", "x"]).await;
    assert!(code == 1 && err.contains("refused"), "{code} {err}");
    assert_eq!(called(&world, &["pause", "--for", "30m", "--reason", "a bad deploy"]).await.0, 0);
    let (_, out, _) = called(&world, &["silences"]).await;
    assert!(out.contains("paused until") && out.contains("a bad deploy"), "{out}");
    assert_eq!(called(&world, &["unpause"]).await.0, 0);
    assert_eq!(told(&world, &["silences"]).await["pause"], Value::Null);
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_and_sent_again() {
    let mut world = crate::journey::with_failed_logins().await;
    world.receiver.will_answer(&[400]);
    let mut host = world.start();
    host.until("a dead letter", |line| {
        line["message"].as_str().is_some_and(|it| it.starts_with("dead letter"))
    })
    .await;
    let found = told(&world, &["dead-letter", "list"]).await;
    let id = found["messages"][0]["id"].as_str().expect("a dead letter").to_owned();
    let (code, _, err) = called(&world, &["dead-letter", "retry", &id[..10]]).await;
    assert_eq!(code, 0, "{err}");
    let got = world.receiver.until("it once more", |got| got.len() == 2).await;
    assert_eq!(got[0].body["id"], got[1].body["id"]);
    let (code, _, err) = called(&world, &["dead-letter", "drop", &id]).await;
    assert!(code == 1 && err.contains("is not one of the newest"), "{code} {err}");
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_left_by_a_killed_host_is_replaced_and_a_living_hosts_is_not() {
    let world = crate::journey::with_failed_logins().await;
    let socket = world.scratch.path().join("bell.sock");
    let socket = socket.to_str().unwrap();
    let mut host = world.start_with(&["--socket", socket], &[]);
    host.until("its socket", |line| line["message"] == "listening for commands").await;
    let other = world.scratch.path().join("other.sqlite");
    let mut second = world.start_with(&["--socket", socket, "--store", other.to_str().unwrap()], &[]);
    assert_eq!(second.ended().await, Some(1));
    assert!(second.said.join("\n").contains("another host listens on the socket"), "{:?}", second.said);
    assert_eq!(world.call(&["silences", "--socket", socket]).await.0, 0, "the first one still answers");
    host.signal("-KILL");
    assert_eq!(host.ended().await, None);
    let mut third = world.start_with(&["--socket", socket], &[]);
    third.until("its socket", |line| line["message"] == "listening for commands").await;
    assert_eq!(world.call(&["silences", "--socket", socket]).await.0, 0);
    assert_eq!(third.stop().await, Some(0));
    assert!(!std::path::Path::new(socket).exists());
}
