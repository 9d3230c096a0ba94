use serde_json::{Map, Value, json};
use watchbell_contract::{Intent, Timestamp};

/// The message on one line, with the members that the product `webhook` sends by default, and `previous`: what the
/// program said of the episode's first message.
pub fn json(intent: &Intent) -> String {
    let labels: Map<String, Value> =
        intent.labels.iter().map(|label| (label.name.clone(), json!(label.value))).collect();
    let details: Value = serde_json::from_str(&intent.details).unwrap_or_else(|_| json!({}));
    json!({
        "id": intent.id,
        "episode": intent.episode,
        "rule": intent.rule,
        "owner": intent.owner,
        "environment": intent.environment,
        "labels": labels,
        "cause": intent.cause.as_str(),
        "severity": intent.severity.as_str(),
        "at": instant(intent.at),
        "since": instant(intent.since),
        "value": intent.value,
        "threshold": intent.threshold,
        "title": intent.title,
        "body": intent.body,
        "summary": intent.summary,
        "details": details,
        "link": intent.link,
        "acknowledge_link": intent.acknowledge_link,
        "person": intent.person,
        "previous": intent.previous.as_ref().and_then(|receipt| receipt.reference.as_deref()),
        "attempt": intent.attempt,
        "maybe_repeated": intent.maybe_repeated,
    })
    .to_string()
}

/// RFC 3339 with milliseconds. An instant that no calendar has is shown as its milliseconds.
fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("{at:.3}"))
}
