//! What the fuzzer begins with, made of `tests/cases` and `rules` in the form that a target reads (`fuzz/targets`).
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cache::{checkout, write_if_changed};

/// Longer cases find no more and slow the fuzzer down.
const SEED_BYTES_MAX: usize = 16 << 10;

/// Writes the seeds of `target` into `folder`.
pub(super) fn write(target: &str, folder: &Path) -> Result<()> {
    let seeds = match target {
        "manifest" => manifests()?,
        "importer" => imports()?,
        "lucene" => queries(&|body| strings(body, &["query", "wildcard", "regexp", "value"]))?,
        "node" => queries(&|body| {
            vec![format!("POST /logs-a/_search\n{body}"), format!("POST /logs-a/_count\n{body}")]
        })?,
        // Their corpus in the repository began with recorded answers.
        _ => Vec::new(),
    };
    for (number, seed) in seeds.iter().filter(|seed| seed.len() <= SEED_BYTES_MAX).enumerate() {
        write_if_changed(&folder.join(format!("seed-{number:04}")), seed.as_bytes())?;
    }
    Ok(())
}

/// Each case with its environment and the one that is laid over it; each shipped rule with its tests.
fn manifests() -> Result<Vec<String>> {
    let mut seeds = Vec::new();
    for case in folders("tests/cases/manifest")? {
        let environments = below(&case.join("environments"))?;
        let mut around = String::new();
        for path in environments {
            let is_default = path.file_stem().is_some_and(|stem| stem == "default");
            section(&mut around, if is_default { "environment" } else { "overlay" }, &text(&path)?);
        }
        for path in below(&case)?.iter().filter(|path| is_yaml(path) && !is_within(path, "environments")) {
            seeds.push(format!("{}\n{around}", text(path)?));
        }
    }
    let environment = text(&checkout().join("rules/environments/default.yaml"))?;
    for path in below(&checkout().join("rules"))? {
        if !is_yaml(&path) || is_within(&path, "environments") || path.to_string_lossy().contains(".test.") {
            continue;
        }
        let mut seed = format!("{}\n", text(&path)?);
        section(&mut seed, "environment", &environment);
        if let Ok(tests) = text(&path.with_extension("test.yaml")) {
            section(&mut seed, "tests", &tests);
        }
        seeds.push(seed);
    }
    Ok(seeds)
}

/// Each case's folder.
fn imports() -> Result<Vec<String>> {
    let mut seeds = Vec::new();
    for case in folders("tests/cases/import")? {
        let folder = case.join("in");
        let mut seed = String::new();
        for path in below(&folder)? {
            let name = path.strip_prefix(&folder).unwrap_or(&path);
            section(&mut seed, &name.display().to_string(), &text(&path)?);
        }
        seeds.push(seed);
    }
    Ok(seeds)
}

/// What `of` makes of the body of each request to the embedded node.
fn queries(of: &dyn Fn(&Value) -> Vec<String>) -> Result<Vec<String>> {
    let mut seeds = Vec::new();
    for case in folders("tests/cases/node")? {
        let path = case.join("requests.json");
        let Ok(requests) = text(&path) else { continue };
        let requests: Vec<Value> =
            serde_json::from_str(&requests).with_context(|| format!("{} is not a list", path.display()))?;
        for request in requests {
            seeds.extend(of(&request["body"]));
        }
    }
    seeds.sort();
    seeds.dedup();
    Ok(seeds)
}

/// The strings under one of these keys, at any depth.
fn strings(value: &Value, keys: &[&str]) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(text) if keys.contains(&key.as_str()) => vec![text.clone()],
                value => strings(value, keys),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| strings(item, keys)).collect(),
        _ => Vec::new(),
    }
}

fn section(seed: &mut String, name: &str, text: &str) {
    if !seed.is_empty() && !seed.ends_with('\n') {
        seed.push('\n');
    }
    seed.push_str(&format!("%%{name}\n{text}"));
}

fn folders(place: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let place = checkout().join(place);
    for entry in fs::read_dir(&place).with_context(|| format!("cannot read {}", place.display()))? {
        found.push(entry?.path());
    }
    found.retain(|path| path.is_dir());
    found.sort();
    Ok(found)
}

/// Every file below `folder`, sorted; none where it does not exist.
fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(below(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "yaml" || end == "yml")
}

fn is_within(path: &Path, folder: &str) -> bool {
    path.parent().is_some_and(|parent| parent.ends_with(folder))
}

/// Cases with bytes that are not text are left to the fuzzer.
fn text(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_have_the_form_of_their_target() {
        let manifests = manifests().unwrap();
        assert!(manifests.len() > 50, "{}", manifests.len());
        assert!(manifests.iter().any(|seed| seed.contains("\n%%overlay\n")));
        assert!(manifests.iter().any(|seed| seed.contains("\n%%tests\n")));
        assert!(imports().unwrap().iter().all(|seed| seed.starts_with("%%")));
        let queries = queries(&|body| strings(body, &["query"])).unwrap();
        assert!(
            queries.len() > 50 && !queries.iter().any(|query| query.starts_with('{')),
            "{}",
            queries.len()
        );
    }
}
