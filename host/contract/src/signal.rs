use crate::{AnyOf, Query, Range, Timestamp};

/// A rule module's description of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The name in a manifest's `use:`, for example `spike`; 1 to 4,096 bytes.
    pub name: String,
    /// The module's own version, for people.
    pub version: String,
    /// One sentence for people, 4,096 bytes at most.
    pub summary: String,
    /// JSON Schema of the parameters, as text.
    pub params_schema: String,
    /// Increased when the meaning of the state changes.
    pub state_version: u32,
    /// A fingerprint of the state's layout: a state of another layout is never passed in.
    pub state_layout: String,
}

/// One part of a signal's identity: the value of a key field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The field's name.
    pub name: String,
    /// `None`: the field is missing; such documents form a separate group.
    pub value: Option<String>,
}

/// The kind of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalKind {
    /// A level that holds until `until`.
    Firing,
    /// The end of a level.
    Clear,
    /// Something that is announced once.
    Event,
}

/// A finding of a rule for one set of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The key fields' values, in the manifest's order; none without a key.
    pub labels: Vec<Label>,
    /// The time on the data's clock, within the window.
    pub at: Timestamp,
    /// Until when a level holds without another signal; `None`: to the end of the grid step after the signal's.
    pub until: Option<Timestamp>,
    /// A level, its end, or something that happened once.
    pub kind: SignalKind,
    /// What makes an event another one than other events of its instant and labels; `None`: the first document that its
    /// evidence names, if any.
    pub identity: Option<String>,
    /// The evaluated number; finite.
    pub value: Option<f64>,
    /// The threshold that it was compared with; finite.
    pub threshold: Option<f64>,
    /// One line for people, 16 KiB at most.
    pub summary: String,
    /// A JSON object as text; the sandbox has checked that it is one.
    pub details: String,
    /// The documents behind it.
    pub evidence: Option<Evidence>,
}

/// The documents behind a signal.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// Those of a query.
    Selection(Selection),
    /// These, the one that the signal is about first; 1 to 10.
    Documents(Vec<Document>),
}

/// Documents with the signal's labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// The time range: `start` is included, `end` is not.
    pub over: Range,
    /// Values that the documents must have, those of the labels among them.
    pub only: Vec<AnyOf>,
    /// Conditions in addition to the manifest's own filter.
    pub filters: Vec<Query>,
    /// The number of documents that the rule expects, 0..=10.
    pub newest: u32,
}

/// A document, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its time.
    pub at: Timestamp,
    /// `None`: the rule does not know it.
    pub index: Option<String>,
    /// Its `_id`.
    pub id: String,
}

impl Evidence {
    /// The first document that is named: the one that the signal is about.
    pub fn document(&self) -> Option<&Document> {
        match self {
            Self::Documents(documents) => documents.first(),
            Self::Selection(_) => None,
        }
    }
}

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finding {
    /// In order of time.
    pub signals: Vec<Signal>,
    /// The fold of all rows before the window's `settled`.
    pub state: Vec<u8>,
}

/// An invalid parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A JSON pointer into the parameters; empty for the parameters as a whole.
    pub path: String,
    /// What is wrong, for the manifest's author.
    pub message: String,
}

/// An error that a rule returned, as opposed to a trap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The answer lacks something that the rule needs.
    Rows(String),
    /// The given state cannot be read: the rule is primed again.
    State(String),
    /// Anything else.
    Other(String),
}
