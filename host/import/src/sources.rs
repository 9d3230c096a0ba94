//! Which files there are: the configuration, rules, and what they import.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchbell_manifest::Place;

use crate::config::Config;
use crate::files::SourceFile;
use crate::limits::IMPORTS_MAX;
use crate::node::{Data, Node};
use crate::options::Options;
use crate::report::{Fate, Fault, PassedOver};
use crate::tree::{Document, Problem, parse};

pub(crate) struct Sources {
    /// By path; an error for files that cannot be read or are not YAML. Files that are passed over are left out.
    documents: BTreeMap<String, Result<Document, Fault>>,
    texts: BTreeMap<String, String>,
    config: Config,
    passed: Vec<PassedOver>,
}

/// A rule's options, with the filters of all that it imports.
pub(crate) struct Layers {
    pub(crate) options: Options,
    pub(crate) filters: Vec<Node>,
}

impl Sources {
    /// `config`: the path of the configuration, if it is known.
    pub(crate) fn new(files: &[SourceFile], config: Option<&str>) -> Self {
        let mut sources = Self {
            documents: BTreeMap::new(),
            texts: BTreeMap::new(),
            config: Config::default(),
            passed: Vec::new(),
        };
        for source in files {
            let file: Arc<str> = source.path.as_str().into();
            match &source.text {
                Ok(text) => {
                    sources.texts.insert(source.path.clone(), text.clone());
                    if is_yaml(&source.path) {
                        sources.documents.insert(source.path.clone(), parse(&file, text).map_err(fault));
                    }
                }
                Err(why) => {
                    let place = Place { file, line: 0, column: 0 };
                    let fault =
                        Fault { place, message: why.clone(), remedy: "make sure that it can be read".into() };
                    sources.documents.insert(source.path.clone(), Err(fault));
                }
            }
        }
        // Files with other extensions are YAML if a rule imports them.
        for path in sources.imported() {
            if let (false, Some(text)) = (sources.documents.contains_key(&path), sources.texts.get(&path)) {
                let file: Arc<str> = path.as_str().into();
                sources.documents.insert(path.clone(), parse(&file, text).map_err(fault));
            }
        }
        sources.config = Config::find(&sources.documents, config);
        sources.pass_over();
        sources
    }

    pub(crate) fn config(&self) -> Option<(&str, &Document)> {
        let path = self.config.path.as_deref()?;
        Some((path, self.documents.get(path)?.as_ref().ok()?))
    }

    /// Why it is not known what applies to every rule.
    pub(crate) fn config_fault(&self) -> Option<&Fault> {
        self.config.fault.as_ref()
    }

    /// The folders of rules, as the files' paths have them. Empty: every file may be a rule.
    pub(crate) fn folders(&self) -> &[String] {
        &self.config.folders
    }

    /// Files that are neither rules nor a part of one.
    pub(crate) fn passed(&self) -> &[PassedOver] {
        &self.passed
    }

    pub(crate) fn documents(&self) -> impl Iterator<Item = (&str, &Document)> {
        self.documents.iter().filter_map(|(path, document)| Some((path.as_str(), document.as_ref().ok()?)))
    }

    /// Files that are, or should be, rules: neither the configuration nor fragments that rules import.
    pub(crate) fn rules(&self) -> Vec<(String, Result<(), Fault>)> {
        let imported = self.imported();
        let mut found = Vec::new();
        for (path, document) in &self.documents {
            if Some(path) == self.config.path.as_ref() {
                continue;
            }
            match document {
                // What a rule imports is told at the rule.
                Err(_) if imported.contains(path) && !is_yaml(path) => {}
                Err(fault) => found.push((path.clone(), Err(fault.clone()))),
                Ok(_) if imported.contains(path) && !self.is_whole(path) => {}
                Ok(_) => found.push((path.clone(), Ok(()))),
            }
        }
        found
    }

    /// The options of the rule in the file: its own override those it imports, which override the configuration's.
    pub(crate) fn layers(&self, path: &str) -> Layers {
        let mut layers = Layers { options: Options::new(path.into()), filters: Vec::new() };
        if let Some((_, config)) = self.config() {
            for entry in &config.entries {
                let own = crate::known::PROCESS.iter().any(|(name, _)| *name == entry.key);
                // Not process settings, and not `realert`, which ElastAlert reads there but never uses.
                if !own && entry.key != "realert" {
                    layers.options.lay(entry, true);
                }
            }
        }
        let mut above = Vec::new();
        let mut count = 0;
        self.lay(path, false, &mut above, &mut count, &mut layers);
        layers
    }

    fn lay(&self, path: &str, shared: bool, above: &mut Vec<String>, count: &mut usize, layers: &mut Layers) {
        let Some(Ok(document)) = self.documents.get(path) else { return };
        above.push(path.to_string());
        for (name, place) in imports(document) {
            *count += 1;
            let target = resolve(path, &name);
            let wrong = match self.documents.get(&target) {
                _ if above.contains(&target) => Some("is part of an import cycle".to_string()),
                _ if *count > IMPORTS_MAX => Some(format!("exceeds the limit of {IMPORTS_MAX} imports")),
                None => Some("is not among the files read".into()),
                Some(Err(fault)) => Some(fault.message.clone()),
                Some(Ok(_)) => None,
            };
            match wrong {
                None => self.lay(&target, true, above, count, layers),
                Some(why) => {
                    layers.options.fault_at(place, format!("the import `{name}` {why}"), "correct `import`")
                }
            }
        }
        above.pop();
        for entry in &document.entries {
            if entry.key == "filter" && shared {
                layers.filters.push(entry.value.clone());
                continue;
            }
            if entry.key == "import" && shared {
                layers.options.told(entry, Fate::Carried, "imported options are written into the manifest");
                continue;
            }
            layers.options.lay(entry, shared);
        }
    }

    /// The text of a file that a rule names, by a path relative to the rule.
    pub(crate) fn text(&self, rule: &str, name: &str) -> Option<String> {
        [resolve(rule, name), normal(name)].iter().find_map(|path| self.texts.get(path)).cloned()
    }

    fn imported(&self) -> BTreeSet<String> {
        self.documents()
            .flat_map(|(path, document)| {
                imports(document).into_iter().map(move |(name, _)| resolve(path, &name))
            })
            .collect()
    }

    /// Whether a file that others import is itself a rule.
    fn is_whole(&self, path: &str) -> bool {
        let options = self.layers(path).options;
        ["type", "index", "alert"].iter().all(|option| options.has(option))
    }

    /// Leaves out what is neither the configuration, nor a rule, nor imported by one.
    fn pass_over(&mut self) {
        let is_config = |path: &String| Some(path) == self.config.path.as_ref();
        let rules: Vec<&String> = self
            .documents
            .iter()
            .filter(|(path, document)| !is_config(path) && self.is_rule(path, document))
            .map(|(path, _)| path)
            .collect();
        let mut kept: BTreeSet<String> = rules.into_iter().cloned().collect();
        let mut waiting: Vec<String> = kept.iter().cloned().collect();
        while let Some(path) = waiting.pop() {
            let Some(Ok(document)) = self.documents.get(&path) else { continue };
            for (name, _) in imports(document) {
                let target = resolve(&path, &name);
                if self.documents.contains_key(&target) && kept.insert(target.clone()) {
                    waiting.push(target);
                }
            }
        }
        kept.extend(self.config.path.clone());
        let passed: Vec<String> =
            self.documents.keys().filter(|path| !kept.contains(*path)).cloned().collect();
        for file in passed {
            self.documents.remove(&file);
            let why = if self.config.others.contains(&file) {
                "a configuration; `--config` reads it as that of the rules".to_string()
            } else if self.config.folders.is_empty() {
                "not a rule: it has none of `type`, `index`, `alert` and `filter`".into()
            } else {
                "not in ElastAlert's `rules_folder`".into()
            };
            self.passed.push(PassedOver { file, why });
        }
    }

    fn is_rule(&self, path: &str, document: &Result<Document, Fault>) -> bool {
        if self.config.others.iter().any(|other| other == path) {
            return false;
        }
        if !self.config.folders.is_empty() {
            return is_yaml(path) && self.config.holds(path);
        }
        const OPTIONS: [&str; 5] = ["type", "index", "alert", "filter", "import"];
        match document {
            Ok(document) => document.entries.iter().any(|entry| OPTIONS.contains(&entry.key.as_str())),
            // What cannot be parsed is a rule if it has the options of one.
            Err(_) => self.texts.get(path).is_none_or(|text| {
                let mut lines = text.lines();
                lines.any(|line| {
                    let key = line.split_once(':').map(|(key, _)| key.trim_end());
                    key.is_some_and(|key| OPTIONS.contains(&key))
                })
            }),
        }
    }
}

fn fault(problem: Problem) -> Fault {
    Fault { place: problem.place, message: problem.message, remedy: problem.hint }
}

pub(crate) fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

/// What a document imports.
pub(crate) fn imports(document: &Document) -> Vec<(String, Place)> {
    let Some(entry) = document.entries.iter().rev().find(|entry| entry.key == "import") else {
        return Vec::new();
    };
    let items = match &entry.value.data {
        Data::List(items) => items.clone(),
        _ => vec![entry.value.clone()],
    };
    items.iter().filter_map(|item| Some((item.text()?, item.place.clone()))).collect()
}

/// `name` as seen from the file at `from`.
pub(crate) fn resolve(from: &str, name: &str) -> String {
    if name.starts_with('/') {
        return normal(name);
    }
    match from.rsplit_once('/') {
        Some((folder, _)) => normal(&format!("{folder}/{name}")),
        None => normal(name),
    }
}

/// Without `.` and, where there is something before them, `..`.
pub(crate) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if path.starts_with('/') { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_resolve_from_the_file_that_names_them() {
        for (from, name, expected) in [
            ("a/b.yaml", "c.yaml", "a/c.yaml"),
            ("a/b.yaml", "../c.yaml", "c.yaml"),
            ("b.yaml", "../c.yaml", "../c.yaml"),
            ("b.yaml", "./x/c.yaml", "x/c.yaml"),
            ("/x/b.yaml", "c.yaml", "/x/c.yaml"),
            ("b.yaml", "/etc/c", "/etc/c"),
        ] {
            assert_eq!(resolve(from, name), expected, "{from} {name}");
        }
    }
}
