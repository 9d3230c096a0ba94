//! What operators read and change: the cluster's state, explanations of unassigned shards, settings.
use bytes::Bytes;
use elasticsearch::http::Method;
use futures::{FutureExt, StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use watchbell_gate::{
    Answers, Change, Explained, Explanation, Facts, Group, REQUESTS, Trouble, TroubleKind, Unreadable,
};
use watchbell_secret::Scrubber;

use crate::{
    error::{AskError, ErrorKind},
    session::Session,
    transport::Request,
};

/// Concurrent requests for explanations, within the cluster's own limit: the elected master computes each of them.
const EXPLANATIONS_MAX: usize = 4;

/// Why an operator's request failed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("cluster `{cluster}`: {fault}")]
    Unreadable { cluster: String, fault: Unreadable },
    #[error("cluster `{cluster}`: the settings were not acknowledged")]
    NotAcknowledged { cluster: String },
}

#[derive(Deserialize)]
struct Acknowledged {
    #[serde(default)]
    acknowledged: bool,
}

/// Writes all settings at once. Idempotent, so it is retried if a response is lost. Returns whether the cluster
/// acknowledged them.
pub(crate) async fn write_settings(
    session: &Session,
    change: &Change,
    deadline: Instant,
) -> Result<bool, ErrorKind> {
    let body = Some(Bytes::from(change.body()));
    let path = "/_cluster/settings".into();
    let request = Request { method: Method::Put, path, body, repeatable: true, deadline };
    let answer = session.send(&request).await?;
    Ok(serde_json::from_slice(&answer).is_ok_and(|Acknowledged { acknowledged }| acknowledged))
}

/// Why the facts are missing.
pub(crate) enum FactsFault {
    Ask(ErrorKind),
    Unreadable(Unreadable),
}

pub(crate) async fn facts(session: &Session, deadline: Instant) -> Result<Facts, FactsFault> {
    let get = async |path: &str| session.send(&Request::get(path, deadline)).await.map_err(FactsFault::Ask);
    let [state, nodes, stats, settings, tasks, health] = REQUESTS;
    let state = get(state).await?;
    let (nodes, stats, settings, tasks) =
        tokio::try_join!(get(nodes), get(stats), get(settings), get(tasks))?;
    let health = get(health).await?;
    let answers = Answers([&state, &nodes, &stats, &settings, &tasks, &health]);
    Facts::read(answers).map_err(FactsFault::Unreadable)
}

pub(crate) async fn explanations(
    session: &Session,
    groups: &[Group],
    deadline: Instant,
    mut done: impl FnMut(usize),
) -> Vec<Explained> {
    let asked: Vec<_> = groups.iter().map(|group| explained(session, group, deadline).boxed()).collect();
    let mut answers = stream::iter(asked).buffered(EXPLANATIONS_MAX);
    let mut explained = Vec::with_capacity(groups.len());
    while let Some(answer) = answers.next().await {
        explained.push(answer);
        done(explained.len());
    }
    explained
}

async fn explained(session: &Session, group: &Group, deadline: Instant) -> Explained {
    let body = json!({ "index": group.shard.index, "shard": group.shard.number, "primary": group.primary });
    let request = Request::ask("/_cluster/allocation/explain", body.to_string(), deadline);
    match session.send(&request).await {
        Ok(answer) => match Explanation::read(&answer) {
            Ok(explanation) => Explained::By(scrubbed(explanation, session.scrubber())),
            Err(fault) => Explained::Failed(session.scrubber().text(&fault.to_string())),
        },
        // The index was deleted meanwhile, or the replica is no longer wanted.
        Err(cause @ (ErrorKind::NoIndex { .. } | ErrorKind::Refused { status: 400 | 404, .. })) => {
            Explained::Gone(session.told(&cause))
        }
        Err(cause) => Explained::Failed(session.told(&cause)),
    }
}

/// Without the cluster's credentials in its sentences. Names are compared with those of other responses.
fn scrubbed(mut explanation: Explanation, scrubber: &Scrubber) -> Explanation {
    let objections = explanation.nodes.iter_mut().flat_map(|node| &mut node.objections);
    let sentences = objections.map(|objection| &mut objection.sentence);
    for sentence in sentences.chain([&mut explanation.summary]) {
        *sentence = scrubber.text(sentence);
    }
    explanation
}

impl AdminError {
    /// For the gate: whether the failure is temporary.
    pub fn trouble(&self) -> Trouble {
        let kind = match self {
            Self::Ask(error) => match &error.cause {
                ErrorKind::Connect { .. } => TroubleKind::Unreachable,
                ErrorKind::Denied { .. }
                | ErrorKind::NotJson { .. }
                | ErrorKind::Malformed { .. }
                | ErrorKind::Redirect { .. }
                | ErrorKind::Oversized { .. }
                | ErrorKind::NoIndex { .. } => TroubleKind::Lasting,
                ErrorKind::Refused { status, .. }
                    if (400..500).contains(status) && !matches!(status, 408 | 429) =>
                {
                    TroubleKind::Lasting
                }
                _ => TroubleKind::Passing,
            },
            Self::Unreadable { .. } => TroubleKind::Lasting,
            Self::NotAcknowledged { .. } => TroubleKind::Passing,
        };
        Trouble { message: self.to_string(), kind }
    }
}
