//! A cluster that means harm, or a proxy before one: it knows its fields, and answers searches as no server should.
use std::collections::HashMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a host that reads everything would have to hold, far above what the tests allow. Beyond it the server stops.
const ENDLESS_BYTES: usize = 2 << 30;
const MIB: usize = 1 << 20;

/// How searches are answered.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    /// A few KB that unpack to gigabytes.
    GzipBomb,
    /// Hits without end.
    EndlessJson,
    EndlessSpace,
    EndlessError,
    /// Field capabilities without end.
    EndlessFields,
    EndlessHeaders,
    /// A byte now and then.
    Trickle,
    /// Fewer bytes than were announced.
    ShortBody,
    /// 900 KB that become a tree of 20 MB.
    HugeTree,
    /// The same page of a point in time, again and again.
    SamePage,
    /// The same page of a scroll.
    SameScroll,
    /// The same page of buckets.
    SameBuckets,
    /// A redirect, by its status, to another server.
    Redirect(u16, String),
    /// Shards are missing, and none failed.
    MissingShards,
    /// An error that quotes the request's credentials.
    Echo,
}

pub(crate) struct HostileCluster {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
    _connections: JoinSet<()>,
}

struct Request {
    method: String,
    path: String,
    /// Names in lower case.
    headers: HashMap<String, String>,
    body: Value,
}

/// Where the repeated page lies: a scroll's later requests do not say.
type At = AtomicI64;

impl HostileCluster {
    pub(crate) async fn start(mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let notes = Arc::clone(&asked);
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let at = Arc::new(At::default());
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (mode, notes, at) = (mode.clone(), Arc::clone(&notes), Arc::clone(&at));
                open.spawn(async move {
                    // It ends when the host has had enough.
                    let _ = serve(stream, &mode, &notes, &at).await;
                });
            }
        });
        Self { url, asked, _connections: connections }
    }

    /// `POST /_search`, without query strings.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

async fn serve(stream: TcpStream, mode: &Mode, notes: &Mutex<Vec<String>>, at: &At) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        let path = request.path.split('?').next().unwrap_or_default().to_owned();
        notes.lock().expect("no panic").push(format!("{} {path}", request.method));
        let of_fields = path.ends_with("/_field_caps");
        match (&path[..], mode) {
            ("/_cat/health", _) => {
                let now = watchbell::clock::wall().0 / 1_000;
                whole(&mut stream, 200, &[], &json!([{ "epoch": now.to_string() }])).await?;
            }
            ("/", _) => {
                let about = json!({ "cluster_name": "c", "version": { "number": "9.0.0" } });
                whole(&mut stream, 200, &[], &about).await?;
            }
            (_, Mode::EndlessFields) if of_fields => {
                endless(&mut stream, 200, r#"{"fields":{"x":["#, &"\"index\",".repeat(MIB / 8)).await?;
            }
            _ if of_fields => whole(&mut stream, 200, &[], &fields()).await?,
            _ => search(&mut stream, mode, &request, at).await?,
        }
    }
    Ok(())
}

async fn search(
    stream: &mut BufReader<TcpStream>,
    mode: &Mode,
    request: &Request,
    at: &At,
) -> std::io::Result<()> {
    let is_opening = request.method == "POST" && request.path.contains("/_pit?");
    match mode {
        Mode::GzipBomb => bomb(stream).await,
        Mode::EndlessJson => {
            let hit = json!({ "_index": "logs", "_id": "x".repeat(60_000), "sort": [1] });
            endless(stream, 200, r#"{"hits":{"hits":["#, &format!("{hit},").repeat(16)).await
        }
        Mode::EndlessSpace => endless(stream, 200, "", &" ".repeat(MIB)).await,
        Mode::EndlessError => endless(stream, 503, "", &"no ".repeat(MIB / 3)).await,
        Mode::EndlessHeaders => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            for number in 0..ENDLESS_BYTES / 60_000 {
                let header = format!("x-{number}: {}\r\n", "x".repeat(60_000));
                stream.write_all(header.as_bytes()).await?;
            }
            Ok(())
        }
        Mode::Trickle => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            let mut ticks = tokio::time::interval(std::time::Duration::from_millis(100));
            loop {
                ticks.tick().await;
                stream.write_all(b" ").await?;
                stream.flush().await?;
            }
        }
        Mode::ShortBody => {
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{\"took\":1";
            stream.write_all(head.as_bytes()).await?;
            stream.shutdown().await
        }
        Mode::HugeTree => {
            let mut answer = found(vec![], json!({}));
            answer["hits"]["total"] = json!({ "value": 1, "relation": "eq" });
            answer["x"] = vec![json!([]); 300_000].into();
            whole(stream, 200, &[], &answer).await
        }
        Mode::Redirect(status, to) => {
            let location = format!("location: {to}{}", request.path);
            whole(stream, *status, &[&location], &json!({})).await
        }
        Mode::MissingShards => {
            let shards = json!({ "total": 5, "successful": 3, "skipped": 0, "failed": 0 });
            whole(stream, 200, &[], &found(vec![], json!({ "_shards": shards }))).await
        }
        Mode::Echo => {
            let credentials = request.headers.get("authorization").map_or("", String::as_str);
            let kind = json!({ "type": "security_exception",
                "reason": format!("bad credentials [{credentials}] of {}", decoded(credentials)) });
            whole(stream, 401, &[], &json!({ "error": kind, "status": 401 })).await
        }
        Mode::SamePage if is_opening || request.method == "DELETE" => {
            whole(stream, 200, &[], &json!({ "id": "pit" })).await
        }
        Mode::SameScroll if request.path.contains("/_pit") || request.path.contains("/point_in_time") => {
            whole(stream, 400, &[], &json!({ "error": "no handler found for uri" })).await
        }
        Mode::SamePage | Mode::SameScroll => {
            // Within the window, in its last millisecond.
            let range = &request.body["query"]["bool"]["filter"][0]["range"]["@timestamp"];
            if let Some(end) = range["lt"].as_i64() {
                at.store(end - 1, Ordering::SeqCst);
            }
            let (time, size) = (at.load(Ordering::SeqCst), request.body["size"].as_i64().unwrap_or(10));
            let hit = |n: i64| json!({ "_index": "logs", "_id": n.to_string(), "fields": { "host.name": ["a"] }, "sort": [time, n] });
            let ids = json!({ "pit_id": "pit", "_scroll_id": "scroll" });
            whole(stream, 200, &[], &found((0..size).map(hit).collect(), ids)).await
        }
        Mode::SameBuckets => {
            let composite = &request.body["aggs"]["page"]["composite"];
            let start = request.body["query"]["bool"]["filter"][0]["range"]["@timestamp"]["gte"].as_i64();
            let mut key = json!({});
            for (name, _) in
                composite["sources"].as_array().into_iter().flatten().filter_map(Value::as_object).flatten()
            {
                key[name] = if name == "t" { json!(start) } else { json!("a") };
            }
            let bucket = json!({ "key": key, "doc_count": 1 });
            let buckets = vec![bucket; composite["size"].as_u64().unwrap_or(1) as usize];
            let page = json!({ "page": { "after_key": key, "buckets": buckets } });
            whole(stream, 200, &[], &found(vec![], json!({ "aggregations": page }))).await
        }
        // Its searches are honest, and never come to pass.
        Mode::EndlessFields => whole(stream, 200, &[], &found(vec![], json!({}))).await,
    }
}

/// `id:key`, as a server reads it from an API key.
fn decoded(credentials: &str) -> String {
    use base64::Engine as _;
    let encoded = credentials.strip_prefix("ApiKey ").unwrap_or_default();
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn fields() -> Value {
    let field = |kind: &str| json!({ kind: { "type": kind, "aggregatable": kind != "object" } });
    json!({ "indices": ["logs"], "fields": {
        "@timestamp": field("date"), "host": field("object"), "host.name": field("keyword"), "Status": field("long"),
    } })
}

/// A complete answer to a search, with `more` laid over it.
fn found(hits: Vec<Value>, more: Value) -> Value {
    let mut answer = json!({
        "took": 1,
        "timed_out": false,
        "_shards": { "total": 1, "successful": 1, "skipped": 0, "failed": 0 },
        "hits": { "hits": hits },
    });
    if let (Value::Object(answer), Value::Object(more)) = (&mut answer, more) {
        answer.extend(more);
    }
    answer
}

/// `None` where the host has closed the connection.
async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
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
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Some(Request { method, path, headers, body }))
}

async fn whole(
    stream: &mut BufReader<TcpStream>,
    status: u16,
    headers: &[&str],
    body: &Value,
) -> std::io::Result<()> {
    let body = body.to_string();
    let mut answer = format!("HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n");
    headers.iter().for_each(|header| answer.extend([*header, "\r\n"]));
    answer.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(answer.as_bytes()).await?;
    stream.flush().await
}

/// `start`, then `more` without end.
async fn endless(
    stream: &mut BufReader<TcpStream>,
    status: u16,
    start: &str,
    more: &str,
) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut sent = 0;
    for part in [start].into_iter().chain(std::iter::repeat(more)) {
        if !part.is_empty() {
            chunk(stream, part.as_bytes()).await?;
        }
        sent += part.len();
        if sent > ENDLESS_BYTES {
            break;
        }
    }
    Ok(())
}

async fn bomb(stream: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    let spaces = vec![b' '; MIB];
    for _ in 0..ENDLESS_BYTES / MIB {
        packed.write_all(&spaces)?;
        packed.flush()?;
        let part = std::mem::take(packed.get_mut());
        chunk(stream, &part).await?;
    }
    Ok(())
}

async fn chunk(stream: &mut BufReader<TcpStream>, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.write_all(b"\r\n").await?;
    stream.flush().await
}
