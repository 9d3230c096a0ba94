//! A registry answers without end, sends us elsewhere, and repeats what it was told.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::bounded;
use crate::plugin::Said;

const PASSWORD: &str = "Reg/Pass+WORD 1";
const MODULE: &[u8] = b"not a module, but with a digest";

/// A request: its path and what it says who asks.
#[derive(Clone, Debug)]
struct Asked {
    path: String,
    authorization: Option<String>,
}

struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

enum Body {
    Bytes(Vec<u8>),
    /// Until nobody reads any more.
    Endless,
}

impl Reply {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![], body: Body::Bytes(body.into()) }
    }

    fn endless(status: u16) -> Self {
        Self { status, headers: vec![], body: Body::Endless }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A server that keeps what it is asked.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    fn start(ip: &str, answer: impl Fn(&str, &Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (own, seen, answer) = (address.clone(), Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (own, seen, answer) = (own.clone(), Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    seen.lock().unwrap().push(request.clone());
                    // It is closed when the program has had enough.
                    let _ = write(stream, answer(&own, &request));
                });
            }
        });
        Self { address, asked }
    }

    /// Another host, which nobody should ask.
    fn elsewhere() -> Self {
        Self::start("127.0.0.2", |_, _| Reply::new(200, json!({ "token": "t" }).to_string()))
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn pull(&self) -> Said {
        self.pull_with(&[])
    }

    fn pull_with(&self, more: &[(&str, &str)]) -> Said {
        let scratch = tempfile::tempdir().unwrap();
        let mut variables = vec![
            ("WATCHBELL_REGISTRY", &*self.address),
            ("WATCHBELL_REGISTRY_USERNAME", "user"),
            ("WATCHBELL_REGISTRY_PASSWORD", PASSWORD),
        ];
        variables.extend(more);
        bounded(scratch.path(), &variables, &["plugin", "pull", &format!("{}/rules/x:1.0", self.address)])
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream.take(1 << 20)).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let authorization = headers.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("authorization").then(|| value.trim().to_owned())
    });
    Some(Asked { path, authorization })
}

fn write(mut stream: TcpStream, reply: Reply) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {} Said\r\nconnection: close\r\n", reply.status)?;
    for (name, value) in &reply.headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    match reply.body {
        Body::Bytes(bytes) => {
            write!(stream, "content-length: {}\r\n\r\n", bytes.len())?;
            stream.write_all(&bytes)
        }
        Body::Endless => {
            write!(stream, "\r\n")?;
            let part = [b'x'; 1 << 16];
            loop {
                stream.write_all(&part)?;
            }
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn manifest(media_type: &str) -> Vec<u8> {
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let layer = json!({ "mediaType": media_type, "digest": format!("sha256:{}", digest(MODULE)), "size": MODULE.len() });
    let config =
        json!({ "mediaType": "application/vnd.wasm.config.v0+json", "digest": "sha256:0", "size": 2 });
    let manifest = json!({ "schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer] });
    manifest.to_string().into_bytes()
}

/// As a registry should.
fn honest(asked: &Asked) -> Reply {
    match &asked.path {
        path if path.contains("/manifests/") => Reply::new(200, manifest("application/wasm")),
        path if path.contains("/blobs/") => Reply::new(200, MODULE),
        _ => Reply::new(404, ""),
    }
}

fn challenge(realm: &str) -> Reply {
    Reply::new(401, "").with("www-authenticate", format!("Bearer realm=\"{realm}\",service=\"s\""))
}

#[track_caller]
fn refused(said: &Said, part: &str) {
    assert_eq!(said.code, 1, "{}\n{}", said.out, said.err);
    assert!(said.err.contains(part), "{part} is missing in {}", said.err);
    assert!(said.err.len() < 4_000, "{} bytes of words", said.err.len());
}

#[test]
fn an_honest_one_is_understood() {
    let registry = Server::start("127.0.0.1", |_, asked| honest(asked));
    let said = registry.pull().well();
    assert_eq!(said.field("sha256"), digest(MODULE));
}

#[test]
fn answers_without_end_are_bounded() {
    let registry = Server::start("127.0.0.1", |_, _| Reply::endless(500));
    refused(&registry.pull(), "it answered 500");
    let registry = Server::start("127.0.0.1", |_, _| Reply::endless(200));
    refused(&registry.pull(), "larger than the expected 1048576 bytes");
    let registry = Server::start("127.0.0.1", |_, asked| match &asked.path {
        path if path.contains("/blobs/") => Reply::endless(200),
        _ => honest(asked),
    });
    refused(&registry.pull(), &format!("larger than the expected {} bytes", MODULE.len()));
    let registry = Server::start("127.0.0.1", |own, asked| match &asked.path {
        path if path.starts_with("/token") => Reply::endless(200),
        _ => challenge(&format!("http://{own}/token")),
    });
    refused(&registry.pull(), "its token service's response is larger than 256 KiB");
}

#[test]
fn redirects_lead_nowhere_else() {
    let elsewhere = Server::elsewhere();
    let there = elsewhere.address.clone();
    let to = there.clone();
    let registry = Server::start("127.0.0.1", move |_, _| {
        Reply::new(302, "").with("location", format!("http://{to}/latest/meta-data/iam"))
    });
    refused(&registry.pull(), "it redirects to another host, `127.0.0.2`, which is followed for blobs alone");

    // Blobs may lie elsewhere, but neither without TLS nor inside.
    for (scheme, host, why) in [
        ("http", &*there, "it redirects to `127.0.0.2` without TLS"),
        ("https", &*there, "which is 127.0.0.2, a loopback address"),
        ("https", "localhost:9", "a loopback address"),
        ("https", "169.254.169.254", "which is 169.254.169.254, a link-local address"),
    ] {
        let location = format!("{scheme}://{host}/x");
        let registry = Server::start("127.0.0.1", move |_, asked| match &asked.path {
            path if path.contains("/blobs/") => Reply::new(307, "").with("location", location.clone()),
            _ => honest(asked),
        });
        refused(&registry.pull(), why);
    }
    assert_eq!(elsewhere.asked().len(), 0, "{:?}", elsewhere.asked());

    let registry = Server::start("127.0.0.1", |_, asked| match &asked.path {
        path if path.contains("/v2/") => Reply::new(307, "").with("location", path.replace("/v2/", "/v3/")),
        _ => honest(asked),
    });
    registry.pull().well();
    let registry =
        Server::start("127.0.0.1", |_, asked| Reply::new(307, "").with("location", asked.path.clone()));
    refused(&registry.pull(), "it redirects more than 5 times");
}

#[test]
fn a_token_service_elsewhere_gets_no_credentials_unless_allowed() {
    let elsewhere = Server::elsewhere();
    for (scheme, why) in [("http", "`127.0.0.2` does not use TLS"), ("https", "may not see the credentials")]
    {
        let realm = format!("{scheme}://{}/token", elsewhere.address);
        let registry = Server::start("127.0.0.1", move |_, _| challenge(&realm));
        refused(&registry.pull(), why);
    }
    // Without credentials it is a host like any other: none that is inside.
    let realm = format!("https://{}/token", elsewhere.address);
    let registry = Server::start("127.0.0.1", move |_, _| challenge(&realm));
    refused(&registry.pull_with(&[("WATCHBELL_REGISTRY", "")]), "a loopback address");
    assert_eq!(elsewhere.asked().len(), 0, "{:?}", elsewhere.asked());

    let realm = format!("http://{}/token", elsewhere.address);
    let registry = Server::start("127.0.0.1", move |_, asked| match asked.authorization.as_deref() {
        Some("Bearer t") => honest(asked),
        _ => challenge(&realm),
    });
    let service = format!("http://{}", elsewhere.address);
    registry.pull_with(&[("WATCHBELL_REGISTRY_TOKEN_SERVICE", &service)]).well();
    let basic = format!("Basic {}", STANDARD.encode(format!("user:{PASSWORD}")));
    assert_eq!(elsewhere.asked()[0].authorization.as_deref(), Some(&*basic));
    // The registry itself never saw them.
    assert!(registry.asked().iter().all(|asked| asked.authorization.as_deref() != Some(&*basic)));
}

#[test]
fn what_a_registry_repeats_is_without_credentials() {
    let forms = || {
        let pair = STANDARD.encode(format!("user:{PASSWORD}"));
        let percent = PASSWORD.replace('/', "%2F").replace('+', "%2B").replace(' ', "%20");
        vec![PASSWORD.to_owned(), PASSWORD.replace('/', "\\/"), percent, STANDARD.encode(PASSWORD), pair]
    };
    const NO_MANIFEST: &str = "not an artifact manifest";
    let said = |reply: fn(String) -> Reply| {
        let registry = Server::start("127.0.0.1", move |_, asked| match &asked.authorization {
            None => Reply::new(401, "").with("www-authenticate", "Basic realm=\"r\""),
            Some(_) => reply(forms().join(" \u{1b}[31m\r\n::error:: ")),
        });
        registry.pull()
    };
    type Answer = fn(String) -> Reply;
    let replies: [(Answer, &str); 3] = [
        (|forms| Reply::new(500, format!("bad credentials {forms}")), "bad credentials"),
        (|forms| Reply::new(200, manifest(&format!("evil {forms}"))), "its layer is `evil"),
        (|forms| Reply::new(200, json!({ "schemaVersion": forms }).to_string()), NO_MANIFEST),
    ];
    for (reply, part) in replies {
        let said = said(reply);
        refused(&said, part);
        assert_eq!(said.err.contains("[redacted]"), part != NO_MANIFEST, "{}", said.err);
        for form in forms() {
            assert!(!said.err.contains(&form), "{form} is in {}", said.err);
        }
        assert!(!said.err.contains('\u{1b}') && !said.err.contains('\r'), "{:?}", said.err);
        assert!(!said.err.lines().any(|line| line.trim_start().starts_with("::")), "{}", said.err);
    }
}
