//! Half a million web logs of 0.9 KB on a real server: fifty minutes of a thousand hosts.
use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

pub(crate) const INDEX: &str = "bench-logs";
pub(crate) const HOSTS: u64 = 1_000;
/// How long the documents span, in milliseconds.
pub(crate) const SPAN: i64 = 50 * 60 * 1_000;
const BULK: u64 = 5_000;

/// The documents' span: from here, for `SPAN`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Corpus {
    pub(crate) start: i64,
}

/// Writes `documents` documents that end two minutes before now, and waits until they can be searched.
pub(crate) async fn write(url: &str, documents: u64) -> Result<Corpus> {
    let http = client()?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() as i64;
    let start = (now - 2 * 60_000 - SPAN) / 60_000 * 60_000;
    http.delete(format!("{url}/{INDEX}"))
        .send()
        .await
        .with_context(|| format!("no server answers at {url}"))?;
    let keyword = json!({ "type": "keyword" });
    let body = json!({
        "settings": { "number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1" },
        "mappings": { "properties": {
            "@timestamp": { "type": "date" },
            "host": { "properties": { "name": keyword } },
            "status": { "type": "integer" },
            "message": { "type": "text" },
        } },
    });
    let made: Value = http.put(format!("{url}/{INDEX}")).json(&body).send().await?.json().await?;
    if made["acknowledged"] != true {
        bail!("cannot create {INDEX}: {made}");
    }
    let filler = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor ".repeat(9);
    eprintln!("writing {documents} documents");
    let mut written = 0;
    while written < documents {
        let mut bulk = String::new();
        for number in written..(written + BULK).min(documents) {
            let at = iso(start + (number as i64 * SPAN) / documents as i64);
            let host = number.wrapping_mul(7_919) % HOSTS;
            let _ = write!(
                bulk,
                "{{\"index\":{{}}}}\n{{\"@timestamp\":\"{at}\",\"host\":{{\"name\":\"web-{host:04}.example.com\"}},\"status\":{},\
                 \"method\":\"GET\",\"path\":\"/api/orders/{number}\",\"message\":\"{filler}\"}}\n",
                200 + number % 5
            );
        }
        written = (written + BULK).min(documents);
        let request =
            http.post(format!("{url}/{INDEX}/_bulk")).header("content-type", "application/x-ndjson");
        let answer: Value = request.body(bulk).send().await?.json().await?;
        if answer["errors"] != false {
            bail!(
                "the server rejected documents: {}",
                answer.to_string().chars().take(500).collect::<String>()
            );
        }
    }
    http.post(format!("{url}/{INDEX}/_refresh")).send().await?.error_for_status()?;
    Ok(Corpus { start })
}

/// As logs usually have it; ElastAlert2 reads nothing else.
fn iso(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
        .unwrap_or_default()
}

pub(crate) fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(120)).build()?)
}
