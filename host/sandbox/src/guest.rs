//! What the host keeps for one run of a module.
use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::bytes::{Size, shortened};
use crate::capabilities::http::Capability;
use crate::contract::v0_1::bindings::{log, types};
use crate::fault::{LogLine, Logs};
use crate::limits::{CORE_INSTANCES_MAX, LOG_BYTES_MAX, Limits, TABLE_ELEMENTS_MAX};
use crate::os;

/// The data of a store.
pub(crate) struct Guest {
    pub(crate) clock: GuestClock,
    pub(crate) memory: Memory,
    pub(crate) logs: LogBook,
    pub(crate) output_bytes_max: usize,
    /// An alerter's destination; rules have none.
    pub(crate) http: Option<Capability>,
}

impl Guest {
    pub(crate) fn new(limits: &Limits, http: Option<Capability>) -> Self {
        Self {
            clock: GuestClock { budget: limits.time_max, used: Duration::ZERO, since: None },
            memory: Memory { bytes: 0, bytes_max: limits.memory_bytes_max },
            logs: LogBook::new(limits),
            output_bytes_max: limits.output_bytes_max,
            http,
        }
    }
}

/// The guest's own time: it runs while the guest computes and stands while the host works for it.
///
/// The guest is never moved between threads while it computes, only while it waits in a host call, so that the
/// thread's computing time is the guest's.
pub(crate) struct GuestClock {
    budget: Duration,
    used: Duration,
    since: Option<Duration>,
}

impl GuestClock {
    pub(crate) fn resume(&mut self) {
        self.since = Some(os::thread_time());
    }

    pub(crate) fn pause(&mut self) {
        self.used = self.used();
        self.since = None;
    }

    pub(crate) fn used(&self) -> Duration {
        match self.since {
            Some(since) => self.used + os::thread_time().saturating_sub(since),
            None => self.used,
        }
    }

    pub(crate) fn left(&self) -> Duration {
        self.budget.saturating_sub(self.used())
    }

    pub(crate) fn budget(&self) -> Duration {
        self.budget
    }
}

/// Refuses memory beyond the limit by ending the call, so that the message names the limit: a guest that is merely
/// told "no" aborts without one.
pub(crate) struct Memory {
    pub(crate) bytes: usize,
    bytes_max: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("the memory limit of {} is reached", Size(*limit))]
pub(crate) struct MemoryRefused {
    pub(crate) limit: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("the module's table would have {wanted} entries, more than the {TABLE_ELEMENTS_MAX} allowed")]
pub(crate) struct TableRefused {
    pub(crate) wanted: usize,
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let memory = &mut self.memory;
        let bytes = memory.bytes.saturating_add(desired.saturating_sub(current));
        if bytes > memory.bytes_max {
            return Err(MemoryRefused { limit: memory.bytes_max }.into());
        }
        memory.bytes = bytes;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS_MAX {
            return Err(TableRefused { wanted: desired }.into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn memories(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        CORE_INSTANCES_MAX
    }
}

/// The lines a guest has written.
pub(crate) struct LogBook {
    logs: Logs,
    lines_max: usize,
    line_bytes_max: usize,
    /// What further lines may still take, all together.
    bytes_left: usize,
    /// The last error line, kept even when the log is full: a panic's text arrives as one.
    last_error: Option<String>,
}

impl LogBook {
    fn new(limits: &Limits) -> Self {
        Self {
            logs: Logs::default(),
            lines_max: limits.log_lines_max,
            line_bytes_max: limits.log_line_bytes_max,
            bytes_left: LOG_BYTES_MAX,
            last_error: None,
        }
    }

    pub(crate) fn write(&mut self, level: u8, message: String) {
        // A copy where it is too long: a string that is merely cut keeps all the memory it came with.
        let message = match message.len() > self.line_bytes_max {
            true => shortened(&message, self.line_bytes_max),
            false => message,
        };
        if level == 0 {
            self.last_error = Some(message.clone());
        }
        if self.logs.lines.len() < self.lines_max && message.len() <= self.bytes_left {
            self.bytes_left -= message.len();
            self.logs.lines.push(LogLine { level: level.min(4), message });
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

impl types::Host for Guest {}

impl log::Host for Guest {
    /// The guest's clock goes on: a flood of lines costs the guest, not the host.
    fn write(&mut self, level: u8, message: String) {
        self.logs.write(level, message);
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
            book.write(if message == "panicked" { 0 } else { 9 }, message.into());
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
            book.write(0, "x".repeat(8 << 20));
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
            book.write(2, "x".repeat(1 << 20));
        }
        book.write(2, "the last of them".into());
        let logs = book.take();
        let kept: usize = logs.lines.iter().map(|line| line.message.len()).sum();
        assert!(kept <= LOG_BYTES_MAX, "{kept}");
        assert_eq!((logs.lines.len(), logs.dropped), (8, 3));
    }
}
