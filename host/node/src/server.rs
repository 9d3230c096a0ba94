//! Starts, listens, stops.
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use crate::config::{Config, InjectedFault};
use crate::errors::Refusal;
use crate::http;
use crate::shared::Shared;

/// A running node. Dropping it stops listening; `stop` also waits for pending responses.
pub struct Node {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    shared: Arc<Shared>,
}

impl Node {
    /// Listens on `addr` (port 0: any free one) and responds until stopped.
    pub async fn start(addr: SocketAddr, config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let Config { clock, limits, retention } = config;
        let shared = Arc::new(Shared {
            body_bytes_max: limits.body_bytes_max,
            cluster: Mutex::new(Cluster::new(limits.clone(), retention.clone())),
            limits,
            retention,
            fault: Mutex::default(),
            clock,
        });
        let answering = Arc::clone(&shared);
        let router =
            Router::new().fallback(move |request: Request<Body>| answer(Arc::clone(&answering), request));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let serve = axum::serve(listener, router).with_graceful_shutdown(async {
                // A dropped sender means a dropped node.
                let _ = stopped.await;
            });
            if let Err(error) = serve.await {
                tracing::error!(%error, "embedded node stopped listening");
            }
        });
        Ok(Self { addr, stop: Some(stop), task, shared })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Injects a fault from now on; `None` ends it.
    pub fn inject_fault(&self, fault: Option<InjectedFault>) {
        *self.shared.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = fault;
    }

    /// Removes every index, template and view.
    pub fn clear(&self) {
        *self.shared.lock() = Cluster::new(self.shared.limits.clone(), self.shared.retention.clone());
    }

    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // Idle connections of a client's pool would block a graceful shutdown forever.
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut self.task).await;
        self.task.abort();
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let reply = match to_bytes(body, shared.body_bytes_max).await {
        Ok(body) => {
            // A search over many documents takes time, so it leaves the listening thread.
            let handled = tokio::task::spawn_blocking(move || {
                let request =
                    http::Request::new(head.method.as_str(), head.uri.path(), head.uri.query(), &body);
                http::handle(&shared, request)
            });
            handled.await.unwrap_or_else(|_| {
                http::Reply::refusal(&Refusal::new(
                    500,
                    "exception",
                    "the embedded node failed on this request",
                ))
            })
        }
        Err(_) => http::Reply::refusal(&Refusal::new(
            413,
            "content_too_large",
            "the body is larger than the limit or was cut",
        )),
    };
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    headers.insert("x-elastic-product", HeaderValue::from_static("Elasticsearch"));
    response
}
