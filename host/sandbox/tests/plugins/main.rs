//! The shipped plugins as components: the cases of each rule, which its own tests run natively, and the alerter's
//! golden messages, whose requests go through the host's own preparation to a receiver on loopback.
mod rules; // plugins/rule-*/cases.json
mod alerter; // plugins/alerter-http/vendors/*/golden

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs};

use watchbell_sandbox::{Config, Sandbox};

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(Config::default()).unwrap());

/// The component called `name`; `None` if no plugins were built, which is a failure in CI.
fn plugin(name: &str, test: &str) -> Option<Vec<u8>> {
    let folder = env::var_os("WATCHBELL_PLUGINS").map(PathBuf::from);
    let bytes = folder.and_then(|folder| fs::read(folder.join(format!("{name}.wasm"))).ok());
    if bytes.is_none() {
        assert!(env::var("CI").as_deref() != Ok("true"), "no {name}.wasm: run cargo xtask plugins");
        // Bypasses the test's output capture, so that a skip is visible.
        let _ = writeln!(std::io::stderr(), "skipped: {test} (run cargo xtask plugins)");
    }
    bytes
}

/// The folder of a plugin's sources.
fn sources(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(name)
}
