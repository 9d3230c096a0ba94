//! The host's HTTP endpoints: whether it is alive and fresh, its metrics, what it is doing, and commands to it.
mod door; // connections, within bounds
mod socket; // the same on the Unix socket
mod answers; // what is said instead of an answer
mod failures; // wrong tokens, counted
mod access; // who asks, and what they may
pub(crate) mod api; // what is open, and commands
mod acknowledge; // acknowledging from a message

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;
use watchbell_manifest::OpenPath;
use watchbell_pipeline::health::{CauseKind, HealthCause};
use watchbell_pipeline::spec::RuleName;
use watchbell_store::{Read, StoreError};
use watchbell_view::{CauseView, Explanation, Health, Snapshot, Source};

use crate::clock::Clock;
use crate::commands::Commands;
use crate::metrics::Metrics;
use crate::observer::{Newest, Published, Pulse};
use crate::stored::{self, About};

use access::{Identity, Need, guard};

pub(crate) use access::Access;
pub(crate) use acknowledge::Outside;
pub(crate) use answers::Problem;
pub(crate) use door::Door;
pub(crate) use failures::Failures;
pub(crate) use socket::Socket;
pub use socket::SocketFault;

/// A host that does not answer within this time is stuck: either the loop, or the disk under the store.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The sources of the answers.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) newest: Newest,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) metrics: Arc<Metrics>,
    /// The host's own store. One query at a time, so that a hanging disk blocks only one thread.
    pub(crate) store: Arc<Mutex<Box<dyn Read>>>,
    pub(crate) commands: Commands,
    pub(crate) access: watch::Receiver<Arc<Access>>,
    pub(crate) failures: Arc<Failures>,
    /// Whether the address listened on is reached from this machine alone.
    pub(crate) is_loopback: bool,
    pub(crate) clock: Clock,
}

/// Serves until the task is aborted.
pub(crate) async fn serve(door: Option<Door>, socket: Option<Socket>, sources: Sources, outside: Outside) {
    let needs = |need: Need| from_fn_with_state((sources.clone(), need), guard);
    let views = Router::new()
        .route("/status", get(status))
        .route("/explain/{rule}", get(explain))
        .layer(needs(Need::View));
    let router = Router::new()
        .route("/livez", get(livez).layer(needs(Need::Open(OpenPath::Livez))))
        .route("/readyz", get(readyz).layer(needs(Need::Open(OpenPath::Readyz))))
        .route("/metrics", get(metrics_text).layer(needs(Need::Open(OpenPath::Metrics))))
        .merge(views)
        .nest("/api/v1", api::routes(&sources))
        .with_state(sources)
        .merge(acknowledge::router(outside))
        .layer(map_response(guarded));
    let network = async {
        if let Some(door) = door {
            match door::serve(door, router.clone()).await {}
        }
    };
    let local = async {
        if let Some(socket) = socket {
            match socket.serve(router.clone()).await {}
        }
    };
    tokio::join!(network, local);
}

/// What every answer tells a browser: to run, embed, guess and keep nothing. There is no CORS header, so pages of other
/// origins cannot read an answer.
const GUARDS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         frame-ancestors 'none'; form-action 'self'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

async fn guarded(mut answer: Response) -> Response {
    let guards = GUARDS.map(|(name, value)| (name, HeaderValue::from_static(value)));
    answer.headers_mut().extend(guards);
    answer
}

/// Progress: fails only if the host itself is stuck, so that a restart can help.
async fn livez(State(sources): State<Sources>) -> Response {
    match sources.newest().await {
        Ok(published) => health(published.snapshot.alive()),
        Err(stuck) => stuck,
    }
}

/// Freshness: fails when a rule has not been evaluated for too long, whatever the cause.
async fn readyz(State(sources): State<Sources>) -> Response {
    match sources.newest().await {
        Ok(published) => health(published.snapshot.ready()),
        Err(stuck) => stuck,
    }
}

async fn metrics_text(State(sources): State<Sources>) -> Response {
    let metrics = Arc::clone(&sources.metrics);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    rendered(&sources, kind, move |published| published.metrics(&metrics)).await
}

async fn status(State(sources): State<Sources>, Extension(identity): Extension<Identity>) -> Response {
    let json = "application/json";
    if identity.owner.is_none() {
        return rendered(&sources, json, Published::status).await;
    }
    let access = sources.access.borrow().clone();
    let own = move |published: &Published| {
        let mut status = published.snapshot.status();
        let is_own = |rule: &str| identity.may_see(access.owner(&RuleName(rule.to_owned())));
        status.rules.retain(|rule| is_own(&rule.name));
        // What is wrong with other rules, and with several at once, is told in words that name them.
        let is_own_cause = |cause: &CauseView| cause.rule.as_deref().is_some_and(is_own);
        for health in [&mut status.alive, &mut status.ready] {
            health.causes.retain(is_own_cause);
            health.warnings.retain(is_own_cause);
        }
        // A view of strings and numbers can always be serialized.
        serde_json::to_vec(&status).unwrap_or_default().into()
    };
    rendered(&sources, json, own).await
}

/// Megabytes for thousands of rules, so render them on a thread where nothing else waits.
async fn rendered(
    sources: &Sources,
    kind: &'static str,
    render: impl FnOnce(&Published) -> Bytes + Send + 'static,
) -> Response {
    let published = match sources.newest().await {
        Ok(published) => published,
        Err(stuck) => return stuck,
    };
    match tokio::task::spawn_blocking(move || render(&published)).await {
        Ok(body) => ([(header::CONTENT_TYPE, kind)], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A rule from the snapshot, with its history from the store; for a removed rule, from the store alone.
async fn explain(
    State(sources): State<Sources>,
    Extension(identity): Extension<Identity>,
    Path(rule): Path<String>,
) -> Response {
    let published = match sources.newest().await {
        Ok(published) => published,
        Err(stuck) => return stuck,
    };
    let name = RuleName(rule.clone());
    if !identity.may_see(sources.access.borrow().owner(&name)) {
        let why = format!("`{}` may not see the rule `{rule}`\n", identity.shown(None));
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let answer = async {
        let store = sources.store.lock_owned().await;
        let read = move || explanation(&published.snapshot, &**store, &name);
        tokio::task::spawn_blocking(read).await
    };
    match timeout(ANSWER_MAX, answer).await {
        Ok(Ok(Ok(Some(explanation)))) => axum::Json(explanation).into_response(),
        Ok(Ok(Ok(None))) => (StatusCode::NOT_FOUND, format!("unknown rule `{rule}`\n")).into_response(),
        Ok(Ok(Err(error))) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", crate::chain(&error))).into_response()
        }
        Ok(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Err(_) => {
            let span = watchbell_contract::Duration::from(ANSWER_MAX);
            let message = format!("the store has not answered for {span}\n");
            (StatusCode::SERVICE_UNAVAILABLE, message).into_response()
        }
    }
}

fn explanation(
    snapshot: &Snapshot,
    store: &dyn Read,
    rule: &RuleName,
) -> Result<Option<Explanation>, StoreError> {
    let history = stored::history(store, rule)?;
    if let Some(explanation) = snapshot.explain(rule, &history) {
        return Ok(Some(explanation));
    }
    let host = snapshot.host();
    let environment = host.environment.clone();
    let about = About { environment, rule, enabled: None, source: Source::Ended, now: host.at };
    stored::explanation(store, about, &history)
}

fn health(health: &Health) -> Response {
    let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(health)).into_response()
}

fn stuck(since: watchbell_contract::Duration) -> Response {
    let message = format!("the engine has not answered for {since}");
    health(&Health::of(&[HealthCause::new(CauseKind::LoopStalled, message)]))
}

impl Sources {
    /// The newest snapshot, unless the loop that publishes them is stuck.
    async fn newest(&self) -> Result<Arc<Published>, Response> {
        if let Some(since) = self.pulse.stuck() {
            return Err(stuck(since));
        }
        let mut newest = self.newest.clone();
        let first = timeout(ANSWER_MAX, newest.wait_for(Option::is_some)).await;
        let published = first.ok().and_then(Result::ok).and_then(|published| published.clone());
        published.ok_or_else(|| stuck(ANSWER_MAX.into()))
    }
}
