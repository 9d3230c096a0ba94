//! Responses.
use serde_json::Value as Json;

use crate::errors::Refusal;

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) content_type: &'static str,
}

const JSON: &str = "application/json";

impl Reply {
    pub(crate) fn ok(body: Json) -> Self {
        Self::with(200, body)
    }

    pub(crate) fn with(status: u16, body: Json) -> Self {
        Self { status, body: body.to_string(), content_type: JSON }
    }

    pub(crate) fn raw(body: String) -> Self {
        Self { status: 200, body, content_type: JSON }
    }

    pub(crate) fn text(body: String) -> Self {
        Self { status: 200, body, content_type: "text/plain; charset=UTF-8" }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, body: String::new(), content_type: JSON }
    }

    pub(crate) fn refusal(refusal: &Refusal) -> Self {
        Self::with(refusal.status, refusal.body())
    }
}
