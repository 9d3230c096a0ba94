use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::corpus::{self, Corpus, INDEX, SPAN};
use crate::process::{Cost, cost, pause};
use crate::{Work, given, table};

/// Of the rate at which the server hands over what nobody parses.
const UNPARSED_GOAL: f64 = 0.9;

/// What one whole host did with all documents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) documents: u64,
    pub(crate) cost: Cost,
    /// Of the run, as the host measured it.
    pub(crate) run_seconds: f64,
    /// Of the whole process, from its start to the commit.
    pub(crate) wall_seconds: f64,
}

/// Frequency by key over raw hits, and the server's own rate beside it.
pub(crate) fn bench(work: &Work) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let url = work.server()?;
    let corpus = runtime.block_on(corpus::write(&url, work.documents))?;
    let outcome = measure(work, &url, corpus, &runtime)?;
    messages(&url, corpus, work.documents / corpus::HOSTS * 4 / 5)?;
    Ok(outcome)
}

/// What the rule does with what it reads.
#[derive(Clone, Copy)]
enum Firing {
    /// No host is that busy: what is measured is the reading, not the alerting.
    Never,
    /// Every host, once it has had so many events; messages without documents.
    Bare(u64),
    /// The same with as many documents as a run fetches.
    WithDocuments(u64),
}

/// What it costs to fetch documents for messages.
fn messages(url: &str, corpus: Corpus, events: u64) -> Result<()> {
    let mut without = Vec::new();
    let mut with = Vec::new();
    for _ in 0..3 {
        without.push(run_host(url, corpus, Firing::Bare(events))?);
        with.push(run_host(url, corpus, Firing::WithDocuments(events))?);
    }
    table::head("a thousand keys that fire at once, their messages without documents and with twenty");
    for (name, outcomes) in [("without", &without), ("with", &with)] {
        let row = |what: &str, unit: &str, figure: &dyn Fn(&Outcome) -> f64| {
            let seconds = outcomes.iter().map(figure).collect();
            table::Runs { name: format!("{name} documents: {what}"), seconds }.row(unit, |figure| figure);
        };
        row("CPU", "s", &|outcome| outcome.cost.cpu_seconds);
        row("the run", "s", &|outcome| outcome.run_seconds);
        row("peak resident memory", "MiB", &|outcome| outcome.cost.peak_mebibytes);
    }
    Ok(())
}

pub(crate) fn measure(
    work: &Work,
    url: &str,
    corpus: Corpus,
    runtime: &tokio::runtime::Runtime,
) -> Result<Outcome> {
    let mut unparsed = Vec::new();
    let mut outcomes = Vec::new();
    // The first host compiles its modules into the cache, which happens once in a module's life.
    run_host(url, corpus, Firing::Never)?;
    // In turns, so that the server is equally warm for both.
    for _ in 0..3 {
        unparsed.push(runtime.block_on(read_unparsed(url))?);
        outcomes.push(run_host(url, corpus, Firing::Never)?);
    }
    table::head(&format!(
        "the whole host: {} documents of 0.9 KB, frequency by host.name over raw hits",
        work.documents
    ));
    let of = |name: &str, figure: &dyn Fn(&Outcome) -> f64| table::Runs {
        name: name.into(),
        seconds: outcomes.iter().map(figure).collect(),
    };
    of("documents per CPU second", &|outcome| outcome.documents as f64 / outcome.cost.cpu_seconds)
        .row("1/s", |rate| rate);
    of("documents per second of the run", &|outcome| outcome.documents as f64 / outcome.run_seconds)
        .row("1/s", |rate| rate);
    let bare = table::Runs { name: "the server's rate, unparsed".into(), seconds: unparsed.clone() };
    bare.row("1/s", |rate| rate);
    let against: Vec<f64> = outcomes
        .iter()
        .zip(&unparsed)
        .map(|(outcome, rate)| outcome.documents as f64 / outcome.run_seconds / rate)
        .collect();
    let against = table::Runs { name: "of the server's unparsed rate".into(), seconds: against };
    against.row("x", |ratio| ratio);
    table::goal("of the server's unparsed rate", against.median(), UNPARSED_GOAL);
    of("peak resident memory", &|outcome| outcome.cost.peak_mebibytes).row("MiB", |size| size);
    outcomes.sort_by(|a, b| a.cost.cpu_seconds.total_cmp(&b.cost.cpu_seconds));
    Ok(outcomes[outcomes.len() / 2])
}

/// Documents a second when the pages that the host asks for are read and thrown away.
async fn read_unparsed(url: &str) -> Result<f64> {
    let http = corpus::client()?;
    let search = json!({
        "size": 10_000, "_source": false,
        "docvalue_fields": [{ "field": "host.name" }],
        "sort": [{ "@timestamp": { "order": "asc" } }],
    });
    let began = Instant::now();
    let mut body = http
        .post(format!("{url}/{INDEX}/_search?scroll=1m"))
        .json(&search)
        .send()
        .await?
        .error_for_status()?
        .bytes()
        .await?;
    // The id stands at the front: it is cut out, so that nothing else of the answer is looked at.
    let id = String::from_utf8_lossy(&body[..body.len().min(4_096)])
        .split("\"_scroll_id\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .map(str::to_owned)
        .context("the server gave no scroll id")?;
    let mut documents = 0_u64;
    loop {
        // A page without hits is a few hundred bytes.
        if body.len() < 1_000 {
            break;
        }
        documents += hits(&body);
        let next = json!({ "scroll": "1m", "scroll_id": id });
        let answer =
            http.post(format!("{url}/_search/scroll")).json(&next).send().await?.error_for_status()?;
        body = answer.bytes().await?;
    }
    let rate = documents as f64 / began.elapsed().as_secs_f64();
    http.delete(format!("{url}/_search/scroll")).json(&json!({ "scroll_id": id })).send().await?;
    Ok(rate)
}

/// Hits in a page, counted without parsing it.
fn hits(body: &[u8]) -> u64 {
    memchr::memmem::find_iter(body, b"\"sort\"").count() as u64
}

/// One host over all documents, from its start to its commit.
fn run_host(url: &str, corpus: Corpus, firing: Firing) -> Result<Outcome> {
    let scratch = tempfile::tempdir()?;
    let rules = scratch.path().join("rules");
    write_rules(&rules, url, corpus, firing)?;
    let mut host = Command::new(given("WATCHBELL_BIN")?)
        .args(["run", "--json", "--listen", "127.0.0.1:0", "--rules"])
        .arg(&rules)
        .arg("--store")
        .arg(scratch.path().join("bench.sqlite"))
        .env("RUST_LOG", "info")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(scratch.path().join("log"))?)
        .spawn()?;
    let outcome = watch(&mut host, &scratch.path().join("log"));
    let _ = host.kill();
    let _ = host.wait();
    outcome
}

/// Waits for the line that says the window was committed.
fn watch(host: &mut Child, log: &Path) -> Result<Outcome> {
    let began = Instant::now();
    loop {
        pause(Duration::from_millis(20));
        let so_far = cost(host.id());
        let lines = std::fs::read_to_string(log)?;
        let big = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|line| {
            line["outcome"] == "committed" && line["rows"].as_u64().is_some_and(|rows| rows > 1_000)
        });
        if let Some(line) = big {
            return Ok(Outcome {
                documents: line["rows"].as_u64().unwrap_or(0),
                cost: so_far?,
                run_seconds: line["took_ms"].as_f64().unwrap_or(f64::NAN) / 1e3,
                wall_seconds: began.elapsed().as_secs_f64(),
            });
        }
        if let Some(status) = host.try_wait()? {
            bail!("the host exited unexpectedly ({status}):\n{lines}");
        }
        if began.elapsed() > Duration::from_secs(120) {
            bail!("the host did not finish within 120 s:\n{lines}");
        }
    }
}

fn write_rules(rules: &Path, url: &str, corpus: Corpus, firing: Firing) -> Result<()> {
    std::fs::create_dir_all(rules.join("environments"))?;
    // Nobody listens there: messages are written, but not received.
    let nobody =
        json!({ "use": "slack", "url": "http://127.0.0.1:9/", "grants": { "private_addresses": true } });
    let environment = json!({
        "clusters": { "main": { "nodes": [url] } }, "store": { "sqlite": "unused.sqlite" },
        "destinations": { "nobody": nobody },
    });
    std::fs::write(rules.join("environments/default.yaml"), environment.to_string())?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() as i64;
    let lookback = (now - corpus.start) / 1_000 + 60;
    let (events, timeframe, alert) = match firing {
        Firing::Never => (100_000, "1m", ""),
        Firing::Bare(events) => (events, "1h", "alert: { to: [nobody], body: \"{{ details.count }}\" }\n"),
        Firing::WithDocuments(events) => {
            (events, "1h", "alert: { to: [nobody], body: \"{{ document.message }}\" }\n")
        }
    };
    let rule = format!(
        "name: bench\nuse: frequency\nindex: {INDEX}\nevery: 1m\nlookback: {lookback}s\nwindow_max: {}m\n\
         key: [host.name]\nparams: {{ num_events: {events}, timeframe: {timeframe} }}\n{alert}",
        SPAN / 60_000 * 2
    );
    std::fs::write(rules.join("bench.yaml"), rule)?;
    Ok(())
}
