//! The embedded search node: a small, exact subset of the Elasticsearch HTTP API, in memory.
//!
//! It answers as the real servers do, or refuses in their own error shape; it never guesses. Relevance is not
//! modelled: without a sort, hits come in the order of writing with a score of 1. Some types of fields are known by name
//! alone, so that real mappings can be loaded; what is asked of such a field is refused.
mod config; // how it is set up
mod server; // the only room that listens, waits and reads a clock
mod http; // requests and responses
mod shared; // what all requests share
mod cluster; // indices
mod snapshot; // one of them, as a search sees it
mod names; // expressions of index names
mod mapping; // what an index knows of its fields
mod document; // one document
mod value; // one indexed value
mod doc_values; // and how it is shown
mod text; // the standard analyzer
mod dates; // formats, maths, calendar, zones
mod query; // which documents
mod search; // in which order, and what of them
mod aggs; // and what they come to
mod errors; // what is refused, and how

pub use config::{Clock, Config, InjectedFault, Limits, Retention};
pub use server::Node;
