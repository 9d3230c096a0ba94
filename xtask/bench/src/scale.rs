//! Twenty thousand rules of a minute: how late their questions come, with nobody asking how the host is, and with health,
//! numbers and status asked ten times a second.
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};

use crate::process::{cost, now, pause, start_host};
use crate::table;

/// Questions: whose, and how late after their window was due, in milliseconds.
type Delays = Arc<Mutex<Vec<(String, i64)>>>;
/// Each rule's own shift, by which the host spreads its load: the least delay that it was seen at.
type Shifts = HashMap<String, i64>;

/// The rules' `delay`.
const DELAY: i64 = 1_000;
/// What each rule's filter begins with, so that its questions are known.
const OWN: &str = "rule:";
const PHASE: Duration = Duration::from_secs(60);
const ASKED: [&str; 4] = ["/livez", "/readyz", "/metrics", "/status"];

pub(crate) fn bench(rules: usize, runs: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let delays = Delays::default();
    let cluster = runtime.block_on(serve(Arc::clone(&delays)))?;
    let folder = tempfile::tempdir()?;
    write(folder.path(), &cluster, rules)?;
    let mut host = start_host(folder.path(), "warn,watchbell=info")?;
    let outcome = measure(&runtime, folder.path(), &mut host, &delays, rules, runs);
    // It may have ended by itself, which the measurement has told.
    let _ = host.kill();
    let _ = host.wait();
    outcome
}

fn measure(
    runtime: &tokio::runtime::Runtime,
    folder: &Path,
    host: &mut Child,
    delays: &Delays,
    rules: usize,
    runs: usize,
) -> Result<()> {
    let address = address(folder, host)?;
    eprintln!("{rules} rules are in force; this takes {} minutes", 2 * runs + 2);
    // A first minute fills caches and spreads the rules over it.
    pause(PHASE * 2);
    let mut shifts = Shifts::new();
    let mut quiet = Vec::new();
    let mut asked = Vec::new();
    let mut slowest = 0.0_f64;
    for _ in 0..runs {
        learn(&mut shifts, &take(delays));
        pause(PHASE);
        quiet.push(take(delays));
        slowest = slowest.max(runtime.block_on(ask(&address))?);
        asked.push(take(delays));
    }
    quiet.iter().chain(&asked).for_each(|delays| learn(&mut shifts, delays));
    let p99s =
        |phases: &[Vec<_>]| phases.iter().map(|delays| p99(delays, &shifts)).collect::<Result<Vec<_>>>();
    let (quiet, asked) = (p99s(&quiet)?, p99s(&asked)?);
    table::head(&format!("{rules} rules of a minute: due to question, p99, less each rule's own shift"));
    let quiet = table::Runs { name: "nobody asks".into(), seconds: quiet };
    let asked = table::Runs { name: "four pages asked ten times a second".into(), seconds: asked };
    quiet.row("s", |seconds| seconds);
    asked.row("s", |seconds| seconds);
    table::ratio("asked against not asked", &asked, &quiet);
    println!("  slowest answer of /livez: {slowest:.3} s");
    let cost = cost(host.id())?;
    println!("  peak resident memory: {:.1} MiB", cost.peak_mebibytes);
    Ok(())
}

fn take(delays: &Delays) -> Vec<(String, i64)> {
    std::mem::take(&mut *delays.lock().unwrap_or_else(PoisonError::into_inner))
}

fn learn(shifts: &mut Shifts, delays: &[(String, i64)]) {
    for (rule, delay) in delays {
        let least = shifts.entry(rule.clone()).or_insert(*delay);
        *least = (*least).min(*delay);
    }
}

fn p99(delays: &[(String, i64)], shifts: &Shifts) -> Result<f64> {
    let mut late: Vec<i64> = delays.iter().map(|(rule, delay)| delay - shifts[rule]).collect();
    if late.is_empty() {
        bail!("no rule asked anything within a minute");
    }
    late.sort_unstable();
    Ok(late[late.len() * 99 / 100] as f64 / 1e3)
}

/// Asks all pages ten times a second for a phase; the slowest answer about liveness, in seconds.
async fn ask(address: &str) -> Result<f64> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let until = Instant::now() + PHASE;
    let mut slowest = 0.0_f64;
    while Instant::now() < until {
        let next = Instant::now() + Duration::from_millis(100);
        for page in ASKED {
            let began = Instant::now();
            let answer = http.get(format!("http://{address}{page}")).send().await?;
            let alive = answer.status().is_success();
            let body = answer.bytes().await?;
            if page == "/livez" {
                slowest = slowest.max(began.elapsed().as_secs_f64());
                if !alive {
                    bail!("the host says that it is stuck: {}", String::from_utf8_lossy(&body));
                }
            }
        }
        tokio::time::sleep(next.saturating_duration_since(Instant::now())).await;
    }
    Ok(slowest)
}

fn write(folder: &Path, cluster: &str, rules: usize) -> Result<()> {
    let rules_folder = folder.join("rules");
    fs::create_dir_all(rules_folder.join("environments"))?;
    let environment = json!({
        "clusters": { "main": { "nodes": [cluster], "concurrency": 32 } },
        "store": { "sqlite": folder.join("store.sqlite") },
    });
    fs::write(rules_folder.join("environments/default.yaml"), environment.to_string())?;
    for rule in 0..rules {
        let manifest = json!({
            "name": format!("rule-{rule}"), "use": "any", "index": "logs", "every": "1m",
            "filter": format!("{OWN}{rule}"), "delay": format!("{DELAY}ms"), "lateness": "0s", "params": {},
        });
        fs::write(rules_folder.join(format!("rule-{rule}.yaml")), manifest.to_string())?;
    }
    Ok(())
}

/// Where the host listens, once it says so.
fn address(folder: &Path, host: &mut Child) -> Result<String> {
    let began = Instant::now();
    loop {
        let log = fs::read_to_string(folder.join("log"))?;
        let listening = log.lines().find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let rest = line["message"].as_str()?.strip_prefix("listening on http://")?.to_owned();
            Some(rest.split(' ').next().unwrap_or_default().to_owned())
        });
        if let Some(address) = listening {
            return Ok(address);
        }
        if let Some(status) = host.try_wait()? {
            bail!("the host exited unexpectedly ({status}):\n{log}");
        }
        if began.elapsed() > Duration::from_secs(300) {
            bail!("the host did not start within five minutes:\n{log}");
        }
        pause(Duration::from_millis(100));
    }
}

/// A cluster that has nothing to say and says it at once, so that what is measured is the host.
async fn serve(delays: Delays) -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(answer).with_state(delays);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

async fn answer(State(delays): State<Delays>, uri: Uri, body: Bytes) -> axum::Json<Value> {
    let path = uri.path();
    axum::Json(if path.ends_with("/_field_caps") {
        let date = json!({ "date": { "type": "date", "searchable": true, "aggregatable": true } });
        json!({ "indices": ["logs"], "fields": { "@timestamp": date } })
    } else if path.ends_with("/_search") {
        if let Some((rule, due)) = question(&body) {
            delays.lock().unwrap_or_else(PoisonError::into_inner).push((rule, now() - due));
        }
        json!({
            "took": 0, "timed_out": false,
            "_shards": { "total": 1, "successful": 1, "skipped": 0, "failed": 0 },
            "hits": { "total": { "value": 0, "relation": "eq" }, "max_score": null, "hits": [] },
        })
    } else {
        json!({ "version": { "number": "7.10.2" }, "cluster_name": "bench" })
    })
}

/// Whose question it is, and when it could be asked: its window's end and the rule's delay.
fn question(body: &[u8]) -> Option<(String, i64)> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(OWN)?;
    let rule = rest.chars().take_while(char::is_ascii_digit).collect();
    let body: Value = serde_json::from_str(text).ok()?;
    Some((rule, end(&body)? + DELAY))
}

/// The upper bound of the range of time, wherever it stands in the query.
fn end(value: &Value) -> Option<i64> {
    match value {
        Value::Object(object) => match object.get("range").and_then(|range| range.get("@timestamp")) {
            Some(range) => range["lt"].as_i64(),
            None => object.values().find_map(end),
        },
        Value::Array(values) => values.iter().find_map(end),
        _ => None,
    }
}
