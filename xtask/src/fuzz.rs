//! `cargo xtask fuzz`: throws inputs at every reader of foreign bytes, one target after the other.
mod tool; // cargo-fuzz and a nightly compiler
mod seeds; // what the fuzzer begins with
mod outcome; // what it printed, as figures
mod keep; // the small corpus of the repository

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::cache::{Cache, checkout};
use crate::cargo;
use crate::stage::Stage;
use crate::terminal::{green, red};
use outcome::Outcome;

/// As `TARGETS` of `fuzz/targets`: a test of that crate compares them with the binaries.
pub(crate) const TARGETS: [&str; 10] = [
    "manifest", "lucene", "hits", "buckets", "importer", "registry", "node", "discover", "texts", "searches",
];

/// The memory of a fuzzer with its corpus.
const MEMORY_MIB: u32 = 2_048;
/// The time for one input: thousands of times what one takes.
const INPUT_MAX: Duration = Duration::from_secs(10);
/// Bytes of one input; longer ones find no more and take longer.
const INPUT_BYTES_MAX: u32 = 16 << 10;
/// For building, and for a fuzzer to end after its time is up.
const AROUND: Duration = Duration::from_secs(30 * 60);

pub(crate) struct Options {
    /// Empty: all.
    pub(crate) targets: Vec<String>,
    /// For each target.
    pub(crate) minutes: u64,
    pub(crate) json: bool,
    /// Afterwards, minimise the corpus into the checkout.
    pub(crate) keep: bool,
}

/// The folders of one target.
struct Place {
    /// What fuzzing found new, in the cache.
    found: PathBuf,
    /// Inputs that broke a promise, in the cache.
    artifacts: PathBuf,
    /// Written anew from `tests/cases`.
    seeds: PathBuf,
    /// In the checkout.
    kept: PathBuf,
    regressions: PathBuf,
}

impl Place {
    fn of(cache: &Cache, target: &str) -> Result<Place> {
        let work = cache.root().join("fuzz");
        let own = checkout().join("fuzz");
        let place = Place {
            found: work.join("corpus").join(target),
            artifacts: work.join("artifacts").join(target),
            seeds: work.join("seeds").join(target),
            kept: own.join("corpus").join(target),
            regressions: own.join("regressions").join(target),
        };
        for folder in [&place.found, &place.artifacts, &place.seeds] {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        Ok(place)
    }

    /// Where inputs are read from; new ones go to the first.
    fn inputs(&self) -> impl Iterator<Item = &Path> {
        [&self.found, &self.kept, &self.seeds, &self.regressions]
            .into_iter()
            .map(PathBuf::as_path)
            .filter(|folder| folder.is_dir())
    }
}

pub(crate) fn run(cache: &Cache, options: &Options) -> Result<ExitCode> {
    let is_asked =
        |target: &&&str| options.targets.is_empty() || options.targets.iter().any(|asked| asked == **target);
    let targets: Vec<&str> = TARGETS.iter().filter(is_asked).copied().collect();
    let programs = build(cache, &targets)?;
    let mut outcomes = Vec::new();
    for target in targets {
        let place = Place::of(cache, target)?;
        seeds::write(target, &place.seeds)?;
        let program = programs.join(target);
        let outcome = fuzz(cache, target, &program, &place, Duration::from_secs(options.minutes * 60))?;
        if options.keep {
            keep::keep(cache, target, &program, &place)?;
        }
        if !options.json {
            let told = if outcome.crashes.is_empty() { green("ok") } else { red("failed") };
            println!("{told} {}", outcome.line());
            for crash in &outcome.crashes {
                println!("{} {}", red("failed on:"), crash.display());
            }
        }
        outcomes.push(outcome);
    }
    if options.json {
        println!("{}", json!({ "targets": outcomes.iter().map(Outcome::json).collect::<Vec<_>>() }));
    }
    let crashed = outcomes.iter().any(|outcome| !outcome.crashes.is_empty());
    if crashed && !options.json {
        println!(
            "mend the fault, and move the input to fuzz/regressions/TARGET: the tests run what lies there"
        );
    }
    Ok(if crashed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Returns the folder of the programs.
fn build(cache: &Cache, targets: &[&str]) -> Result<PathBuf> {
    let mut stage = Stage::start(cache, "fuzz-build", AROUND)?;
    let tool = tool::find_or_install(cache, &mut stage)?;
    let target = cache.root().join("fuzz/target");
    for name in targets {
        let mut command = cargo::plain(&tool);
        // No crate of ours has unsafe code: a memory checker would find nothing and cost half of the speed.
        command
            .args(["fuzz", "build", "--sanitizer", "none", name])
            .env("RUSTUP_TOOLCHAIN", tool::TOOLCHAIN)
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("RUSTC");
        let ended = stage.run(&mut command)?;
        if !ended.success {
            stage.say(&crate::test_report::excerpt(&ended.output));
            bail!("the target {name} could not be built (log: {})", stage.log().display());
        }
    }
    Ok(target.join(tool::host()?).join("release"))
}

fn fuzz(cache: &Cache, target: &str, program: &Path, place: &Place, time: Duration) -> Result<Outcome> {
    let mut stage = Stage::start(cache, &format!("fuzz-{target}"), time + AROUND)?;
    let before = artifacts(&place.artifacts)?;
    let mut command = cargo::plain(program);
    command
        .arg(format!("-max_total_time={}", time.as_secs()))
        .arg(format!("-artifact_prefix={}/", place.artifacts.display()))
        .arg("-print_final_stats=1")
        .args(limits());
    let dictionary = checkout().join(format!("fuzz/dictionaries/{target}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    command.args(place.inputs());
    let ended = stage.run(&mut command)?;
    let mut crashes = artifacts(&place.artifacts)?;
    crashes.retain(|crash| !before.contains(crash));
    if !ended.success && crashes.is_empty() {
        stage.say(&crate::test_report::excerpt(&ended.output));
        bail!(
            "the target {target} ended early without an input that explains it (log: {})",
            stage.log().display()
        );
    }
    Ok(Outcome::read(target, &ended.output, crashes))
}

fn limits() -> [String; 3] {
    [
        format!("-rss_limit_mb={MEMORY_MIB}"),
        format!("-timeout={}", INPUT_MAX.as_secs()),
        format!("-max_len={INPUT_BYTES_MAX}"),
    ]
}

fn artifacts(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        found.push(entry?.path());
    }
    found.sort();
    Ok(found)
}
