//! ElastAlert2, in its own Python environment: what Watchbell is compared with.
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::stage::Stage;
use crate::test_report;

/// The release that is compared with; it needs Python 3.12.
const VERSION: &str = "2.31.0";
/// The variable with its Python, for tests and benchmarks.
pub(crate) const VARIABLE: &str = "WATCHBELL_ELASTALERT_PYTHON";

/// Its Python, installed on first use.
pub(crate) fn python(cache: &Cache, stage: &mut Stage) -> Result<PathBuf> {
    let home = cache.root().join("elastalert");
    let python = home.join("bin/python");
    if is_installed(&python) {
        return Ok(python);
    }
    stage.say(&format!("  installing ElastAlert2 {VERSION}"));
    call(stage, Command::new(python312()?).args(["-m", "venv", "--clear"]).arg(&home))?;
    let package = format!("elastalert2=={VERSION}");
    call(stage, Command::new(&python).args(["-m", "pip", "install", "--quiet", &package, "setuptools<81"]))?;
    if !is_installed(&python) {
        bail!("ElastAlert2 was installed but cannot be loaded");
    }
    Ok(python)
}

fn is_installed(python: &Path) -> bool {
    let check = format!(
        "import elastalert.elastalert, importlib.metadata as m, sys; sys.exit(m.version('elastalert2') != '{VERSION}')"
    );
    let asked = Command::new(python).args(["-c", &check]).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn call(stage: &mut Stage, command: &mut Command) -> Result<()> {
    let ended = stage.run(command)?;
    if !ended.success {
        stage.say(&test_report::excerpt(&ended.output));
        bail!("ElastAlert2 could not be installed (log: {})", stage.log().display());
    }
    Ok(())
}

fn python312() -> Result<PathBuf> {
    let mut candidates = vec![PathBuf::from("python3.12")];
    if let Some(home) = std::env::home_dir() {
        let versions = std::fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten().flatten();
        let named = versions.filter(|entry| entry.file_name().to_string_lossy().starts_with("3.12"));
        candidates.extend(named.map(|entry| entry.path().join("bin/python")));
    }
    candidates
        .into_iter()
        .find(|python| {
            let asked = Command::new(python)
                .args(["-c", "import sys; sys.exit(sys.version_info[:2] != (3, 12))"])
                .stderr(Stdio::null())
                .status();
            asked.is_ok_and(|status| status.success())
        })
        .context("no Python 3.12: install it as `python3.12`, or with pyenv")
}
