//! A destination's endpoint, by its kind.
mod exec; // a program on the host's machine
mod mail; // a mail server and its recipients

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use watchbell_contract::Duration;

use super::doc::Doc;
use super::refs::{address, secret};
use crate::options::Options;
use crate::{Auth, Endpoint, EndpointKind, Grants, HttpEndpoint, SecretOr, raw, schema};

/// `keys`: the keys of the destination at `at` that are specific to its kind. `None` if they are invalid.
pub(super) fn endpoint(
    doc: &mut Doc<'_>,
    at: &str,
    kind: EndpointKind,
    keys: Map<String, Value>,
    home: &Path,
    options: &Options<'_>,
) -> Option<Endpoint> {
    match kind {
        EndpointKind::Http => {
            let raw = read(doc, at, kind, keys)?;
            Some(Endpoint::Http(http(doc, at, raw, home, options)))
        }
        EndpointKind::Mail => {
            let raw = read(doc, at, kind, keys)?;
            Some(Endpoint::Mail(mail::endpoint(doc, at, raw, home, options)?))
        }
        EndpointKind::Exec => {
            let raw = read(doc, at, kind, keys)?;
            Some(Endpoint::Exec(exec::endpoint(doc, at, raw, home, options)?))
        }
        EndpointKind::Stdout => {
            let _: Map<String, Value> = read(doc, at, kind, keys)?;
            Some(Endpoint::Stdout)
        }
    }
}

fn read<T: DeserializeOwned>(
    doc: &mut Doc<'_>,
    at: &str,
    kind: EndpointKind,
    keys: Map<String, Value>,
) -> Option<T> {
    let needed = schema::required(&kind.keys());
    // What is missing because it was wrong has been told.
    if needed.iter().any(|key| doc.was_wrong(&format!("{at}/{key}"))) {
        return None;
    }
    let keys = Value::Object(keys);
    let before = doc.faults.len();
    schema::endpoint(kind).check(&keys, at, doc.spans, doc.faults);
    if doc.faults.len() > before {
        return None;
    }
    match T::deserialize(keys) {
        Ok(raw) => Some(raw),
        Err(error) => {
            doc.fault(at, format!("cannot be understood: {error}")).push(doc);
            None
        }
    }
}

fn http(
    doc: &mut Doc<'_>,
    at: &str,
    raw: raw::HttpEndpoint,
    home: &Path,
    options: &Options<'_>,
) -> HttpEndpoint {
    let url = match raw.url {
        raw::TextOrSecret::Text(url) => {
            address(doc, &format!("{at}/url"), &url);
            SecretOr::Plain(url)
        }
        raw::TextOrSecret::Secret(named) => {
            SecretOr::Secret(secret(doc, &format!("{at}/url"), named, home, options))
        }
    };
    let of = |doc: &mut Doc<'_>, below: &str, named| {
        secret(doc, &format!("{at}/auth/{below}"), named, home, options)
    };
    let auth = match raw.auth {
        None => Auth::None,
        Some(raw::Auth::Bearer(token)) => Auth::Bearer(of(doc, "bearer", token)),
        Some(raw::Auth::Basic(basic)) => {
            Auth::Basic { username: basic.username, password: of(doc, "basic/password", basic.password) }
        }
        Some(raw::Auth::Header(named)) => {
            Auth::Header { name: named.name, value: of(doc, "header/value", named.value) }
        }
        Some(raw::Auth::Query(named)) => {
            Auth::Query { name: named.name, value: of(doc, "query/value", named.value) }
        }
        Some(raw::Auth::Hmac(hmac)) => Auth::Hmac {
            header: hmac.header,
            prefix: hmac.prefix,
            secret: of(doc, "hmac/secret", hmac.secret),
        },
        Some(raw::Auth::Body(body)) => {
            Auth::Body { pointer: body.pointer, value: of(doc, "body/value", body.value) }
        }
        Some(raw::Auth::SigV4(aws)) => Auth::SigV4 {
            region: aws.region,
            service: aws.service,
            access_key_id: match aws.access_key_id {
                raw::TextOrSecret::Text(id) => SecretOr::Plain(id),
                raw::TextOrSecret::Secret(named) => SecretOr::Secret(of(doc, "sigv4/access_key_id", named)),
            },
            secret_access_key: of(doc, "sigv4/secret_access_key", aws.secret_access_key),
            session_token: aws.session_token.map(|named| of(doc, "sigv4/session_token", named)),
        },
    };
    HttpEndpoint {
        url,
        auth,
        grants: Grants { private_addresses: raw.grants.private_addresses, methods: raw.grants.methods },
        timeout: doc.positive(&format!("{at}/timeout"), raw.timeout, Duration::from_secs(10)),
    }
}
