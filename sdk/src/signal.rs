//! A rule's signals.
use serde::Serialize;

use crate::wire::types as wire;
use crate::{Evidence, Labels, Timestamp, bounds};

/// What a rule found for one set of labels. Texts that are too long are shortened, so that they never fail a run.
///
/// A *level* fires, holds until `until` and can be told again, which extends it; an *event* is announced once.
///
/// ```
/// use watchbell_sdk::prelude::*;
///
/// fn disk_is_full(labels: Labels, at: Timestamp, percent: f64) -> Signal {
///     Signal::firing(labels, at)
///         .until(at + Duration::from_mins(5)) // the next check is sooner, and extends it
///         .value(percent)
///         .threshold(90.0)
///         .summary(format!("{percent:.0} % of the disk is used"))
///         .details(&json!({ "percent": percent }))
/// }
///
/// fn new_device(row: &Row<'_>, device: &str) -> Signal {
///     Signal::event(row.labels(), row.time()).summary(format!("first login from {device}")).evidence(row.evidence())
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The key fields' values, in the manifest's order.
    pub labels: Labels,
    /// When it happened, on the data's clock; within the window.
    pub at: Timestamp,
    /// Until when a firing level holds without another signal; `None`: to the end of the next step of the plan's grid,
    /// or of the manifest's `every` if there is no grid.
    pub until: Option<Timestamp>,
    /// A level, its end, or a single event.
    pub kind: SignalKind,
    /// What makes an event another one than other events of its instant and labels; `None`: the first document that its
    /// evidence names. Texts and details never do.
    pub identity: Option<String>,
    /// The number that the verdict is based on; a manifest's `worse:` compares it. Only finite values are kept.
    pub value: Option<f64>,
    /// The threshold that it was compared with.
    pub threshold: Option<f64>,
    /// One line for people, 2 KiB at most.
    pub summary: String,
    /// A JSON object as text, available as `details.*` in a manifest's texts.
    pub details: String,
    /// The documents behind it, for people.
    pub evidence: Option<Evidence>,
}

/// The kind of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalKind {
    /// A level that holds until `until`.
    Firing,
    /// The end of a level.
    Clear,
    /// A single event.
    Event,
}

/// Collects a rule's signals.
///
/// A run returns at most 10,000 signals and, by default, 4 MiB: if there are more, the host evaluates a shorter window.
#[derive(Debug, Default)]
pub struct Signals {
    found: Vec<Signal>,
}

/// How many signals of one instant are reported, and their bytes: below the host's limits for a run.
const INSTANT_SIGNALS_MAX: usize = 10_000;
const INSTANT_BYTES_MAX: usize = 3 << 20;

impl Signal {
    /// A level that begins at `at`, or still holds then, and lasts until [`until`](Self::until).
    pub fn firing(labels: Labels, at: Timestamp) -> Self {
        Self::new(SignalKind::Firing, labels, at)
    }

    /// The end of a level, before its time has run out.
    pub fn clear(labels: Labels, at: Timestamp) -> Self {
        Self::new(SignalKind::Clear, labels, at)
    }

    /// Something that is announced once and has no duration.
    pub fn event(labels: Labels, at: Timestamp) -> Self {
        Self::new(SignalKind::Event, labels, at)
    }

    fn new(kind: SignalKind, labels: Labels, at: Timestamp) -> Self {
        Self {
            labels,
            at,
            until: None,
            kind,
            identity: None,
            value: None,
            threshold: None,
            summary: String::new(),
            details: "{}".into(),
            evidence: None,
        }
    }

    /// Sets until when the level holds without another signal. By default it holds to the end of the next step of the
    /// plan's grid, or of the manifest's `every` if there is no grid: long enough for a rule that fires in every step.
    /// An `until` before the signal's own time, or more than 366 days after the window's end, fails the run.
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// Sets what makes an event another one than other events of its instant and labels. By default that is the first
    /// document that its [`evidence`](Self::evidence) names; events without either are counted. Choose something that
    /// does not change when documents arrive late, and never a text for people: runs overlap, and the host announces an
    /// event again if its identity differs. If it is longer than 1 KiB, it is truncated and ends in a hash of the whole.
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(bounds::label(identity.into()));
        self
    }

    /// Sets the number that a manifest's `worse:` compares and `{{ value }}` prints. Only finite values are kept.
    pub fn value(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }

    /// Sets the threshold that the value was compared with.
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// Sets the summary, one line for people. If it is longer than 2 KiB, it is truncated and ends in an ellipsis.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = bounds::text(summary.into(), bounds::SUMMARY_BYTES_MAX);
        self
    }

    /// Sets the details: a struct, a map or `json!({…})`. Anything but a JSON object is dropped, with a warning in the
    /// log. If they exceed 64 KiB as JSON, the longest strings and lists are shortened.
    pub fn details(mut self, details: &impl Serialize) -> Self {
        match serde_json::to_string(details) {
            Ok(text) if text.starts_with('{') => match bounds::details(&text) {
                Some(text) => self.details = text,
                None => crate::log::warn(format_args!("details of {} bytes are dropped", text.len())),
            },
            Ok(text) => crate::log::warn(format_args!("details must be a JSON object, not {text}")),
            Err(error) => crate::log::warn(format_args!("details cannot be serialized as JSON: {error}")),
        }
        self
    }

    /// Sets the documents behind the signal: the host fetches those that the alert's texts show, and links to all.
    pub fn evidence(mut self, evidence: Evidence) -> Self {
        self.evidence = Some(evidence);
        self
    }

    /// Its approximate share of a run's output, in bytes.
    fn bytes(&self) -> usize {
        // The host adds the labels to the evidence.
        let labels: usize =
            self.labels.0.iter().flatten().map(|value| value.len().min(bounds::LABEL_BYTES_MAX)).sum();
        let evidence = self.evidence.as_ref().map_or(0, Evidence::bytes);
        128 + 2 * labels + evidence + self.summary.len() + self.details.len()
    }

    /// Converts it for the host. The fields are public, so the setters' limits are applied again.
    pub(crate) fn into_wire(self) -> wire::Signal {
        wire::Signal {
            labels: self.labels.0.into_iter().map(|value| value.map(bounds::label)).collect(),
            at: self.at.0,
            until: self.until.map(|until| until.0),
            identity: self.identity.map(bounds::label),
            kind: match self.kind {
                SignalKind::Firing => wire::SignalKind::Firing,
                SignalKind::Clear => wire::SignalKind::Clear,
                SignalKind::Event => wire::SignalKind::Event,
            },
            value: self.value,
            threshold: self.threshold,
            summary: bounds::text(self.summary, bounds::SUMMARY_BYTES_MAX),
            details: bounds::details(&self.details).unwrap_or_else(|| "{}".into()),
            evidence: self.evidence.map(Evidence::into_wire),
        }
    }
}

impl Signals {
    /// Adds a signal. If there are more than fit in a run, the host evaluates shorter windows; of those at a single
    /// instant, at most 10,000 (and 3 MiB) are reported and a warning is logged.
    pub fn push(&mut self, signal: Signal) {
        self.found.push(signal);
    }

    /// The number of signals.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there are no signals.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Sorts by time, and at the same instant by labels, because a rule may have iterated over its keys in any order.
    pub(crate) fn into_sorted(mut self) -> Vec<Signal> {
        self.found.sort_by(|a, b| (a.at, &a.labels, a.kind).cmp(&(b.at, &b.labels, b.kind)));
        self.cut_instant();
        self.found
    }

    /// Where there is more than a run may return, the host halves the window; but one instant cannot be halved. Then
    /// some signals are better than none.
    fn cut_instant(&mut self) {
        let [first, .., last] = &self.found[..] else { return };
        if first.at != last.at {
            return;
        }
        let mut bytes = 0;
        let mut fits = |signal: &Signal| {
            bytes += signal.bytes();
            bytes <= INSTANT_BYTES_MAX
        };
        let kept = self.found.iter().take_while(|signal| fits(signal)).count().min(INSTANT_SIGNALS_MAX);
        if kept < self.found.len() {
            crate::log::warn(format_args!(
                "{} signals at {}: only the first {kept} are reported",
                self.found.len(),
                first.at
            ));
            self.found.truncate(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Range;

    use super::*;

    fn signal(label: &str) -> Signal {
        Signal::event(Labels(vec![Some(label.into())]), Timestamp(0))
    }

    #[test]
    fn a_long_text_costs_no_alert() {
        let mut long = signal(&"Mozilla/5.0 (\"x\") ".repeat(500));
        let over = Range::new(Timestamp(0), Timestamp(1));
        long = long.evidence(Evidence::over(over).filter("level: error"));
        // As an author may do without the setters.
        long.summary = "at Main.java:7\n".repeat(1_200);
        long.details = format!("{{\"trace\":\"{}\"}}", "x".repeat(300 << 10));
        let wire = long.into_wire();
        assert!(wire.summary.len() <= bounds::SUMMARY_BYTES_MAX && wire.summary.ends_with('…'));
        assert!(wire.labels[0].as_ref().unwrap().len() <= bounds::LABEL_BYTES_MAX);
        assert!(wire.details.len() <= bounds::DETAILS_BYTES_MAX && wire.details.contains("xxx…"));
    }

    #[test]
    fn an_instant_is_cut_and_a_longer_window_left_to_the_host() {
        let many = |count: usize, step: i64| {
            let mut out = Signals::default();
            (0..count).for_each(|n| {
                let mut found = signal(&n.to_string());
                found.at = Timestamp(n as i64 * step);
                out.push(found.summary("s".repeat(200)));
            });
            out.into_sorted().len()
        };
        assert_eq!(many(5_000, 0), 5_000);
        assert!(many(20_000, 0) <= INSTANT_SIGNALS_MAX);
        assert!(
            crate::testing::take_logs()[0].1.starts_with("20000 signals at 1970-01-01T00:00:00.000Z: only")
        );
        assert_eq!(many(20_000, 1), 20_000);
    }
}
