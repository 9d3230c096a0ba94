//! Pages of documents, as the host makes them.
use serde_json::{Map, Value};
use watchbell_rows::{Column, Rows, Values};

use super::corpus::Corpus;
use super::documents::{Document, text};
use super::{groups, recorded};
use crate::{AnyOf, Ask, Buckets, Hits, Question, Source, Timestamp};

/// Answers a question, whose key fields come first, from the documents that have arrived by `end`.
pub(super) fn answer(
    corpus: &Corpus,
    question: &Question,
    end: Timestamp,
    page_rows: usize,
) -> Result<Vec<Rows>, String> {
    let (recorded, documents): (Vec<_>, Vec<_>) =
        corpus.arrived(end).partition(|document| document.answers.is_some());
    match &question.ask {
        Ask::Search(search) => {
            return recorded::search(search, question.over, &recorded).map(|rows| vec![rows]);
        }
        Ask::Cluster(view) => {
            return recorded::cluster(*view, question.over, &recorded).map(|rows| vec![rows]);
        }
        Ask::Hits(Hits { fields, .. }) | Ask::Buckets(Buckets { by: fields, .. }) => {
            fields.iter().for_each(|field| corpus.ask_for(field, || "which the rule asks for".into()));
        }
    }
    for only in &question.only {
        corpus.ask_for(&only.field, || "by which the rule narrows its question".into());
    }
    let matching = question.filter.as_ref().map(|filter| corpus.matching(filter, None, end)).transpose()?;
    let found: Vec<_> = documents
        .into_iter()
        .filter(|document| question.over.contains(Timestamp(document.time)))
        .filter(|document| question.only.iter().all(|only| only.keeps(corpus, &document.fields)))
        .filter(|document| matching.as_ref().is_none_or(|matching| matching[document.place]))
        .collect();
    match &question.ask {
        Ask::Buckets(buckets) => {
            for metric in &buckets.metrics {
                match &metric.source {
                    Source::Field(field) => {
                        corpus.ask_for(field, || format!("from which the metric `{}` is made", metric.name));
                    }
                    Source::Script(_) => corpus.ask_for(&metric.name, || {
                        "in which a case gives the result of the metric's script".to_owned()
                    }),
                }
            }
            groups::answer(corpus, buckets, question.over, &found, end, page_rows)
        }
        Ask::Hits(hits) => hit_pages(corpus, hits, &found, end, page_rows),
        Ask::Search(_) | Ask::Cluster(_) => Ok(vec![]),
    }
}

fn hit_pages(
    corpus: &Corpus,
    hits: &Hits,
    found: &[&Document],
    end: Timestamp,
    page_rows: usize,
) -> Result<Vec<Rows>, String> {
    let filters = corpus.named(&hits.filters, end)?;
    let page = |page: &[&Document]| {
        let fields = hits.fields.iter().map(|field| corpus.column(field, page));
        let filters = filters.iter().map(|(name, matching)| {
            let flags = page.iter().map(|document| u8::from(matching[document.place])).collect();
            Ok(Column {
                field: (*name).clone(),
                is_mapped: true,
                values: Values::Booleans(flags),
                present: vec![],
                offsets: vec![],
            })
        });
        Ok(Rows {
            times: page.iter().map(|document| document.time).collect(),
            columns: fields.chain(filters).collect::<Result<_, String>>()?,
        })
    };
    found.chunks(page_rows.max(1)).map(page).collect()
}

impl AnyOf {
    fn keeps(&self, corpus: &Corpus, fields: &Map<String, Value>) -> bool {
        let found = corpus.values(fields, &self.field);
        self.values.iter().any(|wanted| match wanted {
            None => found.is_empty(),
            Some(wanted) => found.iter().any(|value| text(value) == *wanted),
        })
    }
}
