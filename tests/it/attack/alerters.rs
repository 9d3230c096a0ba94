//! Alerters that fail, loop or take memory while they deliver, beside one that works.
use serde_json::{Value, json};

use crate::alerters::{guest, own};
use crate::journey::{FAILED_LOGINS, with_failed_logins};
use crate::world::{Arrival, World};

/// A world in which each message goes to the module first, and to an alerter that works.
async fn beside(name: &str, more: &Value) -> World {
    let world = with_failed_logins().await;
    let own = own(&world, name, &guest(name), more);
    environment(&world, &own);
    world.write("failed-logins.yaml", &FAILED_LOGINS.replace("[hook]", "[own, hook]"));
    world
}

fn environment(world: &World, own: &Value) {
    let hook = json!({
        "use": "webhook", "url": world.receiver.url, "grants": { "private_addresses": true },
    });
    world.environment(&json!({ "destinations": { "own": own, "hook": hook } }));
}

/// What the alerter that works has delivered.
fn messages(got: &[Arrival]) -> usize {
    got.iter().filter(|arrival| arrival.body["rule"] == "failed-logins").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_ends_in_its_delivery_keeps_its_message_and_harms_nobody() {
    for (name, told) in [
        ("trap-after-request", "the module trapped"),
        ("loop-after-request", "exceeded its time limit (limits.time: 1s)"),
        ("hog-after-request", "exceeded its memory limit (limits.memory: 8MiB)"),
    ] {
        let mut world = beside(name, &json!({ "retry": { "first": "1s", "max": "1s" } })).await;
        // A module of others has no more than a rule has.
        let environment = world.rules().join("environments/default.yaml");
        let text = std::fs::read_to_string(&environment).unwrap();
        let mut limited: Value = serde_json::from_str(&text).unwrap();
        limited["limits"] = json!({ "time": "1s", "memory": "8MiB" });
        std::fs::write(&environment, limited.to_string()).unwrap();
        let mut host = world.start();
        let address = host.address().await;
        world.receiver.until("the other's message", |got| messages(got) == 1).await;
        let failed = host
            .until("the second attempt", |line| line["destination"] == "own" && line["attempt"] == 2)
            .await;
        assert!(failed.to_string().contains(told), "{name}: {failed}");
        let (_, metrics) = world
            .get_until(&address, "/metrics", |text| {
                text.contains("watchbell_alerter_faults_total{destination=\"own\"}")
            })
            .await;
        assert!(!metrics.contains("watchbell_alerter_faults_total{destination=\"hook\"}"), "{metrics}");
        assert_eq!(messages(&world.receiver.got()), 1, "{name}");

        // The message has waited for a module that works.
        let fixed = own(&world, "fixed", &guest("private-name"), &json!({}));
        self::environment(&world, &fixed);
        host.signal("-HUP");
        host.until("its delivery", |line| line["message"] == "delivered" && line["destination"] == "own")
            .await;
        assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
        assert_eq!(messages(&world.receiver.got()), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_tries_another_host_reaches_nothing_and_its_message_is_a_dead_letter() {
    let mut world = beside("forbidden-host", &json!({})).await;
    let mut host = world.start();
    let dead = host
        .until("a dead letter", |line| {
            line["message"].as_str().is_some_and(|text| text.starts_with("dead letter"))
        })
        .await;
    for part in ["requests go below the destination's own URL", "header `host` is reserved for the host"] {
        assert!(dead.to_string().contains(part), "{part} is missing in {dead}");
    }
    let got = world.receiver.until("the other's message", |got| messages(got) == 1).await;
    assert_eq!(got.len(), 1, "nothing else was sent");
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
}
