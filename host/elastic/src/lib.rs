//! Queries Elasticsearch and OpenSearch: questions become requests, response bytes become columns. Paths, methods and
//! bodies are the official client's; the HTTP client beneath it sends. The only state kept here is what was learned about
//! a cluster.
mod config; // addresses, credentials and limits of a cluster
mod error; // why a question has no answer
mod target; // what a rule may see of a cluster
mod paths; // request paths
mod weight; // what a response takes once parsed
mod refusal; // the servers' error bodies
mod transport; // nodes, failover, retries, concurrency
mod envelope; // whether an answer is complete: shards, timeout, remote clusters
mod session; // requests to one cluster
mod mapping; // field types, per index
mod mapping_cache; // the mappings learned, per index pattern
mod resolve; // the name under which each index has a field
mod reached; // the name under which each index is reached
mod named; // which fields a filter names
mod literal; // listed texts as values of a field
mod query; // the Query DSL that every request shares
mod plan; // how each requested field is fetched and stored
mod point; // places as servers write them
mod words; // strings, each stored once
mod misfit; // what ends the reading of a page
mod columns; // column builders
mod value_column; // a column of JSON values
mod page; // rows in time order, ties included
mod hits; // search responses, read in one pass
mod paging; // to the last hit: one page, point in time or scroll
mod buckets; // composite aggregations, to the last bucket
mod prepared; // a question resolved against a mapping
mod raw_search; // searches written by the rule's author
mod clock; // the cluster's time
mod server; // which server it is
mod admin; // what operators read and change
mod gate; // what prevents a node from being replaced, as rows
mod cluster_state; // the cluster's state, as rows
mod source; // the cursors that rows come from
mod proof; // whether a mapping still held when the answer came
mod pages; // answers, fetched one page ahead
mod ask; // from a question to its pages
mod inspect; // field information for checks
mod evidence; // the documents behind a signal
mod browse; // documents for people
mod documents; // writing documents
mod cluster; // the public API
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing; // readers of answers, for the fuzz targets

pub use admin::AdminError;
pub use clock::TIME_STEP;
pub use cluster::Cluster;
pub use config::{Auth, ClusterConfig, ConfigError};
pub use documents::{Document, Written};
pub use error::{AskError, Class, ErrorKind};
pub use evidence::{EvidenceAsk, EvidenceDoc, EvidenceDocs, EvidenceFields};
pub use hits::{HitsPage, PageFault, parse_hits};
pub use inspect::{FieldInfo, Inspection, Role};
pub use literal::unheld;
pub use pages::Pages;
pub use plan::{ColumnKind, FieldPlan};
pub use server::{Flavor, ServerInfo};
pub use target::Target;
pub use watchbell_confine::{Grant, Scope};
