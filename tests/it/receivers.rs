//! An episode, from its beginning to its end, at receivers that are not ours: Prometheus Alertmanager, Matrix (Synapse),
//! Amazon SNS and SES (moto, which checks signatures), and an index of the cluster.
//!
//! `cargo xtask test --only receivers` installs them. Where one is missing, its test is a named skip.
mod script; // a receiver that a Python script runs

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::journey::{FAILED_LOGINS, with_failed_logins};
use crate::world::World;
use script::Script;

/// Prometheus Alertmanager's program.
const ALERTMANAGER: &str = "WATCHBELL_ALERTMANAGER";
/// Python with moto and with Synapse.
const MOTO: &str = "WATCHBELL_MOTO_PYTHON";
const SYNAPSE: &str = "WATCHBELL_SYNAPSE_PYTHON";

/// Whether what `variable` names is there; else the name of what is skipped is printed.
fn installed(variable: &str, what: &str) -> Option<String> {
    let found = std::env::var(variable).ok().filter(|program| !program.is_empty());
    if found.is_none() {
        println!("skipped: an episode at {what} (`cargo xtask test --only receivers` runs it)");
    }
    found
}

/// A world whose one rule finds an episode that stays open, and tells it to `to`.
async fn world(to: &Value) -> World {
    let world = with_failed_logins().await;
    tell(&world, to);
    world
}

fn tell(world: &World, to: &Value) {
    world.environment(&json!({ "destinations": to }));
    let names: Vec<&str> = to.as_object().unwrap().keys().map(String::as_str).collect();
    let rule = FAILED_LOGINS
        .replace("to: [hook]", &format!("to: [{}]", names.join(", ")))
        .replace("timeframe: 1m", "timeframe: 30m");
    world.write("failed-logins.yaml", &rule);
    // A rule that stays: no host goes on with none.
    let quiet = rule.replace("name: failed-logins", "name: quiet").replace("num_events: 3", "num_events: 99");
    world.write("quiet.yaml", &quiet);
}

/// Runs a host until the episode has begun, been looked at by `begun`, and ended.
async fn episode(world: &World, secrets: &[(&str, &str)], deliveries: usize, begun: impl AsyncFnOnce()) {
    let mut host = world.start_with(&[], secrets);
    for _ in 0..deliveries {
        host.until("the first message", |line| line["message"] == "delivered").await;
    }
    begun().await;
    std::fs::remove_file(world.rules().join("failed-logins.yaml")).unwrap();
    host.signal("-HUP");
    for _ in 0..deliveries {
        host.until("the last message", |line| line["message"] == "delivered").await;
    }
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
}

/// What `watchbell destination test NAME` says with these secrets.
async fn tried(world: &World, name: &str, secrets: &[(&str, &str)]) -> Value {
    let rules = world.rules().display().to_string();
    let (_, out, err) =
        world.call_with(&["destination", "test", name, "--json", "--rules", &rules], secrets).await;
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"))
}

async fn get(url: &str, token: Option<&str>) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.get(url);
    let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    answer.json().await.unwrap()
}

struct Alertmanager {
    url: String,
    _child: Child,
    _data: tempfile::TempDir,
}

impl Alertmanager {
    async fn start(program: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let config = data.path().join("alertmanager.yml");
        std::fs::write(&config, "route: { receiver: none }\nreceivers: [{ name: none }]\n").unwrap();
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", data.path().display()))
            .arg(format!("--web.listen-address={free}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let url = format!("http://{free}");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut look = tokio::time::interval(std::time::Duration::from_millis(50));
        while client.get(format!("{url}/-/ready")).send().await.is_err() {
            look.tick().await;
        }
        Self { url, _child: child, _data: data }
    }

    /// The alerts that are not over.
    async fn active(&self) -> Vec<Value> {
        let alerts = get(&format!("{}/api/v2/alerts?active=true", self.url), None).await;
        alerts.as_array().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alertmanager_knows_an_episode_while_it_lasts() {
    let Some(program) = installed(ALERTMANAGER, "Prometheus Alertmanager") else { return };
    let alertmanager = Alertmanager::start(&program).await;
    let world = world(&json!({ "ops": {
        "use": "alertmanager", "url": alertmanager.url, "grants": { "private_addresses": true },
    } }))
    .await;
    episode(&world, &[], 1, async || {
        let active = alertmanager.active().await;
        let [alert] = &active[..] else { panic!("{active:?}") };
        assert_eq!(alert["labels"]["host_name"], "web-1", "{alert}");
        assert_eq!(alert["labels"]["alertname"], "failed-logins", "{alert}");
    })
    .await;
    assert_eq!(alertmanager.active().await, Vec::<Value>::new());
    assert_eq!(tried(&world, "ops", &[]).await["outcome"], "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn matrix_shows_an_episode_as_a_thread() {
    let Some(python) = installed(SYNAPSE, "Matrix (Synapse)") else { return };
    let mut synapse = Script::start(&python, "matrix.py").await;
    let of = synapse.next().await;
    let (url, token, room) =
        (of["url"].as_str().unwrap(), of["token"].as_str().unwrap(), of["room"].as_str().unwrap());
    let world = world(&json!({ "ops": {
        "use": "matrix", "url": url, "auth": { "bearer": { "env": "MATRIX_TOKEN" } },
        "params": { "room": room }, "grants": { "private_addresses": true },
    } }))
    .await;
    let secrets = [("MATRIX_TOKEN", token)];
    episode(&world, &secrets, 1, async || {}).await;
    let messages = format!("{url}/_matrix/client/v3/rooms/{room}/messages?dir=f&limit=100");
    let all = get(&messages, Some(token)).await;
    let sent: Vec<&Value> =
        all["chunk"].as_array().unwrap().iter().filter(|event| event["type"] == "m.room.message").collect();
    let [first, last] = &sent[..] else { panic!("{sent:?}") };
    assert!(first["content"]["body"].as_str().unwrap().contains("3 failed logins on web-1"), "{first}");
    assert!(last["content"]["body"].as_str().unwrap().contains("Resolved: 3 failed logins"), "{last}");
    assert_eq!(last["content"]["m.relates_to"]["event_id"], first["event_id"], "{last}");

    assert_eq!(tried(&world, "ops", &secrets).await["outcome"], "delivered");
    let wrong = tried(&world, "ops", &[("MATRIX_TOKEN", "another-long-token")]).await;
    assert_eq!(wrong["outcome"], "refused", "{wrong}");
    assert!(!wrong.to_string().contains("another-long-token"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sns_and_ses_take_what_is_signed_rightly() {
    let Some(python) = installed(MOTO, "Amazon SNS and SES (moto)") else { return };
    let mut aws = Script::start(&python, "aws.py").await;
    let of = aws.next().await;
    let auth = |service: &str| {
        json!({ "sigv4": {
            "region": "eu-central-1", "service": service, "access_key_id": of["id"],
            "secret_access_key": { "env": "AWS_SECRET" },
        } })
    };
    let world = world(&json!({
        "topic": {
            "use": "sns", "url": of["url"], "auth": auth("sns"),
            "params": { "topic": of["topic"] }, "grants": { "private_addresses": true },
        },
        "mails": {
            "use": "ses", "url": of["url"], "auth": auth("ses"),
            "params": { "from": "watchbell@example.com", "to": ["ann@example.com"] },
            "grants": { "private_addresses": true },
        },
    }))
    .await;
    let secrets = [("AWS_SECRET", of["secret"].as_str().unwrap())];
    episode(&world, &secrets, 2, async || {}).await;
    let arrived = aws.ask().await;
    let topics: Vec<&str> =
        arrived["topics"].as_array().unwrap().iter().filter_map(|it| it["Message"].as_str()).collect();
    assert_eq!(topics.len(), 2, "{arrived}");
    assert!(topics.iter().all(|message| message.contains("3 failed logins on web-1")), "{topics:?}");
    assert!(topics.iter().any(|message| message.contains("Resolved")), "{topics:?}");
    assert_eq!(arrived["mails"].as_array().unwrap().len(), 2, "{arrived}");

    for name in ["topic", "mails"] {
        let wrong = tried(&world, name, &[("AWS_SECRET", "wrong-secret-access-key")]).await;
        assert_eq!(wrong["outcome"], "refused", "{name}: {wrong}");
        assert!(wrong["reason"].as_str().unwrap().contains("403"), "{name}: {wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_has_a_document_for_each_message() {
    let world = with_failed_logins().await;
    let to = json!({ "ops": {
        "use": "index", "url": world.cluster, "params": { "index": "watchbell-alerts" },
        "grants": { "private_addresses": true },
    } });
    tell(&world, &to);
    world.index("watchbell-alerts").await;
    episode(&world, &[], 1, async || {}).await;
    let found =
        world.ask("POST", "/watchbell-alerts/_search", &json!({ "query": { "match_all": {} } })).await.1;
    let hits = found["hits"]["hits"].as_array().unwrap();
    let mut causes: Vec<&str> =
        hits.iter().map(|hit| hit["_source"]["watchbell"]["cause"].as_str().unwrap()).collect();
    causes.sort_unstable();
    assert_eq!(causes, ["opened", "resolved"], "{found}");
}
