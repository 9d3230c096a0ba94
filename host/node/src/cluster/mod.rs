//! What the node keeps: indices, and the views that searches hold on to.
mod index; // documents of one name
mod views; // points in time and scrolls

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::errors::{Answer, Refusal};
use crate::names::{self, Lookup};

pub(crate) use index::{Index, Op, Written};
pub(crate) use views::{Cursor, Views};

/// One index as it was at one moment; documents written later are not in it.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) name: Arc<str>,
    pub(crate) mapping: Arc<crate::mapping::Mapping>,
    pub(crate) documents: Arc<Vec<Option<Arc<crate::document::Document>>>>,
}

impl Snapshot {
    /// What a query is bound to; `now` is in milliseconds since the epoch.
    pub(crate) fn scope(&self, now: i64) -> crate::query::Scope<'_> {
        crate::query::Scope { mapping: &self.mapping, index: &self.name, documents: &self.documents, now }
    }
}

pub(crate) struct Cluster {
    pub(crate) indices: BTreeMap<String, Index>,
    pub(crate) templates: BTreeMap<String, serde_json::Value>,
    pub(crate) views: Views,
    pub(crate) limits: crate::Limits,
    pub(crate) retention: crate::Retention,
    created: u64,
}

impl Cluster {
    pub(crate) fn new(limits: crate::Limits, retention: crate::Retention) -> Self {
        Self {
            indices: BTreeMap::new(),
            templates: BTreeMap::new(),
            views: Views::default(),
            limits,
            retention,
            created: 0,
        }
    }

    pub(crate) fn resolve(&self, expression: &str, lookup: Lookup) -> Answer<Vec<String>> {
        let known: Vec<(&str, Vec<&str>)> = self
            .indices
            .iter()
            .map(|(name, index)| (name.as_str(), index.aliases.iter().map(String::as_str).collect()))
            .collect();
        names::resolve(expression, &known, lookup)
    }

    pub(crate) fn snapshots(&self, expression: &str, lookup: Lookup) -> Answer<Vec<Snapshot>> {
        let names = self.resolve(expression, lookup)?;
        Ok(names.iter().filter_map(|name| self.indices.get(name)).map(Index::snapshot).collect())
    }

    pub(crate) fn create(&mut self, name: &str, body: &serde_json::Value) -> Answer<()> {
        names::check(name)?;
        if self.indices.contains_key(name) {
            let reason = format!("index [{name}/{name}] already exists");
            return Err(Refusal::new(400, "resource_already_exists_exception", reason).with("index", name));
        }
        if self.indices.len() >= self.limits.indices_max {
            return Err(Refusal::illegal(format!(
                "this action would add [1] shards, but this cluster currently has [{0}]/[{0}] maximum normal shards open",
                self.limits.indices_max
            )));
        }
        self.created += 1;
        let mut index = Index::new(name, self.created);
        // The template of the highest priority alone applies, as composable templates do.
        let template =
            self.templates.values().filter(|template| index::template_fits(template, name)).max_by_key(
                |template| template.get("priority").and_then(serde_json::Value::as_u64).unwrap_or(0),
            );
        if let Some(template) = template.and_then(|template| template.get("template")) {
            index.configure(template)?;
        }
        index.configure(body)?;
        self.indices.insert(name.to_owned(), index);
        Ok(())
    }

    /// The one index that is written to under that name, made if there is none.
    pub(crate) fn writable(&mut self, name: &str) -> Answer<&mut Index> {
        let mut target = name.to_owned();
        if !self.indices.contains_key(name) {
            let holders: Vec<&String> = self
                .indices
                .iter()
                .filter(|(_, index)| index.aliases.contains(name))
                .map(|(name, _)| name)
                .collect();
            match holders.as_slice() {
                [] => self.create(name, &serde_json::Value::Null)?,
                [one] => target = (*one).clone(),
                _ => {
                    return Err(Refusal::illegal(format!(
                        "no write index is defined for alias [{name}]. The write index may be explicitly disabled using \
                         is_write_index=false or the alias points to multiple indices without one being designated as a write index"
                    )));
                }
            }
        }
        self.indices.get_mut(&target).ok_or_else(|| Refusal::missing_index(name))
    }

    pub(crate) fn write(
        &mut self,
        name: &str,
        id: Option<&str>,
        op: Op,
        source: &str,
        now: i64,
    ) -> Answer<Written> {
        let bytes: usize = self.indices.values().map(|index| index.bytes).sum();
        let documents: usize = self.indices.values().map(Index::len).sum();
        let (limits, retention) = (self.limits.clone(), self.retention.clone());
        if op != Op::Delete
            && (bytes + 2 * source.len() > limits.bytes_max || documents >= limits.documents_max)
        {
            return Err(Refusal::new(
                429,
                "circuit_breaking_exception",
                format!(
                    "[parent] Data too large: {documents} documents of {bytes} bytes, limits are {} documents and {} bytes",
                    limits.documents_max, limits.bytes_max
                ),
            ));
        }
        if op == Op::Delete && !self.indices.contains_key(name) {
            return Err(Refusal::missing_index(name));
        }
        let index = self.writable(name)?;
        let written = index.write(id, op, source)?;
        index.retain(&retention, now);
        Ok(written)
    }
}
