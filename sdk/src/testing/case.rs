//! A test case: documents on a timeline, and the expected signals. It is plain data, so that the same case runs on the
//! rule natively and on the component made from it.
//!
//! A plugin's cases are the files `tests/*.test.yaml` of its folder, in the words of a rule's own test files:
//!
//! ```yaml
//! params: { num_events: 2, timeframe: 1m }    # what stands here holds for every test that does not say otherwise
//! key: [host]
//! tests:
//!   - name: two of one host
//!     lateness: 1m                            # so that the document that arrives at 1m20s counts
//!     documents:
//!       - { at: 10s, fields: { host: a } }
//!       - { at: 20s, arrives: 1m20s, fields: { host: a } }
//!       - { at: 30s, every: 1m, count: 5, fields: { host: b, user: "u{n}" } }
//!     expect:
//!       - at: 2m                              # what was found by then; windows of `every` (1m) from `from` (0s)
//!         signals:
//!           - { at: 20s, labels: { host: a }, until: 1m20s, value: 2 }
//!   - name: nobody is quiet
//!     documents: [{ at: 10s, fields: { host: a } }]
//!     quiet: true
//! ```
//!
//! All times count from midnight UTC on 2024-01-01 ([`ORIGIN`]). Each document gets an `_id` (its number, in the order
//! of the file), an `_index` and an `@timestamp`, unless its fields have them.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::documents;
pub use super::documents::Answers;
use crate::{Duration, Timestamp};

/// The start of a case's timeline: 2024-01-01T00:00:00Z, a multiple of every likely grid.
pub const ORIGIN: Timestamp = Timestamp(1_704_067_200_000);

/// A test of a rule: parameters, documents on a timeline, and the expected signals.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows; printed when it fails.
    pub name: String,
    /// A test, or a sentence of another program's documentation, whose behaviour the case pins down; usually empty.
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
    pub state: Option<String>,
    /// Field types, as below Elasticsearch's `properties`; a field that is not named has the type that Elasticsearch
    /// guesses. Needed for dates and for places (`geo_point`).
    pub mapping: Value,
    /// Fields that the rule asks for and that no document has on purpose; any other such field fails the case.
    pub missing: Vec<String>,
    /// Why the rule's signals depend on where windows end, if they do; [`assert_fold`](Self::assert_fold) then leaves
    /// the case alone.
    pub fixed_cuts: Option<String>,
    /// The documents, in any order; the timeline sorts them by time, `_index` and `_id`.
    pub documents: Vec<Document>,
    /// The expected signals, in order of time. If neither `expect` nor `never` says anything, none are expected.
    pub expect: Vec<Point>,
    /// Signals that must not be reported.
    pub never: Vec<Expected>,
    /// Whether no signal at all may be reported.
    pub quiet: bool,
    /// Where it is written, `FILE:LINE`; empty for a case made in Rust.
    pub place: String,
}

/// A document, or several similar ones.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its time, counted from [`ORIGIN`].
    pub at: Offset,
    /// When searches first return it, or the first of several; at its own time by default.
    pub arrives: Option<Offset>,
    /// How many there are. By default one.
    pub count: u32,
    /// The interval between them.
    pub every: Duration,
    /// Its fields: `{ "host.name": "web-1" }` and `{ "host": { "name": "web-1" } }` are equivalent. `{n}` in a text is
    /// the document's number among several, from 0.
    pub fields: Map<String, Value>,
    /// Of a recorded run, which holds no more of a document than the rule asked for: the results of the named filters,
    /// which are then not evaluated. Such a document has passed the question's own filter.
    pub matches: Option<BTreeMap<String, bool>>,
    /// Makes this entry not a document but, from `at` on, the cluster's answer to questions of this kind: a column per
    /// field, and a row for each entry with the newest `at`. An entry without fields stands for an answer without rows.
    pub answers: Option<Answers>,
}

/// Milliseconds after [`ORIGIN`]; before it if negative. Written as `90s`, or `-1h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(pub i64);

/// What the rule has reported since the point before, in windows that end at `at` or earlier.
#[derive(Clone, Debug, Default)]
pub struct Point {
    /// Counted from [`ORIGIN`]; `None`: the end of the case.
    pub at: Option<Duration>,
    /// In order of time, no more and no fewer; see [`Case::check_with`].
    pub signals: Vec<Expected>,
    /// Its line in the file; 0 for a case made in Rust.
    pub line: u32,
}

/// An expected signal. Members that are left out match anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expected {
    /// The signal's time, counted from [`ORIGIN`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Duration>,
    /// A level, its end, or an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ExpectedKind>,
    /// The value of each key field; null if the field is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, Option<String>>>,
    /// Until when a level holds, counted from [`ORIGIN`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Duration>,
    /// The number that the verdict is based on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The line for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Text>,
    /// Members that must be present, with these values.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

/// An expected text, or a part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// All of it.
    Whole(String),
    /// `{ contains: … }`.
    Part {
        /// What occurs in it.
        contains: String,
    },
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
            mapping: Value::Null,
            missing: vec![],
            fixed_cuts: None,
            documents: vec![],
            expect: vec![],
            never: vec![],
            quiet: false,
            place: String::new(),
        }
    }
}

impl Default for Document {
    fn default() -> Self {
        Self {
            at: Offset(0),
            arrives: None,
            count: 1,
            every: Duration::ZERO,
            fields: Map::new(),
            matches: None,
            answers: None,
        }
    }
}

impl Case {
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

    /// Sets the start of the first window; earlier documents prime the rule.
    pub fn from(mut self, from: Duration) -> Self {
        self.from = from;
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

    /// Sets field types: a JSON object, as below Elasticsearch's `properties`.
    pub fn mapping(mut self, mapping: Value) -> Self {
        self.mapping = mapping;
        self
    }

    /// Names fields that the rule asks for and that no document has on purpose.
    pub fn missing<'a>(mut self, fields: impl IntoIterator<Item = &'a str>) -> Self {
        self.missing = fields.into_iter().map(str::to_owned).collect();
        self
    }

    /// Sets what the cluster answers to raw searches, or reports about itself, from `at` on. `fields` is a JSON object.
    pub fn answer(self, at: Duration, answers: Answers, fields: Value) -> Self {
        self.push(Document { at: at.into(), answers: Some(answers), ..Document::of(fields) })
    }

    /// Adds a document; `fields` is a JSON object.
    pub fn document(self, at: Duration, fields: Value) -> Self {
        self.push(Document { at: at.into(), ..Document::of(fields) })
    }

    /// Adds a document that searches do not return before `arrives`.
    pub fn late(self, at: Duration, arrives: Duration, fields: Value) -> Self {
        self.push(Document { at: at.into(), arrives: Some(arrives.into()), ..Document::of(fields) })
    }

    /// Adds `count` documents, the first at `at`, each `every` after the previous one. `{n}` in a text is the number of
    /// the document, from 0.
    pub fn documents(self, at: Duration, count: u32, every: Duration, fields: Value) -> Self {
        self.push(Document { at: at.into(), count, every, ..Document::of(fields) })
    }

    fn push(mut self, document: Document) -> Self {
        self.documents.push(document);
        self
    }

    /// Sets all the signals that are expected by the end, in order of time.
    pub fn expect(mut self, signals: impl IntoIterator<Item = Expected>) -> Self {
        self.expect = vec![Point { signals: signals.into_iter().collect(), ..Point::default() }];
        self
    }

    /// The signals that are expected, of all points.
    pub fn expected(&self) -> impl Iterator<Item = &Expected> {
        self.expect.iter().flat_map(|point| &point.signals)
    }

    /// Whether the case shows that the rule fires.
    pub fn fires(&self) -> bool {
        self.expected().next().is_some()
    }

    /// Whether the case shows that the rule stays quiet although there are documents or answers.
    pub fn stays_quiet(&self) -> bool {
        self.is_quiet() && !self.documents.is_empty()
    }

    pub(super) fn is_quiet(&self) -> bool {
        let says_nothing = self.expect.is_empty() && self.never.is_empty();
        self.quiet || says_nothing || (!self.expect.is_empty() && !self.fires())
    }

    pub(super) fn title(&self) -> String {
        let place = if self.place.is_empty() { String::new() } else { format!("{}: ", self.place) };
        format!("{place}case `{}`", self.name)
    }

    pub(super) fn window_ends(&self) -> Vec<Duration> {
        let mut ends = self.ends.clone();
        if ends.is_empty() && !self.every.is_zero() {
            let mut end = self.from + self.every;
            while end < self.until {
                ends.push(end);
                end += self.every;
            }
        }
        ends.push(self.until);
        ends
    }
}

impl Document {
    fn of(fields: Value) -> Self {
        let fields = if let Value::Object(fields) = fields { fields } else { Map::new() };
        Self { fields, ..Self::default() }
    }

    pub(super) fn placed(&self) -> impl Iterator<Item = documents::Document> + use<'_> {
        (0..self.count).map(move |n| {
            let after = (self.every * u64::from(n)).signed();
            let at = |offset: Offset| ORIGIN.0.saturating_add(offset.0).saturating_add(after);
            let mut fields = self.fields.clone();
            fields.values_mut().for_each(|value| number(value, n));
            let time = at(self.at);
            let arrives = self.arrives.map_or(time, at);
            let (matches, answers) = (self.matches.clone(), self.answers);
            documents::Document { time, arrives, fields, matches, answers, place: 0 }
        })
    }

    /// The documents one by one.
    pub(super) fn singles(&self) -> impl Iterator<Item = Self> + use<'_> {
        self.placed().map(|document| Self {
            at: Offset(document.time - ORIGIN.0),
            arrives: Some(Offset(document.arrives - ORIGIN.0)),
            fields: document.fields,
            matches: document.matches,
            answers: self.answers,
            ..Self::default()
        })
    }
}

/// `{n}` in a text becomes the document's number; a text that is only `{n}` becomes a number. Tests of rules, which have a
/// manifest, number their documents with it too.
pub fn number(value: &mut Value, n: u32) {
    match value {
        Value::String(text) if text == "{n}" => *value = n.into(),
        Value::String(text) if text.contains("{n}") => *text = text.replace("{n}", &n.to_string()),
        Value::Array(items) => items.iter_mut().for_each(|item| number(item, n)),
        Value::Object(map) => map.values_mut().for_each(|item| number(item, n)),
        _ => {}
    }
}

impl From<Duration> for Offset {
    fn from(after: Duration) -> Self {
        Self(after.signed())
    }
}

impl std::fmt::Display for Offset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", Duration(self.0.unsigned_abs()))
    }
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (sign, span) = text.strip_prefix('-').map_or((1, text.as_str()), |span| (-1, span));
        let span = Duration::parse(span).map_err(serde::de::Error::custom)?;
        Ok(Self(sign * span.signed()))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Whole(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Whole(text)
    }
}
