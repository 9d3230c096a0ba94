use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    task::JoinHandle,
};
use url::Url;

/// A server on a port of its own; it ends with the test.
pub(crate) struct Fake {
    pub(crate) url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// Null where there was none.
    pub(crate) body: Value,
    /// The body as it was written.
    pub(crate) text: String,
}

pub(crate) enum Reply {
    Json(u16, Value),
    Full(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Bytes as they are, and the connection's end.
    Cut(Vec<u8>),
    /// Nothing, for as long as the client waits.
    Silence,
}

pub(crate) type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

impl Fake {
    pub(crate) async fn start(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::behind(None, Arc::new(handler)).await
    }

    pub(crate) async fn behind(tls: Option<tokio_rustls::TlsAcceptor>, handler: Arc<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https://localhost" } else { "http://127.0.0.1" };
        let url = format!("{scheme}:{}/", listener.local_addr().unwrap().port()).parse().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let notes = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            // Dropped with this task, and all connections with it.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, notes, tls) = (Arc::clone(&handler), Arc::clone(&notes), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => _ = serve(stream, &*handler, &notes).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                _ = serve(stream, &*handler, &notes).await;
                            }
                        }
                    }
                });
            }
        });
        Self { url, seen, task }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// `POST /_search`, without what was asked in the query string.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |seen: Seen| format!("{} {}", seen.method, seen.path.split('?').next().unwrap());
        self.seen().into_iter().map(line).collect()
    }

    /// Frees the port, as a node that died.
    pub(crate) async fn die(&mut self) {
        self.task.abort();
        _ = (&mut self.task).await;
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    handler: &Handler,
    notes: &Mutex<Vec<Seen>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = HashMap::new();
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let seen = Seen { method, path, headers, body, text };
        notes.lock().unwrap().push(seen.clone());
        let (status, headers, body) = match handler(&seen) {
            Reply::Json(status, body) => {
                (status, vec![("content-type", "application/json".into())], body.to_string().into_bytes())
            }
            Reply::Full(status, headers, body) => (status, headers, body),
            Reply::Cut(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Reply::Silence => return std::future::pending().await,
        };
        let mut head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        // In one piece: two would wait for each other's acknowledgement.
        let answer = [head.as_bytes(), b"\r\n", &body].concat();
        stream.write_all(&answer).await?;
        stream.flush().await?;
    }
}
