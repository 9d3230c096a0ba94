//! What a rule finds, for one set of labels.
use serde::Serialize;

use crate::wire::types as wire;
use crate::{AnyOf, Labels, Range, Timestamp};

#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    pub labels: Labels,
    /// On the data's clock, within the window.
    pub at: Timestamp,
    /// How long a firing level holds without another signal; `None`: until the next check.
    pub until: Option<Timestamp>,
    pub kind: Kind,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    /// One line for people.
    pub summary: String,
    /// A JSON object as text: `details.*` in a manifest's texts.
    pub details: String,
    pub evidence: Option<Evidence>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A level that holds until `until`.
    Firing,
    /// The end of a level.
    Clear,
    /// Something announced once.
    Event,
}

/// The documents behind a signal, as a query: the host fetches the newest few and links to all.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub over: Range,
    /// Besides the signal's labels, which the SDK adds.
    pub only: Vec<AnyOf>,
    /// Lucene query-string syntax.
    pub filter: Option<String>,
    /// How many of the newest documents to fetch, 0..=10.
    pub newest: u32,
}

/// Where a rule puts what it finds.
#[derive(Debug, Default)]
pub struct Signals {
    found: Vec<Signal>,
}

impl Signal {
    /// A level that holds until [`until`](Self::until).
    pub fn firing(labels: Labels, at: Timestamp) -> Self {
        Self::new(Kind::Firing, labels, at)
    }

    /// The end of a level.
    pub fn clear(labels: Labels, at: Timestamp) -> Self {
        Self::new(Kind::Clear, labels, at)
    }

    /// Something announced once.
    pub fn event(labels: Labels, at: Timestamp) -> Self {
        Self::new(Kind::Event, labels, at)
    }

    fn new(kind: Kind, labels: Labels, at: Timestamp) -> Self {
        Self {
            labels,
            at,
            until: None,
            kind,
            value: None,
            threshold: None,
            summary: String::new(),
            details: "{}".into(),
            evidence: None,
        }
    }

    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// What `worse:` compares and `{{ value }}` prints.
    pub fn value(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }

    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = Some(threshold);
        self
    }

    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    /// A struct, a map or `json!({…})`. What is no JSON object is left out and logged.
    pub fn details(mut self, details: &impl Serialize) -> Self {
        match serde_json::to_string(details) {
            Ok(text) if text.starts_with('{') => self.details = text,
            Ok(text) => crate::log::warn(format_args!("details must be a JSON object, not {text}")),
            Err(error) => crate::log::warn(format_args!("details cannot be written as JSON: {error}")),
        }
        self
    }

    pub fn evidence(mut self, evidence: Evidence) -> Self {
        self.evidence = Some(evidence);
        self
    }

    pub(crate) fn into_wire(self, key: &[String]) -> wire::Signal {
        let evidence = self.evidence.map(|evidence| wire::Evidence {
            over: evidence.over.into_wire(),
            only: key
                .iter()
                .zip(&self.labels.0)
                .map(|(field, value)| AnyOf { field: field.clone(), values: vec![value.clone()] })
                .chain(evidence.only)
                .map(AnyOf::into_wire)
                .collect(),
            filter: evidence.filter,
            newest: evidence.newest,
        });
        wire::Signal {
            labels: key
                .iter()
                .zip(self.labels.0)
                .map(|(name, value)| wire::Label { name: name.clone(), value })
                .collect(),
            at: self.at.0,
            until: self.until.map(|until| until.0),
            kind: match self.kind {
                Kind::Firing => wire::SignalKind::Firing,
                Kind::Clear => wire::SignalKind::Clear,
                Kind::Event => wire::SignalKind::Event,
            },
            value: self.value,
            threshold: self.threshold,
            summary: self.summary,
            details: self.details,
            evidence,
        }
    }
}

impl Evidence {
    /// The documents of `over` that have the signal's labels.
    pub fn over(over: Range) -> Self {
        Self { over, only: vec![], filter: None, newest: 0 }
    }

    /// How many of the newest documents to fetch; at most 10.
    pub fn newest(mut self, newest: u32) -> Self {
        self.newest = newest.min(10);
        self
    }

    pub fn filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = Some(filter.into());
        self
    }
}

impl Signals {
    pub fn push(&mut self, signal: Signal) {
        self.found.push(signal);
    }

    pub fn len(&self) -> usize {
        self.found.len()
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In order of time. Of one instant, by labels: a rule may have walked its keys in any order.
    pub(crate) fn into_sorted(mut self) -> Vec<Signal> {
        self.found.sort_by(|a, b| (a.at, &a.labels, a.kind).cmp(&(b.at, &b.labels, b.kind)));
        self.found
    }
}
