//! The documents of one index, in write order.
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::config::Retention;
use crate::document::Document;
use crate::errors::{Answer, Refusal};
use crate::mapping::{FieldId, Mapping};
use crate::query::{self, Query};
use crate::snapshot::Snapshot;
use crate::value::Value;

pub(crate) struct Index {
    name: Arc<str>,
    pub(crate) aliases: BTreeMap<String, Alias>,
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) settings: Map<String, Json>,
    /// A deleted document leaves a hole, so that positions stay valid; holes are compacted in bulk.
    documents: Arc<Vec<Option<Arc<Document>>>>,
    by_id: HashMap<Box<str>, usize>,
    pub(crate) bytes: usize,
    next_seq: u64,
    next_id: u64,
    pub(crate) uuid: String,
    /// Where the oldest documents may be.
    first: usize,
}

/// An alias's settings for one index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alias {
    /// As written, and as a query.
    pub(crate) filter: Option<(Json, Query)>,
    pub(crate) is_write_index: Option<bool>,
}

impl Alias {
    pub(crate) fn read(name: &str, options: &Json) -> Answer<Self> {
        crate::names::check(name)?;
        let mut alias = Self::default();
        for (key, value) in options.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("filter", Json::Null) => {}
                ("filter", filter) => alias.filter = Some((filter.clone(), query::parse(filter)?)),
                ("is_write_index", Json::Bool(flag)) => alias.is_write_index = Some(*flag),
                ("is_hidden", Json::Bool(false)) => {}
                (key, _) => return Err(Refusal::unmodelled(format!("[{key}] of the alias [{name}]"))),
            }
        }
        Ok(alias)
    }

    pub(crate) fn show(&self) -> Json {
        let mut shown = Map::new();
        if let Some((filter, _)) = &self.filter {
            shown.insert("filter".into(), filter.clone());
        }
        if let Some(flag) = self.is_write_index {
            shown.insert("is_write_index".into(), flag.into());
        }
        Json::Object(shown)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Index,
    Create,
    Delete,
}

pub(crate) struct Written {
    pub(crate) index: String,
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) seq_no: u64,
    pub(crate) result: &'static str,
}

/// Settings without a visible effect here.
const SETTINGS_IGNORED: &[&str] = &[
    "number_of_shards",
    "number_of_replicas",
    "refresh_interval",
    "auto_expand_replicas",
    "codec",
    "routing",
    "lifecycle",
    "translog",
    "max_result_window",
    "hidden",
    "mapping",
    "blocks",
    "merge",
    "unassigned",
    "query",
    "sort",
    "priority",
];

impl Index {
    pub(crate) fn new(name: &str, ordinal: u64) -> Self {
        Self {
            name: name.into(),
            aliases: BTreeMap::new(),
            mapping: Arc::default(),
            settings: Map::new(),
            documents: Arc::default(),
            by_id: HashMap::new(),
            bytes: 0,
            next_seq: 0,
            next_id: ordinal << 40,
            uuid: format!("watchbell-{ordinal:012}"),
            first: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Applies the body of `PUT /INDEX`, or of a template.
    pub(crate) fn configure(&mut self, body: &Json) -> Answer<()> {
        let Some(body) = body.as_object() else { return Ok(()) };
        for (key, value) in body {
            match key.as_str() {
                "mappings" => Arc::make_mut(&mut self.mapping).merge(value)?,
                "settings" => self.configure_settings(value)?,
                "aliases" => {
                    for (alias, options) in value.as_object().into_iter().flatten() {
                        self.aliases.insert(alias.clone(), Alias::read(alias, options)?);
                    }
                }
                other => {
                    return Err(Refusal::parsing(format!("unknown key [{other}] for create index")));
                }
            }
        }
        Ok(())
    }

    fn configure_settings(&mut self, settings: &Json) -> Answer<()> {
        for (key, value) in settings.as_object().into_iter().flatten() {
            if key == "index" && value.is_object() {
                self.configure_settings(value)?;
                continue;
            }
            let name = key.strip_prefix("index.").unwrap_or(key);
            let first = name.split('.').next().unwrap_or_default();
            if first == "analysis" {
                lowercase_only(value)?;
            } else if !SETTINGS_IGNORED.contains(&first) {
                return Err(Refusal::illegal(format!(
                    "unknown setting [index.{name}] please check that any required plugins are installed, or check the \
                     breaking changes documentation for removed settings"
                )));
            }
            self.settings.insert(name.to_owned(), value.clone());
        }
        Ok(())
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            name: Arc::clone(&self.name),
            mapping: Arc::clone(&self.mapping),
            documents: Arc::clone(&self.documents),
            filter: None,
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Document> {
        self.documents.get(*self.by_id.get(id)?)?.as_deref()
    }

    pub(crate) fn write(&mut self, id: Option<&str>, op: Op, source: &str) -> Answer<Written> {
        let id = match id {
            Some("") => return Err(Refusal::illegal("if _id is specified it must not be empty")),
            Some(id) => {
                if op != Op::Delete {
                    check_id(id)?;
                }
                id.to_owned()
            }
            None => {
                self.next_id += 1;
                format!("wb{:018x}", self.next_id)
            }
        };
        let old = self.by_id.get(id.as_str()).copied();
        let old_version =
            old.and_then(|at| self.documents[at].as_ref()).map_or(0, |document| document.version);
        if let (Op::Create, Some(_)) = (op, old) {
            return Err(Refusal::new(
                409,
                "version_conflict_engine_exception",
                format!(
                    "[{id}]: version conflict, document already exists (current version [{old_version}])"
                ),
            )
            .with("index_uuid", &self.uuid)
            .with("shard", "0")
            .with("index", &*self.name));
        }
        let mut written = Written {
            index: self.name.to_string(),
            id,
            version: old_version + 1,
            seq_no: self.next_seq,
            result: match (op, old) {
                (Op::Delete, Some(_)) => "deleted",
                (Op::Delete, None) => "not_found",
                (_, Some(_)) => "updated",
                (_, None) => "created",
            },
        };
        if op == Op::Delete {
            self.next_seq += 1;
            written.version = written.version.max(1);
            if let Some(at) = old {
                self.remove(at);
            }
            return Ok(written);
        }
        let before = Arc::clone(&self.mapping);
        let parsed = Document::parse(&written.id, source, &mut self.mapping);
        let mut document = match parsed {
            Ok(document) => document,
            Err(refusal) => {
                // A refused document leaves no trace in the mapping.
                self.mapping = before;
                return Err(refusal);
            }
        };
        // The first document with a constant also sets it for earlier documents.
        let learnt = !Arc::ptr_eq(&self.mapping, &before);
        if learnt && self.mapping.constants().count() != before.constants().count() {
            for held in Arc::make_mut(&mut self.documents).iter_mut().flatten() {
                *held = Arc::new(held.with_constants(&self.mapping));
            }
        }
        document.version = written.version;
        document.seq_no = self.next_seq;
        self.next_seq += 1;
        if let Some(at) = old {
            self.remove(at);
        }
        self.bytes += document.bytes();
        let documents = Arc::make_mut(&mut self.documents);
        self.by_id.insert(written.id.as_str().into(), documents.len());
        documents.push(Some(Arc::new(document)));
        Ok(written)
    }

    fn remove(&mut self, at: usize) {
        let documents = Arc::make_mut(&mut self.documents);
        if let Some(document) = documents[at].take() {
            self.bytes = self.bytes.saturating_sub(document.bytes());
            self.by_id.remove(&document.id);
        }
        if documents.len() > 1_024 && self.by_id.len() * 2 < documents.len() {
            documents.retain(Option::is_some);
            self.first = 0;
            for (at, document) in documents.iter().enumerate() {
                if let Some(document) = document {
                    self.by_id.insert(document.id.clone(), at);
                }
            }
        }
    }

    /// Drops what exceeds the retention, in write order: logs arrive roughly in time order.
    pub(crate) fn retain(&mut self, retention: &Retention, now: i64) {
        let time =
            retention.age_max.and_then(|_| self.mapping.field(&retention.time_field)).map(|(id, _)| id);
        let oldest = retention
            .age_max
            .map(|age| now.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)));
        loop {
            while self.documents.get(self.first).is_some_and(Option::is_none) {
                self.first += 1;
            }
            let Some(Some(document)) = self.documents.get(self.first) else { return };
            let many = retention.documents_max.is_some_and(|max| self.by_id.len() > max);
            let old =
                matches!((time, oldest), (Some(field), Some(oldest)) if is_before(document, field, oldest));
            if !many && !old {
                return;
            }
            self.remove(self.first);
        }
    }

    pub(crate) fn settings_json(&self) -> Json {
        json!({"index": self.settings})
    }
}

/// # Errors
/// The id is longer than servers accept.
pub(crate) fn check_id(id: &str) -> Answer<()> {
    match id.len() {
        0..=512 => Ok(()),
        bytes => Err(Refusal::validation(format!(
            "id [{id}] is too long, must be no longer than 512 bytes but was: {bytes}"
        ))),
    }
}

fn is_before(document: &Document, field: FieldId, oldest: i64) -> bool {
    matches!(document.values(field).last(), Some(Value::Long(at)) if *at < oldest)
}

/// Accepts only a normalizer named `lowercase` that does just that.
fn lowercase_only(analysis: &Json) -> Answer<()> {
    let refuse = || Refusal::unmodelled("an analysis setting other than a normalizer [lowercase]");
    for (key, value) in analysis.as_object().ok_or_else(refuse)? {
        let normalizers = value.as_object().filter(|_| key == "normalizer").ok_or_else(refuse)?;
        for (name, normalizer) in normalizers {
            if name != "lowercase" || normalizer.get("filter") != Some(&json!(["lowercase"])) {
                return Err(refuse());
            }
        }
    }
    Ok(())
}
