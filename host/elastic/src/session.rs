//! Sends requests to one cluster, and reads small responses as JSON trees.
use bytes::Bytes;
use serde_json::Value;
use tokio::time::{Duration, Instant};

use crate::{
    config::{ClusterConfig, ConfigError},
    envelope::Envelope,
    error::ErrorKind,
    paths::search_path,
    target::Target,
    transport::{Request, Transport},
};

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

    pub(crate) async fn send(&self, request: &Request) -> Result<Bytes, ErrorKind> {
        self.transport.send(request).await
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
        let body = self.send(&Request::ask(search_path(target, ""), body.to_string(), deadline)).await?;
        Envelope::of(&body)?;
        tree(&body)
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
