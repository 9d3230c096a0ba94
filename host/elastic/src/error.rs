use std::fmt;

use crate::target::Target;

/// Why a request failed: where, and the cause.
#[derive(Debug)]
pub struct AskError {
    /// Empty if the request belongs to no rule.
    pub rule: String,
    /// Empty if the request names no index.
    pub index: String,
    pub cluster: String,
    pub cause: ErrorKind,
}

/// How the pipeline recovers from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Outside the rule's control: try the same again later.
    Outside,
    /// No answer in time: ask for less, or try again.
    Slow,
    /// Too much for one response: ask for less.
    TooLarge,
    /// The rule's own fault: it fails however often it is tried.
    Rule,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    #[error("cannot connect to {node}: {reason}")]
    Connect { node: String, reason: String },
    #[error("the connection to {node} broke before the answer was complete: {reason}")]
    Cut { node: String, reason: String },
    #[error("{node} did not answer within {millis} ms")]
    Timeout { node: String, millis: u128 },
    #[error("the run's deadline has passed{}", after(.last))]
    Deadline { last: Option<Box<ErrorKind>> },
    #[error("all {concurrency} concurrent requests to the cluster were in use until the run's deadline")]
    Busy { concurrency: usize },
    #[error("access denied ({status}): {reason}")]
    Denied { status: u16, reason: String },
    #[error("no such index{}", suffix(.reason))]
    NoIndex { reason: String },
    #[error("refused ({status} {kind}): {reason}")]
    Refused { status: u16, kind: String, reason: String, class: Class },
    #[error("unavailable ({status}): {reason}")]
    Unavailable { status: u16, reason: String },
    #[error("{failed} of {total} shards failed: {reason}")]
    PartialShards { failed: u64, total: u64, reason: String },
    #[error("shards are missing: {reason}")]
    MissingShards { reason: String },
    #[error("{skipped} of {total} clusters were skipped; the answer is partial")]
    SkippedClusters { skipped: u64, total: u64 },
    #[error("the cluster's state is incomplete: {reason}")]
    PartialView { reason: String },
    #[error("the search timed out on the server; its answer is partial")]
    ServerTimedOut,
    #[error("too much for the server ({kind}): {reason}")]
    ServerLimit { kind: String, reason: String },
    #[error("the response has {bytes} bytes, more than {max}; lower `page_hits` or ask for fewer fields")]
    PageTooLarge { bytes: u64, max: usize },
    #[error("the response is {content_type}, not JSON: {excerpt}")]
    NotJson { content_type: String, excerpt: String },
    #[error("unexpected response: {reason}")]
    Malformed { reason: String },
    /// A value that its column cannot hold: a document is at fault, not the server.
    #[error("unexpected response: {reason}")]
    Misfit { reason: String },
    #[error("field `{field}` has conflicting types: {types}; choose indices whose mappings agree")]
    MappingConflict { field: String, types: String },
    #[error("field `{field}` is of type {kind}, which {cannot}")]
    FieldType { field: String, kind: String, cannot: &'static str },
    #[error("time field `{field}` {problem}")]
    TimeField { field: String, problem: String },
    #[error("the mappings changed while the question was being answered")]
    FieldsChanged,
    #[error("the search context expired between two pages")]
    Expired,
    #[error("the query cannot be run: {reason}")]
    Question { reason: String },
    #[error("the document cannot be written: {reason}")]
    Document { reason: String },
}

impl AskError {
    pub(crate) fn new(cluster: &str, target: &Target, cause: ErrorKind) -> Self {
        Self { rule: target.rule.clone(), index: target.index(), cluster: cluster.into(), cause }
    }

    pub(crate) fn of_cluster(cluster: &str, cause: ErrorKind) -> Self {
        Self { rule: String::new(), index: String::new(), cluster: cluster.into(), cause }
    }

    pub(crate) fn of_index(cluster: &str, index: &str, cause: ErrorKind) -> Self {
        Self { index: index.into(), ..Self::of_cluster(cluster, cause) }
    }

    pub fn class(&self) -> Class {
        self.cause.class()
    }

    /// Whether the mappings changed meanwhile: discard the answer and ask again at once.
    pub fn is_outdated(&self) -> bool {
        self.cause == ErrorKind::FieldsChanged
    }
}

impl ErrorKind {
    pub fn class(&self) -> Class {
        match self {
            Self::ServerLimit { .. } | Self::PageTooLarge { .. } => Class::TooLarge,
            Self::Timeout { .. } | Self::ServerTimedOut | Self::Deadline { last: None } => Class::Slow,
            Self::Deadline { last: Some(last) } => last.class(),
            Self::Refused { class, .. } => *class,
            Self::Question { .. } | Self::Document { .. } | Self::Misfit { .. } => Class::Rule,
            _ => Class::Outside,
        }
    }

    /// For a request in which nothing comes from the rule: no refusal of it is the rule's fault.
    pub(crate) fn of_the_host(self) -> Self {
        match self {
            Self::Refused { status, kind, reason, .. } => {
                Self::Refused { status, kind, reason, class: Class::Outside }
            }
            other => other,
        }
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.rule.is_empty() {
            write!(f, "rule `{}`, ", self.rule)?;
        }
        if !self.index.is_empty() {
            write!(f, "index `{}`, ", self.index)?;
        }
        write!(f, "cluster `{}`: {}", self.cluster, self.cause)
    }
}

/// `Display` includes the cause, so there is no `source`.
impl std::error::Error for AskError {}

fn after(last: &Option<Box<ErrorKind>>) -> String {
    last.as_ref().map(|last| format!("; last attempt: {last}")).unwrap_or_default()
}

fn suffix(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}
