//! The shipped plugins as components: the cases of each rule, which its own tests run natively, and the alerter's
//! golden messages, whose requests go through the host's own preparation to a receiver on loopback. Each case is a test
//! with a name; without built plugins all are ignored.
mod rules; // plugins/rule-*/tests/*.test.yaml, those of the examples, tests/cases/elastalert
mod alerter; // plugins/alerter-http/products/*/golden

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::{env, fs};

use libtest_mimic::{Arguments, Trial};
use watchbell_sandbox::{Config, Sandbox};

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(Config::default()).unwrap());

fn main() -> ExitCode {
    let mut trials = rules::trials();
    trials.extend(alerter::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test of the component called `plugin`; ignored where no plugins were built, which CI takes for a failure.
fn trial(plugin: &str, case: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    let is_built = component(plugin).is_some_and(|path| path.exists());
    assert!(is_built || env::var("CI").as_deref() != Ok("true"), "no {plugin}.wasm: run cargo xtask plugins");
    let test = move || {
        test();
        Ok(())
    };
    Trial::test(format!("{plugin}::{case}"), test).with_ignored_flag(!is_built)
}

fn component(plugin: &str) -> Option<PathBuf> {
    let folder = env::var_os("WATCHBELL_PLUGINS").map(PathBuf::from)?;
    Some(folder.join(format!("{plugin}.wasm")))
}

/// The bytes of a component that is built.
fn bytes(plugin: &str) -> Vec<u8> {
    fs::read(component(plugin).unwrap()).unwrap()
}

/// The folder of a plugin's sources.
fn sources(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(name)
}

/// The folders below `path`, by name.
fn folders(path: &Path) -> Vec<String> {
    let listed = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let folders = listed.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
