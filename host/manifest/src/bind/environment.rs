//! An environment's document becomes the environment.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use watchbell_contract::{Duration, TextFormat};
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::spec::DestinationName;

use super::access::access;
use super::acknowledge::{acknowledge, signing_secret};
use super::alerter::{alerter, typed};
use super::doc::Doc;
use super::endpoint::endpoint;
use super::fallback::{Names, check_fallbacks, host_alerts};
use super::holds::holds;
use super::limit::limit;
use super::module::{Allowed, is_allowed, module_file};
use super::oncall::rotations;
use super::refs::{address, beside, readable, secret};
use super::texts::shown_by_params;
use crate::options::Options;
use crate::{
    ClientCertificate, ClusterAuth, ClusterSpec, DestinationSpec, Environment, ModuleRef, Modules,
    PluginPolicy, StoreSpec, raw,
};

/// What precedes the 32 bytes of an Ed25519 key as OpenSSL writes it, in base64.
const ED25519_SPKI: &str = "MCowBQYDK2VwAyEA";

/// `None` if it is invalid.
pub(crate) fn environment(
    doc: &mut Doc<'_>,
    home: &Path,
    options: &Options<'_>,
    modules: &dyn Modules,
) -> Option<Environment> {
    let before = doc.errors();
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
        for (index, pattern) in cluster.indices.iter().flatten().enumerate() {
            if let Some(why) = watchbell_confine::fault_of_pattern(pattern) {
                doc.fault(
                    &format!("{at}/indices/{index}"),
                    format!("`{pattern}` is not a valid pattern of index names: {why}"),
                )
                .push(doc);
            }
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
            page_bytes: doc.page_bytes(&format!("{at}/page_bytes"), cluster.page_bytes),
            timeout: doc.positive(&format!("{at}/timeout"), cluster.timeout, Duration::from_secs(30)),
            indices: cluster.indices,
            allow: cluster.allow,
            kibana: cluster.kibana,
        };
        clusters.insert(name, spec);
    }
    let plugins = raw.plugins.map(|plugins| PluginPolicy {
        // The schema has checked their form.
        allow: plugins.allow.iter().map(|digest| bare(digest, "sha256:").to_lowercase()).collect(),
        keys: plugins.keys.iter().map(|key| bare(key, ED25519_SPKI).to_owned()).collect(),
    });
    let allowed = Allowed { environment: options.environment, policy: plugins.as_ref(), modules };
    expect(doc, &raw.destinations, home, allowed);
    // A destination with faults is one all the same: those who name it are not at fault.
    let names = Names {
        destinations: raw.destinations.keys().cloned().collect(),
        rotations: raw.oncall.keys().cloned().collect(),
    };
    let fallbacks =
        raw.destinations.iter().filter_map(|(name, raw)| Some((name.clone(), raw.fallback.clone()?)));
    check_fallbacks(doc, &fallbacks.collect(), &names);
    let mut destinations = BTreeMap::new();
    for (name, destination) in raw.destinations {
        let spec = bind_destination(doc, &name, destination, home, options, allowed);
        destinations.extend(spec.map(|spec| (name, spec)));
    }
    let listen = raw.listen.and_then(|text| match text.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            doc.fault("/listen", format!("`listen` must be an address and a port, found `{text}`"))
                .hint("write for example `127.0.0.1:9310`, or `0.0.0.0:9310` for every interface")
                .push(doc);
            None
        }
    });
    let acknowledge = acknowledge(doc, raw.public_url, raw.ack_keys, home, options);
    let holds = holds(doc, raw.maintenance, raw.inhibit, &raw.silences);
    let holds = HoldsSpec { rotations: rotations(doc, raw.oncall, &names.destinations), ..holds };
    let holds = HoldsSpec { host_alerts: host_alerts(doc, raw.host_alerts, &names), ..holds };
    let access = access(doc, raw.access, home, options);
    let environment = Environment {
        name: options.environment.to_string(),
        clusters,
        store: StoreSpec {
            sqlite: raw.store.map_or_else(|| "watchbell.sqlite".into(), |store| store.sqlite),
        },
        destinations,
        plugins,
        listen,
        acknowledge,
        holds,
        socket: raw.socket,
        access,
        limits: doc.limits("/limits", &raw.limits),
        effective: doc.value.clone(),
        places: doc.spans.values(),
    };
    (doc.errors() == before).then_some(environment)
}

/// A file in the folder that an environment's paths are relative to.
fn source(home: &Path) -> PathBuf {
    home.join("default.yaml")
}

/// Loads the files of modules that destinations name, several at once.
fn expect(
    doc: &Doc<'_>,
    destinations: &BTreeMap<String, raw::Destination>,
    home: &Path,
    allowed: Allowed<'_>,
) {
    if doc.is_faulty("/plugins") {
        return;
    }
    let source = source(home);
    let named = destinations
        .values()
        .filter_map(|destination| module_file(&destination.module, destination.sha256.as_deref()?, &source));
    let named: BTreeSet<ModuleRef> = named.collect();
    let named: Vec<ModuleRef> =
        named.into_iter().filter(|module| is_allowed(module, allowed.policy, allowed.modules)).collect();
    allowed.modules.expect_alerters(&named);
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
    allowed: Allowed<'_>,
) -> Option<DestinationSpec> {
    let at = format!("/destinations/{name}");
    let params = raw.params.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let source = source(home);
    let taken = alerter(doc, typed(&at, &raw, &source), &raw, &params, allowed)?;
    let mut text = taken.text;
    if let Some(form) = raw.text {
        match (text.format, form) {
            (TextFormat::Plain | TextFormat::Markdown, _) => text.format = form.into(),
            // Its receiver always interprets markup, so plain text is escaped for it.
            (_, raw::TextForm::Plain) => text.styles = false,
            // Markup of another kind would be interpreted as its own.
            (TextFormat::Html | TextFormat::Mrkdwn, _) => doc
                .fault(
                    &format!("{at}/text"),
                    format!("the product `{}` accepts only its own markup", taken.alerter.product),
                )
                .hint("write `text: plain`, or remove it; `use: webhook` accepts any form")
                .push(doc),
        }
    }
    // Of another module it has been told that it means nothing.
    let signs = raw.signing_secret.filter(|_| taken.alerter.builtin().is_some());
    let signing_secret = signing_secret(doc, &at, signs, home, options);
    let endpoint = taken.bounded(endpoint(doc, &at, taken.kind, raw.endpoint, home, options)?);
    let shown = match taken.alerter.builtin() {
        Some(_) => shown_by_params(doc, &format!("{at}/params"), &params),
        // What its parameters mean is the module's own.
        None => Vec::new(),
    };
    let limit = raw.limit.and_then(|raw| limit(doc, &format!("{at}/limit"), &raw));
    let retry = |doc: &mut Doc<'_>, below: &str, span, default| {
        doc.positive(&format!("{at}/retry/{below}"), span, default)
    };
    Some(DestinationSpec {
        outbox: watchbell_pipeline::spec::DestinationSpec {
            name: DestinationName(name.to_string()),
            text,
            retry_first: retry(doc, "first", raw.retry.first, Duration::from_secs(1)),
            retry_max: retry(doc, "max", raw.retry.max, Duration::from_mins(5)),
            deadline: retry(doc, "deadline", raw.retry.deadline, Duration::from_hours(24)),
            concurrency: raw.concurrency.unwrap_or(4),
            limit,
            fallback: raw.fallback.map(DestinationName),
        },
        alerter: taken.alerter,
        module_digest: taken.digest,
        params,
        shown,
        endpoint,
        signing_secret,
    })
}
