use std::net::SocketAddr;

use reqwest::{Client, Method};
use serde_json::Value as Json;
use watchbell_node::{Config, Node};

pub(crate) const NAMES: [&str; 3] = ["es7", "es9", "os3"];

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    url: String,
    client: Client,
}

pub(crate) async fn node() -> Node {
    Node::start(SocketAddr::from(([127, 0, 0, 1], 0)), Config::default()).await.expect("a free port")
}

/// The servers that there are. Of each that is not, `what` is counted as skipped.
pub(crate) fn real(what: &str) -> Vec<Server> {
    let named = std::env::var("WATCHBELL_SERVERS").unwrap_or_default();
    let mut servers = Vec::new();
    for name in NAMES {
        match named.split(',').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('=')) {
            Some(url) => servers.push(Server::new(name, url)),
            None => println!("skipped: {what} on {name}"),
        }
    }
    servers
}

impl Server {
    pub(crate) fn new(name: &'static str, url: &str) -> Self {
        Self { name, url: url.trim_end_matches('/').to_owned(), client: Client::new() }
    }

    /// Status and body; a body that is not JSON is null.
    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<String>) -> (u16, Json) {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = request.header("content-type", "application/json").body(body.into());
        let response = request.send().await.unwrap_or_else(|e| panic!("{}: {e}", self.name));
        let status = response.status().as_u16();
        let body = serde_json::from_str(&response.text().await.unwrap_or_default()).unwrap_or(Json::Null);
        (status, body)
    }

    /// Makes an index of one shard anew, so that ties come in one order, with these bulk lines in it.
    pub(crate) async fn load(&self, index: &str, definition: &Json, bulk: &str) {
        let mut definition = definition.clone();
        definition["settings"]["number_of_shards"] = 1.into();
        definition["settings"]["number_of_replicas"] = 0.into();
        self.drop_index(index).await;
        let (status, body) = self.send(Method::PUT, &format!("/{index}"), definition.to_string()).await;
        assert_eq!(status, 200, "{} {index}: {body}", self.name);
        let path = format!("/{index}/_bulk?refresh=true");
        let (status, body) = self.send(Method::POST, &path, bulk).await;
        assert!(status == 200 && body["errors"] == false, "{} {index}: {body}", self.name);
    }

    pub(crate) async fn drop_index(&self, index: &str) {
        self.send(Method::DELETE, &format!("/{index}?ignore_unavailable=true"), "").await;
    }
}
