//! Rules and alerters in `cargo test`: a virtual timeline, a scripted receiver, captured logs.
pub mod case; // a test case: documents and expected signals
mod run; // runs a case
mod file; // cases in files
mod flow; // values as YAML on one line
mod print; // cases as the text of a file
mod compare; // what was found, and what is expected
mod fold; // the same verdict however time is cut
mod timeline; // documents on a timeline, windows over them, a host's bookkeeping
mod corpus; // the documents of a case, and which of them a query matches
mod pages; // answers to questions from documents
mod documents; // documents with times, and their fields as columns
mod groups; // documents as counts and metrics
mod recorded; // answers that do not come from documents
mod runner; // evaluates a case: natively, or with a component elsewhere
pub(crate) mod mock; // replaces the host's calls
#[cfg(test)]
mod tests;

use std::path::Path;

pub use case::Case;
pub use flow::flow;
pub use mock::{MockHttp, MockMail, take_logs};
pub use run::Outcome;
pub use runner::{Answer, Native, Runner};
pub use serde_json::Value as Json;
pub use timeline::{Identity, LoggedLine, ReportedSignal, Timeline};
pub use watchbell_rows::{Column, Dictionary, Points, Rows, Values};

/// Runs every case of the files `*.test.yaml` in a folder natively: its signals must be the expected ones
/// ([`Case::check`]), however time is cut ([`Case::assert_fold`]).
///
/// ```no_run
/// # use watchbell_sdk::prelude::*;
/// # fn check<MyRule: watchbell_sdk::Rule>() {
/// watchbell_sdk::testing::check_folder::<MyRule>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
/// # }
/// ```
///
/// # Panics
/// A file is not valid, or a case fails; the message names each, with its file and line.
pub fn check_folder<R: crate::Rule>(folder: impl AsRef<Path>) {
    let cases = Case::read_folder(folder.as_ref()).unwrap_or_else(|fault| panic!("{fault}"));
    let check = |case: &Case| {
        let runner = &mut Native::<R>::default();
        case.check_with(runner).and_then(|()| case.check_fold(runner)).err()
    };
    let faults: Vec<String> = cases.iter().filter_map(check).collect();
    assert!(faults.is_empty(), "{} of {} cases fail\n{}", faults.len(), cases.len(), faults.join("\n"));
}
