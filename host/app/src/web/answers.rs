//! What the API answers instead of what it was asked for.
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// Why a request was not carried out.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Problem {
    pub(crate) error: String,
}

pub(super) fn refusal(status: StatusCode, error: String) -> Response {
    (status, axum::Json(Problem { error })).into_response()
}
