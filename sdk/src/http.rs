//! Requests to the destination that an alerter delivers to.
//!
//! The host owns the base URL, the credentials and the connection; an alerter gives only a path below that URL and
//! never sees a secret. Only alerters may send: a rule that calls [`send`] is rejected when it is loaded.
use crate::host;
pub use crate::wire::alerter::watchbell::plugin::http::{Body, Failure, Request, Response};
pub use crate::wire::types::Field;

/// Sends a request and waits for the response. Any status is a response, not an error. A delivery may send 16 requests,
/// each with a body of at most 8 MiB.
///
/// `number` identifies the request among those of the message, from 0 to 15, the same in every attempt. A response with
/// a status of 200 to 299 is recorded with the message once the alerter goes on to another number: a later attempt that
/// sends the recorded number gets that response, and the receiver gets nothing twice.
///
/// # Errors
/// `Denied` and `Invalid`: retrying is pointless. `Unreachable`: the receiver did not get the request. `Interrupted`:
/// it may have.
pub fn send(number: u32, request: &Request) -> Result<Response, Failure> {
    host::send(number, request)
}

impl Request {
    /// A POST of a JSON document to the destination's own URL.
    pub fn post_json(json: impl Into<String>) -> Self {
        Self::new("POST", Body::Json(json.into()))
    }

    /// A request to the destination's own URL. `method` is GET, POST, PUT, PATCH or DELETE.
    pub fn new(method: impl Into<String>, body: Body) -> Self {
        Self { method: method.into(), path: String::new(), query: vec![], headers: vec![], body }
    }

    /// Sets the path, which is appended to the destination's URL. It is empty or begins with `/`, and contains no `..`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Adds a query parameter; 256 at most. The host encodes it.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push(Field { name: name.into(), value: value.into() });
        self
    }

    /// Adds a header; 256 at most. Headers that belong to the host, such as `authorization`, are rejected.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Field { name: name.into(), value: value.into() });
        self
    }
}

impl Response {
    /// Whether the status is between 200 and 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header with this name, which must be in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
    }

    /// The body as text; invalid UTF-8 is replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}
