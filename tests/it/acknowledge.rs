//! Acknowledging from a message, by the real program.
use reqwest::Method;
use serde_json::{Value, json};
use watchbell_contract::{Duration, Timestamp};
use watchbell_links::{Keys, Link};
use watchbell_pipeline::record::{EpisodeRecord, Phase};
use watchbell_sandbox::Secret;
use watchbell_store::{EpisodeFilter, Read, Sqlite};

use crate::journey::FAILED_LOGINS;
use crate::world::{Host, World, hit, now};

const PUBLIC: &str = "http://bell.invalid/below";
const KEY: &str = "a-key-for-tests-0123456789abcdef";
const SLACK_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// A value of a label that a page must not run.
const HOST: &str = "<script>alert(1)</script>";

struct Case {
    world: World,
    host: Host,
    address: String,
    http: reqwest::Client,
}

/// A host whose rule has opened an episode, and whose message has arrived.
async fn opened(resolve_after: &str, destination: &Value) -> Case {
    let world = World::new().await;
    world.index("logs-auth").await;
    let then = now() - 3_000;
    let hits: Vec<Value> = (0..3).map(|at| hit(then + at, 401, HOST)).collect();
    world.documents("logs-auth", &hits).await;
    let resolves = format!("resolve_after: {resolve_after}\n  to: [hook]");
    world.write("failed-logins.yaml", &FAILED_LOGINS.replace("to: [hook]", &resolves));
    let mut hook = json!({
        "use": "webhook",
        "url": world.receiver.url,
        "grants": { "private_addresses": true },
        "params": { "body": { "cause": "{{ cause }}", "acknowledge_link": "{{ acknowledge_link }}" } },
    });
    hook.as_object_mut().unwrap().extend(destination.as_object().unwrap().clone());
    set(&world, &["KEY"], &hook);
    let host = world.start_with(&[], &[("KEY", KEY), ("SLACK", SLACK_SECRET)]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut case = Case { world, host, address: String::new(), http };
    case.address = case.host.address().await;
    case.host.until("a delivery", |line| line["message"] == "delivered").await;
    case
}

fn set(world: &World, keys: &[&str], hook: &Value) {
    let keys: Vec<Value> = keys.iter().map(|name| json!({ "env": name })).collect();
    let more = json!({ "public_url": PUBLIC, "ack_keys": keys, "destinations": { "hook": hook } });
    world.environment(&more);
}

impl Case {
    /// The path of the link in the first message, without what follows `#`.
    fn path(&self) -> String {
        let message = &self.world.receiver.got()[0].body;
        let link = message["acknowledge_link"].as_str().unwrap_or_else(|| panic!("no link in {message:#}"));
        let path = link.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("{link} is elsewhere"));
        path.split('#').next().unwrap().to_owned()
    }

    fn store(&self) -> Box<dyn Read> {
        Box::new(Sqlite::open_reader(&self.world.store()).unwrap())
    }

    fn episode(&self) -> EpisodeRecord {
        let all = EpisodeFilter { open: false, ..EpisodeFilter::default() };
        self.store().episodes(&all).unwrap().remove(0)
    }

    fn commands(&self) -> Vec<watchbell_pipeline::record::CommandRecord> {
        self.store().commands(100).unwrap()
    }

    /// A token for the open episode, signed as the host signs.
    fn token(&self, change: impl FnOnce(&mut Link, &mut String, &mut &'static str)) -> String {
        let expires = Timestamp(now()) + Duration::from_hours(1);
        let episode = self.episode().id.0;
        let mut link = Link { episode, destination: "hook".into(), expires };
        let mut store = self.store().meta().unwrap().incarnation.0;
        let mut key = KEY;
        change(&mut link, &mut store, &mut key);
        Keys::new(vec![Secret::new(key)]).unwrap().sign(&link, &store).unwrap()
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.body(body.to_owned()).send().await.expect("the host answers");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    }

    async fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.ask(Method::POST, path, &[("origin", "null")], body).await
    }

    async fn end(mut self) {
        assert_eq!(self.host.stop().await, Some(0));
        let log = self.host.said.join("\n");
        assert!(!log.contains("/a/") && !log.contains(KEY) && !log.contains(SLACK_SECRET), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_a_link_changes_nothing_and_its_button_acknowledges_once() {
    let case = opened("1h", &json!({})).await;
    let path = case.path();
    for _ in 0..2 {
        let (status, page) = case.ask(Method::GET, &path, &[], "").await;
        assert_eq!(status, 200, "{page}");
        assert!(page.contains("Nobody has acknowledged it yet."), "{page}");
        assert!(page.contains("failed-logins") && page.contains("<button"), "{page}");
        assert!(!page.contains("<script"), "{page}");
    }
    let head = case.http.head(format!("http://{}{path}", case.address)).send().await.unwrap();
    assert_eq!(head.status(), 200);
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex, nofollow"),
    ] {
        assert_eq!(head.headers()[name], value);
    }
    let policy = head.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("style-src 'self'"), "{policy}");
    let style = case.ask(Method::GET, "/acknowledge.css", &[], "").await;
    assert!(style.0 == 200 && style.1.contains("prefers-color-scheme"), "{style:?}");
    let crossed = case.ask(Method::POST, &path, &[("sec-fetch-site", "cross-site")], "name=eve").await;
    assert_eq!(crossed.0, 403, "{}", crossed.1);
    assert_eq!(case.episode().phase, Phase::Active);
    assert!(case.commands().is_empty());

    // Pressed twice at once.
    let (one, other) = tokio::join!(case.post(&path, "name=ann"), case.post(&path, "name=ann"));
    for (status, page) in [one, other] {
        assert_eq!(status, 200, "{page}");
        assert!(page.contains("acknowledged by ann by the link of `hook`"), "{page}");
        assert!(!page.contains("<button"), "{page}");
    }
    assert_eq!(case.episode().phase.person(), Some("ann by the link of `hook`"));
    let (status, page) = case.post(&path, "name=bob").await;
    assert_eq!(status, 200);
    assert!(page.contains("It was already acknowledged by ann by the link of `hook`"), "{page}");
    let commands = case.commands();
    assert_eq!(commands.len(), 1, "{commands:?}");
    let token = path.trim_start_matches("/a/");
    assert!(!commands[0].id.0.contains(token) && commands[0].by == "ann by the link of `hook`");
    case.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_forged_old_damaged_or_of_another_store_permits_nothing() {
    let case = opened("1h", &json!({})).await;
    let old = case.token(|link, _, _| link.expires = Timestamp(now() - 1_000));
    let elsewhere = case.token(|_, store, _| store.push('x'));
    let forged = case.token(|_, _, key| *key = "another-key-for-tests-0123456789");
    let damaged = case.path().trim_start_matches("/a/").replacen('A', "B", 1);
    let gone = case.token(|link, _, _| link.episode = "00".repeat(32));
    for (token, status, said) in [
        (&old, 410, "has expired"),
        (&elsewhere, 403, "belongs to another store"),
        (&forged, 403, "no longer in use"),
        (&damaged, 404, "damaged"),
        (&"x".repeat(2_000), 404, "damaged"),
        (&gone, 410, "It is over"),
    ] {
        for method in [Method::GET, Method::POST] {
            let (code, page) = case.ask(method, &format!("/a/{token}"), &[], "name=eve").await;
            assert_eq!(code, status, "{page}");
            assert!(page.contains(said) && !page.contains("<button"), "{page}");
            assert!(!page.contains("failed-logins"), "who has no link learns nothing: {page}");
        }
    }
    assert!(case.commands().is_empty());
    assert_eq!(case.episode().phase, Phase::Active);
    let genuine = case.token(|_, _, _| ());
    assert_eq!(case.post(&format!("/a/{genuine}"), "").await.0, 200);
    assert_eq!(case.episode().phase.person(), Some("the link of `hook`"));
    case.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_dies_with_its_episode() {
    let mut case = opened("20s", &json!({})).await;
    let path = case.path();
    case.world
        .receiver
        .until("the end", |got| got.iter().any(|message| message.body["cause"] == "resolved"))
        .await;
    for method in [Method::GET, Method::POST] {
        let (status, page) = case.ask(method, &path, &[], "").await;
        assert_eq!(status, 410, "{page}");
        assert!(page.contains("It is over") && !page.contains("<button"), "{page}");
    }
    let end = case.world.receiver.got().pop().unwrap();
    assert_eq!(end.body["acknowledge_link"], Value::Null, "there is nothing left to acknowledge");
    assert!(case.commands().is_empty());
    case.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_signs_and_the_old_one_is_honored_until_it_is_removed() {
    let mut case = opened("1h", &json!({})).await;
    let path = case.path();
    let hook = json!({ "use": "webhook", "url": case.world.receiver.url });
    for (keys, status) in [(["NEW", "KEY"].as_slice(), 200), (&["NEW"], 403)] {
        assert_eq!(case.host.stop().await, Some(0));
        set(&case.world, keys, &hook);
        let new = "a-new-key-for-tests-0123456789ab";
        case.host = case.world.start_with(&[], &[("KEY", KEY), ("NEW", new)]);
        case.address = case.host.address().await;
        let (code, page) = case.ask(Method::GET, &path, &[], "").await;
        assert_eq!(code, status, "{keys:?}: {page}");
    }
    case.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_in_slack_acknowledges_if_slack_signed_it_now() {
    let slack = json!({ "use": "slack", "params": {}, "signing_secret": { "env": "SLACK" } });
    let case = opened("1h", &slack).await;
    let token = case.token(|_, _, _| ());
    let press = |token: &str| {
        let payload = json!({
            "type": "block_actions",
            "user": { "id": "U1", "username": "ann" },
            "actions": [{ "action_id": "watchbell_ack", "value": token }],
        });
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("payload", &payload.to_string()).finish()
    };
    let send = async |body: &str, at: i64, secret: &str| {
        let (at, signature) = slack_signature(body, at, secret);
        let headers = [("x-slack-request-timestamp", at.as_str()), ("x-slack-signature", signature.as_str())];
        case.ask(Method::POST, "/slack/actions", &headers, body).await
    };
    let (body, at) = (press(&token), now() / 1_000);
    assert_eq!(send(&body, at, "another secret").await.0, 401);
    assert_eq!(send(&body, at - 400, SLACK_SECRET).await.0, 401, "a request of seven minutes ago");
    assert_eq!(case.ask(Method::POST, "/slack/actions", &[], &body).await.0, 401);
    assert_eq!(send("payload=nonsense", at, SLACK_SECRET).await.0, 400);
    assert_eq!(send(&press("nonsense"), at, SLACK_SECRET).await.0, 403);
    let others = case.token(|link, _, _| link.destination = "ops-mail".into());
    assert_eq!(send(&press(&others), at, SLACK_SECRET).await.0, 403, "a token of another destination");
    assert!(case.commands().is_empty());
    // Slack tells of link buttons, too.
    let other = body.replace("watchbell_ack", "something");
    assert_eq!(send(&other, at, SLACK_SECRET).await.0, 200);
    assert!(case.commands().is_empty());

    for _ in 0..2 {
        assert_eq!(send(&body, at, SLACK_SECRET).await, (200, String::new()));
    }
    assert_eq!(case.episode().phase.person(), Some("ann (Slack)"));
    assert_eq!(case.commands().len(), 1);
    case.end().await;
}

/// The headers by which Slack signs `body`.
fn slack_signature(body: &str, at: i64, secret: &str) -> (String, String) {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v0:{at}:{body}").as_bytes());
    (at.to_string(), format!("v0={}", hex::encode(mac.finalize().into_bytes())))
}
