//! One index as a search sees it.
use std::sync::Arc;

use crate::document::Document;
use crate::mapping::Mapping;
use crate::query::{Query, Scope};

/// An index at one moment; documents written later are not in it.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) name: Arc<str>,
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) documents: Arc<Vec<Option<Arc<Document>>>>,
    /// The filters of the aliases that reached it.
    pub(crate) filter: Option<Arc<Query>>,
}

impl Snapshot {
    /// The context for binding a query; `now` is in milliseconds since the epoch.
    pub(crate) fn scope(&self, now: i64) -> Scope<'_> {
        Scope { mapping: &self.mapping, index: &self.name, documents: &self.documents, now }
    }
}
