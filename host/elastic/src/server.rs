//! Which server a cluster is.
use serde_json::Value;
use tokio::time::{Duration, Instant};

use crate::{error::ErrorKind, session::Session};

const INFO_WAIT_MAX: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    pub flavor: Flavor,
    /// Empty if the server does not say.
    pub version: String,
    pub cluster_name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    Elasticsearch,
    OpenSearch,
    /// The embedded search node.
    Node,
    Unknown,
}

/// Which server this is. Some do not answer at `/`; then it is `Unknown`, not an error.
pub(crate) async fn info(session: &Session) -> Result<ServerInfo, ErrorKind> {
    let deadline = Instant::now() + INFO_WAIT_MAX;
    let get = async |path: &str| session.get(path, deadline).await;
    let text = |value: &Value, pointer: &str| -> String {
        session.scrubber().text(value.pointer(pointer).and_then(Value::as_str).unwrap_or_default())
    };
    let root = match get("/").await {
        Ok(root) => root,
        Err(ErrorKind::Refused { status: 400 | 404 | 405, .. }) => {
            let nodes = get("/_nodes/_local").await.unwrap_or_default();
            let node = nodes.get("nodes").and_then(Value::as_object).and_then(|nodes| nodes.values().next());
            let version = node.map(|node| text(node, "/version")).unwrap_or_default();
            let cluster_name = text(&nodes, "/cluster_name");
            return Ok(ServerInfo { flavor: Flavor::Unknown, version, cluster_name });
        }
        Err(cause) => return Err(cause),
    };
    let version = text(&root, "/version/number");
    let distribution = root.pointer("/version/distribution").and_then(Value::as_str).unwrap_or_default();
    let flavor = match distribution {
        "opensearch" => Flavor::OpenSearch,
        other if other.contains("watchbell") => Flavor::Node,
        _ if version.is_empty() => Flavor::Unknown,
        _ => Flavor::Elasticsearch,
    };
    Ok(ServerInfo { flavor, version, cluster_name: text(&root, "/cluster_name") })
}
