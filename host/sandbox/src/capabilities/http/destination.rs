use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use url::{Host, Url};

use crate::capabilities::http::address::{AddressRefused, CheckedResolver, private};
use crate::capabilities::http::auth::Auth;
use crate::capabilities::http::body::POINTER;
use crate::capabilities::http::draft::Drafts;
use crate::capabilities::http::method::Methods;
use watchbell_secret::{Scrubber, Secret};

/// Where an alerter delivers to, with which credentials and limits. Cheap to clone; owns its connections.
#[derive(Clone)]
pub struct Destination(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) base: Url,
    pub(crate) auth: Auth,
    pub(crate) grants: Grants,
    pub(crate) timeout: Duration,
    pub(crate) response_bytes_max: usize,
    pub(crate) client: Client,
    pub(crate) scrubber: Scrubber,
    /// Where requests are kept instead of being sent.
    pub(crate) drafts: Option<Drafts>,
}

/// The settings of a destination. The alerter sees none of them.
#[derive(Clone, Debug)]
pub struct DestinationSettings {
    /// The base URL of all requests. Many products put their only credential into it.
    pub base: Secret,
    pub auth: Auth,
    pub grants: Grants,
    /// The timeout for all requests of one delivery together.
    pub timeout: Duration,
    /// Longer responses are truncated.
    pub response_bytes_max: usize,
    /// PEM certificates to trust in addition to the system's.
    pub ca: Option<Vec<u8>>,
}

impl DestinationSettings {
    pub fn new(base: Secret) -> Self {
        Self {
            base,
            auth: Auth::None,
            grants: Grants::default(),
            timeout: Duration::from_secs(10),
            response_bytes_max: 1 << 20,
            ca: None,
        }
    }
}

/// What requests to a destination may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// May connect to loopback, private and link-local addresses, and to cloud metadata services.
    pub private_addresses: bool,
    pub methods: Methods,
}

/// Why a destination is invalid. Never shows the URL, which may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    #[error("not a valid URL: {0}")]
    Url(#[from] url::ParseError),
    #[error("the URL must begin with `https://` or `http://`")]
    Scheme,
    #[error("the URL must not contain a user or a password: set `auth` on the destination instead")]
    Userinfo,
    #[error("`{0}` is not a valid header name")]
    HeaderName(String),
    #[error("`body.pointer` {}", POINTER)]
    Pointer,
    #[error("the value of `{0}` contains characters that are not allowed in a header")]
    HeaderValue(&'static str),
    #[error("the CA file contains no PEM certificate")]
    Ca,
    #[error("cannot create an HTTP client: {0}")]
    Client(String),
}

impl Destination {
    /// # Errors
    /// Settings that can never work. Does not test whether the receiver can be reached.
    pub fn new(settings: DestinationSettings) -> Result<Self, DestinationError> {
        Self::build(settings, None)
    }

    /// A destination that sends nothing, and what it would have sent.
    ///
    /// # Errors
    /// As for `new`.
    pub fn drafting(settings: DestinationSettings) -> Result<(Self, Drafts), DestinationError> {
        let drafts = Drafts::default();
        Ok((Self::build(settings, Some(drafts.clone()))?, drafts))
    }

    fn build(settings: DestinationSettings, drafts: Option<Drafts>) -> Result<Self, DestinationError> {
        let base = Url::parse(settings.base.expose().trim())?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(DestinationError::Scheme);
        }
        // The client would send it in its own encoding, which could not be scrubbed from a response.
        if !base.username().is_empty() || base.password().is_some() {
            return Err(DestinationError::Userinfo);
        }
        settings.auth.check()?;
        let mut client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout.min(Duration::from_secs(5)))
            .pool_max_idle_per_host(4)
            .user_agent(concat!("watchbell/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(CheckedResolver { private_granted: settings.grants.private_addresses }));
        if let Some(pem) = &settings.ca {
            let certificates = Certificate::from_pem_bundle(pem).map_err(|_| DestinationError::Ca)?;
            if certificates.is_empty() {
                return Err(DestinationError::Ca);
            }
            client = certificates.into_iter().fold(client, reqwest::ClientBuilder::add_root_certificate);
        }
        let client = client.build().map_err(|error| DestinationError::Client(error.to_string()))?;
        let scrubber = Scrubber::new(&secrets(&settings, &base));
        Ok(Self(Arc::new(Inner {
            base,
            auth: settings.auth,
            grants: settings.grants,
            timeout: settings.timeout,
            response_bytes_max: settings.response_bytes_max,
            client,
            scrubber,
            drafts,
        })))
    }

    /// The receiver's host name, which is not secret.
    pub fn host(&self) -> &str {
        self.0.base.host_str().unwrap_or_default()
    }

    /// `text` without the destination's secrets.
    pub fn scrub(&self, text: &str) -> String {
        self.0.scrubber.text(text)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("host", &self.host())
            .field("auth", &self.0.auth)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// IP addresses in the URL never pass through the resolver.
    pub(crate) fn check_literal(&self) -> Result<(), AddressRefused> {
        let address = match self.base.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            _ => return Ok(()),
        };
        match private(address) {
            Some(why) if !self.grants.private_addresses => {
                Err(AddressRefused { host: address.to_string(), address, why })
            }
            _ => Ok(()),
        }
    }
}

/// The credentials, and everything in the URL after the host, whole and in parts.
fn secrets(settings: &DestinationSettings, base: &Url) -> Vec<Secret> {
    let mut secrets = vec![settings.base.clone(), Secret::new(base.as_str())];
    secrets.extend(settings.auth.secrets());
    // Only what looks like a credential: `/services` or `/api` in an error message is helpful and not secret.
    let parts =
        base.path_segments().into_iter().flatten().filter(|part| {
            part.len() >= 12 || part.len() >= 8 && part.bytes().any(|byte| byte.is_ascii_digit())
        });
    // A receiver may show a part encoded or decoded.
    let read = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    secrets.extend(parts.flat_map(|part| [part.to_owned(), read(part)]).map(Secret::new));
    if base.path().len() >= 12 {
        let path = base.path().trim_end_matches('/');
        secrets.extend([path.to_owned(), read(path)].map(Secret::new));
    }
    for (name, value) in base.query_pairs() {
        // A parameter without a value may itself be the credential.
        let part = if value.is_empty() { name } else { value };
        secrets.extend((part.len() >= 6).then(|| Secret::new(part)));
    }
    secrets.extend(base.query().filter(|query| query.len() >= 6).map(Secret::new));
    secrets
}
