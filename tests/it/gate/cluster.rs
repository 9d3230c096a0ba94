//! Three nodes, a few indices, and whatever a server does wrong.
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

pub(crate) struct Cluster {
    pub(crate) url: String,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Misdeed {
    Status(u16),
    NoMaster,
    /// The connection ends in the middle of a body.
    Cut,
    Html,
    Body(Value),
}

#[derive(Default)]
struct Inner {
    misdeeds: VecDeque<Misdeed>,
    always: Option<Misdeed>,
    indices: BTreeMap<String, Index>,
    settings: Map<String, Value>,
    assign_when_explained: bool,
    /// So many calls from the next explanation on find no master.
    masterless: usize,
    masterless_left: usize,
    explain_with: Option<Value>,
    explained: usize,
    under_way: usize,
    under_way_most: usize,
    authorization: Option<String>,
}

/// One shard: a primary on `a`, a replica on `b`.
struct Index {
    primary: &'static str,
    replica: &'static str,
    /// Why `b` does not take it.
    decider: String,
}

impl Default for Index {
    fn default() -> Self {
        Self { primary: "STARTED", replica: "STARTED", decider: String::new() }
    }
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut inner = Inner::default();
        inner.indices.insert("books".into(), Index::default());
        let inner = Arc::new(Mutex::new(inner));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic")
    }

    /// Each of these once, request by request.
    pub(crate) fn misbehave(&self, misdeeds: &[Misdeed]) {
        self.lock().misdeeds.extend(misdeeds.iter().cloned());
    }

    pub(crate) fn misdeeds_left(&self) -> usize {
        self.lock().misdeeds.len()
    }

    pub(crate) fn always(&self, misdeed: Misdeed) {
        self.lock().always = Some(misdeed);
    }

    pub(crate) fn unassign(&self, index: &str, decider: &str) {
        let unassigned = Index { replica: "UNASSIGNED", decider: decider.into(), ..Index::default() };
        self.lock().indices.insert(index.into(), unassigned);
    }

    pub(crate) fn unassign_many(&self, count: usize) {
        for at in 0..count {
            self.unassign(&format!("many-{at:05}"), "node_version");
        }
    }

    pub(crate) fn block(&self, index: &str, decider: &str) {
        self.unassign(index, decider);
        let mut inner = self.lock();
        (inner.explained, inner.under_way_most) = (0, 0);
    }

    pub(crate) fn lose(&self, index: &str) {
        let lost = Index { primary: "UNASSIGNED", replica: "STARTED", ..Index::default() };
        self.lock().indices.insert(index.into(), lost);
    }

    pub(crate) fn relocate(&self, index: &str) {
        self.lock().indices.insert(index.into(), Index { replica: "RELOCATING", ..Index::default() });
    }

    /// By the time that it is asked why, the replicas have their nodes.
    pub(crate) fn assign_when_explained(&self) {
        self.lock().assign_when_explained = true;
    }

    pub(crate) fn lose_master_when_explained(&self, calls: usize) {
        self.lock().masterless = calls;
    }

    pub(crate) fn explain_with(&self, answer: Value) {
        self.lock().explain_with = Some(answer);
    }

    /// How many shards were explained, and how many at once at most.
    pub(crate) fn explained(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.explained, inner.under_way_most)
    }

    pub(crate) fn authorization(&self) -> Option<String> {
        self.lock().authorization.clone()
    }

    pub(crate) fn settings(&self) -> Value {
        Value::Object(self.lock().settings.clone())
    }

    pub(crate) fn setting(&self, name: &str) -> Value {
        self.lock().settings.get(name).cloned().unwrap_or_default()
    }

    pub(crate) async fn health(&self) -> StatusCode {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        client.get(format!("{}/_cluster/health", self.url)).send().await.expect("an answer").status()
    }
}

async fn answer(
    State(shared): State<Arc<Mutex<Inner>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let explains = uri.path() == "/_cluster/allocation/explain";
    let misdeed = {
        let mut inner = shared.lock().expect("no panic");
        let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
        inner.authorization = authorization.map(str::to_owned);
        if explains {
            inner.masterless_left += std::mem::take(&mut inner.masterless);
            inner.under_way += 1;
            inner.under_way_most = inner.under_way_most.max(inner.under_way);
        }
        let masterless = inner.masterless_left > 0;
        inner.masterless_left = inner.masterless_left.saturating_sub(1);
        let next = inner.misdeeds.pop_front().or_else(|| inner.always.clone());
        next.or(masterless.then_some(Misdeed::NoMaster))
    };
    if explains {
        // Others that are under way get their turn.
        tokio::task::yield_now().await;
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut inner = shared.lock().expect("no panic");
    if explains {
        inner.under_way -= 1;
    }
    match misdeed {
        Some(misdeed) => misdeed.answer(),
        None => {
            let (status, answer) = inner.route(&method, uri.path(), &body);
            respond(status, "application/json", answer.to_string().into())
        }
    }
}

impl Misdeed {
    fn answer(self) -> Response {
        let error = |status: u16, kind: &str| {
            let body = json!({ "error": { "type": kind, "reason": "on purpose" }, "status": status });
            respond(status, "application/json", body.to_string().into())
        };
        match self {
            Self::Status(429) => error(429, "es_rejected_execution_exception"),
            Self::Status(status) => error(status, "some_exception"),
            Self::NoMaster => error(503, "master_not_discovered_exception"),
            Self::Cut => {
                let cut = futures::stream::iter([Ok(Bytes::from("{\"clus")), Err("gone")]);
                respond(200, "application/json", Body::from_stream(cut))
            }
            Self::Html => respond(200, "text/html", "<html>Sign in</html>".into()),
            Self::Body(body) => respond(200, "application/json", body.to_string().into()),
        }
    }
}

fn respond(status: u16, kind: &str, body: Body) -> Response {
    Response::builder().status(status).header("content-type", kind).body(body).expect("a response")
}

impl Inner {
    fn route(&mut self, method: &Method, path: &str, body: &Value) -> (u16, Value) {
        match path {
            "/_cluster/settings" if method == Method::PUT => {
                for (name, value) in body["persistent"].as_object().into_iter().flatten() {
                    match value {
                        Value::Null => _ = self.settings.remove(name),
                        value => _ = self.settings.insert(name.clone(), value.clone()),
                    }
                }
                (200, json!({ "acknowledged": true }))
            }
            "/_cluster/settings" => {
                let defaults = json!({ "cluster.routing.allocation.disk.threshold_enabled": "false" });
                (200, json!({ "persistent": self.settings, "transient": {}, "defaults": defaults }))
            }
            "/_cluster/pending_tasks" => (200, json!({ "tasks": [] })),
            "/_cluster/health" => (200, self.health()),
            "/_cluster/allocation/explain" => self.explain(body),
            "/_nodes/http" => (
                200,
                nodes(|name| {
                    json!({
                        "name": name, "version": if name == "b" { "7.8.1" } else { "7.8.0" },
                        "roles": if name == "c" { json!(["data"]) } else { json!(["data", "master"]) },
                    })
                }),
            ),
            path if path.starts_with("/_nodes/stats/") => (
                200,
                nodes(|name| {
                    json!({
                        "name": name, "indices": { "store": { "size_in_bytes": 0 } },
                        "fs": { "total": { "total_in_bytes": 100, "available_in_bytes": 90 } },
                    })
                }),
            ),
            path if path.starts_with("/_cluster/state/") => (200, self.state()),
            other => (404, json!({ "error": format!("no handler found for uri [{other}]") })),
        }
    }

    fn state(&self) -> Value {
        let copy = |index: &str, primary: bool, state: &str| {
            let node = if primary { "id-a" } else { "id-b" };
            let node = (state != "UNASSIGNED").then_some(node);
            let to = (state == "RELOCATING").then_some("id-c");
            json!({ "index": index, "shard": 0, "primary": primary, "state": state, "node": node,
                "relocating_node": to })
        };
        let routing: Map<String, Value> = self
            .indices
            .iter()
            .map(|(name, index)| {
                let copies = [copy(name, true, index.primary), copy(name, false, index.replica)];
                (name.clone(), json!({ "shards": { "0": copies } }))
            })
            .collect();
        let settings = json!({ "settings": { "index": { "number_of_replicas": "1" } } });
        let indices: Map<String, Value> =
            self.indices.keys().map(|name| (name.clone(), settings.clone())).collect();
        let voters = json!(["id-a", "id-b", "id-v"]);
        let mut state = nodes(|name| json!({ "name": name, "ephemeral_id": name }));
        state["nodes"]["id-v"] = json!({ "name": "v", "ephemeral_id": "v" });
        state["master_node"] = "id-a".into();
        state["metadata"] = json!({
            "cluster_coordination": { "last_committed_config": voters, "last_accepted_config": voters },
            "indices": indices,
        });
        state["routing_table"] = json!({ "indices": routing });
        state
    }

    fn health(&self) -> Value {
        let states: Vec<&str> =
            self.indices.values().flat_map(|index| [index.primary, index.replica]).collect();
        let count = |state: &str| states.iter().filter(|one| **one == state).count();
        let red = self.indices.values().any(|index| index.primary == "UNASSIGNED");
        let status = if red {
            "red"
        } else if count("UNASSIGNED") > 0 {
            "yellow"
        } else {
            "green"
        };
        json!({
            "cluster_name": "fake", "status": status, "timed_out": false, "number_of_nodes": 4,
            "active_shards": count("STARTED") + count("RELOCATING"), "relocating_shards": count("RELOCATING"),
            "initializing_shards": 0, "unassigned_shards": count("UNASSIGNED"), "number_of_pending_tasks": 0,
        })
    }

    fn explain(&mut self, body: &Value) -> (u16, Value) {
        self.explained += 1;
        if let Some(answer) = &self.explain_with {
            return (200, answer.clone());
        }
        if std::mem::take(&mut self.assign_when_explained) {
            self.indices.values_mut().for_each(|index| index.replica = "STARTED");
        }
        let (name, primary) = (body["index"].as_str().unwrap_or_default(), body["primary"] == true);
        let Some(index) = self.indices.get(name) else {
            let error = json!({ "type": "index_not_found_exception", "reason": "no such index" });
            return (404, json!({ "error": error, "status": 404 }));
        };
        let state = if primary { index.primary } else { index.replica };
        let mut answer = json!({ "index": name, "shard": 0, "primary": primary,
            "current_state": state.to_lowercase() });
        if state != "UNASSIGNED" {
            return (200, answer);
        }
        let node = |name: &str, decider: &str| {
            let deciders = [json!({ "decider": decider, "decision": "NO", "explanation": "on purpose" })];
            json!({ "node_id": format!("id-{name}"), "node_name": name, "node_decision": "no",
                "deciders": deciders })
        };
        let decider = if primary { "filter" } else { index.decider.as_str() };
        answer["can_allocate"] = "no".into();
        answer["node_allocation_decisions"] =
            json!([node("a", "same_shard"), node("b", decider), node("c", "awareness")]);
        (200, answer)
    }
}

/// What `of` says of each of the data nodes; `v` only votes.
fn nodes(of: impl Fn(&str) -> Value) -> Value {
    let mut nodes: Map<String, Value> =
        ["a", "b", "c"].iter().map(|name| (format!("id-{name}"), of(name))).collect();
    let voter = json!({ "name": "v", "version": "7.10.2", "roles": ["master", "voting_only"] });
    nodes.insert("id-v".into(), voter);
    json!({ "cluster_name": "fake", "cluster_uuid": "u", "nodes": nodes })
}
