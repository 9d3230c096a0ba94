//! An environment's document becomes the environment.
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use watchbell_contract::{AlertText, Duration, Fault, TextFormat};
use watchbell_pipeline::spec::DestinationName;

use super::doc::Doc;
use super::texts::shown_by_params;
use crate::load::Options;
use crate::report::{Diagnostic, suggest};
use crate::schema::Schema;
use crate::{
    Auth, ClientCertificate, ClusterAuth, ClusterSpec, DestinationSpec, Environment, Grants, Modules,
    PluginPolicy, SecretOr, SecretRef, StoreSpec, raw,
};

/// What stands before the 32 bytes of an Ed25519 key where OpenSSL writes it, in base64.
const ED25519_SPKI: &str = "MCowBQYDK2VwAyEA";

/// `None`: at fault.
pub(crate) fn environment(
    doc: &mut Doc<'_>,
    home: &Path,
    options: &Options<'_>,
    modules: &dyn Modules,
) -> Option<Environment> {
    let before = doc.faults.len();
    let raw: raw::Environment = doc.read(crate::schema::environment())?;
    let mut clusters = BTreeMap::new();
    for (name, cluster) in raw.clusters {
        let at = format!("/clusters/{name}");
        for (index, node) in cluster.nodes.iter().enumerate() {
            address(doc, &format!("{at}/nodes/{index}"), node);
        }
        if let Some(kibana) = &cluster.kibana {
            address(doc, &format!("{at}/kibana"), kibana);
        }
        let ca = cluster.ca.map(|path| beside(home, &path));
        if let Some(path) = &ca {
            readable(doc, &format!("{at}/ca"), path, options);
        }
        let client_certificate = cluster.client_certificate.map(|pair| {
            let certificate = beside(home, &pair.certificate);
            readable(doc, &format!("{at}/client_certificate/certificate"), &certificate, options);
            let key = secret(doc, &format!("{at}/client_certificate/key"), pair.key, home, options);
            ClientCertificate { certificate, key }
        });
        let auth = match cluster.auth {
            None => ClusterAuth::None,
            Some(raw::ClusterAuth::Basic(basic)) => ClusterAuth::Basic {
                username: basic.username,
                password: secret(doc, &format!("{at}/auth/basic/password"), basic.password, home, options),
            },
            Some(raw::ClusterAuth::ApiKey(key)) => {
                ClusterAuth::ApiKey(secret(doc, &format!("{at}/auth/api_key"), key, home, options))
            }
            Some(raw::ClusterAuth::Bearer(token)) => {
                ClusterAuth::Bearer(secret(doc, &format!("{at}/auth/bearer"), token, home, options))
            }
        };
        let spec = ClusterSpec {
            nodes: cluster.nodes,
            auth,
            ca,
            client_certificate,
            gzip: cluster.gzip.unwrap_or(true),
            concurrency: cluster.concurrency.unwrap_or(8),
            page_hits: cluster.page_hits.unwrap_or(10_000),
            timeout: doc.positive(&format!("{at}/timeout"), cluster.timeout, Duration::from_secs(30)),
            indices: cluster.indices,
            kibana: cluster.kibana,
        };
        clusters.insert(name, spec);
    }
    let mut destinations = BTreeMap::new();
    for (name, destination) in raw.destinations {
        let spec = bind_destination(doc, &name, destination, home, options, modules);
        destinations.insert(name, spec);
    }
    let plugins = raw.plugins.map(|plugins| PluginPolicy {
        // The schema has seen their form.
        allow: plugins.allow.iter().map(|digest| bare(digest, "sha256:").to_lowercase()).collect(),
        keys: plugins.keys.iter().map(|key| bare(key, ED25519_SPKI).to_owned()).collect(),
    });
    let listen = raw.listen.and_then(|text| match text.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            doc.fault("/listen", format!("`listen` must be an address and a port, found `{text}`"))
                .hint("write for example `127.0.0.1:9310`, or `0.0.0.0:9310` for every interface")
                .push(doc);
            None
        }
    });
    let environment = Environment {
        name: options.environment.to_string(),
        clusters,
        store: StoreSpec {
            sqlite: raw.store.map_or_else(|| "watchbell.sqlite".into(), |store| store.sqlite),
        },
        destinations,
        plugins,
        listen,
        limits: doc.limits("/limits", &raw.limits),
        effective: doc.value.clone(),
        places: doc.spans.values(),
    };
    (doc.faults.len() == before).then_some(environment)
}

fn bare<'a>(text: &'a str, before: &str) -> &'a str {
    text.strip_prefix(before).unwrap_or(text)
}

fn bind_destination(
    doc: &mut Doc<'_>,
    name: &str,
    raw: raw::Destination,
    home: &Path,
    options: &Options<'_>,
    modules: &dyn Modules,
) -> DestinationSpec {
    let at = format!("/destinations/{name}");
    let params = raw.params.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let mut text = product(doc, &at, &raw.product, &params, modules);
    if let Some(form) = raw.text {
        match (text.format, form) {
            (TextFormat::Plain | TextFormat::Markdown, _) => text.format = form.into(),
            // Its receiver reads markup whatever is sent: characters are escaped for that, and nothing is markup.
            (_, raw::TextForm::Plain) => text.styles = false,
            // What is written for another would be taken for its own.
            (TextFormat::Html | TextFormat::Mrkdwn, _) => doc
                .fault(
                    &format!("{at}/text"),
                    format!("the product `{}` takes its own markup alone", raw.product),
                )
                .hint("write `text: plain`, or remove it; `use: webhook` takes any form")
                .push(doc),
        }
    }
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
    };
    let shown = shown_by_params(doc, &format!("{at}/params"), &params);
    let retry = |doc: &mut Doc<'_>, below: &str, span, default| {
        doc.positive(&format!("{at}/retry/{below}"), span, default)
    };
    DestinationSpec {
        outbox: watchbell_pipeline::spec::DestinationSpec {
            name: DestinationName(name.to_string()),
            text,
            retry_first: retry(doc, "first", raw.retry.first, Duration::from_secs(1)),
            retry_max: retry(doc, "max", raw.retry.max, Duration::from_mins(5)),
            deadline: retry(doc, "deadline", raw.retry.deadline, Duration::from_hours(24)),
            concurrency: raw.concurrency.unwrap_or(4),
        },
        product: raw.product,
        url,
        auth,
        params,
        shown,
        grants: Grants { private_addresses: raw.grants.private_addresses },
        timeout: doc.positive(&format!("{at}/timeout"), raw.timeout, Duration::from_secs(10)),
    }
}

/// Checks a destination's product and parameters; the text that it takes, or anything where it is unknown.
fn product(doc: &mut Doc<'_>, at: &str, name: &str, params: &Value, modules: &dyn Modules) -> AlertText {
    let unknown = AlertText { format: TextFormat::Plain, styles: true, title_max: 0, body_max: 0 };
    let Some(info) = modules.product(name) else {
        let known = modules.products();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        doc.fault(&format!("{at}/use"), format!("unknown product `{name}`"))
            .maybe_hint(suggest(name, &known))
            .push(doc);
        return unknown;
    };
    let below = format!("{at}/params");
    match Schema::new(info.params_schema) {
        Err(message) => doc
            .fault(&format!("{at}/use"), format!("the product `{name}` has no usable schema: {message}"))
            .push(doc),
        Ok(schema) => {
            let before = doc.faults.len();
            schema.check(params, &below, doc.spans, doc.faults);
            if doc.faults.len() == before
                && let Err(faults) = modules.prepare_destination(name, params)
            {
                told(doc, &below, faults);
            }
        }
    }
    info.text
}

/// Faults that a module found in parameters at `below`.
pub(crate) fn told(doc: &mut Doc<'_>, below: &str, faults: Vec<Fault>) {
    for fault in faults {
        let pointer = format!("{below}{}", fault.path);
        let name = crate::schema::path(&pointer);
        doc.fault(&pointer, format!("`{name}`: {}", fault.message)).push(doc);
    }
}

fn secret(doc: &mut Doc<'_>, at: &str, named: raw::Secret, home: &Path, options: &Options<'_>) -> SecretRef {
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
            SecretRef::Exec(_) => "see that the program runs by hand".into(),
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

fn readable(doc: &mut Doc<'_>, at: &str, path: &Path, options: &Options<'_>) {
    if options.check_secrets
        && let Err(error) = std::fs::File::open(path)
    {
        let name = crate::schema::path(at);
        let message = format!("`{name}`: cannot read `{}`: {}", path.display(), crate::files::words(&error));
        doc.fault(at, message).push(doc);
    }
}

/// Paths in an environment are relative to its folder.
fn beside(home: &Path, path: &Path) -> std::path::PathBuf {
    home.join(path)
}

/// The message never shows the address: it may hold a password.
fn address(doc: &mut Doc<'_>, at: &str, text: &str) {
    let name = crate::schema::path(at);
    let fault = match url::Url::parse(text) {
        Err(error) => Diagnostic::error(doc.spans.value(at), format!("`{name}` is not an address: {error}")),
        Ok(url) if url.password().is_some() || !url.username().is_empty() => {
            Diagnostic::error(doc.spans.value(at), format!("`{name}` holds credentials"))
                .hint("secrets are named, never written: use `auth:`")
        }
        Ok(_) => return,
    };
    doc.faults.push(fault);
}
