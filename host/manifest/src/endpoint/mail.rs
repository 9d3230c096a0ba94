//! A mail server, and who gets the mails.
use std::path::PathBuf;

use lettre::message::Mailbox;
use watchbell_contract::Duration;

use crate::secret::SecretRef;

/// Where mails go, who they come from and who gets them.
#[derive(Clone, Debug, PartialEq)]
pub struct MailEndpoint {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    /// The name and the password.
    pub credentials: Option<(String, SecretRef)>,
    pub from: Mailbox,
    /// Not empty.
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
    pub bcc: Vec<Mailbox>,
    pub reply_to: Vec<Mailbox>,
    /// Certificates to trust in addition to the system's.
    pub ca: Option<PathBuf>,
    pub grants: MailGrants,
    /// The timeout of one delivery.
    pub timeout: Duration,
}

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailTls {
    /// Plain at first, then upgraded, or nothing is sent.
    #[default]
    StartTls,
    /// From the first byte.
    Implicit,
    None,
}

/// Permissions that are denied by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailGrants {
    /// May connect to loopback, private and link-local addresses.
    pub private_addresses: bool,
    /// May send without TLS to other machines.
    pub plain_text: bool,
}

impl MailTls {
    /// The port on which servers expect it.
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

impl MailEndpoint {
    /// Every secret that it references, with the key that references it.
    pub(super) fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        self.credentials.iter().map(|(_, password)| ("auth", password)).collect()
    }
}
