//! What the program says when it cannot go on, and with which exit code.
use serde_json::json;

use crate::journey::{FAILED_LOGINS, with_failed_logins};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host_on_the_same_store_is_refused() {
    let world = with_failed_logins().await;
    let mut first = world.start();
    first.until("a window", |line| line["outcome"] == "committed").await;
    let mut second = world.start();
    assert_eq!(second.ended().await, Some(3));
    let said = second.said.join("\n");
    assert!(said.contains("store.sqlite") && said.contains("is in use by process"), "{said}");
    assert_eq!(first.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_a_store_is_rejected_and_left_alone() {
    let world = with_failed_logins().await;
    std::fs::write(world.store(), "these are not the pages of a database, but somebody wrote them").unwrap();
    let mut host = world.start();
    assert_eq!(host.ended().await, Some(3));
    assert!(host.said.join("\n").contains("store.sqlite"), "{:?}", host.said);
    let kept = std::fs::read_to_string(world.store()).unwrap();
    assert!(kept.starts_with("these are not"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_manifests_end_check_and_run_with_1() {
    let world = World::new().await;
    world.write(
        "bad.yaml",
        &FAILED_LOGINS.replace("num_events: 3", "num_event: 3").replace("every: 1s", "every: 1 sec"),
    );
    let rules = world.rules().display().to_string();
    let (code, _, err) = world.call(&["check", "--rules", &rules]).await;
    assert_eq!(code, 1);
    assert!(err.contains("bad.yaml:") && err.contains("num_event") && err.contains("every"), "{err}");
    let mut host = world.start();
    assert_eq!(host.ended().await, Some(1));
    let (code, out, _) = world.call(&["check", "--json", "--rules", &rules]).await;
    assert_eq!(code, 1);
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_down_fails_readiness_and_not_liveness() {
    let world = with_failed_logins().await;
    // Nobody listens on port 1.
    world.environment(&json!({ "clusters": { "main": { "nodes": ["http://127.0.0.1:1"] } } }));
    let mut host = world.start();
    let failed = host.until("a failed run", |line| line["outcome"] == "failed").await;
    let message = failed["message"].as_str().unwrap();
    for part in ["failed-logins", "logs-auth", "main", "127.0.0.1:1"] {
        assert!(message.contains(part), "{part} is missing in: {message}");
    }
    for field in ["rule", "window", "rows", "took_ms"] {
        assert!(!failed[field].is_null(), "{field} is missing in {failed}");
    }
    let address = host.address().await;
    // The line is written as the run ends; the host takes it in a moment later.
    let (code, ready) = world.get_until(&address, "/readyz", |ready| ready.contains("127.0.0.1:1")).await;
    assert_eq!(code, 503, "{ready}");
    assert!(ready.contains("failed-logins"), "{ready}");
    let (code, alive) = world.get(&address, "/livez").await;
    assert_eq!(code, 200, "{alive}");
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_module_is_reported() {
    let world = World::new().await;
    let file = world.scratch.path().join("x.wasm");
    std::fs::write(&file, b"\0asm\x01").unwrap();
    let (code, _, err) = world.call(&["plugin", "check", &file.display().to_string()]).await;
    assert_eq!(code, 1);
    assert!(err.contains("x.wasm") && err.contains("truncated"), "{err}");
    let (code, _, err) = world.call(&["plugin", "check", "/nowhere.wasm"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("/nowhere.wasm"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_lost_its_rules_ends_none_of_them_unasked() {
    let world = with_failed_logins().await;
    let mut host = world.start();
    host.until("a window", |line| line["outcome"] == "committed").await;
    assert_eq!(host.stop().await, Some(0));
    std::fs::remove_file(world.rules().join("failed-logins.yaml")).unwrap();

    let mut host = world.start();
    assert_eq!(host.ended().await, Some(1));
    let said = host.said.join("\n");
    for part in ["1 of 1 known rules would end", "failed-logins", "--allow-shrink"] {
        assert!(said.contains(part), "{part} is missing in: {said}");
    }

    // What was refused has lost nothing: the rule goes on where it was.
    world.write("failed-logins.yaml", FAILED_LOGINS);
    let mut host = world.start();
    let took_over = host.until("the store", |line| line["message"] == "took over the store").await;
    assert_eq!(took_over["rules"], 1, "{took_over}");
    host.until("a window", |line| line["outcome"] == "committed").await;
    assert_eq!(host.stop().await, Some(0));

    std::fs::remove_file(world.rules().join("failed-logins.yaml")).unwrap();
    let mut host = world.start_with(&["--allow-shrink"], &[]);
    host.until("the bundle", |line| line["message"] == "bundle in force").await;
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_store_is_reported() {
    let world = with_failed_logins().await;
    let mut host = world.start();
    let line = host
        .until("the warning", |line| {
            line["message"].as_str().is_some_and(|text| text.contains("a new one was created"))
        })
        .await;
    assert_eq!(line["level"], "WARN");
    assert_eq!(host.stop().await, Some(0));
}
