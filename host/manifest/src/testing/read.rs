use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use watchbell_contract::{Duration, Timestamp};

use super::{Documents, Never, Offset, Point, Test, TestFault, TestFile, Wanted};
use crate::bind::doc::Doc;
use crate::overlay::json as to_json;
use crate::report::Diagnostic;
use crate::tree::{Data, Node, parse};
use crate::{files, raw, units};

/// 2024-01-01T00:00:00Z, a Monday and a multiple of every likely grid.
const START: Timestamp = Timestamp(1_704_067_200_000);
/// How long a test without expectations runs.
const UNTIL: Duration = Duration::from_hours(1);
/// A longer timeline would be mostly empty windows.
const UNTIL_MAX: Duration = Duration::from_hours(24 * 60);

#[derive(Deserialize)]
struct RawFile {
    rule: Option<String>,
    environments: Option<Vec<String>>,
    index: Option<String>,
    mapping: Option<Value>,
    mappings: Option<BTreeMap<String, Value>>,
    tests: Vec<RawTest>,
}

#[derive(Deserialize)]
struct RawTest {
    name: String,
    start: Option<String>,
    until: Option<raw::Span>,
    environments: Option<Vec<String>>,
    index: Option<String>,
    mapping: Option<Value>,
    mappings: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    documents: Vec<RawDocuments>,
    #[serde(default)]
    faults: Vec<RawFault>,
    #[serde(default)]
    expect: Vec<RawPoint>,
    #[serde(default)]
    never: RawNever,
    #[serde(default)]
    quiet: bool,
}

#[derive(Deserialize)]
struct RawDocuments {
    at: Option<String>,
    arrives: Option<String>,
    every: Option<raw::Span>,
    count: Option<u32>,
    #[serde(default)]
    fields: Map<String, Value>,
    ndjson: Option<String>,
    index: Option<String>,
}

#[derive(Deserialize)]
struct RawFault {
    at: Option<raw::Span>,
    restart: Option<bool>,
    from: Option<raw::Span>,
    to: Option<raw::Span>,
    search: Option<u16>,
    shards: Option<String>,
    unassigned: Option<u32>,
    destination: Option<String>,
}

#[derive(Deserialize)]
struct RawPoint {
    at: raw::Span,
    signals: Option<Vec<Map<String, Value>>>,
    episodes: Option<Vec<Map<String, Value>>>,
    deliveries: Option<Vec<Map<String, Value>>>,
    gaps: Option<u64>,
}

#[derive(Deserialize, Default)]
struct RawNever {
    #[serde(default)]
    signals: Vec<Map<String, Value>>,
    #[serde(default)]
    deliveries: Vec<Map<String, Value>>,
}

/// `None`: at fault.
pub(super) fn file(path: &Path, text: &str, faults: &mut Vec<Diagnostic>) -> Option<TestFile> {
    let before = faults.len();
    let node = parse(&files::shown(path), text, faults)?;
    no_tokens(&node, faults);
    let (value, spans) = to_json(&node);
    let mut doc = Doc { value, spans: &spans, faults, pruned: Vec::new() };
    let raw: RawFile = doc.read(crate::schema::test())?;
    let rule = raw.rule.or_else(|| beside(path, &mut doc))?;
    let environments = raw.environments.unwrap_or_else(|| vec!["default".into()]);
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut tests = Vec::new();
    for (number, mut test) in raw.tests.into_iter().enumerate() {
        test.environments = test.environments.or_else(|| Some(environments.clone()));
        test.index = test.index.or_else(|| raw.index.clone());
        test.mapping = test.mapping.or_else(|| raw.mapping.clone());
        test.mappings = test.mappings.or_else(|| raw.mappings.clone());
        tests.push(bind(&mut doc, &format!("/tests/{number}"), test, folder));
    }
    (doc.faults.len() == before).then(|| TestFile { path: path.to_path_buf(), rule, tests })
}

/// The name in the manifest of the same stem.
fn beside(path: &Path, doc: &mut Doc<'_>) -> Option<String> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = file.trim_end_matches(".yaml").trim_end_matches(".yml").trim_end_matches(".test");
    let manifest = ["yaml", "yml"].iter().map(|end| path.with_file_name(format!("{stem}.{end}")));
    let found = manifest.into_iter().find(|path| path.exists()).and_then(|path| {
        let node = parse(&files::shown(&path), &files::read(&path).ok()?, &mut Vec::new())?;
        let name = node.entries().iter().find(|entry| entry.key == "name")?;
        match &name.value.data {
            Data::Scalar(Value::String(name)) => Some(name.clone()),
            _ => None,
        }
    });
    if found.is_none() {
        doc.fault("", format!("there is no manifest `{stem}.yaml` beside it to say which rule it tests"))
            .hint("write `rule: NAME`")
            .push(doc);
    }
    found
}

fn bind(doc: &mut Doc<'_>, at: &str, test: RawTest, folder: &Path) -> Test {
    let start = test.start.as_deref().map_or(Some(START), instant).unwrap_or_else(|| {
        doc.fault(&format!("{at}/start"), "`start` is not a date").push(doc);
        START
    });
    let expect: Vec<Point> = (0..).zip(test.expect).map(|(n, point)| bind_point(doc, at, n, point)).collect();
    for (number, pair) in expect.windows(2).enumerate() {
        if pair[1].at <= pair[0].at {
            doc.fault(&format!("{at}/expect/{}/at", number + 1), "must be later than the previous `at`")
                .hint("put everything expected at one time into one entry, and the entries in order")
                .push(doc);
        }
    }
    let last = expect.last().map(|point| point.at);
    let until =
        doc.span(&format!("{at}/until"), test.until, last.unwrap_or(UNTIL)).max(last.unwrap_or_default());
    if until > UNTIL_MAX {
        doc.fault(&format!("{at}/until"), format!("a test lasts at most {UNTIL_MAX}")).push(doc);
    }
    if expect.is_empty() && test.never.signals.is_empty() && test.never.deliveries.is_empty() && !test.quiet {
        doc.fault(at, "expects nothing, so it cannot fail")
            .hint("add `expect:`, `never:` or `quiet: true`")
            .push(doc);
    }
    Test {
        place: doc.spans.value(at).clone(),
        name: test.name,
        environments: test.environments.unwrap_or_default(),
        start,
        until,
        index: test.index,
        mapping: test.mapping,
        mappings: test.mappings.unwrap_or_default(),
        documents: (0..).zip(test.documents).map(|(n, of)| bind_documents(doc, at, n, of, folder)).collect(),
        faults: (0..).zip(test.faults).filter_map(|(n, fault)| bind_fault(doc, at, n, fault)).collect(),
        expect,
        never: Never { signals: wanted(test.never.signals), deliveries: wanted(test.never.deliveries) },
        quiet: test.quiet,
    }
}

fn bind_point(doc: &mut Doc<'_>, at: &str, number: usize, point: RawPoint) -> Point {
    let place = doc.spans.value(&format!("{at}/expect/{number}")).clone();
    if point.signals.is_none()
        && point.episodes.is_none()
        && point.deliveries.is_none()
        && point.gaps.is_none()
    {
        doc.fault(&format!("{at}/expect/{number}"), "does not say what to expect")
            .hint("add `signals:`, `episodes:`, `deliveries:` or `gaps:`; an empty list expects none")
            .push(doc);
    }
    Point {
        place,
        at: point.at.0,
        signals: point.signals.map(wanted),
        episodes: point.episodes.map(wanted),
        deliveries: point.deliveries.map(wanted),
        gaps: point.gaps,
    }
}

fn bind_documents(doc: &mut Doc<'_>, at: &str, number: usize, of: RawDocuments, folder: &Path) -> Documents {
    let here = format!("{at}/documents/{number}");
    if of.ndjson.is_some() && !(of.fields.is_empty() && of.count.is_none() && of.every.is_none()) {
        doc.fault(&here, "takes its documents from `ndjson`: `fields`, `count` and `every` have no effect")
            .hint("split it into two entries")
            .push(doc);
    }
    if of.ndjson.is_none() && of.at.is_none() {
        doc.fault(&here, "`at` is missing")
            .hint("give the document's time, counted from the start")
            .push(doc);
    }
    if of.count.unwrap_or(1) > 1 && of.every.is_none() {
        doc.fault(&here, "`every` is missing: give the time between the documents")
            .hint("for documents of one instant write `every: 0s`")
            .push(doc);
    }
    Documents {
        place: doc.spans.value(&here).clone(),
        at: of.at.as_deref().and_then(offset),
        arrives: of.arrives.as_deref().and_then(offset),
        every: of.every.map_or(Duration::ZERO, |every| every.0),
        count: of.count.unwrap_or(1),
        fields: of.fields,
        ndjson: of.ndjson.map(|path| folder.join(path)),
        index: of.index,
    }
}

fn bind_fault(doc: &mut Doc<'_>, at: &str, number: usize, fault: RawFault) -> Option<TestFault> {
    let span = |span: Option<raw::Span>| span.map(|raw::Span(span)| span);
    let over = span(fault.from).zip(span(fault.to));
    let restart = (span(fault.at), fault.restart);
    let lasting = (fault.search, fault.shards, fault.unassigned, fault.destination);
    let bound = match (restart, over, lasting) {
        ((Some(at), Some(true)), None, (None, None, None, None)) => Some(TestFault::Restart { at }),
        ((None, None), Some((from, to)), lasting) => match lasting {
            (Some(status), None, None, None) => Some(TestFault::Search { from, to, status }),
            (None, Some(_), None, None) => Some(TestFault::PartialShards { from, to }),
            (None, None, Some(shards), None) => Some(TestFault::Unassigned { from, to, shards }),
            (None, None, None, Some(name)) => Some(TestFault::Destination { from, to, name }),
            _ => None,
        },
        _ => None,
    };
    if bound.is_none() {
        doc.fault(&format!("{at}/faults/{number}"), "is not a fault that can be injected")
            .hint(
                "write `{ at: 5m, restart: true }`, `{ from: 5m, to: 8m, search: 503 }`, `{ from:, to:, shards: partial }`, \
                 `{ from:, to:, unassigned: 2 }` or `{ from:, to:, destination: NAME }`",
            )
            .push(doc);
    }
    bound
}

/// Times are written in one way, so that `60s` is `1m`.
fn wanted(mut list: Vec<Map<String, Value>>) -> Vec<Wanted> {
    for (name, value) in list.iter_mut().flatten() {
        if matches!(name.as_str(), "at" | "since")
            && let Some(offset) = value.as_str().and_then(offset)
        {
            *value = offset.to_string().into();
        }
    }
    list.into_iter().map(Wanted).collect()
}

/// Tests contain literal values: only rules use an environment's tokens.
fn no_tokens(node: &Node, faults: &mut Vec<Diagnostic>) {
    match &node.data {
        Data::Template(_) => faults.push(
            Diagnostic::error(&node.place, "contains a token, which tests cannot use")
                .hint("write the value itself, or part of it: `{ contains: … }`"),
        ),
        Data::List(items) => items.iter().for_each(|item| no_tokens(item, faults)),
        Data::Map(entries) => entries.iter().for_each(|entry| no_tokens(&entry.value, faults)),
        Data::Scalar(_) | Data::Bad => {}
    }
}

fn offset(text: &str) -> Option<Offset> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let millis = i64::try_from(units::duration(text)?.min(units::DURATION_MAX).millis()).ok()?;
    Some(Offset(sign * millis))
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}
