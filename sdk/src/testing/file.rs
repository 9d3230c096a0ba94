//! Reads cases from files: `*.test.yaml`.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::{Location, Spanned};

use super::case::{Answers, Case, Document, Expected, Offset, Point};
use crate::Duration;

/// How a file of cases ends.
const ENDINGS: [&str; 2] = [".test.yaml", ".test.yml"];
/// Bytes of a file of cases.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Entries of a folder that are looked at.
const ENTRIES_MAX: usize = 100_000;
/// How long a case without expected signals lasts, as a rule's own test.
const UNTIL: Duration = Duration::from_mins(60);
/// The maximum number of windows of a case.
const WINDOWS_MAX: u64 = 100_000;
/// The maximum number of documents of one entry.
const DOCUMENTS_MAX: u32 = 1_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    params: Option<Value>,
    key: Option<Vec<String>>,
    from: Option<Duration>,
    every: Option<Duration>,
    lateness: Option<Duration>,
    mapping: Option<Value>,
    missing: Option<Vec<String>>,
    cuts: Option<RawCuts>,
    tests: Vec<Spanned<RawTest>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTest {
    name: String,
    #[serde(default)]
    pins: String,
    params: Option<Value>,
    key: Option<Vec<String>>,
    from: Option<Duration>,
    until: Option<Duration>,
    every: Option<Duration>,
    #[serde(default)]
    ends: Vec<Duration>,
    lateness: Option<Duration>,
    page_rows: Option<usize>,
    state: Option<String>,
    mapping: Option<Value>,
    missing: Option<Vec<String>>,
    cuts: Option<RawCuts>,
    #[serde(default)]
    documents: Vec<Spanned<RawDocument>>,
    #[serde(default)]
    expect: Vec<Spanned<RawPoint>>,
    #[serde(default)]
    never: RawNever,
    #[serde(default)]
    quiet: bool,
}

/// Why windows may end only where the case says.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCuts {
    fixed: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDocument {
    at: Offset,
    arrives: Option<Offset>,
    every: Option<Duration>,
    count: Option<u32>,
    #[serde(default)]
    fields: Map<String, Value>,
    matches: Option<BTreeMap<String, bool>>,
    answers: Option<Answers>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPoint {
    at: Duration,
    signals: Vec<Expected>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawNever {
    #[serde(default)]
    signals: Vec<Expected>,
}

impl Case {
    /// Reads the cases of a file's text. `file` is its name, for messages.
    ///
    /// # Errors
    /// The text is not a valid file of cases; the message begins with `FILE:LINE:COLUMN`.
    pub fn parse(file: &str, text: &str) -> Result<Vec<Self>, String> {
        let at = |location: Location, message: &str| {
            format!("{file}:{}:{}: {message}", location.line(), location.column())
        };
        // As in manifests, `on` and `no` are texts.
        let options = serde_saphyr::options! { strict_booleans: true };
        let raw: RawFile = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let error = error.without_snippet();
            let message = error.to_string();
            // The position stands in front.
            let message = message.lines().next().unwrap_or_default();
            let message = message.rfind(" at line ").map_or(message, |end| &message[..end]);
            error.location().map_or_else(|| format!("{file}: {message}"), |location| at(location, message))
        })?;
        if raw.tests.is_empty() {
            return Err(format!("{file}:1:1: `tests` is empty"));
        }
        let RawFile { params, key, from, every, lateness, mapping, missing, cuts, tests } = raw;
        let shared = Shared { params, key, from, every, lateness, mapping, missing, cuts };
        tests.into_iter().map(|test| bind(file, test, &shared, &at)).collect()
    }

    /// Reads the cases of a file.
    ///
    /// # Errors
    /// The file cannot be read, or is not valid; the message says where and why.
    pub fn read_file(path: &Path) -> Result<Vec<Self>, String> {
        let text = watchbell_outside::read_text(path, FILE_BYTES_MAX)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads the cases of all `*.test.yaml` of a folder, in order of their names.
    ///
    /// # Errors
    /// A file cannot be read or is not valid, or there is none.
    pub fn read_folder(folder: &Path) -> Result<Vec<Self>, String> {
        let files = Self::files(folder)?;
        if files.is_empty() {
            return Err(format!("{}: holds no `*.test.yaml`", folder.display()));
        }
        let mut cases = Vec::new();
        for file in files {
            cases.extend(Self::read_file(&file)?);
        }
        Ok(cases)
    }

    /// The files of cases in a folder, in order of their names; none if there is no such folder.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
        let listed = match fs::read_dir(folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            Err(error) => return Err(format!("{}: {error}", folder.display())),
        };
        let is_file = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            ENDINGS.iter().any(|ending| name.ends_with(ending))
        };
        let entries = listed.flatten().take(ENTRIES_MAX);
        let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(is_file).collect();
        files.sort();
        Ok(files)
    }
}

/// What a file says for all of its tests.
struct Shared {
    params: Option<Value>,
    key: Option<Vec<String>>,
    from: Option<Duration>,
    every: Option<Duration>,
    lateness: Option<Duration>,
    mapping: Option<Value>,
    missing: Option<Vec<String>>,
    cuts: Option<RawCuts>,
}

fn bind(
    file: &str,
    test: Spanned<RawTest>,
    shared: &Shared,
    at: &dyn Fn(Location, &str) -> String,
) -> Result<Case, String> {
    let (here, test) = (test.referenced, test.value);
    if test.expect.is_empty() && test.never.signals.is_empty() && !test.quiet {
        return Err(at(here, "expects nothing, so it cannot fail: add `expect:`, `never:` or `quiet: true`"));
    }
    for pair in test.expect.windows(2) {
        if pair[1].value.at <= pair[0].value.at {
            return Err(at(pair[1].referenced, "`at` must be later than the previous one"));
        }
    }
    let last = test.expect.last().map(|point| point.value.at);
    let until = test.until.max(last).unwrap_or(UNTIL);
    let defaults = Case::default();
    let from = test.from.or(shared.from).unwrap_or(defaults.from);
    if until <= from {
        return Err(at(here, &format!("ends at {until}, before it begins at {from}")));
    }
    let every = test.every.or(shared.every).unwrap_or(defaults.every);
    if (until - from).millis() / every.millis().max(1) > WINDOWS_MAX
        && test.ends.is_empty()
        && !every.is_zero()
    {
        let fault =
            format!("has more than {WINDOWS_MAX} windows of {every}: end it earlier, or make them longer");
        return Err(at(here, &fault));
    }
    let documents = test.documents.into_iter().map(|of| document(of, at)).collect::<Result<_, _>>()?;
    let point = |of: Spanned<RawPoint>| Point {
        at: Some(of.value.at),
        signals: of.value.signals,
        line: u32::try_from(of.referenced.line()).unwrap_or(0),
    };
    Ok(Case {
        name: test.name,
        pins: test.pins,
        params: test.params.or_else(|| shared.params.clone()).unwrap_or(defaults.params),
        key: test.key.or_else(|| shared.key.clone()).unwrap_or_default(),
        from,
        until,
        every,
        ends: test.ends,
        lateness: test.lateness.or(shared.lateness).unwrap_or_default(),
        page_rows: test.page_rows.unwrap_or(defaults.page_rows),
        state: test.state,
        mapping: test.mapping.or_else(|| shared.mapping.clone()).unwrap_or_default(),
        missing: test.missing.or_else(|| shared.missing.clone()).unwrap_or_default(),
        fixed_cuts: test.cuts.or_else(|| shared.cuts.clone()).map(|cuts| cuts.fixed),
        documents,
        expect: test.expect.into_iter().map(point).collect(),
        never: test.never.signals,
        quiet: test.quiet,
        place: format!("{file}:{}", here.line()),
    })
}

fn document(of: Spanned<RawDocument>, at: &dyn Fn(Location, &str) -> String) -> Result<Document, String> {
    let (here, of) = (of.referenced, of.value);
    let count = of.count.unwrap_or(1);
    if count > DOCUMENTS_MAX {
        return Err(at(here, &format!("`count` is {count}; it can be at most {DOCUMENTS_MAX}")));
    }
    if count > 1 && of.every.is_none() {
        return Err(at(
            here,
            "`every` is missing: give the time between the documents, `0s` for those of one instant",
        ));
    }
    Ok(Document {
        at: of.at,
        arrives: of.arrives,
        count,
        every: of.every.unwrap_or_default(),
        fields: of.fields,
        matches: of.matches,
        answers: of.answers,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::case::{ExpectedKind, Text};

    const FILE: &str = r#"
params: { n: 2, text: "22", off: no, on: on }   # why
key: [host]
lateness: 1m
tests:
  - name: two
    documents:
      - { at: -1h, fields: { a: 1, at: 2024-01-01, b: ~ } }
      - { at: 20s, every: 1s, count: 3, arrives: 1m20s, fields: { user: "u{n}" } }
    expect:
      - at: 1m
        signals: []

      - at: 2m
        signals:
          - { at: 20s, kind: event, labels: { host: null }, summary: { contains: two }, details: { n: 2.0 } }
  - name: quiet
    params: {}
    cuts: { fixed: it counts windows }
    missing: [user]
    quiet: true
"#;

    #[test]
    fn a_file_is_read() {
        let cases = Case::parse("x.test.yaml", FILE).unwrap();
        let [two, quiet] = &cases[..] else { panic!("{cases:?}") };
        assert_eq!(two.params, json!({ "n": 2, "text": "22", "off": "no", "on": "on" }));
        assert_eq!((two.until, two.lateness), (Duration::from_mins(2), Duration::from_mins(1)));
        assert_eq!(two.documents[0].at, Offset(-3_600_000));
        assert_eq!(json!(two.documents[0].fields), json!({ "a": 1, "at": "2024-01-01", "b": null }));
        assert_eq!((two.documents[1].count, two.documents[1].arrives), (3, Some(Offset(80_000))));
        assert_eq!((two.expect[0].line, two.expect[1].line), (11, 14));
        let signal = &two.expect[1].signals[0];
        assert_eq!((signal.at, signal.kind), (Some(Duration::from_secs(20)), Some(ExpectedKind::Event)));
        assert_eq!(signal.summary, Some(Text::Part { contains: "two".into() }));
        assert_eq!(signal.labels.as_ref().unwrap()["host"], None);
        assert_eq!(two.place, "x.test.yaml:6");
        assert_eq!((quiet.until, &quiet.params), (UNTIL, &json!({})));
        assert_eq!(
            (quiet.fixed_cuts.as_deref(), &quiet.missing[..]),
            (Some("it counts windows"), &["user".to_owned()][..])
        );
        assert!(quiet.is_quiet() && !quiet.stays_quiet() && two.fires());
    }

    #[test]
    fn faults_have_a_place() {
        let fault = |tests: &str| Case::parse("x.test.yaml", &format!("tests:\n{tests}")).unwrap_err();
        let faults = [
            fault("  - name: a\n    quiet: true\n    documents:\n      - { at: 1500 }"),
            fault("  - name: a\n    quiet: true\n    documents:\n      - { at: 1s, filds: {} }"),
            fault("  - name: a\n"),
            fault("  - quiet: true\n"),
            fault("  - { name: a, quiet: true, documents: [{ at: 1s, count: 2 }] }"),
            fault("  - { name: a, expect: [{ at: 2m, signals: [] }, { at: 1m, signals: [] }] }"),
            fault("  - { name: a, quiet: true, documents: [{ at: 1s, every: 1s, count: 4000000000 }] }"),
            fault("  - { name: a, quiet: true, every: 1ms, until: 1d }"),
            fault("  - { name: a"),
            fault("  []"),
        ];
        let expected = [
            "x.test.yaml:5:15: `1500` is not a duration: write, for example, `90s`, `5m` or `1h30m`",
            "x.test.yaml:5:19: unknown field `filds`",
            "x.test.yaml:2:5: expects nothing, so it cannot fail: add `expect:`, `never:` or `quiet: true`",
            "x.test.yaml:2:5: missing field `name`",
            "x.test.yaml:2:41: `every` is missing: give the time between the documents, `0s` for those of one instant",
            "x.test.yaml:2:50: `at` must be later than the previous one",
            "x.test.yaml:2:41: `count` is 4000000000; it can be at most 1000000",
            "x.test.yaml:2:5: has more than 100000 windows of 1ms: end it earlier, or make them longer",
            "x.test.yaml:2:5: ",
            "x.test.yaml:1:1: `tests` is empty",
        ];
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with(expected), "{fault}\n{expected}");
        }
    }
}
