//! The documents behind a signal: by query if there are many, by name if they are single documents.
use serde::{Deserialize, Serialize};

use crate::aged::held_bytes;
use crate::wire::types as wire;
use crate::{AnyOf, Query, Range, Row, Timestamp};

/// The documents behind a signal: the host fetches what the alert's texts show, and links to all.
///
/// A rule that counts gives a range, to which the host adds the signal's labels. A rule about single documents names
/// them with [`Row::evidence`]: several documents may share an instant, but the signal is about one of them.
///
/// ```
/// use watchbell_sdk::prelude::*;
///
/// /// A rule that counts: what was counted, and how many of the newest tell the story.
/// fn counted(within: Range) -> Evidence {
///     Evidence::over(within).filter("status:[500 TO 599]").newest(5)
/// }
///
/// /// A rule about single documents, which were asked for with `identified`: this one, and the one before.
/// fn single(row: &Row<'_>, before: (Timestamp, &DocumentId)) -> Evidence {
///     row.evidence().and(before.0, before.1)
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// The documents of a query.
    Selection(Selection),
    /// These documents, at most 10, the one that the signal is about first.
    Documents(Vec<Document>),
}

/// Documents with the signal's labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// The time range: `start` is included, `end` is not.
    pub over: Range,
    /// Conditions in addition to the signal's labels.
    pub only: Vec<AnyOf>,
    /// A further condition, in addition to the manifest's filter.
    pub filter: Option<Query>,
    /// The number of documents that the rule expects, 0..=10. The alert's texts decide how many are fetched.
    pub newest: u32,
}

/// A document, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its time.
    pub at: Timestamp,
    /// Its index; `None`: the state does not know it, and the host looks in all indices of the manifest.
    pub index: Option<String>,
    /// Its `_id`.
    pub id: String,
}

/// A document that the state remembers, by its `_id`. An id longer than 64 bytes is not kept. A full map drops ids
/// before it drops a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentId(Box<str>);

const ID: &str = "_id";
const INDEX: &str = "_index";
const ID_BYTES_MAX: usize = 64;

/// The maximum number of named documents.
const DOCUMENTS_MAX: usize = 10;

impl Evidence {
    /// The documents of `over` that have the signal's labels.
    pub fn over(over: Range) -> Self {
        Self::Selection(Selection { over, only: vec![], filter: None, newest: 0 })
    }

    /// Sets how many of the newest documents the rule expects to be relevant; at most 10. Has no effect on named
    /// documents.
    pub fn newest(mut self, newest: u32) -> Self {
        if let Self::Selection(selection) = &mut self {
            selection.newest = newest.min(10);
        }
        self
    }

    /// Narrows it to documents that match, in addition to the manifest's filter; a text is in Lucene query-string
    /// syntax. Replaces an earlier one. Has no effect on named documents.
    pub fn filter(mut self, query: impl Into<Query>) -> Self {
        if let Self::Selection(selection) = &mut self {
            selection.filter = Some(query.into());
        }
        self
    }

    /// Narrows it to documents whose `field` has one of `values`; `None` matches documents without the field. Several
    /// calls are combined with AND. Has no effect on named documents.
    pub fn only(mut self, field: impl Into<String>, values: Vec<Option<String>>) -> Self {
        if let Self::Selection(selection) = &mut self {
            selection.only.push(AnyOf { field: field.into(), values });
        }
        self
    }

    /// These documents, by their times and ids, in this order; at most 10 count. If the state does not know one of
    /// them, the evidence stays what it is.
    pub fn documents<'d>(self, named: impl IntoIterator<Item = (Timestamp, &'d DocumentId)>) -> Self {
        let documents: Option<Vec<_>> =
            named.into_iter().take(DOCUMENTS_MAX).map(|(at, id)| id.document(at)).collect();
        documents.filter(|documents| !documents.is_empty()).map_or(self, Self::Documents)
    }

    /// Adds an earlier document, at `at`, to evidence that names a row's document. Has no effect if the state does not
    /// know the earlier one.
    pub fn and(mut self, at: Timestamp, earlier: &DocumentId) -> Self {
        if let Self::Documents(documents) = &mut self
            && documents.len() < DOCUMENTS_MAX
        {
            documents.extend(earlier.document(at));
        }
        self
    }

    /// The first document that is named: the one that the signal is about.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn document(&self) -> Option<&Document> {
        match self {
            Self::Documents(documents) => documents.first(),
            Self::Selection(_) => None,
        }
    }

    /// Its approximate share of a run's output, without the labels, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Selection(selection) => {
                let values = selection.only.iter().flat_map(|only| &only.values).flatten();
                let filter = selection.filter.as_ref().map_or(0, |query| match query {
                    Query::Lucene(text) | Query::Dsl(text) => text.len(),
                });
                filter + values.map(String::len).sum::<usize>()
            }
            Self::Documents(documents) => {
                let bytes = |document: &Document| {
                    16 + document.id.len() + document.index.as_ref().map_or(0, String::len)
                };
                documents.iter().map(bytes).sum()
            }
        }
    }

    pub(crate) fn into_wire(self) -> wire::Evidence {
        match self {
            Self::Selection(selection) => wire::Evidence::Selection(wire::Selection {
                over: selection.over.into_wire(),
                only: selection.only.into_iter().map(AnyOf::into_wire).collect(),
                filter: selection.filter.map(Query::into_wire),
                newest: selection.newest,
            }),
            Self::Documents(documents) => {
                let document = |Document { at, index, id }: Document| wire::Document { at: at.0, index, id };
                wire::Evidence::Documents(documents.into_iter().map(document).collect())
            }
        }
    }
}

impl DocumentId {
    /// The row's id, if the question is [`identified`](crate::Question::identified).
    pub fn of(row: &Row<'_>) -> Self {
        Self(row.text(ID).filter(|id| id.len() <= ID_BYTES_MAX).unwrap_or_default().into())
    }

    fn document(&self, at: Timestamp) -> Option<Document> {
        (!self.0.is_empty()).then(|| Document { at, index: None, id: self.0.to_string() })
    }

    /// Forgets the id, to save memory; for [`Aged::spare`](crate::Aged::spare).
    pub fn forget(&mut self) {
        self.0 = Box::default();
    }

    /// The bytes on the heap; for [`Aged::heap_bytes`](crate::Aged::heap_bytes).
    pub fn heap_bytes(&self) -> usize {
        held_bytes(self.0.len())
    }
}

impl Row<'_> {
    /// Evidence that names this row's document: an alert shows exactly that document, even if others share its instant.
    /// The question must be [`identified`](crate::Question::identified).
    pub fn evidence(&self) -> Evidence {
        let index = self.text(INDEX).map(str::to_owned);
        let id = self.text(ID).unwrap_or_default().to_owned();
        Evidence::Documents(vec![Document { at: self.time(), index, id }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> DocumentId {
        DocumentId(text.into())
    }

    fn named(ids: &[(i64, Option<&str>, &str)]) -> Evidence {
        let document = |(at, index, id): &(i64, Option<&str>, &str)| Document {
            at: Timestamp(*at),
            index: index.map(str::to_owned),
            id: (*id).to_owned(),
        };
        Evidence::Documents(ids.iter().map(document).collect())
    }

    #[test]
    fn an_earlier_document_stands_after_it_wherever_it_is() {
        let one = named(&[(5, Some("logs-1"), "b")]);
        assert_eq!(one.document().map(|document| document.id.as_str()), Some("b"));
        let both = one.clone().and(Timestamp(2), &id("a"));
        assert_eq!(both, named(&[(5, Some("logs-1"), "b"), (2, None, "a")]));
        assert_eq!(both.document().map(|document| document.id.as_str()), Some("b"));
        assert_eq!(one.clone().and(Timestamp(2), &DocumentId::default()), one);
    }

    #[test]
    fn a_query_stays_one_where_a_document_is_not_known() {
        let query = || Evidence::over(Range::new(Timestamp(1), Timestamp(9))).filter("x:y");
        let (a, b) = (id("a"), id("b"));
        let at = Timestamp;
        assert_eq!(query().documents([(at(1), &a), (at(2), &DocumentId::default())]), query());
        assert_eq!(query().documents([(at(2), &b), (at(1), &a)]), named(&[(2, None, "b"), (1, None, "a")]));
        assert_eq!(query().documents([]), query());
    }
}
