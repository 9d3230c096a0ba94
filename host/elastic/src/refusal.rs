//! Error responses: `{"error": {"type", "reason", "root_cause"…}, "status"}`, and whatever proxies send instead.
use serde_json::Value;

use crate::{
    error::{Class, ErrorKind},
    weight,
};

/// Of what is no server's error, no more than this can be shown.
const EXCERPT_BYTES_MAX: usize = 8 << 10;
/// Memory for an error's tree. Servers' have a few hundred KB.
const ERROR_MEMORY_MAX: usize = 32 << 20;

/// The class of a refusal by the error types in it (tested with Elasticsearch 7.10 and 9.5 and OpenSearch 3.8). The first
/// row with a type that occurs anywhere in the error decides: an unreachable shard outweighs another that rejected the
/// query.
const OWNERS: [(Class, &[&str]); 4] = [
    (
        Class::TooLarge,
        &["too_many_buckets_exception", "circuit_breaking_exception", "content_too_long_exception"],
    ),
    (Class::Slow, &["search_timeout_exception"]),
    (
        Class::Outside,
        &[
            "cluster_block_exception",
            "connect_transport_exception",
            "elasticsearch_security_exception",
            "es_rejected_execution_exception",
            "illegal_index_shard_state_exception",
            "index_closed_exception",
            "index_not_found_exception",
            "master_not_discovered_exception",
            "cluster_manager_not_discovered_exception",
            "no_shard_available_action_exception",
            "no_such_remote_cluster_exception",
            "node_closed_exception",
            "node_disconnected_exception",
            "node_not_connected_exception",
            "process_cluster_event_timeout_exception",
            "receive_timeout_transport_exception",
            "rejected_execution_exception",
            "search_context_missing_exception",
            "search_context_missing_nodes_exception",
            "security_exception",
            "shard_not_found_exception",
            "task_cancelled_exception",
            "timeout_exception",
            "too_many_scroll_contexts_exception",
            "unavailable_shards_exception",
        ],
    ),
    (
        Class::Rule,
        &[
            "named_object_not_found_exception",
            "parse_exception",
            "parsing_exception",
            "query_shard_exception",
            "script_exception",
            "search_parse_exception",
            "too_complex_to_determinize_exception",
            "too_many_clauses",
            "too_many_nested_clauses",
            "x_content_parse_exception",
        ],
    ),
];

/// As `OWNERS`, by parts of the reason, where types say too little. These are checked first.
const SAYINGS: [(Class, &[&str]); 2] = [
    (Class::Slow, &["Time exceeded"]),
    (
        Class::Outside,
        &[
            // Endpoints and parameters that the host chose and this server does not have.
            "no handler found for uri",
            "contains unrecognized parameter",
            "is not modelled by the embedded node",
            // Ids of search contexts, which the host sends back as it received them.
            "search context id",
            "scroll id",
            "scroll_id",
            "invalid id: ",
            // A rate limit on script compilation, shared by all.
            "Too many dynamic script compilations",
        ],
    ),
];

/// The cause of a response with an error status.
pub(crate) fn cause(status: u16, content_type: &str, body: &[u8]) -> ErrorKind {
    let Some(Told { kind, reason, kinds }) = told(body) else {
        let reason = match excerpt(body) {
            text if text.is_empty() => "empty response".into(),
            text if content_type.is_empty() => format!("response: {text}"),
            text => format!("{content_type} response: {text}"),
        };
        return match status {
            401 | 403 => ErrorKind::Denied { status, reason },
            413 => ErrorKind::ServerLimit { kind: "413".into(), reason },
            429 | 500.. => ErrorKind::Unavailable { status, reason },
            _ => ErrorKind::Refused { status, kind: "unknown".into(), reason, class: Class::Outside },
        };
    };
    let class = class(status, &kinds, &reason);
    match status {
        401 | 403 => ErrorKind::Denied { status, reason },
        413 => ErrorKind::ServerLimit { kind, reason },
        404 if kind == "index_not_found_exception" => ErrorKind::NoIndex { reason },
        _ if kind == "index_closed_exception" => ErrorKind::NoIndex { reason },
        _ if is_lost_context(&kinds, &reason) => ErrorKind::Expired,
        503 if is_missing_shards(&kinds, &reason) => {
            ErrorKind::MissingShards { reason: without_advice(&reason) }
        }
        _ => match class {
            Class::TooLarge => ErrorKind::ServerLimit { kind, reason },
            Class::Slow => ErrorKind::ServerTimedOut,
            Class::Outside if matches!(status, 429 | 502..=504) => {
                ErrorKind::Unavailable { status, reason: format!("{kind}: {reason}") }
            }
            Class::Outside | Class::Rule => ErrorKind::Refused { status, kind, reason, class },
        },
    }
}

fn class(status: u16, kinds: &[String], reason: &str) -> Class {
    let said = |sayings: &[&str]| sayings.iter().any(|part| reason.contains(part));
    let named = |names: &[&str]| kinds.iter().any(|kind| names.contains(&kind.as_str()));
    let by_saying = SAYINGS.iter().find(|(_, sayings)| said(sayings)).map(|(class, _)| *class);
    let by_type = || OWNERS.iter().find(|(_, names)| named(names)).map(|(class, _)| *class);
    // The remaining 400s are arguments that servers reject.
    let by_status = || if status == 400 && !kinds.is_empty() { Class::Rule } else { Class::Outside };
    by_saying.or_else(by_type).unwrap_or_else(by_status)
}

fn is_lost_context(kinds: &[String], reason: &str) -> bool {
    kinds.iter().any(|kind| kind.starts_with("search_context_missing"))
        || reason.contains("No search context found")
        || (reason.starts_with("scroll_id references node") && reason.contains("not found"))
}

fn is_missing_shards(kinds: &[String], reason: &str) -> bool {
    reason.contains("due to missing shards")
        || kinds.iter().any(|kind| kind == "no_shard_available_action_exception")
}

/// Drops the servers' advice to allow partial results.
fn without_advice(reason: &str) -> String {
    let end = reason.find(" Consider using").unwrap_or(reason.len());
    reason[..end].trim_end_matches('.').to_owned()
}

/// A server's error.
struct Told {
    /// The innermost error's type.
    kind: String,
    reason: String,
    /// The types of all errors in it; empty if it is only a sentence.
    kinds: Vec<String>,
}

/// `None` if `body` is not a server's error.
fn told(body: &[u8]) -> Option<Told> {
    weight::check(body, ERROR_MEMORY_MAX).ok()?;
    let body: Value = serde_json::from_slice(body).ok()?;
    match body.get("error")? {
        Value::String(reason) => {
            Some(Told { kind: "error".into(), reason: reason.clone(), kinds: Vec::new() })
        }
        error @ Value::Object(_) => {
            let mut kinds = Vec::new();
            all_kinds(error, 0, &mut kinds);
            let (kind, reason) = innermost(error);
            Some(Told { kind, reason, kinds })
        }
        _ => None,
    }
}

/// Every type in an error: its own, its root causes', its shards' and those that caused them.
fn all_kinds(error: &Value, depth: usize, kinds: &mut Vec<String>) {
    if depth > DEPTH_MAX || kinds.len() >= KINDS_MAX {
        return;
    }
    if let Some(kind) = error.get("type").and_then(Value::as_str) {
        kinds.push(kind.to_owned());
    }
    let lists = ["failed_shards", "root_cause"].iter().filter_map(|key| error.get(key)?.as_array());
    let below =
        ["caused_by", "reason"].iter().filter_map(|key| error.get(key)).filter(|held| held.is_object());
    lists.flatten().chain(below).for_each(|held| all_kinds(held, depth + 1, kinds));
}

/// Servers nest no deeper.
const DEPTH_MAX: usize = 8;
/// A search over many shards reports one per shard.
const KINDS_MAX: usize = 1_000;

/// Outer errors say "all shards failed"; the one at the bottom says why.
pub(crate) fn innermost(error: &Value) -> (String, String) {
    let text =
        |error: &Value, key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut kind = text(error, "type");
    let mut reason = text(error, "reason");
    let root = error.get("root_cause").and_then(|causes| causes.get(0));
    let shard =
        error.get("failed_shards").and_then(|shards| shards.get(0)).and_then(|shard| shard.get("reason"));
    let mut next = shard.or(root).or_else(|| error.get("caused_by"));
    for _ in 0..DEPTH_MAX {
        let Some(cause) = next else { break };
        if cause.get("reason").and_then(Value::as_str).is_some_and(|reason| !reason.is_empty()) {
            kind = text(cause, "type");
            reason = text(cause, "reason");
        }
        next = cause.get("caused_by");
    }
    if let Some(cause) = error.get("caused_by")
        && text(cause, "type") == "too_many_buckets_exception"
    {
        kind = text(cause, "type");
        reason = text(cause, "reason");
    }
    (kind, in_one_line(&reason))
}

/// Parsers report what they expected in a separate column.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of a body, in one line. It is cut to size only once secrets are out of it.
pub(crate) fn excerpt(body: &[u8]) -> String {
    in_one_line(&String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES_MAX)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bottom_of_an_error_is_what_people_read() {
        let body = br#"{"error":{"root_cause":[{"type":"query_shard_exception","reason":"Failed to parse query [a:(]",
            "index":"x","caused_by":{"type":"parse_exception","reason":"Cannot parse\n   'a:('"}}],
            "type":"search_phase_execution_exception","reason":"all shards failed"},"status":400}"#;
        assert_eq!(
            cause(400, "application/json", body).to_string(),
            "refused (400 parse_exception): Cannot parse 'a:('"
        );
    }

    #[test]
    fn statuses_become_causes() {
        let missing =
            br#"{"error":{"type":"index_not_found_exception","reason":"no such index [x]"},"status":404}"#;
        assert_eq!(cause(404, "", missing), ErrorKind::NoIndex { reason: "no such index [x]".into() });
        let html = b"<html>\n<h1>Bad   Gateway</h1></html>";
        assert_eq!(
            cause(502, "text/html", html).to_string(),
            "unavailable (502): text/html response: <html> <h1>Bad Gateway</h1></html>"
        );
        let busy = br#"{"error":{"type":"circuit_breaking_exception","reason":"[parent] Data too large"},"status":429}"#;
        assert!(matches!(cause(429, "", busy), ErrorKind::ServerLimit { .. }));
        assert!(matches!(cause(403, "", b""), ErrorKind::Denied { status: 403, .. }));
    }

    #[test]
    fn an_error_of_a_thousand_shards_is_still_classified() {
        let failed = r#"{"shard":0,"index":"logs-2024.01.31","reason":{"type":"query_shard_exception","reason":"no [field]"}}"#;
        let failed = vec![failed; 1_000].join(",");
        let body = format!(
            r#"{{"error":{{"type":"search_phase_execution_exception","reason":"all shards failed","failed_shards":[{failed}]}}}}"#
        );
        assert_eq!(cause(400, "application/json", body.as_bytes()).class(), Class::Rule);
        // Nesting and width that no server has are no error of a server's.
        for body in [r#"{"error":{"caused_by":"#.repeat(100_000), format!("[{}0]", "[],".repeat(300_000))] {
            assert_eq!(cause(400, "", body.as_bytes()).class(), Class::Outside);
        }
    }
}
