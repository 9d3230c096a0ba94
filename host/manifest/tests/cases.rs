//! Every folder below `tests/cases/manifest` is a bundle with the report that loading it must give.
//!
//! - Manifests and `environments/` as in `rules/`; without `environments/default.yaml` a small one is used.
//! - A second environment in the folder is the one that is loaded.
//! - `expected.err` holds the report, `expected.out` the rendered rules of a bundle that loads.
//! - `BLESS=1 cargo test -p watchbell-manifest` accepts the current output.
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use watchbell_manifest::{Options, load, render};

mod fake;

const ENVIRONMENT: &str = "\
clusters: { main: { nodes: [\"http://127.0.0.1:9200\"] } }
destinations: { ops-chat: { use: slack, url: \"http://127.0.0.1:9300/chat\" } }
";

fn main() -> ExitCode {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/manifest");
    let bless = std::env::var_os("BLESS").is_some();
    let folders: Vec<_> = fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(folders.len() >= 40, "only {} cases were found", folders.len());
    let trial = |case: PathBuf| {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        Trial::test(name, move || holds(&case, bless))
    };
    libtest_mimic::run(&Arguments::from_args(), folders.into_iter().map(trial).collect()).exit_code()
}

/// Whether the case gives the expected output.
fn holds(case: &Path, bless: bool) -> Result<(), Failed> {
    let (told, name) = tell(case);
    let other = if name == "expected.err" { "expected.out" } else { "expected.err" };
    if bless {
        fs::write(case.join(name), &told)?;
        if case.join(other).exists() {
            fs::remove_file(case.join(other))?;
        }
        return Ok(());
    }
    let expected = fs::read_to_string(case.join(name)).unwrap_or_default();
    if expected == told && !case.join(other).exists() {
        return Ok(());
    }
    let diff = similar::TextDiff::from_lines(&expected, &told);
    let diff = diff.unified_diff().header("expected", "told").to_string();
    let accept = "to accept: BLESS=1 cargo test -p watchbell-manifest --test cases";
    Err(format!("{}/{name}:\n{diff}\n{accept}", case.display()).into())
}

/// The output of loading the case, and the file with the expected output.
fn tell(case: &Path) -> (String, &'static str) {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("rules");
    copy(case, &root);
    let environments = root.join("environments");
    fs::create_dir_all(&environments).unwrap();
    if !environments.join("default.yaml").exists() {
        fs::write(environments.join("default.yaml"), ENVIRONMENT).unwrap();
    }
    let environment = fs::read_dir(&environments)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".yaml").map(str::to_owned))
        .find(|name| name != "default")
        .unwrap_or_else(|| "default".into());
    let env = |name: &str| (name == "PRESENT").then(|| "secret".to_string());
    let options = Options { environment: &environment, token_overrides: &[], env: &env, check_secrets: true };
    let shorten = |text: String| text.replace(&format!("{}/", place.path().display()), "") + "\n";
    match load(&root, &options, &fake::Fake) {
        Err(report) => (shorten(report.to_string()), "expected.err"),
        Ok(bundle) => {
            let mut text = render(&bundle);
            for warning in &bundle.warnings {
                write!(text, "\n{warning}").unwrap();
            }
            (shorten(text), "expected.out")
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else if !name.to_string_lossy().starts_with("expected.") {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}
