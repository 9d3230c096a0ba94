//! Child processes that take a while, and their progress.
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A running task.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// A short description: `building for wasm`.
    pub doing: &'a str,
    pub elapsed: Duration,
    /// The last line that the program wrote.
    pub line: &'a str,
}

/// Called about every second while a program runs, from the second second on; the last call has no line.
pub type ProgressReporter<'a> = dyn FnMut(Progress<'_>) + 'a;

#[derive(Debug, thiserror::Error)]
pub enum ProcessFault {
    #[error("`{program}` was not found: {remedy}")]
    Missing { program: String, remedy: &'static str },
    #[error("`{program}` could not be started")]
    Start { program: String, source: io::Error },
    #[error("{doing} failed (`{command}`):\n{said}")]
    Failed {
        doing: String,
        command: String,
        /// The last lines it wrote.
        said: String,
    },
}

/// Programs that finish sooner are not reported.
const QUIET: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_secs(1);
/// How many lines of a failure are shown.
const LINES_MAX: usize = 200;

/// Runs a program to its end and returns what it wrote to standard output.
///
/// # Errors
/// It is missing, or exited with a code other than 0.
pub(crate) fn run(
    command: &mut Command,
    doing: &str,
    progress: &mut ProgressReporter<'_>,
) -> Result<String, ProcessFault> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => {
            ProcessFault::Missing { remedy: remedy(&program), program: program.clone() }
        }
        _ => ProcessFault::Start { program: program.clone(), source },
    })?;
    let (lines, written) = channel();
    let readers = [
        child.stdout.take().map(|out| read(out, true, lines.clone())),
        child.stderr.take().map(|err| read(err, false, lines.clone())),
    ];
    drop(lines);
    let mut out = String::new();
    let mut last = VecDeque::new();
    let started = now();
    let mut told = QUIET - TICK;
    loop {
        match written.recv_timeout(TICK) {
            Ok((is_out, line)) => {
                if is_out {
                    out.push_str(&line);
                    out.push('\n');
                }
                last.push_back(line);
                if last.len() > LINES_MAX {
                    last.pop_front();
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let elapsed = started.elapsed();
        if elapsed >= told + TICK {
            told = elapsed;
            // Skip cargo's machine-readable messages.
            let tells = |line: &&str| !line.is_empty() && !line.starts_with("{\"reason\"");
            let line = last.iter().rev().map(|line| line.trim()).find(tells).unwrap_or_default();
            progress(Progress { doing, elapsed, line });
        }
    }
    for reader in readers.into_iter().flatten() {
        let _ = reader.join();
    }
    let status = child.wait().map_err(|source| ProcessFault::Start { program, source })?;
    if started.elapsed() >= QUIET {
        progress(Progress { doing, elapsed: started.elapsed(), line: "" });
    }
    if status.success() {
        return Ok(out);
    }
    last.retain(|line| !line.starts_with("{\"reason\""));
    Err(ProcessFault::Failed {
        doing: doing.to_owned(),
        command: shown(command),
        said: last.into_iter().collect::<Vec<_>>().join("\n"),
    })
}

/// The cargo of the user, without the variables that `cargo run` or `cargo test` gave to this program: build scripts
/// that read them would otherwise run again.
pub(crate) fn cargo(folder: &Path) -> Command {
    plain("cargo", folder)
}

pub(crate) fn plain(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CFG_", "CARGO_FEATURE_"];
        if ours.iter().any(|start| text.starts_with(start)) || text == "CARGO" || text == "OUT_DIR" {
            command.env_remove(&name);
        }
    }
    command
}

fn read(
    from: impl Read + Send + 'static,
    is_out: bool,
    to: Sender<(bool, String)>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if to.send((is_out, line)).is_err() {
                break;
            }
        }
    })
}

fn remedy(program: &str) -> &'static str {
    match program {
        "cargo" | "rustc" => "install Rust, see https://rustup.rs",
        "npm" | "node" => "install Node.js 20 or newer, which brings npm",
        "python3" | "python" => "install Python 3.11 or newer",
        _ => "install it",
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[expect(clippy::disallowed_methods, reason = "how long a compiler takes is for people alone")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Result<String, ProcessFault> {
        run(Command::new("sh").args(["-c", script]), "trying", &mut |_| {})
    }

    #[test]
    fn standard_output_is_kept_apart() {
        assert_eq!(sh("echo out; echo err >&2").unwrap(), "out\n");
    }

    #[test]
    fn a_failure_tells_the_last_lines() {
        let told = sh("seq 1 300; echo why >&2; exit 3").unwrap_err().to_string();
        assert!(
            told.starts_with("trying failed (`sh -c") && told.contains("why") && told.contains("\n300"),
            "{told}"
        );
        assert!(!told.contains("\n100\n"), "{told}");
    }

    #[test]
    fn a_missing_program_comes_with_a_remedy() {
        let fault = run(&mut Command::new("no-such-program"), "trying", &mut |_| {}).unwrap_err();
        assert_eq!(fault.to_string(), "`no-such-program` was not found: install it");
    }
}
