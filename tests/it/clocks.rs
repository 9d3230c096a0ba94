//! A host whose clock is not that of its cluster. Here it is the cluster's that is off; the host cannot know.
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;
use watchbell_node::Config;

use crate::journey::FAILED_LOGINS;
use crate::world::World;

const HOUR: i64 = 3_600_000;

async fn apart(by: i64) -> World {
    let config = Config { clock: Arc::new(move || watchbell::clock::wall().0 + by), ..Config::default() };
    let world = World::with_node(config).await;
    world.index("logs-auth").await;
    world.write("failed-logins.yaml", FAILED_LOGINS);
    world
}

fn says_apart(line: &Value) -> bool {
    line["message"].as_str().is_some_and(|message| message.contains("the clock of host"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_an_hour_off_owns_nothing_and_says_so() {
    for (by, way) in [(HOUR, "behind"), (-HOUR, "ahead of")] {
        let world = apart(by).await;
        let mut host = world.start();
        host.until("that the clocks disagree", says_apart).await;
        let address = host.address().await;
        let (code, ready) =
            world.get_until(&address, "/readyz", |ready| ready.contains("no window starts")).await;
        assert_eq!(code, 503, "{ready}");
        assert!(ready.contains(way), "{ready}");
        let (code, alive) = world.get(&address, "/livez").await;
        assert_eq!(code, 200, "{alive}");
        assert_eq!(host.stop().await, Some(0));
        let said = host.said.join("\n");
        assert!(!said.contains("bundle in force") && !said.contains("committed"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_better_lets_it_run() {
    let world = apart(HOUR).await;
    let mut host = world.start_with(&["--accept-clock"], &[]);
    host.until("that the clocks disagree", says_apart).await;
    host.until("a window", |line| line["outcome"] == "committed").await;
    assert_eq!(host.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_a_clock_is_warned_about_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let refuse = async || (StatusCode::FORBIDDEN, [("content-type", "application/json")], "{}");
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(refuse)).await });
    let world = World::on(&url).await;
    world.write("failed-logins.yaml", FAILED_LOGINS);
    let mut host = world.start();
    host.until("that rules run", |line| line["outcome"] == "failed").await;
    assert_eq!(host.stop().await, Some(0));
    let said = host
        .said
        .iter()
        .filter(|line| line.contains("cannot compare this host's clock with the cluster's"))
        .count();
    assert_eq!(said, 1, "{:?}", host.said);
}
