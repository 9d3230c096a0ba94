//! The embedded node against a real server: a query string with as many leading wildcards as one may have.
//!
//! Each of the same documents, over HTTP; the node of one process with the measurement, the server with a heap of its own.
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use watchbell_node::{Config, Node};

use crate::table::{Runs, goal, head, ratio};

const INDEX: &str = "bench-node";
/// As the issue has it.
const DOCUMENTS: u64 = 100_000;
/// So many different words have the texts, about as logs do: a server asks each pattern of each word once.
const WORDS: u64 = 5_000;
/// Below `indices.query.bool.max_clause_count`, which is 1,024.
const WILDCARDS: u64 = 1_000;
const BULK: u64 = 5_000;

/// What the wildcards are asked of, and what they look like.
struct Question {
    name: &'static str,
    field: &'static str,
    pattern: fn(u64) -> String,
}

const QUESTIONS: &[Question] = &[
    Question { name: "*word* of a keyword", field: "path", pattern: |seed| format!("*{}*", word(seed)) },
    Question { name: "*word of a keyword", field: "path", pattern: |seed| format!("*{}", word(seed)) },
    Question {
        name: "*word*word* of a keyword",
        field: "path",
        pattern: |seed| format!("*{}*{}*", word(seed), &word(seed + 1)[..3]),
    },
    Question { name: "*word* of a text", field: "message", pattern: |seed| format!("*{}*", word(seed)) },
];

pub(crate) fn bench(runs: usize, servers: &[(String, String)]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(runs.max(5), servers))
}

/// The servers that `WATCHBELL_SERVERS` names, or the one that was given.
pub(crate) fn servers(given: Option<&str>) -> Result<Vec<(String, String)>> {
    let named = match given {
        Some(url) => format!("server={url}"),
        None => std::env::var("WATCHBELL_SERVERS").unwrap_or_default(),
    };
    let pairs = named.split(',').filter_map(|pair| pair.split_once('='));
    let servers: Vec<(String, String)> =
        pairs.map(|(name, url)| (name.to_owned(), url.trim_end_matches('/').to_owned())).collect();
    if servers.is_empty() {
        bail!("no server: run it with `cargo xtask bench node`, or pass `--cluster URL`");
    }
    Ok(servers)
}

async fn measure(runs: usize, servers: &[(String, String)]) -> Result<()> {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(300)).build()?;
    let node = Node::start(([127, 0, 0, 1], 0).into(), Config::default()).await?;
    let url = node.url();
    write(&http, &url).await?;
    for (_, server) in servers {
        write(&http, server).await?;
    }
    for question in QUESTIONS {
        head(&format!("{WILDCARDS} wildcards over {DOCUMENTS} documents: {}", question.name));
        let runs_of = |name: &str| Runs { name: name.to_owned(), seconds: Vec::new() };
        let mut ours = runs_of("embedded node, ms");
        let mut theirs: Vec<Runs> = servers.iter().map(|(name, _)| runs_of(&format!("{name}, ms"))).collect();
        // The first round does not count. Each asks for other words, so that no cache answers.
        for round in 0..=runs as u64 {
            let body = body(question, round);
            let (found, took) = ask(&http, &url, &body).await?;
            let push = |runs: &mut Runs, took: Duration| {
                if round > 0 {
                    runs.seconds.push(took.as_secs_f64());
                }
            };
            push(&mut ours, took);
            for ((name, server), runs) in servers.iter().zip(&mut theirs) {
                let (same, took) = ask(&http, server, &body).await?;
                if same != found {
                    bail!("{name} found {same} documents, the node {found}");
                }
                push(runs, took);
            }
        }
        ours.row("ms", |seconds| seconds * 1e3);
        for runs in &theirs {
            runs.row("ms", |seconds| seconds * 1e3);
        }
        for ((name, _), runs) in servers.iter().zip(&theirs) {
            let times = format!("{name} against the node");
            ratio(&times, runs, &ours);
            goal(&times, runs.median() / ours.median(), 1.0);
        }
    }
    for (_, server) in servers {
        http.delete(format!("{server}/{INDEX}")).send().await?;
    }
    node.stop().await;
    Ok(())
}

/// How many documents are found, and how long the answer took to arrive.
async fn ask(http: &reqwest::Client, url: &str, body: &str) -> Result<(u64, Duration)> {
    let request = http.post(format!("{url}/{INDEX}/_search")).header("content-type", "application/json");
    let request = request.body(body.to_owned());
    let began = std::time::Instant::now();
    let text = request.send().await?.text().await?;
    let took = began.elapsed();
    let answer: Value = serde_json::from_str(&text).context("an answer that is not JSON")?;
    let found = answer["hits"]["total"]["value"].as_u64();
    let found = found.with_context(|| format!("no hits: {}", text.chars().take(300).collect::<String>()))?;
    Ok((found, took))
}

fn body(question: &Question, round: u64) -> String {
    let patterns: Vec<String> =
        (0..WILDCARDS).map(|at| (question.pattern)(1_000_000 * (round + 1) + at * 7)).collect();
    let text = format!("{}:({})", question.field, patterns.join(" OR "));
    json!({
        "size": 10, "track_total_hits": true, "_source": false,
        "query": {"query_string": {"query": text, "analyze_wildcard": true}},
    })
    .to_string()
}

async fn write(http: &reqwest::Client, url: &str) -> Result<()> {
    http.delete(format!("{url}/{INDEX}"))
        .send()
        .await
        .with_context(|| format!("no server answers at {url}"))?;
    let definition = json!({
        "settings": {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"},
        "mappings": {"properties": {"path": {"type": "keyword"}, "message": {"type": "text"}}},
    });
    let made: Value = http.put(format!("{url}/{INDEX}")).json(&definition).send().await?.json().await?;
    if made["acknowledged"] != true {
        bail!("cannot create {INDEX}: {made}");
    }
    for start in (0..DOCUMENTS).step_by(BULK as usize) {
        let mut bulk = String::new();
        for number in start..(start + BULK).min(DOCUMENTS) {
            let path = format!("/{}/{}/{number}.exe", word(number % 50), word(number));
            let words: Vec<String> = (0..8).map(|at| word((number * 31 + at * 977) % WORDS)).collect();
            let source = json!({"path": path, "message": words.join(" ")});
            bulk.push_str(&format!("{{\"index\":{{\"_id\":\"{number}\"}}}}\n{source}\n"));
        }
        let request =
            http.post(format!("{url}/{INDEX}/_bulk")).header("content-type", "application/x-ndjson");
        let answer: Value = request.body(bulk).send().await?.json().await?;
        if answer["errors"] != false {
            bail!("{url} rejected documents: {}", answer.to_string().chars().take(500).collect::<String>());
        }
    }
    http.post(format!("{url}/{INDEX}/_refresh")).send().await?.error_for_status()?;
    // One segment, as an index has that is no longer written to: what a server is fastest at.
    http.post(format!("{url}/{INDEX}/_forcemerge?max_num_segments=1")).send().await?;
    Ok(())
}

/// A word of eight letters for a number: the same each time, and seldom that of another number.
fn word(seed: u64) -> String {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
    let mut letters = String::with_capacity(8);
    for _ in 0..8 {
        mixed ^= mixed >> 29;
        mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        letters.push(char::from(b'a' + (mixed >> 59) as u8 % 26));
    }
    letters
}
