//! The documents behind signals, for people: by name if the rule named them, else the newest of a selection.
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use tokio::time::Instant;
use watchbell_contract::{AnyOf, Document, Evidence, Range, Selection, Timestamp};

use crate::{
    envelope::Envelope,
    error::ErrorKind,
    mapping::Mapping,
    mapping_cache::MappingCache,
    paths::search_path,
    plan,
    query::{self, Narrow},
    target::Target,
    transport::Request,
};

const DOCS_MAX: u32 = 10;
/// Bytes of one signal's documents.
const BYTES_MAX: usize = 64 << 10;
/// Documents that are not shown are counted up to this.
const COUNTED_MAX: u32 = 1_000;
/// Without an index, documents of several indices may share an `_id`.
const NAMESAKES: usize = 4;
const NAMED_MAX: usize = 500;
/// As `index.max_docvalue_fields_search`.
const DOC_VALUES_MAX: usize = 100;

/// The documents wanted for a signal.
#[derive(Clone, Copy, Debug)]
pub struct EvidenceAsk<'a> {
    pub evidence: &'a Evidence,
    /// At most ten.
    pub count: u32,
}

/// The fields wanted of documents.
#[derive(Clone, Copy, Debug, Default)]
pub struct EvidenceFields<'a> {
    /// Only these fields of the source; `None`: the whole source.
    pub source: Option<&'a BTreeSet<String>>,
    /// Fields to add from doc values if the source lacks them.
    pub named: Option<&'a BTreeSet<String>>,
}

/// Documents: named ones in the order of their names, else newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvidenceDocs {
    pub docs: Vec<EvidenceDoc>,
    /// How many more were found but did not fit.
    pub left_out: usize,
    /// The total. For a selection, 1,000 may mean more.
    pub found: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceDoc {
    pub index: String,
    pub id: String,
    pub at: Option<Timestamp>,
    /// A JSON object: the source, or the requested fields of it.
    pub source: String,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    hits: Hits<'a>,
}

#[derive(Deserialize)]
struct Hits<'a> {
    #[serde(default)]
    total: Value,
    #[serde(borrow)]
    hits: Vec<Hit<'a>>,
}

#[derive(Deserialize)]
struct Hit<'a> {
    _index: String,
    _id: String,
    #[serde(borrow)]
    _source: Option<&'a RawValue>,
    #[serde(default)]
    sort: Vec<Value>,
    /// Doc values of the fields requested by name.
    #[serde(default)]
    fields: BTreeMap<String, Vec<Value>>,
}

/// The documents that `ask` names, or the newest of its selection.
pub(crate) async fn of_one(
    mappings: &MappingCache,
    target: &Target,
    ask: EvidenceAsk<'_>,
    fields: EvidenceFields<'_>,
    deadline: Instant,
) -> Result<EvidenceDocs, ErrorKind> {
    let Evidence::Selection(Selection { over, only, filters, .. }) = ask.evidence else {
        let docs = named(mappings, target, &[ask], fields, deadline).await?;
        return Ok(docs.into_iter().next().unwrap_or_default());
    };
    let narrow = Narrow { over: *over, only, filters };
    let size = ask.count.min(DOCS_MAX) as usize;
    let body = search(mappings, target, &narrow, size, fields, deadline).await?;
    read(&body)
}

/// The documents that each of `asks` names, by one search.
pub(crate) async fn named(
    mappings: &MappingCache,
    target: &Target,
    asks: &[EvidenceAsk<'_>],
    fields: EvidenceFields<'_>,
    deadline: Instant,
) -> Result<Vec<EvidenceDocs>, ErrorKind> {
    let documents = || asks.iter().flat_map(EvidenceAsk::documents);
    let (Some(first), Some(last)) = (documents().map(|of| of.at).min(), documents().map(|of| of.at).max())
    else {
        return Ok(vec![EvidenceDocs::default(); asks.len()]);
    };
    let any_of = |field: &str, values: BTreeSet<&String>| AnyOf {
        field: field.into(),
        values: values.into_iter().cloned().map(Some).collect(),
    };
    let ids: BTreeSet<&String> = documents().map(|of| &of.id).collect();
    let (mut only, mut size) = (Vec::new(), ids.len());
    match documents().map(|of| of.index.as_ref()).collect::<Option<BTreeSet<&String>>>() {
        Some(indices) => only.push(any_of("_index", indices)),
        None => size *= NAMESAKES,
    }
    only.push(any_of("_id", ids));
    let over = Range::new(first, Timestamp(last.0.saturating_add(1)));
    let narrow = Narrow { over, only: &only, filters: &[] };
    let body = search(mappings, target, &narrow, size.min(NAMED_MAX), fields, deadline).await?;
    let hits = parse(&body)?.hits;
    Ok(asks.iter().map(|ask| ask.pick(&hits)).collect())
}

impl EvidenceAsk<'_> {
    /// Whether it names documents.
    pub fn is_named(&self) -> bool {
        !self.documents().is_empty()
    }

    fn documents(&self) -> &[Document] {
        match self.evidence {
            Evidence::Documents(documents) => documents,
            Evidence::Selection(_) => &[],
        }
    }

    fn pick(&self, hits: &[Hit<'_>]) -> EvidenceDocs {
        let mut found: Vec<&Hit<'_>> = vec![];
        for document in self.documents() {
            for hit in hits.iter().filter(|hit| hit.is(document)) {
                // A document may be named twice.
                if !found.iter().any(|known| std::ptr::eq(*known, hit)) {
                    found.push(hit);
                }
            }
        }
        let shown = found.iter().take(self.count.min(DOCS_MAX) as usize).copied();
        EvidenceDocs { found: found.len() as u64, ..keep(shown) }
    }
}

impl Hit<'_> {
    fn is(&self, document: &Document) -> bool {
        self._id == document.id
            && document.index.as_ref().is_none_or(|index| *index == self._index)
            && self.at().is_none_or(|at| at == document.at)
    }

    fn at(&self) -> Option<Timestamp> {
        self.sort.first().and_then(Value::as_i64).map(Timestamp)
    }

    /// The source, and requested fields that only the mapping has: aliases, multi-fields, runtime fields and constant
    /// keywords are not in the source.
    fn document(&self) -> Cow<'_, str> {
        let source = self._source.map_or("{}", RawValue::get);
        if self.fields.is_empty() {
            return source.into();
        }
        let Ok(mut members) = serde_json::from_str::<Map<String, Value>>(source) else {
            return source.into();
        };
        let lacking: Vec<_> = self.fields.iter().filter(|(name, _)| !has(&members, name)).collect();
        if lacking.is_empty() {
            return source.into();
        }
        members.extend(lacking.into_iter().map(|(name, values)| {
            let value = if let [one] = &values[..] { one.clone() } else { json!(values) };
            (name.clone(), value)
        }));
        Value::Object(members).to_string().into()
    }
}

/// Whether a document has a field, by a dotted name or in objects.
fn has(members: &Map<String, Value>, name: &str) -> bool {
    let within = |held: &Value, rest: &str| match held {
        Value::Object(members) => has(members, rest),
        Value::Array(items) => items.iter().filter_map(Value::as_object).any(|members| has(members, rest)),
        _ => false,
    };
    let split = |(dot, _)| members.get(&name[..dot]).is_some_and(|held| within(held, &name[dot + 1..]));
    members.contains_key(name) || name.match_indices('.').any(split)
}

/// The fields named by a text whose doc values can be requested.
fn doc_values(fields: &BTreeSet<String>, mapping: &Mapping) -> Vec<Value> {
    let readable = |name: &&String| {
        let caps = mapping.field(name).filter(|caps| caps.has_doc_values());
        mapping.nested_root(name).is_none() && caps.is_some_and(|caps| plan::kind(name, caps).is_ok())
    };
    fields.iter().filter(readable).take(DOC_VALUES_MAX).map(|name| json!({ "field": name })).collect()
}

async fn search(
    mappings: &MappingCache,
    target: &Target,
    narrow: &Narrow<'_>,
    size: usize,
    fields: EvidenceFields<'_>,
    deadline: Instant,
) -> Result<bytes::Bytes, ErrorKind> {
    let only = narrow.only.iter().map(|any_of| any_of.field.as_str());
    let named = fields.named.into_iter().flatten().map(String::as_str);
    let known: Vec<&str> = std::iter::once(target.time_field.as_str()).chain(only).chain(named).collect();
    let mapping = mappings.mapping(target, &known, deadline).await?;
    let filters = query::filters(target, narrow, &mapping)?;
    let mut body = json!({
        "size": size,
        "track_total_hits": COUNTED_MAX,
        "query": query::query(filters, &[]),
        "sort": [{ &target.time_field: { "order": "desc", "unmapped_type": "date", "numeric_type": "date" } }],
    });
    if let Some(source) = fields.source {
        body["_source"] = json!(source);
    }
    let doc_values = fields.named.map_or(vec![], |named| doc_values(named, &mapping));
    if !doc_values.is_empty() {
        body["docvalue_fields"] = doc_values.into();
    }
    let request = Request::ask(search_path(target, ""), body.to_string(), deadline);
    let body = mappings.session.send(&request).await?;
    Envelope::of(&body)?;
    Ok(body)
}

fn parse(body: &[u8]) -> Result<Hits<'_>, ErrorKind> {
    let answer: Answer<'_> =
        serde_json::from_slice(body).map_err(|error| ErrorKind::Malformed { reason: error.to_string() })?;
    Ok(answer.hits)
}

fn read(body: &[u8]) -> Result<EvidenceDocs, ErrorKind> {
    let Hits { total, hits } = parse(body)?;
    // A number on servers before 7.0.
    let found = total.get("value").unwrap_or(&total).as_u64().unwrap_or(hits.len() as u64);
    Ok(EvidenceDocs { found, ..keep(hits.iter()) })
}

fn keep<'h, 'a: 'h>(hits: impl Iterator<Item = &'h Hit<'a>>) -> EvidenceDocs {
    let mut kept = EvidenceDocs::default();
    let mut room = BYTES_MAX;
    for hit in hits {
        let source = hit.document();
        if source.len() > room {
            kept.left_out += 1;
            continue;
        }
        room -= source.len();
        kept.docs.push(EvidenceDoc {
            index: hit._index.clone(),
            id: hit._id.clone(),
            at: hit.at(),
            source: source.into(),
        });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(index: &str, id: &str, at: i64, bytes: usize) -> Value {
        json!({ "_index": index, "_id": id, "sort": [at], "_source": { "m": "a".repeat(bytes) } })
    }

    fn ids(docs: &EvidenceDocs) -> Vec<&str> {
        docs.docs.iter().map(|doc| doc.id.as_str()).collect()
    }

    #[test]
    fn large_documents_are_left_out_and_counted() {
        let hits = [("1", 10), ("2", 70_000), ("3", 60_000), ("4", 6_000)];
        let hits = hits.map(|(id, bytes)| hit("x", id, 5, bytes));
        let body = json!({ "hits": { "total": { "value": 77, "relation": "eq" }, "hits": hits } });
        let docs = read(body.to_string().as_bytes()).unwrap();
        assert_eq!((ids(&docs), docs.left_out, docs.found), (vec!["1", "3"], 2, 77));
        assert_eq!(docs.docs[0].source, r#"{"m":"aaaaaaaaaa"}"#);
        assert_eq!(docs.docs[0].at, Some(Timestamp(5)));
    }

    #[test]
    fn what_no_source_holds_comes_from_doc_values() {
        let read_one = |source: Value, fields: Value| -> Value {
            let hit = json!({ "_index": "x", "_id": "1", "sort": [5], "_source": source, "fields": fields });
            let body = json!({ "hits": { "total": 1, "hits": [hit] } });
            serde_json::from_str(&read(body.to_string().as_bytes()).unwrap().docs[0].source).unwrap()
        };
        assert_eq!(read_one(json!({}), json!({ "who": ["ann"] })), json!({ "who": "ann" }));
        assert_eq!(read_one(json!({ "a": 1 }), json!({ "b.c": [1, 2] })), json!({ "a": 1, "b.c": [1, 2] }));
        // A document's own values stay as they are.
        for source in
            [json!({ "b.c": "2" }), json!({ "b": { "c": null } }), json!({ "b": [{ "d": 1 }, { "c": "x" }] })]
        {
            assert_eq!(read_one(source.clone(), json!({ "b.c": [2] })), source);
        }
    }

    #[test]
    fn each_signal_gets_the_documents_it_names_in_their_order() {
        let hits =
            [hit("x", "new", 9, 1), hit("y", "new", 9, 1), hit("y", "old", 3, 1), hit("x", "old", 1, 1)];
        let body = json!({ "hits": { "hits": hits } }).to_string();
        let hits = parse(body.as_bytes()).unwrap().hits;
        let of = |documents: &[(Option<&str>, &str, i64)], count| {
            let named = documents.iter().map(|(index, id, at)| Document {
                at: Timestamp(*at),
                index: index.map(Into::into),
                id: (*id).into(),
            });
            EvidenceAsk { evidence: &Evidence::Documents(named.collect()), count }.pick(&hits)
        };
        let places = |docs: &EvidenceDocs| -> Vec<String> {
            docs.docs.iter().map(|doc| format!("{}/{}", doc.index, doc.id)).collect()
        };
        assert_eq!(places(&of(&[(Some("x"), "new", 9)], 1)), ["x/new"]);
        // Of documents with the same id, those at the time.
        let two = [(None, "old", 3), (None, "new", 9), (Some("x"), "new", 9)];
        assert_eq!(places(&of(&two, 9)), ["y/old", "x/new", "y/new"]);
        let first = of(&two, 1);
        assert_eq!((places(&first), first.found), (vec!["y/old".to_owned()], 3));
        assert_eq!(of(&[(None, "gone", 3)], 1), EvidenceDocs::default());
    }
}
