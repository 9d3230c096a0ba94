//! Everything in folders that needs the real program: each folder is a test with a name.
//!
//! `cargo test -p watchbell --test cases -- rules::` runs those of `tests/cases/rules`.
#[expect(dead_code, reason = "the tests of `it` use the rest")]
#[path = "../world.rs"]
mod world; // a cluster, a receiver, manifests, and hosts that come and go
mod rules; // rules and their tests, judged wrongly once
mod import; // what is imported is accepted by the real rules
mod gate; // the upgrade gate over recorded answers
mod upgrade; // stores that older versions wrote

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::world::repository;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if !arguments.list {
        upgrade::prepare();
    }
    let mut trials = rules::trials();
    trials.extend(import::trials());
    trials.extend(gate::trials());
    trials.extend(upgrade::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test called `name` that passes unless `test` panics.
fn trial<F: Future<Output = ()>>(name: String, test: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(test());
        Ok(())
    })
}

/// The folders in `tests/cases/AREA`, in order; there is at least one.
fn folders(area: &str) -> Vec<PathBuf> {
    let listed = fs::read_dir(repository().join("tests/cases").join(area)).expect("the folder of cases");
    let mut found: Vec<PathBuf> = listed.map(|entry| entry.expect("an entry").path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    assert!(!found.is_empty(), "tests/cases/{area} holds no case");
    found
}

fn name(path: &Path) -> String {
    path.file_stem().expect("a name").to_string_lossy().into_owned()
}
