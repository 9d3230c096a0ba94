//! What a run found, without what was already committed.
use std::collections::BTreeMap;

use serde_json::Value;
use watchbell_contract::{Signal, SignalKind, Timestamp, Window};
use watchbell_text::{DOCUMENTS, DOCUMENTS_ELSE, DOCUMENTS_NOTE};

use crate::action::Run;
use crate::digest;
use crate::input::Documents;
use crate::record::{LastSignal, Occurrence, SeenSignal};

/// A signal and what belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct LinkedSignal {
    pub(crate) signal: Signal,
    pub(crate) link: Option<String>,
    /// Kept here until they are added to the signal's details.
    pub(crate) documents: Option<Documents>,
    /// How many signals with the same identity came before it.
    pub(crate) nth: u32,
    /// A hash of its identity.
    pub(crate) mark: u64,
    /// A level that is already committed: its values may be new, but it is the same level.
    pub(crate) seen: bool,
}

/// How many signals a rule remembers. A run returns at most 10,000, so only a rule that finds others in the same span
/// each time reaches this; what it forgets is new if it is found again.
pub(crate) const SEEN_MAX: usize = 100_000;

/// Combines signals with their links and documents. `fresh_signals` sets `nth`, `mark` and `seen`.
pub(crate) fn link(
    signals: Vec<Signal>,
    links: Vec<Option<String>>,
    documents: Vec<Option<Documents>>,
) -> Vec<LinkedSignal> {
    let links = links.into_iter().chain(std::iter::repeat(None));
    let documents = documents.into_iter().chain(std::iter::repeat(None));
    let all = signals.into_iter().zip(links).zip(documents);
    all.map(|((signal, link), documents)| LinkedSignal {
        signal,
        link,
        documents,
        nth: 0,
        mark: 0,
        seen: false,
    })
    .collect()
}

impl LinkedSignal {
    /// The occurrence to pass on, for an event.
    pub(crate) fn into_occurrence(self) -> Occurrence {
        let Signal { labels, at, value, threshold, summary, details, .. } = self.signal;
        let last = LastSignal { at, value, threshold, summary, details, link: self.link };
        Occurrence { labels, last, nth: self.nth, mark: self.mark }
    }
}

impl Run {
    /// The indices of the signals that no earlier run has found.
    pub fn unseen(&self, signals: &[Signal]) -> Vec<usize> {
        let mut known = Known::of(&self.seen);
        let mut numbers: Vec<usize> = (0..signals.len()).collect();
        numbers.retain(|number| {
            let signal = &signals[*number];
            is_of(signal, self.window) && known.meet(signal).is_new
        });
        numbers
    }
}

/// Signals not committed before, and committed levels whose value may have changed (`seen`), in order of time, with
/// their documents in their details. Afterwards `seen` holds the signals that a later run may find again.
pub(crate) fn fresh_signals(
    seen: &mut Vec<SeenSignal>,
    signals: Vec<LinkedSignal>,
    window: Window,
) -> Vec<LinkedSignal> {
    let mut known = Known::of(seen);
    let mut fresh = Vec::new();
    for mut linked in signals {
        let signal = &mut linked.signal;
        if !is_of(signal, window) {
            continue;
        }
        // Documents are fetched on a best-effort basis: the same signal may have others, or none, when it is found
        // again.
        let met = known.meet(signal);
        if met.is_new || signal.kind == SignalKind::Firing {
            if let Some(documents) = linked.documents.take() {
                signal.details = with_documents(&signal.details, documents);
            }
            (linked.nth, linked.mark, linked.seen) = (met.nth, met.mark.signal, !met.is_new);
            fresh.push(linked);
        }
    }
    fresh.sort_by_key(|linked| linked.signal.at);
    *seen = known.since(window.settled);
    fresh
}

/// Signals before the state's time are settled; signals after the end belong to a later window.
fn is_of(signal: &Signal, window: Window) -> bool {
    window.start <= signal.at && signal.at <= window.end
}

/// What was seen before, with counts: of signals with the same identity, one more than were seen is new.
struct Known {
    seen: BTreeMap<SeenSignal, u32>,
    found: BTreeMap<SeenSignal, u32>,
}

struct Met {
    mark: SeenSignal,
    /// How many signals with the same identity came before it.
    nth: u32,
    is_new: bool,
}

impl Known {
    fn of(seen: &[SeenSignal]) -> Self {
        let mut counts = BTreeMap::new();
        seen.iter().for_each(|mark| *counts.entry(*mark).or_default() += 1);
        Self { seen: counts, found: BTreeMap::new() }
    }

    fn meet(&mut self, signal: &Signal) -> Met {
        let mark = SeenSignal { at: signal.at, signal: digest::signal_hash(signal) };
        let found = self.found.entry(mark).or_default();
        let nth = *found;
        *found += 1;
        let was_taken_over = self.takes_over(signal, mark);
        let was_seen = was_taken_over || self.seen.get(&mark).is_some_and(|seen| nth < *seen);
        Met { mark, nth, is_new: !was_seen }
    }

    /// Whether it was seen under a mark of an earlier version. If so, today's mark replaces that one.
    fn takes_over(&mut self, signal: &Signal, mark: SeenSignal) -> bool {
        // Texts may be long: they are hashed only where another mark of this instant may be an older one.
        let of = |signal| SeenSignal { signal, ..mark };
        if self.seen.range(of(0)..=of(u64::MAX)).all(|(other, _)| *other == mark) {
            return false;
        }
        let mut older = digest::older_signal_hashes(signal).into_iter().map(of);
        let Some(older) = older.find(|older| self.seen.contains_key(older)) else { return false };
        match self.seen.get_mut(&older) {
            Some(seen) if *seen > 1 => *seen -= 1,
            _ => drop(self.seen.remove(&older)),
        }
        *self.seen.entry(mark).or_default() += 1;
        true
    }

    /// The marks that a later run may find again. Of more than `SEEN_MAX`, the oldest are forgotten.
    fn since(mut self, settled: Timestamp) -> Vec<SeenSignal> {
        for (mark, count) in self.found {
            let seen = self.seen.entry(mark).or_default();
            *seen = (*seen).max(count);
        }
        let kept = self.seen.into_iter().filter(|(mark, _)| mark.at >= settled);
        let mut kept: Vec<SeenSignal> =
            kept.flat_map(|(mark, count)| std::iter::repeat_n(mark, count as usize)).collect();
        kept.drain(..kept.len().saturating_sub(SEEN_MAX));
        kept
    }
}

/// Limit for the texts of a signal of which little is kept.
const TEXT_BYTES_MAX: usize = 1_024;

/// Cuts the summary, and keeps the details only if they are short without their documents.
pub(crate) fn shorten(last: &mut LastSignal) {
    last.summary = cut(&last.summary);
    let mut details = serde_json::from_str::<Value>(&last.details).unwrap_or_default();
    if let Some(members) = details.as_object_mut() {
        members.remove(DOCUMENTS);
    }
    let text = details.to_string();
    let is_kept = details.is_object() && text.len() <= TEXT_BYTES_MAX;
    last.details = if is_kept { text } else { "{}".into() };
}

/// The beginning of a text.
pub(crate) fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

/// `details` with its documents. Unchanged if it is not an object, or the documents are not an array.
fn with_documents(details: &str, documents: Documents) -> String {
    let (Ok(Value::Object(mut object)), Ok(shown @ Value::Array(_))) =
        (serde_json::from_str(details), serde_json::from_str(&documents.shown))
    else {
        return details.to_owned();
    };
    let name = if object.contains_key(DOCUMENTS) { DOCUMENTS_ELSE } else { DOCUMENTS };
    object.insert(name.into(), shown);
    if let Some(note) = documents.note {
        object.insert(DOCUMENTS_NOTE.into(), note.into());
    }
    Value::Object(object).to_string()
}

/// `details` with the documents of `before`, unless it has its own. Documents are fetched once, for a new signal.
pub(crate) fn keep_documents(before: &str, details: String) -> String {
    let (Ok(Value::Object(mut before)), Ok(Value::Object(mut after))) =
        (serde_json::from_str(before), serde_json::from_str(&details))
    else {
        return details;
    };
    let kept = [DOCUMENTS, DOCUMENTS_ELSE, DOCUMENTS_NOTE].into_iter();
    let kept: Vec<_> = kept
        .filter(|name| !after.contains_key(*name))
        .filter_map(|name| Some((name.to_owned(), before.remove(name)?)))
        .collect();
    if kept.is_empty() {
        return details;
    }
    after.extend(kept);
    Value::Object(after).to_string()
}

#[cfg(test)]
mod tests {
    use watchbell_contract::{Document, Evidence, Label, Timestamp};

    use super::*;

    const WINDOW: Window = Window { start: Timestamp(0), settled: Timestamp(10), end: Timestamp(60) };

    fn signal(kind: SignalKind, at: i64, summary: &str) -> Signal {
        Signal {
            labels: vec![Label { name: "host".into(), value: Some("a".into()) }],
            at: Timestamp(at),
            until: None,
            kind,
            identity: None,
            value: None,
            threshold: None,
            summary: summary.into(),
            details: "{}".into(),
            evidence: None,
        }
    }

    fn fresh(seen: &mut Vec<SeenSignal>, signals: &[Signal]) -> Vec<(String, u32)> {
        let linked = link(signals.to_vec(), Vec::new(), Vec::new());
        let fresh = fresh_signals(seen, linked, WINDOW).into_iter().filter(|linked| !linked.seen);
        fresh.map(|it| (it.signal.summary, it.nth)).collect()
    }

    #[test]
    fn only_the_late_event_of_the_same_instant_is_new() {
        let event = |summary: &str| Signal {
            identity: Some(summary.into()),
            ..signal(SignalKind::Event, 20, summary)
        };
        let mut seen = Vec::new();
        assert_eq!(fresh(&mut seen, &[event("b"), event("c")]), [("b".into(), 0), ("c".into(), 0)]);
        // The late one comes first in the order of documents.
        assert_eq!(fresh(&mut seen, &[event("a"), event("b"), event("c")]), [("a".into(), 0)]);
        assert_eq!(fresh(&mut seen, &[event("a"), event("b"), event("c")]), []);
    }

    #[test]
    fn events_that_say_the_same_are_counted() {
        let event = signal(SignalKind::Event, 20, "same");
        let mut seen = Vec::new();
        assert_eq!(fresh(&mut seen, &[event.clone(), event.clone()]).len(), 2);
        assert_eq!(fresh(&mut seen, &[event.clone(), event.clone(), event]), [("same".into(), 2)]);
    }

    #[test]
    fn events_without_an_identity_are_counted_whatever_they_say() {
        let event = |summary| signal(SignalKind::Event, 20, summary);
        let mut seen = Vec::new();
        assert_eq!(fresh(&mut seen, &[event("b"), event("c")]).len(), 2);
        // Which of the three is late is unknown: they are announced as often as they happened.
        assert_eq!(fresh(&mut seen, &[event("a"), event("b"), event("c")]), [("c".into(), 2)]);
        assert_eq!(fresh(&mut seen, &[event("a"), event("b"), event("c")]), []);
    }

    #[test]
    fn rewording_an_event_announces_it_once() {
        let identified = Signal { identity: Some("7".into()), ..signal(SignalKind::Event, 20, "same") };
        for event in [identified, named("a"), signal(SignalKind::Event, 20, "same")] {
            let mut seen = Vec::new();
            assert_eq!(fresh(&mut seen, std::slice::from_ref(&event)).len(), 1);
            let marks = seen.clone();
            let reworded = Signal {
                value: Some(7.0),
                summary: "in other words".into(),
                details: r#"{"more":1}"#.into(),
                ..event
            };
            assert_eq!(fresh(&mut seen, &[reworded]), []);
            assert_eq!(seen, marks);
        }
    }

    #[test]
    fn an_identity_counts_for_more_than_the_document() {
        let identified = |id, identity: &str| Signal { identity: Some(identity.into()), ..named(id) };
        let mut seen = Vec::new();
        assert_eq!(fresh(&mut seen, &[identified("a", "1"), identified("a", "2"), named("a")]).len(), 3);
        assert_eq!(fresh(&mut seen, &[identified("b", "2"), identified("c", "1"), named("a")]), []);
    }

    #[test]
    fn the_index_is_part_of_a_documents_name_and_the_first_document_counts() {
        let event = |documents: &[(Option<&str>, &str)]| {
            let document = |(index, id): &(Option<&str>, &str)| Document {
                at: Timestamp(20),
                index: index.map(str::to_owned),
                id: (*id).into(),
            };
            let documents = documents.iter().map(document).collect();
            Signal { evidence: Some(Evidence::Documents(documents)), ..signal(SignalKind::Event, 20, "x") }
        };
        let [one, other, unknown] = [Some("a"), Some("b"), None].map(|index| event(&[(index, "1")]));
        let mut seen = Vec::new();
        assert_eq!(fresh(&mut seen, &[one, other, unknown]).len(), 3);
        assert_eq!(fresh(&mut seen, &[event(&[(Some("b"), "1"), (None, "2")])]), []);
        assert_eq!(fresh(&mut seen, &[event(&[(None, "2"), (Some("b"), "1")])]).len(), 1);
    }

    #[test]
    fn labels_and_instant_are_part_of_every_identity() {
        let event = |at, host: &str| Signal {
            labels: vec![Label { name: "host".into(), value: Some(host.into()) }],
            identity: Some("7".into()),
            ..signal(SignalKind::Event, at, "x")
        };
        let mut seen = Vec::new();
        assert_eq!(fresh(&mut seen, &[event(20, "a"), event(20, "b"), event(21, "a")]).len(), 3);
    }

    #[test]
    fn a_level_whose_text_changed_is_the_same_level() {
        let mut seen = Vec::new();
        assert_eq!(fresh(&mut seen, &[signal(SignalKind::Firing, 20, "3 errors")]).len(), 1);
        assert_eq!(fresh(&mut seen, &[signal(SignalKind::Firing, 20, "4 errors")]), []);
    }

    #[test]
    fn a_level_is_found_again_and_an_event_is_not() {
        let mut seen = Vec::new();
        let found = [signal(SignalKind::Firing, 20, "3 errors"), signal(SignalKind::Event, 20, "x")];
        fresh(&mut seen, &found);
        let again = fresh_signals(&mut seen, link(found.to_vec(), Vec::new(), Vec::new()), WINDOW);
        let kinds: Vec<_> = again.iter().map(|linked| (linked.signal.kind, linked.seen)).collect();
        assert_eq!(kinds, [(SignalKind::Firing, true)]);
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn documents_stay_with_a_level_whose_value_changes() {
        assert_eq!(
            keep_documents(r#"{"n":3,"documents":[{"a":1}],"documents_note":"1 of 2"}"#, r#"{"n":4}"#.into()),
            r#"{"n":4,"documents":[{"a":1}],"documents_note":"1 of 2"}"#
        );
        let own = r#"{"documents":[2]}"#;
        assert_eq!(keep_documents(r#"{"documents":[1]}"#, own.into()), own);
        assert_eq!(keep_documents("7", "8".into()), "8");
    }

    #[test]
    fn the_oldest_are_forgotten_where_too_many_would_be_remembered() {
        let mut seen: Vec<SeenSignal> =
            (0..SEEN_MAX as u64).map(|signal| SeenSignal { at: Timestamp(11), signal }).collect();
        let found = [20, 21].map(|at| signal(SignalKind::Event, at, "x"));
        assert_eq!(fresh(&mut seen, &found).len(), 2);
        assert_eq!((seen.len(), seen[0].signal), (SEEN_MAX, 2));
        assert_eq!(fresh(&mut seen, &found), []);
    }

    #[test]
    fn only_what_may_be_found_again_is_remembered() {
        let mut seen = Vec::new();
        let signals = [5, 10, 60, 61].map(|at| signal(SignalKind::Event, at, "x"));
        assert_eq!(fresh(&mut seen, &signals).len(), 3);
        assert_eq!(seen.iter().map(|seen| seen.at.0).collect::<Vec<_>>(), [10, 60]);
    }

    fn named(id: &str) -> Signal {
        let document = Document { at: Timestamp(20), index: Some("logs".into()), id: id.into() };
        let evidence = Some(Evidence::Documents(vec![document]));
        Signal { evidence, ..signal(SignalKind::Event, 20, "same") }
    }

    #[test]
    fn two_documents_of_one_instant_are_two() {
        let mut seen = Vec::new();
        assert_eq!(fresh(&mut seen, &[named("b")]).len(), 1);
        // The late one is identical and comes first: it counts as the one already seen, and the other one is not new
        // again.
        let linked = link(vec![named("a"), named("b")], Vec::new(), Vec::new());
        let run = fresh_signals(&mut seen, linked, WINDOW);
        assert_eq!(run.iter().map(|it| it.signal.clone()).collect::<Vec<_>>(), [named("a")]);
        assert_eq!(seen.len(), 2);
        assert_eq!(fresh(&mut seen, &[named("b"), named("a")]), []);
    }

    /// The mark of an earlier version: with the document's name, or from before events had one.
    fn older(signal: &Signal, is_named: bool) -> SeenSignal {
        let hashes = digest::older_signal_hashes(signal);
        let hash = if is_named { hashes.first() } else { hashes.last() };
        SeenSignal { at: signal.at, signal: *hash.expect("events had other marks") }
    }

    #[test]
    fn marks_of_before_documents_had_names_count_for_as_many() {
        let unnamed = |id| older(&named(id), false);
        let mut seen = vec![unnamed("a"), unnamed("b")];
        assert_eq!(unnamed("a"), unnamed("b"));
        assert_eq!(fresh(&mut seen, &[named("b")]), []);
        // One of the old marks is left; a third document is new.
        assert_eq!(fresh(&mut seen, &[named("a"), named("b")]), []);
        assert_eq!(fresh(&mut seen, &[named("a"), named("b"), named("c")]).len(), 1);
        assert_eq!(fresh(&mut seen, &[named("a"), named("b"), named("c")]), []);
        let marks: Vec<_> = ["a", "b", "c"].map(|id| digest::signal_hash(&named(id))).into();
        assert!(seen.len() == 3 && seen.iter().all(|seen| marks.contains(&seen.signal)));
    }

    #[test]
    fn marks_of_documents_and_their_content_are_taken_over_once() {
        let mut seen = vec![older(&named("a"), true), older(&named("b"), true)];
        assert_ne!(seen[0], seen[1]);
        assert_eq!(fresh(&mut seen, &[named("b")]), []);
        // The mark of one is left, and is not that of another document.
        assert_eq!(fresh(&mut seen, &[named("c"), named("b")]).len(), 1);
        assert_eq!(fresh(&mut seen, &[named("a"), named("b"), named("c")]), []);
        let mut marks: Vec<_> = ["a", "b", "c"].map(|id| digest::signal_hash(&named(id))).into();
        marks.sort_unstable();
        assert_eq!(seen.iter().map(|seen| seen.signal).collect::<Vec<_>>(), marks);
    }

    #[test]
    fn marks_of_content_count_for_events_without_identity() {
        let event = |summary| signal(SignalKind::Event, 20, summary);
        let mut seen = vec![older(&event("a"), false), older(&event("b"), false)];
        assert_eq!(fresh(&mut seen, &[event("late"), event("a")]), [("late".into(), 0)]);
        // `b` was not found then, and is no new event now, whatever comes before it.
        assert_eq!(fresh(&mut seen, &[event("late"), event("a"), event("b")]), []);
        assert_eq!(fresh(&mut seen, &[event("b"), event("a"), event("late")]), []);
        assert_eq!(seen.len(), 3);
        let last = [event("b"), event("a"), event("late"), event("new")];
        assert_eq!(fresh(&mut seen, &last), [("new".into(), 3)]);
    }

    #[test]
    fn marks_of_levels_and_of_earlier_versions_never_change() {
        let level = signal(SignalKind::Firing, 20, "3 errors");
        assert!(digest::older_signal_hashes(&level).is_empty());
        assert_eq!(digest::signal_hash(&level), 15_991_163_974_257_499_354);
        let older = [8_897_962_698_519_667_846, 3_526_418_780_040_200_731];
        assert_eq!(digest::older_signal_hashes(&named("a")), older);
    }

    #[test]
    fn a_run_knows_what_nobody_notified_of() {
        let mut seen = Vec::new();
        fresh(&mut seen, &[named("a"), signal(SignalKind::Firing, 20, "x")]);
        let signals =
            [named("a"), named("b"), signal(SignalKind::Firing, 20, "y"), signal(SignalKind::Event, 61, "z")];
        assert_eq!(crate::fixtures::run_after(seen, WINDOW).unseen(&signals), [1]);
    }

    fn shown(documents: &str) -> Documents {
        Documents { shown: documents.into(), note: None }
    }

    #[test]
    fn documents_are_passed_on_but_do_not_distinguish_signals() {
        let event = Signal { details: r#"{"b":1,"a":2}"#.into(), ..signal(SignalKind::Event, 20, "x") };
        let mut seen = Vec::new();
        let with =
            |documents: Option<&str>| link(vec![event.clone()], Vec::new(), vec![documents.map(shown)]);
        let first = fresh_signals(&mut seen, with(Some(r#"[{"n":1}]"#)), WINDOW);
        assert_eq!(first[0].signal.details, r#"{"b":1,"a":2,"documents":[{"n":1}]}"#);
        assert!(fresh_signals(&mut seen, with(Some("[]")), WINDOW).is_empty());
        assert!(fresh_signals(&mut seen, with(None), WINDOW).is_empty());
    }

    #[test]
    fn documents_and_what_is_missing_take_no_detail_of_the_rules() {
        let noted = Documents { note: Some("40 documents more".into()), ..shown("[{}]") };
        assert_eq!(with_documents("{}", noted), r#"{"documents":[{}],"documents_note":"40 documents more"}"#);
        assert_eq!(
            with_documents(r#"{"documents":7}"#, shown("[{}]")),
            r#"{"documents":7,"_documents":[{}]}"#
        );
    }

    #[test]
    fn what_is_no_list_of_documents_changes_nothing() {
        assert_eq!(with_documents(r#"{"a":1}"#, shown("{}")), r#"{"a":1}"#);
        assert_eq!(with_documents(r#"{"a":1}"#, shown("[cut")), r#"{"a":1}"#);
        assert_eq!(with_documents("7", shown("[]")), "7");
    }
}
