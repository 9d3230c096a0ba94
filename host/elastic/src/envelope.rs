//! Whether an answer is whole. Servers answer a search over a shard that no node holds with 200 and `"failed": 0`,
//! unless it asks for an error instead: so every search asks, and every answer is looked at all the same.
use serde::Deserialize;
use serde_json::Value;

use crate::{error::Cause, refusal};

/// What an answer says of how much of it there is.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Envelope {
    #[serde(default)]
    pub(crate) timed_out: bool,
    #[serde(rename = "_shards")]
    pub(crate) shards: Option<Shards>,
    #[serde(rename = "_clusters", default)]
    pub(crate) clusters: Clusters,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Shards {
    #[serde(default)]
    total: u64,
    /// Those passed over because nothing in them can match are counted in (tried on all three servers), so that
    /// `skipped` says nothing of what is missing.
    successful: Option<u64>,
    #[serde(default)]
    failed: u64,
    #[serde(default)]
    failures: Vec<Value>,
}

/// What became of the clusters of a cross-cluster search.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Clusters {
    #[serde(default)]
    total: u64,
    successful: Option<u64>,
    #[serde(default)]
    skipped: u64,
    #[serde(default)]
    partial: u64,
    #[serde(default)]
    failed: u64,
    #[serde(default)]
    running: u64,
}

impl Envelope {
    /// The envelope of the answer `body` states, if that is all of it.
    ///
    /// # Errors
    /// As `check`, and if `body` is no answer to a search.
    pub(crate) fn of(body: &[u8]) -> Result<Self, Cause> {
        let envelope: Self =
            serde_json::from_slice(body).map_err(|error| Cause::Malformed { reason: error.to_string() })?;
        envelope.check()?;
        Ok(envelope)
    }

    /// # Errors
    /// If the answer is partial: shards are missing or failed, a remote cluster was passed over or answered in part,
    /// or time ran out on the server. Also if it does not say.
    pub(crate) fn check(&self) -> Result<(), Cause> {
        let Some(shards) = &self.shards else {
            return Err(Cause::Malformed { reason: "no `_shards` in the answer".into() });
        };
        shards.check()?;
        self.clusters.check()?;
        if self.timed_out { Err(Cause::ServerTimedOut) } else { Ok(()) }
    }

    /// Whether the names and patterns asked stand for no index at all.
    pub(crate) fn is_of_nothing(&self) -> bool {
        self.shards.as_ref().is_none_or(|shards| shards.total == 0)
    }
}

impl Shards {
    fn check(&self) -> Result<(), Cause> {
        let Self { total, successful, failed, failures } = self;
        if *failed > 0 {
            let reason = failures.first().map_or_else(|| "the server does not say why".into(), told);
            if reason.contains("too_many_buckets") {
                return Err(Cause::ServerLimit { kind: "too_many_buckets_exception".into(), reason });
            }
            return Err(Cause::PartialShards { failed: *failed, total: *total, reason });
        }
        match successful.map(|successful| total.saturating_sub(successful)) {
            None | Some(0) => Ok(()),
            Some(missing) => Err(Cause::MissingShards { reason: format!("{missing} of {total}") }),
        }
    }
}

fn told(failure: &Value) -> String {
    let (kind, reason) = refusal::innermost(failure.get("reason").unwrap_or(failure));
    let said = if reason.is_empty() { kind } else { format!("{kind}: {reason}") };
    match failure.get("index").and_then(Value::as_str) {
        Some(index) => format!("`{index}`: {said}"),
        None => said,
    }
}

impl Clusters {
    fn check(self) -> Result<(), Cause> {
        let Self { total, successful, skipped, partial, failed, running } = self;
        let told = skipped.saturating_add(partial).saturating_add(failed).saturating_add(running);
        let silent = successful.map_or(0, |successful| total.saturating_sub(successful));
        match told.max(silent) {
            0 => Ok(()),
            skipped => Err(Cause::SkippedClusters { skipped, total }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(answer: &Value) -> Option<String> {
        Envelope::of(answer.to_string().as_bytes()).err().map(|cause| cause.to_string())
    }

    #[test]
    fn only_an_answer_of_all_shards_is_whole() {
        let shards = |total: u64, successful: u64, skipped: u64, failed: u64| {
            let shards =
                json!({ "total": total, "successful": successful, "skipped": skipped, "failed": failed });
            fault(&json!({ "timed_out": false, "_shards": shards }))
        };
        assert_eq!(shards(2, 2, 0, 0), None);
        assert_eq!(shards(0, 0, 0, 0), None);
        // Shards that were skipped are among the successful ones.
        assert_eq!(shards(2, 2, 1, 0), None);
        assert_eq!(shards(2, 1, 0, 0).as_deref(), Some("shards are missing: 1 of 2"));
        assert_eq!(shards(3, 2, 1, 0).as_deref(), Some("shards are missing: 1 of 3"));
        assert_eq!(shards(2, 1, 0, 1).as_deref(), Some("1 of 2 shards failed: the server does not say why"));
        assert_eq!(
            fault(&json!({})).as_deref(),
            Some("the answer is not what was asked for: no `_shards` in the answer")
        );
    }

    #[test]
    fn the_first_failure_is_told_though_it_gives_no_reason() {
        let failure = json!({ "shard": 0, "index": "logs-b", "node": null,
            "reason": { "type": "no_shard_available_action_exception", "reason": null } });
        let shards = json!({ "total": 2, "successful": 1, "skipped": 0, "failed": 1, "failures": [failure] });
        let expected = "1 of 2 shards failed: `logs-b`: no_shard_available_action_exception";
        assert_eq!(fault(&json!({ "_shards": shards })).as_deref(), Some(expected));
    }

    #[test]
    fn every_remote_cluster_must_have_answered_in_full() {
        let clusters = |clusters: Value| {
            let shards = json!({ "total": 1, "successful": 1, "skipped": 0, "failed": 0 });
            fault(&json!({ "_shards": shards, "_clusters": clusters }))
        };
        assert_eq!(clusters(json!({ "total": 2, "successful": 2, "skipped": 0 })), None);
        for lacking in ["skipped", "partial", "failed", "running"] {
            let told = clusters(json!({ "total": 3, "successful": 2, lacking: 1 }));
            assert_eq!(told.as_deref(), Some("1 of 3 clusters were passed over, the answer is partial"));
        }
        assert!(clusters(json!({ "total": 3, "successful": 2 })).is_some());
    }
}
