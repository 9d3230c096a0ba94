//! The cluster's time, according to the node that answers.
use serde::Deserialize;
use tokio::time::Instant;
use watchbell_contract::{Duration, Timestamp};

use crate::{error::ErrorKind, session::Session, transport::Request};

/// Every server has this cheap endpoint. Servers send no `Date` header.
const PATH: &str = "/_cat/health?format=json&h=epoch";

#[derive(Deserialize)]
struct Row {
    epoch: String,
}

/// The server's time to the second: it is within the second that begins with the returned time.
pub(crate) async fn time(session: &Session, deadline: Instant) -> Result<Timestamp, ErrorKind> {
    let request = Request { repeatable: false, ..Request::get(PATH, deadline) };
    read(&session.send(&request).await?)
}

/// The resolution of `Cluster::time`.
pub const TIME_STEP: Duration = Duration::from_secs(1);

fn read(body: &[u8]) -> Result<Timestamp, ErrorKind> {
    let malformed = |reason: String| ErrorKind::Malformed { reason };
    let rows: Vec<Row> = serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    let seconds = rows.first().and_then(|row| row.epoch.parse::<i64>().ok());
    let millis = seconds.and_then(|seconds| seconds.checked_mul(1_000));
    millis.map(Timestamp).ok_or_else(|| malformed("no `epoch` in the cluster's health".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_as_the_servers_write_them() {
        assert_eq!(read(br#"[{"epoch":"1700000000"}]"#), Ok(Timestamp(1_700_000_000_000)));
        for body in [
            "[]",
            "{}",
            r#"[{"epoch":"soon"}]"#,
            r#"[{"epoch":"9223372036854775807"}]"#,
            "1700000000 12:00:00",
        ] {
            assert!(matches!(read(body.as_bytes()), Err(ErrorKind::Malformed { .. })), "{body}");
        }
    }
}
