use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use futures::stream;

/// A receiver of alerts on loopback that records requests.
pub(crate) struct Receiver {
    pub(crate) address: std::net::SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

/// The minimum time that four requests to `/slow` compute, on a thread that may block; no processor takes less for so
/// many steps.
pub(crate) const SLOW: Duration = Duration::from_millis(40);
const SLOW_STEPS: u64 = 100_000_000;

impl Receiver {
    pub(crate) async fn start() -> Self {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, seen }
    }

    /// `METHOD path` of each request.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn answer(State(seen): State<Arc<Mutex<Vec<String>>>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    seen.lock().unwrap().push(format!("{} {path}", request.method()));
    let response = Response::builder();
    match path.as_str() {
        "/moved" => {
            response.status(302).header("location", "http://other.example/inside").body(Body::empty())
        }
        "/endless" => {
            let chunks = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 8192])));
            response.body(Body::from_stream(chunks))
        }
        "/slow" => {
            tokio::task::spawn_blocking(|| (0..SLOW_STEPS).fold(0, |_, n| std::hint::black_box(n)))
                .await
                .unwrap();
            response.body(Body::from("late"))
        }
        "/drip" => {
            let ticks = tokio::time::interval(Duration::from_millis(5));
            let drops = stream::unfold(ticks, async |mut ticks| {
                ticks.tick().await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ticks))
            });
            response.body(Body::from_stream(drops))
        }
        _ => response.body(Body::from("thanks")),
    }
    .unwrap()
}
