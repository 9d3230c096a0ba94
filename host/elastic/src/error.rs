use std::fmt;

use crate::target::Target;

/// Why a question has no answer: the place, and the cause.
#[derive(Debug)]
pub struct AskError {
    /// Empty where no rule asked.
    pub rule: String,
    /// Empty where no index was asked.
    pub index: String,
    pub cluster: String,
    pub cause: Cause,
}

/// What the pipeline is to make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The same again, later.
    Outside,
    /// No answer in time: less of it, or the same again.
    Slow,
    /// Too much for one answer: less of it.
    TooLarge,
    /// It cannot be asked, however often: the rule's own fault.
    Rule,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    #[error("cannot connect to {node}: {reason}")]
    Connect { node: String, reason: String },
    #[error("the connection to {node} broke before the answer was complete: {reason}")]
    Cut { node: String, reason: String },
    #[error("{node} did not answer within {millis} ms")]
    Timeout { node: String, millis: u128 },
    #[error("the run's time is over{}", after(.last))]
    Deadline { last: Option<Box<Cause>> },
    #[error(
        "all {concurrency} requests that the cluster is asked at once were under way until the run's time was over"
    )]
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
    #[error("{skipped} of {total} clusters were passed over, the answer is partial")]
    SkippedClusters { skipped: u64, total: u64 },
    #[error("the view of the cluster is partial: {reason}")]
    PartialView { reason: String },
    #[error("the search timed out on the server, its answer is partial")]
    ServerTimedOut,
    #[error("too much for the server ({kind}): {reason}")]
    ServerLimit { kind: String, reason: String },
    #[error("the answer of {bytes} bytes is larger than {max}; lower `page_hits` or ask for fewer fields")]
    PageTooLarge { bytes: u64, max: usize },
    #[error("the answer is not json but {content_type}: {excerpt}")]
    NotJson { content_type: String, excerpt: String },
    #[error("the answer is not what was asked for: {reason}")]
    Malformed { reason: String },
    /// A value that its column cannot hold: a document is the reason, not the server.
    #[error("the answer is not what was asked for: {reason}")]
    Misfit { reason: String },
    #[error("field `{field}` is {types} in the indices asked; ask for indices that agree")]
    MappingConflict { field: String, types: String },
    #[error("field `{field}` is of type {kind}, which {cannot}")]
    FieldType { field: String, kind: String, cannot: &'static str },
    #[error("time field `{field}` {problem}")]
    TimeField { field: String, problem: String },
    #[error("the types of the fields asked changed while the question was answered")]
    FieldsChanged,
    #[error("the search's context expired between two pages")]
    Expired,
    #[error("the question cannot be asked: {reason}")]
    Question { reason: String },
    #[error("the document cannot be written: {reason}")]
    Document { reason: String },
}

impl AskError {
    pub(crate) fn new(cluster: &str, target: &Target, cause: Cause) -> Self {
        Self { rule: target.rule.clone(), index: target.index(), cluster: cluster.into(), cause }
    }

    pub(crate) fn of_cluster(cluster: &str, cause: Cause) -> Self {
        Self { rule: String::new(), index: String::new(), cluster: cluster.into(), cause }
    }

    pub(crate) fn of_index(cluster: &str, index: &str, cause: Cause) -> Self {
        Self { index: index.into(), ..Self::of_cluster(cluster, cause) }
    }

    pub fn class(&self) -> Class {
        self.cause.class()
    }

    /// The answer is to be thrown away, and the same asked again at once: it is learnt by now what fields there are.
    pub fn is_outdated(&self) -> bool {
        self.cause == Cause::FieldsChanged
    }
}

impl Cause {
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

    /// Of a request in which nothing is the rule's: whatever is wrong with it is not the rule's doing.
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

/// `Display` tells all; the cause is a part of it rather than a layer below.
impl std::error::Error for AskError {}

fn after(last: &Option<Box<Cause>>) -> String {
    last.as_ref().map(|last| format!("; the last attempt: {last}")).unwrap_or_default()
}

fn suffix(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}
