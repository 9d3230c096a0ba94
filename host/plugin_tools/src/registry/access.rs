//! Access to a registry, and its errors.
use std::time::Duration;

use super::store::StoreFault;

/// How long one push or pull may take in total.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(300);
/// Access to a registry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Access {
    /// Without TLS, though the registry is another machine.
    pub plain_http: bool,
}

/// Why nothing was pushed or pulled.
#[derive(Debug, thiserror::Error)]
pub enum RegistryFault {
    #[error("`{host}` cannot be reached: {why}{}", if *is_plain {
        ""
    } else {
        " (over TLS; use `--plain-http` for a registry without it)"
    })]
    Unreachable { host: String, why: String, is_plain: bool },
    #[error(
        "`{host}` denied access{}: run `docker login {host}`, or set WATCHBELL_REGISTRY={host} with \
         WATCHBELL_REGISTRY_USERNAME and WATCHBELL_REGISTRY_PASSWORD",
        if *is_known { " with these credentials" } else { " without credentials" }
    )]
    Denied { host: String, is_known: bool },
    #[error("`{0}` is not in the registry")]
    Missing(String),
    #[error("cannot get the credentials for `{host}`: {why}")]
    Credentials { host: String, why: String },
    #[error("`{place}` is not a module: {why}")]
    NoModule { place: String, why: String },
    #[error(
        "the registry of `{place}` returned something else: its digest is sha256:{found}, not sha256:{wanted}"
    )]
    Altered { place: String, wanted: String, found: String },
    #[error("`{place}` took more than {} s", WAIT_MAX.as_secs())]
    Slow { place: String },
    #[error("`{place}` failed: {why}")]
    Failed { place: String, why: String },
    #[error(transparent)]
    Store(#[from] StoreFault),
}
