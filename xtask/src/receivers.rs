//! Receivers that are not ours, to which tests deliver: Prometheus Alertmanager, Synapse (Matrix), and moto (SNS and SES).
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cache::Cache;
use crate::python::Package;
use crate::stage::Stage;
use crate::toolchain::apt_install;

/// The variables with their programs, for tests.
pub(crate) const VARIABLES: [&str; 3] =
    ["WATCHBELL_ALERTMANAGER", "WATCHBELL_MOTO_PYTHON", "WATCHBELL_SYNAPSE_PYTHON"];

/// Debian's package has its program there.
const ALERTMANAGER: (&str, &str) = ("prometheus-alertmanager", "/usr/bin/prometheus-alertmanager");

const MOTO: Package = Package {
    title: "moto",
    version: "5.2.5",
    folder: "moto",
    requirements: &["moto[server]==5.2.5", "boto3"],
    check: "import moto, moto.server, sys; sys.exit(moto.__version__ != '5.2.5')",
};

const SYNAPSE: Package = Package {
    title: "Synapse",
    version: "1.163.2",
    folder: "synapse",
    requirements: &["matrix-synapse==1.163.2"],
    check: "import synapse, sys; sys.exit(synapse.__version__ != '1.163.2')",
};

/// Each variable with its program, as far as it is there or can be installed. What is missing is a skip of its test.
pub(crate) fn prepare(cache: &Cache, stage: &mut Stage) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let (package, program) = ALERTMANAGER;
    if !Path::new(program).exists() {
        stage.say(&format!("  installing {package}"));
        apt_install(stage, &[package]);
    }
    if Path::new(program).exists() {
        found.push((VARIABLES[0], program.to_owned()));
    }
    for (variable, package) in VARIABLES[1..].iter().zip([&MOTO, &SYNAPSE]) {
        let python: Result<PathBuf> = package.python(cache, stage, || Ok("python3".into()));
        match python {
            Ok(python) => found.push((*variable, python.display().to_string())),
            Err(why) => stage.say(&format!("  {} is missing: {why:#}", package.title)),
        }
    }
    found
}
