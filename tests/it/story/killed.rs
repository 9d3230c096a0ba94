//! The story by the real program in compressed time: its host is killed by `kill -9` after each of five messages.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::receivers::{Heard, Receivers};
use super::{TOLD, check};
use crate::world::{Host, World, hit, now};

const PUBLIC: &str = "http://bell.invalid";
const KEY: &str = "a-key-for-tests-0123456789abcdef";

/// Far more than the story takes.
const PATIENCE: Duration = Duration::from_secs(150);

/// The steps are far enough apart for a host to start between two of them on a busy machine.
const RULE: &str = r#"
name: failed-logins
use: frequency
index: logs-auth
filter: "Status: 401"
every: 1s
delay: 0s
lateness: 0s
lookback: 10m
key: [host.name]
params: { num_events: 3, timeframe: 20s }
worse: { critical: ">= 100" }
alert:
  title: "cause-{{ cause }} on {{ labels['host.name'] }}"
  body: "{{ value }} failed logins"
  escalate:
    - { after: 0s, to: [ops-chat] }
    - { after: 15s, to: [ops-mail], unless: acknowledged }
    - { after: 30s, to: [ops-sms], unless: acknowledged }
"#;

/// Failed logins, one or many each half second, until it is dropped.
struct Traffic {
    each: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Traffic {
    fn start(world: Arc<World>) -> Self {
        let each = Arc::new(AtomicUsize::new(1));
        let count = Arc::clone(&each);
        let task = tokio::spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_millis(500));
            loop {
                beat.tick().await;
                let at = watchbell::clock::wall().0;
                let hits: Vec<Value> =
                    (0..count.load(Ordering::Relaxed)).map(|_| hit(at, 401, "web-1")).collect();
                if !hits.is_empty() {
                    world.documents("logs-auth", &hits).await;
                }
            }
        });
        Self { each, task }
    }

    fn send(&self, each: usize) {
        self.each.store(each, Ordering::Relaxed);
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until a receiver has a message of this cause.
async fn until(receivers: &Receivers, receiver: &str, cause: &str) -> Heard {
    let waiting = async {
        let mut beat = tokio::time::interval(Duration::from_millis(5));
        loop {
            beat.tick().await;
            let heard: BTreeMap<_, Vec<Heard>> = receivers.heard();
            if let Some(message) = heard[receiver].iter().find(|message| message.cause == cause) {
                return message.clone();
            }
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(message) => message,
        Err(_) => panic!("{receiver} never heard of `{cause}`: {:#?}", receivers.heard()),
    }
}

fn environment(world: &World, receivers: &Receivers) {
    let grants = json!({ "private_addresses": true });
    let chat = format!("{}/hook", receivers.chat.url);
    world.environment(&json!({
        "public_url": PUBLIC,
        "ack_keys": [{ "env": "KEY" }],
        "destinations": {
            "ops-chat": { "use": "webhook", "url": chat, "grants": grants },
            "ops-mail": {
                "use": "email", "server": format!("127.0.0.1:{}", receivers.mail.port), "tls": "none",
                "from": "watchbell@example.com", "to": ["ops@example.com"], "grants": grants,
            },
            "ops-sms": {
                "use": "twilio", "url": receivers.sms.url, "grants": grants,
                "auth": { "basic": { "username": "SK1", "password": { "env": "KEY" } } },
                "params": {
                    "account": format!("AC{}", "0".repeat(32)), "from": "+15005550006", "to": ["+41790000001"],
                },
            },
        },
    }));
}

fn start(world: &World) -> Host {
    world.start_with(&[], &[("KEY", KEY)])
}

async fn kill(host: &mut Host) {
    host.signal("-KILL");
    assert_eq!(host.ended().await, None, "{}", host.said.join("\n"));
}

/// Acknowledges by the link in the chat message, as a person does with the button.
async fn acknowledge(host: &mut Host, opened: &Heard) {
    let message: Value = serde_json::from_str(&opened.body).unwrap();
    let link = message["acknowledge_link"].as_str().expect("a link").strip_prefix(PUBLIC).unwrap().to_owned();
    let address = host.address().await;
    let url = format!("http://{address}{}", link.split('#').next().unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.post(url).header("origin", "null").body("name=ann").send().await.unwrap();
    let (status, page) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_five_times_tells_each_message_once() {
    let receivers = Receivers::start().await;
    let world = Arc::new(World::new().await);
    world.index("logs-auth").await;
    environment(&world, &receivers);
    world.write("failed-logins.yaml", RULE);
    let then = now() - 2_000;
    let hits: Vec<Value> = (0..3).map(|n| hit(then + n, 401, "web-1")).collect();
    world.documents("logs-auth", &hits).await;
    let traffic = Traffic::start(Arc::clone(&world));

    let mut host = start(&world);
    let opened = until(&receivers, "chat", "opened").await;
    kill(&mut host).await;
    host = start(&world);
    until(&receivers, "mail", "escalated").await;
    kill(&mut host).await;
    host = start(&world);
    until(&receivers, "sms", "escalated").await;
    kill(&mut host).await;
    host = start(&world);
    acknowledge(&mut host, &opened).await;
    kill(&mut host).await;
    host = start(&world);
    until(&receivers, "sms", "acknowledged").await;
    traffic.send(20);
    until(&receivers, "chat", "worse").await;
    kill(&mut host).await;
    host = start(&world);
    traffic.send(0);
    for (receiver, _) in TOLD {
        until(&receivers, receiver, "resolved").await;
    }
    host.until("a window", |line| line["outcome"] == "committed").await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    // Whatever was under way at a death may be there twice: one message at each of the first three, and the
    // acknowledgement and the rise to three receivers each.
    check(&receivers.take(), 9, "killed five times");
}
