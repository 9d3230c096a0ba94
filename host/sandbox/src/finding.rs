//! Checks what a rule returned before it is used. Each message says where the error is.
use serde::de::IgnoredAny;
use watchbell_contract::{
    AnyOf, Ask, Evidence, NamedFilter, Query, Question, Range, Selection, Signal, Source, Timestamp, Window,
};

use crate::bytes::{Size, shortened};
use crate::fault::GuestFault;
use crate::limits::{
    DETAILS_BYTES_MAX, EVIDENCE_NEWEST_MAX, IDENTITY_BYTES_MAX, LABEL_BYTES_MAX, Limits, NAME_BYTES_MAX,
    QUESTIONS_MAX, SIGNALS_MAX, SUMMARY_BYTES_MAX, UNTIL_MAX,
};

pub(crate) fn check_signals(
    signals: &[Signal],
    window: Window,
    key: &[String],
    limits: &Limits,
) -> Result<(), GuestFault> {
    if signals.len() > SIGNALS_MAX {
        return Err(GuestFault::TooManySignals { count: signals.len(), limit: SIGNALS_MAX });
    }
    if signals.iter().map(bytes).sum::<usize>() > limits.output_bytes_max {
        return Err(GuestFault::OutputTooLarge { limit: limits.output_bytes_max });
    }
    for (number, signal) in signals.iter().enumerate() {
        check_signal(signal, window, key).or_else(|what| bad(format!("signal {number}: {what}")))?;
    }
    Ok(())
}

fn bad<T>(what: String) -> Result<T, GuestFault> {
    Err(GuestFault::BadOutput(what))
}

fn check_signal(signal: &Signal, window: Window, key: &[String]) -> Result<(), String> {
    if signal.at < window.start || signal.at > window.end {
        let (at, start, end) = (signal.at, window.start, window.end);
        return Err(format!("at {at}, outside the window {start} to {end}"));
    }
    if signal.until.is_some_and(|until| until < signal.at) {
        return Err("`until` is before `at`".into());
    }
    let until_max = window.end + UNTIL_MAX;
    if let Some(until) = signal.until.filter(|until| *until > until_max) {
        let end = window.end;
        return Err(format!("`until` is {until}, more than {UNTIL_MAX} after the window's end {end}"));
    }
    if signal.labels.len() != key.len() {
        let found: Vec<String> = signal
            .labels
            .iter()
            .take(8)
            .map(|label| label.value.as_ref().map_or("none".into(), |value| shortened(value, NAME_BYTES_MAX)))
            .collect();
        let (found, key) = (found.join(", "), key.join(", "));
        return Err(format!("the labels are [{found}], not one value for each field of the key [{key}]"));
    }
    let label = signal.labels.iter().filter_map(|label| label.value.as_deref()).map(str::len).max();
    let sizes = [
        ("a label value", label.unwrap_or(0), LABEL_BYTES_MAX),
        ("the identity", signal.identity.as_ref().map_or(0, String::len), IDENTITY_BYTES_MAX),
        ("the summary", signal.summary.len(), SUMMARY_BYTES_MAX),
        ("the details", signal.details.len(), DETAILS_BYTES_MAX),
    ];
    for (what, bytes, limit) in sizes {
        if bytes > limit {
            return Err(format!("{what} has {}, more than {}", Size(bytes), Size(limit)));
        }
    }
    let newest = EVIDENCE_NEWEST_MAX;
    match &signal.evidence {
        Some(Evidence::Selection(asked)) if asked.newest > newest => {
            return Err(format!("evidence asks for {} documents, more than {newest}", asked.newest));
        }
        Some(Evidence::Documents(named)) if named.is_empty() || named.len() > newest as usize => {
            return Err(format!("evidence names {} documents, not 1 to {newest}", named.len()));
        }
        _ => {}
    }
    match serde_json::from_str::<std::collections::BTreeMap<String, IgnoredAny>>(&signal.details) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("the details are not a JSON object: {error}")),
    }
}

fn bytes(signal: &Signal) -> usize {
    let labels = signal.labels.iter().map(|label| text(&label.name) + optional(label.value.as_ref()));
    let evidence = match &signal.evidence {
        None => 0,
        Some(Evidence::Selection(selection)) => {
            only_bytes(&selection.only) + selection.filters.iter().map(query_bytes).sum::<usize>()
        }
        Some(Evidence::Documents(documents)) => {
            documents.iter().map(|named| optional(named.index.as_ref()) + text(&named.id)).sum()
        }
    };
    ENTRY_BYTES
        + signal.summary.len()
        + signal.details.len()
        + optional(signal.identity.as_ref())
        + labels.sum::<usize>()
        + evidence
}

fn query_bytes(query: &Query) -> usize {
    match query {
        Query::Lucene(query) | Query::Dsl(query) => text(query),
    }
}

fn question_bytes(question: &Question) -> usize {
    let filters = |filters: &[NamedFilter]| -> usize {
        filters.iter().map(|named| text(&named.name) + query_bytes(&named.query)).sum()
    };
    let ask = match &question.ask {
        Ask::Hits(hits) => texts(&hits.fields) + filters(&hits.filters),
        Ask::Buckets(buckets) => {
            let metric = |metric: &watchbell_contract::Metric| {
                let source = match &metric.source {
                    Source::Field(source) | Source::Script(source) => text(source),
                };
                text(&metric.name) + source + metric.filter.as_ref().map_or(0, query_bytes)
            };
            let metrics: usize = buckets.metrics.iter().map(metric).sum();
            texts(&buckets.by) + metrics + filters(&buckets.filters)
        }
        Ask::Search(search) => {
            let picks: usize = search.pick.iter().map(|(name, pointer)| text(name) + text(pointer)).sum();
            text(&search.body) + picks
        }
        Ask::Cluster(_) => 0,
    };
    ENTRY_BYTES + only_bytes(&question.only) + question.filter.as_ref().map_or(0, query_bytes) + ask
}

/// What a list entry counts in addition to its text: empty and missing entries take memory as well.
const ENTRY_BYTES: usize = 8;

fn text(text: &str) -> usize {
    ENTRY_BYTES + text.len()
}

fn texts(texts: &[String]) -> usize {
    texts.iter().map(|entry| text(entry)).sum()
}

fn optional(value: Option<&String>) -> usize {
    ENTRY_BYTES + value.map_or(0, String::len)
}

fn only_bytes(only: &[AnyOf]) -> usize {
    let any = |any: &AnyOf| -> usize {
        text(&any.field) + any.values.iter().map(|value| optional(value.as_ref())).sum::<usize>()
    };
    only.iter().map(any).sum()
}

/// Removes numbers that JSON cannot represent from signals, and returns how many there were: a message without its
/// value is better than no message.
pub(crate) fn drop_infinities(signals: &mut [Signal]) -> usize {
    let mut dropped = 0;
    for signal in signals {
        for number in [&mut signal.value, &mut signal.threshold] {
            if number.is_some_and(|number| !number.is_finite()) {
                *number = None;
                dropped += 1;
            }
        }
    }
    dropped
}

/// Cuts evidence to the time that the rule may ask about, and returns of how many signals: an alert with fewer documents
/// is better than none. A check at the window's end may name that instant.
pub(crate) fn cut_evidence(signals: &mut [Signal], window: Window, limits: &Limits) -> usize {
    let (earliest, latest) = (earliest(window, limits), window.end);
    let mut cut = 0;
    for signal in signals {
        let is_left = match &mut signal.evidence {
            None => continue,
            Some(Evidence::Selection(Selection { over, .. })) => {
                let end = Timestamp(latest.0.saturating_add(1));
                let within = Range::new(over.start.max(earliest), over.end.min(end));
                if within == *over {
                    continue;
                }
                *over = within;
                within.start < within.end
            }
            Some(Evidence::Documents(named)) => {
                let all = named.len();
                named.retain(|document| (earliest..=latest).contains(&document.at));
                if named.len() == all {
                    continue;
                }
                !named.is_empty()
            }
        };
        cut += 1;
        signal.evidence = signal.evidence.take().filter(|_| is_left);
    }
    cut
}

fn earliest(window: Window, limits: &Limits) -> Timestamp {
    Timestamp(window.start.0.saturating_sub_unsigned(limits.reach.millis()))
}

/// What is asked must lie between the earliest instant that the rule may ask about and its window's end.
fn within(over: Range, window: Window, limits: &Limits) -> Result<(), String> {
    let earliest = earliest(window, limits);
    if over.start < earliest {
        let (start, reach) = (over.start, limits.reach);
        return Err(format!(
            "asks about {start}, but the earliest instant that it may ask about is {earliest}, {reach} before its window; declare a longer history in `plan`, or mark the parameter that says how far it looks back with `x-watchbell-past`"
        ));
    }
    if over.end > window.end {
        return Err(format!("asks about times up to {}, after the window's end {}", over.end, window.end));
    }
    Ok(())
}

pub(crate) fn check_questions(
    questions: &[Question],
    window: Window,
    limits: &Limits,
) -> Result<(), GuestFault> {
    if questions.len() > QUESTIONS_MAX {
        return Err(GuestFault::TooManyQuestions { count: questions.len(), limit: QUESTIONS_MAX });
    }
    if questions.iter().map(question_bytes).sum::<usize>() > limits.output_bytes_max {
        return Err(GuestFault::OutputTooLarge { limit: limits.output_bytes_max });
    }
    for (number, question) in questions.iter().enumerate() {
        if question.over.start > question.over.end {
            return bad(format!("question {number}: its range ends before it starts"));
        }
        within(question.over, window, limits).or_else(|what| bad(format!("question {number} {what}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchbell_contract::{Document, Duration, Label, SignalKind};

    fn window() -> Window {
        Window { start: Timestamp(0), settled: Timestamp(50), end: Timestamp(100) }
    }

    fn signal(at: i64) -> Signal {
        Signal {
            labels: vec![Label { name: "host".into(), value: None }],
            at: Timestamp(at),
            until: None,
            kind: SignalKind::Event,
            identity: None,
            value: Some(1.0),
            threshold: None,
            summary: "s".into(),
            details: "{}".into(),
            evidence: None,
        }
    }

    fn check(signals: Vec<Signal>) -> Result<(), String> {
        check_signals(&signals, window(), &["host".into()], &Limits::default())
            .map_err(|fault| fault.to_string())
    }

    fn refused(change: impl Fn(&mut Signal)) -> String {
        let mut changed = signal(10);
        change(&mut changed);
        let text = check(vec![changed]).unwrap_err();
        text.strip_prefix("the module returned a result that violates the contract: signal 0: ")
            .unwrap()
            .to_owned()
    }

    #[test]
    fn signals_of_the_window_pass_in_any_order() {
        assert_eq!(check(vec![signal(0), signal(50), signal(100), signal(50)]), Ok(()));
    }

    #[test]
    fn a_signal_out_of_place_is_refused() {
        assert_eq!(
            refused(|signal| signal.at = Timestamp(101)),
            "at 1970-01-01T00:00:00.101Z, outside the window 1970-01-01T00:00:00Z to 1970-01-01T00:00:00.1Z"
        );
        assert_eq!(refused(|signal| signal.until = Some(Timestamp(9))), "`until` is before `at`");
        let latest = |window: Window| (window.end + UNTIL_MAX).0;
        for until in [latest(window()) + 1, i64::MAX] {
            let refusal = refused(|signal| signal.until = Some(Timestamp(until)));
            assert!(refusal.starts_with("`until` is "), "{refusal}");
            assert!(
                refusal.ends_with(", more than 366d after the window's end 1970-01-01T00:00:00.1Z"),
                "{refusal}"
            );
        }
        assert_eq!(check(vec![Signal { until: Some(Timestamp(latest(window()))), ..signal(10) }]), Ok(()));
        assert_eq!(
            refused(|signal| signal.labels.clear()),
            "the labels are [], not one value for each field of the key [host]"
        );
    }

    #[test]
    fn texts_have_limits_and_details_are_an_object() {
        assert_eq!(
            refused(|signal| signal.summary = "x".repeat(20 << 10)),
            "the summary has 20KiB, more than 16KiB"
        );
        assert_eq!(
            refused(|signal| signal.identity = Some("x".repeat(5 << 10))),
            "the identity has 5KiB, more than 4KiB"
        );
        assert!(
            refused(|signal| signal.details = "[]".into()).starts_with("the details are not a JSON object: ")
        );
        assert!(
            refused(|signal| signal.details.clear()).starts_with("the details are not a JSON object: EOF")
        );
        let over = Range::new(Timestamp(0), Timestamp(1));
        let evidence = Evidence::Selection(Selection { over, only: vec![], filters: vec![], newest: 11 });
        assert_eq!(
            refused(|signal| signal.evidence = Some(evidence.clone())),
            "evidence asks for 11 documents, more than 10"
        );
        assert_eq!(
            refused(|signal| signal.evidence = Some(Evidence::Documents(vec![]))),
            "evidence names 0 documents, not 1 to 10"
        );
    }

    #[test]
    fn evidence_is_cut_to_the_time_that_the_rule_may_ask_about() {
        let limits = Limits { reach: Duration(20), ..Limits::default() };
        let cut = |evidence: &Evidence| {
            let mut signals = [Signal { evidence: Some(evidence.clone()), ..signal(10) }];
            let cut = cut_evidence(&mut signals, window(), &limits);
            let [signal] = signals;
            (cut, signal.evidence)
        };
        let selection = |start, end| {
            let over = Range::new(Timestamp(start), Timestamp(end));
            Evidence::Selection(Selection { over, only: vec![], filters: vec![], newest: 1 })
        };
        let documents = |times: &[i64]| {
            let document = |at: &i64| Document { at: Timestamp(*at), index: None, id: at.to_string() };
            Evidence::Documents(times.iter().map(document).collect())
        };
        for (given, kept) in [
            (selection(-21, 5), Some(selection(-20, 5))),
            (selection(i64::MIN, i64::MAX), Some(selection(-20, 101))),
            (selection(5, 102), Some(selection(5, 101))),
            (selection(-500, -400), None),
            (selection(102, 110), None),
            (documents(&[99, -21, 101]), Some(documents(&[99]))),
            (documents(&[i64::MIN]), None),
        ] {
            assert_eq!(cut(&given), (1, kept), "{given:?}");
        }
        for fine in [selection(-20, 101), documents(&[-20, 100])] {
            assert_eq!(cut(&fine), (0, Some(fine)));
        }
    }

    #[test]
    fn questions_keep_to_the_window_and_the_past_that_the_rule_may_ask_about() {
        let limits = Limits { reach: Duration(20), ..Limits::default() };
        let asked = |ask: &Ask, start, end| {
            let over = Range::new(Timestamp(start), Timestamp(end));
            let question = Question { over, only: vec![], filter: None, ask: ask.clone() };
            check_questions(&[question], window(), &limits).map_err(|fault| fault.to_string())
        };
        let search = watchbell_contract::RawSearch { body: "{}".into(), pick: vec![] };
        for ask in [
            Ask::Hits(watchbell_contract::Hits::default()),
            Ask::Buckets(watchbell_contract::Buckets::default()),
            Ask::Search(search),
            Ask::Cluster(watchbell_contract::ClusterView::Health),
        ] {
            assert_eq!(asked(&ask, -20, 100), Ok(()));
            let early = asked(&ask, -21, 100).unwrap_err();
            assert!(
                early.ends_with(
                    "question 0 asks about 1969-12-31T23:59:59.979Z, but the earliest instant that it may ask about is 1969-12-31T23:59:59.98Z, 20ms before its window; declare a longer history in `plan`, or mark the parameter that says how far it looks back with `x-watchbell-past`"
                ),
                "{early}"
            );
            let late = asked(&ask, 0, 101).unwrap_err();
            assert!(late.contains("after the window's end"), "{late}");
            assert!(asked(&ask, i64::MIN, i64::MAX).is_err());
        }
    }

    #[test]
    fn more_signals_than_a_run_may_have_are_a_matter_of_size() {
        let signals = vec![signal(1); SIGNALS_MAX + 1];
        let fault = check_signals(&signals, window(), &["host".into()], &Limits::default()).unwrap_err();
        let error =
            crate::RunError { fault, logs: vec![], logs_dropped: 0, guest_time: std::time::Duration::ZERO };
        assert!(error.is_size());
        assert_eq!(
            error.to_string(),
            "the module returned 10001 signals, more than the 10000 allowed per run; let the rule report less, or use a smaller window"
        );
    }

    #[test]
    fn evidence_counts_its_fields_and_what_is_missing() {
        let limits = Limits { output_bytes_max: 1_000, ..Limits::default() };
        let too_large = |only: Vec<AnyOf>| {
            let over = Range::new(Timestamp(0), Timestamp(1));
            let selection = Selection { over, only, filters: vec![], newest: 1 };
            let evidence = Some(Evidence::Selection(selection));
            check_signals(&[Signal { evidence, ..signal(1) }], window(), &["host".into()], &limits)
        };
        assert_eq!(too_large(vec![AnyOf { field: "a".into(), values: vec![None] }]), Ok(()));
        let fault = Err(GuestFault::OutputTooLarge { limit: 1_000 });
        assert_eq!(too_large(vec![AnyOf { field: "x".repeat(1_000), values: vec![] }]), fault);
        assert_eq!(too_large(vec![AnyOf { field: "a".into(), values: vec![None; 1_000] }]), fault);
    }

    #[test]
    fn questions_count_as_output_wherever_their_text_is() {
        let limits = Limits { output_bytes_max: 1_000, ..Limits::default() };
        let hits = || Ask::Hits(watchbell_contract::Hits { fields: vec!["host".into()], filters: vec![] });
        let question = || Question {
            over: Range::new(Timestamp(0), Timestamp(1)),
            only: vec![],
            filter: None,
            ask: hits(),
        };
        assert_eq!(check_questions(&[question()], window(), &limits), Ok(()));
        let long = || "x".repeat(1_000);
        let query = || Query::Lucene(long());
        let search = watchbell_contract::RawSearch { body: long(), pick: vec![] };
        let fields = watchbell_contract::Hits { fields: vec![long()], filters: vec![] };
        let named = NamedFilter { name: "n".into(), query: query() };
        let metric = |source, filter| watchbell_contract::Metric {
            name: "m".into(),
            source,
            calc: watchbell_contract::Calc::Sum,
            filter,
        };
        let buckets = |metric| watchbell_contract::Buckets { metrics: vec![metric], ..Default::default() };
        let scripted = buckets(metric(Source::Script(long()), None));
        let some = buckets(metric(Source::Field("f".into()), Some(Query::Dsl(long()))));
        let filtered = watchbell_contract::Hits { fields: vec![], filters: vec![named] };
        for large in [
            Question { filter: Some(query()), ..question() },
            Question { only: vec![AnyOf { field: long(), values: vec![] }], ..question() },
            Question { ask: Ask::Search(search), ..question() },
            Question { ask: Ask::Hits(fields), ..question() },
            Question { ask: Ask::Hits(filtered), ..question() },
            Question { ask: Ask::Buckets(scripted), ..question() },
            Question { ask: Ask::Buckets(some), ..question() },
        ] {
            let fault = GuestFault::OutputTooLarge { limit: 1_000 };
            assert_eq!(check_questions(&[large], window(), &limits), Err(fault));
        }
    }

    #[test]
    fn what_json_cannot_carry_is_left_out() {
        let mut signals = vec![signal(1)];
        signals[0].value = Some(f64::INFINITY);
        assert_eq!(drop_infinities(&mut signals), 1);
        assert_eq!(signals[0].value, None);
    }
}
