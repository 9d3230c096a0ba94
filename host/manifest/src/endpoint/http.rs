//! An HTTP receiver.
use std::collections::BTreeSet;

use serde::Deserialize;
use watchbell_contract::Duration;

use crate::secret::{SecretOr, SecretRef};

/// Where requests go, with which credentials and limits.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpEndpoint {
    /// The base URL; requests go below it.
    pub url: SecretOr<String>,
    pub auth: Auth,
    pub grants: Grants,
    /// The timeout of one request.
    pub timeout: Duration,
}

/// How the host authenticates to a destination. The alerter never sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    None,
    Bearer(SecretRef),
    Basic {
        username: String,
        password: SecretRef,
    },
    Header {
        name: String,
        value: SecretRef,
    },
    Query {
        name: String,
        value: SecretRef,
    },
    /// HMAC-SHA256 of the body in hex, after `prefix`, in the header `header`.
    Hmac {
        header: String,
        prefix: String,
        secret: SecretRef,
    },
    /// A member of the JSON document or form that is sent.
    Body {
        /// A JSON pointer.
        pointer: String,
        value: SecretRef,
    },
    /// AWS's signature, version 4.
    SigV4 {
        region: String,
        service: String,
        access_key_id: SecretOr<String>,
        secret_access_key: SecretRef,
        session_token: Option<SecretRef>,
    },
}

/// What its requests may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// May connect to loopback, private and link-local addresses.
    pub private_addresses: bool,
    /// The methods that requests may have; `None`: any.
    pub methods: Option<BTreeSet<Method>>,
}

/// A method of a request.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl HttpEndpoint {
    /// Every secret that it references, with the key that references it.
    pub fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        let mut found = Vec::new();
        if let SecretOr::Secret(secret) = &self.url {
            found.push(("url", secret));
        }
        match &self.auth {
            Auth::None => {}
            Auth::Bearer(secret)
            | Auth::Basic { password: secret, .. }
            | Auth::Header { value: secret, .. }
            | Auth::Query { value: secret, .. }
            | Auth::Hmac { secret, .. }
            | Auth::Body { value: secret, .. } => found.push(("auth", secret)),
            Auth::SigV4 { access_key_id, secret_access_key, session_token, .. } => {
                if let SecretOr::Secret(id) = access_key_id {
                    found.push(("auth", id));
                }
                found.extend(
                    std::iter::once(secret_access_key).chain(session_token).map(|secret| ("auth", secret)),
                );
            }
        }
        found
    }
}
