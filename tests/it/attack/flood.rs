//! A rule that has thousands of messages to send, beside one that has one.
use crate::world::{World, hit, now};

const SPRAYED: usize = 8_000;

const SPRAY: &str = r#"
name: spray
use: frequency
index: logs-auth
filter: "Status: 401"
every: 1s
delay: 0s
lateness: 1s
lookback: 10m
key: [host.name]
params: { num_events: 1, timeframe: 1h }
limits: { episodes: 10000 }
alert: { title: "{{ labels['host.name'] }} tries", body: "{{ summary }}", to: [hook] }
"#;

const QUIET: &str = r#"
name: quiet
use: any
index: logs-quiet
every: 1s
delay: 0s
lateness: 1s
alert: { title: "somebody is here", body: "{{ summary }}", to: [hook] }
"#;

/// As many failed logins, each of a user of its own, a minute ago.
pub(super) async fn spray(world: &World, users: usize) {
    let then = now() - 60_000;
    let sprayed: Vec<_> = (0..users).map(|n| hit(then + n as i64 / 100, 401, &format!("user-{n}"))).collect();
    world.documents("logs-auth", &sprayed).await;
}

/// The first message of a quiet rule does not wait until the flood is over: not even a quarter of it passes before.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_sprayed_names_do_not_delay_another_rules_alert_at_the_same_destination() {
    let mut world = World::new().await;
    world.index("logs-auth").await;
    world.index("logs-quiet").await;
    spray(&world, SPRAYED).await;
    world.write("spray.yaml", SPRAY);
    world.write("quiet.yaml", QUIET);
    let mut host = world.start();
    world.receiver.until("the flood", |got| got.len() >= 50).await;
    let before = world.receiver.got().len();
    world.documents("logs-quiet", &[hit(now(), 200, "anybody")]).await;
    let got = world
        .receiver
        .until("the quiet rule's alert", |got| got.iter().any(|arrival| arrival.body["rule"] == "quiet"))
        .await;
    let place = got.iter().position(|arrival| arrival.body["rule"] == "quiet").expect("it arrived");
    assert!(place - before < SPRAYED / 4, "sent before it, after its document: {}", place - before);
    // A document is judged within about two windows; what the flood still owes is far more than it has sent by then.
    assert!(place < SPRAYED / 2, "sent before it: {place} of {SPRAYED}");
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
}

/// A receiver that asks for a pause gets one, and everything afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_for_a_pause_is_left_alone_until_it_is_over() {
    let mut world = World::new().await;
    world.index("logs-quiet").await;
    let then = now() - 30_000;
    let documents: Vec<_> = (0..12).map(|n| hit(then + n, 200, &format!("user-{n}"))).collect();
    world.documents("logs-quiet", &documents).await;
    world.receiver.will_answer(&[429]);
    world.receiver.will_ask_for_a_pause_of(3);
    world.write("quiet.yaml", &format!("{QUIET}key: [host.name]\nlookback: 5m\n"));
    let mut host = world.start();
    let got = world.receiver.until("every alert", |got| {
        let names: std::collections::BTreeSet<_> =
            got.iter().map(|arrival| arrival.body["labels"].to_string()).collect();
        names.len() == 12 && got.len() >= 13
    });
    let got = got.await;
    // The four that were on their way, then one that asks whether it may.
    let pause = got.windows(2).map(|pair| pair[1].at - pair[0].at).max().expect("several");
    assert!(pause.as_secs_f64() > 2.0, "{pause:?}");
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    assert_eq!(got.len(), 13);
}
