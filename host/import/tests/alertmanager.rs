//! Every folder below `tests/cases/import-alertmanager` is a configuration of Alertmanager's, and what comes of it.
//!
//! - `in/alertmanager.yml` is read, with `in/silences.json` if it is there; `out/` is what is written, `report.txt` what is
//!   told. `settings.json` may name an `environment`.
//! - What comes out must load, and must not hold a secret: each contains the word `geheim`.
//! - `BLESS=1 cargo test -p watchbell-import --test alertmanager` accepts what comes now.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use watchbell_import::{AlertmanagerSettings, File, Import, import_alertmanager, read_file};
use watchbell_manifest::{Options, load};

mod fake;

fn main() -> ExitCode {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/import-alertmanager");
    let bless = std::env::var_os("BLESS").is_some();
    let folders: Vec<_> = fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(folders.len() >= 5, "only {} cases were found", folders.len());
    let trial = |case: PathBuf| {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        Trial::test(name, move || holds(&case, bless))
    };
    libtest_mimic::run(&Arguments::from_args(), folders.into_iter().map(trial).collect()).exit_code()
}

fn holds(case: &Path, bless: bool) -> Result<(), Failed> {
    let settings = fs::read_to_string(case.join("settings.json")).unwrap_or_else(|_| "{}".into());
    let settings: Value = serde_json::from_str(&settings).unwrap();
    let environment = settings["environment"].as_str().unwrap_or("default");
    let file = read_file(&case.join("in/alertmanager.yml"));
    let silences = case.join("in/silences.json");
    let silences = silences.exists().then(|| read_file(&silences));
    let settings = AlertmanagerSettings { environment, silences: silences.as_ref() };
    let made = import_alertmanager(&file, &settings);
    let mut files = made.files.clone();
    files.push(File { path: "../report.txt".into(), text: made.report.to_string() });
    for file in &files {
        if file.text.contains("geheim") {
            return Err(format!("{} holds a secret:\n{}", file.path, file.text).into());
        }
    }
    let mut wrong = String::new();
    loads(&made, environment, &mut wrong);
    if bless {
        let _ = fs::remove_dir_all(case.join("out"));
        for file in &files {
            let path = case.join("out").join(&file.path);
            fs::create_dir_all(case.join("out"))?;
            fs::create_dir_all(path.parent().unwrap())?;
            fs::write(path, &file.text)?;
        }
        // What writes nothing leaves no folder.
        let _ = fs::remove_dir(case.join("out"));
    } else {
        compare(case, files, &mut wrong);
    }
    match wrong.as_str() {
        "" => Ok(()),
        wrong => {
            Err(format!("{wrong}\nto accept: BLESS=1 cargo test -p watchbell-import --test alertmanager")
                .into())
        }
    }
}

fn compare(case: &Path, files: Vec<File>, wrong: &mut String) {
    let mut expected = below(&case.join("out"), "");
    expected.insert("../report.txt".into(), fs::read_to_string(case.join("report.txt")).unwrap_or_default());
    let came: BTreeMap<String, String> = files.into_iter().map(|file| (file.path, file.text)).collect();
    let paths: BTreeSet<&String> = expected.keys().chain(came.keys()).collect();
    for path in paths {
        let of = |files: &BTreeMap<String, String>| files.get(path).cloned().unwrap_or_default();
        let (expected, came) = (of(&expected), of(&came));
        if expected != came {
            let diff = similar::TextDiff::from_lines(&expected, &came);
            let diff = diff.unified_diff().header("expected", "came").to_string();
            write!(wrong, "\nout/{path}:\n{diff}").unwrap();
        }
    }
}

/// Whether the environment loads; one that is not `default` is laid over the least that there can be.
fn loads(made: &Import, environment: &str, wrong: &mut String) {
    if made.files.is_empty() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    watchbell_import::write(place.path(), &made.files, false).unwrap();
    let default = place.path().join("environments/default.yaml");
    if !default.exists() {
        fs::create_dir_all(default.parent().unwrap()).unwrap();
        fs::write(default, "clusters: { main: { nodes: [http://search.example.com:9200] } }\n").unwrap();
    }
    let value = |token: &str| match token.starts_with("PUSHOVER_USER") {
        true => "uQiRzpo4DXghDmr9QzzfQu27cmVRsG".to_string(),
        false => "http://x.example.com".to_string(),
    };
    let values = made.report.tokens.iter().map(|token| (token.token.clone(), value(&token.token)));
    let values: Vec<(String, String)> = values.collect();
    let options = Options { environment, token_overrides: &values, env: &|_| None, check_secrets: false };
    match load(place.path(), &options, &fake::Fake) {
        Ok(bundle) => {
            for warning in &bundle.warnings {
                write!(wrong, "\n{warning}").unwrap();
            }
        }
        Err(report) => write!(wrong, "\ndoes not load:\n{report}\n").unwrap(),
    }
}

fn below(folder: &Path, prefix: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(below(&entry.path(), &format!("{path}/")));
        } else {
            found.insert(path, fs::read_to_string(entry.path()).unwrap());
        }
    }
    found
}
