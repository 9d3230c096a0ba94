//! Finds what the other commands need, installs what can be installed, and says what it found.
use std::time::Duration;

use anyhow::Result;

use crate::cache::Cache;
use crate::java::Java;
use crate::stage::Stage;
use crate::terminal::yellow;
use crate::toolchain::{Toolchain, apt_install};

pub(crate) const BUDGET: Duration = Duration::from_secs(4 * 60);

/// What was found.
pub(crate) struct Tools {
    pub(crate) wasm: Toolchain,
    pub(crate) java: Java,
}

/// An error: there is no way to build plugins. A missing JDK or Maven only costs the tests on real servers; in CI it
/// is installed where apt can.
pub(crate) fn run(cache: &Cache, stage: &mut Stage, ci: bool) -> Result<Tools> {
    let wasm = Toolchain::find_or_install(cache, stage)?;
    let mut java = Java::find();
    if ci {
        let missing = packages_for(&java);
        if !missing.is_empty() {
            // One at a time: a package that this release of Debian does not have must not keep out the others.
            for package in missing {
                apt_install(stage, &[package]);
            }
            java = Java::find();
        }
    }
    Ok(Tools { wasm, java })
}

/// A line for each tool.
pub(crate) fn report(tools: &Tools, cache: &Cache) -> String {
    let jdk = |jdk: Option<&crate::java::Jdk>| match jdk {
        Some(jdk) => format!("{} ({})", jdk.home.display(), jdk.major),
        None => yellow("none: the tests on real servers that need it will be skipped"),
    };
    let maven = match &tools.java.maven {
        Some(maven) => maven.display().to_string(),
        None => yellow("none: the tests on real servers will be skipped"),
    };
    format!(
        "  wasm       {}\n  jdk 17     {}\n  jdk ≥ 21   {}\n  maven      {maven}\n  build in   {}",
        tools.wasm.describe(),
        jdk(tools.java.seventeen()),
        jdk(tools.java.current()),
        cache.root().display(),
    )
}

/// Debian's packages for what is missing. Debian 12 has no JDK from 21 on, its successor has.
fn packages_for(java: &Java) -> Vec<&'static str> {
    let mut packages = Vec::new();
    if java.maven.is_none() {
        packages.push("maven");
    }
    if java.seventeen().is_none() {
        packages.push("openjdk-17-jdk-headless");
    }
    if java.current().is_none() {
        packages.extend(["openjdk-25-jdk-headless", "openjdk-21-jdk-headless"]);
    }
    packages
}
