//! Compares what happened with what was expected.
use serde_json::{Map, Value};
use watchbell_contract::Timestamp;
use watchbell_manifest::{Point, Test, Wanted};

use super::trace::{self, TraceEntry, TraceEvent};
use super::virtual_host::VirtualHost;

/// A difference from the expectation.
#[derive(Clone, Debug)]
pub(crate) struct Discrepancy {
    /// The line of the expectation in the test file.
    pub(crate) line: u32,
    /// The time on the timeline.
    pub(crate) at: String,
    pub(crate) what: What,
    pub(crate) wanted: Vec<Map<String, Value>>,
    pub(crate) seen: Vec<Map<String, Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Signals,
    Episodes,
    Deliveries,
    Gaps,
    /// Something occurred that `never:` or `quiet:` forbids.
    Forbidden,
}

impl What {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Signals => "signals",
            Self::Episodes => "episodes",
            Self::Deliveries => "deliveries",
            Self::Gaps => "gaps",
            Self::Forbidden => "forbidden",
        }
    }
}

/// What happened between two points, as tests compare it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) signals: Vec<Map<String, Value>>,
    pub(crate) deliveries: Vec<Map<String, Value>>,
    pub(crate) episodes: Vec<Map<String, Value>>,
    pub(crate) gaps: u64,
}

/// Signals in order of their time, deliveries in order of sending.
pub(super) fn observed(trace: &[TraceEntry], host: &VirtualHost, gaps: usize, start: Timestamp) -> Observed {
    let mut signals: Vec<_> = trace
        .iter()
        .filter_map(|entry| match &entry.event {
            TraceEvent::Signal(signal) => Some((signal.at, trace::signal(signal, start))),
            _ => None,
        })
        .collect();
    signals.sort_by_key(|(at, _)| *at);
    let deliveries = trace.iter().filter_map(|entry| match &entry.event {
        TraceEvent::Delivery { to, intent, delivered } => Some(trace::delivery(to, intent, *delivered)),
        _ => None,
    });
    Observed {
        signals: signals.into_iter().map(|(_, signal)| signal).collect(),
        deliveries: deliveries.collect(),
        episodes: host.open_episodes().into_iter().map(|episode| trace::episode(episode, start)).collect(),
        gaps: gaps as u64,
    }
}

/// How the observations differ from `point`.
pub(super) fn at_point(point: &Point, observed: &Observed) -> Vec<Discrepancy> {
    let lists = [
        (What::Signals, &point.signals, &observed.signals),
        (What::Episodes, &point.episodes, &observed.episodes),
        (What::Deliveries, &point.deliveries, &observed.deliveries),
    ];
    let differs = |wanted: &[Wanted], seen: &[Map<String, Value>]| {
        wanted.len() != seen.len() || wanted.iter().zip(seen).any(|(wanted, seen)| !wanted.fits(seen))
    };
    let found = |what, wanted: Vec<Map<String, Value>>, seen: &[Map<String, Value>]| Discrepancy {
        line: point.place.line,
        at: point.at.to_string(),
        what,
        wanted,
        seen: seen.to_vec(),
    };
    let mut discrepancies: Vec<_> = lists
        .into_iter()
        .filter_map(|(what, wanted, seen)| {
            let wanted = wanted.as_deref().filter(|wanted| differs(wanted, seen))?;
            Some(found(what, wanted.iter().map(|wanted| wanted.0.clone()).collect(), seen))
        })
        .collect();
    if let Some(gaps) = point.gaps.filter(|gaps| *gaps != observed.gaps) {
        let count = |gaps: u64| Map::from_iter([("gaps".to_owned(), Value::from(gaps))]);
        discrepancies.push(found(What::Gaps, vec![count(gaps)], &[count(observed.gaps)]));
    }
    discrepancies
}

/// What happened although the test forbids it.
pub(super) fn over_all(test: &Test, observed: &Observed) -> Vec<Discrepancy> {
    let any = [Wanted(Map::new())];
    let (signals, deliveries): (&[Wanted], &[Wanted]) = match test.quiet {
        true => (&any, &any),
        false => (&test.never.signals, &test.never.deliveries),
    };
    let forbidden = |never: &[Wanted], seen: &[Map<String, Value>]| -> Vec<Map<String, Value>> {
        seen.iter().filter(|seen| never.iter().any(|never| never.fits(seen))).cloned().collect()
    };
    let mut seen = forbidden(signals, &observed.signals);
    seen.extend(forbidden(deliveries, &observed.deliveries));
    if seen.is_empty() {
        return Vec::new();
    }
    vec![Discrepancy {
        line: test.place.line,
        at: test.until.to_string(),
        what: What::Forbidden,
        wanted: Vec::new(),
        seen,
    }]
}
