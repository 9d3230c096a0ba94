//! Pages of documents, as the host makes them.
use serde_json::{Map, Value};

use super::documents::{Document, column_of, text, values};
use super::{groups, recorded};
use crate::wire::types::{Column, Rows};
use crate::{AnyOf, Ask, NamedFilter, Question};

/// Answers a question from documents in order of time.
pub(super) fn answer<'a>(
    question: &Question,
    documents: impl Iterator<Item = &'a Document>,
    page_rows: usize,
) -> Result<Vec<Rows>, String> {
    // A document contains the results of the named filters, so a filter of their names needs no parsing.
    let named: &[NamedFilter] = match (&question.filter, &question.ask) {
        (None, _) => &[],
        (Some(filter), Ask::Hits(hits)) if *filter == question.either() => &hits.filters,
        (Some(filter), Ask::Buckets(buckets)) if *filter == question.either() => &buckets.filters,
        (Some(filter), _) => {
            return Err(format!(
                "the virtual timeline does not support the filter `{filter}`: leave out the documents that it excludes"
            ));
        }
    };
    let is_named = |fields: &Map<String, Value>| {
        named.is_empty() || named.iter().any(|filter| fields.get(&filter.name) == Some(&Value::Bool(true)))
    };
    let (recorded, documents): (Vec<_>, Vec<_>) = documents.partition(|document| document.answers.is_some());
    let found: Vec<_> = documents
        .into_iter()
        .filter(|document| question.over.contains(crate::Timestamp(document.time)))
        .filter(|document| question.only.iter().all(|only| only.keeps(&document.fields)))
        .filter(|document| is_named(&document.fields))
        .collect();
    let hits = match &question.ask {
        Ask::Hits(hits) => hits,
        Ask::Buckets(buckets) => return groups::answer(buckets, question.over, &found, page_rows),
        Ask::Search(search) => {
            return recorded::search(search, question.over, &recorded).map(|rows| vec![rows]);
        }
        Ask::Cluster(view) => {
            return recorded::cluster(*view, question.over, &recorded).map(|rows| vec![rows]);
        }
    };
    // A named filter's column is a boolean field with its name in the documents.
    let names = hits.fields.iter().chain(hits.filters.iter().map(|filter| &filter.name));
    let names: Vec<_> = names.collect();
    found
        .chunks(page_rows.max(1))
        .map(|page| {
            Ok(Rows {
                times: page.iter().map(|document| document.time).collect(),
                columns: names.iter().map(|field| column(field, page)).collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

impl AnyOf {
    fn keeps(&self, fields: &Map<String, Value>) -> bool {
        let found = values(fields, &self.field);
        self.values.iter().any(|wanted| match wanted {
            None => found.is_empty(),
            Some(wanted) => found.iter().any(|value| text(value) == *wanted),
        })
    }
}

fn column(field: &str, page: &[&Document]) -> Result<Column, String> {
    column_of(field, page.iter().map(|document| values(&document.fields, field)).collect())
}
