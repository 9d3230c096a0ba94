//! Progress: a moving line on a terminal, plain lines elsewhere, colour on terminals only.
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::clock;

/// Nothing is shown for work that ends before this.
const QUIET: Duration = Duration::from_secs(2);
/// How often progress is printed without a terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(30);

/// Of a line of progress, in characters.
const LINE_MAX: usize = 99;

/// The line of one piece of work.
pub(crate) struct Progress {
    name: String,
    started: Instant,
    shown: Option<Instant>,
    moving: bool,
}

impl Progress {
    pub(crate) fn start(name: &str) -> Progress {
        let moving = std::io::stderr().is_terminal();
        Progress { name: name.into(), started: clock::now(), shown: None, moving }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Call it often: it decides what to show, and only then calls `detail`.
    pub(crate) fn tick(&mut self, detail: impl FnOnce() -> String) {
        let every = if self.moving { Duration::from_millis(500) } else { PLAIN_EVERY };
        if self.elapsed() < QUIET || self.shown.is_some_and(|shown| shown.elapsed() < every) {
            return;
        }
        self.shown = Some(clock::now());
        let seconds = self.elapsed().as_secs();
        // What is going on may be a command line of several kilobytes.
        let line: String =
            format!("  {:<10} {seconds:>4} s  {}", self.name, detail()).chars().take(LINE_MAX).collect();
        let mut err = std::io::stderr().lock();
        let _ = if self.moving {
            write!(err, "\r\x1b[K{line}").and_then(|()| err.flush())
        } else {
            writeln!(err, "{line}")
        };
    }

    /// Clears the moving line.
    pub(crate) fn clear(&mut self) {
        if self.moving && self.shown.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

pub(crate) fn green(text: &str) -> String {
    paint("32", text)
}

pub(crate) fn red(text: &str) -> String {
    paint("31", text)
}

pub(crate) fn yellow(text: &str) -> String {
    paint("33", text)
}

fn paint(code: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
