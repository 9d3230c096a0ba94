//! `watchbell test` on many tests: fifty rules, twenty tests each, three points on each timeline.
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::given;
use crate::table::{Runs, goal, head};

const RULES: usize = 50;
const TESTS: usize = 20;
/// A thousand tests should take no longer, in seconds, on two cores.
const GOAL_SECONDS: f64 = 10.0;

const ENVIRONMENT: &str = r#"
clusters: { main: { nodes: ["http://127.0.0.1:9200"] } }
store: { sqlite: watchbell.sqlite }
destinations: { hook: { use: webhook, url: "https://example.com" } }
"#;

const FIRES: &str = "    documents:
      - { at: 10s, every: 5s, count: 12, fields: { Status: 500, host.name: a } }
      - { at: 10s, every: 1s, count: 60, fields: { Status: 200, host.name: b } }
    expect:
      - { at: 1m, signals: [] }
      - { at: 2m30s, deliveries: [{ to: hook, cause: opened, title: a fails }] }
      - { at: 5m, deliveries: [] }
";
const QUIET: &str = "    documents:
      - { at: 10s, every: 1m, count: 2, fields: { Status: 500, host.name: a } }
    expect:
      - { at: 1m, signals: [] }
      - { at: 2m30s, episodes: [] }
      - { at: 5m, deliveries: [] }
";

pub(crate) fn bench(runs: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    write(folder.path())?;
    let program = given("WATCHBELL_BIN")?;
    let mut seconds = Vec::new();
    // The first call compiles the modules into the cache.
    for run in 0..=runs {
        let took = call(&program, folder.path())?;
        if run > 0 {
            seconds.push(took.as_secs_f64());
        }
    }
    head(&format!("{} tests of three points, in seconds", RULES * TESTS));
    let runs = Runs { name: "watchbell test".into(), seconds };
    runs.row("s", |seconds| seconds);
    goal("tests in ten seconds", GOAL_SECONDS / runs.median() * (RULES * TESTS) as f64, 1_000.0);
    Ok(())
}

fn call(program: &Path, folder: &Path) -> Result<Duration> {
    let began = Instant::now();
    let output = Command::new(program).arg("test").current_dir(folder).output();
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    let took = began.elapsed();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(said.contains(&format!("{} passed, 0 failed", RULES * TESTS)), "the tests failed:\n{said}");
    Ok(took)
}

fn write(folder: &Path) -> Result<()> {
    let rules = folder.join("rules");
    fs::create_dir_all(rules.join("environments"))?;
    fs::write(rules.join("environments/default.yaml"), ENVIRONMENT)?;
    for rule in 0..RULES {
        let manifest = format!(
            "name: rule-{rule}\nuse: frequency\nindex: logs-*\nfilter: 'Status: [500 TO 599]'\nevery: 1m\n\
             key: [host.name]\nparams: {{ num_events: 3, timeframe: 5m }}\n\
             alert: {{ title: '{{{{ labels[\"host.name\"] }}}} fails', body: '{{{{ summary }}}}', to: [hook] }}\n"
        );
        let mut tests = String::from(
            "mapping: { Status: { type: integer }, host: { properties: { name: { type: keyword } } } }\ntests:\n",
        );
        for test in 0..TESTS {
            tests.push_str(&format!("  - name: test {test}\n{}", if test % 2 == 0 { FIRES } else { QUIET }));
        }
        fs::write(rules.join(format!("rule-{rule}.yaml")), manifest)?;
        fs::write(rules.join(format!("rule-{rule}.test.yaml")), tests)?;
    }
    Ok(())
}
