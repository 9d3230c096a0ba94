//! Calls of cargo: the same folders and variables in each, so that nothing is built twice.
use std::path::PathBuf;
use std::process::Command;

use crate::cache::{Cache, checkout};

/// A native cargo call. `WATCHBELL_PLUGINS` and `WATCHBELL_GUESTS` have one value for all of them: build scripts
/// run again where a variable they read has changed.
pub(crate) fn native(cache: &Cache) -> Command {
    let program = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = plain(program);
    command
        .env("CARGO_TARGET_DIR", cache.target())
        .env("WATCHBELL_PLUGINS", cache.plugins())
        .env("WATCHBELL_GUESTS", cache.guests());
    command
}

/// `program` in the checkout, without the variables that `cargo run` gave to this program: build scripts that read
/// `CARGO_PKG_NAME` and the like would otherwise run again, and half the workspace after them.
pub(crate) fn plain(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(checkout());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CFG_", "CARGO_FEATURE_"];
        if ours.iter().any(|start| text.starts_with(start)) || text == "CARGO" || text == "OUT_DIR" {
            command.env_remove(&name);
        }
    }
    command
}
