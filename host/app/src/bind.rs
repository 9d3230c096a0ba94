//! A bundle with everything that it names resolved: modules loaded, clusters and destinations ready, secrets read.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use url::Url;
use watchbell_contract::{Duration, Signal};
use watchbell_elastic::{Cluster, ClusterConfig, Target};
use watchbell_manifest as manifest;
use watchbell_manifest::{AlerterRef, BoundRule, Bundle, ClusterAuth, ClusterSpec, RuleLimits, SecretRef};
use watchbell_pipeline::action::Run;
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::spec::{DestinationName, DestinationSpec, NoData, RuleName, RuleSpec};
use watchbell_program::Program;
use watchbell_sandbox as sandbox;
use watchbell_sandbox::{AlerterModule, Limits, Renderer, RuleModule};
use watchbell_text::Wanted;

use crate::acknowledge::Acknowledge;
use crate::catalog::Catalog;
use crate::credentials::{self, Refreshed};
use crate::native::Console;
use crate::web::Access;
use crate::{endpoint, kibana_link};

/// Bytes of a file of certificates.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// Everything that runs and deliveries need, put in force together.
pub struct Deployment {
    pub digest: String,
    pub environment: String,
    pub specs: Vec<Arc<RuleSpec>>,
    pub destination_specs: Vec<DestinationSpec>,
    /// Maintenance windows, and what mutes what.
    pub holds: HoldsSpec,
    pub cluster_concurrency: BTreeMap<String, usize>,
    /// The SQLite file.
    pub store: PathBuf,
    /// Where health, metrics and status are served; `None` disables them.
    pub listen: Option<SocketAddr>,
    /// The Unix socket for commands; `None`: beside the store.
    pub socket: Option<PathBuf>,
    /// Who may ask and command the host.
    pub(crate) access: Arc<Access>,
    /// How messages are acknowledged from outside; `None`: they are not.
    pub(crate) acknowledge: Option<Arc<Acknowledge>>,
    pub(crate) rules: BTreeMap<RuleName, Arc<LiveRule>>,
    pub(crate) destinations: BTreeMap<DestinationName, Arc<Destination>>,
    pub(crate) texts: Renderer,
}

/// A rule with everything that a run of it needs.
pub(crate) struct LiveRule {
    pub(crate) name: RuleName,
    pub(crate) module: RuleModule,
    /// A JSON object, serialized.
    params: String,
    /// The same, if a span in it is a calendar day.
    days: Option<serde_json::Value>,
    pub(crate) context: watchbell_contract::Context,
    pub(crate) limits: Limits,
    pub(crate) cluster: Cluster,
    pub(crate) target: Target,
    pub(crate) no_data: NoData,
    /// What its messages show of the documents behind a signal.
    pub(crate) wanted: Wanted,
    kibana: Option<String>,
}

/// A destination with everything that a delivery needs.
pub(crate) struct Destination {
    pub(crate) alerter: AlerterRef,
    pub(crate) way: Way,
}

/// How a message gets there.
pub(crate) enum Way {
    Module(Box<ByModule>),
    Program(Refreshed<Program>),
    Stdout(Console),
}

/// Through the sandbox.
pub(crate) struct ByModule {
    pub(crate) module: AlerterModule,
    /// A JSON object, serialized.
    pub(crate) params: String,
    pub(crate) endpoint: Refreshed<sandbox::Receiver>,
    pub(crate) limits: Limits,
}

impl Deployment {
    /// # Errors
    /// A secret or certificate that cannot be read, or an invalid address; the message names it.
    pub fn new(bundle: &Bundle, catalog: &Catalog) -> Result<Self> {
        let environment = &bundle.environment;
        let clusters = clusters(environment)?;
        let mut rules = BTreeMap::new();
        for rule in &bundle.rules {
            let cluster = clusters.get(&rule.target.cluster).with_context(|| {
                format!(
                    "rule `{}` uses the cluster `{}`, which the environment does not define",
                    rule.spec.name, rule.target.cluster
                )
            })?;
            let live = LiveRule::new(rule, environment, catalog, cluster.clone())?;
            rules.insert(rule.spec.name.clone(), Arc::new(live));
        }
        let mut destinations = BTreeMap::new();
        for (name, spec) in &environment.destinations {
            let destination =
                destination(spec, environment, catalog).with_context(|| format!("destination `{name}`"))?;
            destinations.insert(DestinationName(name.clone()), Arc::new(destination));
        }
        let specs: Vec<_> = bundle.rules.iter().map(|rule| Arc::new(rule.spec.clone())).collect();
        let access = Access::new(&environment.access, &specs, reveal).context("`access`")?;
        let access = access.within(&environment.name, &environment.holds);
        Ok(Self {
            digest: bundle.digest.clone(),
            environment: environment.name.clone(),
            specs,
            destination_specs: bundle.outbox(),
            holds: bundle.environment.holds.clone(),
            cluster_concurrency: environment
                .clusters
                .iter()
                .map(|(name, spec)| (name.clone(), spec.concurrency))
                .collect(),
            store: environment.store.sqlite.clone(),
            listen: environment.listen,
            socket: environment.socket.clone(),
            access: Arc::new(access),
            acknowledge: Acknowledge::of(environment)?.map(Arc::new),
            rules,
            destinations,
            texts: catalog.texts()?,
        })
    }
}

impl Deployment {
    /// The settings that differ from `before` but only take effect when the host starts, in words.
    pub(crate) fn awaiting_restart(&self, before: &Self) -> Vec<&'static str> {
        [
            (self.store != before.store, "the store's file"),
            (self.listen != before.listen, "the address to listen on"),
            (self.socket != before.socket, "the socket for commands"),
            (self.cluster_concurrency != before.cluster_concurrency, "the concurrency of clusters"),
        ]
        .into_iter()
        .filter_map(|(differs, what)| differs.then_some(what))
        .collect()
    }
}

impl LiveRule {
    /// `rule`, querying `cluster` whatever its name.
    ///
    /// # Errors
    /// Its module cannot be loaded.
    pub(crate) fn new(
        rule: &BoundRule,
        environment: &manifest::Environment,
        catalog: &Catalog,
        cluster: Cluster,
    ) -> Result<Self> {
        let name = rule.spec.name.clone();
        let module = catalog.rule_module(&rule.module).with_context(|| format!("rule `{name}`"))?;
        // A calendar day is the longest.
        let params = manifest::with_day(&rule.params, Duration::from_hours(25)).to_string();
        let reach = module.reach(&params, &rule.context(), rule.spec.history);
        Ok(Self {
            name,
            module,
            params: rule.params.to_string(),
            days: rule.spec.calendar.then(|| rule.params.clone()),
            context: rule.context(),
            limits: Limits { reach, ..limits(rule.limits) },
            cluster,
            target: target(rule),
            no_data: rule.spec.no_data,
            wanted: wanted(&rule.spec, environment),
            kibana: environment.clusters.get(&rule.target.cluster).and_then(|spec| spec.kibana.clone()),
        })
    }

    /// Its parameters for `run`: a calendar day is as long as the one that ends with the window.
    pub(crate) fn params(&self, run: &Run) -> Cow<'_, str> {
        self.params_of(run.grid)
    }

    /// Its parameters if a calendar day is as long as `day`.
    pub(crate) fn params_of(&self, day: Duration) -> Cow<'_, str> {
        match &self.days {
            Some(params) => manifest::with_day(params, day).to_string().into(),
            None => Cow::Borrowed(&self.params),
        }
    }

    /// A link to the documents behind `signal`, if the environment has a Kibana.
    pub(crate) fn link(&self, signal: &Signal) -> Option<String> {
        Some(kibana_link::link(self.kibana.as_deref()?, &self.target, signal.evidence.as_ref()?))
    }
}

/// The clients of all clusters of an environment. Reads certificates and secrets, and does no other IO.
///
/// # Errors
/// As for `Deployment::new`.
pub fn clusters(environment: &manifest::Environment) -> Result<BTreeMap<String, Cluster>> {
    environment
        .clusters
        .iter()
        .map(|(name, spec)| {
            let cluster = cluster(name, spec).with_context(|| format!("cluster `{name}`"))?;
            Ok((name.clone(), cluster))
        })
        .collect()
}

/// What the texts of a rule and its destinations show of documents; nothing if there are no destinations.
fn wanted(spec: &RuleSpec, environment: &manifest::Environment) -> Wanted {
    let reached = environment.reached(&spec.alert);
    let mut destinations = reached.iter().filter_map(|name| environment.destinations.get(&name.0)).peekable();
    if destinations.peek().is_none() {
        return Wanted::default();
    }
    destinations
        .fold(Wanted::by(&spec.alert.title, &spec.alert.body, &spec.alert.macros), |wanted, destination| {
            wanted.and(wanted_by(destination))
        })
}

/// What `rule` reads of its cluster.
pub(crate) fn target(rule: &BoundRule) -> Target {
    Target {
        rule: rule.spec.name.0.clone(),
        indices: rule.target.indices.clone(),
        time_field: rule.target.time_field.clone(),
        filter: rule.target.filter.clone(),
        ignore_unavailable: rule.target.ignore_unavailable,
        scope: rule.target.scope.clone(),
    }
}

pub(crate) fn cluster(name: &str, spec: &ClusterSpec) -> Result<Cluster> {
    use watchbell_elastic::Auth;
    let nodes: Result<Vec<Url>> =
        spec.nodes.iter().map(|node| Url::parse(node).context("the address of a node")).collect();
    let auth = match &spec.auth {
        ClusterAuth::None => Auth::None,
        ClusterAuth::Basic { username, password } => {
            Auth::Basic { user: username.clone(), password: reveal(password)? }
        }
        ClusterAuth::ApiKey(key) => Auth::ApiKey(reveal(key)?),
        ClusterAuth::Bearer(token) => Auth::Bearer(reveal(token)?),
    };
    let mut config = ClusterConfig::new(name, nodes?);
    config.auth = auth;
    config.ca = spec.ca.as_deref().map(read).transpose()?;
    config.client_identity = match &spec.client_certificate {
        Some(certificate) => {
            let mut pem = read(&certificate.certificate)?;
            pem.push(b'\n');
            pem.extend_from_slice(reveal(&certificate.key)?.as_bytes());
            Some(pem)
        }
        None => None,
    };
    config.gzip = spec.gzip;
    config.concurrency = spec.concurrency;
    config.page_hits = spec.page_hits;
    config.page_bytes_max = usize::try_from(spec.page_bytes).unwrap_or(config.page_bytes_max);
    config.request_timeout = spec.timeout.std();
    Ok(Cluster::new(config)?)
}

/// What a destination needs besides the texts: if it forwards `details`, it forwards the documents in them.
fn wanted_by(destination: &manifest::DestinationSpec) -> Wanted {
    let params = &destination.params;
    let is_whole = match destination.alerter.builtin() {
        Some("webhook") => params.get("body").is_none() && params.get("form").is_none(),
        Some("stdout") => params["format"] == "json",
        Some(product) => matches!(product, "exec" | "index"),
        // What another module forwards is not known.
        None => true,
    };
    let names_them = || params.to_string().contains("details");
    if is_whole || names_them() { Wanted::all() } else { Wanted::default() }
}

/// A destination with its alerter and its credentials.
///
/// # Errors
/// A secret that cannot be read, or an invalid address.
pub(crate) fn destination(
    spec: &manifest::DestinationSpec,
    environment: &manifest::Environment,
    catalog: &Catalog,
) -> Result<Destination> {
    let name = &spec.outbox.name.0;
    let by_module = |endpoint| -> Result<Way> {
        Ok(Way::Module(Box::new(ByModule {
            module: alerter(&spec.alerter, catalog)?,
            params: spec.params.to_string(),
            endpoint,
            limits: alerter_limits(&spec.alerter, environment),
        })))
    };
    let way = match &spec.endpoint {
        manifest::Endpoint::Http(http) => by_module(endpoint::http(name, http)?)?,
        manifest::Endpoint::Mail(mail) => by_module(endpoint::mail(name, mail)?)?,
        manifest::Endpoint::Exec(exec) => Way::Program(endpoint::program(name, exec)?),
        manifest::Endpoint::Stdout => Way::Stdout(Console::new(&spec.params)),
    };
    Ok(Destination { alerter: spec.alerter.clone(), way })
}

/// # Errors
/// The module cannot be loaded any more.
pub(crate) fn alerter(named: &AlerterRef, catalog: &Catalog) -> Result<AlerterModule> {
    catalog.alerter_module(&named.module).with_context(|| format!("the alerter `{named}`"))
}

/// What an alerter's module may use: as much as a rule's by default, if it is not built in.
pub(crate) fn alerter_limits(alerter: &AlerterRef, environment: &manifest::Environment) -> Limits {
    match alerter.builtin() {
        Some(_) => Limits::default(),
        None => limits(environment.limits),
    }
}

fn limits(of: RuleLimits) -> Limits {
    let mut limits = Limits::default();
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    if let Some(memory) = of.memory_bytes {
        limits.memory_bytes_max = bytes(memory);
    }
    if let Some(state) = of.state_bytes {
        limits.state_bytes_max = bytes(state);
    }
    if let Some(output) = of.output_bytes {
        limits.output_bytes_max = bytes(output);
    }
    if let Some(time) = of.time {
        limits.time_max = time.std();
    }
    limits
}

fn reveal(secret: &SecretRef) -> Result<String> {
    Ok(credentials::reveal(secret)?.expose().to_owned())
}

/// Reads certificates.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    watchbell_outside::read(path, PEM_BYTES_MAX).with_context(|| format!("cannot read `{}`", path.display()))
}
