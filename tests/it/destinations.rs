//! Destinations: what they would get, whether a message arrives, and with which secret.
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use serde_json::{Value, json};

use crate::journey::{FAILED_LOGINS, with_failed_logins};
use crate::world::{World, hit, now};

const TEST: &str = "\
mapping: { Status: { type: integer }, host: { properties: { name: { type: keyword } } } }
tests:
  - name: three of a host
    documents: [{ at: 10s, every: 5s, count: 3, fields: { Status: 401, host.name: web-1 } }]
    expect: [{ at: 70s, deliveries: [{ to: hook }] }]
";

/// Destinations of all products, none of whose secrets is there.
fn everything(world: &World) -> Value {
    let hook = json!({
        "use": "webhook", "url": world.receiver.url, "grants": { "private_addresses": true },
        "auth": { "bearer": { "env": "HOOK_TOKEN" } },
    });
    json!({ "destinations": {
        "hook": hook,
        "ops-slack": { "use": "slack", "url": { "env": "SLACK_URL" } },
        "ops-bot": {
            "use": "slack-bot", "url": "https://slack.com/api", "auth": { "bearer": { "env": "BOT_TOKEN" } },
            "params": { "channel": "C1" },
        },
        "ops-pager": {
            "use": "pagerduty", "url": "https://events.pagerduty.com",
            "auth": { "body": { "pointer": "/routing_key", "value": { "env": "ROUTING_KEY" } } },
        },
        "ops-sms": {
            "use": "twilio", "url": "https://api.twilio.com",
            "auth": { "basic": { "username": "SK1", "password": { "env": "TWILIO" } } },
            "params": {
                "account": format!("AC{}", "0".repeat(32)), "from": "+15005550006",
                "to": ["+41790000001", "+41790000002"],
            },
        },
    } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_shows_what_each_destination_would_get() {
    let world = World::new().await;
    world.environment(&everything(&world));
    world.write(
        "failed-logins.yaml",
        &FAILED_LOGINS.replace("[hook]", "[hook, ops-slack, ops-bot, ops-pager, ops-sms]"),
    );
    world.write("failed-logins.test.yaml", TEST);
    // A secret that is there is not used either.
    let args = ["preview", "failed-logins", "--json"];
    let (code, out, err) = world.call_with(&args, &[("BOT_TOKEN", "xoxb-top-secret")]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(!out.contains("top-secret"), "{out}");
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&shown["source"], &shown["test"]), (&json!("test"), &json!("three of a host")));
    let messages = shown["messages"].as_array().unwrap();
    let requests: Vec<(&str, &str, &str)> = messages
        .iter()
        .flat_map(|message| message["requests"].as_array().unwrap().iter().map(move |of| (message, of)))
        .map(|(message, request)| {
            let text = |value: &'static str| request[value].as_str().unwrap_or("-");
            (message["destination"].as_str().unwrap(), text("url"), text("auth"))
        })
        .collect();
    let account = format!("https://api.twilio.com/2010-04-01/Accounts/AC{}/Messages.json", "0".repeat(32));
    let hook = world.receiver.url.as_str();
    assert_eq!(
        requests,
        [
            ("hook", hook, "bearer env:HOOK_TOKEN"),
            ("ops-slack", "<env:SLACK_URL>", "-"),
            ("ops-bot", "https://slack.com/api/chat.postMessage", "bearer env:BOT_TOKEN"),
            ("ops-pager", "https://events.pagerduty.com/v2/enqueue", "body /routing_key, env:ROUTING_KEY"),
            ("ops-sms", &account, "basic SK1, env:TWILIO"),
            ("ops-sms", &account, "basic SK1, env:TWILIO"),
        ]
    );
    for message in messages {
        assert_eq!(message["title"], "3 failed logins on web-1", "{message}");
        // A form has plus signs for blanks.
        let sent = message["requests"].to_string().replace('+', " ");
        assert!(sent.contains("failed logins on web-1"), "{message}");
    }
    let pager: Value = serde_json::from_str(messages[3]["requests"][0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(pager["routing_key"], "[redacted]");
    assert_eq!(world.receiver.got().len(), 0);

    let args = ["preview", "failed-logins", "--to", "ops-bot", "--cause", "resolved"];
    let (code, out, err) = world.call(&args).await;
    assert_eq!(code, 0, "{out}{err}");
    for part in [
        "from the test `three of a host`",
        "POST https://slack.com/api/chat.postMessage",
        "POST https://slack.com/api/chat.update",
        "(auth: bearer env:BOT_TOKEN)",
        "Resolved: 3 failed logins on web-1",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_of_a_rule_without_a_test_is_made_up() {
    let world = World::new().await;
    world.write("failed-logins.yaml", FAILED_LOGINS);
    let (code, out, err) = world.call(&["preview", "failed-logins"]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.starts_with("rule `failed-logins`, made up: "), "{out}");
    assert!(out.contains("title: 42 failed logins on a value"), "{out}");
    let (code, _, err) = world.call(&["preview", "failed-logins", "--to", "nobody"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("no destination `nobody`") && err.contains("hint: there are hook"), "{err}");
    let (code, _, err) = world.call(&["preview", "nothing"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("no rule `nothing`"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn destinations_are_listed_without_their_secrets() {
    let world = World::new().await;
    world.environment(&everything(&world));
    world.write("failed-logins.yaml", FAILED_LOGINS);
    let (code, out, err) = world.call(&["destination", "list", "--json"]).await;
    assert_eq!(code, 0, "{out}{err}");
    let listed: Value = serde_json::from_str(&out).unwrap();
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["hook", "ops-bot", "ops-pager", "ops-slack", "ops-sms"]);
    let expected = json!({
        "name": "hook", "product": "webhook", "module": null, "address": "127.0.0.1",
        "auth": "bearer env:HOOK_TOKEN", "rules": ["failed-logins"],
    });
    assert_eq!(listed[0], expected);
    assert_eq!(listed[3]["address"], "env:SLACK_URL");
    let (code, out, _) = world.call(&["destination", "list"]).await;
    let first = out.lines().next().unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!((code, first), (0, vec!["destination", "product", "address", "auth", "rules"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_message_says_what_the_receiver_answered() {
    let world = World::new().await;
    world.environment(&everything(&world));
    let token = [("HOOK_TOKEN", "top-secret")];
    let (code, out, err) = world.call_with(&["destination", "test", "hook"], &token).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.starts_with("ok: `hook` accepted the message in "), "{out}");
    let got = world.receiver.got();
    assert_eq!(got[0].headers["authorization"], "Bearer top-secret");
    assert_eq!((&got[0].body["cause"], &got[0].body["severity"]), (&json!("test"), &json!("info")));

    world.receiver.will_answer(&[503, 404]);
    world.receiver.will_ask_for_a_pause_of(30);
    let args = ["destination", "test", "hook", "--json"];
    let (code, out, _) = world.call_with(&args, &token).await;
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["outcome"], &told["retry_after_ms"]), (1, &json!("unavailable"), &json!(30_000)));
    let (code, out, _) = world.call_with(&["destination", "test", "hook"], &token).await;
    assert_eq!(code, 1);
    assert!(out.starts_with("refused: `hook` after ") && out.contains("webhook answered 404"), "{out}");
    assert_eq!(world.receiver.got().len(), 3, "each test sends once");

    let (code, _, err) = world.call(&["destination", "test", "hook"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("the secret `env:HOOK_TOKEN`: the variable `HOOK_TOKEN` is not set"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_changes_on_disk_is_used_from_the_next_attempt_on() {
    let mut world = with_failed_logins().await;
    let file = world.scratch.path().join("token");
    std::fs::write(&file, "old-token\n").unwrap();
    world.environment(&json!({ "destinations": { "hook": {
        "use": "webhook", "url": world.receiver.url, "grants": { "private_addresses": true },
        "auth": { "bearer": { "file": file } },
    } } }));
    world.receiver.will_answer(&[503]);
    let mut host = world.start();
    world.receiver.until("the first attempt", |got| got.len() == 1).await;
    std::fs::write(&file, "new-token\n").unwrap();
    let got = world.receiver.until("the second attempt", |got| got.len() == 2).await;
    let with: Vec<&str> = got.iter().map(|one| one.headers["authorization"].to_str().unwrap()).collect();
    assert_eq!(with, ["Bearer old-token", "Bearer new-token"]);
    assert_eq!(host.stop().await, Some(0));
    let (_, out, _) = world.call(&["preview", "failed-logins"]).await;
    assert!(out.starts_with("rule `failed-logins`, its newest message in the store"), "{out}");
    let said = host.said.join("\n");
    assert!(!said.contains("old-token") && !said.contains("new-token"), "{said}");
}

type Calls = Arc<Mutex<Vec<(String, Value)>>>;

/// As Slack's API answers.
async fn slack() -> (String, Calls) {
    async fn answer(State(calls): State<Calls>, request: Request) -> axum::Json<Value> {
        let path = request.uri().path().to_owned();
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let mut calls = calls.lock().unwrap();
        calls.push((path, body));
        axum::Json(json!({ "ok": true, "channel": "C1", "ts": format!("{}.0", calls.len()) }))
    }
    let calls = Calls::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&calls));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, calls)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_posts_once_per_episode_and_then_answers_itself() {
    let world = World::new().await;
    world.index("logs-auth").await;
    world.write(
        "failed-logins.yaml",
        &FAILED_LOGINS.replace("timeframe: 1m", "timeframe: 4s").replace("[hook]", "[bot]"),
    );
    let (url, calls) = slack().await;
    world.environment(&json!({ "destinations": { "bot": {
        "use": "slack-bot", "url": url, "grants": { "private_addresses": true },
        "auth": { "bearer": { "env": "BOT_TOKEN" } }, "params": { "channel": "alerts" },
    } } }));
    let mut host = world.start_with(&[], &[("BOT_TOKEN", "xoxb-top-secret")]);
    host.until("a window", |line| line["outcome"] == "committed").await;
    let documents: Vec<Value> = (0..3).map(|number| hit(now() - number * 100, 401, "web-1")).collect();
    world.documents("logs-auth", &documents).await;
    let delivered = |line: &Value| line["message"] == "delivered";
    host.until("the opening", delivered).await;
    host.until("the end", delivered).await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    let calls = calls.lock().unwrap().clone();
    let made: Vec<(&str, &Value, &Value, &Value)> = calls
        .iter()
        .map(|(path, body)| (path.as_str(), &body["channel"], &body["thread_ts"], &body["ts"]))
        .collect();
    let (none, root) = (Value::Null, json!("1.0"));
    assert_eq!(
        made,
        [
            ("/api/chat.postMessage", &json!("alerts"), &none, &none),
            ("/api/chat.postMessage", &json!("C1"), &root, &none),
            ("/api/chat.update", &json!("C1"), &none, &root),
        ]
    );
    assert!(calls[2].1["text"].as_str().unwrap().starts_with("Resolved: "), "{}", calls[2].1);
}
