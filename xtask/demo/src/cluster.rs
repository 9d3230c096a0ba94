//! The cluster that the demo writes to: the embedded node or a real one, over the same API.
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

pub(crate) const INDEX: &str = "logstash-watchbell-demo";

pub(crate) struct Cluster {
    http: reqwest::Client,
    url: String,
}

impl Cluster {
    /// Makes the demo's index anew.
    pub(crate) async fn prepare(url: &str) -> Result<Self> {
        let http =
            reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(10)).build()?;
        let this = Self { http, url: url.to_owned() };
        this.remove().await?;
        let mapping = json!({ "mappings": { "properties": {
            "@timestamp": { "type": "date" },
            "Status": { "type": "integer" },
            "host": { "properties": { "name": { "type": "keyword" } } },
            "url": { "properties": { "path": { "type": "keyword" } } },
            "took_ms": { "type": "integer" },
        } } });
        let made = this.http.put(format!("{url}/{INDEX}")).json(&mapping).send().await;
        let made = made.with_context(|| format!("no search cluster answers at {url}"))?;
        if !made.status().is_success() {
            bail!("cannot create the index {INDEX} at {url}: {}", made.text().await?);
        }
        Ok(this)
    }

    pub(crate) async fn write(&self, documents: &[Value]) -> Result<()> {
        let mut body = String::new();
        for document in documents {
            body.push_str("{\"index\":{}}\n");
            body.push_str(&document.to_string());
            body.push('\n');
        }
        let request = self
            .http
            .post(format!("{}/{INDEX}/_bulk?refresh=true", self.url))
            .header("content-type", "application/x-ndjson")
            .body(body);
        let answer = request.send().await.context("the search cluster does not answer")?;
        let status = answer.status();
        let answer: Value = answer.json().await.context("the search cluster did not answer with JSON")?;
        if !status.is_success() || answer["errors"] == true {
            bail!("the search cluster rejected documents: {answer}");
        }
        Ok(())
    }

    pub(crate) async fn remove(&self) -> Result<()> {
        // Not there is as good as removed.
        self.http
            .delete(format!("{}/{INDEX}", self.url))
            .send()
            .await
            .with_context(|| format!("no search cluster answers at {}", self.url))?;
        Ok(())
    }
}
