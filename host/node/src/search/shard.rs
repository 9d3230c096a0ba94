//! A search's indices, and its matching documents in them.
use std::sync::Arc;

use serde_json::Value as Json;

use super::sort::Slot;
use crate::document::Document;
use crate::query::Compiled;
use crate::snapshot::Snapshot;

/// One index in a search.
pub(crate) struct Shard {
    pub(crate) snapshot: Snapshot,
    pub(crate) compiled: Compiled,
    /// How each sort key is read.
    pub(crate) slots: Vec<Slot>,
}

/// A document to show.
pub(crate) struct Hit {
    pub(crate) shard: u32,
    pub(crate) document: Arc<Document>,
    pub(crate) sort: Vec<Json>,
}
