//! A plugin's folder.
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::files::FILE_BYTES_MAX;
use crate::process::{ProcessFault, ProgressReporter, cargo, run};
use crate::python;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Rust,
    JavaScript,
    Python,
}

/// A folder with a plugin's sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub folder: PathBuf,
    /// The package's.
    pub name: String,
    pub language: Language,
}

#[derive(Debug, thiserror::Error)]
pub enum ProjectFault {
    #[error(
        "`{}` is not a plugin: it has neither Cargo.toml nor package.json nor pyproject.toml; name a plugin's folder, \
         or start one with `watchbell plugin new`", .0.display()
    )]
    None(PathBuf),
    #[error("`{}` cannot be read", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` does not name a plugin: {why}", .path.display())]
    Unnamed { path: PathBuf, why: String },
    #[error(transparent)]
    Process(#[from] ProcessFault),
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

impl Project {
    /// Inspects `folder`.
    ///
    /// # Errors
    /// It has no plugin, or the plugin cannot be identified.
    pub fn open(folder: &Path, progress: &mut ProgressReporter<'_>) -> Result<Self, ProjectFault> {
        let absolute = fs::canonicalize(folder)
            .map_err(|source| ProjectFault::Read { path: folder.to_owned(), source })?;
        let [manifest, package, pyproject] =
            ["Cargo.toml", "package.json", "pyproject.toml"].map(|file| absolute.join(file));
        if manifest.is_file() {
            let name = crate_name(&absolute, &manifest, progress)?;
            return Ok(Self { folder: absolute, name, language: Language::Rust });
        }
        if package.is_file() {
            let name = package_name(&package)?;
            return Ok(Self { folder: absolute, name, language: Language::JavaScript });
        }
        if pyproject.is_file() {
            let name = distribution_name(&absolute, &pyproject, progress)?;
            return Ok(Self { folder: absolute, name, language: Language::Python });
        }
        Err(ProjectFault::None(folder.to_owned()))
    }

    /// Where the finished component goes.
    pub fn component(&self) -> PathBuf {
        self.folder.join("dist").join(format!("{}.wasm", self.name))
    }

    /// The folder with the cases that the component must pass, `*.test.yaml`. It need not exist.
    pub fn cases(&self) -> PathBuf {
        self.folder.join("tests")
    }
}

fn crate_name(
    folder: &Path,
    manifest: &Path,
    progress: &mut ProgressReporter<'_>,
) -> Result<String, ProjectFault> {
    let mut cargo = cargo(folder);
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
    let said = run(&mut cargo, "reading Cargo.toml", progress)?;
    let unnamed = |why: String| ProjectFault::Unnamed { path: manifest.to_owned(), why };
    let metadata: Metadata = serde_json::from_str(&said).map_err(|error| unnamed(error.to_string()))?;
    let mut packages = metadata.packages.into_iter();
    let own = packages.find(|package| package.manifest_path == manifest);
    own.map(|package| package.name).ok_or_else(|| unnamed("it is a workspace without a package".into()))
}

/// Without its scope: `b` of `@a/b`.
fn package_name(package: &Path) -> Result<String, ProjectFault> {
    let text = watchbell_outside::read_text(package, FILE_BYTES_MAX)
        .map_err(|error| ProjectFault::Read { path: package.to_owned(), source: error.into() })?;
    let unnamed = |why: String| ProjectFault::Unnamed { path: package.to_owned(), why };
    let package: Value = serde_json::from_str(&text).map_err(|error| unnamed(error.to_string()))?;
    let name =
        package.get("name").and_then(Value::as_str).ok_or_else(|| unnamed("it has no `name`".into()))?;
    let name = name.rsplit('/').next().unwrap_or_default();
    file_name(name).map_err(unnamed)
}

/// Of a project in Python.
fn distribution_name(
    folder: &Path,
    pyproject: &Path,
    progress: &mut ProgressReporter<'_>,
) -> Result<String, ProjectFault> {
    const SCRIPT: &str =
        "import tomllib; print(tomllib.load(open('pyproject.toml', 'rb'))['project']['name'])";
    let mut python = python::interpreter(folder)?;
    let said = run(python.args(["-c", SCRIPT]), "reading pyproject.toml", progress)?;
    file_name(said.trim_end()).map_err(|why| ProjectFault::Unnamed { path: pyproject.to_owned(), why })
}

/// A name that becomes a file's.
fn file_name(name: &str) -> Result<String, String> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
        return Err(format!("`{name}` cannot be a file name"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(files: &[(&str, &str)]) -> Result<Project, ProjectFault> {
        let scratch = tempfile::tempdir().unwrap();
        for (path, text) in files {
            fs::create_dir_all(scratch.path().join(path).parent().unwrap()).unwrap();
            fs::write(scratch.path().join(path), text).unwrap();
        }
        Project::open(scratch.path(), &mut |_| {})
    }

    #[test]
    fn the_manifest_tells_language_and_name() {
        let rust = "[package]\nname = \"login-burst\"\nversion = \"0.1.0\"\n[workspace]\n";
        let found = open(&[("Cargo.toml", rust), ("src/lib.rs", "")]).unwrap();
        assert_eq!((&*found.name, found.language), ("login-burst", Language::Rust));
        assert!(found.component().ends_with("dist/login-burst.wasm"));
        let found = open(&[("package.json", r#"{"name": "@team/login-burst"}"#)]).unwrap();
        assert_eq!((&*found.name, found.language), ("login-burst", Language::JavaScript));
        if python::interpreter(Path::new(".")).is_ok() {
            let found = open(&[("pyproject.toml", "[project]\nname = \"login-burst\"\n")]).unwrap();
            assert_eq!((&*found.name, found.language), ("login-burst", Language::Python));
        }
    }

    #[test]
    fn what_is_no_plugin_is_told() {
        assert!(open(&[]).unwrap_err().to_string().contains("watchbell plugin new"));
        assert!(open(&[("package.json", "{}")]).unwrap_err().to_string().contains("no `name`"));
        assert!(
            open(&[("package.json", r#"{"name": ".."}"#)])
                .unwrap_err()
                .to_string()
                .contains("cannot be a file name")
        );
        let workspace = open(&[("Cargo.toml", "[workspace]\nmembers = []\n")]).unwrap_err().to_string();
        assert!(workspace.contains("without a package"), "{workspace}");
        assert!(matches!(
            open(&[("Cargo.toml", "?")]),
            Err(ProjectFault::Process(ProcessFault::Failed { .. }))
        ));
    }
}
