//! Test files: what a rule must, and must not, find in documents on a virtual timeline.
mod read; // from the file to what it means

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};
use watchbell_contract::{Duration, Timestamp};

use crate::{Place, Report, files};

/// A `*.test.yaml`.
#[derive(Clone, Debug)]
pub struct TestFile {
    pub path: PathBuf,
    /// The rule under test.
    pub rule: String,
    pub tests: Vec<Test>,
}

/// One timeline.
#[derive(Clone, Debug)]
pub struct Test {
    pub name: String,
    pub place: Place,
    /// The environments it runs in, once each.
    pub environments: Vec<String>,
    /// When the host starts.
    pub start: Timestamp,
    /// After the start.
    pub until: Duration,
    /// `None`: the rule's own, `*` read as `test`.
    pub index: Option<String>,
    /// Elasticsearch's `properties`.
    pub mapping: Option<Value>,
    /// Those of single indices, by name.
    pub mappings: BTreeMap<String, Value>,
    pub documents: Vec<Documents>,
    pub faults: Vec<TestFault>,
    /// In order of time.
    pub expect: Vec<Point>,
    pub never: Never,
    pub quiet: bool,
}

/// Milliseconds after the start; before it if negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(pub i64);

impl std::fmt::Display for Offset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", Duration(self.0.unsigned_abs()))
    }
}

/// Documents, or a file of them.
#[derive(Clone, Debug)]
pub struct Documents {
    pub place: Place,
    pub at: Option<Offset>,
    pub arrives: Option<Offset>,
    pub every: Duration,
    pub count: u32,
    pub fields: Map<String, Value>,
    /// A file of a document per line, or a folder of such files.
    pub ndjson: Option<PathBuf>,
    pub index: Option<String>,
}

/// An injected fault, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestFault {
    /// The host is killed and restarts from its store.
    Restart { at: Duration },
    /// Searches are refused with this status.
    Search { from: Duration, to: Duration, status: u16 },
    /// Answers lack a shard.
    PartialShards { from: Duration, to: Duration },
    /// This many shards are unassigned.
    Unassigned { from: Duration, to: Duration, shards: u32 },
    /// A destination is down.
    Destination { from: Duration, to: Duration, name: String },
}

/// What must have happened by `at`. `None`: no expectation.
#[derive(Clone, Debug)]
pub struct Point {
    pub place: Place,
    pub at: Duration,
    pub signals: Option<Vec<Wanted>>,
    pub episodes: Option<Vec<Wanted>>,
    pub deliveries: Option<Vec<Wanted>>,
    pub gaps: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub struct Never {
    pub signals: Vec<Wanted>,
    pub deliveries: Vec<Wanted>,
}

/// Expected members, by name. Other members may have any value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Wanted(pub Map<String, Value>);

impl Wanted {
    /// Whether `seen` has all the members. `{ contains: … }` matches part of a string; the members of `details`
    /// are compared one by one.
    pub fn fits(&self, seen: &Map<String, Value>) -> bool {
        self.0.iter().all(|(name, wanted)| match (wanted, seen.get(name)) {
            (Value::Object(wanted), Some(Value::Object(seen))) if name == "details" => {
                wanted.iter().all(|(name, value)| seen.get(name).is_some_and(|seen| same(value, seen)))
            }
            (Value::Object(part), Some(Value::String(text))) => {
                part.get("contains").and_then(Value::as_str).is_some_and(|part| text.contains(part))
            }
            (Value::String(wanted), Some(Value::String(text))) => {
                // A block text ends in a line break that nobody means.
                wanted.trim_end_matches('\n') == text.trim_end_matches('\n')
            }
            (wanted, seen) => same(wanted, seen.unwrap_or(&Value::Null)),
        })
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

/// Loads the test files at or below `path`, in order of path.
///
/// # Errors
/// Every fault of every file.
pub fn load_tests(path: &Path) -> Result<Vec<TestFile>, Report> {
    let mut faults = Vec::new();
    let mut read = Vec::new();
    for path in files::tests(path, &mut faults) {
        match files::read(&path) {
            Err(fault) => faults.push(fault),
            Ok(text) => read.extend(read::file(&path, &text, &mut faults)),
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(Report::new(faults)) }
}
