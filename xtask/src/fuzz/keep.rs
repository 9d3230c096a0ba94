//! The small corpus of the repository: a sample of the inputs that together cover what all that were found do.
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{AROUND, Place, artifacts, limits};
use crate::cache::Cache;
use crate::cargo;
use crate::stage::Stage;
use crate::test_report;

/// Of one target's inputs together: the repository is not the place of a large corpus.
const KEPT_BYTES_MAX: u64 = 32 << 10;
/// Of one target.
const KEPT_MAX: usize = 200;

/// Minimises every input of `target` into `fuzz/corpus`.
pub(super) fn keep(cache: &Cache, target: &str, program: &Path, place: &Place) -> Result<()> {
    let mut stage = Stage::start(cache, &format!("fuzz-{target}-keep"), AROUND)?;
    let least = place.found.with_extension("least");
    // Left behind where this was interrupted.
    let _ = fs::remove_dir_all(&least);
    fs::create_dir_all(&least).with_context(|| format!("cannot create {}", least.display()))?;
    let mut command = cargo::plain(program);
    command.arg("-merge=1").args(limits()).arg(&least).args(place.inputs());
    let ended = stage.run(&mut command)?;
    if !ended.success {
        stage.say(&test_report::excerpt(&ended.output));
        bail!("the corpus of {target} could not be minimised (log: {})", stage.log().display());
    }
    let mut inputs = Vec::new();
    for path in artifacts(&least)? {
        inputs.push((fs::metadata(&path)?.len(), path));
    }
    inputs.sort();
    // A new folder: what covers nothing of its own any more goes.
    let _ = fs::remove_dir_all(&place.kept);
    fs::create_dir_all(&place.kept).with_context(|| format!("cannot create {}", place.kept.display()))?;
    let mut bytes = 0;
    // Short and long ones; the shortest first.
    let step = inputs.len().div_ceil(KEPT_MAX).max(1);
    for (length, path) in inputs.into_iter().step_by(step) {
        bytes += length;
        if bytes > KEPT_BYTES_MAX {
            break;
        }
        let name = path.file_name().context("an input without a name")?;
        fs::copy(&path, place.kept.join(name)).with_context(|| format!("cannot copy {}", path.display()))?;
    }
    fs::remove_dir_all(&least).with_context(|| format!("cannot remove {}", least.display()))
}
