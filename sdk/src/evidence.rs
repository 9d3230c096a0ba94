//! The documents behind a signal: by query if there are many, by id if it is a single document.
use serde::{Deserialize, Serialize};

use crate::aged::held_bytes;
use crate::wire::types as wire;
use crate::{AnyOf, Duration, Range, Row, Timestamp, bounds};

/// The documents behind a signal, as a query: the host fetches what the alert's texts show, and links to all.
///
/// A rule that counts gives a range, to which the SDK adds the signal's labels. A rule about single documents names
/// them with [`Row::evidence`]: several documents may share an instant, but the signal is about one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The time range: `start` is included, `end` is not.
    pub over: Range,
    /// Conditions in addition to the signal's labels, which the SDK adds unless documents are named.
    pub only: Vec<AnyOf>,
    /// A filter in Lucene query-string syntax, in addition to the manifest's.
    pub filter: Option<String>,
    /// The number of documents that the rule expects, 0..=10. The alert's texts decide how many are fetched.
    pub newest: u32,
}

/// A document that the state remembers, by its `_id`. An id longer than 64 bytes is not kept. A full map drops ids
/// before it drops a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentId(Box<str>);

const ID: &str = "_id";
const INDEX: &str = "_index";
const ID_BYTES_MAX: usize = 64;

impl Evidence {
    /// The documents of `over` that have the signal's labels.
    pub fn over(over: Range) -> Self {
        Self { over, only: vec![], filter: None, newest: 0 }
    }

    /// Sets how many of the newest documents the rule expects to be relevant; at most 10.
    pub fn newest(mut self, newest: u32) -> Self {
        self.newest = newest.min(10);
        self
    }

    /// Narrows it to documents that match `filter`, in Lucene query-string syntax, in addition to the manifest's
    /// filter. Replaces an earlier one.
    pub fn filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    /// Narrows it to these documents of `over`, shown in this order. If the state does not know one of them, the
    /// evidence stays all documents of the query.
    pub fn documents<'d>(mut self, named: impl IntoIterator<Item = &'d DocumentId>) -> Self {
        let ids: Vec<_> = named.into_iter().map(|id| (!id.0.is_empty()).then(|| id.0.to_string())).collect();
        if ids.iter().all(Option::is_some) {
            self.only.push(AnyOf { field: ID.into(), values: ids });
        }
        self
    }

    /// Adds an earlier document, at `at`, to evidence that names a row's document. Has no effect if the state does not
    /// know the earlier one.
    pub fn and(mut self, at: Timestamp, earlier: &DocumentId) -> Self {
        if let Some(ids) = self.only.iter_mut().find(|only| only.field == ID)
            && !earlier.0.is_empty()
        {
            ids.values.push(Some(earlier.0.to_string()));
            // The state does not know which index the other document is in.
            self.only.retain(|only| only.field != INDEX);
            self.over.start = self.over.start.min(at);
            self.newest = 2;
        }
        self
    }

    /// `_index` (empty if it does not matter) and `_id`, if the evidence names exactly one document.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn document(&self) -> Option<(&str, &str)> {
        if self.only.iter().any(|only| only.field != ID && only.field != INDEX) {
            return None;
        }
        let first =
            |field: &str| self.only.iter().find(|only| only.field == field)?.values.first()?.as_deref();
        Some((first(INDEX).unwrap_or_default(), first(ID)?))
    }

    /// Its approximate share of a run's output, without the labels, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let values = self.only.iter().flat_map(|only| &only.values).flatten();
        self.filter.as_ref().map_or(0, String::len) + values.map(String::len).sum::<usize>()
    }

    pub(crate) fn into_wire(self, key: &[String], labels: &[Option<String>]) -> wire::Evidence {
        let mut only = Vec::new();
        let mut filters = Vec::from_iter(self.filter);
        // A named document needs no further description.
        let is_named = self.only.iter().any(|only| only.field == ID);
        for (field, value) in key.iter().zip(labels).filter(|_| !is_named) {
            match value.as_deref().and_then(bounds::beginning) {
                // No document has the truncated value, but documents begin with it.
                Some(beginning) => {
                    filters.push(format!("{}:{}*", escaped(field), escaped(first(beginning, 256))));
                }
                None => only.push(AnyOf { field: field.clone(), values: vec![value.clone()] }),
            }
        }
        let filter = match filters.len() {
            0 | 1 => filters.pop(),
            _ => Some(format!("({})", filters.join(") AND ("))),
        };
        wire::Evidence {
            over: self.over.into_wire(),
            only: only.into_iter().chain(self.only).map(AnyOf::into_wire).collect(),
            filter,
            newest: self.newest,
        }
    }
}

impl DocumentId {
    /// The row's id, if the question is [`identified`](crate::Question::identified).
    pub fn of(row: &Row<'_>) -> Self {
        Self(row.text(ID).filter(|id| id.len() <= ID_BYTES_MAX).unwrap_or_default().into())
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
        let name = |field: &str| {
            let value = self.text(field)?.to_owned();
            Some(AnyOf { field: field.into(), values: vec![Some(value)] })
        };
        let only = [INDEX, ID].into_iter().filter_map(name).collect();
        let over = Range::new(self.time(), self.time() + Duration(1));
        Evidence { only, ..Evidence::over(over).newest(1) }
    }
}

/// A term in Lucene query-string syntax, escaped.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| (!c.is_alphanumeric() && c != '_').then_some('\\').into_iter().chain([c]))
        .collect()
}

fn first(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> DocumentId {
        DocumentId(text.into())
    }

    fn named() -> Evidence {
        let only = |field: &str, value: &str| AnyOf { field: field.into(), values: vec![Some(value.into())] };
        let over = Range::new(Timestamp(5), Timestamp(6));
        Evidence { only: vec![only(INDEX, "logs-1"), only(ID, "b")], ..Evidence::over(over).newest(1) }
    }

    #[test]
    fn a_named_document_needs_no_labels() {
        assert_eq!(named().document(), Some(("logs-1", "b")));
        let wire = named().into_wire(&["host".into()], &[Some("web".into())]);
        let fields: Vec<_> = wire.only.iter().map(|only| only.field.as_str()).collect();
        assert_eq!(fields, [INDEX, ID]);
        let group = Evidence::over(Range::new(Timestamp(5), Timestamp(6)));
        assert_eq!(group.document(), None);
        assert_eq!(group.into_wire(&["host".into()], &[None]).only[0].values, [None]);
    }

    #[test]
    fn an_earlier_document_stands_after_it_wherever_it_is() {
        let both = named().and(Timestamp(2), &id("a"));
        assert_eq!(both.document(), Some(("", "b")));
        assert_eq!(both.only[0].values, [Some("b".into()), Some("a".into())]);
        assert_eq!((both.over, both.newest), (Range::new(Timestamp(2), Timestamp(6)), 2));
        assert_eq!(named().and(Timestamp(2), &DocumentId::default()), named());
    }

    #[test]
    fn a_query_stays_one_where_a_document_is_not_known() {
        let over = Range::new(Timestamp(1), Timestamp(9));
        let query = || Evidence::over(over).filter("x:y");
        assert_eq!(query().documents([&id("a"), &DocumentId::default()]), query());
        assert_eq!(query().documents([&id("b"), &id("a")]).document(), Some(("", "b")));
    }
}
