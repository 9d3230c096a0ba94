//! The nodes of a document, each with its place.
use serde_json::Number;
use watchbell_manifest::Place;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) data: Data,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number {
        value: Number,
        written: String,
    },
    Text(String),
    /// A plain scalar that is one token: it takes its value's own type.
    Token(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().rev().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// A scalar as Python's `str` writes it.
    pub(crate) fn text(&self) -> Option<String> {
        Some(match &self.data {
            Data::Text(text) | Data::Token(text) => text.clone(),
            Data::Number { written, .. } => written.clone(),
            Data::Bool(true) => "True".into(),
            Data::Bool(false) => "False".into(),
            Data::Null | Data::List(_) | Data::Map(_) => return None,
        })
    }

    /// The type of the value, and never the value itself, which may be a secret.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "a boolean",
            Data::Number { .. } => "a number",
            Data::Text(_) | Data::Token(_) => "a string",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }
}
