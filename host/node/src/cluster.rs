//! The node's state: indices, and the names they are known by.
mod index; // one index's documents
mod bodies; // merging request bodies
mod templates; // templates for new indices
mod streams; // data streams

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Limits, Retention};
use crate::errors::{Answer, Refusal};
use crate::names::{self, Found, Lookup};
use crate::search::Views;
use crate::snapshot::Snapshot;

pub(crate) use index::{Alias, Index, Op, Written, check_id};
pub(crate) use streams::Stream;

/// Filters by alias, as written.
pub(crate) type Filters = Vec<(String, serde_json::Value)>;

pub(crate) struct Cluster {
    pub(crate) indices: BTreeMap<String, Index>,
    pub(crate) streams: BTreeMap<String, Stream>,
    pub(crate) templates: BTreeMap<String, serde_json::Value>,
    pub(crate) components: BTreeMap<String, serde_json::Value>,
    pub(crate) old_templates: BTreeMap<String, serde_json::Value>,
    pub(crate) views: Views,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
    created: u64,
}

impl Cluster {
    pub(crate) fn new(limits: Limits, retention: Retention) -> Self {
        Self {
            indices: BTreeMap::new(),
            streams: BTreeMap::new(),
            templates: BTreeMap::new(),
            components: BTreeMap::new(),
            old_templates: BTreeMap::new(),
            views: Views::default(),
            limits,
            retention,
            created: 0,
        }
    }

    fn found(&self, expression: &str, lookup: Lookup) -> Answer<Vec<Found>> {
        let other_names = |name: &String, index: &'_ Index| -> Vec<String> {
            let streams = self.streams.iter().filter(|(_, stream)| stream.backing.contains(name));
            index.aliases.keys().chain(streams.map(|(stream, _)| stream)).cloned().collect()
        };
        let known: Vec<(&str, Vec<String>)> =
            self.indices.iter().map(|(name, index)| (name.as_str(), other_names(name, index))).collect();
        let known: Vec<(&str, Vec<&str>)> =
            known.iter().map(|(name, others)| (*name, others.iter().map(String::as_str).collect())).collect();
        names::resolve(expression, &known, lookup)
    }

    pub(crate) fn resolve(&self, expression: &str, lookup: Lookup) -> Answer<Vec<String>> {
        Ok(self.found(expression, lookup)?.into_iter().map(|found| found.name).collect())
    }

    pub(crate) fn snapshots(&self, expression: &str, lookup: Lookup) -> Answer<Vec<Snapshot>> {
        let snapshot = |found: &Found| {
            let index = self.indices.get(&found.name)?;
            let mut snapshot = index.snapshot();
            // An index reached through several aliases shows what any of them allows.
            let filters: Option<Vec<_>> = found
                .by
                .iter()
                .map(|alias| index.aliases.get(alias)?.filter.as_ref().map(|(_, query)| query.clone()))
                .collect();
            if let Some(should) = filters.filter(|filters| !filters.is_empty()) {
                snapshot.filter = Some(Arc::new(crate::query::Query::any(should)));
            }
            Some(snapshot)
        };
        Ok(self.found(expression, lookup)?.iter().filter_map(snapshot).collect())
    }

    /// The indices of an expression; with the aliases that reach each, if all of them have a filter, as written.
    pub(crate) fn reached(&self, expression: &str, lookup: Lookup) -> Answer<Vec<(String, Filters)>> {
        let filters = |found: &Found| -> Option<Vec<_>> {
            let index = self.indices.get(&found.name)?;
            let written = |alias: &String| {
                let (written, _) = index.aliases.get(alias)?.filter.as_ref()?;
                Some((alias.clone(), written.clone()))
            };
            found.by.iter().map(written).collect()
        };
        let found = self.found(expression, lookup)?;
        Ok(found.into_iter().map(|found| (found.name.clone(), filters(&found).unwrap_or_default())).collect())
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
        let mut bodies = self.composed(name)?;
        bodies.push(body.clone());
        self.create_from(name, bodies)
    }

    /// Creates an index from several bodies, later ones overriding earlier ones.
    fn create_from(&mut self, name: &str, bodies: Vec<serde_json::Value>) -> Answer<()> {
        self.created += 1;
        let mut index = Index::new(name, self.created);
        index.configure(&bodies::merged(bodies))?;
        self.indices.insert(name.to_owned(), index);
        Ok(())
    }

    /// Tries a template on a temporary index, so that an invalid one is refused at once.
    pub(crate) fn try_template(bodies: Vec<serde_json::Value>) -> Answer<()> {
        Index::new("template", 0).configure(&bodies::merged(bodies))
    }

    /// The index that a name writes to, created if there is none.
    fn writable(&mut self, name: &str, now: i64) -> Answer<&mut Index> {
        let mut target = name.to_owned();
        if let Some(stream) = self.streams.get(name) {
            target = stream.backing.last().cloned().ok_or_else(|| Refusal::missing_index(name))?;
        } else if !self.indices.contains_key(name) {
            let holders: Vec<(&String, Option<bool>)> = self
                .indices
                .iter()
                .filter_map(|(index, held)| Some((index, held.aliases.get(name)?.is_write_index)))
                .collect();
            let chosen = holders.iter().find(|(_, write)| *write == Some(true));
            match (chosen, holders.as_slice()) {
                (Some((one, _)), _) => target = (*one).clone(),
                (None, []) => self.create_missing(name, now, &mut target)?,
                (None, [(one, None)]) => target = (*one).clone(),
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

    /// Creates what is written to for the first time: a data stream if a template says so, else an index.
    fn create_missing(&mut self, name: &str, now: i64, target: &mut String) -> Answer<()> {
        if self.stream_template(name).is_none() {
            return self.create(name, &serde_json::Value::Null);
        }
        self.create_stream(name, now)?;
        if let Some(index) = self.streams.get(name).and_then(|stream| stream.backing.last()) {
            target.clone_from(index);
        }
        Ok(())
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
        let streamed = self.streams.contains_key(name)
            || (!self.indices.contains_key(name) && self.stream_template(name).is_some());
        if streamed {
            Self::check_streamed(op, source)?;
        } else if op == Op::Delete && self.resolve(name, Lookup::default())?.is_empty() {
            return Err(Refusal::missing_index(name));
        }
        let index = self.writable(name, now)?;
        let written = index.write(id, op, source)?;
        index.retain(&retention, now);
        Ok(written)
    }
}
