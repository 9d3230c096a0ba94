use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use libtest_mimic::Trial;
use serde_json::{Map, Value};
use watchbell_manifest::details;
use watchbell_sandbox::{CaseRunner, RuleModule};
use watchbell_sdk::testing::Case;

use crate::{SANDBOX, bytes, folders, sources, trial};

/// Each shipped rule's own cases and its ElastAlert cases, where it has them: the rule's tests run the same natively.
pub(crate) fn trials() -> Vec<Trial> {
    let rules: Vec<String> =
        folders(&sources("")).into_iter().filter(|name| name.starts_with("rule-")).collect();
    // A folder that no rule's name fits would never be run.
    let known: BTreeSet<String> = rules.iter().map(|rule| module_name(rule)).collect();
    for file in Case::files(&elastalert()).unwrap() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_known = name.strip_suffix(".test.yaml").is_some_and(|name| known.contains(name));
        assert!(is_known, "tests/cases/elastalert/{name} belongs to no rule");
    }
    rules.iter().flat_map(|rule| of_rule(rule)).collect()
}

fn of_rule(rule: &str) -> Vec<Trial> {
    let mut cases = Case::read_folder(&sources(rule).join("tests")).unwrap_or_else(|fault| panic!("{fault}"));
    let file = elastalert().join(format!("{}.test.yaml", module_name(rule)));
    if file.exists() {
        let theirs = Case::read_file(&file).unwrap_or_else(|fault| panic!("{fault}")).into_iter();
        cases.extend(theirs.map(|case| Case { name: format!("elastalert::{}", case.name), ..case }));
    }
    assert!(!cases.is_empty(), "{rule}");
    let module: Arc<OnceLock<RuleModule>> = Arc::default();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let trials = cases.into_iter().map(|case| {
        let (rule, module) = (rule.to_owned(), Arc::clone(&module));
        let times = seen.entry(case.name.clone()).or_default();
        *times += 1;
        assert_eq!(*times, 1, "two cases of {rule} are called `{}`", case.name);
        trial(&rule.clone(), &case.name.clone(), move || {
            let module = module.get_or_init(|| SANDBOX.load_rule(&rule, &bytes(&rule)).unwrap());
            holds(&rule, module, &case);
        })
    });
    trials.collect()
}

fn holds(rule: &str, module: &RuleModule, case: &Case) {
    assert_eq!(module.about().name, module_name(rule));
    let runner = &mut CaseRunner::new(module);
    let mut differences: Vec<String> = case.check_with(runner).err().into_iter().collect();
    differences.extend(unlisted_details(module, case));
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

/// `rule-new-term` → `new_term`.
fn module_name(rule: &str) -> String {
    rule.trim_start_matches("rule-").replace('-', "_")
}

fn elastalert() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/elastalert")
}
