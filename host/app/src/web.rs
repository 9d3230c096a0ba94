//! What the host answers over HTTP: is it alive, is it fresh, what does it count, what is it doing.
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use watchbell_pipeline::health::{Cause, CauseKind};

use crate::metrics::Metrics;
use crate::observer::{Published, Pulse, Snapshot};
use crate::view::{Explanation, Health};

/// The shell answers within this, or it is stuck: its loop never waits for anything.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A question to the shell. It is answered between two events, so an answer is a consistent picture.
pub(crate) enum Query {
    Explain(String, oneshot::Sender<Option<Explanation>>),
}

/// What the answers are made of.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) queries: mpsc::Sender<Query>,
    pub(crate) published: Published,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) metrics: Arc<Metrics>,
}

pub(crate) async fn serve(listener: TcpListener, sources: Sources) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .route("/status", get(status))
        .route("/explain/{rule}", get(explain))
        .with_state(sources);
    axum::serve(listener, router).await
}

/// Progress: fails only when the host itself is stuck, so that restarting it can help.
async fn livez(State(sources): State<Sources>) -> Response {
    match sources.snapshot().await {
        Ok(snapshot) => health(&snapshot.alive),
        Err(stuck) => stuck,
    }
}

/// Freshness: fails when a rule has not been evaluated for too long, whatever the cause.
async fn readyz(State(sources): State<Sources>) -> Response {
    match sources.snapshot().await {
        Ok(snapshot) => health(&snapshot.ready),
        Err(stuck) => stuck,
    }
}

async fn metrics_text(State(sources): State<Sources>) -> Response {
    let metrics = Arc::clone(&sources.metrics);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    rendered(&sources, kind, move |snapshot| snapshot.metrics(&metrics)).await
}

async fn status(State(sources): State<Sources>) -> Response {
    rendered(&sources, "application/json", Snapshot::status).await
}

/// Megabytes, for thousands of rules: rendered where nothing else waits.
async fn rendered(
    sources: &Sources,
    kind: &'static str,
    render: impl FnOnce(&Snapshot) -> Bytes + Send + 'static,
) -> Response {
    let snapshot = match sources.snapshot().await {
        Ok(snapshot) => snapshot,
        Err(stuck) => return stuck,
    };
    match tokio::task::spawn_blocking(move || render(&snapshot)).await {
        Ok(body) => ([(header::CONTENT_TYPE, kind)], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn explain(State(sources): State<Sources>, Path(rule): Path<String>) -> Response {
    match sources.explain(rule.clone()).await {
        Some(Some(explanation)) => axum::Json(explanation).into_response(),
        Some(None) => (StatusCode::NOT_FOUND, format!("no rule `{rule}` is in force\n")).into_response(),
        None => stuck(ANSWER_MAX.into()),
    }
}

fn health(health: &Health) -> Response {
    let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(health)).into_response()
}

fn stuck(since: watchbell_contract::Duration) -> Response {
    let message = format!("the engine has not answered for {since}");
    health(&Health::of(&[Cause::new(CauseKind::LoopStalled, message)]))
}

impl Sources {
    /// The last one published, unless the loop that publishes them is stuck.
    async fn snapshot(&self) -> Result<Arc<Snapshot>, Response> {
        if let Some(since) = self.pulse.stuck() {
            return Err(stuck(since));
        }
        let mut published = self.published.clone();
        let first = tokio::time::timeout(ANSWER_MAX, published.wait_for(Option::is_some)).await;
        let snapshot = first.ok().and_then(Result::ok).and_then(|snapshot| snapshot.clone());
        snapshot.ok_or_else(|| stuck(ANSWER_MAX.into()))
    }

    async fn explain(&self, rule: String) -> Option<Option<Explanation>> {
        let (answer, answered) = oneshot::channel();
        let exchange = async {
            self.queries.send(Query::Explain(rule, answer)).await.ok()?;
            answered.await.ok()
        };
        tokio::time::timeout(ANSWER_MAX, exchange).await.ok().flatten()
    }
}
