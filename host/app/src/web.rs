//! What the host answers over HTTP: is it alive, is it fresh, what does it count, what is it doing.
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::metrics::Metrics;
use crate::view::{Explanation, Health, View};

/// The shell answers within this, or it is not alive: its loop never waits for anything.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A question to the shell. It is answered between two facts, so an answer is a consistent picture.
pub enum Ask {
    View(oneshot::Sender<View>),
    Explain(String, oneshot::Sender<Option<Explanation>>),
}

#[derive(Clone)]
struct Host {
    asks: mpsc::Sender<Ask>,
    metrics: Arc<Metrics>,
}

pub async fn serve(
    listener: TcpListener,
    asks: mpsc::Sender<Ask>,
    metrics: Arc<Metrics>,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .route("/status", get(status))
        .route("/explain/{rule}", get(explain))
        .with_state(Host { asks, metrics });
    axum::serve(listener, router).await
}

/// Progress: fails only when the host itself is stuck, so that restarting it can help.
async fn livez(State(host): State<Host>) -> Response {
    match host.view().await {
        Some(view) => health(&view.alive),
        None => stuck(),
    }
}

/// Freshness: fails when a rule has not been evaluated for too long, whatever the cause.
async fn readyz(State(host): State<Host>) -> Response {
    match host.view().await {
        Some(view) => health(&view.ready),
        None => stuck(),
    }
}

async fn metrics_text(State(host): State<Host>) -> Response {
    match host.view().await {
        Some(view) => (
            [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
            host.metrics.render(&view),
        )
            .into_response(),
        None => stuck(),
    }
}

async fn status(State(host): State<Host>) -> Response {
    match host.view().await {
        Some(view) => axum::Json(view).into_response(),
        None => stuck(),
    }
}

async fn explain(State(host): State<Host>, Path(rule): Path<String>) -> Response {
    match host.ask(|answer| Ask::Explain(rule.clone(), answer)).await {
        Some(Some(explanation)) => axum::Json(explanation).into_response(),
        Some(None) => (StatusCode::NOT_FOUND, format!("no rule `{rule}` is in force\n")).into_response(),
        None => stuck(),
    }
}

fn health(health: &Health) -> Response {
    let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(health)).into_response()
}

fn stuck() -> Response {
    let health = Health {
        ok: false,
        why: vec![format!("the engine did not answer within {} s", ANSWER_MAX.as_secs())],
    };
    (StatusCode::SERVICE_UNAVAILABLE, axum::Json(health)).into_response()
}

impl Host {
    async fn view(&self) -> Option<View> {
        self.ask(Ask::View).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let exchange = async {
            self.asks.send(ask(answer)).await.ok()?;
            answered.await.ok()
        };
        tokio::time::timeout(ANSWER_MAX, exchange).await.ok().flatten()
    }
}
