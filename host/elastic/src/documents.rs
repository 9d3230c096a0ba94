//! Writing documents. The writer chooses each id, so a request whose response was lost can be retried without creating
//! a second document.
use std::collections::VecDeque;

use bytes::Bytes;
use elasticsearch::{BulkParts, CreateParts, http::Method};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};

use crate::{error::ErrorKind, refusal, session::Session, transport::Request};

/// Bytes of one document as JSON. Servers accept 100 MB per request, and hold it in memory several times.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Bytes of one bulk request, unless a single document is larger.
const BULK_BYTES_MAX: usize = 5 << 20;
/// Documents per bulk request.
const BULK_DOCUMENTS_MAX: usize = 1_000;
/// The servers' limit.
const ID_BYTES_MAX: usize = 512;

/// A document to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// An index, a data stream, or an alias with one write index.
    pub index: String,
    /// 1 to 512 bytes.
    pub id: String,
    /// At most 1 MiB as JSON.
    pub source: Map<String, Value>,
}

/// The outcome for a document that the cluster holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Created,
    /// A document with this id exists, and was left unchanged. If a response was lost, it may be this document.
    Exists,
}

/// Creates one document.
pub(crate) async fn create(
    session: &Session,
    document: &Document,
    deadline: Instant,
) -> Result<Written, ErrorKind> {
    let body = Some(Bytes::from(checked(document)?));
    let path = CreateParts::IndexId(&document.index, &document.id).url().into_owned();
    let request = Request { method: Method::Put, path, body, repeatable: true, deadline };
    match session.send(&request).await {
        Ok(_) => Ok(Written::Created),
        Err(cause) => existing(cause),
    }
}

/// Creates `documents`, in as few requests as the limits allow. Returns the outcome of each, in order.
pub(crate) async fn bulk(
    session: &Session,
    documents: &[Document],
    deadline: Instant,
) -> Vec<Result<Written, ErrorKind>> {
    let mut results: Vec<Option<Result<Written, ErrorKind>>> = vec![None; documents.len()];
    let mut lines = vec![];
    for (place, document) in documents.iter().enumerate() {
        match checked(document) {
            Ok(source) => lines.push(Line { place, text: action(document) + &source + "\n" }),
            Err(cause) => results[place] = Some(Err(cause)),
        }
    }
    let mut batches = batches(lines);
    while let Some(mut batch) = batches.pop_front() {
        match send(session, &mut batch, &mut results, deadline).await {
            Ok(()) => {}
            // A proxy may accept less than the cluster does.
            Err(ErrorKind::ServerLimit { .. }) if batch.len() > 1 => {
                let rest = batch.split_off(batch.len() / 2);
                batches.push_front(rest);
                batches.push_front(batch);
            }
            Err(cause) => batch.iter().for_each(|line| results[line.place] = Some(Err(cause.clone()))),
        }
    }
    let unsaid = || Err(ErrorKind::Malformed { reason: "no result for a document".into() });
    results.into_iter().map(|result| result.unwrap_or_else(unsaid)).collect()
}

/// A document's two lines in a bulk request.
struct Line {
    /// The position in the caller's documents.
    place: usize,
    text: String,
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<Map<String, Value>>,
}

/// A bulk response's item for one document.
#[derive(Deserialize)]
struct Item {
    status: u16,
    #[serde(default)]
    error: Value,
}

/// Sends one bulk request, and again those documents that the cluster was too busy for. Documents left in `batch` have
/// no outcome.
async fn send(
    session: &Session,
    batch: &mut Vec<Line>,
    results: &mut [Option<Result<Written, ErrorKind>>],
    deadline: Instant,
) -> Result<(), ErrorKind> {
    let mut attempts = 0;
    loop {
        let body = batch.iter().map(|line| line.text.as_str()).collect::<String>();
        let path = BulkParts::None.url().into_owned();
        let request =
            Request { method: Method::Post, path, body: Some(body.into()), repeatable: true, deadline };
        let answer = session.send(&request).await?;
        let items = items(&answer, batch.len())?;
        let mut busy = None;
        let mut again = vec![];
        for (line, item) in std::mem::take(batch).into_iter().zip(items) {
            let result = item.result();
            if let Err(cause @ ErrorKind::Unavailable { .. }) = &result {
                busy = Some(cause.clone());
                again.push(line);
            } else {
                results[line.place] = Some(result);
            }
        }
        *batch = again;
        let Some(cause) = busy else { return Ok(()) };
        if attempts >= session.config().retry_max {
            return Err(cause);
        }
        let until = Instant::now() + session.backoff(attempts);
        if until >= deadline {
            return Err(ErrorKind::Deadline { last: Some(Box::new(cause)) });
        }
        attempts += 1;
        sleep_until(until).await;
    }
}

fn items(answer: &[u8], asked: usize) -> Result<Vec<Item>, ErrorKind> {
    let malformed = |reason: String| ErrorKind::Malformed { reason };
    let Answer { items } = serde_json::from_slice(answer).map_err(|error| malformed(error.to_string()))?;
    if items.len() != asked {
        return Err(malformed(format!("{} results for {asked} documents", items.len())));
    }
    let one = |item: Map<String, Value>| match item.into_iter().next() {
        Some((_, item)) => serde_json::from_value(item).map_err(|error| malformed(error.to_string())),
        None => Err(malformed("an empty result for a document".into())),
    };
    items.into_iter().map(one).collect()
}

impl Item {
    fn result(&self) -> Result<Written, ErrorKind> {
        let Self { status, error } = self;
        if (200..300).contains(status) {
            return Ok(Written::Created);
        }
        existing(refusal::cause(*status, "", json!({ "error": error }).to_string().as_bytes()))
    }
}

/// Separates an existing document from a refusal.
fn existing(cause: ErrorKind) -> Result<Written, ErrorKind> {
    match cause {
        ErrorKind::Refused { status: 409, kind, .. } if kind == "version_conflict_engine_exception" => {
            Ok(Written::Exists)
        }
        cause => Err(cause),
    }
}

/// A document's source as JSON.
///
/// # Errors
/// `Document`: no server would accept it, and some would reject the whole request.
fn checked(document: &Document) -> Result<String, ErrorKind> {
    let Document { index, id, source } = document;
    let refuse = |reason: String| Err(ErrorKind::Document { reason });
    if index.is_empty() {
        return refuse("it names no index".into());
    }
    if id.is_empty() || id.len() > ID_BYTES_MAX {
        return refuse(format!("its id has {} bytes, not 1 to {ID_BYTES_MAX}", id.len()));
    }
    let source = json!(source).to_string();
    if source.len() > DOCUMENT_BYTES_MAX {
        return refuse(format!("it has {} bytes, more than {DOCUMENT_BYTES_MAX}", source.len()));
    }
    Ok(source)
}

fn action(document: &Document) -> String {
    let Document { index, id, .. } = document;
    json!({ "create": { "_index": index, "_id": id } }).to_string() + "\n"
}

fn batches(lines: Vec<Line>) -> VecDeque<Vec<Line>> {
    let mut batches: VecDeque<Vec<Line>> = VecDeque::new();
    let mut bytes = 0;
    for line in lines {
        let size = line.text.len();
        match batches.back_mut() {
            Some(batch) if batch.len() < BULK_DOCUMENTS_MAX && bytes + size <= BULK_BYTES_MAX => {
                bytes += size;
                batch.push(line);
            }
            _ => {
                bytes = size;
                batches.push_back(vec![line]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(sizes: &[usize]) -> Vec<Line> {
        let line = |(place, size): (usize, &usize)| Line { place, text: "x".repeat(*size) };
        sizes.iter().enumerate().map(line).collect()
    }

    fn places(sizes: &[usize]) -> Vec<Vec<usize>> {
        let places = |batch: &Vec<Line>| batch.iter().map(|line| line.place).collect();
        batches(lines(sizes)).iter().map(places).collect()
    }

    #[test]
    fn batches_are_bounded_by_bytes_and_by_documents() {
        let third = BULK_BYTES_MAX / 3;
        assert_eq!(places(&[third; 5]), [vec![0, 1, 2], vec![3, 4]]);
        assert_eq!(places(&[BULK_BYTES_MAX + 1, 1]), [vec![0], vec![1]]);
        assert_eq!(places(&[1; BULK_DOCUMENTS_MAX + 1]).iter().map(Vec::len).collect::<Vec<_>>(), [1_000, 1]);
        assert_eq!(places(&[]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn documents_that_no_server_takes_are_not_sent() {
        let fault = |index: &str, id: String, bytes: usize| {
            let source = Map::from_iter([("m".to_owned(), "x".repeat(bytes).into())]);
            checked(&Document { index: index.into(), id, source }).map(|_| ()).unwrap_err().to_string()
        };
        assert_eq!(fault("", "1".into(), 1), "the document cannot be written: it names no index");
        assert_eq!(
            fault("x", String::new(), 1),
            "the document cannot be written: its id has 0 bytes, not 1 to 512"
        );
        assert_eq!(
            fault("x", "i".repeat(513), 1),
            "the document cannot be written: its id has 513 bytes, not 1 to 512"
        );
        assert_eq!(
            fault("x", "1".into(), 1 << 20),
            "the document cannot be written: it has 1048584 bytes, more than 1048576"
        );
    }
}
