//! What a run found, less what was committed before.
use std::collections::BTreeMap;

use serde_json::Value;
use watchbell_contract::{Signal, Window};

use crate::digest;
use crate::episode::LinkedSignal;
use crate::record::Told;

/// Puts signals beside their links and documents. `nth` and `mark` are `fresh_signals`' to set.
pub(crate) fn link(
    signals: Vec<Signal>,
    links: Vec<Option<String>>,
    documents: Vec<Option<String>>,
) -> Vec<LinkedSignal> {
    let links = links.into_iter().chain(std::iter::repeat(None));
    let documents = documents.into_iter().chain(std::iter::repeat(None));
    let all = signals.into_iter().zip(links).zip(documents);
    all.map(|((signal, link), documents)| LinkedSignal { signal, link, documents, nth: 0, mark: 0 }).collect()
}

/// Signals that were not committed before, in order of time, their documents in their details; `told` then holds
/// those that a later run may repeat.
pub(crate) fn fresh_signals(
    told: &mut Vec<Told>,
    signals: Vec<LinkedSignal>,
    window: Window,
) -> Vec<LinkedSignal> {
    let mut known: BTreeMap<Told, u32> = BTreeMap::new();
    told.drain(..).for_each(|mark| *known.entry(mark).or_default() += 1);
    let mut found: BTreeMap<Told, u32> = BTreeMap::new();
    let mut fresh = Vec::new();
    for mut linked in signals {
        let signal = &mut linked.signal;
        // What lies before the state is settled; what lies after the end is not this window's to tell.
        if signal.at < window.start || signal.at > window.end {
            continue;
        }
        // Documents are fetched as well as can be: the same signal may have others, or none, when it is found again.
        let mark = Told { at: signal.at, signal: digest::signal_hash(signal) };
        let nth = found.entry(mark).or_default();
        // Those that say the same are counted: of a late third one is new.
        if known.get(&mark).is_none_or(|known| known <= nth) {
            if let Some(documents) = linked.documents.take() {
                signal.details = with_documents(&signal.details, &documents);
            }
            (linked.nth, linked.mark) = (*nth, mark.signal);
            fresh.push(linked);
        }
        *nth += 1;
    }
    fresh.sort_by_key(|linked| linked.signal.at);
    for (mark, count) in found {
        let known = known.entry(mark).or_default();
        *known = (*known).max(count);
    }
    let kept = known.into_iter().filter(|(mark, _)| mark.at >= window.settled);
    told.extend(kept.flat_map(|(mark, count)| std::iter::repeat_n(mark, count as usize)));
    fresh
}

/// `details` with `documents` under that name. What is not an object, or not an array, is left as it was.
fn with_documents(details: &str, documents: &str) -> String {
    let (Ok(Value::Object(mut object)), Ok(documents @ Value::Array(_))) =
        (serde_json::from_str(details), serde_json::from_str(documents))
    else {
        return details.to_owned();
    };
    object.insert("documents".into(), documents);
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use watchbell_contract::{Label, SignalKind, Timestamp};

    use super::*;

    const WINDOW: Window = Window { start: Timestamp(0), settled: Timestamp(10), end: Timestamp(60) };

    fn signal(kind: SignalKind, at: i64, summary: &str) -> Signal {
        Signal {
            labels: vec![Label { name: "host".into(), value: Some("a".into()) }],
            at: Timestamp(at),
            until: None,
            kind,
            value: None,
            threshold: None,
            summary: summary.into(),
            details: "{}".into(),
            evidence: None,
        }
    }

    fn fresh(told: &mut Vec<Told>, signals: &[Signal]) -> Vec<(String, u32)> {
        let linked = link(signals.to_vec(), Vec::new(), Vec::new());
        fresh_signals(told, linked, WINDOW).into_iter().map(|it| (it.signal.summary, it.nth)).collect()
    }

    #[test]
    fn a_late_event_of_the_same_instant_is_told_alone() {
        let event = |summary| signal(SignalKind::Event, 20, summary);
        let mut told = Vec::new();
        assert_eq!(fresh(&mut told, &[event("b"), event("c")]), [("b".into(), 0), ("c".into(), 0)]);
        // The late one comes first in the order of documents.
        assert_eq!(fresh(&mut told, &[event("a"), event("b"), event("c")]), [("a".into(), 0)]);
        assert_eq!(fresh(&mut told, &[event("a"), event("b"), event("c")]), []);
    }

    #[test]
    fn events_that_say_the_same_are_counted() {
        let event = signal(SignalKind::Event, 20, "same");
        let mut told = Vec::new();
        assert_eq!(fresh(&mut told, &[event.clone(), event.clone()]).len(), 2);
        assert_eq!(fresh(&mut told, &[event.clone(), event.clone(), event]), [("same".into(), 2)]);
    }

    #[test]
    fn a_level_whose_text_changed_is_the_same_level() {
        let mut told = Vec::new();
        assert_eq!(fresh(&mut told, &[signal(SignalKind::Firing, 20, "3 errors")]).len(), 1);
        assert_eq!(fresh(&mut told, &[signal(SignalKind::Firing, 20, "4 errors")]), []);
    }

    #[test]
    fn only_what_may_be_found_again_is_remembered() {
        let mut told = Vec::new();
        let signals = [5, 10, 60, 61].map(|at| signal(SignalKind::Event, at, "x"));
        assert_eq!(fresh(&mut told, &signals).len(), 3);
        assert_eq!(told.iter().map(|told| told.at.0).collect::<Vec<_>>(), [10, 60]);
    }

    #[test]
    fn documents_are_told_but_tell_no_signals_apart() {
        let event = Signal { details: r#"{"b":1,"a":2}"#.into(), ..signal(SignalKind::Event, 20, "x") };
        let mut told = Vec::new();
        let with = |documents: Option<&str>| {
            link(vec![event.clone()], Vec::new(), vec![documents.map(str::to_owned)])
        };
        let first = fresh_signals(&mut told, with(Some(r#"[{"n":1}]"#)), WINDOW);
        assert_eq!(first[0].signal.details, r#"{"b":1,"a":2,"documents":[{"n":1}]}"#);
        assert!(fresh_signals(&mut told, with(Some("[]")), WINDOW).is_empty());
        assert!(fresh_signals(&mut told, with(None), WINDOW).is_empty());
    }

    #[test]
    fn what_is_no_list_of_documents_changes_nothing() {
        assert_eq!(with_documents(r#"{"a":1}"#, "{}"), r#"{"a":1}"#);
        assert_eq!(with_documents(r#"{"a":1}"#, "[cut"), r#"{"a":1}"#);
        assert_eq!(with_documents("7", "[]"), "7");
    }
}
