//! ElastAlert2: what Watchbell is compared with.
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::python::{Package, passes};
use crate::stage::Stage;

/// The variable with its Python, for tests and benchmarks.
pub(crate) const VARIABLE: &str = "WATCHBELL_ELASTALERT_PYTHON";

/// The release that is compared with; it needs Python 3.12.
const PACKAGE: Package = Package {
    title: "ElastAlert2",
    version: "2.31.0",
    folder: "elastalert",
    requirements: &["elastalert2==2.31.0", "setuptools<81"],
    check: "import elastalert.elastalert, importlib.metadata as m, sys; sys.exit(m.version('elastalert2') != '2.31.0')",
};

/// Its Python, installed on first use.
pub(crate) fn python(cache: &Cache, stage: &mut Stage) -> Result<PathBuf> {
    PACKAGE.python(cache, stage, python312)
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
        .find(|python| passes(python, "import sys; sys.exit(sys.version_info[:2] != (3, 12))"))
        .context("no Python 3.12: install it as `python3.12`, or with pyenv")
}
