//! Sends a request to one of the nodes, with retries and failover, and returns the response's bytes.
use std::{
    error::Error as _,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use elasticsearch::{
    Elasticsearch,
    auth::{ClientCertificate, Credentials},
    cert::{Certificate, CertificateValidation},
    http::{
        Method,
        headers::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
        transport::{SingleNodeConnectionPool, TransportBuilder},
    },
};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until, timeout_at},
};
use url::Url;

use crate::{
    config::{Auth, ClusterConfig, ConfigError, shown},
    error::ErrorKind,
    refusal,
};

/// A node that failed rests this long, doubled with each failure in a row.
const ASIDE_FIRST: Duration = Duration::from_secs(1);
const ASIDE_MAX: Duration = Duration::from_secs(60);
/// How long a node that did not answer has to accept a connection: tells a slow search from a dead node.
const PROBE_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Transport {
    config: ClusterConfig,
    nodes: Vec<Node>,
    next: AtomicUsize,
    permits: Semaphore,
}

#[derive(Debug)]
struct Node {
    url: Url,
    shown: String,
    client: Elasticsearch,
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
        let nodes = config.nodes.iter().map(|url| Node::new(&config, url)).collect::<Result<_, _>>()?;
        let permits = Semaphore::new(config.concurrency);
        Ok(Self { config, nodes, next: AtomicUsize::new(0), permits })
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
                    tracing::debug!(cluster = self.config.name, cause = %failure.cause, "trying another node");
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
            tracing::debug!(cluster = self.config.name, cause = %failure.cause, ?pause, attempts, "trying again");
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
        let response = node
            .client
            .transport()
            .send(request.method, &request.path, HeaderMap::new(), None::<&()>, request.body.clone(), None)
            .await
            .map_err(|error| node.broken(&error))?;
        let status = response.status_code().as_u16();
        let header = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let content_type = header(CONTENT_TYPE).unwrap_or_default().to_owned();
        let after = header(elasticsearch::http::headers::HeaderName::from_static("retry-after"))
            .and_then(|seconds| seconds.trim().parse().ok())
            .map(Duration::from_secs);
        let max = self.config.page_bytes_max;
        let never = |cause| Failure { cause, retry: Retry::Never };
        if let Some(bytes) = response.content_length().filter(|&bytes| bytes > max as u64) {
            return Err(never(ErrorKind::PageTooLarge { bytes, max }));
        }
        // The official client returns a body only as a whole. Without a `Content-Length` (a proxy's chunks, or gzip) only
        // `page_hits`, `page_buckets` and the request's timeout bound it until it has been read.
        let body = response.bytes().await.map_err(|error| node.broken(&error))?;
        if body.len() > max {
            return Err(never(ErrorKind::PageTooLarge { bytes: body.len() as u64, max }));
        }
        if !(200..300).contains(&status) {
            let cause = refusal::cause(status, &content_type, &body);
            let retry = match status {
                429 | 502..=504 => Retry::Repeat(after.or((status == 429).then_some(Duration::ZERO))),
                _ => Retry::Never,
            };
            return Err(Failure { cause, retry });
        }
        if !content_type.is_empty() && !content_type.contains("json") {
            return Err(never(ErrorKind::NotJson { content_type, excerpt: refusal::excerpt(&body) }));
        }
        Ok(body)
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

impl Node {
    fn new(config: &ClusterConfig, url: &Url) -> Result<Self, ConfigError> {
        let cluster = || config.name.clone();
        let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(url.clone()));
        builder = match &config.proxy {
            Some(proxy) => builder.proxy(proxy.clone(), None, None),
            None => builder.disable_proxy(),
        };
        // A header instead of the client's own credentials: it takes only one kind, and a certificate may be used
        // together with a key.
        let value = match &config.auth {
            Auth::None => None,
            Auth::Basic { user, password } => {
                Some(format!("Basic {}", base64(&format!("{user}:{password}"))))
            }
            Auth::ApiKey(key) => Some(format!("ApiKey {key}")),
            Auth::Bearer(token) => Some(format!("Bearer {token}")),
        };
        if let Some(value) = value {
            let mut value =
                HeaderValue::from_str(&value).map_err(|_| ConfigError::Credentials { cluster: cluster() })?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        if !config.gzip {
            builder = builder.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if let Some(pem) = &config.ca {
            let ca = Certificate::from_pem(pem)
                .map_err(|error| ConfigError::Ca { cluster: cluster(), reason: deepest(&error) })?;
            builder = builder.cert_validation(CertificateValidation::Full(ca));
        }
        if let Some(pem) = &config.client_identity {
            reqwest::Identity::from_pem(pem)
                .map_err(|error| ConfigError::Identity { cluster: cluster(), reason: deepest(&error) })?;
            builder = builder.auth(Credentials::Certificate(ClientCertificate::Pem(pem.clone())));
        }
        let transport = builder
            .build()
            .map_err(|error| ConfigError::Client { cluster: cluster(), reason: error.to_string() })?;
        Ok(Self {
            url: url.clone(),
            shown: shown(url),
            client: Elasticsearch::new(transport),
            health: Mutex::default(),
        })
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

    fn broken(&self, error: &elasticsearch::Error) -> Failure {
        let http = error.source().and_then(|source| source.downcast_ref::<reqwest::Error>());
        let (node, reason) = (self.shown.clone(), deepest(error));
        match http {
            Some(http) if http.is_connect() => {
                Failure { cause: ErrorKind::Connect { node, reason }, retry: Retry::Unsent }
            }
            Some(http) if http.is_builder() => {
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

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
