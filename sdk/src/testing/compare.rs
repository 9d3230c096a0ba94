//! Compares what a case reported with what it expects.
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::case::{Case, Expected, ExpectedKind, ORIGIN, Point, Text};
use super::flow::flow;
use super::timeline::ReportedSignal;
use crate::Signal;
use crate::signal::SignalKind;

/// What is written of a signal if the file does not say it.
const USUAL: [&str; 4] = ["at", "labels", "value", "summary"];

/// How the reported signals differ from the expected ones, a sentence for each.
pub(super) fn differences(case: &Case, told: &[ReportedSignal]) -> Vec<String> {
    let mut faults = Vec::new();
    if case.is_quiet() {
        let got = got(case, told, |_| true);
        faults.extend(got.iter().map(|got| format!("expected no signal, got {}", line(got))));
    }
    for (place, (point, got)) in observed(case, told).into_iter().enumerate().filter(|_| !case.is_quiet()) {
        let when = match point.at {
            Some(at) if case.expect.len() > 1 || point.line > 0 => format!("by {at}: "),
            _ => String::new(),
        };
        let number = |index: usize| {
            let before: usize = case.expect[..place].iter().map(|point| point.signals.len()).sum();
            before + index + 1
        };
        for index in 0..got.len().max(point.signals.len()) {
            let got = got.get(index);
            let fault = match (point.signals.get(index), got) {
                (Some(expected), Some(got)) if expected.fits(got) => continue,
                (Some(expected), Some(got)) => format!("expected {}\n     got {}", line(expected), line(got)),
                (Some(expected), None) => format!("expected {}\n     got nothing", line(expected)),
                (None, got) => {
                    format!("expected nothing\n     got {}", got.map_or(String::new(), line))
                }
            };
            faults.push(format!("{when}signal {}: {fault}", number(index)));
        }
    }
    let all = got(case, told, |_| true);
    for got in all.iter().filter(|got| case.never.iter().any(|never| never.fits(got))) {
        faults.push(format!("got {}, which must never be", line(got)));
    }
    faults
}

/// The points that differ, by their line, as they should be written.
pub(super) fn blessed(case: &Case, told: &[ReportedSignal]) -> BTreeMap<u32, Vec<String>> {
    let differs = |point: &Point, got: &[Expected]| {
        point.signals.len() != got.len()
            || point.signals.iter().zip(got).any(|(expected, got)| !expected.fits(got))
    };
    let mut lines = BTreeMap::new();
    for (point, got) in observed(case, told).into_iter().filter(|(point, got)| differs(point, got)) {
        let mut text: Vec<String> = point.at.iter().map(|at| format!("at: {at}")).collect();
        if got.is_empty() {
            text.push("signals: []".into());
        } else {
            text.push("signals:".into());
            let entries = got.iter().enumerate();
            text.extend(entries.map(|(n, got)| format!("  - {}", flow(&entry(&point.signals, n, got)))));
        }
        lines.insert(point.line, text);
    }
    lines
}

/// With the members that the entry at this place has, or else those of any entry, or else the usual ones. A partial
/// text that still matches is kept.
fn entry(wanted: &[Expected], n: usize, got: &Expected) -> Value {
    let members = |expected: &Expected| -> Map<String, Value> {
        serde_json::to_value(expected).ok().and_then(|value| value.as_object().cloned()).unwrap_or_default()
    };
    let seen = members(got);
    let own = wanted.get(n).map(members).filter(|own| !own.is_empty());
    let names: Vec<String> = match (&own, wanted) {
        (Some(own), _) => own.keys().cloned().collect(),
        (None, []) => {
            let is_said =
                |name: &&&str| !(**name == "labels" && got.labels.as_ref().is_none_or(BTreeMap::is_empty));
            USUAL.iter().filter(is_said).map(|name| (*name).to_owned()).collect()
        }
        (None, wanted) => {
            let mut names: Vec<String> = Vec::new();
            for name in wanted.iter().flat_map(|wanted| members(wanted).into_iter().map(|(name, _)| name)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            names
        }
    };
    let value = |name: &str| -> Option<Value> {
        let wanted = own.as_ref().and_then(|own| own.get(name));
        if name == "details"
            && let (Some(Value::Object(wanted)), Some(Value::Object(seen))) = (wanted, seen.get(name))
        {
            let kept = seen.iter().filter(|(member, _)| wanted.contains_key(*member));
            return Some(Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect()));
        }
        if name == "summary"
            && let (Some(own), Some(Text::Whole(text))) = (wanted_text(wanted), &got.summary)
            && own.fits(text)
        {
            return wanted.cloned();
        }
        seen.get(name).cloned()
    };
    Value::Object(names.into_iter().filter_map(|name| value(&name).map(|value| (name, value))).collect())
}

fn wanted_text(value: Option<&Value>) -> Option<Text> {
    serde_json::from_value(value?.clone()).ok()
}

/// Each point, with what was reported since the one before.
fn observed<'c>(case: &'c Case, told: &[ReportedSignal]) -> Vec<(&'c Point, Vec<Expected>)> {
    let mut after = None;
    let mut observed = Vec::new();
    for point in &case.expect {
        let until = ORIGIN + point.at.unwrap_or(case.until);
        let is_of = |told: &ReportedSignal| {
            after.is_none_or(|after| told.window_end > after) && told.window_end <= until
        };
        let mut got = got(case, told, is_of);
        let mut index = 0;
        while index < got.len() {
            let is_expected = point.signals.get(index).is_some_and(|expected| expected.fits(&got[index]));
            if !is_expected && is_update(&got[index], &got[..index]) {
                got.remove(index);
            } else {
                index += 1;
            }
        }
        observed.push((point, got));
        after = Some(until);
    }
    observed
}

/// In order of time.
fn got(case: &Case, told: &[ReportedSignal], is_of: impl Fn(&ReportedSignal) -> bool) -> Vec<Expected> {
    let mut told: Vec<_> = told.iter().filter(|told| is_of(told)).collect();
    told.sort_by_key(|told| told.signal.at);
    told.into_iter().map(|told| Expected::of(&told.signal, &case.key)).collect()
}

/// Whether it updates an open level without extending it.
fn is_update(got: &Expected, before: &[Expected]) -> bool {
    got.kind == Some(ExpectedKind::Firing)
        && before.iter().rev().find(|told| told.labels == got.labels).is_some_and(|told| {
            told.kind == got.kind
                && told.at < got.at
                && got.at < Some(told.until.unwrap_or_default())
                && got.until <= told.until
        })
}

impl Expected {
    /// A reported signal, as it would be written in a case.
    pub fn of(signal: &Signal, key: &[String]) -> Self {
        Self {
            at: Some(signal.at.since(ORIGIN)),
            kind: Some(match signal.kind {
                SignalKind::Firing => ExpectedKind::Firing,
                SignalKind::Clear => ExpectedKind::Clear,
                SignalKind::Event => ExpectedKind::Event,
            }),
            labels: Some(key.iter().cloned().zip(signal.labels.0.iter().cloned()).collect()),
            until: signal.until.map(|until| until.since(ORIGIN)),
            value: signal.value,
            summary: Some(Text::Whole(signal.summary.clone())),
            details: serde_json::from_str(&signal.details).unwrap_or_default(),
        }
    }

    fn fits(&self, got: &Self) -> bool {
        fn free<T: PartialEq>(wanted: &Option<T>, got: &Option<T>) -> bool {
            wanted.is_none() || wanted == got
        }
        let summary = match (&self.summary, &got.summary) {
            (Some(wanted), Some(Text::Whole(text))) => wanted.fits(text),
            (wanted, _) => wanted.is_none(),
        };
        free(&self.at, &got.at)
            && free(&self.kind, &got.kind)
            && free(&self.labels, &got.labels)
            && free(&self.until, &got.until)
            && free(&self.value, &got.value)
            && summary
            && self
                .details
                .iter()
                .all(|(name, value)| got.details.get(name).is_some_and(|got| same(value, got)))
    }
}

impl Text {
    fn fits(&self, text: &str) -> bool {
        match self {
            // A block text ends in a line break that nobody means.
            Self::Whole(wanted) => wanted.trim_end_matches('\n') == text.trim_end_matches('\n'),
            Self::Part { contains } => text.contains(contains.as_str()),
        }
    }
}

/// Numbers are equal if their values are: `2` is `2.0`.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn line(expected: &Expected) -> String {
    serde_json::to_string(expected).unwrap_or_default()
}
