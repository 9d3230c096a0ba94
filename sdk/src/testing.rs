//! Rules and alerters in `cargo test`: a virtual timeline, a scripted receiver, captured logs.
pub mod case; // what a test says: documents, and what must be found
mod timeline; // documents in time, windows over them, a host's bookkeeping
mod pages; // answers to questions, made of documents
mod documents; // documents in time, and their fields as columns
mod groups; // documents as counts and metrics
mod recorded; // answers that are made of no documents
mod folder; // cases that lie in folders
mod runner; // who evaluates: the rule itself, or a component elsewhere
pub(crate) mod mock; // what stands in for the host's calls

pub use case::Case;
pub use mock::{MockHttp, take_logs};
pub use runner::{Answer, Call, Native, Runner};
pub use serde_json::Value as Json;
pub use timeline::{ReportedSignal, Timeline};
