//! Documents as written. They have passed their schemas; only `bind` uses these types.
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use watchbell_confine::Grant;
use watchbell_contract::{Duration, Severity, TextFormat};

use crate::{Method, units};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) enabled: Option<bool>,
    #[serde(rename = "use")]
    pub(crate) module: String,
    pub(crate) sha256: Option<String>,
    pub(crate) cluster: Option<String>,
    pub(crate) index: OneOrMany,
    pub(crate) time_field: Option<String>,
    pub(crate) ignore_unavailable: Option<bool>,
    pub(crate) filter: Option<Value>,
    pub(crate) every: Option<Span>,
    pub(crate) cron: Option<String>,
    pub(crate) timezone: Option<String>,
    pub(crate) delay: Option<Span>,
    pub(crate) lateness: Option<Span>,
    pub(crate) lookback: Option<Span>,
    pub(crate) begin: Option<String>,
    pub(crate) catch_up: Option<CatchUp>,
    pub(crate) window_max: Option<Span>,
    #[serde(default)]
    pub(crate) key: Vec<String>,
    pub(crate) params: Option<Value>,
    pub(crate) severity: Option<Level>,
    pub(crate) worse: Option<Worse>,
    pub(crate) no_data: Option<NoData>,
    pub(crate) active: Option<Active>,
    #[serde(default)]
    pub(crate) limits: Limits,
    #[serde(default)]
    pub(crate) links: BTreeMap<String, String>,
    pub(crate) alert: Option<Alert>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) memory: Option<Size>,
    pub(crate) state: Option<Size>,
    pub(crate) output: Option<Size>,
    pub(crate) time: Option<Span>,
    pub(crate) deadline: Option<Span>,
    pub(crate) episodes: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Worse {
    pub(crate) warning: Option<String>,
    pub(crate) critical: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Active {
    #[serde(default)]
    pub(crate) hours: Vec<String>,
    #[serde(default)]
    pub(crate) days: Vec<String>,
    pub(crate) timezone: Option<String>,
    #[serde(default)]
    pub(crate) holidays: Vec<String>,
    pub(crate) outside: Option<Outside>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outside {
    Skip,
    Later,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alert {
    pub(crate) title: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) to: Option<Vec<String>>,
    pub(crate) escalate: Option<Vec<Step>>,
    pub(crate) repeat: Option<Repeat>,
    pub(crate) repeat_max: Option<u32>,
    pub(crate) ack: Option<Ack>,
    #[serde(rename = "for")]
    pub(crate) hold: Option<Span>,
    pub(crate) resolve_after: Option<Span>,
    pub(crate) group: Option<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    pub(crate) by: Vec<String>,
    pub(crate) wait: Option<Span>,
    pub(crate) interval: Option<Span>,
    pub(crate) cron: Option<String>,
    pub(crate) timezone: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) after: Option<Span>,
    pub(crate) to: Vec<String>,
    pub(crate) unless: Option<Unless>,
    pub(crate) severity: Option<Level>,
    pub(crate) when: Option<Active>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Repeat {
    Always(Span),
    Growing(Vec<Span>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ack {
    #[serde(rename = "for")]
    pub(crate) lasts: Option<Span>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unless {
    Acknowledged,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CatchUp {
    All,
    Merge,
    Latest,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NoData {
    Ignore,
    Hold,
    Alert,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Info,
    Warning,
    Critical,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Environment {
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) store: Option<Store>,
    #[serde(default)]
    pub(crate) destinations: BTreeMap<String, Destination>,
    pub(crate) plugins: Option<Plugins>,
    pub(crate) listen: Option<String>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) access: Option<Access>,
    pub(crate) public_url: Option<String>,
    #[serde(default)]
    pub(crate) ack_keys: Vec<Secret>,
    #[serde(default)]
    pub(crate) maintenance: BTreeMap<String, Maintenance>,
    #[serde(default)]
    pub(crate) inhibit: BTreeMap<String, Inhibit>,
    #[serde(default)]
    pub(crate) silences: Silences,
    #[serde(default)]
    pub(crate) oncall: BTreeMap<String, Rotation>,
    pub(crate) host_alerts: Option<HostAlerts>,
    #[serde(default)]
    pub(crate) limits: Limits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Maintenance {
    #[serde(rename = "match")]
    pub(crate) matchers: Vec<String>,
    pub(crate) cron: Option<String>,
    pub(crate) timezone: Option<String>,
    pub(crate) lasts: Option<Span>,
    pub(crate) from: Option<String>,
    pub(crate) until: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inhibit {
    pub(crate) source: Vec<String>,
    pub(crate) target: Vec<String>,
    #[serde(default)]
    pub(crate) equal: Vec<String>,
    pub(crate) wait: Option<Span>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Silences {
    pub(crate) longest: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    pub(crate) people: Vec<Person>,
    pub(crate) every: Option<Span>,
    pub(crate) hand_over: String,
    pub(crate) timezone: Option<String>,
    pub(crate) starts: String,
    #[serde(default)]
    pub(crate) overrides: Vec<StandIn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StandIn {
    pub(crate) from: String,
    pub(crate) until: String,
    pub(crate) person: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Access {
    #[serde(default)]
    pub(crate) tokens: Vec<Token>,
    pub(crate) open: Option<Vec<OpenPath>>,
    #[serde(default)]
    pub(crate) trust_proxy_tls: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) secret: Secret,
    pub(crate) roles: Vec<Role>,
    pub(crate) owner: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    View,
    Ack,
    Deploy,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OpenPath {
    Livez,
    Readyz,
    Metrics,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<String>,
    pub(crate) auth: Option<ClusterAuth>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) client_certificate: Option<ClientCertificate>,
    pub(crate) gzip: Option<bool>,
    pub(crate) concurrency: Option<usize>,
    pub(crate) page_hits: Option<usize>,
    pub(crate) page_bytes: Option<Size>,
    pub(crate) timeout: Option<Span>,
    pub(crate) indices: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) allow: BTreeSet<Grant>,
    pub(crate) kibana: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClusterAuth {
    Basic(Basic),
    ApiKey(Secret),
    Bearer(Secret),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientCertificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) sqlite: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plugins {
    #[serde(default)]
    pub(crate) allow: Vec<String>,
    #[serde(default)]
    pub(crate) keys: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Destination {
    #[serde(rename = "use")]
    pub(crate) module: String,
    pub(crate) sha256: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) params: Option<Value>,
    pub(crate) text: Option<TextForm>,
    pub(crate) signing_secret: Option<Secret>,
    #[serde(default)]
    pub(crate) retry: Retry,
    pub(crate) concurrency: Option<usize>,
    pub(crate) limit: Option<DestinationLimit>,
    #[serde(rename = "else")]
    pub(crate) fallback: Option<String>,
    /// The keys of its kind.
    #[serde(flatten)]
    pub(crate) endpoint: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DestinationLimit {
    pub(crate) per_minute: Option<NonZeroU32>,
    pub(crate) per_hour: Option<NonZeroU32>,
    pub(crate) per_day: Option<NonZeroU32>,
    pub(crate) timezone: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostAlerts {
    pub(crate) to: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpEndpoint {
    pub(crate) url: TextOrSecret,
    pub(crate) auth: Option<Auth>,
    #[serde(default)]
    pub(crate) grants: Grants,
    pub(crate) timeout: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailEndpoint {
    pub(crate) server: String,
    #[serde(default)]
    pub(crate) tls: MailTls,
    pub(crate) auth: Option<MailAuth>,
    pub(crate) from: String,
    pub(crate) to: OneOrMore,
    #[serde(default)]
    pub(crate) cc: OneOrMore,
    #[serde(default)]
    pub(crate) bcc: OneOrMore,
    #[serde(default)]
    pub(crate) reply_to: OneOrMore,
    pub(crate) ca: Option<PathBuf>,
    #[serde(default)]
    pub(crate) grants: MailGrants,
    pub(crate) timeout: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecEndpoint {
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, TextOrSecret>,
    pub(crate) timeout: Option<Span>,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MailTls {
    #[default]
    StartTls,
    Implicit,
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailAuth {
    pub(crate) basic: Basic,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailGrants {
    #[serde(default)]
    pub(crate) private_addresses: bool,
    #[serde(default)]
    pub(crate) plain_text: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Default for OneOrMore {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TextForm {
    Plain,
    Markdown,
    Html,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum TextOrSecret {
    Text(String),
    Secret(Secret),
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Secret {
    Env(String),
    File(PathBuf),
    Exec(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auth {
    Bearer(Secret),
    Basic(Basic),
    Header(NamedSecret),
    Query(NamedSecret),
    Hmac(Hmac),
    Body(BodySecret),
    SigV4(SigV4),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basic {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedSecret {
    pub(crate) name: String,
    pub(crate) value: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hmac {
    pub(crate) header: String,
    #[serde(default)]
    pub(crate) prefix: String,
    pub(crate) secret: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BodySecret {
    pub(crate) pointer: String,
    pub(crate) value: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SigV4 {
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) access_key_id: TextOrSecret,
    pub(crate) secret_access_key: Secret,
    pub(crate) session_token: Option<Secret>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grants {
    #[serde(default)]
    pub(crate) private_addresses: bool,
    pub(crate) methods: Option<BTreeSet<Method>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    pub(crate) first: Option<Span>,
    pub(crate) max: Option<Span>,
    pub(crate) deadline: Option<Span>,
}

/// A duration; the schema has checked its form.
#[derive(Clone, Copy)]
pub(crate) struct Span(pub(crate) Duration);

/// A number of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Size(pub(crate) u64);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        units::duration(&text).map(Self).ok_or_else(|| D::Error::custom("not a duration"))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        units::size(&text).map(Self).ok_or_else(|| D::Error::custom("not a size"))
    }
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Info => Self::Info,
            Level::Warning => Self::Warning,
            Level::Critical => Self::Critical,
        }
    }
}

impl From<TextForm> for TextFormat {
    fn from(form: TextForm) -> Self {
        match form {
            TextForm::Plain => Self::Plain,
            TextForm::Markdown => Self::Markdown,
            TextForm::Html => Self::Html,
        }
    }
}
