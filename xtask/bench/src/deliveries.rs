//! From a decision to its receiver, and from a document to its receiver, by the whole host at one destination with the
//! default concurrency.
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use watchbell_node::{Config, Node};
use watchbell_store::{IntentFilter, Read as _, Sqlite};

use crate::process::{now, pause, start_host};
use crate::table;

/// Messages that become due at once.
const BURST: usize = 2_000;
/// New keys a second, and for how many seconds.
const RATE: usize = 200;
const STEADY: usize = 30;
/// Seconds for which a rule with the defaults of a manifest gets a document of a new key each second.
const DEFAULTS: usize = 300;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// When each message came, in milliseconds since the epoch, by intent; and its key.
type Arrivals = Arc<Mutex<HashMap<String, (i64, String)>>>;

pub(crate) fn bench(runs: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut rates = Vec::new();
    for _ in 0..runs.min(5) {
        rates.push(runtime.block_on(burst())?);
    }
    table::head(&format!("{BURST} messages that are due at once at one destination"));
    table::Runs { name: "taken a second".into(), seconds: rates }.row("/s", |rate| rate);

    let mut spans = Vec::new();
    for _ in 0..runs.min(3) {
        spans.push(runtime.block_on(steady())?);
    }
    table::head(&format!("{RATE} messages a second at one destination: decided to received"));
    quantiles(&spans);

    let spans = runtime.block_on(defaults())?;
    table::head("a rule with a manifest's defaults (every minute): document searchable to received");
    quantiles(&[spans]);
    Ok(())
}

fn quantiles(runs: &[Vec<i64>]) {
    for (name, of) in [("p50", 50), ("p99", 99)] {
        let at = |spans: &Vec<i64>| spans[(spans.len() * of / 100).min(spans.len() - 1)] as f64 / 1e3;
        table::Runs { name: name.into(), seconds: runs.iter().map(at).collect() }.row("s", |span| span);
    }
}

/// How many messages a second the receiver gets.
async fn burst() -> Result<f64> {
    let mut world = World::new("1s", "1h").await?;
    world.documents(0..BURST).await?;
    world.start()?;
    world.until(BURST)?;
    let arrivals = world.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    let (first, last) =
        (arrivals.values().map(|(at, _)| at).min(), arrivals.values().map(|(at, _)| at).max());
    let span = last.zip(first).map_or(0, |(last, first)| last - first).max(1);
    Ok((BURST - 1) as f64 * 1e3 / span as f64)
}

/// How long after its decision each message came, in milliseconds, in order.
async fn steady() -> Result<Vec<i64>> {
    let mut world = World::new("1s", "1h").await?;
    world.documents(0..1).await?;
    world.start()?;
    world.until(1)?;
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    for second in 0..STEADY {
        beat.tick().await;
        world.documents(1 + second * RATE..1 + (second + 1) * RATE).await?;
    }
    let all = 1 + STEADY * RATE;
    world.until(all)?;
    // What was received is also known to the store, soon.
    let reader = Sqlite::open_reader(&world.folder.path().join("store.sqlite"))?;
    let rows_max = u32::try_from(all)?;
    let intents = reader.intents(&IntentFilter { rows_max, ..IntentFilter::default() })?;
    let arrivals = world.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    let mut spans: Vec<i64> = intents
        .iter()
        .filter_map(|intent| Some(arrivals.get(&intent.id.0)?.0 - intent.created_at.0))
        .collect();
    if spans.len() != all {
        bail!("the store knows {} of {all} messages", spans.len());
    }
    spans.sort_unstable();
    Ok(spans)
}

/// How long after it was searchable each document's message came, in milliseconds, in order.
async fn defaults() -> Result<Vec<i64>> {
    let mut world = World::new("", "5m").await?;
    world.documents(0..1).await?;
    world.start()?;
    let mut searchable = HashMap::new();
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    eprintln!("one document a second for {DEFAULTS} s");
    for key in 1..=DEFAULTS {
        beat.tick().await;
        world.documents(key..key + 1).await?;
        searchable.insert(format!("key-{key}"), now());
    }
    world.until(DEFAULTS)?;
    let arrivals = world.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    let mut spans: Vec<i64> =
        arrivals.values().filter_map(|(at, key)| Some(at - searchable.get(key)?)).collect();
    spans.sort_unstable();
    Ok(spans)
}

/// A node, a receiver and a host with one rule, which tells of each new key once.
struct World {
    folder: tempfile::TempDir,
    node: Node,
    http: reqwest::Client,
    arrivals: Arrivals,
    host: Option<Child>,
}

impl World {
    async fn new(every: &str, timeframe: &str) -> Result<Self> {
        let node = Node::start("127.0.0.1:0".parse()?, Config::default()).await?;
        let arrivals = Arrivals::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let receiver = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(take).with_state(Arc::clone(&arrivals));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let folder = tempfile::tempdir()?;
        write(folder.path(), &node.url(), &receiver, every, timeframe)?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let mappings = json!({ "mappings": { "properties": {
            "@timestamp": { "type": "date" }, "user": { "type": "keyword" },
        } } });
        let made = http.put(format!("{}/logs", node.url())).json(&mappings).send().await?;
        made.error_for_status()?;
        Ok(Self { folder, node, http, arrivals, host: None })
    }

    /// Writes a document of now for each of the keys; they are searchable when this returns.
    async fn documents(&self, keys: std::ops::Range<usize>) -> Result<()> {
        let at = jiff::Timestamp::now().to_string();
        let lines: String = keys
            .map(|key| {
                format!("{{\"index\":{{}}}}\n{}\n", json!({ "@timestamp": at, "user": format!("key-{key}") }))
            })
            .collect();
        let request = self.http.post(format!("{}/logs/_bulk?refresh=true", self.node.url()));
        let answer = request.header("content-type", "application/x-ndjson").body(lines).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        anyhow::ensure!(answer["errors"] == false, "{answer}");
        Ok(())
    }

    fn start(&mut self) -> Result<()> {
        self.host = Some(start_host(self.folder.path(), "warn")?);
        Ok(())
    }

    /// Waits until so many messages have come.
    fn until(&mut self, count: usize) -> Result<()> {
        let began = Instant::now();
        loop {
            let came = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).len();
            if came >= count {
                return Ok(());
            }
            let ended = self.host.as_mut().map(Child::try_wait).transpose()?.flatten();
            if ended.is_some() || began.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.path().join("log"))?;
                bail!("{came} of {count} messages came; the host ended: {ended:?}\n{log}");
            }
            pause(Duration::from_millis(20));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(host) = &mut self.host {
            let _ = host.kill();
            let _ = host.wait();
        }
    }
}

fn write(folder: &Path, cluster: &str, receiver: &str, every: &str, timeframe: &str) -> Result<()> {
    let rules = folder.join("rules");
    fs::create_dir_all(rules.join("environments"))?;
    let environment = json!({
        "clusters": { "main": { "nodes": [cluster] } },
        "store": { "sqlite": folder.join("store.sqlite") },
        "destinations": { "hook": {
            "use": "webhook", "url": receiver, "grants": { "private_addresses": true },
        } },
    });
    fs::write(rules.join("environments/default.yaml"), environment.to_string())?;
    let mut rule = json!({
        "name": "seen", "use": "frequency", "index": "logs", "key": ["user"], "limits": { "episodes": 10_000 },
        "params": { "num_events": 1, "timeframe": timeframe },
        "alert": { "title": "{{ labels.user }}", "to": ["hook"] },
    });
    if !every.is_empty() {
        rule["every"] = every.into();
        rule["delay"] = "0s".into();
        rule["lateness"] = "1s".into();
    }
    rule["lookback"] = "1m".into();
    fs::write(rules.join("seen.yaml"), rule.to_string())?;
    Ok(())
}

async fn take(State(arrivals): State<Arrivals>, headers: HeaderMap, body: String) -> &'static str {
    let at = now();
    let id = headers.get("idempotency-key").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let message: Value = serde_json::from_str(&body).unwrap_or_default();
    // The end of a key's episode is not measured.
    if matches!(message["cause"].as_str(), Some("opened" | "was")) {
        let key = message["labels"]["user"].as_str().unwrap_or_default();
        let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.entry(id.to_owned()).or_insert((at, key.to_owned()));
    }
    "ok"
}
