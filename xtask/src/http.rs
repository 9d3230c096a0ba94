//! Just enough HTTP to see whether a server on this machine answers.
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Longer than any of these servers takes on a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// One request to 127.0.0.1; the body of a 2xx answer (chunk sizes may stand between its parts).
pub(crate) fn ask(port: u16, method: &str, path: &str, body: &str) -> Result<String> {
    let what = || format!("{method} http://127.0.0.1:{port}{path}");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX).with_context(what)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    let kind = if path.contains("_bulk") { "application/x-ndjson" } else { "application/json" };
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .with_context(what)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(what)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").with_context(what)?;
    match head.split(' ').nth(1) {
        Some(status) if status.starts_with('2') => Ok(body.to_owned()),
        _ => bail!("{}: {}", what(), answer.chars().take(500).collect::<String>()),
    }
}
