//! What happened against what was wanted.
use serde_json::{Map, Value};
use watchbell_contract::Timestamp;
use watchbell_manifest::{Point, Test, Wanted};

use super::sighting::{self, Sight, Sighting};
use super::stage::Stage;

/// Something that is not as it was wanted.
#[derive(Clone, Debug)]
pub(crate) struct Discrepancy {
    /// The line of the test file that wanted it.
    pub(crate) line: u32,
    /// At which time of the timeline.
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
    /// Something of `never:` or `quiet:` came.
    Forbidden,
}

impl What {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Signals => "signals",
            Self::Episodes => "episodes",
            Self::Deliveries => "deliveries",
            Self::Gaps => "gaps",
            Self::Forbidden => "must never come",
        }
    }
}

/// What came to pass between two points, as tests compare it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passed {
    pub(crate) signals: Vec<Map<String, Value>>,
    pub(crate) deliveries: Vec<Map<String, Value>>,
    pub(crate) episodes: Vec<Map<String, Value>>,
    pub(crate) gaps: u64,
}

/// Signals in order of their own time, deliveries in order of sending.
pub(super) fn passed(story: &[Sighting], stage: &Stage, gaps: usize, start: Timestamp) -> Passed {
    let mut signals: Vec<_> = story
        .iter()
        .filter_map(|sighting| match &sighting.sight {
            Sight::Signal(signal) => Some((signal.at, sighting::signal(signal, start))),
            _ => None,
        })
        .collect();
    signals.sort_by_key(|(at, _)| *at);
    let deliveries = story.iter().filter_map(|sighting| match &sighting.sight {
        Sight::Delivery { to, intent, delivered } => Some(sighting::delivery(to, intent, *delivered)),
        _ => None,
    });
    Passed {
        signals: signals.into_iter().map(|(_, signal)| signal).collect(),
        deliveries: deliveries.collect(),
        episodes: stage
            .open_episodes()
            .into_iter()
            .map(|episode| sighting::episode(episode, start))
            .collect(),
        gaps: gaps as u64,
    }
}

/// What of `point` did not come, or came besides.
pub(super) fn at_point(point: &Point, passed: &Passed) -> Vec<Discrepancy> {
    let lists = [
        (What::Signals, &point.signals, &passed.signals),
        (What::Episodes, &point.episodes, &passed.episodes),
        (What::Deliveries, &point.deliveries, &passed.deliveries),
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
    if let Some(gaps) = point.gaps.filter(|gaps| *gaps != passed.gaps) {
        let count = |gaps: u64| Map::from_iter([("gaps".to_owned(), Value::from(gaps))]);
        discrepancies.push(found(What::Gaps, vec![count(gaps)], &[count(passed.gaps)]));
    }
    discrepancies
}

/// What came although the test says that it never does.
pub(super) fn over_all(test: &Test, passed: &Passed) -> Vec<Discrepancy> {
    let any = [Wanted(Map::new())];
    let (signals, deliveries): (&[Wanted], &[Wanted]) = match test.quiet {
        true => (&any, &any),
        false => (&test.never.signals, &test.never.deliveries),
    };
    let forbidden = |never: &[Wanted], seen: &[Map<String, Value>]| -> Vec<Map<String, Value>> {
        seen.iter().filter(|seen| never.iter().any(|never| never.fits(seen))).cloned().collect()
    };
    let mut seen = forbidden(signals, &passed.signals);
    seen.extend(forbidden(deliveries, &passed.deliveries));
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
