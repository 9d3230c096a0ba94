//! Queries: read from JSON, bound to one index's mapping, tested against documents.
mod ast; // what was asked
mod parse; // from JSON
pub(crate) mod lucene; // the language inside `query_string`
mod scope; // what it is bound to
mod compile; // to a predicate of one index
mod text; // the languages inside a string, bound
mod words; // how a text is asked of one field
mod leaf; // how one value is asked of one field
mod nearby; // words of an index that are like a word
mod glob; // wildcard patterns
mod strings; // what can be asked of a string, and many such questions at once
mod regexp; // Lucene's regular expressions
mod phrase; // words in their places
mod predicate; // what a document is tested with

pub(crate) use ast::Query;
pub(crate) use compile::{Compiled, compile};
pub(crate) use parse::parse;
pub(crate) use predicate::Predicate;
pub(crate) use regexp::Regexp;
pub(crate) use scope::Scope;
