//! `docs/security.md` says of each attack which tests show what it can do.
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::world::repository;

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let page = fs::read_to_string(repository().join("docs/security.md")).expect("the threat model");
    let mut sources = Vec::new();
    for folder in ["host", "sdk", "plugins", "tests", "xtask", "fuzz"] {
        read_sources(&repository().join(folder), &mut sources);
    }
    let mut named = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.contains("shown by |")) {
        let shown = row.trim_end_matches(" |").rsplit(" | ").next().expect("a last cell");
        let tests: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test shows: {row}");
        named.extend(tests);
    }
    assert!(named.len() >= 40, "only {} tests are named", named.len());
    for name in named {
        assert!(sources.iter().any(|source| has_test(source, name)), "no test is called `{name}`");
    }
}

/// A function with a test's attribute, or one that is called with each guest of `tests/guests`.
fn has_test(source: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    source.match_indices(&head).any(|(at, _)| {
        let above = source[..at].rsplit("\n\n").next().unwrap_or_default();
        above.contains("#[test]")
            || above.contains("::test")
            || source[at + head.len()..].starts_with("guest: &Guest)")
    })
}

fn read_sources(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(fs::read_to_string(&path).expect("a source"));
        }
    }
}
