//! The documents behind a run's signals, for people: only those that texts and destinations show. Best effort: a
//! message without its documents is better than none.
use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use tokio::time::Instant;
use watchbell_contract::{Label, Signal, SignalKind};
use watchbell_elastic::{AskError, Class, EvidenceAsk, EvidenceDocs, EvidenceFields};
use watchbell_pipeline::action::{Purpose, Run};
use watchbell_pipeline::input::{Documents, Evaluation};
use watchbell_text::{DOCUMENTS_MAX, Wanted};

use crate::bind::LiveRule;
use crate::{chain, clock};

/// The time limit for all of it, per run.
const WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(2);
/// The maximum signals of a run for which documents are fetched, and the maximum documents in total.
const SIGNALS_MAX: usize = 20;
/// Maximum concurrent queries.
const AT_ONCE: usize = 4;
/// Beyond this, the cluster does not count documents that are not shown.
const COUNTED_MAX: u64 = 1_000;

/// Adds links to the documents behind each signal, and the documents that its messages show.
pub(crate) async fn gather(run: &Run, rule: &LiveRule, evaluation: &mut Evaluation) {
    // Priming notifies nobody.
    if run.purpose != Purpose::Live {
        return;
    }
    let signals = &evaluation.finding.signals;
    evaluation.links = signals.iter().map(|signal| rule.link(signal)).collect();
    if rule.wanted.count == 0 {
        return;
    }
    let candidates = candidates(signals, run.unseen(signals));
    let (chosen, rest) = candidates.split_at(candidates.len().min(SIGNALS_MAX));
    evaluation.documents = vec![None; signals.len()];
    for number in rest {
        let note = format!("its documents were not fetched: {SIGNALS_MAX} messages of a run show theirs");
        evaluation.documents[*number] = Some(none(note));
    }
    // Twenty documents in total.
    let each = u32::try_from(SIGNALS_MAX / chosen.len().max(1)).unwrap_or(1);
    let bound = each.clamp(1, DOCUMENTS_MAX);
    let found = fetch(rule, signals, chosen, rule.wanted.count.min(bound)).await;
    for (number, found) in found {
        evaluation.documents[number] = Some(match found {
            Ok(docs) => shown(&docs, rule.wanted.count.max(1), bound),
            Err(note) => none(note.to_owned()),
        });
    }
}

/// The signals whose documents a message may show, most urgent first. Each event is a message of its own; of a level,
/// the newest signal is shown. If there are too many, every key gets one before any gets a second.
fn candidates(signals: &[Signal], unseen: Vec<usize>) -> Vec<usize> {
    let (mut events, mut levels) = (Vec::new(), BTreeMap::new());
    for number in unseen {
        let signal = &signals[number];
        match signal.kind {
            _ if signal.evidence.is_none() => {}
            SignalKind::Event => events.push(number),
            SignalKind::Firing => {
                levels.insert(&signal.labels, number);
            }
            SignalKind::Clear => {}
        }
    }
    let mut all: Vec<usize> = events.into_iter().chain(levels.into_values()).collect();
    all.sort_by_key(|number| signals[*number].at);
    let mut keys: BTreeSet<&[Label]> = BTreeSet::new();
    let (mut first, again): (Vec<usize>, Vec<usize>) =
        all.into_iter().partition(|number| keys.insert(&signals[*number].labels));
    first.extend(again);
    first
}

async fn fetch(
    rule: &LiveRule,
    signals: &[Signal],
    chosen: &[usize],
    count: u32,
) -> Vec<(usize, Result<EvidenceDocs, &'static str>)> {
    let deadline = Instant::from_std(clock::monotonic() + WAIT_MAX);
    let asks = chosen.iter().filter_map(|number| {
        let evidence = signals[*number].evidence.as_ref()?;
        Some((*number, EvidenceAsk { evidence, count }))
    });
    let (named, queries): (Vec<_>, Vec<_>) = asks.partition(|(_, ask)| ask.is_named());
    let Wanted { fields, named: by_name, .. } = &rule.wanted;
    let fields = EvidenceFields { source: fields.as_ref(), named: Some(by_name) };
    let missed = |error: &AskError| {
        tracing::warn!(rule = %rule.name, error = chain(error), "documents for a message could not be fetched");
        match error.class() {
            Class::Slow => "its documents could not be fetched in time",
            _ => "its documents could not be fetched",
        }
    };
    let names = async {
        let asks: Vec<EvidenceAsk<'_>> = named.iter().map(|(_, ask)| *ask).collect();
        if asks.is_empty() {
            return Vec::new();
        }
        let numbers = named.iter().map(|(number, _)| *number);
        match rule.cluster.named_evidence(&rule.target, &asks, fields, deadline).await {
            Ok(found) => numbers.zip(found.into_iter().map(Ok)).collect(),
            Err(error) => {
                let note = missed(&error);
                numbers.map(|number| (number, Err(note))).collect()
            }
        }
    };
    let newest = async {
        let mut all = Vec::new();
        for queries in queries.chunks(AT_ONCE) {
            let asked =
                queries.iter().map(|(_, ask)| rule.cluster.evidence(&rule.target, *ask, fields, deadline));
            let found = join_all(asked).await.into_iter().map(|found| found.map_err(|error| missed(&error)));
            all.extend(queries.iter().map(|(number, _)| *number).zip(found));
        }
        all
    };
    let (mut all, newest) = tokio::join!(names, newest);
    all.extend(newest);
    all
}

/// What was fetched, and in words what was not. `wanted` is what the texts show, `bound` the maximum for a signal.
fn shown(found: &EvidenceDocs, wanted: u32, bound: u32) -> Documents {
    let sources: Vec<&str> = found.docs.iter().map(|doc| doc.source.as_str()).collect();
    let (fetched, long) = (found.docs.len() as u64, found.left_out as u64);
    let mut notes = Vec::new();
    if found.found == 0 {
        notes.push("its documents are not there any more".to_owned());
    }
    if long > 0 {
        notes.push(format!("{} more than 64 KiB", counted(long, "document takes", "documents take")));
    }
    // A text that shows only the newest document leaves none out.
    let more = found.found.saturating_sub(fetched + long);
    if more > 0 && (wanted > bound || wanted >= DOCUMENTS_MAX) {
        let least = if found.found >= COUNTED_MAX { "at least " } else { "" };
        notes.push(format!("{least}{} more", counted(more, "document", "documents")));
    }
    Documents {
        shown: format!("[{}]", sources.join(",")),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}

fn none(note: String) -> Documents {
    Documents { shown: "[]".into(), note: Some(note) }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use watchbell_contract::{Evidence, Range, Selection, Timestamp};
    use watchbell_elastic::EvidenceDoc;

    use super::*;

    fn signal(kind: SignalKind, key: &str, at: i64) -> Signal {
        Signal {
            labels: vec![Label { name: "k".into(), value: Some(key.into()) }],
            at: Timestamp(at),
            until: None,
            kind,
            value: None,
            threshold: None,
            summary: String::new(),
            details: "{}".into(),
            identity: None,
            evidence: Some(Evidence::Selection(Selection {
                over: Range::new(Timestamp(0), Timestamp(at)),
                only: Vec::new(),
                filters: Vec::new(),
                newest: 1,
            })),
        }
    }

    #[test]
    fn each_key_comes_before_another_keys_second() {
        use SignalKind::{Clear, Event, Firing};
        let signals = [
            signal(Event, "a", 1),
            signal(Event, "a", 2),
            signal(Event, "b", 3),
            signal(Firing, "c", 4),
            signal(Firing, "c", 5),
            signal(Clear, "d", 6),
            Signal { evidence: None, ..signal(Event, "e", 7) },
            signal(Event, "f", 8),
        ];
        assert_eq!(candidates(&signals, (0..7).collect()), [0, 2, 4, 1]);
    }

    fn found(count: usize, left_out: usize, found: u64) -> EvidenceDocs {
        let doc = EvidenceDoc { index: "x".into(), id: "1".into(), at: None, source: "{}".into() };
        EvidenceDocs { docs: vec![doc; count], left_out, found }
    }

    #[test]
    fn what_a_bound_leaves_out_is_said() {
        let note = |docs, wanted, bound| shown(&docs, wanted, bound).note.unwrap_or_default();
        assert_eq!(shown(&found(2, 0, 2), 10, 10), Documents { shown: "[{},{}]".into(), note: None });
        assert_eq!(note(found(1, 0, 50), 1, 1), "");
        assert_eq!(note(found(10, 0, 50), 10, 10), "40 documents more");
        assert_eq!(note(found(1, 0, 2), 3, 1), "1 document more");
        assert_eq!(note(found(10, 0, 1_000), 10, 10), "at least 990 documents more");
        assert_eq!(note(found(0, 1, 1), 1, 1), "1 document takes more than 64 KiB");
        assert_eq!(note(found(0, 0, 0), 1, 1), "its documents are not there any more");
    }
}
