//! How fast an answer becomes columns, against a tree of it: `cargo run -p watchbell-elastic --example parse`.
use std::{hint::black_box, time::Instant};

use serde_json::json;
use watchbell_elastic::{ColumnKind, FieldPlan, parse_hits};

const HITS: usize = 10_000;
const ROUNDS: usize = 15;

fn main() {
    let hits: Vec<_> = (0..HITS)
        .map(|n| {
            json!({ "_index": "logs-2026.11.23", "_type": "_doc", "_id": format!("kH3xY5MBqzN0aRT{n:05}"), "_score": null,
                "fields": { "host.name": [format!("host-{:04}", n * 7_919 % 1_000)] },
                "sort": [1_700_000_000_000_i64 + n as i64 / 5, n] })
        })
        .collect();
    let answer = json!({ "took": 12, "timed_out": false, "_shards": { "total": 1, "successful": 1, "skipped": 0, "failed": 0 },
        "hits": { "max_score": null, "hits": hits } })
    .to_string();
    let plan = FieldPlan::of(&[("host.name", ColumnKind::Words)]);
    println!("{HITS} hits, {} bytes", answer.len());
    measure("columns", answer.len(), || parse_hits(answer.as_bytes(), &plan).expect("an answer").rows.len());
    measure("serde_json::Value", answer.len(), || {
        let tree: serde_json::Value = serde_json::from_slice(answer.as_bytes()).expect("json");
        tree["hits"]["hits"].as_array().map_or(0, Vec::len)
    });
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
fn measure(what: &str, bytes: usize, work: impl Fn() -> usize) {
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(black_box(work()), HITS);
            bytes as f64 / 1e6 / start.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    println!("{what:>18}: {:.0} MB/s (min {:.0}, max {:.0})", rates[ROUNDS / 2], rates[0], rates[ROUNDS - 1]);
}
