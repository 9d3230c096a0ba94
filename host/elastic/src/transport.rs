//! Sends a request to one of the nodes, with retries and failover, and returns the response's bytes. The official client
//! gives paths, methods and bodies; it hands over responses only as a whole, so the HTTP client beneath it sends, and
//! responses are limited while they are read.
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use elasticsearch::{
    cert::Certificate,
    http::{
        Method,
        headers::{
            ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, DEFAULT_ACCEPT, DEFAULT_CONTENT_TYPE,
            HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
        },
    },
};
use reqwest::redirect::Policy;
use tokio::{
    sync::Semaphore,
    task::coop::consume_budget,
    time::{Instant, sleep_until, timeout_at},
};
use url::Url;
use watchbell_secret::Scrubber;

use crate::{
    config::{Auth, ClusterConfig, ConfigError, base64, shown},
    error::ErrorKind,
    refusal,
};

/// A node that failed rests this long, doubled with each failure in a row.
const ASIDE_FIRST: Duration = Duration::from_secs(1);
const ASIDE_MAX: Duration = Duration::from_secs(60);
/// How long a node that did not answer has to accept a connection: tells a slow search from a dead node.
const PROBE_MAX: Duration = Duration::from_secs(2);
/// Bytes of an error response. One about a search of a thousand indices has some hundred KB; of a longer one the start
/// is kept.
const ERROR_BYTES_MAX: usize = 1 << 20;
/// The longest `Retry-After` that is believed; no deadline is later.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3_600);

#[derive(Debug)]
pub(crate) struct Transport {
    config: ClusterConfig,
    /// Without the credentials, whatever the cluster says of them.
    scrubber: Scrubber,
    client: reqwest::Client,
    nodes: Vec<Node>,
    next: AtomicUsize,
    permits: Semaphore,
}

#[derive(Debug)]
struct Node {
    /// Ends with a slash.
    url: Url,
    shown: String,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    aside_until: Option<Instant>,
}

pub(crate) struct Request {
    pub(crate) method: Method,
    /// With its query string, if any.
    pub(crate) path: String,
    pub(crate) body: Option<Bytes>,
    /// Whether it may be sent again although an earlier attempt may have been carried out. The next page of a scroll
    /// may not: the page of a lost response would be skipped.
    pub(crate) repeatable: bool,
    pub(crate) deadline: Instant,
}

impl Request {
    /// A `GET`, which may be repeated.
    pub(crate) fn get(path: impl Into<String>, deadline: Instant) -> Self {
        Self { method: Method::Get, path: path.into(), body: None, repeatable: true, deadline }
    }

    /// A `POST` that changes nothing, and so may be repeated.
    pub(crate) fn ask(path: impl Into<String>, body: impl Into<Bytes>, deadline: Instant) -> Self {
        let body = Some(body.into());
        Self { method: Method::Post, path: path.into(), body, repeatable: true, deadline }
    }
}

struct Failure {
    cause: ErrorKind,
    retry: Retry,
}

#[derive(Clone, Copy, PartialEq)]
enum Retry {
    Never,
    /// Nothing was received by the node.
    Unsent,
    /// The node may have carried it out. Wait for the given pause first.
    Repeat(Option<Duration>),
    /// Worth one attempt at another node.
    Elsewhere,
}

impl Transport {
    pub(crate) fn new(config: ClusterConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let client = client(&config)?;
        let scrubber = Scrubber::new(&config.secrets());
        let nodes = config.nodes.iter().map(Node::new).collect();
        let permits = Semaphore::new(config.concurrency);
        Ok(Self { config, scrubber, client, nodes, next: AtomicUsize::new(0), permits })
    }

    pub(crate) fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// `cause` for a log line.
    pub(crate) fn told(&self, cause: &ErrorKind) -> String {
        cause.clone().shown(&self.scrubber).to_string()
    }

    pub(crate) fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// Sends `request`, retrying what is worth retrying, until its deadline.
    pub(crate) async fn send(&self, request: &Request) -> Result<Bytes, ErrorKind> {
        let mut attempts = 0;
        let mut failovers = self.nodes.len() - 1;
        loop {
            let failure = match self.attempt(request, failovers > 0 && self.live() > 1).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            let pause = match failure.retry {
                Retry::Never => return Err(failure.cause),
                Retry::Unsent | Retry::Elsewhere | Retry::Repeat(None)
                    if failovers > 0 && self.repeats(request, &failure) =>
                {
                    failovers -= 1;
                    let cause = self.told(&failure.cause);
                    tracing::debug!(cluster = self.config.name, cause, "trying another node");
                    continue;
                }
                Retry::Elsewhere => return Err(failure.cause),
                Retry::Unsent => self.pause(attempts, None),
                Retry::Repeat(_) if !request.repeatable => return Err(failure.cause),
                Retry::Repeat(after) => self.pause(attempts, after),
            };
            if attempts >= self.config.retry_max {
                return Err(failure.cause);
            }
            attempts += 1;
            let until = Instant::now() + pause;
            if until >= request.deadline {
                return Err(ErrorKind::Deadline { last: Some(Box::new(failure.cause)) });
            }
            let cause = self.told(&failure.cause);
            tracing::debug!(cluster = self.config.name, cause, ?pause, attempts, "trying again");
            sleep_until(until).await;
        }
    }

    fn repeats(&self, request: &Request, failure: &Failure) -> bool {
        (request.repeatable || failure.retry == Retry::Unsent) && self.nodes.iter().any(Node::is_live)
    }

    /// The pause after this many retries: doubled each time, with jitter, and no shorter than the server's `Retry-After`.
    pub(crate) fn pause(&self, attempts: u32, after: Option<Duration>) -> Duration {
        let doubled = self.config.retry_first.saturating_mul(1 << attempts.min(20));
        let pause = doubled.min(self.config.retry_pause_max).mul_f64(rand::random_range(0.5..=1.0));
        pause.max(after.unwrap_or_default())
    }

    fn live(&self) -> usize {
        self.nodes.iter().filter(|node| node.is_live()).count()
    }

    /// `spare`: another node could answer as well, so leave time for it.
    async fn attempt(&self, request: &Request, spare: bool) -> Result<Bytes, Failure> {
        let Ok(permit) = timeout_at(request.deadline, self.permits.acquire()).await else {
            let cause = ErrorKind::Busy { concurrency: self.config.concurrency };
            return Err(Failure { cause, retry: Retry::Never });
        };
        let node = self.pick();
        let start = Instant::now();
        let mut until = request.deadline.min(start + self.config.request_timeout);
        if spare && request.repeatable {
            until = until.min(start + request.deadline.saturating_duration_since(start) / 2);
        }
        let answer = timeout_at(until, self.exchange(node, request)).await;
        drop(permit);
        match answer {
            Ok(Ok(body)) => {
                node.succeeded();
                Ok(body)
            }
            Ok(Err(failure)) => {
                match failure.cause {
                    ErrorKind::Connect { .. } | ErrorKind::Cut { .. } => node.failed(),
                    ErrorKind::Unavailable { status: 502..=504, .. } => node.failed(),
                    _ => node.succeeded(),
                }
                Err(failure)
            }
            Err(_) => {
                let millis = (Instant::now() - start).as_millis();
                let over = Instant::now() >= request.deadline;
                let cause = match self.probe(node, request.deadline).await {
                    Err(reason) => ErrorKind::Connect { node: node.shown.clone(), reason },
                    Ok(()) if over => ErrorKind::Deadline { last: None },
                    Ok(()) => ErrorKind::Timeout { node: node.shown.clone(), millis },
                };
                node.failed();
                Err(Failure { cause, retry: if over { Retry::Never } else { Retry::Elsewhere } })
            }
        }
    }

    async fn exchange(&self, node: &Node, request: &Request) -> Result<Bytes, Failure> {
        let never = |cause| Failure { cause, retry: Retry::Never };
        let url = node
            .url
            .join(request.path.trim_start_matches('/'))
            .map_err(|error| never(ErrorKind::Question { reason: error.to_string() }))?;
        let mut sending = self.client.request(method(request.method), url);
        if let Some(body) = &request.body {
            sending = sending.body(body.clone());
        }
        let mut response = sending.send().await.map_err(|error| node.broken(&error))?;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let content_type = header(CONTENT_TYPE).unwrap_or_default().to_owned();
        if let Some(to) = header(LOCATION).filter(|_| (300..400).contains(&status)) {
            // Whoever answers there was not named by the environment, and would be believed.
            // Scrubbed here as well: a URL is rewritten when it is read.
            let to = elsewhere(response.url(), &self.scrubber.text(to));
            return Err(never(ErrorKind::Redirect { status, to }));
        }
        let after = header(RETRY_AFTER)
            .and_then(|seconds| seconds.trim().parse().ok())
            .map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
        if !(200..300).contains(&status) {
            let (body, _) =
                read(&mut response, ERROR_BYTES_MAX).await.map_err(|error| node.broken(&error))?;
            let cause = refusal::cause(status, &content_type, &body);
            let retry = match status {
                429 | 502..=504 => Retry::Repeat(after.or((status == 429).then_some(Duration::ZERO))),
                _ => Retry::Never,
            };
            return Err(Failure { cause, retry });
        }
        let max = self.config.page_bytes_max;
        if let Some(bytes) = response.content_length().filter(|&bytes| bytes > max as u64) {
            return Err(never(ErrorKind::PageTooLarge { bytes: Some(bytes), max }));
        }
        let (body, is_whole) = read(&mut response, max).await.map_err(|error| node.broken(&error))?;
        if !is_whole {
            return Err(never(ErrorKind::PageTooLarge { bytes: None, max }));
        }
        if !content_type.is_empty() && !content_type.contains("json") {
            return Err(never(ErrorKind::NotJson { content_type, excerpt: refusal::excerpt(&body) }));
        }
        Ok(body.into())
    }

    /// The next node that is not set aside; if all are, the one that returns first.
    fn pick(&self) -> &Node {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let turn =
            || (0..self.nodes.len()).map(|step| &self.nodes[first.wrapping_add(step) % self.nodes.len()]);
        turn()
            .find(|node| node.is_live())
            .or_else(|| turn().min_by_key(|node| node.health().aside_until))
            .unwrap_or(&self.nodes[0])
    }

    /// Whether the node accepts connections. Cannot be known behind a proxy.
    async fn probe(&self, node: &Node, deadline: Instant) -> Result<(), String> {
        let (None, Some(host), Some(port)) =
            (&self.config.proxy, node.url.host_str(), node.url.port_or_known_default())
        else {
            return Ok(());
        };
        // Even past the deadline: the run has failed, and this only finds out why.
        let until =
            deadline.max(Instant::now()).min(Instant::now() + PROBE_MAX).max(Instant::now() + PROBE_MAX / 4);
        match timeout_at(until, tokio::net::TcpStream::connect((host.trim_matches(['[', ']']), port))).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it does not accept connections".into()),
        }
    }
}

/// The client for all nodes of a cluster. It follows no redirects.
fn client(config: &ClusterConfig) -> Result<reqwest::Client, ConfigError> {
    let cluster = || config.name.clone();
    let invalid = |error: &reqwest::Error| ConfigError::Client { cluster: cluster(), reason: deepest(error) };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(DEFAULT_CONTENT_TYPE));
    headers.insert(ACCEPT, HeaderValue::from_static(DEFAULT_ACCEPT));
    let value = match &config.auth {
        Auth::None => None,
        Auth::Basic { user, password } => Some(format!("Basic {}", base64(&format!("{user}:{password}")))),
        Auth::ApiKey(key) => Some(format!("ApiKey {key}")),
        Auth::Bearer(token) => Some(format!("Bearer {token}")),
    };
    if let Some(value) = value {
        let mut value =
            HeaderValue::from_str(&value).map_err(|_| ConfigError::Credentials { cluster: cluster() })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    if !config.gzip {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    let mut builder = reqwest::Client::builder()
        .redirect(Policy::none())
        .user_agent(concat!("watchbell/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers);
    builder = match &config.proxy {
        Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.clone()).map_err(|error| invalid(&error))?),
        None => builder.no_proxy(),
    };
    if let Some(pem) = &config.ca {
        let ca = Certificate::from_pem(pem)
            .map_err(|error| ConfigError::Ca { cluster: cluster(), reason: deepest(&error) })?;
        builder = ca.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
    }
    if let Some(pem) = &config.client_identity {
        let identity = reqwest::Identity::from_pem(pem)
            .map_err(|error| ConfigError::Identity { cluster: cluster(), reason: deepest(&error) })?;
        builder = builder.identity(identity);
    }
    builder.build().map_err(|error| invalid(&error))
}

fn method(of: Method) -> reqwest::Method {
    match of {
        Method::Get => reqwest::Method::GET,
        Method::Put => reqwest::Method::PUT,
        Method::Post => reqwest::Method::POST,
        Method::Delete => reqwest::Method::DELETE,
        Method::Head => reqwest::Method::HEAD,
    }
}

/// Reads a decompressed body up to `max` bytes; whether that is all of it.
async fn read(response: &mut reqwest::Response, max: usize) -> reqwest::Result<(Vec<u8>, bool)> {
    let announced = response.content_length().and_then(|bytes| usize::try_from(bytes).ok());
    let mut body = Vec::with_capacity(announced.unwrap_or_default().min(max));
    while let Some(chunk) = response.chunk().await? {
        let room = max - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            return Ok((body, false));
        }
        body.extend_from_slice(&chunk);
        // What unpacks to much may be ready at once, again and again.
        consume_budget().await;
    }
    Ok((body, true))
}

/// Where a redirect leads: no more than an operator needs to find it, as a query may hold anything.
fn elsewhere(from: &Url, to: &str) -> String {
    match from.join(to) {
        Ok(mut to) => {
            to.set_query(None);
            to.set_fragment(None);
            shown(&to)
        }
        Err(_) => refusal::excerpt(to.as_bytes()),
    }
}

impl Node {
    fn new(url: &Url) -> Self {
        let mut base = url.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Self { url: base, shown: shown(url), health: Mutex::default() }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        lock(&self.health)
    }

    fn is_live(&self) -> bool {
        self.health().aside_until.is_none_or(|until| until <= Instant::now())
    }

    fn succeeded(&self) {
        *self.health() = Health::default();
    }

    fn failed(&self) {
        let mut health = self.health();
        let rest = ASIDE_FIRST.saturating_mul(1 << health.failures.min(10)).min(ASIDE_MAX);
        health.failures = health.failures.saturating_add(1);
        health.aside_until = Some(Instant::now() + rest);
    }

    fn broken(&self, error: &reqwest::Error) -> Failure {
        let (node, reason) = (self.shown.clone(), deepest(error));
        match error {
            error if error.is_connect() => {
                Failure { cause: ErrorKind::Connect { node, reason }, retry: Retry::Unsent }
            }
            error if error.is_builder() => {
                Failure { cause: ErrorKind::Question { reason }, retry: Retry::Never }
            }
            _ => Failure { cause: ErrorKind::Cut { node, reason }, retry: Retry::Repeat(None) },
        }
    }
}

/// The innermost message of an error: the outer layers only say "error sending request".
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Ignores poisoning: what these locks guard stays consistent when a holder panics.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
