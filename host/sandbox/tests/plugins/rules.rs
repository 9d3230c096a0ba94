use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use watchbell_manifest::details;
use watchbell_sandbox::{CaseRunner, RuleModule};
use watchbell_sdk::testing::Case;

use crate::{SANDBOX, plugin, sources};

/// Each shipped rule's own cases and its ElastAlert cases, if there are any; the rule's tests run the same cases
/// natively.
#[test]
fn every_case_of_every_rule_holds() {
    let mut differences = Vec::new();
    for rule in rules() {
        let Some(bytes) = plugin(&rule, &format!("cases of {rule} as a component")) else { return };
        let module = SANDBOX.load_rule(&rule, &bytes).unwrap();
        let own = sources(&rule).join("cases.json");
        let mut cases = Case::read_all(&fs::read_to_string(&own).unwrap_or_default())
            .unwrap_or_else(|error| panic!("{}: {error}", own.display()));
        let folder = elastalert().join(&module.about().name);
        if folder.exists() {
            cases.extend(Case::read_folders(&folder).unwrap());
        }
        assert!(!cases.is_empty(), "{rule}");
        let told = cases.iter().filter_map(|case| case.check_with(&mut CaseRunner::new(&module)).err());
        differences.extend(told.map(|difference| format!("{rule}: {difference}")));
        differences.extend(cases.iter().flat_map(|case| unlisted_details(&module, case)));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Details of a case's signals that the module's schema does not list: `check` would warn about a text that shows them.
fn unlisted_details(module: &RuleModule, case: &Case) -> Vec<String> {
    let about = module.about();
    let schema = serde_json::from_str(&about.params_schema).unwrap();
    let Some(listed) = details(&schema, &case.params) else {
        return vec![format!("{}: its schema lacks `x-watchbell-details`", about.name)];
    };
    let told = case.run_with(&mut CaseRunner::new(module)).unwrap_or_default();
    let details = told.iter().map(|told| {
        let details: Map<String, Value> = serde_json::from_str(&told.signal.details).unwrap();
        details
    });
    let names: BTreeSet<String> =
        details.flat_map(|details| details.into_iter().map(|(name, _)| name)).collect();
    let unlisted = names.into_iter().filter(|name| !listed.has(name));
    unlisted.map(|name| format!("{}: `x-watchbell-details` lacks `{name}`", about.name)).collect()
}

/// A folder that matches no rule's name would never run.
#[test]
fn every_elastalert_case_has_its_rule() {
    let known: BTreeSet<String> =
        rules().iter().map(|rule| rule.trim_start_matches("rule-").replace('-', "_")).collect();
    for folder in folders(&elastalert()) {
        assert!(known.contains(&folder), "tests/cases/elastalert/{folder} belongs to no rule");
    }
}

fn rules() -> Vec<String> {
    let mut rules: Vec<_> =
        folders(&sources("")).into_iter().filter(|name| name.starts_with("rule-")).collect();
    rules.sort();
    rules
}

fn elastalert() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/elastalert")
}

fn folders(below: &Path) -> Vec<String> {
    let listed = fs::read_dir(below).unwrap().map(|entry| entry.unwrap());
    let folders = listed.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}
