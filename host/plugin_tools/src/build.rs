//! From the sources to the component's bytes.
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::advice;
use crate::component::{EncodeFault, encode};
use crate::files::{MODULE_BYTES_MAX, newest, written};
use crate::process::{ProcessFault, ProgressReporter, plain, run};
use crate::python;
use crate::toolchain::{Toolchain, ToolchainFault};
use crate::{Language, Project};

/// A component that is built and not yet checked.
#[derive(Clone, Debug)]
pub struct Built {
    pub bytes: Vec<u8>,
    /// It was newer than all of its sources, so it was not rebuilt.
    pub is_unchanged: bool,
    /// What its author should know of the sources, a line each.
    pub warnings: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum BuildFault {
    #[error(transparent)]
    Toolchain(#[from] ToolchainFault),
    #[error(transparent)]
    Process(#[from] ProcessFault),
    #[error("{fault}\n\nhint: {advice}")]
    Crate { fault: ProcessFault, advice: &'static str },
    #[error(
        "cargo built no module: does Cargo.toml have `crate-type = [\"cdylib\", \"rlib\"]` under `[lib]`?"
    )]
    NoModule,
    #[error("`npm run build` did not write `{}`", .0.display())]
    NoComponent(PathBuf),
    #[error("`{}` has no `build` script: add one that writes dist/NAME.wasm", .0.display())]
    NoScript(PathBuf),
    #[error(transparent)]
    Encode(#[from] EncodeFault),
    #[error("`{}` cannot be read", .path.display())]
    Read { path: PathBuf, source: io::Error },
}

/// Builds the component. One in Rust is returned but not written; npm and componentize-py write theirs to `dist`.
///
/// # Errors
/// What is missing, what the compiler said, or what is wrong with the module.
pub fn build(project: &Project, progress: &mut ProgressReporter<'_>) -> Result<Built, BuildFault> {
    match project.language {
        Language::Rust => rust(project, progress),
        Language::JavaScript => javascript(project, progress),
        Language::Python => python(project, progress),
    }
}

fn rust(project: &Project, progress: &mut ProgressReporter<'_>) -> Result<Built, BuildFault> {
    let toolchain = Toolchain::find(&project.folder)?;
    // A plugin is also a library for native tests, and a library in the same call would switch link-time optimisation
    // off: ten times the size.
    let mut cargo = toolchain.cargo(&project.folder, "rustc");
    cargo.args(["--lib", "--crate-type", "cdylib", "--message-format", "json-render-diagnostics"]);
    let messages = run(&mut cargo, "building for wasm", progress).map_err(with_advice)?;
    let module = module(&messages, &project.folder.join("Cargo.toml")).ok_or(BuildFault::NoModule)?;
    let warnings = advice::of_sources(&project.folder);
    Ok(Built { bytes: encode(&read(&module)?)?, is_unchanged: false, warnings })
}

fn with_advice(fault: ProcessFault) -> BuildFault {
    let advice = match &fault {
        ProcessFault::Failed { said, .. } => advice::on_failure(said),
        ProcessFault::Missing { .. } | ProcessFault::Start { .. } => None,
    };
    match advice {
        Some(advice) => BuildFault::Crate { fault, advice },
        None => fault.into(),
    }
}

/// The module of this package among cargo's messages.
fn module(messages: &str, manifest: &Path) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let own = |message: &Value| {
        let path = message.get("manifest_path").and_then(Value::as_str);
        path.is_some_and(|path| Path::new(path) == manifest)
    };
    let mut files = messages.filter(own).filter_map(|message| {
        let files = message.get("filenames")?.as_array()?.iter().filter_map(Value::as_str);
        files.map(PathBuf::from).find(|file| file.extension().is_some_and(|end| end == "wasm"))
    });
    files.next()
}

fn javascript(project: &Project, progress: &mut ProgressReporter<'_>) -> Result<Built, BuildFault> {
    let component = project.component();
    let sources = ["src", "watchbell", "wit", "package.json"].map(|part| project.folder.join(part));
    let is_unchanged = match (written(&component), sources.iter().filter_map(|part| newest(part)).max()) {
        (Some(built), Some(source)) => built > source,
        _ => false,
    };
    if !is_unchanged {
        let package = project.folder.join("package.json");
        let text = String::from_utf8_lossy(&read(&package)?).into_owned();
        let package_json: Value = serde_json::from_str(&text).unwrap_or_default();
        if package_json.pointer("/scripts/build").is_none() {
            return Err(BuildFault::NoScript(package));
        }
        install(project, progress)?;
        // An earlier component must not be mistaken for this one.
        let _ = fs::remove_file(&component);
        run(
            plain("npm", &project.folder).args(["run", "--silent", "build"]),
            "building the component",
            progress,
        )?;
    }
    if !component.exists() {
        return Err(BuildFault::NoComponent(component));
    }
    Ok(Built { bytes: read(&component)?, is_unchanged, warnings: vec![] })
}

fn python(project: &Project, progress: &mut ProgressReporter<'_>) -> Result<Built, BuildFault> {
    let component = project.component();
    let is_unchanged = match (written(&component), python::newest_source(&project.folder)) {
        (Some(built), Some(source)) => built > source,
        _ => false,
    };
    if !is_unchanged {
        // An earlier component must not be mistaken for this one.
        let _ = fs::remove_file(&component);
        python::componentize(&project.folder, &component, progress)?;
    }
    Ok(Built { bytes: read(&component)?, is_unchanged, warnings: vec![] })
}

/// Installs the packages of package.json, unless they are installed already.
pub(crate) fn install(project: &Project, progress: &mut ProgressReporter<'_>) -> Result<(), ProcessFault> {
    let folder = &project.folder;
    let wanted =
        ["package.json", "package-lock.json"].into_iter().filter_map(|file| written(&folder.join(file)));
    let installed = written(&folder.join("node_modules/.package-lock.json"));
    if installed.is_some_and(|installed| wanted.max().is_none_or(|wanted| installed >= wanted)) {
        return Ok(());
    }
    let verb = if folder.join("package-lock.json").exists() { "ci" } else { "install" };
    let mut npm = plain("npm", folder);
    run(npm.args([verb, "--no-audit", "--no-fund"]), "fetching packages", progress).map(drop)
}

fn read(path: &Path) -> Result<Vec<u8>, BuildFault> {
    let fault = |error: watchbell_outside::ReadError| BuildFault::Read {
        path: path.to_owned(),
        source: error.into(),
    };
    watchbell_outside::read(path, MODULE_BYTES_MAX).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_found_among_cargos_messages() {
        let messages = r#"
            {"reason":"compiler-artifact","manifest_path":"/c/serde/Cargo.toml","filenames":["/t/libserde.rlib"]}
            {"reason":"compiler-artifact","manifest_path":"/w/Cargo.toml","filenames":["/t/login_burst.wasm"]}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(module(messages, Path::new("/w/Cargo.toml")), Some("/t/login_burst.wasm".into()));
        assert_eq!(module(messages, Path::new("/other/Cargo.toml")), None);
    }

    #[test]
    fn a_package_without_a_build_is_told() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("package.json"), r#"{"name": "x"}"#).unwrap();
        let project = Project::open(scratch.path(), &mut |_| {}).unwrap();
        let told = build(&project, &mut |_| {}).unwrap_err().to_string();
        assert!(told.contains("no `build` script"), "{told}");
    }
}
