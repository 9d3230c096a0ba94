//! Compares alerts with findings, rule by rule. Repetitions are ignored: ElastAlert alerts on every match that
//! `realert` lets through, while an episode is announced once.
use serde_json::Value;
use watchbell_contract::{Duration, Label, Range, Signal, SignalKind, Timestamp};

use super::{Alert, Mute};

/// Signals with the same labels, none further from the previous one than the tolerance.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) labels: Vec<Label>,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// What agrees and what does not, within the compared time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Compared {
    /// Alerts that match a finding.
    pub(crate) alerts: usize,
    /// Findings that match an alert.
    pub(crate) findings: usize,
    /// Findings that were muted in ElastAlert.
    pub(crate) muted: usize,
    pub(crate) only_there: Vec<Alert>,
    pub(crate) only_here: Vec<Finding>,
}

impl Compared {
    pub(crate) fn agrees(&self) -> bool {
        self.only_there.is_empty() && self.only_here.is_empty()
    }
}

/// A rule's signals, joined into findings, in order of labels and time.
pub(crate) fn findings<'a>(signals: impl Iterator<Item = &'a Signal>, tolerance: Duration) -> Vec<Finding> {
    let mut told: Vec<&Signal> = signals.filter(|signal| signal.kind != SignalKind::Clear).collect();
    told.sort_by(|a, b| values(&a.labels).cmp(values(&b.labels)).then(a.at.cmp(&b.at)));
    let mut findings: Vec<Finding> = Vec::new();
    for signal in told {
        match findings.last_mut() {
            Some(open) if open.labels == signal.labels && signal.at <= open.last + tolerance => {
                open.last = signal.at;
            }
            _ => findings.push(Finding { labels: signal.labels.clone(), first: signal.at, last: signal.at }),
        }
    }
    findings
}

fn values(labels: &[Label]) -> impl Iterator<Item = &Option<String>> {
    labels.iter().map(|label| &label.value)
}

/// How far apart the times of an alert and a finding may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    pub(crate) either_way: Duration,
    /// How much earlier an alert may additionally be: ElastAlert stamps a spike with the first event of its window.
    pub(crate) early: Duration,
}

/// Compares what lies in `over`. What lies outside, within `tolerance`, can still match what lies at its ends.
pub(crate) fn compare(
    findings: &[Finding],
    alerts: &[&Alert],
    mutes: &[&Mute],
    over: Range,
    tolerance: Tolerance,
) -> Compared {
    let Tolerance { either_way, early } = tolerance;
    let agree = |finding: &Finding, alert: &Alert| {
        finding.first - early - either_way <= alert.at
            && alert.at <= finding.last + either_way
            && same_key(&finding.labels, &alert.body)
    };
    let within = |at: Timestamp| over.start <= at && at < over.end;
    let mut compared = Compared::default();
    for alert in alerts.iter().filter(|alert| within(alert.at)) {
        if findings.iter().any(|finding| agree(finding, alert)) {
            compared.alerts += 1;
        } else {
            compared.only_there.push(Alert::clone(alert));
        }
    }
    for finding in findings.iter().filter(|finding| within(finding.first)) {
        if alerts.iter().any(|alert| agree(finding, alert)) {
            compared.findings += 1;
        } else if mutes.iter().any(|mute| mutes_finding(mute, finding, either_way)) {
            compared.muted += 1;
        } else {
            compared.only_here.push(finding.clone());
        }
    }
    compared
}

/// Whether ElastAlert was muted for this finding during all of it.
fn mutes_finding(mute: &Mute, finding: &Finding, tolerance: Duration) -> bool {
    let over = mute.over.start - tolerance <= finding.first && finding.last <= mute.over.end + tolerance;
    let told: Vec<&str> = finding.labels.iter().filter_map(|label| label.value.as_deref()).collect();
    let key = told.join(", ");
    let of_key = !told.is_empty() && mute.what.ends_with(&format!(".{key}"));
    let of_all = told.is_empty() || mute.what.ends_with("._silence");
    over && (of_key || of_all)
}

/// Whether the matched document has the key's values. A missing field is not a mismatch, because matches of
/// aggregations contain no document.
fn same_key(labels: &[Label], body: &Value) -> bool {
    labels.iter().all(|label| {
        let name = label.name.strip_suffix(".keyword").unwrap_or(&label.name);
        match [label.name.as_str(), name].into_iter().find_map(|name| value(body, name)) {
            None | Some(Value::Null) => true,
            Some(Value::Array(several)) => several.iter().any(|one| is(one, label.value.as_deref())),
            Some(one) => is(one, label.value.as_deref()),
        }
    })
}

fn is(value: &Value, label: Option<&str>) -> bool {
    match (value, label) {
        (_, None) => false,
        (Value::String(text), Some(label)) => text == label,
        (other, Some(label)) => label == format!("{other}").as_str(),
    }
}

/// A field by its dotted name, however the document is nested.
fn value<'a>(body: &'a Value, name: &str) -> Option<&'a Value> {
    if let Some(found) = body.get(name) {
        return Some(found);
    }
    let mut dots = name.match_indices('.');
    dots.find_map(|(at, _)| value(body.get(&name[..at])?, &name[at + 1..]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const APART: Duration = Duration(100);
    const TOLERANCE: Tolerance = Tolerance { either_way: APART, early: Duration::ZERO };

    fn of(name: &str, value: &str) -> Vec<Label> {
        vec![Label { name: name.to_owned(), value: Some(value.to_owned()) }]
    }

    fn finding(user: &str, first: i64, last: i64) -> Finding {
        Finding { labels: of("user.name", user), first: Timestamp(first), last: Timestamp(last) }
    }

    fn alert(body: Value, at: i64) -> Alert {
        Alert { rule: "Logins".to_owned(), at: Timestamp(at), body }
    }

    fn mute(what: &str, from: i64, to: i64) -> Mute {
        Mute { what: what.to_owned(), over: Range::new(Timestamp(from), Timestamp(to)) }
    }

    fn all() -> Range {
        Range::new(Timestamp(0), Timestamp(10_000))
    }

    #[test]
    fn signals_close_to_each_other_are_one_finding() {
        let signal = |user: &str, at: i64, kind| Signal {
            labels: of("user.name", user),
            at: Timestamp(at),
            until: None,
            kind,
            identity: None,
            value: None,
            threshold: None,
            summary: String::new(),
            details: "{}".to_owned(),
            evidence: None,
        };
        let told = [
            signal("bob", 50, SignalKind::Event),
            signal("ada", 190, SignalKind::Firing),
            signal("ada", 10, SignalKind::Firing),
            signal("ada", 100, SignalKind::Firing),
            signal("ada", 291, SignalKind::Firing),
            signal("ada", 295, SignalKind::Clear),
        ];
        let expected = [finding("ada", 10, 190), finding("ada", 291, 291), finding("bob", 50, 50)];
        assert_eq!(findings(told.iter(), APART), expected);
    }

    #[test]
    fn what_agrees_goes_by_key_and_time() {
        let here = [finding("ada", 1_000, 2_000), finding("bob", 1_000, 1_000)];
        let there = [
            alert(json!({ "user": { "name": "ada" } }), 900),
            alert(json!({ "user.name": ["eve", "ada"] }), 2_100),
            alert(json!({ "user": { "name": "ada" } }), 2_101),
            alert(json!({ "user.name": "carl" }), 1_000),
        ];
        let compared = compare(&here, &there.each_ref(), &[], all(), TOLERANCE);
        assert_eq!((compared.alerts, compared.findings), (2, 1));
        assert_eq!(compared.only_there, there[2..]);
        assert_eq!(compared.only_here, here[1..]);
        assert!(!compared.agrees());
    }

    #[test]
    fn a_match_without_the_keys_fields_goes_by_time() {
        let compared =
            compare(&[finding("ada", 5, 5)], &[&alert(json!({ "metric": 3 }), 5)], &[], all(), TOLERANCE);
        assert!(compared.agrees() && compared.alerts == 1 && compared.findings == 1);
    }

    #[test]
    fn what_was_muted_there_is_no_difference() {
        let here = [finding("ada", 1_000, 1_000)];
        let muted =
            |what: &str, from, to| compare(&here, &[], &[&mute(what, from, to)], all(), TOLERANCE).muted == 1;
        assert!(muted("Logins.ada", 500, 1_500));
        assert!(muted("Logins._silence", 500, 1_500));
        assert!(!muted("Logins.bob", 500, 1_500));
        assert!(!muted("Logins", 500, 1_500));
        assert!(!muted("Logins.ada", 1_101, 1_500));
        assert!(!muted("Logins.ada", 500, 899));
    }

    #[test]
    fn what_lies_at_an_end_is_borne_out_by_what_lies_beside_it() {
        let over = Range::new(Timestamp(1_000), Timestamp(2_000));
        let here = [finding("ada", 990, 990), finding("ada", 1_990, 1_990)];
        let there =
            [alert(json!({ "user.name": "ada" }), 1_010), alert(json!({ "user.name": "ada" }), 2_010)];
        let compared = compare(&here, &there.each_ref(), &[], over, TOLERANCE);
        assert!(compared.agrees(), "{compared:?}");
        assert_eq!((compared.alerts, compared.findings), (1, 1));
    }

    #[test]
    fn an_alert_may_bear_the_time_of_its_windows_first_event() {
        let here = [finding("ada", 1_000, 1_000)];
        let there = [alert(json!({}), 500)];
        let early = |early| {
            let tolerance = Tolerance { early: Duration(early), ..TOLERANCE };
            compare(&here, &there.each_ref(), &[], all(), tolerance).agrees()
        };
        assert!(early(400) && !early(399));
    }
}
