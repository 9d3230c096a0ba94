//! The embedded search node: a small, exact subset of the Elasticsearch HTTP API, in memory.
//!
//! It responds like the real servers, or refuses in their error format; it never guesses. Relevance is not modelled:
//! without a sort, hits come in write order with a score of 1. Some field types are known only by name, so that real
//! mappings can be loaded; queries on such a field are refused.
mod config; // configuration
mod server; // the only room that listens, waits and reads a clock
mod http; // requests and responses
mod shared; // state shared by all requests
mod cluster; // indices
mod snapshot; // an index as a search sees it
mod names; // index name expressions
mod mapping; // fields of an index
mod document; // one document
mod value; // one indexed value
mod geo; // places on Earth
mod doc_values; // how values are shown
mod text; // the standard analyzer
mod dates; // formats, maths, calendar, zones
mod query; // which documents match
mod search; // matching, order, and what is shown
mod aggs; // aggregations
mod errors; // refusals

pub use config::{Clock, Config, InjectedFault, Limits, Retention};
pub use server::Node;
