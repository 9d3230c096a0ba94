//! SIGTERM ends a host within ten seconds, whatever hangs; SIGHUP reads the manifests again.
use serde_json::json;
use tokio::net::TcpListener;

use crate::journey::{FAILED_LOGINS, with_failed_logins};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_never_answers_does_not_keep_a_host_from_stopping() {
    let world = with_failed_logins().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = format!("http://{}", silent.local_addr().unwrap());
    world.environment(&json!({ "clusters": { "main": { "nodes": [node] } } }));
    let mut host = world.start_with(&["--accept-clock"], &[]);
    // The comparison of clocks has connected and waits, and so has a run.
    let _clock = silent.accept().await.unwrap();
    let _run = silent.accept().await.unwrap();
    host.signal("-TERM");
    let began = watchbell::clock::monotonic();
    assert_eq!(host.ended().await, Some(5));
    assert!(began.elapsed().as_secs() <= 10, "it took {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup_puts_new_rules_in_force_and_faulty_ones_not() {
    let world = with_failed_logins().await;
    let mut host = world.start();
    host.until("a window", |line| line["outcome"] == "committed").await;
    world.write("more.yaml", &FAILED_LOGINS.replace("name: failed-logins", "name: more-logins"));
    host.signal("-HUP");
    host.until("the new rule", |line| line["rule"] == "more-logins" && line["outcome"] == "committed").await;
    world.write("more.yaml", "name: [");
    host.signal("-HUP");
    host.until("the refusal", |line| {
        line["message"].as_str().is_some_and(|text| text.contains("keeping the bundle in force"))
    })
    .await;
    host.until("the old bundle going on", |line| {
        line["rule"] == "more-logins" && line["outcome"] == "committed"
    })
    .await;
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup_ends_no_more_than_half_of_the_rules() {
    let world = with_failed_logins().await;
    let mut host = world.start();
    host.until("a window", |line| line["outcome"] == "committed").await;
    std::fs::remove_file(world.rules().join("failed-logins.yaml")).unwrap();
    host.signal("-HUP");
    let refused = host
        .until("the refusal", |line| {
            line["message"].as_str().is_some_and(|text| text.contains("keeping the bundle in force"))
        })
        .await;
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains("1 of 1 known rules would end") && message.contains("failed-logins"),
        "{message}"
    );
    host.until("the rule going on", |line| line["outcome"] == "committed").await;
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup_says_what_takes_a_restart() {
    let world = with_failed_logins().await;
    let mut host = world.start();
    host.until("a window", |line| line["outcome"] == "committed").await;
    world.environment(&json!({ "clusters": { "main": { "nodes": [world.cluster], "concurrency": 2 } } }));
    host.signal("-HUP");
    host.until("the warning", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("the concurrency of clusters has changed"))
    })
    .await;
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_rule_notifies_whoever_was_notified_and_can_still_be_explained() {
    let mut world = with_failed_logins().await;
    world.write("failed-logins.yaml", &FAILED_LOGINS.replace("timeframe: 1m", "timeframe: 30m"));
    let quiet = FAILED_LOGINS
        .replace("name: failed-logins", "name: quiet")
        .replace("num_events: 3", "num_events: 99");
    world.write("quiet.yaml", &quiet);
    let mut host = world.start();
    let got = world.receiver.until("the alert", |got| !got.is_empty()).await;
    assert_eq!(got[0].body["cause"], "opened", "{got:#?}");
    host.until("its delivery", |line| line["message"] == "delivered").await;
    std::fs::remove_file(world.rules().join("failed-logins.yaml")).unwrap();
    host.signal("-HUP");
    let got = world.receiver.until("its end", |got| got.len() == 2).await;
    assert_eq!(got[1].body["cause"], "resolved");
    assert_eq!(got[1].body["episode"], got[0].body["episode"]);
    assert!(got[1].body["body"].as_str().unwrap().contains("its file was removed"), "{got:#?}");
    host.until("its delivery", |line| line["message"] == "delivered").await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));

    let rules = world.rules().display().to_string();
    let (code, out, err) = world.call(&["explain", "failed-logins", "--rules", &rules]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("its manifest is gone") && out.contains("(the rule ended)"), "{out}");
    let (code, out, _) = world.call(&["explain", "failed-logins", "--json", "--rules", &rules]).await;
    let told: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, told["deliveries"].as_array().map(Vec::len)), (0, Some(2)), "{told:#}");
    let [episode] = &told["episodes"].as_array().unwrap()[..] else { panic!("one episode: {told:#}") };
    assert_eq!((&episode["phase"], &episode["ending"]), (&json!("resolved"), &json!("rule_ended")));
    assert_eq!(told["source"], "ended");
    let (code, _, err) = world.call(&["explain", "no-such", "--rules", &rules]).await;
    assert_eq!(code, 1);
    assert!(err.contains("no rule `no-such`") && err.contains("quiet"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup_gives_open_episodes_the_new_receiver_repeat_and_text() {
    let mut world = with_failed_logins().await;
    let rule = FAILED_LOGINS.replace("timeframe: 1m", "timeframe: 30m");
    world.write("failed-logins.yaml", &rule);
    let mut host = world.start();
    world.receiver.until("the alert", |got| !got.is_empty()).await;
    host.until("its delivery", |line| line["message"] == "delivered").await;

    let webhook =
        json!({ "use": "webhook", "url": world.receiver.url, "grants": { "private_addresses": true } });
    world.environment(&json!({ "destinations": { "hook": webhook, "ann": webhook } }));
    let edited =
        rule.replace("title: \"", "title: \"still: ").replace("to: [hook]", "to: [hook, ann]\n  repeat: 2s");
    world.write("failed-logins.yaml", &edited);
    host.signal("-HUP");
    let got = world.receiver.until("the late receiver and a repeat to both", |got| got.len() >= 4).await;
    let causes: Vec<&str> =
        got[1..4].iter().map(|it| it.body["cause"].as_str().unwrap_or_default()).collect();
    // The last announcement was ann's: `repeat` counts from there, to both of them.
    assert_eq!(causes, ["escalated", "repeat", "repeat"], "{got:#?}");
    for later in &got[1..4] {
        assert_eq!(later.body["episode"], got[0].body["episode"]);
        assert!(later.body["title"].as_str().unwrap_or_default().starts_with("still: "), "{later:#?}");
    }
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn faulty_manifests_do_not_keep_status_from_answering() {
    let world = with_failed_logins().await;
    let mut host = world.start();
    let address = host.address().await;
    host.until("a window", |line| line["outcome"] == "committed").await;
    world.write("more.yaml", "name: [");
    let rules = world.rules().display().to_string();
    let (code, _, err) = world.call(&["status", "--rules", &rules]).await;
    assert_eq!(code, 1);
    assert!(err.contains("more.yaml") && err.contains("--listen ADDRESS"), "{err}");
    let (code, out, err) = world.call(&["status", "--rules", &rules, "--listen", &address]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("failed-logins"), "{out}");
    assert_eq!(host.stop().await, Some(0));
    let store = world.store().display().to_string();
    let (code, out, err) = world.call(&["status", "--rules", &rules, "--store", &store]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("failed-logins") && out.contains("no host answers"), "{out}");
}
