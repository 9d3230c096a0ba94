//! What a destination's messages go by. Each kind has keys of its own beside those that all destinations have, and a
//! schema for them; a product's alerter says which kind it delivers by.
mod http; // an HTTP receiver

pub use http::{Auth, Grants, HttpEndpoint};

use serde_json::Value;

use crate::secret::SecretRef;

/// Where a destination's messages go.
#[derive(Clone, Debug, PartialEq)]
pub enum Endpoint {
    Http(HttpEndpoint),
}

/// By which way a product's messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    Http,
}

impl EndpointKind {
    /// All there are.
    pub(crate) const ALL: &[Self] = &[Self::Http];

    /// The keys that a destination of this kind has beside the ones of all kinds, as a JSON Schema that refers to the
    /// environment's definitions.
    pub(crate) fn keys(self) -> Value {
        let text = match self {
            Self::Http => include_str!("../schema/endpoint/http.json"),
        };
        serde_json::from_str(text).expect("a shipped schema is JSON")
    }
}

impl Endpoint {
    /// Every secret that it names, with the key that names it.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        match self {
            Self::Http(http) => http.secrets(),
        }
    }
}
