use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::time::Instant;
use watchbell_contract::{Evidence, Timestamp};

use crate::{
    cluster::Inner,
    error::Cause,
    query,
    target::Target,
    transport::Request,
    whole::{Extent, search_path},
};

const DOCS_MAX: u32 = 10;
const BYTES_MAX: usize = 64 << 10;

/// A few documents, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvidenceDocs {
    pub docs: Vec<EvidenceDoc>,
    /// How many more were found but did not fit.
    pub left_out: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceDoc {
    pub index: String,
    pub id: String,
    pub at: Option<Timestamp>,
    /// A JSON object, as it was indexed.
    pub source: String,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    hits: Hits<'a>,
}

#[derive(Deserialize)]
struct Hits<'a> {
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
}

pub(crate) async fn fetch(
    inner: &Inner,
    target: &Target,
    evidence: &Evidence,
    filters: Vec<Value>,
    deadline: Instant,
) -> Result<EvidenceDocs, Cause> {
    let body = json!({
        "size": evidence.newest.min(DOCS_MAX),
        "track_total_hits": false,
        "query": query::query(filters, &[]),
        "sort": [{ &target.time_field: { "order": "desc", "unmapped_type": "date", "numeric_type": "date" } }],
    });
    let path = search_path(target, "");
    let body = Some(bytes::Bytes::from(body.to_string()));
    let method = elasticsearch::http::Method::Post;
    let body = inner.send(&Request { method, path, body, repeatable: true, deadline }).await?;
    Extent::of(&body)?;
    read(&body)
}

fn read(body: &[u8]) -> Result<EvidenceDocs, Cause> {
    let answer: Answer<'_> =
        serde_json::from_slice(body).map_err(|error| Cause::Malformed { reason: error.to_string() })?;
    let mut kept = EvidenceDocs::default();
    let mut room = BYTES_MAX;
    for hit in answer.hits.hits {
        let source = hit._source.map_or("{}", RawValue::get);
        if source.len() > room {
            kept.left_out += 1;
            continue;
        }
        room -= source.len();
        kept.docs.push(EvidenceDoc {
            index: hit._index,
            id: hit._id,
            at: hit.sort.first().and_then(Value::as_i64).map(Timestamp),
            source: source.into(),
        });
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_documents_are_left_out_and_counted() {
        let hit = |id: &str, bytes: usize| json!({ "_index": "x", "_id": id, "sort": [5], "_source": { "m": "a".repeat(bytes) } });
        let body = json!({ "hits": { "hits": [hit("1", 10), hit("2", 70_000), hit("3", 60_000), hit("4", 6_000)] } });
        let docs = read(body.to_string().as_bytes()).unwrap();
        assert_eq!(docs.docs.iter().map(|doc| doc.id.as_str()).collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!(docs.left_out, 2);
        assert_eq!(docs.docs[0].source, r#"{"m":"aaaaaaaaaa"}"#);
        assert_eq!(docs.docs[0].at, Some(Timestamp(5)));
    }
}
