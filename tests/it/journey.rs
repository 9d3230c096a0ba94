//! From document to delivery, by the real program.
use serde_json::json;

use crate::world::{World, hit, now};

pub(crate) const FAILED_LOGINS: &str = r#"
name: failed-logins
owner: auth-team
use: frequency
index: logs-auth
filter: "Status: 401"
every: 1s
delay: 0s
lateness: 1s
lookback: 10m
key: [host.name]
params: { num_events: 3, timeframe: 1m }
alert:
  title: "{{ value }} failed logins on {{ labels['host.name'] }}"
  body: "within a minute"
  to: [hook]
"#;

/// Three failed logins on `web-1` and two on `web-2`, five minutes ago.
pub(crate) async fn with_failed_logins() -> World {
    let world = World::new().await;
    world.index("logs-auth").await;
    let then = now() - 300_000;
    let mut documents = Vec::new();
    for second in 0..3 {
        documents.push(hit(then + second * 1_000, 401, "web-1"));
        documents.push(hit(then + second * 1_000, 200, "web-1"));
    }
    documents.push(hit(then, 401, "web-2"));
    documents.push(hit(then + 59_000, 401, "web-2"));
    world.documents("logs-auth", &documents).await;
    world.write("failed-logins.yaml", FAILED_LOGINS);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_finds_arrives_with_its_text_labels_and_key() {
    let mut world = with_failed_logins().await;
    let mut host = world.start();
    let got = world.receiver.until("the alert", |got| !got.is_empty()).await;
    host.until("its delivery", |line| line["message"] == "delivered").await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    let alert = &got[0];
    assert_eq!(alert.body["rule"], "failed-logins");
    assert_eq!(alert.body["owner"], "auth-team");
    assert_eq!(alert.body["labels"], json!({ "host.name": "web-1" }));
    assert_eq!(alert.body["title"], "3 failed logins on web-1");
    assert_eq!(alert.body["value"].as_f64(), Some(3.0));
    let body = alert.body["body"].as_str().unwrap();
    assert!(body.contains("happened before this host's store was made"), "{body}");
    assert_eq!(alert.body["cause"], "was", "it was over before anybody could be told");
    assert_eq!(alert.headers["idempotency-key"].to_str().unwrap(), alert.body["id"].as_str().unwrap());
    assert_eq!(world.receiver.got().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_is_retried_and_one_that_refuses_is_not() {
    let mut world = with_failed_logins().await;
    world.receiver.will_answer(&[503, 200]);
    let mut host = world.start();
    let got = world.receiver.until("the second attempt", |got| got.len() == 2).await;
    host.until("its delivery", |line| line["message"] == "delivered" && line["attempt"] == 2).await;
    assert_eq!(got[0].body["id"], got[1].body["id"]);
    assert_eq!(host.stop().await, Some(0));

    let mut world = with_failed_logins().await;
    world.receiver.will_answer(&[400]);
    let mut host = world.start();
    let line = host
        .until("a dead letter", |line| {
            line["message"].as_str().is_some_and(|text| text.starts_with("dead letter"))
        })
        .await;
    assert!(line["message"].as_str().unwrap().contains("400"), "{line}");
    assert_eq!(host.stop().await, Some(0));
    assert_eq!(world.receiver.got().len(), 1);
    assert_eq!(world.receiver.until("nothing more", |got| got.len() == 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_notifies_nobody_twice() {
    let mut world = with_failed_logins().await;
    let mut host = world.start();
    host.until("a delivery", |line| line["message"] == "delivered").await;
    assert_eq!(host.stop().await, Some(0));
    let mut again = world.start();
    again.until("a window", |line| line["outcome"] == "committed").await;
    assert_eq!(again.stop().await, Some(0));
    assert_eq!(world.receiver.until("one alert", |got| !got.is_empty()).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_explain_and_health_tell_what_happened() {
    let world = with_failed_logins().await;
    let mut host = world.start();
    let listening = host
        .until("where it listens", |line| {
            line["message"].as_str().is_some_and(|text| text.starts_with("listening on http://"))
        })
        .await;
    let address = listening["message"].as_str().unwrap()["listening on http://".len()..]
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    host.until("a delivery", |line| line["message"] == "delivered").await;

    // What is told is at most a second old.
    world.get_until(&address, "/readyz", |ready| ready.contains("\"ok\":true")).await;
    let rules = world.rules().display().to_string();
    let (code, out, err) = world.call(&["status", "--rules", &rules, "--listen", &address]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("failed-logins"), "{out}");
    let (_, out, _) = world.call(&["status", "--json", "--rules", &rules, "--listen", &address]).await;
    let view: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(view["rules"][0]["enabled"], true);
    assert_eq!(view["ready"]["ok"], true, "{view:#}");
    let (code, out, _) =
        world.call(&["explain", "failed-logins", "--rules", &rules, "--listen", &address]).await;
    assert_eq!(code, 0);
    assert!(out.contains("delivered at"), "{out}");
    assert!(out.contains("[host.name=web-1]"), "{out}");
    let explain = ["explain", "failed-logins", "--json", "--rules", &rules, "--listen", &address];
    let (_, out, _) = world.call(&explain).await;
    let told: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    fits(&world, "explain", &told).await;
    fits(&world, "status", &view).await;
    assert_eq!((&told["source"], &told["deliveries"][0]["fate"]), (&json!("host"), &json!("delivered")));

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |path: &str| {
        let answer = http.get(format!("http://{address}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    // The command prints what the host answers; a run may end between the two.
    let same = async || {
        let (_, out, _) = world.call(&explain).await;
        let (_, body) = get("/explain/failed-logins").await;
        let [command, answer] =
            [out, body].map(|text| serde_json::from_str::<serde_json::Value>(&text).expect("JSON"));
        command == answer
    };
    let mut tries = 0;
    while !same().await {
        tries += 1;
        assert!(tries < 20, "the command and the host tell different things");
    }
    assert_eq!(get("/explain/no-such").await.0, 404);
    assert_eq!(get("/livez").await.0, 200);
    assert_eq!(get("/readyz").await.0, 200);
    let delivered = "watchbell_deliveries_total{destination=\"hook\",outcome=\"delivered\"} 1";
    let (_, metrics) = world.get_until(&address, "/metrics", |metrics| metrics.contains(delivered)).await;
    for name in [
        "watchbell_window_age_seconds{rule=\"failed-logins\"}",
        "watchbell_lag_seconds",
        "watchbell_runs_total{rule=\"failed-logins\",outcome=\"evaluated\"}",
        "watchbell_rows_total",
        "watchbell_signals_total",
        "watchbell_store_commit_seconds_count",
        "watchbell_run_duration_seconds_sum",
    ] {
        assert!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }
    assert_eq!(host.stop().await, Some(0));

    // Without a host, the store still knows.
    let (code, out, err) = world.call(&["explain", "failed-logins", "--rules", &rules]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("no host answers") && out.contains("delivered at"), "{out}");
    let (_, out, _) = world.call(&["explain", "failed-logins", "--json", "--rules", &rules]).await;
    let told: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    fits(&world, "explain", &told).await;
    assert_eq!((&told["source"], &told["deliveries"][0]["fate"]), (&json!("store"), &json!("delivered")));
    let (_, out, _) = world.call(&["status", "--json", "--rules", &rules]).await;
    fits(&world, "status", &serde_json::from_str(&out).expect("JSON")).await;
}

/// Holds what the program printed against the schema that it prints.
async fn fits(world: &World, of: &str, told: &serde_json::Value) {
    let (code, schema, err) = world.call(&["schema", of]).await;
    assert_eq!(code, 0, "{err}");
    let schema = serde_json::from_str(&schema).expect("JSON");
    if let Err(fault) = jsonschema::validate(&schema, told) {
        panic!("{of}: {fault} at `{}` of {told:#}", fault.instance_path());
    }
}
