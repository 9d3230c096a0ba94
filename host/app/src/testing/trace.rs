//! What happened on the virtual host, for people and for comparison.
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use watchbell_contract::{Evidence, Intent, Label, Signal, SignalKind, Timestamp};
use watchbell_manifest::Offset;
use watchbell_pipeline::action::Note;
use watchbell_pipeline::record::{EpisodeRecord, Phase};
use watchbell_pipeline::spec::DestinationName;
use watchbell_sandbox::LogLine;

#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(pub(crate) Vec<TraceEntry>);

#[derive(Clone, Debug)]
pub(crate) struct TraceEntry {
    pub(crate) at: Timestamp,
    pub(crate) event: TraceEvent,
}

#[derive(Clone, Debug)]
pub(crate) enum TraceEvent {
    /// Reported for the first time.
    Signal(Signal),
    Delivery {
        to: DestinationName,
        intent: Box<Intent>,
        delivered: bool,
    },
    Note(Note),
    /// A line that the rule logged.
    Logged(LogLine),
    Restarted,
}

impl Trace {
    /// The first message to each destination.
    pub(super) fn first_messages(&self) -> Vec<Intent> {
        let mut known = BTreeSet::new();
        let mut first = Vec::new();
        for entry in &self.0 {
            if let TraceEvent::Delivery { to, intent, .. } = &entry.event
                && known.insert(to)
            {
                first.push(Intent::clone(intent));
            }
        }
        first
    }
}

/// The kind; for events also the identity or the document, because two events at the same instant may be distinct.
pub(crate) fn identity(signal: &Signal) -> (&'static str, String) {
    match signal.kind {
        SignalKind::Firing => ("firing", String::new()),
        SignalKind::Clear => ("clear", String::new()),
        SignalKind::Event => {
            let document = signal.evidence.as_ref().and_then(Evidence::document);
            let document = document.map(|document| format!("{:?} {:?}", document.index, document.id));
            ("event", signal.identity.clone().or(document).unwrap_or_default())
        }
    }
}

/// A signal as tests compare it; times are relative to `start`.
pub(crate) fn signal(signal: &Signal, start: Timestamp) -> Map<String, Value> {
    let details: Value = serde_json::from_str(&signal.details).unwrap_or_default();
    object(json!({
        "at": offset(signal.at, start), "kind": identity(signal).0, "labels": labels(&signal.labels),
        "value": signal.value, "summary": signal.summary, "details": details,
    }))
}

pub(crate) fn episode(episode: &EpisodeRecord, start: Timestamp) -> Map<String, Value> {
    let state = match episode.phase {
        Phase::Pending => "pending",
        Phase::Active => "active",
        Phase::Acknowledged { .. } => "acknowledged",
        Phase::ResolvedByHand { .. } | Phase::Resolved { .. } => "resolved",
    };
    object(json!({
        "labels": labels(&episode.labels), "state": state, "severity": episode.severity.as_str(),
        "since": offset(episode.since, start), "value": episode.last.value, "summary": episode.last.summary,
    }))
}

pub(crate) fn delivery(to: &DestinationName, intent: &Intent, delivered: bool) -> Map<String, Value> {
    object(json!({
        "to": to.0, "cause": intent.cause.as_str(), "labels": labels(&intent.labels),
        "severity": intent.severity.as_str(), "title": intent.title, "body": intent.body,
        "outcome": if delivered { "delivered" } else { "unavailable" },
    }))
}

pub(crate) fn offset(at: Timestamp, start: Timestamp) -> String {
    Offset(at.0.saturating_sub(start.0)).to_string()
}

fn labels(labels: &[Label]) -> Value {
    Value::Object(labels.iter().map(|label| (label.name.clone(), json!(label.value))).collect())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

impl TraceEntry {
    /// A line for people; `None` for noise.
    pub(crate) fn line(&self, start: Timestamp) -> Option<String> {
        let told = match &self.event {
            TraceEvent::Signal(signal) => {
                let value = signal.value.map_or(String::new(), |value| format!(" value {value}"));
                let at = offset(signal.at, start);
                format!(
                    "signal    {} of {at}{}{value}: {}",
                    identity(signal).0,
                    named(&signal.labels),
                    signal.summary
                )
            }
            TraceEvent::Delivery { to, intent, delivered } => {
                let lost = if *delivered { "" } else { " (it was down)" };
                format!("sent      to {to}, {}: {}{lost}", intent.cause.as_str(), intent.title)
            }
            TraceEvent::Logged(LogLine { level, message }) => {
                let level = match level {
                    0 => "error",
                    1 => "warn",
                    2 => "info",
                    3 => "debug",
                    _ => "trace",
                };
                format!("log       {level}: {message}")
            }
            TraceEvent::Restarted => "restart   the host was killed and started again".into(),
            TraceEvent::Note(note) => note_line(note, start)?,
        };
        Some(format!("{:>9}  {told}", offset(self.at, start)))
    }
}

fn note_line(note: &Note, start: Timestamp) -> Option<String> {
    let at = |at: Timestamp| offset(at, start);
    Some(match note {
        // Most windows have no signals, and most failures are repeated attempts.
        Note::Committed { signals: 0, .. } | Note::RunFailed { attempt: 2.., .. } => return None,
        Note::Committed { window, rows, signals, .. } => {
            let rows_of = if *rows == 1 { "row" } else { "rows" };
            let told = if *signals == 1 { "signal" } else { "signals" };
            format!("window    up to {}: {rows} {rows_of}, {signals} {told}", at(window.end))
        }
        Note::RunFailed { attempt, message, next, .. } => {
            format!("failed    attempt {attempt}, next at {}: {message}", at(*next))
        }
        Note::Primed { until, .. } => format!("primed    with the data before {}", at(*until)),
        Note::PrimesAnew { reason, .. } => format!("primes    again: {reason}"),
        Note::Overflowed { message, .. } => format!("warning   {message}"),
        Note::Backlog { message, .. } | Note::DestinationChanged { message, is_bad: true, .. } => {
            format!("warning   {message}")
        }
        Note::DestinationChanged { message, is_bad: false, .. } => format!("again     {message}"),
        Note::WithinLimit { .. } => "warning   no key is beyond `limits.episodes` any more".into(),
        Note::FieldUnmapped { message, .. } => format!("warning   {message}"),
        Note::GapRecorded { start: from, end, reason, .. } => {
            format!("gap       {} to {}: {reason}", at(*from), at(*end))
        }
        Note::EpisodeOpened { summary, .. } => format!("episode   opened: {summary}"),
        Note::EpisodeResolved { why, .. } => format!("episode   resolved: {why}"),
        Note::TextFailed { destination, reason, .. } => {
            format!("plain     text for {destination}: {reason}")
        }
        Note::DeliveryPostponed { destination, due, reason, .. } => {
            format!("postponed for {destination} until {}: {reason}", at(*due))
        }
        Note::DeadLetter { destination, reason, .. } => {
            format!("dead      letter for {destination}: {reason}")
        }
        Note::ClaimRecovered { destination, .. } => {
            format!("claim     for {destination} found after the restart")
        }
        Note::Delivered { .. }
        | Note::Merged { .. }
        | Note::Announced { .. }
        | Note::Held { .. }
        | Note::Commanded { .. }
        | Note::Lost { .. } => return None,
    })
}

fn named(labels: &[Label]) -> String {
    let named = labels_line(labels);
    if named.is_empty() { String::new() } else { format!(" of {named}") }
}

/// `host.name=web-1 zone=-`; a label without a value has a dash.
pub(crate) fn labels_line(labels: &[Label]) -> String {
    let named =
        labels.iter().map(|label| format!("{}={}", label.name, label.value.as_deref().unwrap_or("-")));
    named.collect::<Vec<_>>().join(" ")
}
