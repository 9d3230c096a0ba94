//! Projects in Python: an interpreter for their tests, and `componentize-py`, which makes components of them.
use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use crate::files::{FILE_BYTES_MAX, below, written};
use crate::process::{ProcessFault, ProgressReporter, plain, run};

const TOOL: &str = "componentize-py";
/// The project's own environment, and the folder of its programs.
const ENVIRONMENT: &str = ".venv";
const PROGRAMS: &str = if cfg!(windows) { "Scripts" } else { "bin" };
/// What the environment was made of; written once it is complete.
const INSTALLED: &str = ".venv/requirements.txt";

/// The project's interpreter, else the one that is installed: 3.11 or newer, which reads TOML.
///
/// # Errors
/// There is none.
pub(crate) fn interpreter(folder: &Path) -> Result<Command, ProcessFault> {
    let own = program(folder, "python");
    let candidates = [own.as_path(), Path::new("python3"), Path::new("python")];
    let is_usable = |candidate: &&Path| {
        let mut asked = plain(&candidate.to_string_lossy(), folder);
        let asked = asked.args(["-c", "import tomllib"]).stdout(Stdio::null()).stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    };
    let found = candidates
        .into_iter()
        .find(is_usable)
        .ok_or(ProcessFault::Missing { program: "python3".into(), remedy: "install Python 3.11 or newer" })?;
    let mut command = plain(&found.to_string_lossy(), folder);
    // A folder of caches beside the sources would look like a change of them.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// Runs the project's tests, and returns what they wrote.
pub(crate) fn unittest(folder: &Path, progress: &mut ProgressReporter<'_>) -> Result<String, ProcessFault> {
    // As `python -m unittest`, but to standard output.
    const SCRIPT: &str = "import sys, unittest; \
        unittest.main(module=None, testRunner=unittest.TextTestRunner(stream=sys.stdout))";
    run(interpreter(folder)?.args(["-c", SCRIPT]), "python -m unittest", progress)
}

/// Makes a component of the module `app`.
pub(crate) fn componentize(
    folder: &Path,
    component: &Path,
    progress: &mut ProgressReporter<'_>,
) -> Result<(), ProcessFault> {
    let tool = tool(folder, progress)?;
    fs::create_dir_all(component.parent().unwrap_or(folder))
        .map_err(|source| ProcessFault::Start { program: TOOL.into(), source })?;
    let mut command = plain(&tool.to_string_lossy(), folder);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let environment = folder.join(ENVIRONMENT);
    if environment.is_dir() {
        // A rule may use packages of the project's environment, and not by accident those of another.
        command.env("VIRTUAL_ENV", environment);
    }
    // Its own failures come with the frames of a compiler that nobody needs.
    command.env("RUST_BACKTRACE", "0");
    // Drafts of the contract stand behind features; a rule uses none of them.
    command.args(["-q", "-d", "wit", "-w", "rule-component", "--all-features", "componentize"]);
    // What asks for a clock, a file or a socket traps, so that the component imports nothing of WASI.
    command.args(["--stub-wasi", "app", "-o"]).arg(component);
    run(&mut command, "building the component", progress).map(drop)
}

/// When the newest file that the component is made of was written.
pub(crate) fn newest_source(folder: &Path) -> Option<SystemTime> {
    let is_other = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        ["dist", "tests", "__pycache__"].contains(&&*name)
            || name.starts_with('.')
            || name.ends_with(".md")
            || name.ends_with(".test.yaml")
    };
    below(folder, &is_other).files.iter().filter_map(|path| written(path)).max()
}

/// `componentize-py` as requirements.txt wants it: of the project's environment, else of the machine, else installed.
fn tool(folder: &Path, progress: &mut ProgressReporter<'_>) -> Result<PathBuf, ProcessFault> {
    let own = program(folder, TOOL);
    let [wanted, installed] = ["requirements.txt", INSTALLED]
        .map(|file| watchbell_outside::read(&folder.join(file), FILE_BYTES_MAX));
    // An environment that somebody else made is theirs to keep up to date.
    let is_current = match (&wanted, &installed) {
        (Ok(wanted), Ok(installed)) => wanted == installed,
        _ => true,
    };
    if own.is_file() && is_current {
        return Ok(own);
    }
    if installed.is_err() && answers(&mut plain(TOOL, folder)) {
        return Ok(PathBuf::from(TOOL));
    }
    if !program(folder, "python").is_file() {
        let is_new = !folder.join(ENVIRONMENT).exists();
        let made = run(interpreter(folder)?.args(["-m", "venv", ENVIRONMENT]), "making .venv", progress);
        if made.is_err() && is_new {
            // Without pip, as Debian's python3 leaves it where python3-venv is missing, it is of no use.
            let _ = fs::remove_dir_all(folder.join(ENVIRONMENT));
        }
        made?;
    }
    let mut pip = plain(&program(folder, "python").to_string_lossy(), folder);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "-r", "requirements.txt"]);
    run(&mut pip, "fetching packages", progress)?;
    if let Ok(wanted) = wanted {
        let note = |source| ProcessFault::Start { program: format!("writing {INSTALLED}"), source };
        fs::write(folder.join(INSTALLED), wanted).map_err(note)?;
    }
    Ok(own)
}

fn answers(command: &mut Command) -> bool {
    let asked = command.arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn program(folder: &Path, name: &str) -> PathBuf {
    folder.join(ENVIRONMENT).join(PROGRAMS).join(format!("{name}{EXE_SUFFIX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_part_of_the_component_makes_it_no_older() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        let at = |path: &str, secs: u64| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(secs);
            fs::File::create(&path).unwrap().set_modified(time).unwrap();
        };
        for (path, secs) in
            [("rule.py", 1), ("watchbell/run.py", 3), ("wit/watchbell.wit", 2), ("pyproject.toml", 1)]
        {
            at(path, secs);
        }
        for path in [
            "tests/test_rule.py",
            "dist/x.wasm",
            ".venv/lib/x.py",
            "__pycache__/rule.pyc",
            "README.md",
            "tests/rule.test.yaml",
        ] {
            at(path, 9);
        }
        let newest = newest_source(folder).unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(newest.as_secs(), 3);
    }
}
