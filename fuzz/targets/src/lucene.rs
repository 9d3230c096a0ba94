//! Query strings: both languages, and the queries that they become.
use std::sync::{Arc, LazyLock};

use serde_json::json;
use watchbell_query::document::Document;
use watchbell_query::mapping::Mapping;
use watchbell_query::query::lucene::{self, Flags};
use watchbell_query::query::{Regexp, Scope, compile, parse};

use crate::lucene_text::text;

/// The clock of date maths.
const NOW: i64 = 1_790_000_000_000;

struct Index {
    mapping: Arc<Mapping>,
    documents: Vec<Option<Arc<Document>>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut mapping = Mapping::default();
    mapping
        .merge(&json!({ "properties": {
            "message": { "type": "text" }, "host": { "type": "keyword" }, "path": { "type": "wildcard" },
            "code": { "type": "long" }, "ms": { "type": "double" }, "@timestamp": { "type": "date" },
            "ok": { "type": "boolean" }, "source": { "properties": { "ip": { "type": "ip" } } },
        } }))
        .expect("a mapping");
    let mut mapping = Arc::new(mapping);
    let sources = [
        json!({ "message": "user logged in from new york city", "host": "web-1", "path": "/usr/bin/curl", "code": 200,
            "ms": 12.5, "@timestamp": "2026-09-21T12:00:00Z", "ok": true, "source": { "ip": "10.0.0.7" } }),
        json!({ "message": ["a quick brown fox", "jumps"], "host": ["web-2", "WEB:3"], "code": [-1, 500], "ok": false,
            "source": { "ip": "2001:db8::1" } }),
        json!({}),
    ];
    let documents = sources
        .iter()
        .enumerate()
        .map(|(id, source)| {
            let document = Document::parse(&id.to_string(), &source.to_string(), &mut mapping);
            Some(Arc::new(document.expect("a document")))
        })
        .collect();
    Index { mapping, documents }
});

/// A query that can be read can be written and read again; what it means is found without a panic.
pub fn lucene(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    for every in [false, true] {
        if let Ok(Some(tree)) = lucene::parse(input, every) {
            let written = text(&tree);
            let again = lucene::parse(&written, false);
            assert_eq!(again, Ok(Some(tree)), "written as {written}");
        }
        let operator = if every { "AND" } else { "OR" };
        matched(&json!({ "query_string": { "query": input, "default_operator": operator } }));
        matched(&json!({ "simple_query_string": { "query": input, "default_operator": operator } }));
    }
    if let Ok(simple) = lucene::parse_simple(input, false, Flags::default()) {
        // It grows to the left: dropping it must not need a stack of its length.
        drop(simple);
    }
    if let Ok(regexp) = Regexp::new(input, false) {
        regexp.is_match("web-1");
        regexp.is_match("a quick brown fox");
    }
}

fn matched(query: &serde_json::Value) {
    let Ok(query) = parse(query) else { return };
    let Index { mapping, documents } = &*INDEX;
    let scope = Scope { mapping, index: "logs-a", documents, now: NOW };
    let Ok(compiled) = compile(&query, &scope) else { return };
    for document in documents.iter().flatten() {
        compiled.predicate.hit(document);
    }
}
