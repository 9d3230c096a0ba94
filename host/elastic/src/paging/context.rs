use bytes::Bytes;
use elasticsearch::http::Method;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::memory::{Continuation, Paging};
use crate::{
    envelope::Envelope,
    error::ErrorKind,
    paths::{ignoring, index_path},
    session::Session,
    target::Target,
    transport::Request,
};

/// How long servers keep a context between two pages.
pub(super) const KEEP_ALIVE: &str = "5m";

/// Bytes of the id of a point in time or a scroll, which names each shard.
const ID_BYTES_MAX: usize = 4 << 20;

/// How a search is continued.
#[derive(Debug, PartialEq)]
pub(super) enum Context {
    /// No request was sent yet.
    Unasked,
    Pit(Continuation, String),
    /// Without its id until the first page is read.
    Scroll(String),
    Ended,
}

impl Context {
    /// Opens a context over `target`'s indices, without reading anything.
    ///
    /// # Errors
    /// Why it cannot be opened; `NoIndex` if the pattern no longer matches an index.
    pub(super) async fn open(paging: &Paging, target: &Target, deadline: Instant) -> Result<Self, ErrorKind> {
        let index = index_path(&target.indices);
        let ask = async |path: String| {
            let request = Request { method: Method::Post, path, body: None, repeatable: true, deadline };
            paging.session.send(&request).await.map_err(ErrorKind::of_the_host)
        };
        let mut continuation = paging.continuation();
        if matches!(continuation, Continuation::Unknown | Continuation::Pit) {
            let path = format!("{index}/_pit?keep_alive={KEEP_ALIVE}{}", ignoring(target, '&'));
            match ask(path).await {
                Ok(body) => {
                    paging.learn(Continuation::Pit);
                    return Ok(Self::Pit(Continuation::Pit, opened(&body, "id")?));
                }
                Err(cause) if continuation == Continuation::Unknown && is_unknown_route(&cause) => {
                    continuation = Continuation::PointInTime;
                }
                Err(cause) => return Err(cause),
            }
        }
        if continuation == Continuation::PointInTime {
            // By default OpenSearch opens it over the available shards.
            let path = format!(
                "{index}/_search/point_in_time?keep_alive={KEEP_ALIVE}&allow_partial_pit_creation=false{}",
                ignoring(target, '&')
            );
            match ask(path).await {
                Ok(body) => return Ok(Self::Pit(Continuation::PointInTime, opened(&body, "pit_id")?)),
                // OpenSearch's response for a point in time over no index (tested with 3.8).
                Err(ErrorKind::Refused { reason, .. }) if reason.contains("invalid id: [null]") => {
                    return vanished(target).map(|()| Self::Ended);
                }
                Err(cause) if paging.continuation() == Continuation::Unknown && is_unknown_route(&cause) => {}
                Err(cause) => return Err(cause),
            }
        }
        paging.learn(Continuation::Scroll);
        Ok(Self::Scroll(String::new()))
    }

    /// Closes the context. Best effort: servers expire it.
    pub(super) async fn close(&mut self, session: &Session) {
        let (path, body) = match std::mem::replace(self, Self::Ended) {
            Self::Pit(Continuation::PointInTime, id) => ("/_search/point_in_time", json!({ "pit_id": [id] })),
            Self::Pit(_, id) => ("/_pit", json!({ "id": id })),
            Self::Scroll(id) if !id.is_empty() => ("/_search/scroll", json!({ "scroll_id": [id] })),
            _ => return,
        };
        let deadline = Instant::now() + Duration::from_secs(5);
        let body = Some(Bytes::from(body.to_string()));
        let request =
            Request { method: Method::Delete, path: path.into(), body, repeatable: false, deadline };
        if let Err(cause) = session.send(&request).await {
            let cause = session.told(&cause);
            tracing::debug!(cluster = session.config().name, cause, "a search context was left to expire");
        }
    }
}

/// The pattern no longer matches an index, which is an error unless the target allows it.
pub(super) fn vanished(target: &Target) -> Result<(), ErrorKind> {
    match target.ignore_unavailable {
        true => Ok(()),
        false => Err(ErrorKind::NoIndex { reason: String::new() }),
    }
}

/// The responses of servers without this endpoint; older ones take `_pit` for a document type and reject its name.
fn is_unknown_route(cause: &ErrorKind) -> bool {
    matches!(cause, ErrorKind::Refused { status: 400 | 404 | 405 | 501, .. })
}

/// The id of a new point in time. Its searches cover its own shards, so only now is it visible that some are missing.
/// Elasticsearch before 8.16 does not report shards here, and opens none without all of them.
fn opened(body: &[u8], key: &str) -> Result<String, ErrorKind> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    if answer.get("_shards").is_some() {
        Envelope::of(body)?;
    }
    let text = answer.get(key).and_then(Value::as_str);
    let id = text.ok_or_else(|| ErrorKind::Malformed { reason: format!("no `{key}` in the response") })?;
    is_sendable(id).map(|()| id.to_owned())
}

/// # Errors
/// An id that is too long to be sent back with each page.
pub(super) fn is_sendable(id: &str) -> Result<(), ErrorKind> {
    if id.len() <= ID_BYTES_MAX {
        return Ok(());
    }
    let reason = format!("the id of a search context has {} bytes, more than {ID_BYTES_MAX}", id.len());
    Err(ErrorKind::Malformed { reason })
}
