//! How the host authenticates to a destination.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use watchbell_secret::Secret;

use crate::capabilities::http::body;
use crate::capabilities::http::destination::DestinationError;
use crate::capabilities::http::sigv4::SigV4;
use crate::contract::since_v0_2::bindings::http::{Body, Failure};

/// What the host adds to a request, so that the alerter does not need to know it.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    #[default]
    None,
    Bearer(Secret),
    Basic {
        user: String,
        password: Secret,
    },
    Header {
        name: String,
        value: Secret,
    },
    Query {
        name: String,
        value: Secret,
    },
    /// A member of the JSON document or form that is sent.
    Body {
        /// A JSON pointer, for example `/routing_key`.
        pointer: String,
        value: Secret,
    },
    SigV4(SigV4),
    /// A signature over the body, in hexadecimal, after `prefix`.
    Hmac {
        header: String,
        secret: Secret,
        algorithm: Algorithm,
        prefix: String,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    #[default]
    Sha256,
}

impl Auth {
    pub(crate) fn check(&self) -> Result<(), DestinationError> {
        match self {
            Self::Body { pointer, .. } => body::names(pointer).map(drop).ok_or(DestinationError::Pointer),
            Self::SigV4(aws) => aws.check(),
            _ => self.header(b"").map(drop),
        }
    }

    /// The alerter's body with the credential, if that is where it belongs.
    pub(crate) fn in_body(&self, given: Body) -> Result<Body, Failure> {
        match self {
            Self::Body { pointer, value } => body::with(given, pointer, value),
            _ => Ok(given),
        }
    }

    /// The authentication header for `body`, if the body alone decides it.
    pub(crate) fn header(&self, body: &[u8]) -> Result<Option<(HeaderName, HeaderValue)>, DestinationError> {
        let (name, value, which) = match self {
            Self::None | Self::Query { .. } | Self::Body { .. } | Self::SigV4(_) => return Ok(None),
            Self::Bearer(token) => (AUTHORIZATION, format!("Bearer {}", token.expose()), "bearer"),
            Self::Basic { user, password } => {
                let credentials = STANDARD.encode(format!("{user}:{}", password.expose()));
                (AUTHORIZATION, format!("Basic {credentials}"), "basic")
            }
            Self::Header { name, value } => (header_name(name)?, value.expose().to_owned(), "header"),
            Self::Hmac { header, secret, algorithm: Algorithm::Sha256, prefix } => {
                let signature = super::signature::hmac_sha256(secret, body);
                (header_name(header)?, format!("{prefix}{signature}"), "hmac")
            }
        };
        let mut value = HeaderValue::from_str(&value).map_err(|_| DestinationError::HeaderValue(which))?;
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }

    /// Whether it signs the URL, so that a redirected request would need another signature.
    pub(crate) fn signs_the_url(&self) -> bool {
        matches!(self, Self::SigV4(_))
    }

    /// Everything that must not be shown.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::None => Vec::new(),
            Self::Bearer(secret)
            | Self::Header { value: secret, .. }
            | Self::Query { value: secret, .. }
            | Self::Body { value: secret, .. }
            | Self::Hmac { secret, .. } => vec![secret.clone()],
            Self::Basic { user, password } => {
                vec![password.clone(), Secret::new(format!("{user}:{}", password.expose()))]
            }
            Self::SigV4(aws) => {
                std::iter::once(&aws.secret_access_key).chain(&aws.session_token).cloned().collect()
            }
        }
    }
}

fn header_name(name: &str) -> Result<HeaderName, DestinationError> {
    name.parse().map_err(|_| DestinationError::HeaderName(name.to_owned()))
}
