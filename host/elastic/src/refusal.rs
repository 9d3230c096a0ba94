//! `{"error": {"type", "reason", "root_cause"…}, "status"}`, and the sentences that proxies send instead.
use serde_json::Value;

use crate::error::Cause;

const EXCERPT_CHARS_MAX: usize = 300;

/// The cause behind an answer whose status is not a success.
pub(crate) fn cause(status: u16, content_type: &str, body: &[u8]) -> Cause {
    let Some((kind, reason)) = told(body) else {
        let reason = match excerpt(body) {
            text if text.is_empty() => "an empty answer".into(),
            text => {
                format!("{} says: {text}", if content_type.is_empty() { "an answer" } else { content_type })
            }
        };
        return match status {
            401 | 403 => Cause::Denied { status, reason },
            413 => Cause::ServerLimit { kind: "413".into(), reason },
            429 | 500.. => Cause::Unavailable { status, reason },
            _ => Cause::Refused { status, kind: "unknown".into(), reason },
        };
    };
    let said = |kinds: &[&str]| kinds.iter().any(|name| kind.contains(name) || reason.contains(name));
    if said(&["too_many_buckets", "too many buckets", "circuit_breaking", "Data too large"]) || status == 413
    {
        return Cause::ServerLimit { kind, reason };
    }
    match status {
        401 | 403 => Cause::Denied { status, reason },
        404 if kind == "index_not_found_exception" || kind == "index_closed_exception" => {
            Cause::NoIndex { reason }
        }
        404 if kind == "search_context_missing_exception" => Cause::Expired,
        _ if kind == "index_closed_exception" => Cause::NoIndex { reason },
        _ if reason.contains("No search context found") => Cause::Expired,
        429 | 502..=504 => Cause::Unavailable { status, reason: format!("{kind}: {reason}") },
        _ => Cause::Refused { status, kind, reason },
    }
}

/// The innermost type and reason of a server's error body; `None` if it is none.
fn told(body: &[u8]) -> Option<(String, String)> {
    let body: Value = serde_json::from_slice(body).ok()?;
    match body.get("error")? {
        Value::String(reason) => Some(("error".into(), shortened(reason))),
        error @ Value::Object(_) => Some(innermost(error)),
        _ => None,
    }
}

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
    // As deep as the servers nest; more is somebody's joke.
    for _ in 0..8 {
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
    (kind, shortened(&in_one_line(&reason)))
}

/// Parsers tell what they expected in a column of its own.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * EXCERPT_CHARS_MAX)]);
    shortened(&in_one_line(&text))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
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
        assert_eq!(cause(404, "", missing), Cause::NoIndex { reason: "no such index [x]".into() });
        let html = b"<html>\n<h1>Bad   Gateway</h1></html>";
        assert_eq!(
            cause(502, "text/html", html).to_string(),
            "unavailable (502): text/html says: <html> <h1>Bad Gateway</h1></html>"
        );
        let busy = br#"{"error":{"type":"circuit_breaking_exception","reason":"[parent] Data too large"},"status":429}"#;
        assert!(matches!(cause(429, "", busy), Cause::ServerLimit { .. }));
        assert!(matches!(cause(403, "", b""), Cause::Denied { status: 403, .. }));
    }
}
