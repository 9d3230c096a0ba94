//! A command and everything it starts: one process group, which ends with this program, however that ends.
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

pub(crate) struct ProcessGroup {
    child: Child,
    /// A shell that waits for the end of its input, which only this program has open, and then kills the group.
    /// It works for Ctrl-C and for SIGKILL alike, and needs no signal handler.
    watchdog: Child,
}

/// `$1` is the group, `$2` a folder that goes with it (or nothing).
const WATCHDOG: &str = r#"cat; kill -s KILL -- "-$1" 2>/dev/null; [ -z "$2" ] || rm -rf -- "$2""#;

impl ProcessGroup {
    /// Starts `command` in its own group. `scratch` is removed too if this program dies first.
    pub(crate) fn start(command: &mut Command, scratch: Option<&Path>) -> Result<ProcessGroup> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.process_group(0).spawn().with_context(|| format!("cannot start `{name}`"))?;
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog", &child.id().to_string()])
            .arg(scratch.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match watchdog {
            Ok(watchdog) => Ok(ProcessGroup { child, watchdog }),
            Err(error) => {
                kill(child.id());
                Err(error).context("cannot start `sh`")
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `None` while it runs.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot wait for a process")
    }

    /// Ends it with everything it started.
    pub(crate) fn stop(&mut self) {
        // Stop the watchdog first: later, the group's id may be reused.
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        kill(self.child.id());
        let _ = self.child.wait();
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.stop();
    }
}

fn kill(group: u32) {
    let _ = Command::new("sh")
        .args(["-c", r#"kill -s KILL -- "-$1" 2>/dev/null"#, "kill", &group.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// Whether any process of the group is left; a killed process takes a moment to end.
    fn is_alive(group: u32) -> bool {
        let probe = || {
            Command::new("sh")
                .args(["-c", "kill -s 0 -- \"-$1\" 2>/dev/null", "probe"])
                .arg(group.to_string())
                .status()
        };
        for _ in 0..100 {
            if !probe().is_ok_and(|status| status.success()) {
                return false;
            }
            clock::pause();
        }
        true
    }

    #[test]
    fn what_a_command_started_ends_with_it() {
        let mut group =
            ProcessGroup::start(Command::new("sh").args(["-c", "sleep 300 & sleep 300"]), None).unwrap();
        assert!(group.ended().unwrap().is_none());
        let id = group.id();
        group.stop();
        assert!(!is_alive(id));
    }

    #[test]
    fn the_watchdog_acts_when_its_owner_dies() {
        let scratch = std::env::temp_dir().join(format!("watchbell-watchdog-{}", std::process::id()));
        std::fs::create_dir_all(&scratch).unwrap();
        let mut group = ProcessGroup::start(Command::new("sleep").arg("300"), Some(&scratch)).unwrap();
        let id = group.id();
        // The kernel closes the pipe of a program that died; here the test does.
        drop(group.watchdog.stdin.take());
        let _ = group.watchdog.wait();
        let _ = group.child.wait();
        assert!(!is_alive(id));
        assert!(!scratch.exists());
    }
}
