//! `new`, `build` and `test`: from a name to a module that passes its cases.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use watchbell_plugin_tools::{self as plugin_tools, Language, Name, Project, Sdk};
use watchbell_sandbox::Sandbox;
use watchbell_sdk::testing::Case;

use super::super::args::{NewPlugin, PluginKind, PluginLanguage};
use super::super::{Colour, Failure, block, note, paint, plain, print};
use super::cases::{self, Strictness};
use super::look::Module;
use super::{progress_reporter, sandbox, size};

pub(super) fn new(args: &NewPlugin) -> Result<(), Failure> {
    let name = Name::parse(&args.name)?;
    let kind = match args.kind {
        PluginKind::Rule => plugin_tools::PluginKind::Rule,
        PluginKind::Alerter => plugin_tools::PluginKind::Alerter,
    };
    let (language, sdk) = match args.language {
        PluginLanguage::Rust => (Language::Rust, Some(Sdk::find(args.sdk.as_deref())?)),
        PluginLanguage::JavaScript => (Language::JavaScript, None),
        PluginLanguage::Python => (Language::Python, None),
    };
    let folder = PathBuf::from(name.as_str());
    let files = plugin_tools::create(&folder, &name, kind, language, sdk.as_ref())?;
    let ok = paint("ok", Colour::Green);
    let listed: Vec<String> = files.iter().map(|file| format!("  {name}/{file}")).collect();
    print(&format!(
        "{ok}: {} files\n{}\n\nnext:\n  cd {name}\n  watchbell plugin test\n  watchbell plugin build",
        files.len(),
        listed.join("\n")
    ))
}

pub(super) fn build(folder: &Path) -> Result<(), Failure> {
    let project = Project::open(folder, &mut progress_reporter())?;
    let built = built(&project, &sandbox()?)?;
    let inspection = built.module.inspection();
    let ok = paint("ok", Colour::Green);
    print(&format!(
        "{ok}: {}\n  file     {}{}\n  size     {}\n  sha256   {}",
        plain(&built.module.sentence()),
        plain(&built.file.display().to_string()),
        if built.is_unchanged { " (its sources have not changed)" } else { "" },
        size(inspection.bytes),
        inspection.digest
    ))
}

/// A built component that the sandbox accepted.
struct Built {
    module: Module,
    file: PathBuf,
    is_unchanged: bool,
}

fn built(project: &Project, sandbox: &Sandbox) -> Result<Built, Failure> {
    let built = plugin_tools::build(project, &mut progress_reporter())?;
    for warning in &built.warnings {
        note(&format!("warning: {}", block(warning)));
    }
    let module = Module::load(&project.name, &built.bytes, sandbox)?;
    // A module that loads but cannot work does not count as built.
    let misuses = module.misuses();
    if !misuses.is_empty() {
        return Err(Failure::Faults(anyhow!("{}: {}", project.name, plain(&misuses.join("; ")))));
    }
    let file = project.component();
    let cannot = || format!("cannot write `{}`", file.display());
    if project.language == Language::Rust {
        fs::create_dir_all(file.parent().unwrap_or(&project.folder)).with_context(cannot)?;
        fs::write(&file, &built.bytes).with_context(cannot)?;
    }
    Ok(Built { module, file, is_unchanged: built.is_unchanged })
}

pub(super) fn test(folder: &Path, strictness: Strictness) -> Result<(), Failure> {
    let project = Project::open(folder, &mut progress_reporter())?;
    match plugin_tools::test(&project, &mut progress_reporter()) {
        Ok(native) => print(&format!("{}: {}", paint("ok", Colour::Green), block(&native)))?,
        // They may run the very cases that are to be blessed.
        Err(fault) if strictness.bless => {
            print(&block(&format!("the project's own tests do not pass yet: {fault}")))?
        }
        Err(fault) => return Err(fault.into()),
    }
    let sandbox = sandbox()?;
    let module = built(&project, &sandbox)?.module;
    let folder = project.cases();
    let has_cases = !Case::files(&folder).map_err(anyhow::Error::msg)?.is_empty();
    match &module {
        Module::Rule(rule) => cases::hold(rule, &folder, strictness),
        _ if has_cases => {
            Err(anyhow!("`{}` holds cases, but only rules have cases: remove them", folder.display()).into())
        }
        _ => print(&format!("{}: the component loads", paint("ok", Colour::Green))),
    }
}
