//! Whether the mapping that a question was resolved against still held when the answer came.
use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    error::ErrorKind,
    mapping::{Mapping, is_metadata},
    mapping_cache::{self, MappingCache},
    prepared::{Asked, Prepared},
    source::Source,
};

/// A mapping may be older than the answer: a field's first document, or a new index with other types, may have come
/// between them. Documents show which index they are from; filters and counts do not.
pub(crate) struct Proof {
    pub(crate) asked: Asked,
    prepared: Prepared,
    mapping: Arc<Mapping>,
    deadline: Instant,
}

impl Proof {
    pub(crate) fn new(asked: Asked, prepared: Prepared, mapping: Arc<Mapping>, deadline: Instant) -> Self {
        Self { asked, prepared, mapping, deadline }
    }

    /// # Errors
    /// `FieldsChanged`: discard the answer and ask again. Or why that is not known.
    pub(crate) async fn check(&self, mappings: &MappingCache, source: &Source) -> Result<(), ErrorKind> {
        if self.is_open(source) { self.look(mappings).await } else { Ok(()) }
    }

    /// The cause of a failure: `cause`, or changed fields.
    pub(crate) async fn cause(&self, mappings: &MappingCache, cause: ErrorKind) -> ErrorKind {
        if mapping_cache::may_explain(&cause) && self.look(mappings).await == Err(ErrorKind::FieldsChanged) {
            return ErrorKind::FieldsChanged;
        }
        cause
    }

    async fn look(&self, mappings: &MappingCache) -> Result<(), ErrorKind> {
        let Asked { target, .. } = &self.asked;
        let since = Instant::now();
        let mapping = mappings.mapping_since(target, &self.asked.fields(), since, self.deadline).await?;
        match Prepared::new(&self.asked, &mapping) {
            Ok(now) if now == self.prepared => Ok(()),
            _ => Err(ErrorKind::FieldsChanged),
        }
    }

    /// Whether a newer mapping could have led to another answer.
    fn is_open(&self, source: &Source) -> bool {
        let unknown = |field: &String| self.mapping.field(field).is_none();
        if self.asked.only.iter().any(|field| !is_metadata(field)) || self.asked.filters.iter().any(unknown) {
            return true;
        }
        match source {
            // Each document names its index; an index that maps all fields does not change their types.
            Source::Hits(cursor) => cursor
                .seen
                .iter()
                .any(|index| !self.mapping.settles(index, self.asked.read.iter().map(String::as_str))),
            Source::Buckets(cursor) => cursor.any && !self.asked.read.is_empty(),
            Source::Merged(_) => true,
            Source::Ready(_) => false,
        }
    }
}
