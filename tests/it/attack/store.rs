//! The store is a file, not a name: a host whose file is gone, replaced or shared says so, and sends nothing more.
use std::path::Path;

use serde_json::{Value, json};

use crate::journey::{FAILED_LOGINS, with_failed_logins};
use crate::world::{Arrival, Host, World, hit};

fn is_stopped(line: &Value) -> bool {
    line["message"] == "nothing is committed or sent any more"
        || line["message"] == "a commit failed; retrying"
}

/// A host that has told its first alert.
async fn told() -> (World, Host) {
    let mut world = with_failed_logins().await;
    world.write("failed-logins.yaml", &FAILED_LOGINS.replace("lateness: 1s", "lateness: 1m"));
    let mut host = world.start();
    host.until("a delivery", |line| line["message"] == "delivered").await;
    world.receiver.until("the alert", |got| got.len() == 1).await;
    (world, host)
}

/// What would be told if the store were in its place; returns once more commits were refused.
async fn happen(world: &World, host: &mut Host) {
    let more: Vec<Value> = (0..3).map(|_| hit(watchbell::clock::wall().0, 401, "web-9")).collect();
    world.documents("logs-auth", &more).await;
    for _ in 0..3 {
        host.until("a refused commit", |line| line["message"] == "a commit failed; retrying").await;
    }
}

fn remove(store: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = store.as_os_str().to_owned();
        name.push(ending);
        std::fs::remove_file(name).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_removed_or_replaced_ends_commits_and_deliveries() {
    for (what, act) in [
        ("removed", remove as fn(&Path)),
        ("replaced by another file", |store| {
            let copy = store.with_extension("copy");
            std::fs::copy(store, &copy).unwrap();
            std::fs::rename(&copy, store).unwrap();
        }),
    ] {
        let (mut world, mut host) = told().await;
        let address = host.address().await;
        act(&world.store());
        let line = host.until("that it stops", is_stopped).await;
        assert!(line["error"].as_str().unwrap().contains(what), "{line}");
        let (code, ready) =
            world.get_until(&address, "/readyz", |ready| ready.contains("store_refuses")).await;
        assert_eq!(code, 503, "{ready}");
        assert!(ready.contains(what) && ready.contains("restore the file or a backup"), "{ready}");
        happen(&world, &mut host).await;
        assert_eq!(world.receiver.got().len(), 1, "{:#?}", world.receiver.got());
        // A restart would not help by itself.
        assert_eq!(world.get(&address, "/livez").await.0, 200);
        host.signal("-KILL");
        host.ended().await;
        // What happened meanwhile is told by the next host, whatever its store knows.
        let mut host = world.start();
        world.receiver.until("what happened meanwhile", is_of_web_9).await;
        assert_eq!(host.stop().await, Some(0));
    }
}

fn is_of_web_9(got: &[Arrival]) -> bool {
    got.iter().any(|it| it.body["labels"] == json!({ "host.name": "web-9" }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_work_notices_that_its_store_is_gone() {
    let world = with_failed_logins().await;
    // One window an hour: between them nothing is written.
    world.write("failed-logins.yaml", &FAILED_LOGINS.replace("every: 1s", "every: 1h"));
    let mut host = world.start();
    let address = host.address().await;
    let ready = world.get_until(&address, "/readyz", |ready| ready.contains("\"ok\":true")).await;
    assert_eq!(ready.0, 200);
    remove(&world.store());
    let line = host.until("that it stops", is_stopped).await;
    assert!(line["error"].as_str().unwrap().contains("was removed while the host was running"), "{line}");
    let (code, _) = world.get_until(&address, "/readyz", |ready| ready.contains("was removed")).await;
    assert_eq!(code, 503);
    host.signal("-KILL");
    host.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_name_admits_no_second_host_and_stops_the_first() {
    let (mut world, mut host) = told().await;
    let address = host.address().await;
    let other = world.scratch.path().join("other.sqlite");
    let second = |world: &World| world.start_with(&["--store", other.to_str().unwrap()], &[]);

    std::os::unix::fs::symlink(world.store(), &other).unwrap();
    let mut refused = second(&world);
    assert_eq!(refused.ended().await, Some(3));
    assert!(refused.said.join("\n").contains("is in use by process"), "{:?}", refused.said);
    std::fs::remove_file(&other).unwrap();

    std::fs::hard_link(world.store(), &other).unwrap();
    let mut refused = second(&world);
    assert_eq!(refused.ended().await, Some(3));
    assert!(refused.said.join("\n").contains("2 names (hard links)"), "{:?}", refused.said);
    let line = host.until("that it stops", is_stopped).await;
    assert!(line["error"].as_str().unwrap().contains("2 names (hard links)"), "{line}");
    let (code, _) = world.get_until(&address, "/readyz", |ready| ready.contains("2 names")).await;
    assert_eq!(code, 503);
    happen(&world, &mut host).await;
    assert_eq!(world.receiver.got().len(), 1);

    // Without the second name it goes on, and tells what it found meanwhile.
    std::fs::remove_file(&other).unwrap();
    host.until("that it goes on", |line| line["message"] == "the store is usable again").await;
    let got = world.receiver.until("what happened meanwhile", is_of_web_9).await;
    assert_eq!(got.len(), 2, "{got:#?}");
    assert_eq!(host.stop().await, Some(0));
}
