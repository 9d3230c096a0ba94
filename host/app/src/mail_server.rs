//! A destination's mail server, with its password and certificates.
use anyhow::Result;
use watchbell_mail::{MailGrants, MailServer, MailSettings, MailTls};
use watchbell_manifest as manifest;
use watchbell_sandbox::Secret;

use crate::bind::{read, reveal};

/// # Errors
/// A secret or certificate that cannot be read; the message names it.
pub(crate) fn new(spec: &manifest::MailEndpoint) -> Result<MailServer> {
    let credentials = match &spec.credentials {
        Some((username, password)) => Some((username.clone(), Secret::new(reveal(password)?))),
        None => None,
    };
    Ok(MailServer::new(MailSettings {
        host: spec.host.clone(),
        port: spec.port,
        tls: match spec.tls {
            manifest::MailTls::StartTls => MailTls::StartTls,
            manifest::MailTls::Implicit => MailTls::Implicit,
            manifest::MailTls::None => MailTls::None,
        },
        credentials,
        from: spec.from.clone(),
        to: spec.to.clone(),
        cc: spec.cc.clone(),
        bcc: spec.bcc.clone(),
        reply_to: spec.reply_to.clone(),
        ca: spec.ca.as_deref().map(read).transpose()?,
        timeout: spec.timeout.std(),
        grants: MailGrants {
            private_addresses: spec.grants.private_addresses,
            plain_text: spec.grants.plain_text,
        },
    })?)
}
