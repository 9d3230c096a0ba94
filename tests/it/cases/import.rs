//! `tests/cases/import`: what `watchbell import` writes is accepted by the real rules.
use std::fs;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::world::World;
use crate::{folders, name, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let cases = folders("import");
    let carried = cases.iter().filter(|case| has_rules(case)).count();
    assert!(carried >= 19, "{carried} cases have rules that are carried over");
    let accepted = |case: std::path::PathBuf| {
        trial(format!("import::{}", name(&case)), move || async move { accepted(&case).await })
    };
    cases.into_iter().map(accepted).collect()
}

/// Whether the case expects any rule to be carried over.
fn has_rules(case: &Path) -> bool {
    let out = fs::read_dir(case.join("out")).into_iter().flatten().flatten();
    out.map(|entry| entry.path()).any(|path| !path.ends_with("environments"))
}

/// Imports, gives every token a value, and checks.
async fn accepted(case: &Path) {
    let world = World::new().await;
    let out = world.scratch.path().join("imported").display().to_string();
    let settings = fs::read_to_string(case.join("settings.json"));
    let settings: Value = serde_json::from_str(&settings.unwrap_or_else(|_| "{}".into())).expect("settings");
    let pairs = |of: &Value| -> Vec<String> {
        let pairs = of.as_object().into_iter().flatten();
        pairs.map(|(key, value)| format!("--token={key}={}", value.as_str().unwrap_or_default())).collect()
    };
    let (tokens, values) = (pairs(&settings["tokens"]), pairs(&settings["check"]));
    let folder = case.join("in").display().to_string();
    let mut asked = vec!["import", "elastalert", &folder, "--out", &out, "--json"];
    asked.extend(settings["destination"].as_str().into_iter().flat_map(|name| ["--destination", name]));
    let config = settings["config"].as_str().map(|config| format!("--config={folder}/{config}"));
    asked.extend(config.as_deref());
    asked.extend(settings["begin"].as_str().into_iter().flat_map(|begin| ["--from", begin]));
    asked.extend(tokens.iter().map(String::as_str));
    let (_, said, err) = world.call(&asked).await;
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{err}"));
    let rules = report["report"]["rules"].as_array().expect("the report lists the rules");
    let is_carried = rules.iter().any(|rule| !rule["became"].is_null());
    assert_eq!(is_carried, has_rules(case), "{report:#}");
    if is_carried {
        let mut check = vec!["check", "--no-secrets", "--rules", &out];
        check.extend(values.iter().map(String::as_str));
        let (code, said, err) = world.call(&check).await;
        assert_eq!(code, 0, "{said}{err}");
    }
}
