use std::collections::BTreeSet;
use std::fs;

use watchbell_sandbox::CaseRunner;
use watchbell_sdk::testing::Case;

use crate::{SANDBOX, plugin, sources};

/// A rule without a line here is told by `every_rule_is_run`.
const RULES: [&str; 3] = ["rule-any", "rule-frequency", "rule-spike"];

fn every_case_holds(rule: &str) {
    let Some(bytes) = plugin(rule, &format!("cases of {rule} as a component")) else { return };
    let module = SANDBOX.load_rule(rule, &bytes).unwrap();
    let cases = Case::read_all(&fs::read_to_string(sources(rule).join("cases.json")).unwrap()).unwrap();
    assert!(!cases.is_empty());
    let differences: Vec<String> =
        cases.iter().filter_map(|case| case.check_with(&mut CaseRunner::new(&module)).err()).collect();
    assert!(differences.is_empty(), "{rule}:\n{}", differences.join("\n"));
}

#[test]
fn any() {
    every_case_holds("rule-any");
}

#[test]
fn frequency() {
    every_case_holds("rule-frequency");
}

#[test]
fn spike() {
    every_case_holds("rule-spike");
}

#[test]
fn every_rule_is_run() {
    let folders = fs::read_dir(sources("")).unwrap();
    let names = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let rules: BTreeSet<String> = names.filter(|name| name.starts_with("rule-")).collect();
    assert_eq!(rules, RULES.map(str::to_owned).into());
}
