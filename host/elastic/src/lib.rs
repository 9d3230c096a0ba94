//! Asks Elasticsearch and OpenSearch: questions become requests, response bytes become columns. The official client
//! carries every request; nothing here keeps anything but what it learnt of a cluster.
mod config; // where a cluster is and how it is entered
mod error; // why there is no answer
mod target; // what of a cluster a rule may see
mod paths; // where requests go
mod refusal; // the servers' own error bodies
mod transport; // nodes, failover, retries, concurrency
mod envelope; // whether an answer is whole: shards, time, remote clusters
mod session; // requests to one cluster
mod mapping; // what each field is, in each index
mod mapping_cache; // what was learnt of them, pattern by pattern
mod resolve; // by which name each index is asked for a field
mod reached; // by which name each index itself is reached
mod named; // which fields a filter names
mod literal; // listed texts as values of a field
mod query; // the Query DSL that every request shares
mod plan; // how each asked field is fetched and kept
mod columns; // values side by side
mod value_column; // and values of any kind
mod page; // rows in order of time, equal times included
mod hits; // the answer to a search, in one pass
mod paging; // to the last hit: one page, point in time or scroll
mod buckets; // composite aggregations, to the last bucket
mod prepared; // a question in the terms of a mapping
mod raw_search; // searches as their author wrote them
mod clock; // the cluster's own time
mod server; // which server it is
mod admin; // what operators ask of a cluster, and change in it
mod gate; // what is in the way of replacing a node, as rows
mod cluster_state; // the cluster's own state
mod source; // where the rows of an answer come from
mod proof; // that a question was asked in the right terms
mod pages; // answers, one page ahead of their reader
mod ask; // from a question to its pages
mod inspect; // what is known of fields before a rule runs
mod evidence; // the few documents behind a signal
mod browse; // documents for people
mod documents; // documents that the host writes
mod cluster; // the door

pub use admin::AdminError;
pub use clock::TIME_STEP;
pub use cluster::Cluster;
pub use config::{Auth, ClusterConfig, ConfigError};
pub use documents::{Document, Written};
pub use error::{AskError, Cause, Class};
pub use evidence::{EvidenceAsk, EvidenceDoc, EvidenceDocs, EvidenceFields};
pub use hits::{HitsPage, PageFault, parse_hits};
pub use inspect::{FieldInfo, Inspection, Role};
pub use literal::unheld;
pub use pages::Pages;
pub use plan::{FieldPlan, Kind};
pub use server::{Flavor, ServerInfo};
pub use target::Target;
