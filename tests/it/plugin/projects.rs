use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use watchbell_plugin_tools::Toolchain;

use super::{Bench, Said, has, skipped};
use crate::alerters::delivers;
use crate::world::repository;

const PARAMS: &str = r#"{"at_least": 1000, "within": "1m"}"#;

fn sdk() -> String {
    repository().join("sdk").display().to_string()
}

/// A folder that outlives the test, so that the next run finds compiled what has not changed.
fn lasting(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn inspected(bench: &Bench, component: &str) -> Value {
    let said = bench.call(&["plugin", "inspect", "--json", component]).well();
    serde_json::from_str(&said.out).unwrap()
}

/// The rule of both templates: the same cases, the same parameters.
fn is_the_rule(bench: &Bench, tested: &Said, kind_of_sdk: impl Fn(&Value) -> bool) {
    assert!(tested.out.contains("cases on the component: 3 passed"), "{}", tested.out);
    let component = "login-burst/dist/login-burst.wasm";
    let about = inspected(bench, component);
    assert_eq!((&about["kind"], &about["name"]), (&"rule".into(), &"login-burst".into()));
    assert_eq!(about["faults"], Value::Array(vec![]));
    assert!(kind_of_sdk(&about["sdk"]), "{}", about["sdk"]);
    for import in about["imports"].as_array().unwrap() {
        assert!(import.as_str().unwrap().starts_with("watchbell:plugin/"), "{import}");
    }
    let said = bench.call(&["plugin", "inspect", component]).well();
    assert!(said.out.contains("at_least  required  integer"), "{}", said.out);
    assert_eq!(said.field("sha256"), about["sha256"].as_str().unwrap());
}

fn measured(bench: &Bench, rows: &str) -> Value {
    let component = "login-burst/dist/login-burst.wasm";
    let options =
        ["--params", PARAMS, "--key", "host", "--rows", rows, "--keys", "50", "--runs", "2", "--json"];
    let args = [&["plugin", "bench", component][..], &options[..]].concat();
    let report: Value = serde_json::from_str(&bench.call(&args).well().out).unwrap();
    assert_eq!(report["rows"].as_u64().unwrap().to_string(), rows);
    for figure in ["/row_ns/median", "/call_us/median", "/memory_bytes", "/state_bytes"] {
        assert!(report.pointer(figure).unwrap().as_f64().unwrap() > 0.0, "{figure} in {report}");
    }
    report
}

#[test]
fn a_rule_in_rust_runs_unchanged_from_new_to_bench() {
    let folder = lasting("plugin-rust");
    if let Err(fault) = Toolchain::find(&folder) {
        return skipped("a rule in Rust from new to bench", &fault.to_string());
    }
    let bench = Bench::new(&folder);
    let _ = fs::remove_dir_all(folder.join("login-burst"));
    let made = bench.call(&["plugin", "new", "login-burst", "--kind", "rule", "--sdk", &sdk()]).well();
    assert!(made.out.contains("login-burst/src/lib.rs"), "{}", made.out);
    let tested = bench.call(&["plugin", "test", "login-burst"]).well();
    assert!(tested.out.contains("cargo test: 5 passed"), "{}", tested.out);
    is_the_rule(&bench, &tested, |sdk| sdk.is_string());
    let built = bench.call_in("login-burst", &["plugin", "build"]).well();
    assert!(built.field("file").ends_with("login-burst/dist/login-burst.wasm"), "{}", built.out);
    assert!(fs::metadata(folder.join("login-burst/dist/login-burst.wasm")).unwrap().len() < 4_000_000);
    measured(&bench, "20000");

    // A case that does not hold is told, with what was found instead.
    let cases = folder.join("login-burst/tests/rule.test.yaml");
    let right = fs::read_to_string(&cases).unwrap();
    fs::write(&cases, right.replacen("{ at: 50s, labels", "{ at: 51s, labels", 1)).unwrap();
    fs::remove_file(folder.join("login-burst/src/tests.rs")).unwrap();
    let source = folder.join("login-burst/src/lib.rs");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&source, text.replace("#[cfg(test)]\nmod tests;\n", "")).unwrap();
    let wrong = bench.call(&["plugin", "test", "login-burst"]);
    assert_eq!(wrong.code, 1);
    for part in ["1 of 3 cases", "three of one host within a minute", "got {\"at\":\"50s\""] {
        assert!(wrong.err.contains(part), "{part} is missing in {}", wrong.err);
    }
    let blessed = bench.call(&["plugin", "test", "--bless", "login-burst"]).well();
    assert!(blessed.out.contains("blessed: "), "{}", blessed.out);
    assert_eq!(fs::read_to_string(&cases).unwrap(), right, "only what is expected changes");
    // Nobody is told of a rule's silence that no case shows.
    let quiet = right.split("  - name: too far apart").next().unwrap();
    fs::write(&cases, quiet).unwrap();
    let lacking = bench.call(&["plugin", "test", "login-burst"]);
    assert!(
        lacking.err.contains("no case with documents shows that the rule stays quiet"),
        "{}",
        lacking.err
    );
    bench.call(&["plugin", "test", "--no-strict", "login-burst"]).well();
}

#[test]
fn an_alerter_in_rust_passes_its_tests_and_delivers_in_a_host() {
    let folder = lasting("plugin-rust-alerter");
    if let Err(fault) = Toolchain::find(&folder) {
        return skipped("an alerter in Rust from new to test", &fault.to_string());
    }
    let bench = Bench::new(&folder);
    let _ = fs::remove_dir_all(folder.join("ops-hook"));
    bench.call(&["plugin", "new", "ops-hook", "--kind", "alerter", "--sdk", &sdk()]).well();
    let tested = bench.call(&["plugin", "test", "ops-hook"]).well();
    assert!(tested.out.contains("cargo test: 3 passed"), "{}", tested.out);
    let about = inspected(&bench, "ops-hook/dist/ops-hook.wasm");
    assert_eq!(about.pointer("/products/0/name").unwrap(), "ops-hook");
    assert_eq!(about.pointer("/products/0/title_max").unwrap(), 200);
    delivers_in_a_host(&bench.path("ops-hook/dist/ops-hook.wasm"));
}

/// The alerter of both templates.
fn delivers_in_a_host(component: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let got = runtime.block_on(delivers(component, &json!({ "room": "night" })));
    assert_eq!((&got["room"], &got["urgent"]), (&json!("night"), &json!(false)), "{got}");
    assert_eq!(got["title"], "3 failed logins on web-1");
}

/// A project whose packages are those of the last run, if there was one: npm looks whether they still fit.
fn javascript(bench: &Bench, folder: &Path, name: &str, kind: &str) {
    let (project, aside) = (folder.join(name), folder.join("node_modules.aside"));
    let _ = fs::rename(project.join("node_modules"), &aside);
    let _ = fs::remove_dir_all(&project);
    bench.call(&["plugin", "new", name, "--kind", kind, "--language", "javascript"]).well();
    let _ = fs::rename(&aside, project.join("node_modules"));
}

/// Whether npm could not reach its registry, which is no fault of the template.
fn is_offline(said: &Said) -> bool {
    let signs = ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH"];
    said.err.contains("fetching packages failed") && signs.iter().any(|sign| said.err.contains(sign))
}

#[test]
fn a_rule_in_javascript_runs_unchanged_from_new_to_bench() {
    const TEST: &str = "a rule in JavaScript from new to bench";
    if !has("node", TEST) || !has("npm", TEST) {
        return;
    }
    let folder = lasting("plugin-javascript");
    let bench = Bench::new(&folder);
    javascript(&bench, &folder, "login-burst", "rule");
    let tested = bench.call(&["plugin", "test", "login-burst"]);
    if is_offline(&tested) {
        return skipped(TEST, "npm cannot reach its registry");
    }
    let tested = tested.well();
    assert!(tested.out.contains("npm test: 5 passed"), "{}", tested.out);
    is_the_rule(&bench, &tested, Value::is_null);
    // Nothing has changed since.
    let built = bench.call_in("login-burst", &["plugin", "build"]).well();
    assert!(built.out.contains("have not changed"), "{}", built.out);
    let figures = measured(&bench, "2000");
    // A JavaScript engine fits into what every rule may have.
    assert!(figures["memory_bytes"].as_u64().unwrap() < 64 << 20, "{figures}");

    // The same source, in another place: the same component.
    let digest = |said: &Said| said.field("sha256").to_owned();
    let elsewhere = folder.join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    let moved = elsewhere.join("login-burst");
    let _ = fs::remove_dir_all(&moved);
    fs::rename(folder.join("login-burst"), &moved).unwrap();
    fs::remove_dir_all(moved.join("dist")).unwrap();
    let again =
        bench.call_with("elsewhere", &[("TZ", "Asia/Tokyo")], &["plugin", "build", "login-burst"]).well();
    fs::rename(&moved, folder.join("login-burst")).unwrap();
    assert_eq!(digest(&again), digest(&built), "{}", again.out);

    // A clock ends the run in words, even if the rule catches what is thrown.
    let source = folder.join("login-burst/src/rule.js");
    let text = fs::read_to_string(&source).unwrap();
    let clock = "  row({ atLeast, within }, state, row, signals) {\n";
    assert!(text.contains(clock));
    fs::write(&source, text.replace(clock, &format!("{clock}    try {{ Date.now(); }} catch {{}}\n")))
        .unwrap();
    let tests = folder.join("login-burst/test/rule.test.js");
    fs::write(&tests, "import { test } from 'node:test';\ntest('nothing', () => {});\n").unwrap();
    let wrong = bench.call(&["plugin", "test", "login-burst"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.err.contains("`Date.now` ends the run"), "{}", wrong.err);

    // A definition with a typing error is not built.
    fs::write(&source, text.replace("  settle(", "  settel(")).unwrap();
    let wrong = bench.call(&["plugin", "build", "login-burst"]);
    assert!(wrong.code == 1 && wrong.err.contains("did you mean `settle`?"), "{wrong:?}");
    fs::write(&source, text).unwrap();

    // With a feature of WASI on, it is refused in words.
    let script = folder.join("login-burst/watchbell/build.js");
    let text = fs::read_to_string(&script).unwrap();
    fs::write(&script, text.replace("'clocks', ", "")).unwrap();
    let refused = bench.call(&["plugin", "build", "login-burst"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("wasi:clocks") && refused.err.contains("may import only"),
        "{}",
        refused.err
    );
}

#[test]
fn an_alerter_in_javascript_passes_its_tests_and_delivers_in_a_host() {
    const TEST: &str = "an alerter in JavaScript from new to test";
    if !has("node", TEST) || !has("npm", TEST) {
        return;
    }
    let folder = lasting("plugin-javascript-alerter");
    let bench = Bench::new(&folder);
    javascript(&bench, &folder, "ops-hook", "alerter");
    let tested = bench.call(&["plugin", "test", "ops-hook"]);
    if is_offline(&tested) {
        return skipped(TEST, "npm cannot reach its registry");
    }
    let tested = tested.well();
    assert!(tested.out.contains("npm test: 4 passed"), "{}", tested.out);
    let about = inspected(&bench, "ops-hook/dist/ops-hook.wasm");
    assert_eq!(about.pointer("/products/0/name").unwrap(), "ops-hook");
    assert_eq!(about.pointer("/products/0/title_max").unwrap(), 200);
    delivers_in_a_host(&bench.path("ops-hook/dist/ops-hook.wasm"));
}

/// The example has what an author writes; the rest is that of a new project.
#[test]
fn the_port_scan_in_javascript_passes_its_tests_and_cases() {
    const TEST: &str = "the port scan in JavaScript";
    if !has("node", TEST) || !has("npm", TEST) {
        return;
    }
    let folder = lasting("plugin-javascript-example");
    let bench = Bench::new(&folder);
    javascript(&bench, &folder, "port-scan", "rule");
    let example = repository().join("plugins/examples/port-scan-js");
    for file in ["src/rule.js", "test/rule.test.js", "tests/rule.test.yaml", "README.md"] {
        fs::copy(example.join(file), folder.join("port-scan").join(file)).unwrap();
    }
    let tested = bench.call(&["plugin", "test", "port-scan"]);
    if is_offline(&tested) {
        return skipped(TEST, "npm cannot reach its registry");
    }
    let tested = tested.well();
    assert!(tested.out.contains("npm test: 10 passed"), "{}", tested.out);
    assert!(tested.out.contains("cases on the component: 3 passed"), "{}", tested.out);
}

#[test]
fn the_sdk_for_javascript_passes_its_tests() {
    if !has("node", "the SDK for JavaScript") {
        return;
    }
    let tests = fs::read_dir(repository().join("sdk/javascript/test")).unwrap();
    let tests = tests.map(|file| file.unwrap().path());
    let output = std::process::Command::new("node").arg("--test").args(tests).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Whether pip could not reach its registry.
fn is_without_packages(said: &Said) -> bool {
    let signs = ["NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ReadTimeoutError"];
    said.err.contains("fetching packages failed") && signs.iter().any(|sign| said.err.contains(sign))
}

#[test]
fn the_sdk_for_python_passes_its_tests() {
    const TEST: &str = "the tests of the SDK for Python";
    if !has("python3", TEST) {
        return;
    }
    let mut python = Command::new("python3");
    python.args(["-B", "-m", "unittest"]).current_dir(repository().join("sdk/python"));
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_rule_in_python_runs_unchanged_from_new_to_bench() {
    const TEST: &str = "a rule in Python from new to bench";
    if !has("python3", TEST) {
        return;
    }
    let folder = lasting("plugin-python");
    let bench = Bench::new(&folder);
    let (project, aside) = (folder.join("login-burst"), folder.join("venv.aside"));
    let _ = fs::rename(project.join(".venv"), &aside);
    let _ = fs::remove_dir_all(&project);
    bench.call(&["plugin", "new", "login-burst", "--kind", "rule", "--language", "python"]).well();
    let _ = fs::rename(&aside, project.join(".venv"));
    let tested = bench.call(&["plugin", "test", "login-burst"]);
    if is_without_packages(&tested) {
        return skipped(TEST, "pip cannot reach its registry");
    }
    let tested = tested.well();
    assert!(tested.out.contains("unittest: 5 passed"), "{}", tested.out);
    is_the_rule(&bench, &tested, Value::is_null);
    // Nothing has changed since.
    let built = bench.call_in("login-burst", &["plugin", "build"]).well();
    assert!(built.out.contains("have not changed"), "{}", built.out);
    let figures = measured(&bench, "2000");
    // Python fits into what every rule may have.
    assert!(figures["memory_bytes"].as_u64().unwrap() < 64 << 20, "{figures}");

    // The examples are what an author writes, in projects of their own. What this one has installed builds them.
    let path =
        format!("{}:{}", project.join(".venv/bin").display(), std::env::var("PATH").unwrap_or_default());
    for (example, native) in [("beaconing", 7), ("login-hours", 5), ("port-scan", 7)] {
        let _ = fs::remove_dir_all(folder.join(example));
        bench.call(&["plugin", "new", example, "--kind", "rule", "--language", "python"]).well();
        let written = repository().join(format!("plugins/examples/{example}-py"));
        for file in ["rule.py", "tests/test_rule.py", "tests/rule.test.yaml", "README.md"] {
            fs::copy(written.join(file), folder.join(example).join(file)).unwrap();
        }
        let tested = bench.call_with("", &[("PATH", &path)], &["plugin", "test", example]).well();
        assert!(tested.out.contains(&format!("unittest: {native} passed")), "{}", tested.out);
        assert!(tested.out.contains("cases on the component: 3 passed"), "{}", tested.out);
    }

    // What fails while it is loaded is told in Python's own words.
    let source = project.join("rule.py");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&source, text.replace("from collections import deque", "from collections import dequeue"))
        .unwrap();
    let refused = bench.call(&["plugin", "build", "login-burst"]);
    assert_eq!(refused.code, 1);
    for part in ["rule.py\", line 2", "cannot import name 'dequeue'"] {
        assert!(refused.err.contains(part), "{part} is missing in {}", refused.err);
    }
}

#[test]
fn invalid_names_folders_and_sdks_are_rejected_with_a_hint() {
    let scratch = tempfile::tempdir().unwrap();
    let bench = Bench::new(scratch.path());
    let new = |args: &[&str]| bench.call(&[&["plugin", "new"], args, &["--kind", "rule"]].concat());
    for (args, parts) in [
        (&["LoginBurst", "--sdk", &sdk()][..], &["`login-burst`"][..]),
        (&["login-burst", "--sdk", "/nowhere"], &["/nowhere", "--sdk"]),
    ] {
        let said = new(args);
        assert_eq!(said.code, 1, "{said:?}");
        for part in parts {
            assert!(said.err.contains(part), "{part} is missing in {}", said.err);
        }
    }
    new(&["login-burst", "--language", "javascript"]).well();
    let again = new(&["login-burst", "--language", "javascript"]);
    assert!(again.code == 1 && again.err.contains("exists already"), "{again:?}");
    let none = bench.call(&["plugin", "build", "."]);
    assert!(none.code == 1 && none.err.contains("watchbell plugin new"), "{none:?}");
}

#[test]
fn what_is_built_in_is_listed_for_machines() {
    let scratch = tempfile::tempdir().unwrap();
    let said = Bench::new(scratch.path()).call(&["plugin", "list", "--json"]).well();
    let listed: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    let frequency = listed.iter().find(|module| module["name"] == "frequency").expect("frequency");
    assert_eq!(frequency["kind"], "rule");
    assert!(frequency.pointer("/params_schema/properties/num_events").is_some(), "{frequency}");
    assert!(listed.iter().any(|module| module["kind"] == "alerter"));
}
