//! The whole process, in order: files, trees, tokens, schema, binding.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use watchbell_text::Macros;

use crate::bind::doc::Doc;
use crate::bind::{self, Bench, is_allowed, module_file};
use crate::options::Options;
use crate::overlay::{self, json as to_json};
use crate::report::{Diagnostic, Level, Place, may_hint, nearest, suggest};
use crate::tokens::Tokens;
use crate::tree::{Data, Entry, Node, parse};
use crate::{Bundle, Environment, ModuleRef, Modules, Report, files, macros};

/// Loads every manifest below `root`, and the environment from `root/environments`.
///
/// # Errors
/// Every error in every file; warnings are included.
pub fn load(root: &Path, options: &Options<'_>, modules: &dyn Modules) -> Result<Bundle, Report> {
    if let Some(fault) = files::missing(root) {
        return Err(Report::new(vec![fault]));
    }
    let mut faults = Vec::new();
    let mut tokens = Tokens::default();
    let home = root.join("environments");
    let layers = layers(&home, options, &mut faults);
    let complete = layers.is_some();
    let (environment, mut overrides) = match layers {
        Some(layers) => place(layers, &home, options, modules, &mut tokens, &mut faults),
        None => (None, None),
    };

    let mut manifests = Vec::new();
    for path in files::manifests(root, &mut faults) {
        match files::read(&path) {
            Err(fault) => faults.push(fault),
            Ok(text) => {
                if let Some(node) = parse(&files::shown(&path), &text, &mut faults) {
                    tokens.mention(&node);
                    manifests.push((path, node));
                }
            }
        }
    }

    let macros = macros::macros(root, &mut faults);
    let mut bench =
        Bench { environment: environment.as_ref(), macros: &macros, modules, schemas: BTreeMap::new() };
    let mut names: BTreeMap<String, Place> = BTreeMap::new();
    let mut rules = Vec::new();
    for (path, mut node) in manifests {
        if let Some(name) = own_name(&mut node, &mut names, &mut faults)
            && let Some(entry) = overrides.as_mut().and_then(|overrides| overrides.take(&name))
        {
            rules.push((path, overridden(node, entry, &mut faults)));
        } else {
            rules.push((path, node));
        }
    }
    unknown_overrides(overrides.as_ref(), &names, &mut faults);
    modules.expect(&expected(&rules, environment.as_ref(), modules));
    let mut bound = Vec::new();
    for (path, mut node) in rules {
        // Without an environment every token would be unknown: one error says more than a hundred.
        if complete {
            tokens.apply(&mut node, &mut faults);
        }
        let (value, spans) = to_json(&node);
        let mut doc = Doc { value, spans: &spans, faults: &mut faults, pruned: Vec::new() };
        bound.extend(bench.rule(&mut doc, &path));
    }
    if complete {
        tokens.unused(&mut faults);
    }

    let warnings: Vec<Diagnostic> =
        faults.iter().filter(|fault| fault.level == Level::Warning).cloned().collect();
    match environment {
        Some(environment) if warnings.len() == faults.len() => {
            bound.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
            let alerters = environment.destinations.iter();
            let alerters = alerters.map(|(name, spec)| json!([name, spec.module_digest]));
            let mut whole = json!({
                "alerters": alerters.collect::<Vec<_>>(),
                "environment": environment.effective,
                "name": environment.name,
                "rules": bound.iter().map(|rule| json!([rule.effective, rule.module_digest])).collect::<Vec<_>>(),
            });
            let used: BTreeMap<&str, &str> =
                bound.iter().flat_map(|rule| rule.spec.alert.macros.files()).collect();
            if !used.is_empty() {
                whole["texts"] = json!(used);
            }
            let digest = bind::digest(&whole);
            let macros: Macros = used.into_iter().collect();
            let warnings = Report::new(warnings).diagnostics;
            Ok(Bundle { digest, environment, rules: bound, macros, warnings })
        }
        _ => Err(Report::new(faults)),
    }
}

/// The files of modules that rules name literally, with their digests, where the environment allows them.
fn expected(
    rules: &[(PathBuf, Node)],
    environment: Option<&Environment>,
    modules: &dyn Modules,
) -> Vec<ModuleRef> {
    let policy = environment.and_then(|environment| environment.plugins.as_ref());
    let named = rules.iter().filter_map(|(path, node)| {
        let text = |key: &str| {
            node.entries().iter().find(|entry| entry.key == key).and_then(|entry| match &entry.value.data {
                Data::Scalar(Value::String(text)) => Some(text.as_str()),
                _ => None,
            })
        };
        module_file(text("use")?, text("sha256")?, path)
    });
    let named: BTreeSet<ModuleRef> = named.collect();
    named.into_iter().filter(|module| is_allowed(module, policy, modules)).collect()
}

/// Loads only the environment, for commands that need no rules; manifests are not checked.
///
/// # Errors
/// Every error in the environment's files.
pub fn load_environment(
    root: &Path,
    options: &Options<'_>,
    modules: &dyn Modules,
) -> Result<Environment, Report> {
    let mut faults = Vec::new();
    let home = root.join("environments");
    let layers = layers(&home, options, &mut faults);
    let placed = layers
        .and_then(|layers| place(layers, &home, options, modules, &mut Tokens::default(), &mut faults).0);
    let is_warning = |fault: &Diagnostic| fault.level == Level::Warning;
    placed.filter(|_| faults.iter().all(is_warning)).ok_or_else(|| Report::new(faults))
}

/// `default.yaml` and the layer merged over it. `None` if one of them cannot be read.
fn layers(home: &Path, options: &Options<'_>, faults: &mut Vec<Diagnostic>) -> Option<Vec<Node>> {
    let file = |name: &str| -> Option<PathBuf> {
        ["yaml", "yml"].iter().map(|end| home.join(format!("{name}.{end}"))).find(|path| path.exists())
    };
    let before = faults.len();
    let mut names = vec!["default"];
    if options.environment != "default" {
        names.push(options.environment);
    }
    let mut found = Vec::new();
    for name in names {
        let named = crate::source::is_name(name) && !name.starts_with('.');
        let Some(path) = named.then(|| file(name)).flatten() else {
            faults.push(missing(home, name));
            continue;
        };
        match files::read(&path) {
            Err(fault) => faults.push(fault),
            Ok(text) => found.extend(parse(&files::shown(&path), &text, faults)),
        }
    }
    // A partially read layer would cause errors in manifests for what it lacks.
    (faults.len() == before && !found.is_empty()).then_some(found)
}

/// Environments among which the one that was meant is looked for.
const NAMES_MAX: usize = 1_000;

fn missing(home: &Path, name: &str) -> Diagnostic {
    let mut known: Vec<String> = std::fs::read_dir(home)
        .into_iter()
        .flatten()
        .flatten()
        .take(NAMES_MAX)
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).map(str::to_string)
        })
        .collect();
    known.sort();
    let fault = files::fault(&home.join(format!("{name}.yaml")), format!("there is no environment `{name}`"));
    if name == "default" {
        return fault.example(
            "`default.yaml` is always loaded: put what all environments share there, for example\n\
             clusters: { main: { nodes: [\"http://localhost:9200\"] } }",
        );
    }
    fault.maybe_hint(suggest(name, &known.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// Merges the layers, extracts tokens and overrides, and checks the rest.
fn place(
    layers: Vec<Node>,
    home: &Path,
    options: &Options<'_>,
    modules: &dyn Modules,
    tokens: &mut Tokens,
    faults: &mut Vec<Diagnostic>,
) -> (Option<Environment>, Option<Node>) {
    let mut merged: Option<Node> = None;
    for mut layer in layers {
        if !matches!(layer.data, Data::Map(_)) {
            faults.push(Diagnostic::error(&layer.place, "an environment must be a map"));
            continue;
        }
        // Per layer, so that `a.b: 1` in one replaces `a: { b: 2 }` in another.
        if let Some(entry) = layer.take("tokens") {
            tokens.define(&entry, faults);
        }
        tokens.mention(&layer);
        merged = Some(match merged {
            None => layer,
            Some(under) => overlay::environment(under, layer),
        });
    }
    tokens.override_with(options.token_overrides, faults);
    let Some(mut merged) = merged else { return (None, None) };
    let overrides = merged.take("rules").and_then(|entry| match entry.value.data {
        Data::Map(_) => Some(entry.value),
        Data::Scalar(Value::Null) | Data::Bad => None,
        _ => {
            faults.push(Diagnostic::error(&entry.value.place, "`rules` must be a map of names to overrides"));
            None
        }
    });
    tokens.apply(&mut merged, faults);
    let (value, spans) = to_json(&merged);
    let mut doc = Doc { value, spans: &spans, faults, pruned: Vec::new() };
    (bind::environment(&mut doc, home, options, modules), overrides)
}

/// A rule's name as its manifest writes it; a duplicate name is reported.
fn own_name(
    node: &mut Node,
    names: &mut BTreeMap<String, Place>,
    faults: &mut Vec<Diagnostic>,
) -> Option<String> {
    let Data::Map(entries) = &mut node.data else { return None };
    let entry = entries.iter_mut().find(|entry| entry.key == "name")?;
    if let Data::Template(_) = entry.value.data {
        // Overrides and duplicate names are found before tokens have values.
        faults
            .push(Diagnostic::error(&entry.value.place, "`name` cannot contain a token").hint(
                "write the name literally: a rule's stored state is keyed by it, in every environment",
            ));
        entry.value.data = Data::Bad;
        return None;
    }
    let Data::Scalar(Value::String(name)) = &entry.value.data else { return None };
    if let Some(first) = names.get(name) {
        faults.push(
            Diagnostic::error(&entry.value.place, format!("another rule already has the name `{name}`"))
                .note(format!("{} has the same name", first.short()))
                .hint("rename one of them; a rule's stored state is keyed by its name"),
        );
        return None;
    }
    names.insert(name.clone(), entry.value.place.clone());
    Some(name.clone())
}

fn overridden(node: Node, entry: Entry, faults: &mut Vec<Diagnostic>) -> Node {
    if !matches!(entry.value.data, Data::Map(_)) {
        faults.push(Diagnostic::error(
            &entry.value.place,
            format!("the override of `{}` must be a map", entry.key),
        ));
        return node;
    }
    if let Some(name) = entry.value.entries().iter().find(|below| below.key == "name") {
        faults.push(Diagnostic::error(&name.place, "an override cannot change a rule's name"));
        return node;
    }
    overlay::rule(node, entry.value)
}

fn unknown_overrides(left: Option<&Node>, names: &BTreeMap<String, Place>, faults: &mut Vec<Diagnostic>) {
    for entry in left.into_iter().flat_map(Node::entries) {
        if names.contains_key(&entry.key) {
            continue; // Two manifests with one name, which has been reported.
        }
        let known = || names.keys().map(String::as_str);
        let near = may_hint(faults).then(|| nearest(&entry.key, known())).flatten();
        let hint = near.map_or_else(
            || "remove it, or add the rule".to_string(),
            |near| format!("did you mean `{near}`?"),
        );
        faults.push(
            Diagnostic::error(&entry.place, format!("there is no rule `{}` to override", entry.key))
                .hint(hint),
        );
    }
}
