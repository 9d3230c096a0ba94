//! The context that a query is bound to.
use std::sync::Arc;

use crate::document::Document;
use crate::errors::{Answer, Refusal};
use crate::mapping::Mapping;

/// As `indices.query.bool.max_clause_count`.
pub(crate) const CLAUSES_MAX: usize = 1_024;

/// The context that a query is bound to.
pub struct Scope<'a> {
    pub mapping: &'a Mapping,
    pub index: &'a str,
    /// Expansions depend on the words in the index.
    pub documents: &'a [Option<Arc<Document>>],
    /// Milliseconds since the epoch: what `now` means.
    pub now: i64,
}

impl Scope<'_> {
    pub fn count(&self, clauses: usize) -> Answer<()> {
        if clauses <= CLAUSES_MAX {
            return Ok(());
        }
        let reason = format!("maxClauseCount is set to {CLAUSES_MAX}");
        Err(Refusal::shard(format!("failed to create query: {reason}")).caused_by("too_many_clauses", reason))
    }
}
