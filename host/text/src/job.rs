//! One text to render, with everything that it needs. It can be kept, handed to another thread, and passed into the
//! component that renders it. Host and component come from one build, so their encoding has no versions.
mod wire; // types of the contract, as they cross

use serde::{Deserialize, Serialize};
use watchbell_contract::{AlertText, Cause, Label, Severity, Timestamp};

use super::documents::DOCUMENTS_NOTE;
use super::macros::Macros;
use super::template::{Subject, TemplateFault};
use super::{Text, plain, render};

/// The maximum bytes of a value that comes from a document: a summary, a label's name or value, a line of `more`. What
/// is longer is cut.
const VALUE_BYTES_MAX: usize = 16 << 10;
/// The maximum bytes of the details. Larger ones are left out as a whole, and the text says so.
const DETAILS_BYTES_MAX: usize = 2 << 20;
/// The maximum bytes of a link. A longer one is left out: a part of it would lead elsewhere.
const LINK_BYTES_MAX: usize = 64 << 10;
const LABELS_MAX: usize = 1_000;
const MORE_MAX: usize = 1_000;

/// What is to be rendered: two templates, what they speak of, and the form that the destination wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    title: String,
    body: String,
    /// The files that the templates import.
    macros: Macros,
    subject: Owned,
    #[serde(with = "wire::AlertText")]
    wants: AlertText,
}

/// A `Subject` with its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Owned {
    rule: String,
    owner: Option<String>,
    environment: String,
    #[serde(with = "wire::Severity")]
    severity: Severity,
    #[serde(with = "wire::Cause")]
    cause: Cause,
    person: Option<String>,
    #[serde(with = "wire::labels")]
    labels: Vec<Label>,
    #[serde(with = "wire::Timestamp")]
    at: Timestamp,
    #[serde(with = "wire::Timestamp")]
    since: Timestamp,
    value: Option<f64>,
    threshold: Option<f64>,
    summary: String,
    details: String,
    link: Option<String>,
    count: u32,
    more: Vec<String>,
}

/// A text, and which of its templates failed. What failed is replaced by the summary, and the text says why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    pub text: Text,
    /// At most one for each part.
    pub faults: Vec<PartFault>,
}

/// A template that failed while it was rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFault {
    pub part: Part,
    pub fault: TemplateFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    Title,
    Body,
}

impl Part {
    /// The manifest's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Body => "body",
        }
    }
}

/// Bytes that are not what the other side wrote: host and component are not of one build.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the host and its component for texts are not of one build: {0}")]
pub struct NotOfThisBuild(postcard::Error);

impl Job {
    /// Copies `subject`, within bounds: a summary, a label or a line of up to 16 KiB, details of up to 2 MiB.
    pub fn new(title: &str, body: &str, subject: &Subject<'_>, wants: AlertText) -> Self {
        let labels = subject
            .labels
            .iter()
            .take(LABELS_MAX)
            .map(|label| Label { name: cut(&label.name), value: label.value.as_deref().map(cut) });
        let subject = Owned {
            rule: cut(subject.rule),
            owner: subject.owner.map(cut),
            environment: cut(subject.environment),
            severity: subject.severity,
            cause: subject.cause,
            person: subject.person.map(cut),
            labels: labels.collect(),
            at: subject.at,
            since: subject.since,
            value: subject.value,
            threshold: subject.threshold,
            summary: cut(subject.summary),
            details: details(subject.details),
            link: subject.link.filter(|link| link.len() <= LINK_BYTES_MAX).map(str::to_owned),
            count: subject.count,
            more: subject.more.iter().take(MORE_MAX).map(|line| cut(line)).collect(),
        };
        Self { title: title.to_owned(), body: body.to_owned(), macros: Macros::default(), subject, wants }
    }

    /// With the files that its templates import; others have no effect and only cost time.
    #[must_use]
    pub fn with_macros(self, macros: Macros) -> Self {
        Self { macros, ..self }
    }

    /// Renders it here and now. A template may take seconds and gigabytes: only the component does this, where both have
    /// limits.
    pub fn render(&self) -> Rendered {
        render(&self.title, &self.body, &self.macros, &self.subject.borrowed(), self.wants)
    }

    /// The text if it cannot be rendered: rule, summary, severity, link, and `why`. At most 16,000 characters, made in
    /// about a millisecond.
    pub fn plain(&self, why: &str) -> Text {
        plain::plain(&self.subject.borrowed(), self.wants, why)
    }

    pub fn encode(&self) -> Vec<u8> {
        encoded(self)
    }

    /// # Errors
    /// The bytes come from another build.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotOfThisBuild> {
        postcard::from_bytes(bytes).map_err(NotOfThisBuild)
    }
}

impl Rendered {
    pub fn encode(&self) -> Vec<u8> {
        encoded(self)
    }

    /// # Errors
    /// The bytes come from another build.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotOfThisBuild> {
        postcard::from_bytes(bytes).map_err(NotOfThisBuild)
    }
}

impl Owned {
    fn borrowed(&self) -> Subject<'_> {
        Subject {
            rule: &self.rule,
            owner: self.owner.as_deref(),
            environment: &self.environment,
            severity: self.severity,
            cause: self.cause,
            person: self.person.as_deref(),
            labels: &self.labels,
            at: self.at,
            since: self.since,
            value: self.value,
            threshold: self.threshold,
            summary: &self.summary,
            details: &self.details,
            link: self.link.as_deref(),
            count: self.count,
            more: &self.more,
        }
    }
}

fn encoded(of: &impl Serialize) -> Vec<u8> {
    // Writing to a vector cannot fail for types of known length; nothing at all is not decoded either.
    postcard::to_allocvec(of).unwrap_or_default()
}

fn cut(text: &str) -> String {
    if text.len() <= VALUE_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(VALUE_BYTES_MAX)])
}

fn details(text: &str) -> String {
    if text.len() <= DETAILS_BYTES_MAX {
        return text.to_owned();
    }
    let note = format!(
        "the details are left out: they have {} MiB, more than the {} allowed",
        text.len().div_ceil(1 << 20),
        DETAILS_BYTES_MAX >> 20
    );
    serde_json::json!({ DOCUMENTS_NOTE: note }).to_string()
}

#[cfg(test)]
mod tests {
    use watchbell_contract::TextFormat;

    use super::*;
    use crate::{BODY, TITLE};

    const WANTS: AlertText =
        AlertText { format: TextFormat::Plain, styles: true, title_max: 100, body_max: 4_000 };

    fn job(labels: &[Label], summary: &str, details: &str, link: &str, more: &[String]) -> Job {
        let subject = Subject {
            rule: "logins",
            owner: None,
            environment: "default",
            severity: Severity::Warning,
            cause: Cause::Was,
            person: None,
            labels,
            at: Timestamp(-1),
            since: Timestamp(i64::MAX),
            value: Some(f64::NEG_INFINITY),
            threshold: Some(0.1),
            summary,
            details,
            link: Some(link),
            count: u32::MAX,
            more,
        };
        Job::new(TITLE, BODY, &subject, WANTS)
    }

    #[test]
    fn jobs_and_texts_cross_unchanged() {
        let labels = [
            Label { name: "host".into(), value: Some("a\0é".into()) },
            Label { name: "team".into(), value: None },
        ];
        let job = job(&labels, "s", r#"{"a":1}"#, "https://k.example/", &["b".into()]);
        let job =
            job.with_macros([("links", "{% macro all() %}{{ link }}{% endmacro %}")].into_iter().collect());
        assert_eq!(Job::decode(&job.encode()).unwrap(), job);
        let fault = PartFault {
            part: Part::Body,
            fault: TemplateFault { line: 2, column: 3, message: "m".into(), is_limit: true, file: None },
        };
        let rendered = Rendered { faults: vec![fault], ..job.render() };
        assert_eq!(Rendered::decode(&rendered.encode()).unwrap(), rendered);
        assert!(Job::decode(&[]).is_err() && Rendered::decode(&[1, 2, 3]).is_err());
    }

    #[test]
    fn what_comes_from_documents_is_bounded() {
        let long = "é".repeat(4 << 20);
        let labels = vec![Label { name: long.clone(), value: Some(long.clone()) }; 1];
        let details = serde_json::json!({ "a": long }).to_string();
        let job = job(&labels, &long, &details, &long, &vec![long.clone(); 3]);
        assert!(job.encode().len() < 100 << 10, "{} bytes", job.encode().len());
        let text = job.render().text;
        assert!(text.title.contains("é… (and"), "{}", text.title);
        assert!(
            text.body.contains("the details are left out: they have 9 MiB, more than the 2 allowed"),
            "{}",
            text.body
        );
    }
}
