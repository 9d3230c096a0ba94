//! A cluster, a receiver, manifests, and hosts that come and go. Everything listens on loopback, port 0.
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use watchbell_node::{Config, Node};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_watchbell");

/// Far more than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(150);

pub(crate) struct World {
    pub(crate) scratch: tempfile::TempDir,
    /// The embedded node, unless a real server was given.
    pub(crate) node: Option<Node>,
    pub(crate) cluster: String,
    pub(crate) receiver: Receiver,
    http: reqwest::Client,
}

/// An HTTP server that keeps what it gets and answers as told.
pub(crate) struct Receiver {
    pub(crate) url: String,
    inbox: Arc<Inbox>,
    arrivals: mpsc::UnboundedReceiver<()>,
}

#[derive(Default)]
struct Inbox {
    got: Mutex<Vec<Arrival>>,
    /// Statuses to answer with, first to last; then 200.
    answers: Mutex<VecDeque<u16>>,
    /// The `Retry-After` of answers that are no success, in seconds.
    pause: AtomicU64,
}

#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

pub(crate) struct Host {
    child: Child,
    log: mpsc::UnboundedReceiver<String>,
    /// Everything it has said so far.
    pub(crate) said: Vec<String>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_node(Config::default()).await
    }

    pub(crate) async fn with_node(config: Config) -> Self {
        let address: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let node = Node::start(address, config).await.expect("the node starts");
        let url = node.url();
        Self::with(Some(node), url).await
    }

    pub(crate) async fn on(cluster: &str) -> Self {
        Self::with(None, cluster.to_owned()).await
    }

    async fn with(node: Option<Node>, cluster: String) -> Self {
        let world = Self {
            scratch: tempfile::tempdir().expect("a temporary folder"),
            node,
            cluster,
            receiver: Receiver::start().await,
            http: reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client"),
        };
        std::fs::create_dir_all(world.rules().join("environments")).expect("folders");
        world.environment(&json!({}));
        world
    }

    pub(crate) fn rules(&self) -> PathBuf {
        self.scratch.path().join("rules")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.scratch.path().join("store.sqlite")
    }

    /// Writes the default environment: this world's cluster and receiver, with `more` laid over it.
    pub(crate) fn environment(&self, more: &Value) {
        let mut environment = json!({
            "clusters": { "main": { "nodes": [self.cluster] } },
            "store": { "sqlite": self.store() },
            "destinations": { "hook": {
                "use": "webhook",
                "url": self.receiver.url,
                "grants": { "private_addresses": true },
            } },
        });
        if let (Some(environment), Some(more)) = (environment.as_object_mut(), more.as_object()) {
            environment.extend(more.clone());
        }
        // JSON is YAML.
        self.write("environments/default.yaml", &environment.to_string());
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.rules().join(file), text).expect("a rule file");
    }

    /// Makes `index` with the fields that these tests use.
    pub(crate) async fn index(&self, index: &str) {
        let properties = json!({
            "Status": { "type": "integer" },
            "host": { "properties": { "name": { "type": "keyword" } } },
        });
        self.index_with(index, &properties).await;
    }

    /// Makes `index` with a time field and `properties`.
    pub(crate) async fn index_with(&self, index: &str, properties: &Value) {
        let mut properties = properties.clone();
        properties["@timestamp"] = json!({ "type": "date" });
        self.create(index, &json!({ "mappings": { "properties": properties } })).await;
    }

    /// Makes `index` as it is before its first document: it knows no field, not even the time.
    pub(crate) async fn bare_index(&self, index: &str) {
        self.create(index, &json!({})).await;
    }

    async fn create(&self, index: &str, body: &Value) {
        // It may be left from another test on a real server.
        self.no_index(index).await;
        let made = self.http.put(format!("{}/{index}", self.cluster)).json(body).send().await;
        let made = made.expect("the cluster answers");
        assert!(made.status().is_success(), "{}", made.text().await.unwrap_or_default());
    }

    /// Deletes `index`, if it is there.
    pub(crate) async fn no_index(&self, index: &str) {
        self.http.delete(format!("{}/{index}", self.cluster)).send().await.expect("the cluster answers");
    }

    /// Writes `documents`; one that names an `_id` has it.
    pub(crate) async fn documents(&self, index: &str, documents: &[Value]) {
        let mut bulk = String::new();
        for document in documents {
            let mut document = document.clone();
            let id = document.as_object_mut().and_then(|fields| fields.remove("_id"));
            let action = id.map_or(json!({}), |id| json!({ "_id": id }));
            bulk.push_str(&json!({ "index": action }).to_string());
            bulk.push('\n');
            bulk.push_str(&document.to_string());
            bulk.push('\n');
        }
        let request = self
            .http
            .post(format!("{}/{index}/_bulk?refresh=true", self.cluster))
            .header("content-type", "application/x-ndjson")
            .body(bulk);
        let answer: Value =
            request.send().await.expect("the cluster answers").json().await.expect("it answers with JSON");
        assert_eq!(answer["errors"], false, "{answer}");
    }

    /// Asks the cluster as an operator would: status and body.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let method = method.parse().expect("a method");
        let request = self.http.request(method, format!("{}{path}", self.cluster));
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await.expect("the cluster answers");
        (answer.status().as_u16(), answer.json().await.expect("it answers with JSON"))
    }

    pub(crate) fn start(&self) -> Host {
        self.start_with(&[], &[])
    }

    pub(crate) fn start_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Host {
        self.start_program(Path::new(PROGRAM), args, variables)
    }

    /// Starts a host that listens on `listen`.
    pub(crate) fn start_at(&self, listen: &str, args: &[&str], variables: &[(&str, &str)]) -> Host {
        self.start_listening((Path::new(PROGRAM), listen), args, variables)
    }

    /// Starts the program at `program`, which may be an older version of this one.
    pub(crate) fn start_program(&self, program: &Path, args: &[&str], variables: &[(&str, &str)]) -> Host {
        self.start_listening((program, "127.0.0.1:0"), args, variables)
    }

    /// Hosts write their standard output there, one after the other.
    fn stdout(&self) -> std::fs::File {
        let path = self.scratch.path().join("stdout");
        std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a file")
    }

    /// What hosts have written to their standard output.
    pub(crate) fn written(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("stdout")).expect("a file")
    }

    fn start_listening(
        &self,
        (program, listen): (&Path, &str),
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Host {
        let mut child = self
            .program(program)
            .args(["run", "--json", "--listen", listen, "--rules"])
            .arg(self.rules())
            .args(args)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(self.stdout())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stderr = child.stderr.take().expect("piped");
        let (lines, log) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut reader = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        Host { child, log, said: Vec::new() }
    }

    /// Runs a command to its end: exit code, standard output, standard error.
    pub(crate) async fn call(&self, args: &[&str]) -> (i32, String, String) {
        self.call_with(args, &[]).await
    }

    pub(crate) async fn call_with(&self, args: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
        let mut command = self.program(Path::new(PROGRAM));
        command.args(args).envs(variables.iter().copied());
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends").expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// Starts a command whose output is read while it runs.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.program(Path::new(PROGRAM));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.kill_on_drop(true).spawn().expect("the program starts")
    }

    /// Asks a host: status and body.
    pub(crate) async fn get(&self, address: &str, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("http://{address}{path}")).send().await.expect("the host answers");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    }

    /// Asks a host again and again, until its answer is as `wanted`.
    pub(crate) async fn get_until(
        &self,
        address: &str,
        path: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> (u16, String) {
        let asking = async {
            loop {
                let (code, body) = self.get(address, path).await;
                if wanted(&body) {
                    return (code, body);
                }
                tokio::task::yield_now().await;
            }
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(answer) => answer,
            Err(_) => panic!("{path} never answered so: {:?}", self.get(address, path).await),
        }
    }

    fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_remove("ENVIRONMENT").env("RUST_LOG", "info").env("NO_COLOR", "1");
        command.current_dir(self.scratch.path());
        command
    }
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let inbox = Arc::new(Inbox::default());
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let router = Router::new().route("/hook", post(take)).with_state((Arc::clone(&inbox), arrived));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inbox, arrivals }
    }

    /// Answers the next requests with `statuses`.
    pub(crate) fn will_answer(&self, statuses: &[u16]) {
        self.inbox.answers.lock().expect("no panic").extend(statuses);
    }

    /// Asks for a pause of so many seconds with every answer that is no success.
    pub(crate) fn will_ask_for_a_pause_of(&self, seconds: u64) {
        self.inbox.pause.store(seconds, Ordering::Relaxed);
    }

    pub(crate) fn got(&self) -> Vec<Arrival> {
        self.inbox.got.lock().expect("no panic").clone()
    }

    /// Waits until `wanted` holds of all that has arrived.
    pub(crate) async fn until(&mut self, what: &str, wanted: impl Fn(&[Arrival]) -> bool) -> Vec<Arrival> {
        let waiting = async {
            while !wanted(&self.got()) {
                self.arrivals.recv().await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("{what} did not arrive; got {:#?}", self.got());
        }
        self.got()
    }
}

async fn take(
    State((inbox, arrived)): State<(Arc<Inbox>, mpsc::UnboundedSender<()>)>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, HeaderMap) {
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    #[expect(clippy::disallowed_methods, reason = "receivers see when messages arrive")]
    let at = Instant::now();
    inbox.got.lock().expect("no panic").push(Arrival { at, headers, body });
    let _ = arrived.send(());
    let answer = inbox.answers.lock().expect("no panic").pop_front().unwrap_or(200);
    let pause = inbox.pause.load(Ordering::Relaxed);
    let headers = (pause > 0 && answer != 200).then(|| ("retry-after".parse().unwrap(), pause.into()));
    (StatusCode::from_u16(answer).expect("a status"), headers.into_iter().collect())
}

impl Host {
    /// Waits for a line of its log.
    pub(crate) async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            while let Some(line) = self.log.recv().await {
                self.said.push(line.clone());
                if let Some(entry) = serde_json::from_str(&line).ok().filter(|entry| wanted(entry)) {
                    return Some(entry);
                }
            }
            None
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(Some(entry)) => entry,
            Ok(None) => panic!("the host ended before {what}:\n{}", self.said.join("\n")),
            Err(_) => panic!("the host never said {what}:\n{}", self.said.join("\n")),
        }
    }

    /// Where it answers; it has said so, or will.
    pub(crate) async fn address(&mut self) -> String {
        let of = |line: &Value| -> Option<String> {
            let rest = line["message"].as_str()?.strip_prefix("listening on http://")?;
            rest.split(' ').next().map(str::to_owned)
        };
        let said = self.said.iter().find_map(|line| of(&serde_json::from_str(line).ok()?));
        match said {
            Some(address) => address,
            None => of(&self.until("where it listens", |line| of(line).is_some()).await).expect("an address"),
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").args([name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {name}");
    }

    /// The most memory that it has had resident so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// Waits for its end: the exit code, or `None` if a signal ended it.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let status = match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.expect("it can be waited for"),
            Err(_) => {
                while let Ok(line) = self.log.try_recv() {
                    self.said.push(line);
                }
                panic!("the host did not end:\n{}", self.said.join("\n"))
            }
        };
        while let Some(line) = self.log.recv().await {
            self.said.push(line);
        }
        status.code()
    }

    /// SIGTERM, and its exit code.
    pub(crate) async fn stop(&mut self) -> Option<i32> {
        self.signal("-TERM");
        self.ended().await
    }
}

/// Now, in milliseconds, to the second: what documents of a test are placed against.
pub(crate) fn now() -> i64 {
    watchbell::clock::wall().0 / 1_000 * 1_000
}

/// A request's log line.
pub(crate) fn hit(at: i64, status: u16, host: &str) -> Value {
    json!({ "@timestamp": watchbell::clock::rfc3339(watchbell_contract::Timestamp(at)), "Status": status, "host": { "name": host } })
}

/// The repository's top folder.
pub(crate) fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
