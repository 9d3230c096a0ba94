//! aiosmtpd, a mail server in a Python environment of its own: what mails are sent to in tests.
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::cache::Cache;
use crate::stage::Stage;
use crate::test_report;

const VERSION: &str = "1.4.6";
/// The variable with its Python, for tests.
pub(crate) const VARIABLE: &str = "WATCHBELL_AIOSMTPD_PYTHON";

/// Its Python, installed on first use.
pub(crate) fn python(cache: &Cache, stage: &mut Stage) -> Result<PathBuf> {
    let home = cache.root().join("aiosmtpd");
    let python = home.join("bin/python");
    if is_installed(&python) {
        return Ok(python);
    }
    stage.say(&format!("  installing aiosmtpd {VERSION}"));
    call(stage, Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
    let package = format!("aiosmtpd=={VERSION}");
    call(stage, Command::new(&python).args(["-m", "pip", "install", "--quiet", &package]))?;
    if !is_installed(&python) {
        bail!("aiosmtpd was installed but cannot be loaded");
    }
    Ok(python)
}

fn is_installed(python: &Path) -> bool {
    let check = format!("import aiosmtpd, sys; sys.exit(aiosmtpd.__version__ != '{VERSION}')");
    let asked = Command::new(python).args(["-c", &check]).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn call(stage: &mut Stage, command: &mut Command) -> Result<()> {
    let ended = stage.run(command)?;
    if !ended.success {
        stage.say(&test_report::excerpt(&ended.output));
        bail!("aiosmtpd could not be installed (log: {})", stage.log().display());
    }
    Ok(())
}
