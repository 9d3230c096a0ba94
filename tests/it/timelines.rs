//! Random timelines through ElastAlert2's own rule classes and through `watchbell test`: the verdicts must agree, but
//! for differences that are meant, which are listed by cause and counted.
mod draw; // rules and documents, from a seed
mod verdict; // what both said, and whether it is the same

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::conformance::TYPES;
use crate::world::{World, repository};
use draw::Case;
use verdict::{Found, Verdict};

/// Timelines of each kind of rule. Others: `TIMELINES=500 SEED=7 KIND=spike`.
const TIMELINES: u64 = 40;
/// Python with the pinned ElastAlert2; `cargo xtask test --only timelines` installs it.
const PYTHON: &str = "WATCHBELL_ELASTALERT_PYTHON";

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_agree_with_elastalerts_own_rule_classes() {
    let Some(python) = std::env::var_os(PYTHON).filter(|python| !python.is_empty()) else {
        println!(
            "skipped: random timelines compared with ElastAlert2 (`cargo xtask test --only timelines` runs them)"
        );
        return;
    };
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (count, first) = (number("TIMELINES").unwrap_or(TIMELINES), number("SEED").unwrap_or(1));
    let wanted = std::env::var("KIND").ok();
    let kinds = TYPES.iter().copied().filter(|kind| wanted.as_ref().is_none_or(|wanted| wanted == kind));
    let kinds: Vec<&str> = kinds.collect();
    let cases: Vec<Case> =
        kinds.iter().flat_map(|kind| (first..first + count).map(|seed| draw::case(kind, seed))).collect();
    let theirs = theirs(&python, &cases);
    let ours = ours(&cases).await;
    let mut tally: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for ((case, theirs), ours) in cases.iter().zip(&theirs).zip(&ours) {
        match verdict::compare(case, theirs, ours) {
            Verdict::Same if theirs.is_empty() => *tally.entry((case.kind, "both quiet")).or_default() += 1,
            Verdict::Same => *tally.entry((case.kind, "same")).or_default() += 1,
            Verdict::Meant(cause) => *tally.entry((case.kind, cause)).or_default() += 1,
            Verdict::Differs(how) => {
                *tally.entry((case.kind, "different")).or_default() += 1;
                wrong.push(format!("{} of seed {}: {how}\n{case}", case.kind, case.seed));
            }
        }
    }
    for ((kind, cause), count) in &tally {
        println!("{kind:<20} {count:>4}  {cause}");
    }
    assert!(
        wrong.is_empty(),
        "{} timelines differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
    for kind in &kinds {
        assert!(tally.contains_key(&(*kind, "same")), "no timeline of {kind} made both fire");
    }
}

/// What ElastAlert's rule classes match, case by case.
fn theirs(python: &std::ffi::OsStr, cases: &[Case]) -> Vec<Vec<Found>> {
    let mut child = Command::new(python)
        .arg(repository().join("tests/it/timelines/play.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let lines: String = cases.iter().map(|case| format!("{}\n", case.for_elastalert())).collect();
    let mut stdin = child.stdin.take().expect("its input is piped");
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("Python ends");
    writer.join().expect("the writer does not panic").expect("it reads all cases");
    assert!(output.status.success(), "ElastAlert's side failed");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let found: Vec<Vec<Found>> = text.lines().map(verdict::of_elastalert).collect();
    assert_eq!(found.len(), cases.len());
    found
}

/// What `watchbell test` sees, case by case.
async fn ours(cases: &[Case]) -> Vec<Vec<Found>> {
    let world = World::new().await;
    for case in cases {
        let name = case.name();
        world.write(&format!("{name}.yaml"), &case.manifest().to_string());
        // Nothing is like this, so the report names all that was seen.
        let expect = json!([{ "at": case.end(), "signals": [{ "summary": "nothing says this" }] }]);
        let test = json!({
            "mapping": draw::mapping(),
            "tests": [{ "name": "drawn", "until": case.end(), "documents": case.documents(), "expect": expect }],
        });
        world.write(&format!("{name}.test.yaml"), &test.to_string());
    }
    let (_, out, err) = world.call(&["test", "--json"]).await;
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("no report: {out}{err}"));
    let mut by_rule: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for test in report["tests"].as_array().expect("tests") {
        assert_eq!(test["error"], Value::Null, "{test:#}");
        let seen = test["differences"][0]["seen"].as_array();
        let seen = seen.unwrap_or_else(|| panic!("no signals are told: {test:#}"));
        let rule = test["rule"].as_str().expect("a rule").to_owned();
        by_rule.insert(rule, seen.iter().map(verdict::of_watchbell).collect());
    }
    cases.iter().map(|case| by_rule.remove(&case.name()).expect("every case is played")).collect()
}
