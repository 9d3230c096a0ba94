//! `--bless`: rewrites expectations to match what happened. Only these lines of a test file change.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use watchbell_manifest::{Point, TestFile, Wanted};

use super::compare::{Observed, What};
use super::outcome::{Outcome, Verdict};
use watchbell_sdk::testing::flow;

/// The default members of an entry if the test names none.
const SIGNAL: &[&str] = &["at", "labels", "value", "summary"];
const EPISODE: &[&str] = &["labels", "state", "severity"];
const DELIVERY: &[&str] = &["to", "cause", "title"];

/// Bytes of a file of tests.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Messages about what could not be blessed.
pub(crate) type Refused = Vec<String>;

/// Rewrites every differing point of `outcomes`; returns the files that changed.
///
/// # Errors
/// A file that cannot be read or written.
pub(crate) fn bless(files: &[TestFile], outcomes: &[Outcome]) -> std::io::Result<(Vec<PathBuf>, Refused)> {
    let mut refused = Vec::new();
    let mut changed = Vec::new();
    for file in files {
        let mut edits: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        let mut torn = BTreeSet::new();
        for outcome in outcomes.iter().filter(|outcome| outcome.file == file.path) {
            let Verdict::Differs(discrepancies) = &outcome.verdict else { continue };
            if discrepancies.iter().any(|one| one.what == What::Forbidden) {
                refused.push(format!(
                    "{}: a forbidden signal or delivery occurred; it is not blessed",
                    outcome.place()
                ));
            }
            let lines: BTreeSet<u32> =
                discrepancies.iter().filter(|one| one.what != What::Forbidden).map(|one| one.line).collect();
            for line in lines {
                let Some((_, observed)) = outcome.points.iter().find(|(at, _)| *at == line) else { continue };
                let Some(point) = point_at(file, line) else { continue };
                let text = written(point, observed);
                if edits.get(&line).is_some_and(|other| *other != text) {
                    torn.insert(line);
                }
                edits.insert(line, text);
            }
        }
        for line in torn {
            edits.remove(&line);
            refused.push(format!(
                "{}:{line}: environments differ here; give each its own test",
                file.path.display()
            ));
        }
        if !edits.is_empty() && rewrite(&file.path, &edits, &mut refused)? {
            changed.push(file.path.clone());
        }
    }
    Ok((changed, refused))
}

fn point_at(file: &TestFile, line: u32) -> Option<&Point> {
    file.tests.iter().flat_map(|test| &test.expect).find(|point| point.place.line == line)
}

/// The point as written in its file, unindented.
fn written(point: &Point, observed: &Observed) -> Vec<String> {
    let mut lines = vec![format!("at: {}", point.at)];
    let lists = [
        ("signals", &point.signals, &observed.signals, SIGNAL),
        ("episodes", &point.episodes, &observed.episodes, EPISODE),
        ("deliveries", &point.deliveries, &observed.deliveries, DELIVERY),
    ];
    for (name, wanted, seen, usual) in lists {
        let Some(wanted) = wanted else { continue };
        if seen.is_empty() {
            lines.push(format!("{name}: []"));
            continue;
        }
        lines.push(format!("{name}:"));
        for (n, seen) in seen.iter().enumerate() {
            lines.push(format!("  - {}", flow(&Value::Object(entry(wanted, n, seen, usual)))));
        }
    }
    if point.gaps.is_some() {
        lines.push(format!("gaps: {}", observed.gaps));
    }
    lines
}

/// With the members that the entry at this place has, or else those of any entry, or else the default ones. A partial
/// text that still matches is kept.
fn entry(wanted: &[Wanted], n: usize, seen: &Map<String, Value>, usual: &[&str]) -> Map<String, Value> {
    let own = wanted.get(n);
    let all: BTreeSet<&str> = wanted.iter().flat_map(|wanted| wanted.0.keys()).map(String::as_str).collect();
    let names: Vec<&str> = match own {
        Some(own) if !own.0.is_empty() => own.0.keys().map(String::as_str).collect(),
        _ if !all.is_empty() => all.into_iter().collect(),
        _ => usual.to_vec(),
    };
    let value = |name: &str| {
        let kept = own.and_then(|own| own.0.get(name)).filter(|value| {
            let one = Wanted(Map::from_iter([(name.to_owned(), (*value).clone())]));
            one.fits(seen)
        });
        kept.or_else(|| seen.get(name)).cloned().unwrap_or_default()
    };
    names.into_iter().map(|name| (name.to_owned(), value(name))).collect()
}

/// Replaces each item of a block sequence that starts on one of the lines. `false`: nothing to do.
pub(crate) fn rewrite(
    path: &Path,
    edits: &BTreeMap<u32, Vec<String>>,
    refused: &mut Refused,
) -> std::io::Result<bool> {
    let text = watchbell_outside::read_text(path, FILE_BYTES_MAX)?;
    let lines: Vec<&str> = text.lines().collect();
    let mut out: Vec<String> = Vec::new();
    let mut number = 0;
    let mut done = false;
    while number < lines.len() {
        let line = lines[number];
        let indent = line.len() - line.trim_start().len();
        match edits.get(&(number as u32 + 1)) {
            Some(point) if line.trim_start().starts_with("- ") => {
                let inside =
                    |line: &&str| line.trim().is_empty() || line.len() - line.trim_start().len() > indent;
                let mut end = number + 1 + lines[number + 1..].iter().take_while(|line| inside(line)).count();
                // Blank lines after an item belong to what follows.
                while lines[end - 1].trim().is_empty() {
                    end -= 1;
                }
                for (n, part) in point.iter().enumerate() {
                    out.push(format!("{}{}{part}", " ".repeat(indent), if n == 0 { "- " } else { "  " }));
                }
                number = end;
                done = true;
            }
            Some(_) => {
                refused.push(format!("{}:{}: put this point on its own lines", path.display(), number + 1));
                out.push(line.to_owned());
                number += 1;
            }
            None => {
                out.push(line.to_owned());
                number += 1;
            }
        }
    }
    if done {
        fs::write(path, out.join("\n") + "\n")?;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_replaced_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.test.yaml");
        let text = "tests:\n  - name: a   # why\n    expect:\n      - at: 5m\n        signals: []\n\n      - { at: 6m, signals: [] }\n    quiet: false\n";
        fs::write(&path, text).unwrap();
        let edits = BTreeMap::from([
            (4, vec!["at: 5m".to_owned(), "signals:".into(), "  - {}".into()]),
            (8, vec!["x".into()]),
        ]);
        let mut refused = Vec::new();
        assert!(rewrite(&path, &edits, &mut refused).unwrap());
        let expected = "tests:\n  - name: a   # why\n    expect:\n      - at: 5m\n        signals:\n          - {}\n\n      - { at: 6m, signals: [] }\n    quiet: false\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(refused.len(), 1);
    }
}
