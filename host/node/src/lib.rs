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
mod doc_values; // how values are shown
mod search; // matching, order, and what is shown
mod aggs; // aggregations
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing; // requests without a listener, for the fuzz targets

use watchbell_query::{dates, document, errors, geo, mapping, query, value};

pub use config::{Clock, Config, InjectedFault, Limits, Retention};
pub use server::Node;
