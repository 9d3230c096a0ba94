//! `log`: lines for the host's log. They are stored with the run, and writing them counts as the guest's own time.
use wasmtime::component::{HasSelf, Linker};

use crate::bytes::{Size, shortened};
use crate::contract::since_v0_2::bindings;
use crate::limits::{LOG_BYTES_MAX, Limits};

/// What a run may write, by default.
pub(super) fn limits() -> String {
    let Limits { log_lines_max, log_line_bytes_max, .. } = Limits::default();
    format!(
        "{log_lines_max} lines of {} per run, {} in total; longer lines are truncated, further lines are counted and dropped",
        Size(log_line_bytes_max),
        Size(LOG_BYTES_MAX)
    )
}

/// Gives each version of the interface to the modules of `linker`.
pub(crate) fn link<T: 'static>(
    linker: &mut Linker<T>,
    book: fn(&mut T) -> &mut LogBook,
) -> wasmtime::Result<()> {
    bindings::log::add_to_linker::<T, HasSelf<LogBook>>(linker, book)
}

impl bindings::log::Host for LogBook {
    /// The guest's clock keeps running: a flood of lines costs the guest, not the host.
    fn write(&mut self, level: bindings::log::Level, message: String) {
        self.add(level as u8, message);
    }
}

/// The lines a module wrote, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Logs {
    pub(crate) lines: Vec<LogLine>,
    /// Lines beyond the limit.
    pub(crate) dropped: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// 0 error, 1 warn, 2 info, 3 debug, 4 trace.
    pub level: u8,
    pub message: String,
}

/// The lines a guest has written.
pub(crate) struct LogBook {
    logs: Logs,
    lines_max: usize,
    line_bytes_max: usize,
    /// The bytes left for further lines.
    bytes_left: usize,
    /// The last error line, kept even if the log is full: a panic's message arrives as one.
    last_error: Option<String>,
}

impl LogBook {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            logs: Logs::default(),
            lines_max: limits.log_lines_max,
            line_bytes_max: limits.log_line_bytes_max,
            bytes_left: LOG_BYTES_MAX,
            last_error: None,
        }
    }

    pub(crate) fn add(&mut self, level: u8, message: String) {
        // A copy if it is too long: a truncated string would keep all of its memory.
        let message = match message.len() > self.line_bytes_max {
            true => shortened(&message, self.line_bytes_max),
            false => message,
        };
        if level == 0 {
            self.last_error = Some(message.clone());
        }
        if self.logs.lines.len() < self.lines_max && message.len() <= self.bytes_left {
            self.bytes_left -= message.len();
            self.logs.lines.push(LogLine { level, message });
        } else {
            self.logs.dropped += 1;
        }
    }

    pub(crate) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    pub(crate) fn take(&mut self) -> Logs {
        std::mem::take(&mut self.logs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_its_first_lines_and_counts_the_rest() {
        let limits = Limits { log_lines_max: 2, log_line_bytes_max: 5, ..Limits::default() };
        let mut book = LogBook::new(&limits);
        for message in ["one", "täääx", "three", "panicked"] {
            book.add(if message == "panicked" { 0 } else { 4 }, message.into());
        }
        assert_eq!(book.last_error(), Some("panic…"));
        let logs = book.take();
        assert_eq!(logs.dropped, 2);
        assert_eq!(logs.lines[1], LogLine { level: 4, message: "tää…".into() });
    }

    #[test]
    fn a_cut_line_keeps_no_memory_of_what_was_cut() {
        let mut book = LogBook::new(&Limits::default());
        for _ in 0..10 {
            book.add(0, "x".repeat(8 << 20));
        }
        let kept: usize = book.take().lines.iter().map(|line| line.message.capacity()).sum();
        let last = book.last_error.map_or(0, |line| line.capacity());
        assert!(kept + last < 11 * (5 << 10), "{kept} and {last}");
    }

    #[test]
    fn all_lines_together_have_a_limit_whatever_a_line_may_have() {
        let limits = Limits { log_line_bytes_max: usize::MAX, ..Limits::default() };
        let mut book = LogBook::new(&limits);
        for _ in 0..10 {
            book.add(2, "x".repeat(1 << 20));
        }
        book.add(2, "the last of them".into());
        let logs = book.take();
        let kept: usize = logs.lines.iter().map(|line| line.message.len()).sum();
        assert!(kept <= LOG_BYTES_MAX, "{kept}");
        assert_eq!((logs.lines.len(), logs.dropped), (8, 3));
    }
}
