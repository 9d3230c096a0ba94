//! ElastAlert's configuration: which file it is, and where it says that rules are.
//!
//! ElastAlert is given one file by `--config`. Folders often hold several, for tests or as examples: none of these is
//! taken without a word.
use std::collections::BTreeMap;
use std::sync::Arc;

use watchbell_manifest::Place;

use crate::node::Data;
use crate::report::Fault;
use crate::sources::{is_yaml, normal, resolve};
use crate::tree::Document;

type Documents = BTreeMap<String, Result<Document, Fault>>;

#[derive(Default)]
pub(crate) struct Config {
    pub(crate) path: Option<String>,
    /// Configurations that are not read.
    pub(crate) others: Vec<String>,
    /// Why none is.
    pub(crate) fault: Option<Fault>,
    /// Where rules are, as the files' paths have it. Empty: anywhere.
    pub(crate) folders: Vec<String>,
    /// Whether a folder's own folders have rules too.
    is_deep: bool,
}

impl Config {
    /// `chosen`: the one that the operator names.
    pub(crate) fn find(documents: &Documents, chosen: Option<&str>) -> Self {
        let all: Vec<&str> = documents
            .iter()
            .filter(|(path, document)| is_config(path, document))
            .map(|(path, _)| &**path)
            .collect();
        let found = match chosen {
            Some(path) => Ok(Some(path)),
            None => one_of(&all),
        };
        let path = *found.as_ref().unwrap_or(&None);
        let mut config = Self {
            path: path.map(String::from),
            others: all
                .iter()
                .filter(|other| Some(**other) != path)
                .map(|other| (*other).to_string())
                .collect(),
            fault: found.err().map(unclear),
            folders: Vec::new(),
            is_deep: true,
        };
        match path.and_then(|path| Some((path, documents.get(path)?))) {
            Some((path, Ok(document))) => config.read(path, document, documents),
            Some((path, Err(fault))) => {
                config.fault = Some(Fault {
                    message: format!("the configuration `{path}` {}", fault.message),
                    ..fault.clone()
                });
            }
            None => {}
        }
        config
    }

    fn read(&mut self, path: &str, document: &Document, documents: &Documents) {
        let of = |key: &str| {
            document.entries.iter().rev().find(|entry| entry.key == key).map(|entry| &entry.value)
        };
        self.is_deep = of("scan_subdirectories").is_none_or(|node| node.data != Data::Bool(false));
        let named: Vec<String> = match of("rules_folder").map(|node| &node.data) {
            Some(Data::List(items)) => items.iter().filter_map(|item| item.text()).collect(),
            _ => of("rules_folder").and_then(|node| node.text()).into_iter().collect(),
        };
        self.folders = named.iter().filter_map(|name| folder(path, name, documents)).collect();
    }

    /// Whether a file is where rules are.
    pub(crate) fn holds(&self, path: &str) -> bool {
        self.folders
            .iter()
            .any(|folder| below(folder, path).is_some_and(|rest| self.is_deep || !rest.contains('/')))
    }
}

fn is_config(path: &str, document: &Result<Document, Fault>) -> bool {
    let Ok(document) = document else {
        // One that cannot be read is known by its name.
        return matches!(stem(path), "config" | "elastalert" | "elastalert_config" | "elastalert-config");
    };
    let has = |key: &str| document.entries.iter().any(|entry| entry.key == key);
    is_yaml(path)
        && !has("type")
        && !has("import")
        && (has("rules_folder") || has("writeback_index") || has("run_every") && has("buffer_time"))
}

/// The only one, apart from those that are for tests or examples by their names, or the one nearest to the top.
///
/// # Errors
/// All of them, if it is none of these.
fn one_of<'a>(all: &[&'a str]) -> Result<Option<&'a str>, Vec<String>> {
    let mut meant: Vec<&str> = all.iter().copied().filter(|path| all.len() == 1 || !is_aside(path)).collect();
    let depth = |path: &str| path.matches('/').count();
    let top = meant.iter().map(|path| depth(path)).min();
    meant.retain(|path| Some(depth(path)) == top);
    match meant.as_slice() {
        [one] => Ok(Some(one)),
        [] if all.is_empty() => Ok(None),
        _ => Err(all.iter().map(|path| (*path).to_string()).collect()),
    }
}

/// Whether a path says that it is not what production reads.
fn is_aside(path: &str) -> bool {
    const WORDS: [&str; 15] = [
        "test",
        "tests",
        "testing",
        "example",
        "examples",
        "sample",
        "samples",
        "demo",
        "dev",
        "development",
        "local",
        "staging",
        "template",
        "templates",
        "old",
    ];
    path.split(|c: char| !c.is_alphanumeric()).any(|word| WORDS.contains(&word.to_lowercase().as_str()))
}

fn unclear(all: Vec<String>) -> Fault {
    let names: Vec<String> = all.iter().map(|path| format!("`{path}`")).collect();
    Fault {
        place: Place { file: Arc::from(all.first().map_or("", String::as_str)), line: 0, column: 0 },
        message: format!("any of {} may be the configuration that applies to the rules", names.join(", ")),
        remedy: "pass `--config FILE` with the one that ElastAlert is started with".into(),
    }
}

/// The folder of rules that is called `name` where ElastAlert runs, if files of it are there. It may be somewhere else
/// here, so that only the end of its name is the same.
fn folder(config: &str, name: &str, documents: &Documents) -> Option<String> {
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let beside = config.rsplit_once('/').map_or("", |(folder, _)| folder);
    let above = beside.rsplit_once('/').map_or("", |(folder, _)| folder);
    let under =
        |folder: &str, rest: &str| resolve(&format!("{folder}/x"), rest).trim_start_matches('/').to_string();
    let mut candidates = vec![resolve(config, name), normal(name)];
    for start in 0..parts.len() {
        let tail = parts[start..].join("/");
        candidates.extend([under(beside, &tail), tail.clone(), under(above, &tail)]);
    }
    candidates.into_iter().find(|folder| {
        documents.keys().any(|path| path != config && is_yaml(path) && below(folder, path).is_some())
    })
}

/// The rest of a path below a folder; the empty folder is the one that was read.
fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    match folder {
        "" => (!path.starts_with("../") && !path.starts_with('/')).then_some(path),
        folder => path.strip_prefix(folder)?.strip_prefix('/'),
    }
}

fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_configuration_is_not_taken_for_production() {
        for (all, expected) in [
            (
                &["config/elastalert-test.yaml", "config/elastalert.yaml"][..],
                Ok(Some("config/elastalert.yaml")),
            ),
            (&["config-test.yaml"], Ok(Some("config-test.yaml"))),
            (&["a/config.yaml", "config.yaml", "examples/config.yaml"], Ok(Some("config.yaml"))),
            (&["eu/config.yaml", "us/config.yaml"], Err(())),
            (&["a-test.yaml", "b-test.yaml"], Err(())),
            (&[], Ok(None)),
        ] {
            assert_eq!(one_of(all).map_err(drop), expected, "{all:?}");
        }
    }

    #[test]
    fn folders_of_rules_are_found_where_they_are_here() {
        let documents = |paths: &[&str]| -> Documents {
            paths.iter().map(|path| ((*path).to_string(), Ok(Document::default()))).collect()
        };
        for (config, name, path, expected) in [
            ("config.yaml", "rules", "rules/a.yaml", Some("rules")),
            ("config.yaml", "/opt/elastalert/rules", "rules/a.yaml", Some("rules")),
            ("config/config.yaml", "/opt/elastalert/rules", "rules/a.yaml", Some("rules")),
            ("x/config.yaml", "rules", "x/rules/a.yaml", Some("x/rules")),
            ("x/config/config.yaml", "rules", "x/rules/a.yaml", Some("x/rules")),
            ("config.yaml", "examples/rules", "examples/rules/a.yaml", Some("examples/rules")),
            ("config.yaml", ".", "a.yaml", Some("")),
            ("config.yaml", "rules", "other/a.yaml", None),
        ] {
            assert_eq!(
                folder(config, name, &documents(&[config, path])).as_deref(),
                expected,
                "{config} {name}"
            );
        }
    }
}
