//! Whether a search response is complete. Servers answer a search over an unassigned shard with 200 and `"failed": 0`
//! unless the request asks for an error, so every search asks for one, and every response is checked as well.
use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use crate::{error::ErrorKind, refusal};

/// The parts of a search response that show whether it is complete.
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
    /// Includes shards skipped because nothing in them can match (tested on all three servers), so `skipped` says
    /// nothing about what is missing.
    successful: Option<u64>,
    #[serde(default)]
    failed: u64,
    #[serde(default, rename = "failures", deserialize_with = "first")]
    failure: Option<Box<RawValue>>,
}

/// Bytes of one shard's failure. Servers' have a few hundred.
const FAILURE_BYTES_MAX: usize = 64 << 10;

/// The first of a list, for one that a server may make of any length.
pub(crate) fn first<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    struct First<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for First<T> {
        type Value = Option<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let first = seq.next_element()?;
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(first)
        }
    }
    deserializer.deserialize_any(First(PhantomData))
}

/// The outcome per remote cluster of a cross-cluster search.
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
    /// Reads the envelope of `body`, and checks that the response is complete.
    ///
    /// # Errors
    /// As `check`, and if `body` is not a search response.
    pub(crate) fn of(body: &[u8]) -> Result<Self, ErrorKind> {
        let envelope: Self = serde_json::from_slice(body)
            .map_err(|error| ErrorKind::Malformed { reason: error.to_string() })?;
        envelope.check()?;
        Ok(envelope)
    }

    /// # Errors
    /// If the response is partial: shards are missing or failed, a remote cluster was skipped or answered partially, or
    /// the search timed out on the server. Also if it does not say.
    pub(crate) fn check(&self) -> Result<(), ErrorKind> {
        let Some(shards) = &self.shards else {
            return Err(ErrorKind::Malformed { reason: "no `_shards` in the response".into() });
        };
        shards.check()?;
        self.clusters.check()?;
        if self.timed_out { Err(ErrorKind::ServerTimedOut) } else { Ok(()) }
    }

    /// Whether the requested names and patterns match no index.
    pub(crate) fn is_of_nothing(&self) -> bool {
        self.shards.as_ref().is_none_or(|shards| shards.total == 0)
    }
}

impl Shards {
    fn check(&self) -> Result<(), ErrorKind> {
        let Self { total, successful, failed, failure } = self;
        if *failed > 0 {
            let readable = failure.as_ref().filter(|failure| failure.get().len() <= FAILURE_BYTES_MAX);
            let read = readable.and_then(|failure| serde_json::from_str(failure.get()).ok());
            let reason =
                read.map_or_else(|| "the server gave no reason".into(), |failure: Value| told(&failure));
            if reason.contains("too_many_buckets") {
                return Err(ErrorKind::ServerLimit { kind: "too_many_buckets_exception".into(), reason });
            }
            return Err(ErrorKind::PartialShards { failed: *failed, total: *total, reason });
        }
        match successful.map(|successful| total.saturating_sub(successful)) {
            None | Some(0) => Ok(()),
            Some(missing) => Err(ErrorKind::MissingShards { reason: format!("{missing} of {total}") }),
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
    fn check(self) -> Result<(), ErrorKind> {
        let Self { total, successful, skipped, partial, failed, running } = self;
        let told = skipped.saturating_add(partial).saturating_add(failed).saturating_add(running);
        let silent = successful.map_or(0, |successful| total.saturating_sub(successful));
        match told.max(silent) {
            0 => Ok(()),
            skipped => Err(ErrorKind::SkippedClusters { skipped, total }),
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
        assert_eq!(shards(2, 1, 0, 1).as_deref(), Some("1 of 2 shards failed: the server gave no reason"));
        assert_eq!(fault(&json!({})).as_deref(), Some("unexpected response: no `_shards` in the response"));
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
            assert_eq!(told.as_deref(), Some("1 of 3 clusters were skipped; the answer is partial"));
        }
        assert!(clusters(json!({ "total": 3, "successful": 2 })).is_some());
    }
}
