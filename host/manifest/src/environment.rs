//! Where rules run: clusters, store, destinations.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use watchbell_confine::Grant;
use watchbell_contract::Duration;
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::oncall::Rotation;
use watchbell_pipeline::spec::{AlertSpec, DestinationName};

use crate::access::AccessSpec;
use crate::endpoint::Endpoint;
use crate::modules::{AlerterRef, Identity};
use crate::report::Place;
use crate::rule_limits::RuleLimits;
use crate::secret::SecretRef;
use crate::shown::Shown;

/// `default.yaml` with `NAME.yaml` over it.
#[derive(Clone, Debug)]
pub struct Environment {
    pub name: String,
    /// By name; a rule that names none queries `main`.
    pub clusters: BTreeMap<String, ClusterSpec>,
    pub store: StoreSpec,
    pub destinations: BTreeMap<String, DestinationSpec>,
    /// Which modules may run besides built-in ones; `None`: any that a manifest names by digest.
    pub plugins: Option<PluginPolicy>,
    /// The address to serve health, metrics and status on; `None`: they are not served.
    pub listen: Option<SocketAddr>,
    /// How messages are acknowledged from outside; `None`: they are not.
    pub acknowledge: Option<AcknowledgeSpec>,
    /// Maintenance windows, what mutes what, how long a silence may last, who is on call, and whom the host tells about
    /// itself.
    pub holds: HoldsSpec,
    /// The Unix socket for commands, relative to the working directory; `None`: beside the store.
    pub socket: Option<PathBuf>,
    /// Who may ask and command the host.
    pub access: AccessSpec,
    /// The default limits of rules.
    pub limits: RuleLimits,
    /// The effective environment: merged, tokens applied, secrets by reference.
    pub effective: Value,
    /// Where each part was written, by JSON pointer.
    pub(crate) places: HashMap<String, Place>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSpec {
    /// Never empty; `http` or `https`, without credentials.
    pub nodes: Vec<String>,
    pub auth: ClusterAuth,
    /// A PEM file with certificate authorities to trust in addition to the system's.
    pub ca: Option<PathBuf>,
    pub client_certificate: Option<ClientCertificate>,
    pub gzip: bool,
    /// The maximum number of concurrent requests.
    pub concurrency: usize,
    /// Hits per page, 1..=10,000.
    pub page_hits: usize,
    /// Bytes of one response, decompressed; 64 KiB to 1 GiB.
    pub page_bytes: u64,
    /// The timeout of one request.
    pub timeout: Duration,
    /// Index patterns that rules may query; `None`: any.
    pub indices: Option<Vec<String>>,
    /// What searches may hold that reaches beyond a rule's filter and range.
    pub allow: BTreeSet<Grant>,
    /// The URL of Kibana or OpenSearch Dashboards, for links.
    pub kibana: Option<String>,
}

/// Where messages are acknowledged, and what signs the permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcknowledgeSpec {
    /// `http` or `https`, without credentials, query and final slash.
    pub public_url: String,
    /// Newest first; never empty.
    pub keys: Vec<SecretRef>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ClusterAuth {
    None,
    Basic { username: String, password: SecretRef },
    ApiKey(SecretRef),
    Bearer(SecretRef),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: SecretRef,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSpec {
    /// The SQLite file, relative to the working directory.
    pub sqlite: PathBuf,
}

/// A module may run if its digest is allowed, or if it is signed with one of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginPolicy {
    /// SHA-256 of modules, in hex, lower case.
    pub allow: BTreeSet<String>,
    /// Ed25519 public keys, 32 bytes in base64 each.
    pub keys: BTreeSet<String>,
}

impl PluginPolicy {
    pub fn allows(&self, module: &Identity) -> bool {
        self.allow.contains(&module.digest) || module.signers.iter().any(|key| self.keys.contains(key))
    }
}

/// A configured alerter.
#[derive(Clone, Debug, PartialEq)]
pub struct DestinationSpec {
    /// What the outbox needs to know about it.
    pub outbox: watchbell_pipeline::spec::DestinationSpec,
    /// What delivers to it.
    pub alerter: AlerterRef,
    /// SHA-256 in hex of the alerter's module.
    pub module_digest: String,
    /// Valid by the product's schema and accepted by its `prepare`.
    pub params: Value,
    /// The message fields that the templates in `params` show.
    pub shown: Vec<Shown>,
    /// Where and how it receives messages.
    pub endpoint: Endpoint,
    /// With which the product signs what it sends to the host.
    pub signing_secret: Option<SecretRef>,
}

impl Environment {
    /// Every secret that is referenced, with its path: `clusters.main.auth`, `destinations.ops-chat.url`, `ack_keys[0]`.
    pub fn secrets(&self) -> Vec<(String, &SecretRef)> {
        let mut found = Vec::new();
        for (name, cluster) in &self.clusters {
            match &cluster.auth {
                ClusterAuth::None => {}
                ClusterAuth::Basic { password: secret, .. }
                | ClusterAuth::ApiKey(secret)
                | ClusterAuth::Bearer(secret) => found.push((format!("clusters.{name}.auth"), secret)),
            }
            if let Some(certificate) = &cluster.client_certificate {
                found.push((format!("clusters.{name}.client_certificate.key"), &certificate.key));
            }
        }
        for (name, destination) in &self.destinations {
            let secrets = destination.endpoint.secrets();
            found.extend(
                secrets.into_iter().map(|(key, secret)| (format!("destinations.{name}.{key}"), secret)),
            );
            let signing = destination.signing_secret.iter();
            found.extend(signing.map(|secret| (format!("destinations.{name}.signing_secret"), secret)));
        }
        for token in &self.access.tokens {
            found.push((format!("access.tokens.{}", token.name), &token.secret));
        }
        let keys = self.acknowledge.iter().flat_map(|acknowledge| &acknowledge.keys).enumerate();
        found.extend(keys.map(|(at, secret)| (format!("ack_keys[{at}]"), secret)));
        found
    }

    pub fn rotation(&self, name: &DestinationName) -> Option<&Rotation> {
        self.holds.rotations.iter().find(|rotation| rotation.name == *name)
    }

    /// The destinations that a message of `alert` may reach, each once, in the order of its steps: of a rotation, those of
    /// all its people, and what each falls back to.
    pub fn reached(&self, alert: &AlertSpec) -> Vec<DestinationName> {
        let mut reached: Vec<DestinationName> = Vec::new();
        for name in alert.steps.iter().flat_map(|step| &step.to) {
            let people = self.rotation(name).map_or(&[][..], Rotation::people);
            let own = people.is_empty().then_some(name);
            for name in people.iter().map(|person| &person.destination).chain(own) {
                self.push_reached(&mut reached, name);
            }
        }
        reached
    }

    fn push_reached(&self, reached: &mut Vec<DestinationName>, name: &DestinationName) {
        let mut next = Some(name);
        while let Some(name) = next.filter(|name| !reached.contains(name)) {
            reached.push(name.clone());
            next = self.destinations.get(&name.0).and_then(|spec| spec.outbox.fallback.as_ref());
        }
    }

    /// The Unix socket for commands: the one that is named, or the one beside the store at `sqlite`.
    pub fn socket_beside(socket: Option<&Path>, sqlite: &Path) -> PathBuf {
        socket.map_or_else(
            || {
                let mut name = sqlite.as_os_str().to_owned();
                name.push(".sock");
                PathBuf::from(name)
            },
            Path::to_owned,
        )
    }
}
