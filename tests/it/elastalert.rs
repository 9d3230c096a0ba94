//! Leaving ElastAlert: what `watchbell import` writes and refuses, and how `watchbell shadow` compares.
use std::fs;

use serde_json::{Value, json};
use watchbell::clock::rfc3339;
use watchbell_contract::Timestamp;

use crate::world::{World, hit, now};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_overwritten_and_dropped_options_are_reported() {
    let world = World::new().await;
    let old = world.scratch.path().join("old");
    fs::create_dir(&old).unwrap();
    let rule = "name: Old\ntype: frequency\nindex: logs-*\nnum_events: 3\ntimeframe: {minutes: 5}\nnum_event: 4\nalert: stomp\n";
    fs::write(old.join("old.yaml"), rule).unwrap();
    let asked = ["import", "elastalert", "old", "--out", "new"];
    let (code, out, err) = world.call(&asked).await;
    assert!(code == 1 && err.contains("some rules were not imported"), "{out}{err}");
    assert!(out.contains("old.yaml") && out.contains("num_event"), "{out}");
    let with = [&asked[..], &["--destination", "ops"]].concat();
    let (_, out, _) = world.call(&[&with[..], &["--dry-run"]].concat()).await;
    assert!(out.contains("would be written"), "{out}");
    // What was there stays.
    fs::create_dir_all(world.scratch.path().join("new/environments")).unwrap();
    fs::write(world.scratch.path().join("new/environments/default.yaml"), "mine").unwrap();
    let (code, _, err) = world.call(&with).await;
    assert!(code == 1 && err.contains("would be overwritten") && err.contains("--overwrite"), "{err}");
    let kept = fs::read_to_string(world.scratch.path().join("new/environments/default.yaml")).unwrap();
    assert_eq!(kept, "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_check_would_reject_is_not_carried_over() {
    let world = World::new().await;
    let old = world.scratch.path().join("old");
    fs::create_dir(&old).unwrap();
    let rule = |name: &str, rest: &str| {
        let head = "index: logs\nalert: [slack]\nslack_webhook_url: https://hooks.slack.com/services/x\n";
        fs::write(old.join(format!("{name}.yaml")), format!("name: {name}\n{head}{rest}\n")).unwrap();
    };
    rule("never", "type: flatline\nthreshold: 0\ntimeframe: { minutes: 5 }");
    rule(
        "tiny",
        "type: cardinality\ncardinality_field: a\nmax_cardinality: 2\ntimeframe: { milliseconds: 50 }",
    );
    rule("pattern", "type: blacklist\ncompare_key: a\nblacklist: ['/(?=x)y/']");
    rule("fine", "type: any");
    let (code, out, err) = world.call(&["import", "elastalert", "old", "--out", "new"]).await;
    assert!(code == 1 && err.contains("some rules were not imported"), "{out}{err}");
    for part in [
        "1 of 4 rules carried over",
        "error: never.yaml:6:12: fewer than no events cannot be: ElastAlert never alerts either",
        "error: tiny.yaml: its manifest would be rejected: `params.timeframe`: must be one or more whole seconds",
        "look-around is not supported",
    ] {
        assert!(out.contains(part), "{part}:\n{out}");
    }
    let token = "ELASTICSEARCH_URL=http://127.0.0.1:9200";
    let (code, out, err) = world.call(&["check", "--no-secrets", "--rules", "new", "--token", token]).await;
    assert!(code == 0 && out.contains("ok: 1 rule"), "{out}{err}");
}

const RULE: &str = "\
name: failing-host
use: frequency
index: shadowed
filter: 'Status: [500 TO 599]'
every: 1m
key: [host.name]
params: { num_events: 3, timeframe: 5m }
alert: { title: '{{ summary }}', to: [hook] }
";

/// What ElastAlert keeps of an alert; its template maps names as keywords and leaves matches unread.
fn alert(rule: &str, at: i64, host: &str) -> Value {
    let time = rfc3339(Timestamp(at));
    json!({
        "@timestamp": time, "alert_time": time, "match_time": time, "rule_name": rule, "alert_sent": true,
        "match_body": { "@timestamp": time, "host": { "name": host }, "num_hits": 3 },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_reports_what_elastalert_found_differently() {
    shadow_on(World::new().await).await;
}

pub(crate) async fn shadow_on(world: World) {
    world.write("failing-host.yaml", RULE);
    let began = now() / 60_000 * 60_000 - 3 * 3_600_000;
    let minute = |at: i64| began + at * 60_000;
    world.index("shadowed").await;
    // Three errors within three seconds: at minute 20 and 100 of host a, at minute 60 of host c.
    let burst = |at: i64, host: &'static str| (0..3).map(move |n| hit(minute(at) + n * 1_000, 500, host));
    let documents: Vec<Value> = burst(20, "a").chain(burst(100, "a")).chain(burst(60, "c")).collect();
    world.documents("shadowed", &documents).await;
    world.index("elastalert_status").await;
    world.index("elastalert_status_silence").await;
    let told = [alert("Failing host", minute(20) + 2_000, "a"), alert("Failing host", minute(101), "a")];
    world.documents("elastalert_status", &told).await;
    let (from, to) = (rfc3339(Timestamp(began)), rfc3339(Timestamp(minute(150))));
    let asked = ["shadow", "--from", &from, "--to", &to];

    let (code, out, err) = world.call(&asked).await;
    assert_eq!(code, 1, "{out}{err}");
    assert!(
        out.contains("differ") && out.contains("host.name=c") && !out.contains("only ElastAlert"),
        "{out}"
    );

    // ElastAlert was told to be silent about c: it agrees.
    let muted = json!({
        "@timestamp": rfc3339(Timestamp(minute(50))), "until": rfc3339(Timestamp(minute(70))),
        "rule_name": "Failing host.c", "exponent": 0,
    });
    world.documents("elastalert_status_silence", &[muted]).await;
    let (code, out, err) = world.call(&asked).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("agree") && !out.contains("only "), "{out}");

    // It alerted of what is not here, and of a rule that is not here.
    let more = [alert("Failing host", minute(120), "a"), alert("Disk full", minute(30), "a")];
    world.documents("elastalert_status", &more).await;
    let (code, out, _) = world.call(&[&asked[..], &["--json"]].concat()).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &report["agrees"], &report["not_here"]),
        (1, &json!(false), &json!({ "Disk full": 1 }))
    );
    let rule = &report["rules"][0];
    assert_eq!((&rule["alerts"], &rule["findings"], &rule["muted"]), (&json!(2), &json!(2), &json!(1)));
    assert_eq!(rule["only_there"][0]["at"], rfc3339(Timestamp(minute(120))));
    assert!(world.receiver.got().is_empty());
    assert!(!world.store().exists());

    let (code, _, err) = world.call(&[&asked[..], &["--writeback", "nothing"]].concat()).await;
    assert!(code == 1 && err.contains("nothing"), "{err}");
}
