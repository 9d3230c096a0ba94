//! A stage: work with a name, a time budget and a log file.
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::clock;
use crate::process_group::ProcessGroup;
use crate::terminal::Progress;

pub(crate) struct Stage {
    name: String,
    budget: Duration,
    log: PathBuf,
    progress: Progress,
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) success: bool,
    /// Everything it wrote, or only its standard output where that was captured.
    pub(crate) output: String,
}

impl Stage {
    /// The budget runs from here, over all commands of the stage. The log starts empty.
    pub(crate) fn start(cache: &Cache, name: &str, budget: Duration) -> Result<Stage> {
        let log = cache.log(name);
        File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        Ok(Stage { name: name.into(), budget, log, progress: Progress::start(name) })
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.progress.elapsed()
    }

    /// What is left of the budget; an error if nothing is.
    pub(crate) fn left(&self) -> Result<Duration> {
        match self.budget.checked_sub(self.elapsed()) {
            Some(left) => Ok(left),
            None => bail!("{} exceeded its time budget of {}", self.name, clock::short(self.budget)),
        }
    }

    pub(crate) fn tick(&mut self, detail: impl FnOnce() -> String) {
        self.progress.tick(detail);
    }

    /// Prints a line of its own.
    pub(crate) fn say(&mut self, line: &str) {
        self.progress.clear();
        println!("{line}");
        let _ = std::io::stdout().flush();
    }

    /// Runs a command to its end, its output in the log. An error: it could not start, or the budget was exceeded.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<Ended> {
        let from = self.head(command)?;
        command.stdout(self.append()?);
        let success = self.wait(command, None)?;
        Ok(Ended { success, output: read_from(&self.log, from)? })
    }

    /// The same, with standard output kept apart from the log and returned.
    pub(crate) fn capture(&mut self, command: &mut Command) -> Result<Ended> {
        self.head(command)?;
        let path = self.log.with_extension("out");
        command.stdout(File::create(&path).with_context(|| format!("cannot write {}", path.display()))?);
        let success = self.wait(command, None)?;
        Ok(Ended { success, output: read_from(&path, 0)? })
    }

    /// The same for a command that may hang: after `limit` it is killed and counts as failed.
    pub(crate) fn attempt(&mut self, command: &mut Command, limit: Duration) -> Result<bool> {
        self.head(command)?;
        command.stdout(self.append()?);
        self.wait(command, Some(limit))
    }

    fn wait(&mut self, command: &mut Command, limit: Option<Duration>) -> Result<bool> {
        command.stdin(Stdio::null()).stderr(self.append()?);
        let mut group = ProcessGroup::start(command, None)?;
        let started = clock::now();
        loop {
            if let Some(status) = group.ended()? {
                return Ok(status.success());
            }
            if limit.is_some_and(|limit| started.elapsed() > limit) {
                return Ok(false);
            }
            self.left()?;
            let log = &self.log;
            self.progress.tick(|| last_line(log));
            clock::pause();
        }
    }

    /// Notes the command in the log and returns where its output begins.
    fn head(&mut self, command: &Command) -> Result<u64> {
        let mut log = self.append()?;
        writeln!(log, "$ {}", shown(command))?;
        Ok(log.seek(SeekFrom::End(0))?)
    }

    fn append(&self) -> Result<File> {
        fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.log)
            .with_context(|| format!("cannot write {}", self.log.display()))
    }
}

/// The command as a shell would take it.
fn shown(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={:?}", name.to_string_lossy(), value.to_string_lossy()));
        }
    }
    words.push(command.get_program().to_string_lossy().into_owned());
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

fn read_from(path: &Path, from: u64) -> Result<String> {
    let mut bytes = Vec::new();
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.seek(SeekFrom::Start(from))?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last non-empty line: the progress of cargo, apt or a test.
fn last_line(path: &Path) -> String {
    let length = fs::metadata(path).map_or(0, |meta| meta.len());
    let tail = read_from(path, length.saturating_sub(2_000)).unwrap_or_default();
    let line = tail.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_ends_what_exceeds_its_budget() {
        let cache = Cache::open().unwrap();
        let name = format!("budget-test-{}", std::process::id());
        let mut stage = Stage::start(&cache, &name, Duration::from_millis(100)).unwrap();
        let error =
            stage.run(Command::new("sh").args(["-c", "echo begun; sleep 300"])).err().unwrap().to_string();
        assert_eq!(error, format!("{name} exceeded its time budget of 0.1 s"));
        assert!(stage.elapsed() < Duration::from_secs(60));
        fs::remove_file(stage.log()).unwrap();
    }

    #[test]
    fn an_attempt_that_hangs_is_no_error() {
        let cache = Cache::open().unwrap();
        let name = format!("attempt-test-{}", std::process::id());
        let mut stage = Stage::start(&cache, &name, Duration::from_secs(60)).unwrap();
        assert!(!stage.attempt(Command::new("sleep").arg("300"), Duration::from_millis(100)).unwrap());
        assert!(stage.attempt(&mut Command::new("true"), Duration::from_secs(30)).unwrap());
        fs::remove_file(stage.log()).unwrap();
    }
}
