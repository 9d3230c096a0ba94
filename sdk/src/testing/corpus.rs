//! All documents of a case: which fields they have, and which of them a query matches.
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use watchbell_query::document::Document as Indexed;
use watchbell_query::mapping::{FieldKind, Mapping};
use watchbell_query::query::{Scope, compile, parse};
use watchbell_query::value::Value as Term;
use watchbell_rows::Column;

use super::documents::{self, Document, TIME, column_of, values};
use crate::{NamedFilter, Query, Timestamp};

/// The documents, and what they have been asked for.
pub(super) struct Corpus {
    documents: Vec<Document>,
    /// Field types, as below Elasticsearch's `properties`.
    mapping: Value,
    /// The same, as read.
    typed: Mapping,
    /// Made when a query is asked for the first time.
    indices: OnceCell<Result<Vec<Index>, String>>,
    /// Whether any document has a field, for each field that was asked for.
    known: RefCell<BTreeMap<String, bool>>,
    /// What no document has, as sentences by field.
    lacking: RefCell<BTreeMap<String, String>>,
}

/// The documents of one index, as a search finds them.
struct Index {
    name: String,
    mapping: Arc<Mapping>,
    /// Each with its place among all documents.
    documents: Vec<Option<Arc<Indexed>>>,
    places: Vec<usize>,
}

impl Corpus {
    /// # Errors
    /// The mapping is invalid.
    pub(super) fn new(mut documents: Vec<Document>, mapping: &Value) -> Result<Self, String> {
        documents::sort(&mut documents);
        let mut properties = mapping.as_object().cloned().unwrap_or_default();
        properties.entry(TIME).or_insert_with(|| json!({ "type": "date" }));
        let mapping = json!({ "properties": properties });
        let mut typed = Mapping::default();
        typed.merge(&mapping).map_err(|refusal| format!("`mapping`: {refusal}"))?;
        Ok(Self {
            documents,
            mapping,
            typed,
            indices: OnceCell::new(),
            known: RefCell::default(),
            lacking: RefCell::default(),
        })
    }

    /// What has arrived by `end`.
    pub(super) fn arrived(&self, end: Timestamp) -> impl Iterator<Item = &Document> {
        self.documents.iter().filter(move |document| document.arrives <= end.0)
    }

    /// What the rule asked for and no document has, as sentences by field. Empty if there are no documents.
    pub(super) fn lacking(&self) -> BTreeMap<String, String> {
        let is_document = |document: &Document| document.answers.is_none();
        if self.documents.iter().any(is_document) { self.lacking.borrow().clone() } else { BTreeMap::new() }
    }

    /// Notes that the rule asks for a field.
    pub(super) fn ask_for(&self, field: &str, which: impl FnOnce() -> String) {
        let is_of_host = matches!(field, "_id" | "_index" | "_count") || field.starts_with("_type:");
        if !is_of_host && !self.has(field) {
            let sentence = || format!("no document of the case has the field `{field}`, {}", which());
            self.lacking.borrow_mut().entry(field.to_owned()).or_insert_with(sentence);
        }
    }

    fn has(&self, field: &str) -> bool {
        if let Some(known) = self.known.borrow().get(field) {
            return *known;
        }
        let documents = self.documents.iter().filter(|document| document.answers.is_none());
        // `user.keyword` is the same value as `user`.
        let above = field.rsplit_once('.').map(|(above, _)| above).filter(|_| self.is_multi_field(field));
        let has = |document: &Document| {
            let found = |field: &str| !values(&document.fields, field).is_empty();
            found(field) || above.is_some_and(found)
        };
        let known = documents.into_iter().any(has);
        self.known.borrow_mut().insert(field.to_owned(), known);
        known
    }

    fn is_multi_field(&self, field: &str) -> bool {
        field.ends_with(".keyword") || self.typed.field(field).is_some()
    }

    /// A document's values of a field, as its type shows them.
    pub(super) fn values(&self, fields: &Map<String, Value>, field: &str) -> Vec<Value> {
        if let Some(typed) = field.strip_prefix("_type:")
            && !fields.contains_key(field)
            && let Some((_, typed)) = self.typed.field(typed)
        {
            return vec![typed.kind.name().into()];
        }
        let mut found = values(fields, field);
        if found.is_empty()
            && let Some((above, _)) = field.rsplit_once('.').filter(|_| self.is_multi_field(field))
        {
            found = values(fields, above);
        }
        found.into_iter().map(|value| self.typed(field, value)).collect()
    }

    fn typed(&self, field: &str, value: &Value) -> Value {
        let Some((_, typed)) = self.typed.field(field) else { return value.clone() };
        let coerced = match typed.kind {
            FieldKind::Date | FieldKind::DateNanos | FieldKind::Whole { .. } | FieldKind::Real { .. } => {
                typed.coerce(value).ok()
            }
            _ => None,
        };
        match coerced {
            Some(Term::Long(nanos)) if typed.kind == FieldKind::DateNanos => {
                nanos.div_euclid(1_000_000).into()
            }
            Some(Term::Long(whole)) => whole.into(),
            Some(Term::Double(real)) => real.into(),
            _ => value.clone(),
        }
    }

    /// A column of `field` over `page`.
    pub(super) fn column(&self, field: &str, page: &[&Document]) -> Result<Column, String> {
        let rows: Vec<Vec<Value>> =
            page.iter().map(|document| self.values(&document.fields, field)).collect();
        column_of(field, self.is_mapped(field), &rows)
    }

    /// Whether the mapping, given or inferred from the documents, defines the field.
    pub(super) fn is_mapped(&self, field: &str) -> bool {
        matches!(field, "_id" | "_index") || self.typed.field(field).is_some() || self.has(field)
    }

    /// For each document, by its place, whether the query matches it. `name` is that of a named filter.
    pub(super) fn matching(
        &self,
        query: &Query,
        name: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<bool>, String> {
        let (json, text) = match query {
            Query::Lucene(text) => (json!({ "query_string": { "query": text } }), text),
            Query::Dsl(text) => {
                let json =
                    serde_json::from_str(text).map_err(|error| format!("the query {text}: {error}"))?;
                (json, text)
            }
        };
        let refused = |refusal: watchbell_query::errors::Refusal| format!("the filter `{text}`: {refusal}");
        let query = parse(&json).map_err(refused)?;
        let is_recorded = self.documents.iter().any(|document| document.matches.is_some());
        for field in query.fields().into_iter().filter(|_| !is_recorded) {
            self.ask_for(field, || format!("which the filter `{text}` reads"));
        }
        let mut matching = vec![false; self.documents.len()];
        for index in self.indices.get_or_init(|| self.index()).as_ref().map_err(Clone::clone)? {
            let Index { name, mapping, documents, places } = index;
            let scope = Scope { mapping, index: name, documents, now: now.0 };
            let compiled = compile(&query, &scope).map_err(refused)?;
            for (document, place) in documents.iter().zip(places) {
                matching[*place] = document.as_ref().is_some_and(|document| compiled.predicate.hit(document));
            }
        }
        for document in &self.documents {
            if let Some(matches) = &document.matches {
                matching[document.place] = name.is_none_or(|name| matches.get(name) == Some(&true));
            }
        }
        Ok(matching)
    }

    /// The name of each filter, and which documents match it.
    pub(super) fn named<'f>(
        &self,
        filters: &'f [NamedFilter],
        now: Timestamp,
    ) -> Result<Vec<(&'f String, Vec<bool>)>, String> {
        let named = |filter: &'f NamedFilter| {
            Ok((&filter.name, self.matching(&filter.query, Some(&filter.name), now)?))
        };
        filters.iter().map(named).collect()
    }

    fn index(&self) -> Result<Vec<Index>, String> {
        let mut names: BTreeMap<&str, Vec<&Document>> = BTreeMap::new();
        for document in self.documents.iter().filter(|document| document.answers.is_none()) {
            names.entry(document.text("_index")).or_default().push(document);
        }
        let index = |(name, held): (&str, Vec<&Document>)| -> Result<Index, String> {
            let mut mapping = Mapping::default();
            mapping.merge(&self.mapping).map_err(|refusal| format!("`mapping`: {refusal}"))?;
            let mut mapping = Arc::new(mapping);
            let mut documents = Vec::new();
            for document in &held {
                let own = document.fields.iter().filter(|(field, _)| !field.starts_with('_'));
                let source: Map<_, _> = own.map(|(field, value)| (field.clone(), value.clone())).collect();
                let source = Value::Object(source).to_string();
                let indexed = Indexed::parse(document.text("_id"), &source, &mut mapping)
                    .map_err(|refusal| format!("the document {source}: {refusal}"))?;
                documents.push(Some(Arc::new(indexed)));
            }
            let places = held.iter().map(|document| document.place).collect();
            Ok(Index { name: name.to_owned(), mapping, documents, places })
        };
        names.into_iter().map(index).collect()
    }
}

/// What is lacking and not named in `missing`, as sentences with advice.
pub(super) fn complaints(lacking: &BTreeMap<String, String>, missing: &[String]) -> Vec<String> {
    let missing: BTreeSet<&String> = missing.iter().collect();
    lacking
        .iter()
        .filter(|(field, _)| !missing.contains(field))
        .map(|(field, sentence)| {
            format!(
                "{sentence}: correct the name, or write `missing: [{field}]` if that is what the case shows"
            )
        })
        .collect()
}
