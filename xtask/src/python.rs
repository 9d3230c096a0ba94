//! A Python package in an environment of its own, installed on first use.
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::cache::Cache;
use crate::stage::Stage;
use crate::test_report;

pub(crate) struct Package {
    /// As people know it.
    pub(crate) title: &'static str,
    pub(crate) version: &'static str,
    /// Its folder in the cache.
    pub(crate) folder: &'static str,
    /// What pip installs.
    pub(crate) requirements: &'static [&'static str],
    /// A script that fails unless this version can be loaded.
    pub(crate) check: &'static str,
}

impl Package {
    /// The Python that has it; one that `interpreter` names makes its environment.
    pub(crate) fn python(
        &self,
        cache: &Cache,
        stage: &mut Stage,
        interpreter: impl FnOnce() -> Result<PathBuf>,
    ) -> Result<PathBuf> {
        let home = cache.root().join(self.folder);
        let python = home.join("bin/python");
        if passes(&python, self.check) {
            return Ok(python);
        }
        stage.say(&format!("  installing {} {}", self.title, self.version));
        self.call(stage, Command::new(interpreter()?).args(["-m", "venv", "--clear"]).arg(&home))?;
        let install = ["-m", "pip", "install", "--quiet"];
        self.call(stage, Command::new(&python).args(install).args(self.requirements))?;
        if !passes(&python, self.check) {
            bail!("{} was installed but cannot be loaded", self.title);
        }
        Ok(python)
    }

    fn call(&self, stage: &mut Stage, command: &mut Command) -> Result<()> {
        let ended = stage.run(command)?;
        if !ended.success {
            stage.say(&test_report::excerpt(&ended.output));
            bail!("{} could not be installed (log: {})", self.title, stage.log().display());
        }
        Ok(())
    }
}

/// Whether `python` exists and ends `script` without an error.
pub(crate) fn passes(python: &Path, script: impl AsRef<OsStr>) -> bool {
    let asked = Command::new(python).arg("-c").arg(script).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
