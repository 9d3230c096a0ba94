//! Requests as they would be sent, for a destination that sends none.
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::capabilities::http::destination::Inner;
use crate::capabilities::http::request::Prepared;
use crate::contract::since_v0_2::bindings::http::Response;

/// A request that was not sent. Without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub number: u32,
    pub method: String,
    /// The path and the query that follow the destination's own URL.
    pub below: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// The requests that a destination would have sent.
#[derive(Clone, Debug, Default)]
pub struct Drafts(Arc<Mutex<Vec<Draft>>>);

impl Drafts {
    /// Those since the last call.
    pub fn take(&self) -> Vec<Draft> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps the request, and answers as a receiver that accepts everything does.
    pub(super) fn keep(&self, number: u32, request: &Prepared, to: &Inner) -> Response {
        let shown = |text: &str| to.scrubber.text(text);
        let headers = request
            .headers
            .iter()
            .map(|(name, value)| {
                let value = match value.to_str() {
                    Ok(text) if !value.is_sensitive() => shown(text),
                    _ => "[redacted]".to_owned(),
                };
                (name.as_str().to_owned(), value)
            })
            .collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Draft {
            number,
            method: request.method.to_string(),
            below: shown(&below(&to.base, &request.url)),
            headers,
            body: shown(&String::from_utf8_lossy(&request.body)),
        });
        // Some products say in the body whether they accepted a message.
        Response { status: 200, headers: Vec::new(), body: br#"{"ok":true}"#.to_vec() }
    }
}

fn below(base: &Url, url: &Url) -> String {
    let path = match url.path().strip_prefix(base.path().trim_end_matches('/')) {
        Some(path) if url.path() != base.path() => path,
        _ => "",
    };
    let query = url.query().unwrap_or_default();
    let own = base.query().and_then(|own| query.strip_prefix(own)).unwrap_or(query);
    match own.trim_start_matches('&') {
        "" => path.to_owned(),
        own => format!("{path}?{own}"),
    }
}
