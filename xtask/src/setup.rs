//! Finds what the other commands need, installs what can be installed, and reports what it found.
use std::time::Duration;

use anyhow::Result;

use crate::cache::Cache;
use crate::java::Java;
use crate::stage::Stage;
use crate::terminal::yellow;
use crate::toolchain::{Toolchain, apt_install};

pub(crate) const BUDGET: Duration = Duration::from_secs(10 * 60);

/// What was found.
pub(crate) struct Tools {
    pub(crate) wasm: Toolchain,
    pub(crate) java: Java,
}

/// What tests of plugins call besides, each with Debian's package: JavaScript plugins, Python plugins (which install
/// what builds them into environments of their own), a registry, keys.
const PROGRAMS: [(&str, &str); 5] = [
    ("node", "nodejs"),
    ("npm", "npm"),
    ("python3", "python3-venv"),
    ("docker-registry", "docker-registry"),
    ("openssl", "openssl"),
];

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
        for (_, package) in PROGRAMS.iter().filter(|(program, _)| !on_path(program)) {
            apt_install(stage, &[package]);
        }
    }
    Ok(Tools { wasm, java })
}

/// A line for each tool.
pub(crate) fn report(tools: &Tools, cache: &Cache) -> String {
    let jdk = |jdk: Option<&crate::java::Jdk>| match jdk {
        Some(jdk) => format!("{} ({})", jdk.home.display(), jdk.major),
        None => yellow("none: tests on real servers that need it will be skipped"),
    };
    let maven = match &tools.java.maven {
        Some(maven) => maven.display().to_string(),
        None => yellow("none: tests on real servers will be skipped"),
    };
    let without: Vec<&str> =
        PROGRAMS.iter().map(|(program, _)| *program).filter(|program| !on_path(program)).collect();
    let programs = match without.as_slice() {
        [] => "node, npm, python3, docker-registry and openssl".to_owned(),
        some => yellow(&format!("no {}: plugin tests that need it will be skipped", some.join(", no "))),
    };
    format!(
        "  wasm       {}\n  jdk 17     {}\n  jdk ≥ 21   {}\n  maven      {maven}\n  plugins    {programs}\n  build in   {}",
        tools.wasm.describe(),
        jdk(tools.java.seventeen()),
        jdk(tools.java.current()),
        cache.root().display(),
    )
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
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
