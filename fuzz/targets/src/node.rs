//! Requests to the embedded node: `METHOD /path?query` in the first line, then the body.
use std::cell::OnceCell;

use serde_json::{Value, json};
use watchbell_node::fuzzing::{Bench, Reply};

/// The node's clock.
const NOW: i64 = 1_790_000_000_000;
/// The largest response to a request over three documents, in bytes.
const REPLY_BYTES_MAX: usize = 16 << 20;

thread_local! {
    /// For requests that change nothing.
    static READ: OnceCell<Bench> = const { OnceCell::new() };
}

fn filled() -> Bench {
    let bench = Bench::new(NOW);
    let mapping = json!({ "mappings": { "properties": {
        "@timestamp": { "type": "date" }, "message": { "type": "text", "fields": { "keyword": { "type": "keyword" } } },
        "host": { "type": "keyword" }, "code": { "type": "long" }, "ms": { "type": "double" }, "ok": { "type": "boolean" },
        "ip": { "type": "ip" }, "place": { "type": "geo_point" }, "labels": { "type": "flattened" },
        "c": { "type": "nested", "properties": { "author": { "type": "keyword" } } },
    } } });
    let made = bench.answer("PUT", "/logs-a", mapping.to_string().as_bytes());
    assert_eq!(made.status, 200, "{}", made.body);
    for (id, source) in [
        json!({ "@timestamp": "2026-09-21T12:00:00Z", "message": "a quick brown fox", "host": "web-1", "code": 200,
            "ms": 1.5, "ok": true, "ip": "10.0.0.7", "place": "52.5,13.25", "labels": { "a.b": "x" },
            "c": [{ "author": "p" }, { "author": "q" }] }),
        json!({ "@timestamp": "2026-09-21T12:01:00Z", "message": ["b", "c d"], "host": ["web-1", "web-2"],
            "code": [500, -1], "ip": "2001:db8::1" }),
        json!({ "@timestamp": "2026-09-22T00:00:00Z" }),
    ]
    .iter()
    .enumerate()
    {
        let put = bench.answer("PUT", &format!("/logs-a/_doc/{id}"), source.to_string().as_bytes());
        assert_eq!(put.status, 201, "{}", put.body);
    }
    bench
}

/// Answers a request: with JSON of bounded size where it says so, and never as if the node had failed.
pub fn node(input: &[u8]) {
    let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let (head, body) = input.split_at(end);
    let Some((method, target)) = std::str::from_utf8(head).ok().and_then(|head| head.split_once(' ')) else {
        return;
    };
    let body = body.get(1..).unwrap_or_default();
    // A scroll and a point in time are kept by the node.
    let reads = ["_search", "_count", "_field_caps", "_mapping"].iter().any(|end| {
        target.split('?').next().is_some_and(|path| path.ends_with(end)) && !target.contains("scroll")
    });
    if reads && matches!(method, "GET" | "POST") {
        READ.with(|bench| sound(method, &bench.get_or_init(filled).answer(method, target, body)));
    } else {
        sound(method, &filled().answer(method, target, body));
    }
}

fn sound(method: &str, reply: &Reply) {
    assert!((200..500).contains(&reply.status) || reply.status == 503, "{} {}", reply.status, reply.body);
    assert!(reply.body.len() <= REPLY_BYTES_MAX, "{} bytes", reply.body.len());
    if reply.is_json && method != "HEAD" {
        let tree: Value =
            serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{error}: {}", reply.body));
        assert!(reply.status < 300 || tree.get("error").is_some() || reply.status == 404, "{}", reply.body);
        if let (Some(hits), Some(total)) =
            (tree["hits"]["hits"].as_array(), tree["hits"]["total"]["value"].as_u64())
        {
            assert!(hits.len() as u64 <= total, "{}", reply.body);
        }
    }
}
