//! cargo-fuzz in the cache, and the nightly compiler that it needs.
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::cargo;
use crate::stage::Stage;
use crate::test_report;

const VERSION: &str = "0.13.2";
/// libFuzzer's instrumentation is behind unstable options.
pub(super) const TOOLCHAIN: &str = "nightly";
/// cargo-fuzz of the pinned version, installed on first use.
pub(super) fn find_or_install(cache: &Cache, stage: &mut Stage) -> Result<PathBuf> {
    compiler(stage)?;
    let home = cache.root().join(format!("fuzz/cargo-fuzz-{VERSION}"));
    let program = home.join("bin/cargo-fuzz");
    if program.is_file() {
        return Ok(program);
    }
    stage.say(&format!("  installing cargo-fuzz {VERSION}"));
    let mut command = cargo::plain("cargo");
    command.args(["install", "cargo-fuzz", "--locked", "--version", VERSION, "--root"]).arg(&home);
    if !stage.run(&mut command)?.success || !program.is_file() {
        bail!("cargo-fuzz {VERSION} could not be installed (log: {})", stage.log().display());
    }
    Ok(program)
}

/// What cargo-fuzz builds for, which is the name of a folder in its output.
pub(super) fn host() -> Result<String> {
    let asked = cargo::plain("rustup").args(["run", TOOLCHAIN, "rustc", "-vV"]).output()?;
    let told = String::from_utf8_lossy(&asked.stdout);
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).with_context(|| format!("`rustc -vV` of {TOOLCHAIN} names no host"))
}

fn compiler(stage: &mut Stage) -> Result<()> {
    let is_there = || {
        let asked = cargo::plain("rustup")
            .args(["run", TOOLCHAIN, "rustc", "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    };
    if is_there() {
        return Ok(());
    }
    stage.say("  installing a nightly compiler");
    let ended = stage.run(cargo::plain("rustup").args([
        "toolchain",
        "install",
        TOOLCHAIN,
        "--profile",
        "minimal",
    ]))?;
    if !ended.success || !is_there() {
        stage.say(&test_report::excerpt(&ended.output));
        bail!("no nightly compiler: run `rustup toolchain install {TOOLCHAIN}`");
    }
    Ok(())
}
