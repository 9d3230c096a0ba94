//! Who hears of the spike: a chat and a gateway for text messages, which take what the alerter sends.
use std::fmt;

use anyhow::{Context, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;

pub(crate) struct Receiver {
    pub(crate) chat: String,
    pub(crate) sms: String,
}

/// What arrived, as it arrived.
pub(crate) struct Alert {
    pub(crate) at: &'static str,
    body: Value,
}

impl Receiver {
    pub(crate) async fn start(alerts: UnboundedSender<Alert>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
        let url = format!("http://{}", listener.local_addr()?);
        let sms = alerts.clone();
        let router = Router::new()
            .route("/chat", post(move |body| take("chat", alerts, body)))
            .route("/sms", post(move |body| take("sms", sms, body)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { chat: format!("{url}/chat"), sms: format!("{url}/sms") })
    }
}

async fn take(at: &'static str, alerts: UnboundedSender<Alert>, body: String) -> StatusCode {
    match serde_json::from_str(&body) {
        // The story may have ended; the alert arrived all the same.
        Ok(body) => drop(alerts.send(Alert { at, body })),
        Err(_) => return StatusCode::BAD_REQUEST,
    }
    StatusCode::OK
}

impl Alert {
    pub(crate) fn says(&self, what: &str) -> bool {
        self.body.to_string().contains(what)
    }

    /// The first text in it that begins so: an address.
    pub(crate) fn address(&self, start: &str) -> Option<String> {
        fn find(value: &Value, start: &str) -> Option<String> {
            match value {
                Value::String(text) => text.starts_with(start).then(|| text.clone()),
                Value::Array(items) => items.iter().find_map(|item| find(item, start)),
                Value::Object(members) => members.values().find_map(|member| find(member, start)),
                Value::Null | Value::Bool(_) | Value::Number(_) => None,
            }
        }
        find(&self.body, start)
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "POST /{}\n{:#}", self.at, self.body)
    }
}
