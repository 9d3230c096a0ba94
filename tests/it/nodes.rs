//! Clusters of real nodes, each a JVM of its own, which a test starts, stops and upgrades.
pub(crate) mod script; // a cluster's situation, written as one would type it

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Far more than a node takes on a busy machine.
const START_MAX: Duration = Duration::from_secs(150);

/// What a cluster is to come to; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How each server is started, by its name and version: `elasticsearch-7.8.1`.
pub(crate) type Programs = BTreeMap<String, Program>;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Program {
    java: String,
    arguments: Vec<String>,
}

/// Between two looks at what nothing announces.
const LOOK: Duration = Duration::from_millis(100);

/// The programs at hand with `needed` among them; else the test is told as skipped.
pub(crate) fn programs(test: &str, needed: &[&str]) -> Option<Programs> {
    let programs: Programs = match std::env::var_os("WATCHBELL_NODES") {
        Some(file) => {
            let text = fs::read_to_string(&file).expect("the file that WATCHBELL_NODES names");
            serde_json::from_str(&text).expect("a map of programs")
        }
        None => Programs::new(),
    };
    if needed.iter().all(|key| programs.contains_key(*key)) {
        return Some(programs);
    }
    println!("skipped: {test} on nodes");
    None
}

/// The nodes of one cluster. They end when this is dropped.
pub(crate) struct Nodes {
    programs: Programs,
    scratch: tempfile::TempDir,
    members: BTreeMap<String, Member>,
    http: reqwest::Client,
    masters: Vec<String>,
}

struct Member {
    server: String,
    settings: Vec<(String, String)>,
    http: u16,
    transport: u16,
    child: Option<Child>,
}

/// A node to start.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    /// Of [`Programs`].
    pub(crate) server: String,
    pub(crate) master: bool,
    pub(crate) settings: Vec<(String, String)>,
}

impl Nodes {
    pub(crate) fn new(programs: Programs) -> Self {
        Self {
            programs,
            scratch: tempfile::tempdir().expect("a temporary folder"),
            members: BTreeMap::new(),
            http: reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client"),
            masters: Vec::new(),
        }
    }

    /// Starts nodes side by side and waits until each knows a master. The first call decides who may be the first one.
    pub(crate) async fn start(&mut self, plans: &[Plan]) {
        if self.members.is_empty() {
            self.masters = plans.iter().filter(|plan| plan.master).map(|plan| plan.name.clone()).collect();
        }
        for plan in plans {
            let mut settings = plan.settings.clone();
            if !plan.master {
                settings.extend(without_master(&plan.server));
            }
            let (http, transport) = free_ports();
            let server = plan.server.clone();
            let member = Member { server, settings, http, transport, child: None };
            self.members.insert(plan.name.clone(), member);
        }
        let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
        for name in &names {
            self.launch(name);
        }
        for name in &names {
            self.ready(name).await;
        }
    }

    /// Starts a stopped node again on its data, as `server` if another one is given.
    pub(crate) async fn restart(&mut self, name: &str, server: Option<&str>) {
        let member = self.members.get_mut(name).expect("a node of this cluster");
        if let Some(server) = server {
            server.clone_into(&mut member.server);
        }
        self.launch(name);
        self.ready(name).await;
    }

    fn launch(&mut self, name: &str) {
        let seeds: Vec<String> =
            self.members.values().map(|member| format!("127.0.0.1:{}", member.transport)).collect();
        let home = self.home(name);
        fs::create_dir_all(&home).expect("a folder");
        let log = File::create(self.log(name)).expect("a log");
        let member = self.members.get_mut(name).expect("a node of this cluster");
        let program = self.programs.get(&member.server).expect("a server that can be started");
        let mut settings = vec![
            ("cluster.name".to_owned(), "upgrades".to_owned()),
            ("node.name".to_owned(), name.to_owned()),
            ("discovery.seed_hosts".to_owned(), seeds.join(",")),
            ("cluster.initial_master_nodes".to_owned(), self.masters.join(",")),
            // Disks are looked at each half minute by default.
            ("cluster.info.update.interval".to_owned(), "10s".to_owned()),
        ];
        // The disk of the machine that tests run on is nobody's business; a full one is made on purpose.
        for (mark, free) in [("low", "64mb"), ("high", "32mb"), ("flood_stage", "16mb")] {
            settings.push((format!("cluster.routing.allocation.disk.watermark.{mark}"), free.to_owned()));
        }
        settings.extend(member.settings.iter().cloned());
        let child = Command::new(&program.java)
            .args(["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(&program.arguments)
            .args([member.http.to_string(), member.transport.to_string()])
            .arg(&home)
            .args(settings.iter().map(|(key, value)| format!("{key}={value}")))
            .current_dir(&home)
            // The node ends when this pipe does.
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("java starts");
        member.child = Some(child);
    }

    async fn ready(&mut self, name: &str) {
        let log = self.log(name);
        let child =
            self.members.get_mut(name).and_then(|member| member.child.as_mut()).expect("a started node");
        // The log is a file; nothing tells when it grows.
        let mut looks = tokio::time::interval(LOOK);
        let reading = async {
            loop {
                looks.tick().await;
                let said = fs::read_to_string(&log).unwrap_or_default();
                if said.contains("READY http") {
                    return;
                }
                if let Ok(Some(status)) = child.try_wait() {
                    panic!("{name} ended with {status}:\n{}", tail(&said));
                }
            }
        };
        if timeout(START_MAX, reading).await.is_err() {
            panic!("{name} did not start:\n{}", tail(&fs::read_to_string(&log).unwrap_or_default()));
        }
    }

    /// `kill -9`; its data stay.
    pub(crate) async fn stop(&mut self, name: &str) {
        let member = self.members.get_mut(name).expect("a node of this cluster");
        let mut child = member.child.take().expect("a node that runs");
        child.kill().await.expect("it ends");
    }

    /// Where all nodes of this cluster live.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    pub(crate) fn home(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.scratch.path().join(format!("{name}.log"))
    }

    /// The address of a node.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.members[name].http)
    }

    /// The address of a node that runs.
    pub(crate) fn any_url(&self) -> String {
        let running = self.members.iter().find(|(_, member)| member.child.is_some());
        self.url(running.expect("a node that runs").0)
    }

    /// Asks a node that runs; status and body, which is a text where it is not JSON.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.any_url()));
        if let Some(body) = body {
            let kind = if path.contains("_bulk") { "application/x-ndjson" } else { "application/json" };
            request = request.header("content-type", kind).body(body.to_owned());
        }
        let answer = request.send().await.expect("the cluster answers");
        let status = answer.status().as_u16();
        let body = answer.text().await.expect("a body");
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// The same, where anything but success fails the test.
    pub(crate) async fn get(&self, method: &str, path: &str, body: Option<&str>) -> Value {
        let (status, answer) = self.ask(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Asks until the answer is as `wanted`.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut looks = tokio::time::interval(LOOK);
        let asking = async {
            loop {
                looks.tick().await;
                let (_, answer) = self.ask("GET", path, None).await;
                if wanted(&answer) {
                    return answer;
                }
            }
        };
        match timeout(PATIENCE, asking).await {
            Ok(answer) => answer,
            Err(_) => panic!("{path} never answered so: {:#}", self.ask("GET", path, None).await.1),
        }
    }
}

/// How a node says that it will not be master: a setting of its own before 7.9, a list of roles since.
fn without_master(server: &str) -> Vec<(String, String)> {
    let (product, version) = server.split_once('-').expect("a name and a version");
    let parts: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    let lists_roles = product == "elasticsearch" && parts >= vec![7, 9] || product == "opensearch";
    let setting = if lists_roles { ("node.roles", "data") } else { ("node.master", "false") };
    vec![(setting.0.to_owned(), setting.1.to_owned())]
}

/// Two ports that nobody listens on. Held together, so that they differ.
fn free_ports() -> (u16, u16) {
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (one, other) = (listen(), listen());
    (one.local_addr().expect("an address").port(), other.local_addr().expect("an address").port())
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
