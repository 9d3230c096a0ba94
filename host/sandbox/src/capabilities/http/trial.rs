//! Tests of the capability against a receiver on loopback.
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request as Incoming, State};
use axum::response::Response as Answer;
use futures::stream;

use crate::capabilities::http::auth::{Algorithm, Auth};
use crate::capabilities::http::destination::{Destination, DestinationSettings, Grants};
use crate::capabilities::http::{HttpAccess, Method, Methods, SigV4};
use crate::contract::since_v0_2::bindings::http::{Body as Sent, Failure, Request, Response};
use watchbell_secret::Secret;

type Seen = Arc<Mutex<Vec<String>>>;

struct Receiver {
    base: String,
    seen: Seen,
}

impl Receiver {
    async fn start() -> Self {
        let seen = Seen::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { base, seen }
    }

    fn settings(&self, path: &str) -> DestinationSettings {
        let mut settings = DestinationSettings::new(Secret::new(format!("{}{path}", self.base)));
        settings.grants = Grants { private_addresses: true, ..Grants::default() };
        settings
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Echoes the request, or does what the path says.
async fn answer(State(seen): State<Seen>, request: Incoming) -> Answer {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let header = |name: &str| parts.headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
    let line = format!(
        "{} {} auth={} sign={} body={}",
        parts.method,
        parts.uri,
        header("authorization"),
        header("x-signature"),
        String::from_utf8_lossy(&body)
    );
    seen.lock().unwrap().push(line.clone());
    let moved = |to: &str| Answer::builder().status(302).header("location", to).body(Body::empty());
    match parts.uri.path() {
        "/hook/inside" => moved("/hook/there"),
        "/hook/here" => moved("/there"),
        "/hook/sideways" => moved("/hook/..;/there"),
        "/again" => moved("/again"),
        "/here" => moved("/there"),
        "/elsewhere" => moved("http://127.0.0.1:1/"),
        "/endless" => {
            let chunks = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 4096])));
            Answer::builder().body(Body::from_stream(chunks))
        }
        "/bomb" => {
            let mut bytes = bomb();
            let chunks = stream::repeat_with(move || {
                Ok::<_, std::io::Error>(bytes.by_ref().take(4096).collect::<Bytes>())
            });
            Answer::builder().header("content-encoding", "gzip").body(Body::from_stream(chunks))
        }
        "/silent" => std::future::pending().await,
        "/cut" => {
            let chunks = [Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("cut"))];
            Answer::builder().body(Body::from_stream(stream::iter(chunks)))
        }
        _ => Answer::builder().header("x-echo", header("authorization")).body(Body::from(line)),
    }
    .unwrap()
}

/// Zeros without end, each byte of them 158 times smaller than what it unpacks to.
fn bomb() -> impl Iterator<Item = u8> {
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    // A block of fixed codes that says: a zero, and the same 258 times, and again.
    let (zero, again) = ([0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    let mut bits = zero.into_iter().chain(again.into_iter().cycle());
    let bytes = std::iter::from_fn(move || {
        bits.by_ref().take(8).enumerate().map(|(place, bit)| bit << place).reduce(|byte, bit| byte | bit)
    });
    head.into_iter().chain(bytes)
}

fn request(method: &str, path: &str, body: Sent) -> Request {
    Request { method: method.into(), path: path.into(), query: vec![], headers: vec![], body }
}

async fn send(settings: DestinationSettings, request: Request) -> Result<Response, Failure> {
    HttpAccess::new(Destination::new(settings).unwrap(), vec![]).send(0, request).await
}

fn text(response: Response) -> String {
    String::from_utf8(response.body).unwrap()
}

#[tokio::test]
async fn credentials_are_added_by_the_host_and_scrubbed_from_the_answer() {
    let receiver = Receiver::start().await;
    for (auth, sent) in [
        (Auth::Bearer(Secret::new("top-secret")), "auth=Bearer top-secret"),
        (
            Auth::Basic { user: "u".into(), password: Secret::new("top-secret") },
            "auth=Basic dTp0b3Atc2VjcmV0",
        ),
        (Auth::Header { name: "x-signature".into(), value: Secret::new("top-secret") }, "sign=top-secret"),
        (Auth::Query { name: "key".into(), value: Secret::new("top-secret") }, "/x?key=top-secret"),
    ] {
        let settings = DestinationSettings { auth, ..receiver.settings("") };
        let response = send(settings, request("POST", "/x", Sent::Empty)).await.unwrap();
        let last = receiver.seen().pop().unwrap();
        assert!(last.contains(sent), "{last}");
        let echo = response.headers.iter().find(|header| header.name == "x-echo").unwrap().value.clone();
        let shown = format!("{echo} {}", text(response));
        assert!(shown.contains("[redacted]"), "{shown}");
        assert!(!shown.contains("top-secret") && !shown.contains("dTp0b3Atc2VjcmV0"), "{shown}");
    }
}

#[tokio::test]
async fn a_signature_is_over_the_body_as_sent() {
    let receiver = Receiver::start().await;
    let auth = Auth::Hmac {
        header: "x-signature".into(),
        secret: Secret::new("key-of-ours"),
        algorithm: Algorithm::Sha256,
        prefix: "sha256=".into(),
    };
    let body = "{\"a\": 1}";
    let settings = DestinationSettings { auth, ..receiver.settings("") };
    send(settings, request("POST", "", Sent::Json(body.into()))).await.unwrap();
    let expected =
        crate::capabilities::http::signature::hmac_sha256(&Secret::new("key-of-ours"), body.as_bytes());
    assert_eq!(receiver.seen(), [format!("POST / auth=- sign=sha256={expected} body={body}")]);
}

#[tokio::test]
async fn a_credential_in_the_body_is_added_by_the_host_and_scrubbed_from_the_answer() {
    let receiver = Receiver::start().await;
    let auth = Auth::Body { pointer: "/routing_key".into(), value: Secret::new("top-secret") };
    for (body, sent) in [
        (Sent::Json("{\"a\":1}".into()), "body={\"a\":1,\"routing_key\":\"top-secret\"}"),
        (Sent::Form(vec![]), "body=routing_key=top-secret"),
    ] {
        let settings = DestinationSettings { auth: auth.clone(), ..receiver.settings("") };
        let response = send(settings, request("POST", "/x", body)).await.unwrap();
        let last = receiver.seen().pop().unwrap();
        assert!(last.ends_with(sent), "{last}");
        let shown = text(response);
        assert!(shown.contains("[redacted]") && !shown.contains("top-secret"), "{shown}");
    }
    let settings = DestinationSettings { auth, ..receiver.settings("") };
    let refused = failure(send(settings, request("POST", "/x", Sent::Text("x".into()))).await);
    assert_eq!(refused.0, "invalid");
}

fn aws() -> Auth {
    Auth::SigV4(SigV4 {
        region: "eu-central-1".into(),
        service: "sns".into(),
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: Secret::new("top-secret-key"),
        session_token: Some(Secret::new("top-secret-token")),
    })
}

#[tokio::test]
async fn a_request_to_aws_is_signed_and_its_token_scrubbed() {
    let receiver = Receiver::start().await;
    let settings = DestinationSettings { auth: aws(), ..receiver.settings("") };
    let response = send(settings, request("POST", "/x", Sent::Json("{}".into()))).await.unwrap();
    let last = receiver.seen().pop().unwrap();
    let signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=";
    assert!(last.contains("auth=AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{last}");
    assert!(last.contains("/eu-central-1/sns/aws4_request") && last.contains(signed), "{last}");
    assert!(!format!("{:?}", aws()).contains("top-secret"));
    assert!(!text(response).contains("top-secret"));
}

#[tokio::test]
async fn a_signed_request_follows_no_redirect() {
    let receiver = Receiver::start().await;
    let settings = DestinationSettings { auth: aws(), ..receiver.settings("") };
    let response = send(settings, request("GET", "/here", Sent::Empty)).await.unwrap();
    assert_eq!((response.status, receiver.seen().len()), (302, 1));
}

#[tokio::test]
async fn a_draft_is_the_request_without_its_secrets() {
    let base = Secret::new("https://hooks.example/services/T000/verysecrettoken");
    let auth = Auth::Bearer(Secret::new("top-secret"));
    let settings = DestinationSettings { auth, ..DestinationSettings::new(base) };
    let (destination, drafts) = Destination::drafting(settings).unwrap();
    let body = Sent::Json("{\"text\":\"top-secret\"}".into());
    let response = HttpAccess::new(destination, vec![]).send(3, request("POST", "/x", body)).await.unwrap();
    assert_eq!(response.status, 200);
    let [draft] = &drafts.take()[..] else { panic!("one request") };
    assert_eq!((draft.number, &*draft.method, &*draft.below), (3, "POST", "/x"));
    assert_eq!(draft.body, "{\"text\":\"[redacted]\"}");
    let expected = [("content-type", "application/json"), ("authorization", "[redacted]")];
    assert_eq!(draft.headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(drafts.take(), []);
}

#[tokio::test]
async fn a_url_that_is_itself_the_secret_is_never_shown() {
    let receiver = Receiver::start().await;
    let response =
        send(receiver.settings("/hook/T000/verysecrettoken"), request("POST", "", Sent::Empty)).await;
    assert_eq!(text(response.unwrap()), "POST [redacted] auth=- sign=- body=");
}

#[test]
fn parts_of_a_url_are_scrubbed_as_written_and_as_read() {
    let base = Secret::new("https://a.example/services/bot12%3AAbCdEf?sig=s%2Bcret&tokenalone");
    let destination = Destination::new(DestinationSettings::new(base)).unwrap();
    for part in ["bot12%3AAbCdEf", "bot12:AbCdEf", "s+cret", "s%2Bcret", "tokenalone"] {
        assert_eq!(destination.scrub(&format!("<{part}>")), "<[redacted]>");
    }
    assert_eq!(destination.scrub("no such path: /services"), "no such path: /services");
}

#[tokio::test]
async fn redirects_are_followed_on_the_same_host_for_get_alone() {
    let receiver = Receiver::start().await;
    let status = async |method: &str, path: &str| {
        send(receiver.settings(""), request(method, path, Sent::Empty)).await.unwrap().status
    };
    assert_eq!(status("GET", "/here").await, 200);
    assert_eq!(status("POST", "/here").await, 302);
    assert_eq!(status("GET", "/elsewhere").await, 302);
    assert_eq!(receiver.seen().len(), 4);
    assert_eq!(status("GET", "/again").await, 302);
    assert_eq!(receiver.seen().len(), 8, "the first and three more");
}

#[tokio::test]
async fn a_redirect_out_of_the_base_path_is_not_followed() {
    let receiver = Receiver::start().await;
    for path in ["/inside", "/here", "/sideways"] {
        let status =
            send(receiver.settings("/hook"), request("GET", path, Sent::Empty)).await.unwrap().status;
        assert_eq!(status, if path == "/inside" { 200 } else { 302 }, "{path}");
    }
    let paths: Vec<String> =
        receiver.seen().iter().map(|line| line.split(' ').nth(1).unwrap_or_default().to_owned()).collect();
    assert_eq!(paths, ["/hook/inside", "/hook/there", "/hook/here", "/hook/sideways"]);
}

#[tokio::test]
async fn a_secret_across_the_cut_leaves_no_beginning() {
    let receiver = Receiver::start().await;
    for most in 1..40 {
        let auth = Auth::Bearer(Secret::new("top-secret-token"));
        let settings = DestinationSettings { auth, response_bytes_max: most, ..receiver.settings("") };
        let body = text(send(settings, request("POST", "/x", Sent::Empty)).await.unwrap());
        assert!(body.len() <= most && !body.contains("top"), "{most}: {body}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let receiver = Receiver::start().await;
    let settings = DestinationSettings { response_bytes_max: 10_000, ..receiver.settings("") };
    let response = send(settings, request("POST", "/endless", Sent::Empty)).await.unwrap();
    assert_eq!((response.status, response.body.len()), (200, 10_000));
}

#[tokio::test]
async fn an_answer_that_unpacks_without_end_is_cut() {
    let receiver = Receiver::start().await;
    let settings = DestinationSettings { response_bytes_max: 1 << 20, ..receiver.settings("") };
    let response = send(settings, request("POST", "/bomb", Sent::Empty)).await.unwrap();
    assert_eq!((response.status, response.body.len()), (200, 1 << 20));
    assert!(response.body.iter().all(|byte| *byte == 0));
}

fn failure(outcome: Result<Response, Failure>) -> (&'static str, String) {
    match outcome.unwrap_err() {
        Failure::Denied(text) => ("denied", text),
        Failure::Invalid(text) => ("invalid", text),
        Failure::Unreachable(text) => ("unreachable", text),
        Failure::Interrupted(text) => ("interrupted", text),
    }
}

#[tokio::test]
async fn what_may_have_arrived_is_told_from_what_did_not() {
    let receiver = Receiver::start().await;
    let settings = DestinationSettings { timeout: Duration::from_millis(50), ..receiver.settings("") };
    let silent = failure(send(settings, request("POST", "/silent", Sent::Empty)).await);
    let expected = "the receiver did not answer in full within the destination's timeout of 50ms";
    assert_eq!(silent, ("interrupted", expected.into()));
    let cut = failure(send(receiver.settings(""), request("POST", "/cut", Sent::Empty)).await);
    assert!(cut.0 == "interrupted" && cut.1.starts_with("the connection to `127.0.0.1` broke: "), "{cut:?}");

    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut settings = DestinationSettings::new(Secret::new(format!("http://{closed}/secretsecret")));
    settings.grants.private_addresses = true;
    let refused = failure(send(settings, request("POST", "", Sent::Empty)).await);
    assert!(
        refused.0 == "unreachable" && refused.1.starts_with("`127.0.0.1` cannot be reached: "),
        "{refused:?}"
    );
    assert!(!refused.1.contains("secretsecret"));
}

#[tokio::test]
async fn inner_addresses_need_the_grant_by_name_and_by_number() {
    let receiver = Receiver::start().await;
    let port = receiver.base.rsplit_once(':').unwrap().1.to_owned();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"] {
        let settings = DestinationSettings::new(Secret::new(format!("http://{host}:{port}")));
        let (kind, text) = failure(send(settings, request("POST", "", Sent::Empty)).await);
        assert_eq!(kind, "denied", "{host}: {text}");
        assert!(text.contains("grant the destination `private_addresses: true`"), "{host}: {text}");
    }
    assert_eq!(receiver.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_method_that_is_not_granted_is_denied_unsent() {
    let receiver = Receiver::start().await;
    let with = |methods| {
        let mut settings = receiver.settings("");
        settings.grants.methods = methods;
        settings
    };
    for (name, is_granted) in
        [("POST", true), ("PATCH", true), ("GET", false), ("PUT", false), ("DELETE", false)]
    {
        let only = with(Methods::Only(vec![Method::Post, Method::Patch]));
        let outcome = send(only, request(name, "/x", Sent::Empty)).await;
        if is_granted {
            assert_eq!(outcome.unwrap().status, 200, "{name}");
        } else {
            let why = format!(
                "the destination does not grant `{name}`: if that is intended, add it to `grants.methods`"
            );
            assert_eq!(failure(outcome), ("denied", why));
        }
        assert_eq!(send(with(Methods::Any), request(name, "/x", Sent::Empty)).await.unwrap().status, 200);
    }
    assert_eq!(receiver.seen().len(), 7, "two that are granted, and five without a list");
}

#[tokio::test]
async fn one_delivery_has_a_limit_of_requests() {
    let receiver = Receiver::start().await;
    let mut way = HttpAccess::new(Destination::new(receiver.settings("")).unwrap(), vec![]);
    for _ in 0..crate::limits::REQUESTS_MAX {
        way.send(0, request("POST", "", Sent::Empty)).await.unwrap();
    }
    let refused = failure(way.send(0, request("POST", "", Sent::Empty)).await);
    assert_eq!(refused, ("denied", "more than 16 requests in one delivery".into()));
    let refused = failure(way.send(16, request("POST", "", Sent::Empty)).await);
    assert_eq!(refused, ("invalid", "the request has the number 16: use 0 to 15".into()));
}

#[tokio::test]
async fn what_was_accepted_is_not_sent_again_in_the_next_attempt() {
    let receiver = Receiver::start().await;
    let destination = Destination::new(receiver.settings("")).unwrap();
    let mut first = HttpAccess::new(destination.clone(), vec![]);
    let body = |text: &str| Sent::Text(text.into());
    first.send(0, request("POST", "/created", body("a"))).await.unwrap();
    first.send(1, request("POST", "/here", body("b"))).await.unwrap();
    first.send(2, request("POST", "/comment", body("c"))).await.unwrap();
    // The second was redirected and not accepted; the third may have been no success, for the guest ended after it.
    let recorded = first.take_recorded();
    assert_eq!(recorded.iter().map(|call| call.number).collect::<Vec<_>>(), [0]);

    let mut second = HttpAccess::new(destination, recorded);
    let again = second.send(0, request("POST", "/created", body("other"))).await.unwrap();
    assert!(text(again).starts_with("POST /created"), "the recorded response");
    second.send(2, request("POST", "/comment", body("c"))).await.unwrap();
    let paths: Vec<String> =
        receiver.seen().iter().map(|line| line.split(' ').nth(1).unwrap_or_default().to_owned()).collect();
    assert_eq!(paths, ["/created", "/here", "/comment", "/comment"]);
    assert_eq!(second.take_recorded().len(), 1);
}

#[test]
fn settings_that_cannot_work_are_told_without_the_url() {
    let error = |settings| Destination::new(settings).unwrap_err().to_string();
    let plain = |base: &str| DestinationSettings::new(Secret::new(base));
    assert_eq!(error(plain("hooks.example/secret")), "not a valid URL: relative URL without a base");
    assert_eq!(
        error(plain("secret-in-front://a.example")),
        "the URL must begin with `https://` or `http://`"
    );
    assert_eq!(
        error(plain("https://user:password@a.example")),
        "the URL must not contain a user or a password: set `auth` on the destination instead"
    );
    let auth = Auth::Bearer(Secret::new("a\nb"));
    let settings = DestinationSettings { auth, ..plain("https://a.example") };
    assert_eq!(error(settings), "the value of `bearer` contains characters that are not allowed in a header");
    let settings = DestinationSettings { ca: Some(b"nonsense".to_vec()), ..plain("https://a.example") };
    assert_eq!(error(settings), "the CA file contains no PEM certificate");
}
