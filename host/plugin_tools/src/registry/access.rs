//! How a registry is spoken to, and what goes wrong.
use std::time::Duration;

use super::store::StoreFault;

/// How long one push or pull may take, all in all.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(300);
/// How a registry is spoken to.
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
        " (it is spoken to with TLS; `--plain-http` speaks without)"
    })]
    Unreachable { host: String, why: String, is_plain: bool },
    #[error(
        "`{host}` does not allow it{}: `docker login {host}` keeps credentials, or set WATCHBELL_REGISTRY={host} with \
         WATCHBELL_REGISTRY_USERNAME and WATCHBELL_REGISTRY_PASSWORD",
        if *is_known { " to whom the credentials name" } else { " to just anybody" }
    )]
    Denied { host: String, is_known: bool },
    #[error("`{0}` is not in its registry")]
    Missing(String),
    #[error("the credentials for `{host}` cannot be had: {why}")]
    Credentials { host: String, why: String },
    #[error("`{place}` holds no module: {why}")]
    NoModule { place: String, why: String },
    #[error(
        "the registry of `{place}` handed out something else: its digest is sha256:{found}, not sha256:{wanted}"
    )]
    Altered { place: String, wanted: String, found: String },
    #[error("`{place}` took more than {} s", WAIT_MAX.as_secs())]
    Slow { place: String },
    #[error("`{place}` failed: {why}")]
    Failed { place: String, why: String },
    #[error(transparent)]
    Store(#[from] StoreFault),
}
