//! Every folder below `tests/cases/import` is a folder of ElastAlert's, and what comes of it.
//!
//! - `in/` is read, `out/` is what is written, `report.txt` what is told. `settings.json` may hold `destination`, `config`, `begin`, `tokens`
//!   (their values in the environment) and `check` (values that only the check below is given).
//! - What comes out must load: with the manifests' own loader, modules that have the parameters of the rules, and the
//!   HTTP alerter's own word on destinations.
//! - No secret of `in/` may stand in anything that comes out: each contains the word `geheim`.
//! - `BLESS=1 cargo test -p watchbell-import --test cases` accepts what comes now.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use watchbell_import::{File, Import, Settings, import, read};
use watchbell_manifest::{Options, load};

mod fake;

fn main() -> ExitCode {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/import");
    let bless = std::env::var_os("BLESS").is_some();
    let folders: Vec<_> = fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(folders.len() >= 10, "only {} cases were found", folders.len());
    let trial = |case: PathBuf| {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        Trial::test(name, move || holds(&case, bless))
    };
    libtest_mimic::run(&Arguments::from_args(), folders.into_iter().map(trial).collect()).exit_code()
}

/// Whether the case comes out as it should.
fn holds(case: &Path, bless: bool) -> Result<(), Failed> {
    let settings = Case::of(case);
    let sources = read(&case.join("in"))?;
    let made = import(&sources, &settings.settings());
    if made != import(&sources, &settings.settings()) {
        return Err("not the same twice".into());
    }
    let mut files = made.files.clone();
    files.push(File { path: "../report.txt".into(), text: made.report.to_string() });
    for file in &files {
        if file.text.contains("geheim") {
            return Err(format!("{} holds a secret:\n{}", file.path, file.text).into());
        }
    }
    let mut wrong = String::new();
    loads(&made, &settings, &mut wrong);
    if bless {
        let _ = fs::remove_dir_all(case.join("out"));
        for file in &files {
            let path = case.join("out").join(&file.path);
            fs::create_dir_all(case.join("out"))?;
            fs::create_dir_all(path.parent().unwrap())?;
            fs::write(path, &file.text)?;
        }
    } else {
        compare(case, files, &mut wrong);
    }
    match wrong.as_str() {
        "" => Ok(()),
        wrong => {
            Err(format!("{wrong}\nto accept: BLESS=1 cargo test -p watchbell-import --test cases").into())
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

/// Whether what came out is right to the one who will read it.
fn loads(made: &Import, case: &Case, wrong: &mut String) {
    if made.files.is_empty() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    watchbell_import::write(place.path(), &made.files, false).unwrap();
    let options = Options {
        environment: "default",
        token_overrides: &case.check,
        env: &|_| None,
        check_secrets: false,
    };
    match load(place.path(), &options, &fake::Fake) {
        Ok(bundle) => {
            let carried = made.report.rules.iter().filter(|rule| rule.became.is_some()).count();
            assert_eq!(bundle.rules.len(), carried);
            for warning in &bundle.warnings {
                write!(wrong, "\n{warning}").unwrap();
            }
        }
        Err(report) => write!(wrong, "\ndoes not load:\n{report}\n").unwrap(),
    }
    let undefined = made.report.tokens.iter().filter(|token| !token.defined).count();
    assert_eq!(undefined, case.check.len(), "values for the tokens without one, and for no other");
}

struct Case {
    destination: Option<String>,
    config: Option<String>,
    begin: Option<String>,
    tokens: Vec<(String, String)>,
    check: Vec<(String, String)>,
}

impl Case {
    fn of(folder: &Path) -> Self {
        let text = fs::read_to_string(folder.join("settings.json")).unwrap_or_else(|_| "{}".into());
        let value: Value = serde_json::from_str(&text).unwrap();
        let pairs = |name: &str| -> Vec<(String, String)> {
            let entries = value[name].as_object().into_iter().flatten();
            entries.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_string())).collect()
        };
        Self {
            destination: value["destination"].as_str().map(String::from),
            config: value["config"].as_str().map(String::from),
            begin: value["begin"].as_str().map(String::from),
            tokens: pairs("tokens"),
            check: pairs("check"),
        }
    }

    fn settings(&self) -> Settings<'_> {
        Settings {
            destination: self.destination.as_deref(),
            tokens: &self.tokens,
            config: self.config.as_deref(),
            begin: self.begin.as_deref(),
        }
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
