//! The files of a new project. They are in `templates/` as written, except for three names: `plugin-name`,
//! `plugin_name` and `PluginName`, and the location of the SDK.
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::FILE_BYTES_MAX;
use crate::{Language, Name};

/// The kind of plugin to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginKind {
    Rule,
    Alerter,
}

/// Where a Rust plugin finds the SDK, which is not on crates.io.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sdk {
    /// The folder `sdk` of Watchbell's source.
    Path(PathBuf),
    /// A git repository that holds it.
    Git(String),
}

#[derive(Debug, thiserror::Error)]
pub enum NewFault {
    #[error("`{}` exists already: choose another name, or remove it first", .0.display())]
    Exists(PathBuf),
    #[error(
        "this watchbell does not know where its SDK is published: pass `--sdk` with the `sdk` folder of Watchbell's \
         source, or with the address of its git repository"
    )]
    NoSdk,
    #[error("`{}` is not Watchbell's SDK: {why}; pass `--sdk` with the `sdk` folder of Watchbell's source", .path.display())]
    NotTheSdk { path: PathBuf, why: String },
    #[error(
        "there is no template for an alerter in Python: pass `--language rust` or `--language javascript`"
    )]
    NoTemplate,
    #[error("`{}` cannot be written", .path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// A template's files: path and content.
type Files = &'static [(&'static str, &'static str)];

macro_rules! files {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../templates/", $folder, "/", $path)))),+]
    };
}

macro_rules! sdk_files {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$((concat!("watchbell/", $path), include_str!(concat!("../../../sdk/", $folder, "/", $path)))),+]
    };
}

const RUST_RULE: Files = files!("rust-rule": "Cargo.toml", "src/lib.rs", "src/tests.rs", "tests/rule.test.yaml",
    "README.md", ".gitignore", ".github/workflows/plugin.yml");
const RUST_ALERTER: Files = files!("rust-alerter": "Cargo.toml", "src/lib.rs", "src/tests.rs", "README.md",
    ".gitignore", ".github/workflows/plugin.yml");
const JAVASCRIPT_RULE: Files = files!("javascript-rule": "package.json", "src/rule.js", "src/component.js",
    "test/rule.test.js", "tests/rule.test.yaml", "README.md", ".gitignore", ".github/workflows/plugin.yml");
const JAVASCRIPT_ALERTER: Files = files!("javascript-alerter": "package.json", "src/alerter.js", "src/component.js",
    "test/alerter.test.js", "README.md", ".gitignore", ".github/workflows/plugin.yml");

/// The SDK for JavaScript, which a project holds as a folder of its own: no package is published.
const JAVASCRIPT_SDK: Files = sdk_files!(
    "javascript":
    "component.js",
    "rule.js",
    "alerter.js",
    "definition.js",
    "questions.js",
    "rows.js",
    "signals.js",
    "state.js",
    "time.js",
    "log.js",
    "sandbox.js",
    "harness.js",
    "harness/documents.js",
    "build.js",
    "snapshot.js",
    "snapshot/module.js"
);

const PYTHON_RULE: Files = files!("python-rule": "pyproject.toml", "requirements.txt", "rule.py", "app.py",
    "tests/__init__.py", "tests/test_rule.py", "tests/rule.test.yaml", "README.md", ".gitignore",
    ".github/workflows/plugin.yml");

/// The SDK for Python, likewise.
const PYTHON_SDK: Files = sdk_files!("python/watchbell": "__init__.py", "component.py", "questions.py", "rows.py",
    "rules.py", "run.py", "sandbox.py", "shapes.py", "signals.py", "testing.py", "times.py");

/// The contract that a project in JavaScript or Python is built against; one in Rust has it in the SDK.
const CONTRACT: (&str, &str) = ("wit/watchbell.wit", include_str!("../../../sdk/wit/watchbell.wit"));

/// How the Rust templates refer to the SDK in the repository.
const SDK_IN_TEMPLATES: &str = r#"{ path = "../../../../sdk" }"#;

/// Where Watchbell's source is published; empty if the workspace has no repository address.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

impl Sdk {
    /// From `typed`, an address or a folder; by default, the address that Watchbell was built with.
    ///
    /// # Errors
    /// There is no default, or the folder is not the SDK.
    pub fn find(typed: Option<&str>) -> Result<Self, NewFault> {
        let Some(typed) = typed else {
            return if REPOSITORY.is_empty() {
                Err(NewFault::NoSdk)
            } else {
                Ok(Self::Git(REPOSITORY.to_owned()))
            };
        };
        if typed.contains("://") || typed.starts_with("git@") {
            return Ok(Self::Git(typed.to_owned()));
        }
        let not = |why: String| NewFault::NotTheSdk { path: typed.into(), why };
        let path = fs::canonicalize(typed).map_err(|error| not(error.to_string()))?;
        let manifest = watchbell_outside::read_text(&path.join("Cargo.toml"), FILE_BYTES_MAX)
            .map_err(|error| not(format!("its Cargo.toml cannot be read: {error}")))?;
        if !manifest.lines().any(|line| line.trim() == r#"name = "watchbell-sdk""#) {
            return Err(not("its Cargo.toml is for another package".into()));
        }
        Ok(Self::Path(path))
    }

    fn dependency(&self) -> String {
        // A JSON string is a TOML string too.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Path(path) => format!("{{ path = {} }}", quoted(&path.to_string_lossy())),
            Self::Git(address) => format!("{{ git = {} }}", quoted(address)),
        }
    }
}

/// Writes a new project into `folder`, which must not exist. `sdk` is for projects in Rust.
///
/// # Errors
/// The folder exists, or cannot be written.
pub fn create(
    folder: &Path,
    name: &Name,
    kind: PluginKind,
    language: Language,
    sdk: Option<&Sdk>,
) -> Result<Vec<&'static str>, NewFault> {
    let (files, contract): (Files, _) = match (language, kind) {
        (Language::Rust, PluginKind::Rule) => (RUST_RULE, None),
        (Language::Rust, PluginKind::Alerter) => (RUST_ALERTER, None),
        (Language::JavaScript, PluginKind::Rule) => (JAVASCRIPT_RULE, Some(CONTRACT)),
        (Language::JavaScript, PluginKind::Alerter) => (JAVASCRIPT_ALERTER, Some(CONTRACT)),
        (Language::Python, PluginKind::Rule) => (PYTHON_RULE, Some(CONTRACT)),
        (Language::Python, PluginKind::Alerter) => return Err(NewFault::NoTemplate),
    };
    let sdk = match (language, sdk) {
        (Language::Rust, None) => return Err(NewFault::NoSdk),
        (Language::Rust, Some(sdk)) => sdk.dependency(),
        (Language::JavaScript | Language::Python, _) => String::new(),
    };
    if folder.symlink_metadata().is_ok() {
        return Err(NewFault::Exists(folder.to_owned()));
    }
    let shared: Files = match language {
        Language::Rust => &[],
        Language::JavaScript => JAVASCRIPT_SDK,
        Language::Python => PYTHON_SDK,
    };
    let mut written = Vec::new();
    for (path, text) in files.iter().chain(shared) {
        let text = text
            .replace("plugin-name", name.as_str())
            .replace("plugin_name", &name.snake())
            .replace("PluginName", &name.pascal())
            .replace(SDK_IN_TEMPLATES, &sdk);
        write(&folder.join(path), &text)?;
        written.push(*path);
    }
    if let Some((path, text)) = contract {
        write(&folder.join(path), text)?;
        written.push(path);
    }
    Ok(written)
}

fn write(path: &Path, text: &str) -> Result<(), NewFault> {
    let fault = |source| NewFault::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fault)?;
    }
    fs::write(path, text).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(kind: PluginKind, language: Language) -> (tempfile::TempDir, PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("login-burst");
        let sdk = Sdk::Git("https://example.com/watchbell.git".into());
        create(&folder, &Name::parse("login-burst").unwrap(), kind, language, Some(&sdk)).unwrap();
        (scratch, folder)
    }

    fn every_file(folder: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut left = vec![folder.to_owned()];
        while let Some(folder) = left.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    // Python leaves its own files beside what it ran.
                    if !path.ends_with("__pycache__") {
                        left.push(path);
                    }
                } else {
                    found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
                }
            }
        }
        found
    }

    #[test]
    fn no_placeholder_is_left_and_no_file_of_a_template_is_forgotten() {
        for (kind, language, template) in [
            (PluginKind::Rule, Language::Rust, "rust-rule"),
            (PluginKind::Alerter, Language::Rust, "rust-alerter"),
            (PluginKind::Rule, Language::JavaScript, "javascript-rule"),
            (PluginKind::Alerter, Language::JavaScript, "javascript-alerter"),
            (PluginKind::Rule, Language::Python, "python-rule"),
        ] {
            let (_scratch, folder) = made(kind, language);
            let files = every_file(&folder);
            for (path, text) in &files {
                for placeholder in ["plugin-name", "plugin_name", "PluginName", "../sdk"] {
                    assert!(!text.contains(placeholder), "{path} still says {placeholder}");
                }
            }
            let here = Path::new(env!("CARGO_MANIFEST_DIR"));
            let lying = every_file(&here.join("templates").join(template));
            let shared = match language {
                Language::Rust => 0,
                Language::JavaScript => {
                    let sdk = every_file(&here.join("../../sdk/javascript"));
                    sdk.iter().filter(|(path, _)| !path.contains("/javascript/test/")).count() + 1
                }
                Language::Python => every_file(&here.join("../../sdk/python/watchbell")).len() + 1,
            };
            assert_eq!(files.len(), lying.len() + shared, "{template}");
        }
    }

    #[test]
    fn names_and_the_sdk_are_filled_in() {
        let (_scratch, folder) = made(PluginKind::Rule, Language::Rust);
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("name = \"login-burst\""), "{manifest}");
        assert!(
            manifest.contains(r#"watchbell-sdk = { git = "https://example.com/watchbell.git" }"#),
            "{manifest}"
        );
        let source = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        assert!(source.contains("impl Rule for LoginBurst"), "{source}");
        let workflow = fs::read_to_string(folder.join(".github/workflows/plugin.yml")).unwrap();
        assert!(workflow.contains("release/login_burst.wasm -o dist/login-burst.wasm"), "{workflow}");
    }

    #[test]
    fn what_exists_is_left_alone() {
        let (_scratch, folder) = made(PluginKind::Rule, Language::JavaScript);
        fs::write(folder.join("src/rule.js"), "mine").unwrap();
        let name = Name::parse("login-burst").unwrap();
        let again = create(&folder, &name, PluginKind::Rule, Language::JavaScript, None);
        assert!(matches!(again, Err(NewFault::Exists(_))), "{again:?}");
        assert_eq!(fs::read_to_string(folder.join("src/rule.js")).unwrap(), "mine");
    }

    #[test]
    fn the_sdk_is_looked_at_before_it_is_named() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let found = Sdk::find(Some(repository.join("sdk").to_str().unwrap())).unwrap();
        assert!(matches!(found, Sdk::Path(path) if path.is_absolute()));
        let told =
            Sdk::find(Some(repository.join("host/plugin_tools").to_str().unwrap())).unwrap_err().to_string();
        assert!(told.contains("is for another package") && told.contains("--sdk"), "{told}");
        let told = Sdk::find(Some("/nowhere")).unwrap_err().to_string();
        assert!(told.contains("/nowhere"), "{told}");
        let address = "https://example.com/watchbell";
        assert_eq!(Sdk::find(Some(address)).unwrap(), Sdk::Git(address.into()));
    }
}
