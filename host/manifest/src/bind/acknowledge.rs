//! How messages are acknowledged from outside.
use std::path::Path;

use super::doc::Doc;
use super::refs::{address, is_this_machine, secret};
use crate::limits::ACK_KEY_BYTES_MIN;
use crate::options::Options;
use crate::{AcknowledgeSpec, SecretRef, raw};

/// What `ack_keys` and `signing_secret` need as well.
const NEEDS: &str = "write both `public_url` and `ack_keys`, for example\n\
                     public_url: https://watchbell.example.com\n\
                     ack_keys: [{ env: WATCHBELL_ACK_KEY }]";

/// `None` if nothing can be acknowledged, or if what is written is wrong.
pub(super) fn acknowledge(
    doc: &mut Doc<'_>,
    public_url: Option<String>,
    ack_keys: Vec<raw::Secret>,
    home: &Path,
    options: &Options<'_>,
) -> Option<AcknowledgeSpec> {
    let public_url = public_url.and_then(|url| self::public_url(doc, &url));
    let keys: Vec<SecretRef> = ack_keys
        .into_iter()
        .enumerate()
        .map(|(at, named)| key(doc, &format!("/ack_keys/{at}"), named, home, options))
        .collect();
    if let Some(twice) = (1..keys.len()).find(|at| keys[..*at].contains(&keys[*at])) {
        doc.fault(&format!("/ack_keys/{twice}"), "`ack_keys` names the same secret twice").push(doc);
    }
    if !keys.is_empty() && public_url.is_none() && !doc.was_wrong("/public_url") {
        doc.fault("/ack_keys", "`ack_keys` sign links, and without `public_url` there are none")
            .example(NEEDS)
            .push(doc);
    }
    let public_url = public_url?;
    (!keys.is_empty()).then_some(AcknowledgeSpec { public_url, keys })
}

/// A shorter key is not accepted when the host starts; so that nobody learns it only then, what can be read without
/// running a program is measured.
fn key(doc: &mut Doc<'_>, at: &str, named: raw::Secret, home: &Path, options: &Options<'_>) -> SecretRef {
    let key = secret(doc, at, named, home, options);
    if options.check_secrets
        && !matches!(key, SecretRef::Exec(_))
        && key.reveal(options.env).is_ok_and(|value| value.expose().len() < ACK_KEY_BYTES_MIN)
    {
        let name = crate::schema::path(at);
        doc.fault(at, format!("`{name}` has fewer than {ACK_KEY_BYTES_MIN} characters"))
            .hint("make a key with `openssl rand -hex 32`")
            .push(doc);
    }
    key
}

/// Without its final slash.
fn public_url(doc: &mut Doc<'_>, text: &str) -> Option<String> {
    const AT: &str = "/public_url";
    let before = doc.errors();
    address(doc, AT, text);
    if doc.errors() > before {
        return None;
    }
    // `address` has read it.
    let url = url::Url::parse(text).ok()?;
    if url.query().is_some() || url.fragment().is_some() {
        doc.fault(AT, "`public_url` must have neither a query nor a fragment").push(doc);
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if url.scheme() == "http" && !is_this_machine(host) {
        doc.warn(
            AT,
            "links by `http` can be read on their way, and whoever reads one can acknowledge its episode",
            "put the host behind a proxy that speaks TLS, and write `https://`",
        );
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// The secret of the destination at `at`.
pub(super) fn signing_secret(
    doc: &mut Doc<'_>,
    at: &str,
    named: Option<raw::Secret>,
    home: &Path,
    options: &Options<'_>,
) -> Option<SecretRef> {
    let at = format!("{at}/signing_secret");
    let named = secret(doc, &at, named?, home, options);
    let is_there = |key: &str| doc.value.get(key).is_some() || doc.was_wrong(&format!("/{key}"));
    if !is_there("public_url") || !is_there("ack_keys") {
        let message = "what a product signs is an acknowledgement, which needs `public_url` and `ack_keys`";
        doc.fault(&at, message).example(NEEDS).push(doc);
    }
    Some(named)
}
