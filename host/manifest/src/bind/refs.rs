//! What an environment refers to: secrets, files, addresses.
use std::net::IpAddr;
use std::path::Path;

use super::doc::Doc;
use crate::limits::PEM_BYTES_MAX;
use crate::options::Options;
use crate::report::Diagnostic;
use crate::{SecretRef, raw};

pub(super) fn secret(
    doc: &mut Doc<'_>,
    at: &str,
    named: raw::Secret,
    home: &Path,
    options: &Options<'_>,
) -> SecretRef {
    let secret = match named {
        raw::Secret::Env(name) => SecretRef::Env(name),
        raw::Secret::File(path) => SecretRef::File(beside(home, &path)),
        raw::Secret::Exec(command) => SecretRef::Exec(command),
    };
    if options.check_secrets
        && let Err(fault) = secret.check(options.env)
    {
        let hint = match &secret {
            SecretRef::Env(name) => format!("set it where the host runs: `export {name}=…`"),
            SecretRef::File(path) => {
                format!("put the secret into `{}`, readable by the host", path.display())
            }
            SecretRef::Exec(_) => "check that the program runs by hand".into(),
        };
        let cause = std::error::Error::source(&fault).map_or_else(String::new, |source| {
            source
                .downcast_ref::<std::io::Error>()
                .map_or_else(|| format!(": {source}"), |error| format!(": {}", crate::files::words(error)))
        });
        let name = crate::schema::path(at);
        doc.fault(at, format!("missing secret for `{name}`: {fault}{cause}")).hint(hint).push(doc);
    }
    secret
}

pub(super) fn readable(doc: &mut Doc<'_>, at: &str, path: &Path, options: &Options<'_>) {
    if options.check_secrets
        && let Err(error) = watchbell_outside::read(path, PEM_BYTES_MAX)
    {
        let name = crate::schema::path(at);
        let message = format!("`{name}`: cannot read `{}`: {error}", path.display());
        doc.fault(at, message).push(doc);
    }
}

/// Paths in an environment are relative to its folder.
pub(super) fn beside(home: &Path, path: &Path) -> std::path::PathBuf {
    home.join(path)
}

/// Whether what goes to `host`, a name or an address without brackets, stays on this machine.
pub(super) fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The message never shows the URL: it may contain a password.
pub(super) fn address(doc: &mut Doc<'_>, at: &str, text: &str) {
    let name = crate::schema::path(at);
    let fault = match url::Url::parse(text) {
        Err(error) => Diagnostic::error(doc.spans.value(at), format!("`{name}` is not a valid URL: {error}")),
        Ok(url) if url.password().is_some() || !url.username().is_empty() => {
            Diagnostic::error(doc.spans.value(at), format!("`{name}` contains credentials"))
                .hint("secrets are referenced, never written here: use `auth:`")
        }
        Ok(_) => return,
    };
    doc.faults.push(fault);
}
