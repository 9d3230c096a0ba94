//! The classic Lucene query language, as in `query_string`, and the simple one.
mod lexer; // characters to tokens
mod parser; // tokens to clauses, with Lucene's AND and OR
mod simple; // the language of `simple_query_string`

pub use parser::parse;
pub use simple::{Flags, parse as parse_simple};

#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    All,
    Nothing,
    Bool(Vec<(Occur, Node)>),
    /// Everything but that; nothing if analysis removes it.
    Without(Box<Node>),
    Term {
        field: Option<String>,
        text: String,
        quoted: bool,
        /// The slop of a quoted text, if given.
        slop: Option<usize>,
    },
    /// `edits` as written, and `None` for a bare `~`.
    Fuzzy {
        field: Option<String>,
        text: String,
        edits: Option<String>,
    },
    /// Still contains escapes.
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
pub enum Occur {
    Should,
    Must,
    Not,
}
