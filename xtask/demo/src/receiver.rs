//! Who hears of the spike: an HTTP server that takes what the alerter sends.
use std::fmt;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;

pub(crate) struct Receiver {
    pub(crate) url: String,
}

/// What arrived, as it arrived.
pub(crate) struct Alert(Value);

impl Receiver {
    pub(crate) async fn start(alerts: UnboundedSender<Alert>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
        let url = format!("http://{}/chat", listener.local_addr()?);
        let router = Router::new().route("/chat", post(take)).with_state(alerts);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url })
    }
}

async fn take(State(alerts): State<UnboundedSender<Alert>>, body: String) -> StatusCode {
    match serde_json::from_str(&body) {
        // The story may have ended; the alert arrived all the same.
        Ok(alert) => drop(alerts.send(Alert(alert))),
        Err(_) => return StatusCode::BAD_REQUEST,
    }
    StatusCode::OK
}

impl Alert {
    pub(crate) fn is_about(&self, what: &str) -> bool {
        self.0.to_string().contains(what)
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "POST /chat\n{:#}", self.0)
    }
}
