//! Rules and alerters in `cargo test`: a virtual timeline, a scripted receiver, captured logs.
pub mod case; // a test case: documents and expected signals
mod timeline; // documents on a timeline, windows over them, a host's bookkeeping
mod pages; // answers to questions from documents
mod documents; // documents with times, and their fields as columns
mod groups; // documents as counts and metrics
mod recorded; // answers that do not come from documents
mod folder; // cases in folders
mod runner; // evaluates a case: natively, or with a component elsewhere
pub(crate) mod mock; // replaces the host's calls

pub use case::Case;
pub use mock::{MockHttp, take_logs};
pub use runner::{Answer, Call, Native, Runner};
pub use serde_json::Value as Json;
pub use timeline::{ReportedSignal, Timeline};
