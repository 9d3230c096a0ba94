//! The classic Lucene query language, as `query_string` reads it, and the simple one beside it.
mod lexer; // characters to tokens
mod parser; // tokens to clauses, with Lucene's own idea of AND and OR
mod simple; // the language of `simple_query_string`

pub(crate) use parser::parse;
pub(crate) use simple::{Flags, parse as parse_simple};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    All,
    Nothing,
    Bool(Vec<(Occur, Node)>),
    /// Everything but that; nothing at all where analysis leaves nothing of it.
    Without(Box<Node>),
    Term {
        field: Option<String>,
        text: String,
        quoted: bool,
        /// How far the words of a quoted text may be apart, where it is said.
        slop: Option<usize>,
    },
    /// `edits` as it was written, and `None` for a bare `~`.
    Fuzzy {
        field: Option<String>,
        text: String,
        edits: Option<String>,
    },
    /// Escapes are still in it.
    Wildcard {
        field: Option<String>,
        pattern: String,
    },
    Prefix {
        field: Option<String>,
        text: String,
    },
    Regexp {
        field: Option<String>,
        pattern: String,
    },
    Range {
        field: Option<String>,
        low: Option<(String, bool)>,
        high: Option<(String, bool)>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occur {
    Should,
    Must,
    Not,
}
