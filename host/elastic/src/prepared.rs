//! A question resolved against a mapping.
use std::collections::BTreeSet;

use serde_json::Value;
use watchbell_confine::{Grant, Scope};
use watchbell_contract::{Ask, Query, Question, Source};

use crate::{
    buckets,
    error::ErrorKind,
    mapping::Mapping,
    named,
    plan::{self, FieldPlan},
    query::{self, Narrow},
    resolve::{Field, Group},
    target::Target,
};

/// A question, and every field that its answer depends on.
pub(crate) struct Asked {
    pub(crate) target: Target,
    question: Question,
    /// Read, group keys or measured.
    pub(crate) read: Vec<String>,
    /// Used to narrow.
    pub(crate) only: Vec<String>,
    /// Named in filters.
    pub(crate) filters: BTreeSet<String>,
    /// Read by a search's own aggregations and sort.
    searched: BTreeSet<String>,
}

/// Equal for as long as the mapping of the requested fields is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prepared {
    pub(crate) filters: Vec<Value>,
    pub(crate) shape: Shape,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Hits(FieldPlan),
    Buckets(Vec<Group<Field>>),
    /// Written by the rule's author.
    Search,
}

impl Asked {
    pub(crate) fn new(target: &Target, question: &Question) -> Self {
        let mut filters = BTreeSet::new();
        let (mut read, mut searched) = (vec![], BTreeSet::new());
        filters.extend(target.filter.iter().flat_map(named::fields));
        filters.extend(queries(question).flat_map(named::of));
        match &question.ask {
            Ask::Hits(hits) => {
                read.extend(hits.fields.iter().map(|name| plan::type_of(name).unwrap_or(name).to_owned()));
            }
            Ask::Buckets(buckets) => {
                read.extend(buckets.by.iter().cloned());
                read.extend(buckets::measured(buckets).cloned());
            }
            Ask::Search(search) => {
                let body: Value = serde_json::from_str(&search.body).unwrap_or_default();
                filters.extend(body.get("query").map(named::fields).unwrap_or_default());
                searched = named::read_by(&body);
            }
            Ask::Cluster(_) => {}
        }
        let only = question.only.iter().map(|any_of| any_of.field.clone()).collect();
        Self { target: target.clone(), question: question.clone(), read, only, filters, searched }
    }

    pub(crate) fn fields(&self) -> Vec<&str> {
        std::iter::once(self.target.time_field.as_str()).chain(self.own()).chain(self.of_filters()).collect()
    }

    /// The fields that are read, measured, group keys or used to narrow.
    pub(crate) fn own(&self) -> impl Iterator<Item = &str> {
        self.read.iter().chain(&self.only).chain(&self.searched).map(String::as_str)
    }

    /// The fields that no mapping defines. Field patterns are left out, for they may match nothing on purpose.
    pub(crate) fn unmapped(&self, mapping: &Mapping) -> Vec<String> {
        let names = self.own().chain(self.of_filters()).filter(|name| !name.contains('*'));
        let unmapped: BTreeSet<&str> = names.filter(|name| !mapping.defines(name)).collect();
        unmapped.into_iter().map(str::to_owned).collect()
    }

    /// The fields that filters name.
    pub(crate) fn of_filters(&self) -> impl Iterator<Item = &str> {
        self.filters.iter().map(String::as_str)
    }
}

impl Prepared {
    /// # Errors
    /// Why the question cannot be asked of these indices.
    pub(crate) fn new(asked: &Asked, mapping: &Mapping) -> Result<Self, ErrorKind> {
        let Asked { target, question, .. } = asked;
        if let Some(pattern) = asked.read.iter().chain(&asked.only).find(|name| name.contains('*')) {
            let reason = format!("`{pattern}` is a field pattern; name a single field");
            return Err(ErrorKind::Question { reason });
        }
        queries(question).try_for_each(|query| query::confined(query, &target.scope).map(drop))?;
        scripted(question, &target.scope)?;
        named::reachable(asked.of_filters(), mapping)?;
        named::readable(asked.searched.iter().map(String::as_str), mapping)?;
        let narrow =
            Narrow { over: question.over, only: &question.only, filters: question.filter.as_slice() };
        let filters = query::filters(target, &narrow, mapping)?;
        let shape = match &question.ask {
            Ask::Hits(hits) => Shape::Hits(FieldPlan::new(hits, mapping, &target.time_field)?),
            Ask::Buckets(buckets) => Shape::Buckets(buckets::groups(buckets, mapping)?),
            Ask::Search(_) | Ask::Cluster(_) => Shape::Search,
        };
        Ok(Self { filters, shape })
    }
}

/// # Errors
/// A metric that is a script, if scripts are not granted.
fn scripted(question: &Question, scope: &Scope) -> Result<(), ErrorKind> {
    let Ask::Buckets(buckets) = &question.ask else { return Ok(()) };
    let script = buckets.metrics.iter().find(|metric| matches!(metric.source, Source::Script(_)));
    match script.filter(|_| !scope.grants(Grant::Scripts)) {
        Some(metric) => {
            let (name, why, grant) = (&metric.name, Grant::Scripts.why(), Grant::Scripts.name());
            let reason = format!(
                "its metric `{name}` {why}; measure a field, or add `{grant}` to `allow` of the cluster in the environment"
            );
            Err(ErrorKind::Question { reason })
        }
        None => Ok(()),
    }
}

/// The conditions of a question, wherever they stand.
fn queries(question: &Question) -> impl Iterator<Item = &Query> {
    let (filters, metrics) = match &question.ask {
        Ask::Hits(hits) => (&hits.filters[..], &[][..]),
        Ask::Buckets(buckets) => (&buckets.filters[..], &buckets.metrics[..]),
        Ask::Search(_) | Ask::Cluster(_) => (&[][..], &[][..]),
    };
    let named = filters.iter().map(|filter| &filter.query);
    let measured = metrics.iter().filter_map(|metric| metric.filter.as_ref());
    question.filter.iter().chain(named).chain(measured)
}
