use std::fmt;

use watchbell_secret::Scrubber;

use crate::{session::Session, target::Target};

/// Characters of one text of an error: people read it in a line.
const TEXT_CHARS_MAX: usize = 1_000;
/// As `TEXT_CHARS_MAX`, for what a cluster says.
const TOLD_CHARS_MAX: usize = 300;

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
    #[error("redirected ({status}) to {to}, which is not followed; name the address that answers in `nodes`")]
    Redirect { status: u16, to: String },
    #[error("the response has {}; lower `page_hits`, ask for fewer fields or raise `page_bytes`", beyond(.bytes, .max))]
    PageTooLarge { bytes: Option<u64>, max: usize },
    #[error("the response would take more than {max} bytes of memory; ask for less or raise `page_bytes`")]
    MemoryTooLarge { max: usize },
    /// As the two above, for a request that no window makes smaller.
    #[error("{reason}")]
    Oversized { reason: String },
    #[error("the answer has more than {max} pages; ask for less or raise `page_hits`")]
    TooManyPages { max: usize },
    /// The server repeats itself: more requests would bring nothing new.
    #[error("the answer does not end: {reason}")]
    Endless { reason: String },
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
    pub(crate) fn new(session: &Session, target: &Target, cause: ErrorKind) -> Self {
        let rule = target.rule.clone();
        Self { rule, ..Self::of_index(session, &target.index(), cause) }
    }

    pub(crate) fn of_cluster(session: &Session, cause: ErrorKind) -> Self {
        let cluster = session.config().name.clone();
        Self { rule: String::new(), index: String::new(), cluster, cause: cause.shown(session.scrubber()) }
    }

    pub(crate) fn of_index(session: &Session, index: &str, cause: ErrorKind) -> Self {
        Self { index: index.into(), ..Self::of_cluster(session, cause) }
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
            Self::ServerLimit { .. }
            | Self::PageTooLarge { .. }
            | Self::MemoryTooLarge { .. }
            | Self::TooManyPages { .. } => Class::TooLarge,
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
            other => other.of_no_window(),
        }
    }

    /// For a request that no shorter window makes smaller.
    pub(crate) fn of_no_window(self) -> Self {
        match self {
            Self::PageTooLarge { .. } | Self::MemoryTooLarge { .. } => {
                Self::Oversized { reason: self.to_string() }
            }
            other => other,
        }
    }

    /// As people may see it: each text without the cluster's credentials, on one line's length.
    pub(crate) fn shown(mut self, scrubber: &Scrubber) -> Self {
        let most = if self.is_told() { TOLD_CHARS_MAX } else { TEXT_CHARS_MAX };
        for text in self.texts_mut() {
            *text = shortened(scrubber.text(text), most);
        }
        self
    }

    /// Whether its texts are what a server said.
    fn is_told(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::Unavailable { .. }
            | Self::ServerLimit { .. }
            | Self::PartialShards { .. }
            | Self::MissingShards { .. }
            | Self::NotJson { .. }
            | Self::Redirect { .. } => true,
            Self::Deadline { last: Some(last) } => last.is_told(),
            _ => false,
        }
    }

    /// Texts that a cluster may have a part in.
    fn texts_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::Connect { reason, .. }
            | Self::Cut { reason, .. }
            | Self::Denied { reason, .. }
            | Self::NoIndex { reason }
            | Self::Unavailable { reason, .. }
            | Self::PartialShards { reason, .. }
            | Self::MissingShards { reason }
            | Self::PartialView { reason }
            | Self::Oversized { reason }
            | Self::Endless { reason }
            | Self::Malformed { reason }
            | Self::Misfit { reason }
            | Self::Question { reason }
            | Self::Document { reason } => vec![reason],
            Self::Refused { kind, reason, .. } | Self::ServerLimit { kind, reason } => vec![kind, reason],
            Self::NotJson { content_type, excerpt } => vec![content_type, excerpt],
            Self::Redirect { to, .. } => vec![to],
            Self::MappingConflict { types, .. } => vec![types],
            Self::FieldType { kind, .. } => vec![kind],
            Self::TimeField { problem, .. } => vec![problem],
            Self::Deadline { last } => last.as_mut().map_or_else(Vec::new, |last| last.texts_mut()),
            Self::Timeout { .. }
            | Self::Busy { .. }
            | Self::SkippedClusters { .. }
            | Self::ServerTimedOut
            | Self::PageTooLarge { .. }
            | Self::MemoryTooLarge { .. }
            | Self::TooManyPages { .. }
            | Self::FieldsChanged
            | Self::Expired => vec![],
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

fn beyond(bytes: &Option<u64>, max: &usize) -> String {
    match bytes {
        Some(bytes) => format!("{bytes} bytes, more than the {max} of `page_bytes`"),
        None => format!("more than the {max} bytes of `page_bytes`"),
    }
}

fn shortened(mut text: String, chars_max: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(chars_max) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn suffix(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}
