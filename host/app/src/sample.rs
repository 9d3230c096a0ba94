//! Messages that no signal is behind: made-up ones to try texts and requests on, and the one that tests a destination.
use serde_json::{Map, Value, json};
use watchbell_contract::{AlertText, Cause, Intent, Label, Severity, TextFormat, Timestamp};
use watchbell_manifest::{BoundRule, Bundle, ShownOf};
use watchbell_text::{DOCUMENTS, DOCUMENTS_MAX, Job, Subject};

/// The texts for a rule that names no destination.
pub(crate) const USUAL: AlertText =
    AlertText { format: TextFormat::Markdown, styles: true, title_max: 1_000, body_max: 65_536 };

/// A message of `rule`, with a number for everything that its texts show.
pub(crate) fn of_rule(bundle: &Bundle, rule: &BoundRule) -> Intent {
    let (mut details, mut document) = (Map::new(), Map::new());
    for shown in &rule.shown {
        match shown.of {
            ShownOf::Detail => details.insert(shown.field.clone(), json!(42)),
            ShownOf::Document => document.insert(shown.field.clone(), json!(42)),
            ShownOf::Label => None,
        };
    }
    details.insert(DOCUMENTS.into(), vec![Value::Object(document); DOCUMENTS_MAX as usize].into());
    let label = |name: &String| Label { name: name.clone(), value: Some("a value".into()) };
    Intent {
        rule: rule.spec.name.0.clone(),
        owner: rule.spec.owner.clone(),
        labels: rule.spec.key.iter().map(label).collect(),
        cause: Cause::Opened,
        severity: rule.spec.severity,
        value: Some(42.0),
        threshold: Some(41.0),
        summary: "a summary".into(),
        details: Value::Object(details).to_string(),
        link: Some("https://kibana.example.com/app/discover#/".into()),
        ..empty(&bundle.environment.name, Timestamp(0))
    }
}

/// The message of `watchbell destination test`. `id` is its own and its episode's.
pub(crate) fn of_destination(bundle: &Bundle, name: &str, id: String, now: Timestamp) -> Intent {
    Intent {
        episode: id.clone(),
        id,
        rule: "watchbell-destination-test".into(),
        cause: Cause::Test,
        severity: Severity::Info,
        title: format!("Test of destination {name}"),
        body: "This message was sent by hand, to see that it arrives. Nothing is wrong.".into(),
        summary: format!("Test of destination {name}: nothing is wrong"),
        ..empty(&bundle.environment.name, now)
    }
}

/// The texts of `message` for a destination, from templates.
pub(crate) fn job(title: &str, body: &str, message: &Intent, more: &[String], wants: AlertText) -> Job {
    let subject = Subject {
        rule: &message.rule,
        owner: message.owner.as_deref(),
        environment: &message.environment,
        severity: message.severity,
        cause: message.cause,
        person: message.person.as_deref(),
        labels: &message.labels,
        at: message.at,
        since: message.since,
        value: message.value,
        threshold: message.threshold,
        summary: &message.summary,
        details: &message.details,
        link: message.link.as_deref(),
        count: u32::try_from(more.len()).unwrap_or(u32::MAX).saturating_add(1),
        more,
    };
    Job::new(title, body, &subject, wants)
}

pub(crate) fn empty(environment: &str, at: Timestamp) -> Intent {
    Intent {
        id: "sample".into(),
        episode: "sample".into(),
        rule: String::new(),
        owner: None,
        environment: environment.to_owned(),
        labels: Vec::new(),
        cause: Cause::Test,
        person: None,
        severity: Severity::Info,
        at,
        since: at,
        value: None,
        threshold: None,
        title: String::new(),
        body: String::new(),
        summary: String::new(),
        details: "{}".into(),
        link: None,
        acknowledge_link: None,
        previous: None,
        recorded: Vec::new(),
        attempt: 1,
        maybe_repeated: false,
    }
}
