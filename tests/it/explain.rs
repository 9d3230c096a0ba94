//! `explain EPISODE` and `noise`, with a host and from its store.
use serde_json::{Value, json};

use crate::commands::{called, only, told, with_open};

#[tokio::test(flavor = "multi_thread")]
async fn an_episode_is_explained_by_its_host_and_later_from_the_store() {
    let (world, mut host, address) = with_open(&json!({}), "127.0.0.1:0", &["web-1"]).await;
    let id = only(&world).await["id"].as_str().unwrap().to_owned();
    host.until("its delivery", |line| line["message"] == "delivered").await;

    let open = told(&world, &["explain", &id[..10]]).await;
    assert_eq!((&open["source"], &open["episode"]["id"]), (&json!("host"), &json!(id)));
    assert_eq!((&open["rule"], &open["owner"]), (&json!("failed-logins"), &json!("auth-team")));
    assert_eq!((&open["steps"][0]["state"], &open["steps"][0]["to"]), (&json!("fired"), &json!(["hook"])));
    let message = &open["messages"][0];
    assert_eq!(
        (&message["cause"], &message["fate"], &message["step"]),
        (&json!("opened"), &json!("delivered"), &json!(1))
    );
    assert!(message["signal_to_decision_seconds"].as_f64().unwrap() >= 0.0, "{message}");
    assert!(message["decision_to_receiver_seconds"].as_f64().unwrap() >= 0.0, "{message}");
    assert_eq!(open["holds"], json!([]));

    assert_eq!(
        called(&world, &["silence", "host.name=web-1", "--for", "2h", "--reason", "a new disk"]).await.0,
        0
    );
    assert_eq!(called(&world, &["ack", &id, "--as", "ann"]).await.0, 0);
    let (code, out, err) = called(&world, &["explain", &id]).await;
    assert_eq!(code, 0, "{err}");
    for said in
        ["acknowledged by ann", "silence", "a new disk", "acknowledge", "step 1", "to hook", "delivered at"]
    {
        assert!(out.contains(said), "{said}: {out}");
    }
    let (code, body) =
        crate::commands::ask("GET", &format!("http://{address}/api/v1/episodes/ffffffff"), &[], None).await;
    assert!(code == 404 && body["error"].as_str().unwrap().contains("begins with `ffffffff`"), "{body}");
    let (code, _, err) = called(&world, &["explain", "ffffffff"]).await;
    assert!(code == 1 && err.contains("no episode whose id begins so"), "{code} {err}");
    assert_eq!(called(&world, &["resolve", &id]).await.0, 0);
    assert_eq!(host.stop().await, Some(0));

    let stored = told(&world, &["explain", &id[..10]]).await;
    assert_eq!(
        (&stored["source"], &stored["episode"]["phase"]),
        (&json!("store"), &json!("resolved_by_hand"))
    );
    let names: Vec<&Value> =
        stored["commands"].as_array().unwrap().iter().map(|command| &command["command"]).collect();
    assert_eq!(names, ["acknowledge", "resolve"]);
    // Whoever was notified has heard the end; that they were is said by the messages.
    assert_eq!(stored["steps"][0]["state"], "passed");
    let (code, out, err) = called(&world, &["explain", &id]).await;
    assert!(code == 0 && out.contains("no host answers"), "{code} {out} {err}");

    let noise = told(&world, &["noise", "--since", "1h", "--rule", "failed-*", "--owner", "auth-team"]).await;
    let rule = &noise["rules"][0];
    assert_eq!(
        (&rule["rule"], &rule["told"], &rule["acknowledged"]),
        (&json!("failed-logins"), &json!(1), &json!(1))
    );
    assert!(rule["median_seconds_to_acknowledge"].as_f64().unwrap() >= 0.0, "{rule}");
    assert_eq!(noise["complete"], false, "the store is younger than an hour");
    let (code, out, err) = called(&world, &["noise"]).await;
    assert!(code == 0 && out.contains("incomplete:") && out.contains("failed-logins"), "{code} {out} {err}");
    assert_eq!(told(&world, &["noise", "--owner", "web-team"]).await["rules"], json!([]));
    let (code, _, err) = called(&world, &["noise", "--month", "2026-13"]).await;
    assert!(code == 1 && err.contains("is not a month"), "{code} {err}");
}
