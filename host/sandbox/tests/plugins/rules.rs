use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use libtest_mimic::Trial;
use serde_json::{Map, Value};
use watchbell_manifest::details;
use watchbell_sandbox::{CaseRunner, RuleModule};
use watchbell_sdk::testing::Case;

use crate::{SANDBOX, bytes, folders, sources, trial};

/// A rule that is built here.
#[derive(Clone)]
struct Built {
    /// Its folder below `plugins`.
    folder: String,
    /// Its component, without the ending.
    component: String,
    /// The name that it gives itself.
    name: String,
}

/// Each shipped rule's own cases and its ElastAlert cases, where it has them, and the cases of the examples: each rule's
/// tests run the same natively.
pub(crate) fn trials() -> Vec<Trial> {
    let shipped =
        folders(&sources("")).into_iter().filter(|folder| folder.starts_with("rule-")).map(|folder| {
            let name = folder.trim_start_matches("rule-").replace('-', "_");
            Built { component: folder.clone(), folder, name }
        });
    // Examples in other languages have no crate, and an alerter has no cases.
    let is_rule = |folder: &String| {
        let folder = sources("examples").join(folder);
        folder.join("Cargo.toml").exists() && folder.join("tests").exists()
    };
    let examples = folders(&sources("examples")).into_iter().filter(is_rule).map(|name| Built {
        folder: format!("examples/{name}"),
        component: format!("examples/example-{name}"),
        name,
    });
    let rules: Vec<Built> = shipped.chain(examples).collect();
    // A file that no rule's name fits would never be run.
    let known: BTreeSet<String> = rules.iter().map(|rule| rule.name.clone()).collect();
    for file in Case::files(&elastalert()).unwrap() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_known = name.strip_suffix(".test.yaml").is_some_and(|name| known.contains(name));
        assert!(is_known, "tests/cases/elastalert/{name} belongs to no rule");
    }
    rules.iter().flat_map(of_rule).collect()
}

fn of_rule(rule: &Built) -> Vec<Trial> {
    let Built { folder, component, name } = rule.clone();
    let own = Case::read_folder(&sources(&folder).join("tests"));
    let mut cases = own.unwrap_or_else(|fault| panic!("{fault}"));
    let file = elastalert().join(format!("{name}.test.yaml"));
    if file.exists() {
        let theirs = Case::read_file(&file).unwrap_or_else(|fault| panic!("{fault}")).into_iter();
        cases.extend(theirs.map(|case| Case { name: format!("elastalert::{}", case.name), ..case }));
    }
    assert!(!cases.is_empty(), "{folder}");
    let module: Arc<OnceLock<RuleModule>> = Arc::default();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let trials = cases.into_iter().map(|case| {
        let (name, built, module) = (name.clone(), component.clone(), Arc::clone(&module));
        let times = seen.entry(case.name.clone()).or_default();
        *times += 1;
        assert_eq!(*times, 1, "two cases of {folder} are called `{}`", case.name);
        trial(&component, &case.name.clone(), move || {
            let module = module.get_or_init(|| SANDBOX.load_rule(&built, &bytes(&built)).unwrap());
            holds(&name, module, &case);
        })
    });
    trials.collect()
}

fn holds(name: &str, module: &RuleModule, case: &Case) {
    assert_eq!(module.about().name, name);
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

fn elastalert() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/elastalert")
}
