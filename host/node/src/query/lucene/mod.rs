//! The classic Lucene query language, as `query_string` reads it.
mod lexer; // characters to tokens
mod parser; // tokens to clauses, with Lucene's own idea of AND and OR

pub(crate) use parser::parse;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Bool(Vec<(Occur, Node)>),
    Term {
        field: Option<String>,
        text: String,
        quoted: bool,
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
