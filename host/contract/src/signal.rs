use crate::{AnyOf, Range, Timestamp};

/// What a rule module says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    pub name: String,
    pub version: String,
    pub summary: String,
    /// JSON Schema of the parameters, as text.
    pub params_schema: String,
    pub state_version: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    pub name: String,
    /// `None`: the field is missing, a group of its own.
    pub value: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalKind {
    /// A level that holds until `until`.
    Firing,
    /// The end of a level.
    Clear,
    /// Something announced once.
    Event,
}

/// What a rule found, for one set of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    pub labels: Vec<Label>,
    pub at: Timestamp,
    pub until: Option<Timestamp>,
    pub kind: SignalKind,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    pub summary: String,
    /// A JSON object as text; the sandbox has checked that it is one.
    pub details: String,
    pub evidence: Option<Evidence>,
}

/// The documents behind a signal, as a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub over: Range,
    pub only: Vec<AnyOf>,
    pub filter: Option<String>,
    /// How many documents the rule expects there, 0..=10.
    pub newest: u32,
}

impl Evidence {
    /// `_index` (empty if it does not matter) and `_id` of the document that it is, if it is nothing but the name of one.
    pub fn document(&self) -> Option<(&str, &str)> {
        if self.only.iter().any(|only| only.field != "_id" && only.field != "_index") {
            return None;
        }
        let first =
            |field: &str| self.only.iter().find(|only| only.field == field)?.values.first()?.as_deref();
        Some((first("_index").unwrap_or_default(), first("_id")?))
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

/// A parameter that is wrong. `path` is a JSON pointer into the parameters, empty for the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub path: String,
    pub message: String,
}

/// An error that a rule returned, as against a trap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    Rows(String),
    State(String),
    Other(String),
}
