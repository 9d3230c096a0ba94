//! Ids and jitter derived from what they identify: the same after every restart and on every host.
use sha2::{Digest as _, Sha256};
use watchbell_contract::{Document, Duration, Evidence, Label, Signal, SignalKind, Timestamp};

use crate::record::{EpisodeId, GroupId, HostId, Incarnation, IntentId, Nonce};
use crate::spec::{DestinationName, RuleName, Step, StepId};

/// `at`, the instant of the first signal, distinguishes two episodes with the same labels in one window.
pub(crate) fn episode_id(
    incarnation: &Incarnation,
    rule: &RuleName,
    labels: &[Label],
    window_end: Timestamp,
    at: Timestamp,
) -> EpisodeId {
    let mut digest = Parts::of("episode", incarnation);
    EpisodeId(digest.text(&rule.0).labels(labels).number(window_end.0).number(at.0).hex())
}

/// The id of something that is announced once. `what` and `more` distinguish events, groups of events and the host's
/// own messages.
pub(crate) fn once_id(
    incarnation: &Incarnation,
    what: &str,
    more: &[&str],
    rule: &RuleName,
    labels: &[Label],
    at: Timestamp,
) -> EpisodeId {
    let mut digest = Parts::of(what, incarnation);
    digest.text(&rule.0).labels(labels).number(at.0);
    more.iter().for_each(|part| {
        digest.text(part);
    });
    EpisodeId(digest.hex())
}

/// The id of the group in which messages of `rule` to a destination are gathered.
pub(crate) fn group_id(rule: &RuleName, labels: &[Label], to: &DestinationName) -> GroupId {
    GroupId(Parts::new("group").text(&rule.0).labels(labels).text(&to.0).hex())
}

pub(crate) fn intent_id(episode: &EpisodeId, cause: &str, ordinal: u32, to: &DestinationName) -> IntentId {
    let mut digest = Parts::new("intent");
    IntentId(digest.text(&episode.0).text(cause).number(i64::from(ordinal)).text(&to.0).hex())
}

/// The id of a message to `to` that another destination did not take: no id of a message of its own.
pub(crate) fn fallback_id(refused: &IntentId, to: &DestinationName) -> IntentId {
    IntentId(Parts::new("fallback").text(&refused.0).text(&to.0).hex())
}

impl Step {
    /// The same for a step before and after an edit. The order of its destinations does not matter.
    pub fn id(&self) -> StepId {
        let mut to: Vec<&str> = self.to.iter().map(|name| name.0.as_str()).collect();
        to.sort_unstable();
        let severity = self.severity.map_or("", |severity| severity.as_str());
        let mut digest = Parts::new("step");
        digest.number(self.after.0.cast_signed()).text(severity);
        to.into_iter().for_each(|name| {
            digest.text(name);
        });
        if let Some(when) = &self.when {
            digest.text("when").text(&when.identity());
        }
        StepId(digest.hash())
    }
}

/// The partition of `rule` among `partitions`. This must never change, because it decides where the rule's records are
/// stored.
pub(crate) fn partition(rule: &RuleName, partitions: u16) -> u16 {
    let hash = Parts::new("partition").text(&rule.0).hash();
    (hash % u64::from(partitions.max(1))) as u16
}

/// Distinguishes the `turn`th write of a host's life from every other write.
pub(crate) fn nonce(incarnation: &Incarnation, host: &HostId, seed: u64, turn: u64) -> Nonce {
    let mut digest = Parts::of("nonce", incarnation);
    Nonce(digest.text(&host.0).number(seed.cast_signed()).number(turn.cast_signed()).hash())
}

/// Distinguishes the keys of a rule where only their number matters.
pub(crate) fn labels_hash(labels: &[Label]) -> u64 {
    Parts::new("labels").labels(labels).hash()
}

/// With its instant, what makes a signal the same as another one: of levels and their ends the kind and the labels, of
/// events the labels and the identity, by default the name of the first document. Texts and details never count.
pub(crate) fn signal_hash(signal: &Signal) -> u64 {
    if signal.kind != SignalKind::Event {
        return Parts::new("signal").labels(&signal.labels).number(signal.kind as i64).hash();
    }
    let mut parts = Parts::new("event-identity");
    parts.labels(&signal.labels);
    match (&signal.identity, document(signal)) {
        (Some(identity), _) => parts.number(1).text(identity),
        (None, Some(document)) => parts.number(2).document(document),
        (None, None) => parts.number(0),
    };
    parts.hash()
}

/// The hashes of earlier versions, which a store may still contain. Events were distinguished by their content and,
/// in the later of these forms, by their document. Levels have always had the same hash.
pub(crate) fn older_signal_hashes(signal: &Signal) -> Vec<u64> {
    if signal.kind != SignalKind::Event {
        return Vec::new();
    }
    let content = || {
        let mut parts = Parts::new("signal");
        parts.labels(&signal.labels).number(signal.kind as i64).text(&signal.summary).text(&signal.details);
        parts
    };
    let named = document(signal).and_then(|document| Some((document.index.as_deref()?, &document.id)));
    let named = named.map(|(index, id)| content().text(index).text(id).hash());
    named.into_iter().chain([content().hash()]).collect()
}

fn document(signal: &Signal) -> Option<&Document> {
    signal.evidence.as_ref().and_then(Evidence::document)
}

/// `span` times a value in 0..1 derived from `name` and `turn`.
pub(crate) fn spread(span: Duration, name: &str, turn: u64) -> Duration {
    let hash = Parts::new("spread").text(name).number(turn as i64).hash();
    Duration(((u128::from(hash) * u128::from(span.0)) >> 64) as u64)
}

struct Parts(Sha256);

impl Parts {
    /// Specific to one store, or shared by all stores that have no incarnation.
    fn of(what: &str, incarnation: &Incarnation) -> Self {
        let mut parts = Self::new(what);
        if !incarnation.0.is_empty() {
            parts.text(&incarnation.0);
        }
        parts
    }

    fn new(what: &str) -> Self {
        let mut parts = Self(Sha256::new());
        parts.text(what);
        parts
    }

    /// The length goes first, so that no two lists of parts hash the same bytes.
    fn text(&mut self, text: &str) -> &mut Self {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
        self
    }

    fn number(&mut self, number: i64) -> &mut Self {
        self.0.update(number.to_le_bytes());
        self
    }

    fn document(&mut self, document: &Document) -> &mut Self {
        self.number(i64::from(document.index.is_some()));
        self.text(document.index.as_deref().unwrap_or_default()).text(&document.id)
    }

    fn labels(&mut self, labels: &[Label]) -> &mut Self {
        self.number(labels.len() as i64);
        for label in labels {
            self.text(&label.name).number(i64::from(label.value.is_some()));
            self.text(label.value.as_deref().unwrap_or_default());
        }
        self
    }

    fn hex(&mut self) -> String {
        hex::encode(&self.0.finalize_reset()[..16])
    }

    fn hash(&mut self) -> u64 {
        let digest = self.0.finalize_reset();
        u64::from_le_bytes(std::array::from_fn(|index| digest[index]))
    }
}
