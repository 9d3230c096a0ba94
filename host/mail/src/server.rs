use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use watchbell_secret::{Scrubber, Secret};

/// A server that takes mails, who they come from and who gets them. Cheap to clone.
#[derive(Clone)]
pub struct MailServer(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) settings: MailSettings,
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
    pub(crate) scrubber: Scrubber,
}

/// The settings of a destination. The alerter sees none of them.
#[derive(Clone, Debug)]
pub struct MailSettings {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    /// The name and the password. They are never sent without TLS, unless the connection itself needs none.
    pub credentials: Option<(String, Secret)>,
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
    pub bcc: Vec<Mailbox>,
    pub reply_to: Vec<Mailbox>,
    /// PEM certificates to trust in addition to the system's.
    pub ca: Option<Vec<u8>>,
    /// The timeout for all mails of one delivery together.
    pub timeout: Duration,
    pub grants: MailGrants,
}

/// How a connection is encrypted. The certificate is always checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// Plain at first, then upgraded; a server that does not offer it gets no mail.
    StartTls,
    /// From the first byte.
    Implicit,
    /// Not at all.
    None,
}

/// What a destination may do beyond encrypted connections to public addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailGrants {
    /// May connect to loopback, private and link-local addresses.
    pub private_addresses: bool,
    /// May send without TLS to other machines.
    pub plain_text: bool,
}

/// Why a destination is invalid.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("`{0}` is neither a host name nor an IP address")]
    Host(String),
    #[error("the CA file contains no PEM certificate")]
    Ca,
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

impl MailServer {
    /// # Errors
    /// Settings that can never work. Does not test whether the server can be reached.
    pub fn new(settings: MailSettings) -> Result<Self, MailError> {
        let tls = match settings.tls {
            MailTls::None => None,
            MailTls::StartTls | MailTls::Implicit => {
                let name = ServerName::try_from(settings.host.clone())
                    .map_err(|_| MailError::Host(settings.host.clone()))?;
                Some((connector(settings.ca.as_deref())?, name))
            }
        };
        let mut secrets = Vec::new();
        if let Some((user, password)) = &settings.credentials {
            secrets.extend([password.clone(), Secret::new(format!("\0{user}\0{}", password.expose()))]);
        }
        let scrubber = Scrubber::new(&secrets);
        Ok(Self(Arc::new(Inner { settings, tls, scrubber })))
    }

    /// The server's name or address.
    pub fn host(&self) -> &str {
        &self.0.settings.host
    }

    /// `text` without the destination's secrets.
    pub fn scrub(&self, text: &str) -> String {
        self.0.scrubber.text(text)
    }
}

impl Inner {
    /// The mailbox that the destination lists for `address`, with the name it has there.
    pub(crate) fn listed(&self, address: &Address) -> Option<&Mailbox> {
        let MailSettings { from, to, cc, bcc, reply_to, .. } = &self.settings;
        let mut all = to.iter().chain(cc).chain(bcc).chain(reply_to).chain([from]);
        all.find(|listed| is_same(&listed.email, address))
    }
}

/// Servers may tell the case of a local part apart, but none that people use does.
pub(crate) fn is_same(one: &Address, other: &Address) -> bool {
    let (one, other): (&str, &str) = (one.as_ref(), other.as_ref());
    one.eq_ignore_ascii_case(other)
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MailSettings { host, port, tls, .. } = &self.0.settings;
        f.debug_struct("MailServer")
            .field("host", host)
            .field("port", port)
            .field("tls", tls)
            .finish_non_exhaustive()
    }
}

fn connector(ca: Option<&[u8]>) -> Result<TlsConnector, MailError> {
    let mut roots = RootCertStore::empty();
    // A certificate of the system's that cannot be read is one fewer to trust.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = ca {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let certificates = certificates.map_err(|_| MailError::Ca)?;
        if roots.add_parsable_certificates(certificates).0 == 0 {
            return Err(MailError::Ca);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| MailError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
