//! `cargo xtask mutations`: plants one fault after the other in the notifier. Its tests must notice each.
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::cache::{Cache, checkout};
use crate::cargo;
use crate::stage::Stage;
use crate::terminal::{green, red};

const LIST: &str = include_str!("../../host/pipeline/tests/mutations.json");

/// For one mutation: the crate and its tests are built anew.
const EACH_MAX: Duration = Duration::from_secs(10 * 60);

/// One fault: the first `find` in `file` becomes `put`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutation {
    /// What people would notice.
    fault: String,
    /// Below `host/pipeline/src/notifier`.
    file: String,
    find: String,
    put: String,
}

pub(crate) fn run(cache: &Cache, only: Option<usize>) -> Result<ExitCode> {
    let mutations: Vec<Mutation> = serde_json::from_str(LIST).context("mutations.json")?;
    let mut stage = Stage::start(cache, "mutations", EACH_MAX * u32::try_from(mutations.len() + 1)?)?;
    let tree = cache.root().join("mutations/tree");
    copy(&mut stage, &tree)?;
    if only.is_none() && !passes(cache, &mut stage, &tree)? {
        bail!("the tests fail without any fault (log: {})", stage.log().display());
    }
    let (mut caught, mut missed) = (0, 0);
    for (number, mutation) in mutations.iter().enumerate() {
        if only.is_some_and(|only| only != number + 1) {
            continue;
        }
        let path = tree.join("host/pipeline/src/notifier").join(&mutation.file);
        let sound = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        if !sound.contains(&mutation.find) {
            bail!("mutation {}: `{}` does not contain `{}`", number + 1, mutation.file, mutation.find);
        }
        fs::write(&path, sound.replacen(&mutation.find, &mutation.put, 1))?;
        let survives = passes(cache, &mut stage, &tree);
        fs::write(&path, sound)?;
        let mark = if survives? {
            missed += 1;
            red("missed")
        } else {
            caught += 1;
            green("caught")
        };
        stage.say(&format!("{mark} {}: {}", number + 1, mutation.fault));
    }
    println!("{caught} caught, {missed} missed");
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Copies what git tracks, as it is now: the faults are planted there.
fn copy(stage: &mut Stage, to: &Path) -> Result<()> {
    let mut git = cargo::plain("git");
    git.args(["ls-files", "-z"]);
    let listed = stage.run(&mut git)?;
    if !listed.success {
        bail!("`git ls-files` failed");
    }
    for name in listed.output.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (checkout().join(name), to.join(name));
        if !from.is_file() || is_same(&from, &to) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&from, &to).with_context(|| from.display().to_string())?;
    }
    Ok(())
}

/// A file that did not change keeps its time, and what was built of it.
fn is_same(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether the notifier's tests pass. One that cannot be built does not count as noticed.
fn passes(cache: &Cache, stage: &mut Stage, tree: &Path) -> Result<bool> {
    let test = |arguments: &[&str]| {
        let mut command = cargo::native(cache);
        command.current_dir(tree).env("CARGO_TARGET_DIR", cache.root().join("mutations/target"));
        command.args(["test", "-p", "watchbell-pipeline", "--test", "coordinator"]).args(arguments);
        command
    };
    if !stage.run(&mut test(&["--no-run"]))?.success {
        bail!("it cannot be built (log: {})", stage.log().display());
    }
    Ok(stage.run(&mut test(&[]))?.success)
}
