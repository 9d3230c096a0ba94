//! Asks Elasticsearch and OpenSearch: questions become requests, response bytes become columns. The official client
//! carries every request; nothing here keeps anything but what it learnt of a cluster.
mod config; // where a cluster is and how it is entered
mod error; // why there is no answer
mod target; // what of a cluster a rule may see
mod transport; // nodes, failover, retries, concurrency
mod refusal; // the servers' own error bodies
mod mapping; // what each field is, in each index
mod resolve; // by which name each index is asked for a field
mod reached; // by which name each index itself is reached
mod looks; // what was learnt of them, pattern by pattern
mod named; // which fields a filter names
mod literal; // listed texts as values of a field
mod query; // the Query DSL that every request shares
mod whole; // whether an answer is all of it
mod columns; // values side by side
mod page; // rows in order of time, equal times included
mod hits; // the answer to a search, in one pass
mod plan; // how each asked field is fetched and kept
mod prepared; // a question in the terms of a mapping, and the proof that they hold
mod cursor; // from the first hit to the last: one page, point in time or scroll
mod buckets; // composite aggregations, to the last bucket
mod raw; // searches as their author wrote them
mod clock; // the cluster's own time
mod view; // the cluster's own state
mod admin; // what operators ask of a cluster, and change in it
mod gate; // what is in the way of replacing a node, as rows
mod evidence; // the few documents behind a signal
mod pages; // answers, one page ahead of their reader
mod cluster; // the door

pub use admin::AdminError;
pub use clock::TIME_STEP;
pub use cluster::{Cluster, FieldInfo, Flavor, Inspection, Role, ServerInfo};
pub use config::{Auth, ClusterConfig, ConfigError};
pub use error::{AskError, Cause, Class};
pub use evidence::{EvidenceAsk, EvidenceDoc, EvidenceDocs, EvidenceFields};
pub use hits::{HitsPage, PageFault, parse_hits};
pub use literal::unheld;
pub use pages::Pages;
pub use plan::{FieldPlan, Kind};
pub use target::Target;
