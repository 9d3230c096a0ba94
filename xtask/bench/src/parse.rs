use std::fmt::Write as _;
use std::hint::black_box;

use anyhow::Result;
use watchbell_elastic::{ColumnKind, FieldPlan, parse_hits};

use crate::table::{head, measure, ratio, timed};

const HITS: usize = 10_000;

/// A page as Elasticsearch answers it: `_source: false`, sort values, one doc-value field of a thousand hosts.
fn page() -> Vec<u8> {
    let mut body = String::from(
        r#"{"_scroll_id":"x","took":12,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"total":{"value":10000,"relation":"gte"},"max_score":null,"hits":["#,
    );
    for hit in 0..HITS {
        let comma = if hit == 0 { "" } else { "," };
        let _ = write!(
            body,
            r#"{comma}{{"_index":"bench-logs","_type":"_doc","_id":"{hit:020}","_score":null,"fields":{{"host.name":["web-{:04}.example.com"]}},"sort":[{}]}}"#,
            hit * 7919 % 1_000,
            1_790_000_000_000_u64 + hit as u64 * 6
        );
    }
    body.push_str("]}}");
    body.into_bytes()
}

pub(crate) fn bench(runs: usize) -> Result<()> {
    let bytes = page();
    let plan = FieldPlan::of(&[("host.name", ColumnKind::Words)]);
    assert_eq!(parse_hits(&bytes, &plan)?.rows.len(), HITS);
    let megabytes = bytes.len() as f64 / 1e6;
    let mut columns = || timed(|| parse_hits(black_box(&bytes), &plan));
    let mut tree = || timed(|| serde_json::from_slice::<serde_json::Value>(black_box(&bytes)));
    let mut tape = || {
        // simd-json writes into its input. The copy that it needs does not count: an answer could be given up.
        let mut own = bytes.clone();
        timed(|| simd_json::to_tape(black_box(&mut own)).map(|tape| tape.0.len()))
    };
    let measured = measure(
        runs,
        &mut [
            ("columns (ours)", &mut columns),
            ("serde_json::Value", &mut tree),
            ("simd-json tape", &mut tape),
        ],
    );
    head(&format!("response bytes to columns: {HITS} hits, {megabytes:.1} MB; MB/s"));
    for runs in &measured {
        runs.row("MB/s", |seconds| megabytes / seconds);
    }
    ratio("a serde_json tree takes, against columns", &measured[1], &measured[0]);
    ratio("a simd-json tape takes, against columns", &measured[2], &measured[0]);
    Ok(())
}
