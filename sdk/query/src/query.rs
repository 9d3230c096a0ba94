//! Queries: read from JSON, bound to an index's mapping, tested against documents.
mod ast; // queries as read
mod parse; // from JSON
mod named; // the fields that they name
pub mod lucene; // the language inside `query_string`
mod scope; // the context they are bound to
mod compile; // binding to an index
mod text; // query strings, bound
mod words; // text in one field
mod leaf; // one value of one field
mod nearby; // index words near a word
mod glob; // wildcard patterns
mod strings; // tests of strings, many at once
mod regexp; // Lucene's regular expressions
mod phrase; // words by position
mod predicate; // tests of documents

pub use ast::Query;
pub use compile::{Compiled, compile};
pub use parse::parse;
pub use predicate::Predicate;
pub use regexp::Regexp;
pub use scope::Scope;
