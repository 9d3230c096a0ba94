use std::collections::BTreeMap;

use minijinja::value::{Serde, Value};
use serde_json::{Map, Value as Json, json};
use watchbell_sdk::{Cause, Intent, Receipt, Severity};
use watchbell_sdk_fields as fields;

use crate::calendar;
use crate::escape::{broken, broken_html};

/// The names that a template may use.
pub(crate) const NAMES: &[&str] = &[
    "id",
    "episode",
    "rule",
    "owner",
    "environment",
    "labels",
    "label",
    "cause",
    "person",
    "severity",
    "at",
    "at_ms",
    "since",
    "since_ms",
    "value",
    "threshold",
    "title",
    "headline",
    "body",
    "summary",
    "details",
    "document",
    "documents",
    "link",
    "acknowledge_link",
    "previous",
    "reference",
    "attempt",
    "maybe_repeated",
    "params",
];

/// The item of an `$each`.
pub(crate) const ITEM: &str = "item";

/// The message and the destination's parameters, by the names that templates use.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    members: Map<String, Json>,
    /// The members once more, as minijinja takes them.
    value: Value,
    is_escaped: bool,
}

/// What the host has made of a message's title and body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texts<'a> {
    /// They are in the product's markup; otherwise they are values like others.
    pub(crate) is_escaped: bool,
    pub(crate) is_html: bool,
    /// Words to break in them.
    pub(crate) broken: &'a [String],
}

impl Context {
    pub(crate) fn of(intent: &Intent, params: &Json, texts: &Texts<'_>) -> Self {
        let labels: Vec<Json> =
            intent.labels.iter().map(|label| json!({ "name": label.name, "value": label.value })).collect();
        let label: Map<String, Json> =
            intent.labels.iter().map(|label| (label.name.clone(), json!(label.value))).collect();
        let details: Json = serde_json::from_str(&intent.details).unwrap_or_else(|_| json!({}));
        let documents = details.get("documents").filter(|documents| documents.is_array());
        let document = documents.and_then(|documents| documents.get(0));
        let broken: fn(&str, &[String]) -> String = if texts.is_html { broken_html } else { broken };
        let title = broken(&intent.title, texts.broken);
        let all = json!({
            "id": intent.id,
            "episode": intent.episode,
            "rule": intent.rule,
            "owner": intent.owner,
            "environment": intent.environment,
            "labels": labels,
            "label": label,
            "cause": cause(intent.cause),
            "person": intent.person,
            "severity": severity(intent.severity),
            "at": calendar::iso(intent.at),
            "at_ms": intent.at,
            "since": calendar::iso(intent.since),
            "since_ms": intent.since,
            "value": intent.value.map(number),
            "threshold": intent.threshold.map(number),
            "title": title,
            "headline": format!("{}{title}", lead(intent.cause)),
            "body": broken(&intent.body, texts.broken),
            "summary": intent.summary,
            "details": details,
            "document": document,
            "documents": documents.unwrap_or(&json!([])),
            "link": intent.link,
            "acknowledge_link": intent.acknowledge_link,
            "previous": intent.previous.as_ref().and_then(|receipt| receipt.reference.as_ref()),
            "reference": null,
            "attempt": intent.attempt,
            "maybe_repeated": intent.maybe_repeated,
            "params": params,
        });
        match all {
            Json::Object(members) => Self::new(members, texts.is_escaped),
            _ => Self::new(Map::new(), texts.is_escaped),
        }
    }

    /// A sample message to check templates with.
    pub(crate) fn sample() -> Self {
        let intent = Intent {
            id: "0".into(),
            episode: "0".into(),
            rule: "rule".into(),
            owner: Some("owner".into()),
            environment: "default".into(),
            labels: vec![],
            cause: Cause::Test,
            person: Some("ann".into()),
            severity: Severity::Warning,
            at: 0,
            since: 0,
            value: Some(1.0),
            threshold: Some(1.0),
            title: "title".into(),
            body: "body".into(),
            summary: "summary".into(),
            details: "{}".into(),
            link: Some("https://localhost/".into()),
            acknowledge_link: Some("https://localhost/".into()),
            previous: Some(Receipt { reference: Some("1".into()) }),
            attempt: 1,
            maybe_repeated: false,
        };
        Self::of(&intent, &json!({}), &Texts { is_escaped: true, is_html: false, broken: &[] })
    }

    pub(crate) fn with_item(&self, item: Json) -> Self {
        self.with(ITEM, item)
    }

    /// With what the receiver called the message in its answer to an earlier request of the same delivery.
    pub(crate) fn with_reference(&self, reference: &str) -> Self {
        self.with("reference", json!(reference))
    }

    fn with(&self, name: &str, value: Json) -> Self {
        let mut members = self.members.clone();
        members.insert(name.to_owned(), value);
        Self::new(members, self.is_escaped)
    }

    pub(crate) fn value(&self) -> Value {
        self.value.clone()
    }

    fn new(members: Map<String, Json>, is_escaped: bool) -> Self {
        let as_value = |(name, member): (&String, &Json)| {
            let is_rendered = name == PARAMS || is_escaped && TEXTS.contains(&name.as_str());
            (name.clone(), if is_rendered { rendered(member) } else { fields::value(member, &str::to_owned) })
        };
        let value = members.iter().map(as_value).collect::<BTreeMap<String, Value>>();
        Self { value: value.into(), members, is_escaped }
    }
}

/// Values that are not data: what the destination's author wrote, and texts in the product's format.
const PARAMS: &str = "params";
const TEXTS: &[&str] = &["title", "headline", "body"];

/// A value whose texts need no escaping.
fn rendered(json: &Json) -> Value {
    match json {
        Json::String(text) => Value::from_safe_string(text.clone()),
        Json::Array(items) => items.iter().map(rendered).collect::<Vec<_>>().into(),
        Json::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), rendered(member)))
            .collect::<BTreeMap<_, _>>()
            .into(),
        plain => Value::from(Serde(plain)),
    }
}

/// A whole number is an integer: `3x`, not `3.0x`.
fn number(value: f64) -> Json {
    // Beyond this, floats cannot represent every integer.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= WHOLE_MAX { json!(value as i64) } else { json!(value) }
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Opened => "opened",
        Cause::Worse => "worse",
        Cause::Repeat => "repeat",
        Cause::Escalated => "escalated",
        Cause::Acknowledged => "acknowledged",
        Cause::Resolved => "resolved",
        Cause::Event => "event",
        Cause::Was => "was",
        Cause::Summary => "summary",
        Cause::Test => "test",
    }
}

/// The prefix of a title, so that a reader of the title alone knows why it was sent.
fn lead(cause: Cause) -> &'static str {
    match cause {
        Cause::Opened | Cause::Event | Cause::Summary => "",
        Cause::Worse => "Worse: ",
        Cause::Repeat => "Still: ",
        Cause::Escalated => "Escalated: ",
        Cause::Acknowledged => "Acknowledged: ",
        Cause::Resolved => "Resolved: ",
        Cause::Was => "Was, and is over: ",
        Cause::Test => "Test: ",
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_list_of_names_is_what_a_message_has() {
        let context = Context::sample();
        let has: BTreeSet<&str> = context.members.keys().map(String::as_str).collect();
        assert_eq!(has, NAMES.iter().copied().collect());
    }
}
