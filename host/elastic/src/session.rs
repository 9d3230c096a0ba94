//! Sends requests to one cluster, and reads small responses as JSON trees.
use bytes::Bytes;
use serde_json::Value;
use tokio::time::{Duration, Instant};
use watchbell_gate::Unreadable;
use watchbell_secret::Scrubber;

use crate::{
    config::{ClusterConfig, ConfigError},
    envelope::Envelope,
    error::ErrorKind,
    paths::search_path,
    target::Target,
    transport::{Request, Transport},
    weight,
};

/// A larger response is parsed off the network threads.
const READ_INLINE_MAX: usize = 1 << 20;
/// How many times `page_bytes` a response may take once parsed.
const MEMORY_TIMES: usize = 2;

#[derive(Debug)]
pub(crate) struct Session {
    transport: Transport,
}

impl Session {
    pub(crate) fn new(config: ClusterConfig) -> Result<Self, ConfigError> {
        Ok(Self { transport: Transport::new(config)? })
    }

    pub(crate) fn config(&self) -> &ClusterConfig {
        self.transport.config()
    }

    /// Removes this cluster's credentials from what it says.
    pub(crate) fn scrubber(&self) -> &Scrubber {
        self.transport.scrubber()
    }

    /// `cause` for a log line.
    pub(crate) fn told(&self, cause: &ErrorKind) -> String {
        self.transport.told(cause)
    }

    /// `fault` for people.
    pub(crate) fn readable(&self, fault: Unreadable) -> Unreadable {
        Unreadable { reason: self.scrubber().text(&fault.reason), ..fault }
    }

    /// A page of hits or buckets, whose readers bound what they keep.
    pub(crate) async fn page(&self, request: &Request) -> Result<Bytes, ErrorKind> {
        self.transport.send(request).await
    }

    /// A response that may become a tree: what it then takes is bounded.
    pub(crate) async fn answer(&self, request: &Request) -> Result<Bytes, ErrorKind> {
        let body = self.transport.send(request).await?;
        let max = self.memory_max();
        off_thread(body.len(), move || weight::check(&body, max).map(|()| body)).await
    }

    /// As `answer`, of a size that does not depend on a window.
    pub(crate) async fn send(&self, request: &Request) -> Result<Bytes, ErrorKind> {
        self.answer(request).await.map_err(ErrorKind::of_no_window)
    }

    fn memory_max(&self) -> usize {
        self.config().page_bytes_max.saturating_mul(MEMORY_TIMES)
    }

    /// The pause before retrying items that were refused inside a successful response, after this many retries.
    pub(crate) fn backoff(&self, attempts: u32) -> Duration {
        self.transport.pause(attempts, None)
    }

    /// The response to `GET path`, as a tree.
    pub(crate) async fn get(&self, path: &str, deadline: Instant) -> Result<Value, ErrorKind> {
        tree(&self.send(&Request::get(path, deadline)).await?)
    }

    /// A search whose response is small enough for a tree; checked to be complete.
    pub(crate) async fn search(
        &self,
        target: &Target,
        body: &Value,
        deadline: Instant,
    ) -> Result<Value, ErrorKind> {
        let body = self.answer(&Request::ask(search_path(target, ""), body.to_string(), deadline)).await?;
        Envelope::of(&body)?;
        off_thread(body.len(), move || tree(&body)).await
    }
}

/// Parses a large response off the network threads.
pub(crate) async fn off_thread<T: Send + 'static>(
    bytes: usize,
    read: impl FnOnce() -> Result<T, ErrorKind> + Send + 'static,
) -> Result<T, ErrorKind> {
    if bytes <= READ_INLINE_MAX {
        return read();
    }
    match tokio::task::spawn_blocking(read).await {
        Ok(read) => read,
        Err(lost) => Err(ErrorKind::Malformed { reason: lost.to_string() }),
    }
}

/// A response as a tree.
pub(crate) fn tree(body: &[u8]) -> Result<Value, ErrorKind> {
    serde_json::from_slice(body).map_err(|error| ErrorKind::Malformed { reason: error.to_string() })
}

/// How many documents a search found.
pub(crate) fn total(answer: &Value) -> Result<u64, ErrorKind> {
    let total = answer.pointer("/hits/total");
    // A number on servers before 7.0.
    let total = total.and_then(|total| total.get("value").unwrap_or(total).as_u64());
    total.ok_or_else(|| ErrorKind::Malformed { reason: "no `hits.total` in the response".into() })
}
