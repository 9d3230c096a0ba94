//! A destination's address and credentials, as the sandbox wants them.
use anyhow::Result;
use watchbell_mail::{MailGrants, MailServer, MailSettings, MailTls};
use watchbell_manifest as manifest;
use watchbell_manifest::{Auth, ExecEndpoint, HttpEndpoint, MailEndpoint, SecretOr, SecretRef};
use watchbell_program::Program;
use watchbell_sandbox as sandbox;
use watchbell_sandbox::{DestinationSettings, Method, Methods, Receiver, Secret};

use crate::bind::read;
use crate::credentials::{Refreshed, Reveal};

/// The HTTP receiver of the destination `name`, whose secrets are as they are on disk.
///
/// # Errors
/// A secret that cannot be read, or an invalid address.
pub(crate) fn http(name: &str, spec: &HttpEndpoint) -> Result<Refreshed<Receiver>> {
    let (secrets, spec) = (spec.secrets(), spec.clone());
    let secrets: Vec<SecretRef> = secrets.into_iter().map(|(_, secret)| secret.clone()).collect();
    Refreshed::new(format!("destination `{name}`"), &secrets, move |reveal| {
        Ok(Receiver::Http(sandbox::Destination::new(settings(&spec, reveal)?)?))
    })
}

/// The mail server of the destination `name`, whose password is as it is on disk. Certificates are read once.
///
/// # Errors
/// A secret or certificate that cannot be read; the message names it.
pub(crate) fn mail(name: &str, spec: &MailEndpoint) -> Result<Refreshed<Receiver>> {
    let secrets: Vec<SecretRef> = spec.credentials.iter().map(|(_, secret)| secret.clone()).collect();
    let ca = spec.ca.as_deref().map(read).transpose()?;
    let spec = spec.clone();
    Refreshed::new(format!("destination `{name}`"), &secrets, move |reveal| {
        let credentials = match &spec.credentials {
            Some((username, password)) => Some((username.clone(), reveal(password)?)),
            None => None,
        };
        Ok(Receiver::Mail(MailServer::new(MailSettings {
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
            ca: ca.clone(),
            timeout: spec.timeout.std(),
            grants: MailGrants {
                private_addresses: spec.grants.private_addresses,
                plain_text: spec.grants.plain_text,
            },
        })?))
    })
}

/// The program of the destination `name`, whose secrets are as they are on disk.
///
/// # Errors
/// A secret that cannot be read; the message names it.
pub(crate) fn program(name: &str, spec: &ExecEndpoint) -> Result<Refreshed<Program>> {
    let (secrets, spec) = (spec.secrets(), spec.clone());
    let secrets: Vec<SecretRef> = secrets.into_iter().map(|(_, secret)| secret.clone()).collect();
    Refreshed::new(format!("destination `{name}`"), &secrets, move |reveal| {
        let (mut variables, mut secrets) = (Vec::new(), Vec::new());
        for (name, value) in &spec.variables {
            match value {
                SecretOr::Plain(plain) => variables.push((name.clone(), plain.clone())),
                SecretOr::Secret(secret) => secrets.push((name.clone(), reveal(secret)?)),
            }
        }
        Ok(Program {
            path: spec.program.clone(),
            arguments: spec.arguments.clone(),
            variables,
            secrets,
            timeout: spec.timeout.std(),
        })
    })
}

/// The settings of an HTTP receiver, with the secrets that `reveal` finds.
pub(crate) fn settings(spec: &HttpEndpoint, reveal: Reveal<'_>) -> Result<DestinationSettings> {
    let value = |given: &SecretOr<String>| match given {
        SecretOr::Plain(plain) => Ok(Secret::new(plain.as_str())),
        SecretOr::Secret(secret) => reveal(secret),
    };
    let mut settings = DestinationSettings::new(value(&spec.url)?);
    settings.auth = match &spec.auth {
        Auth::None => sandbox::Auth::None,
        Auth::Bearer(token) => sandbox::Auth::Bearer(reveal(token)?),
        Auth::Basic { username, password } => {
            sandbox::Auth::Basic { user: username.clone(), password: reveal(password)? }
        }
        Auth::Header { name, value } => sandbox::Auth::Header { name: name.clone(), value: reveal(value)? },
        Auth::Query { name, value } => sandbox::Auth::Query { name: name.clone(), value: reveal(value)? },
        Auth::Body { pointer, value } => {
            sandbox::Auth::Body { pointer: pointer.clone(), value: reveal(value)? }
        }
        Auth::Hmac { header, prefix, secret } => sandbox::Auth::Hmac {
            header: header.clone(),
            secret: reveal(secret)?,
            algorithm: sandbox::Algorithm::Sha256,
            prefix: prefix.clone(),
        },
        Auth::SigV4 { region, service, access_key_id, secret_access_key, session_token } => {
            sandbox::Auth::SigV4(sandbox::SigV4 {
                region: region.clone(),
                service: service.clone(),
                access_key_id: value(access_key_id)?.expose().to_owned(),
                secret_access_key: reveal(secret_access_key)?,
                session_token: session_token.as_ref().map(reveal).transpose()?,
            })
        }
    };
    settings.grants = grants(&spec.grants);
    settings.timeout = spec.timeout.std();
    Ok(settings)
}

fn grants(of: &manifest::Grants) -> sandbox::Grants {
    let method = |method: &manifest::Method| match method {
        manifest::Method::Get => Method::Get,
        manifest::Method::Post => Method::Post,
        manifest::Method::Put => Method::Put,
        manifest::Method::Patch => Method::Patch,
        manifest::Method::Delete => Method::Delete,
    };
    let methods = of.methods.as_ref();
    let methods = methods.map_or(Methods::Any, |granted| Methods::Only(granted.iter().map(method).collect()));
    sandbox::Grants { private_addresses: of.private_addresses, methods }
}
