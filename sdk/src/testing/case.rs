//! A test case: documents on a timeline, and the expected signals. It is plain data, so that the same case runs on the
//! rule natively and on the component made from it.
//!
//! Files contain lists of cases in JSON ([`Case::read_all`]); one is shown here as YAML, with comments:
//!
//! ```yaml
//! name: two of one host
//! params: { num_events: 2, timeframe: 1m }
//! key: [host]
//! lateness: 1m                                # so that the document that arrives at 80s counts
//! until: 2m                                   # windows of `every` (1m) from `from` (0s) to here
//! documents:
//!   - { at: 10s, fields: { host: a } }
//!   - { at: 20s, fields: { host: a }, arrives: 80s }
//!   - { at: 30s, fields: { host: b }, repeat: { count: 5, every: 1m } }
//! expect:
//!   - { at: 20s, labels: { host: a }, until: 80s, value: 2 }
//! ```
//!
//! All times count from midnight UTC on 2024-01-01 ([`ORIGIN`]). Each document gets an `_id` (its number, in the order
//! of the file) and an `_index`, unless its fields have them.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::documents;
pub use super::documents::Answers;
use super::runner::{Native, Runner};
use super::timeline::{Of, ReportedSignal, Timeline};
use crate::signal::SignalKind;
use crate::{Duration, Rule, Signal, Timestamp};

/// The start of a case's timeline: 2024-01-01T00:00:00Z, a multiple of every likely grid.
pub const ORIGIN: Timestamp = Timestamp(1_704_067_200_000);

/// A test of a rule: parameters, documents on a timeline, and the expected signals.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Case {
    /// What it shows; printed when it fails.
    pub name: String,
    /// A test, or a sentence of another program's documentation, whose behaviour the case pins down; usually empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pins: String,
    /// The rule's parameters, as in a manifest.
    pub params: Value,
    /// The key's fields.
    pub key: Vec<String>,
    /// The start of the first window; earlier documents prime the rule. By default zero.
    pub from: Duration,
    /// The end of the last window. By default 10 minutes.
    pub until: Duration,
    /// The length of the windows; the last one may be shorter. By default one minute; zero: a single window.
    pub every: Duration,
    /// The ends of the windows, in order, instead of `every`; `until` is added as the last.
    pub ends: Vec<Duration>,
    /// How late a document may arrive and still be evaluated. By default zero.
    pub lateness: Duration,
    /// The number of rows per page. By default 1,000.
    pub page_rows: usize,
    /// The initial state in hexadecimal, as in a recorded run; if it is given, the rule is not primed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The documents, in any order; the timeline sorts them.
    pub documents: Vec<Document>,
    /// All expected signals, in order of time; see [`check_with`](Self::check_with).
    pub expect: Vec<Expected>,
}

/// A document, or several similar ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Document {
    /// Its time, counted from [`ORIGIN`].
    pub at: Duration,
    /// When searches first return it; at its own time by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrives: Option<Duration>,
    /// Its fields: `{ "host.name": "web-1" }` and `{ "host": { "name": "web-1" } }` are equivalent.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// Repeats the document. Only the first arrives at `arrives`; the others arrive at their own times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// Makes this entry not a document but, from `at` on, the cluster's answer to questions of this kind: a column per
    /// field, and a row for each entry with the newest `at`. An entry without fields stands for an answer without rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
}

/// How often a document is repeated.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// The total number of documents.
    pub count: u32,
    /// The interval between them.
    pub every: Duration,
}

/// An expected signal. Members that are left out match anything, except `at`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expected {
    /// The signal's time, counted from [`ORIGIN`]; always compared.
    pub at: Duration,
    /// Not compared if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ExpectedKind>,
    /// The value of each key field; null if the field is missing. Not compared if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, Option<String>>>,
    /// Counted from [`ORIGIN`]; not compared if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Duration>,
    /// Not compared if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Not compared if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Members that must be present, with these values.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

/// The kinds of signals, as written in a case's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedKind {
    /// A level.
    Firing,
    /// The end of a level.
    Clear,
    /// Something that happened once.
    Event,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            name: String::new(),
            pins: String::new(),
            params: Value::Object(Map::new()),
            key: vec![],
            from: Duration::ZERO,
            until: Duration::from_mins(10),
            every: Duration::from_mins(1),
            ends: vec![],
            lateness: Duration::ZERO,
            page_rows: 1_000,
            state: None,
            documents: vec![],
            expect: vec![],
        }
    }
}

impl Case {
    /// Reads a list of cases in JSON.
    ///
    /// # Errors
    /// The list is invalid; the message says why.
    pub fn read_all(json: &str) -> Result<Vec<Self>, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// A case of a rule with these parameters, without documents.
    pub fn new(params: Value) -> Self {
        Self { params, ..Self::default() }
    }

    /// The same case with other parameters.
    pub fn with(mut self, params: Value) -> Self {
        self.params = params;
        self
    }

    /// Sets the key's fields.
    pub fn key<'a>(mut self, key: impl IntoIterator<Item = &'a str>) -> Self {
        self.key = key.into_iter().map(str::to_owned).collect();
        self
    }

    /// Sets the end of the last window.
    pub fn until(mut self, until: Duration) -> Self {
        self.until = until;
        self
    }

    /// Sets the length of the windows.
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// Sets how late documents may arrive. Default: zero.
    pub fn lateness(mut self, lateness: Duration) -> Self {
        self.lateness = lateness;
        self
    }

    /// Sets what the cluster answers to raw searches, or reports about itself, from `at` on. `fields` is a JSON object.
    pub fn answer(mut self, at: Duration, answers: Answers, fields: Value) -> Self {
        let fields = fields.as_object().cloned().unwrap_or_default();
        self.documents.push(Document { at, fields, answers: Some(answers), ..Document::default() });
        self
    }

    /// Adds a document; `fields` is a JSON object.
    pub fn document(mut self, at: Duration, fields: Value) -> Self {
        let fields = fields.as_object().cloned().unwrap_or_default();
        self.documents.push(Document { at, fields, ..Document::default() });
        self
    }

    /// Adds `count` documents, the first at `at`, each `every` after the previous one.
    pub fn documents(mut self, at: Duration, count: u32, every: Duration, fields: Value) -> Self {
        let fields = fields.as_object().cloned().unwrap_or_default();
        self.documents.push(Document {
            at,
            fields,
            repeat: Some(Repeat { count, every }),
            ..Document::default()
        });
        self
    }

    /// Runs the case natively and returns all reported signals, window by window.
    ///
    /// # Panics
    /// The parameters are invalid, or the rule fails.
    pub fn run<R: Rule>(&self) -> Vec<Signal> {
        let told = self.run_with(&mut Native::<R>::default());
        told.unwrap_or_else(|problem| panic!("{}: {problem}", self.name))
            .into_iter()
            .map(|t| t.signal)
            .collect()
    }

    /// Runs the case with any runner and returns all reported signals, window by window.
    ///
    /// # Errors
    /// The faults of the parameters or the rule's error, as text.
    pub fn run_with(&self, runner: &mut dyn Runner) -> Result<Vec<ReportedSignal>, String> {
        let mut timeline = self.timeline(runner)?;
        let mut told = Vec::new();
        for end in self.window_ends() {
            told.extend(timeline.advance(ORIGIN + end)?);
        }
        Ok(told)
    }

    /// The timeline at `from`, primed, with nothing reported yet.
    ///
    /// # Errors
    /// The parameters are invalid; the message says why.
    pub fn timeline<'r>(&self, runner: &'r mut dyn Runner) -> Result<Timeline<'r>, String> {
        let documents = self.documents.iter().flat_map(Document::placed).enumerate();
        let documents = documents.map(|(number, document)| document.numbered(number)).collect();
        let (key, from) = (self.key.clone(), ORIGIN + self.from);
        let state = self.state.as_deref().map(read_hex).transpose()?;
        let of =
            Of { params: self.params.to_string(), key, lateness: self.lateness, page_rows: self.page_rows };
        Timeline::start(runner, of, documents, from, state)
    }

    /// Runs the case and compares the reported signals with the expected ones, both in order of time. A firing signal
    /// that only updates how bad an open level is, without extending it, need not be expected.
    ///
    /// # Errors
    /// A text that lists all differences, or why the rule could not run.
    pub fn check_with(&self, runner: &mut dyn Runner) -> Result<(), String> {
        let mut told = self.run_with(runner)?;
        told.sort_by_key(|told| told.signal.at);
        let mut got: Vec<_> = told.iter().map(|told| Expected::of(&told.signal, &self.key)).collect();
        let mut index = 0;
        while index < got.len() {
            let is_expected = self.expect.get(index).is_some_and(|expected| expected.fits(&got[index]));
            if !is_expected && got[index].is_update_of(&got[..index]) {
                got.remove(index);
            } else {
                index += 1;
            }
        }
        let mut faults = String::new();
        for index in 0..got.len().max(self.expect.len()) {
            let got = got.get(index);
            let fault = match (self.expect.get(index), got) {
                (Some(expected), Some(got)) if expected.fits(got) => continue,
                (Some(expected), Some(got)) => format!("expected {}\n     got {}", line(expected), line(got)),
                (Some(expected), None) => format!("expected {}\n     got nothing", line(expected)),
                (None, got) => {
                    format!("expected nothing\n     got {}", got.map_or(String::new(), line))
                }
            };
            faults.push_str(&format!("signal {}: {fault}\n", index + 1));
        }
        if faults.is_empty() { Ok(()) } else { Err(format!("case `{}`:\n{faults}", self.name)) }
    }

    /// Runs the case natively and compares, as [`check_with`](Self::check_with) does.
    ///
    /// # Panics
    /// There are differences, or the rule could not run; the message says which, or why.
    pub fn check<R: Rule>(&self) {
        if let Err(differences) = self.check_with(&mut Native::<R>::default()) {
            panic!("{differences}");
        }
    }

    fn window_ends(&self) -> Vec<Duration> {
        let mut ends = self.ends.clone();
        if ends.is_empty() && !self.every.is_zero() {
            let mut end = self.from + self.every;
            while end < self.until {
                ends.push(end);
                end = end + self.every;
            }
        }
        ends.push(self.until);
        ends
    }
}

impl Document {
    fn placed(&self) -> impl Iterator<Item = documents::Document> + use<'_> {
        let (count, every) = self.repeat.map_or((1, Duration::ZERO), |repeat| (repeat.count, repeat.every));
        (0..count).map(move |n| {
            let time = ORIGIN + self.at + every * u64::from(n);
            let arrives = if n == 0 { self.arrives.map_or(time, |arrives| ORIGIN + arrives) } else { time };
            let (fields, answers) = (self.fields.clone(), self.answers);
            documents::Document { time: time.0, arrives: arrives.0, fields, answers }
        })
    }
}

impl Expected {
    /// A reported signal, as it would be written in a case.
    pub fn of(signal: &Signal, key: &[String]) -> Self {
        Self {
            at: signal.at.since(ORIGIN),
            kind: Some(match signal.kind {
                SignalKind::Firing => ExpectedKind::Firing,
                SignalKind::Clear => ExpectedKind::Clear,
                SignalKind::Event => ExpectedKind::Event,
            }),
            labels: Some(key.iter().cloned().zip(signal.labels.0.iter().cloned()).collect()),
            until: signal.until.map(|until| until.since(ORIGIN)),
            value: signal.value,
            summary: Some(signal.summary.clone()),
            details: serde_json::from_str(&signal.details).unwrap_or_default(),
        }
    }

    /// Whether it updates an open level without extending it.
    fn is_update_of(&self, before: &[Self]) -> bool {
        self.kind == Some(ExpectedKind::Firing)
            && before.iter().rev().find(|told| told.labels == self.labels).is_some_and(|told| {
                told.kind == self.kind
                    && told.at < self.at
                    && self.at < told.until.unwrap_or_default()
                    && self.until <= told.until
            })
    }

    fn fits(&self, got: &Self) -> bool {
        fn free<T: PartialEq>(wanted: &Option<T>, got: &Option<T>) -> bool {
            wanted.is_none() || wanted == got
        }
        self.at == got.at
            && free(&self.kind, &got.kind)
            && free(&self.labels, &got.labels)
            && free(&self.until, &got.until)
            && free(&self.value, &got.value)
            && free(&self.summary, &got.summary)
            && self.details.iter().all(|(name, value)| got.details.get(name) == Some(value))
    }
}

fn read_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    let bytes = digits
        .map(|pair| pair.filter(|pair| pair.len() == 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()));
    bytes.collect::<Option<_>>().ok_or_else(|| "`state` is not hexadecimal".to_owned())
}

fn line(expected: &Expected) -> String {
    serde_json::to_string(expected).unwrap_or_default()
}
