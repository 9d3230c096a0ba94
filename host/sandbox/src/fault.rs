//! Why a run failed, for operators: each limit is named together with the manifest key that raises it.
use std::fmt;
use std::time::Duration;

use watchbell_contract::Problem;

use crate::bytes::Size;
use crate::capabilities::log::LogLine;
use crate::limits::STACK_BYTES_MAX;

/// A failed run or delivery, with the module's log lines.
#[derive(Debug)]
pub struct RunError {
    pub fault: GuestFault,
    pub logs: Vec<LogLine>,
    /// Lines beyond the limit.
    pub logs_dropped: u64,
    /// The module's own time, up to the fault.
    pub guest_time: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuestFault {
    #[error("the module trapped: {message}{}", Frames(frames))]
    Trap {
        message: String,
        /// Innermost first, as `function at file:line` if the module has names.
        frames: Vec<String>,
    },
    #[error("the module panicked{}: {message}", At(location))]
    Panic { message: String, location: Option<String> },
    #[error(
        "the module exceeded its time limit (limits.time: {}); raise the limit, or give the rule less to do",
        watchbell_contract::Duration::from(*limit)
    )]
    OutOfTime { limit: Duration },
    #[error(
        "the module exceeded its memory limit (limits.memory: {}); raise the limit, or let the rule keep less",
        Size(*limit)
    )]
    OutOfMemory { limit: usize },
    #[error(
        "the module's call stack exceeded {}, which is fixed: does a function recurse without end?{}",
        Size(STACK_BYTES_MAX),
        Frames(frames)
    )]
    StackOverflow { frames: Vec<String> },
    #[error(
        "the module exceeded its output limit (limits.output: {}); raise the limit, or report fewer signals",
        Size(*limit)
    )]
    OutputTooLarge { limit: usize },
    #[error(
        "the module returned {count} signals, more than the {limit} allowed per run; let the rule report less, or use a smaller window"
    )]
    TooManySignals { count: usize, limit: usize },
    #[error(
        "the module asked {count} questions, more than the {limit} allowed per round; use a smaller window"
    )]
    TooManyQuestions { count: usize, limit: usize },
    #[error(
        "the module's state has {}, more than its limit (limits.state: {}); raise the limit, or let the rule keep less",
        Size(*bytes), Size(*limit)
    )]
    StateTooLarge { bytes: usize, limit: usize },
    #[error(
        "the answers to one round of questions have more than {}, and must be held to be sorted by time; use a smaller window, or raise limits.memory",
        Size(*limit)
    )]
    AnswersTooLarge { limit: usize },
    #[error("the module's table would have {wanted} entries, more than the {limit} allowed")]
    TableTooLarge { wanted: usize, limit: usize },
    #[error("the module returned a result that violates the contract: {0}")]
    BadOutput(String),
    #[error("{}", Reported(.0))]
    Problem(Problem),
    #[error("the host could not run the module: {0}")]
    Host(String),
}

impl RunError {
    /// Whether a smaller window may help: a limit on time, memory, output, signals, questions or state was exceeded.
    pub fn is_size(&self) -> bool {
        matches!(
            self.fault,
            GuestFault::OutOfTime { .. }
                | GuestFault::OutOfMemory { .. }
                | GuestFault::OutputTooLarge { .. }
                | GuestFault::TooManySignals { .. }
                | GuestFault::TooManyQuestions { .. }
                | GuestFault::StateTooLarge { .. }
                | GuestFault::AnswersTooLarge { .. }
        )
    }

    /// Whether the module cannot read the state it was given, so that it must be primed again.
    pub fn is_state(&self) -> bool {
        matches!(self.fault, GuestFault::Problem(Problem::State(_)))
    }

    /// Whether the same call may succeed later without any change.
    pub fn is_host(&self) -> bool {
        matches!(self.fault, GuestFault::Host(_))
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for RunError {}

struct At<'a>(&'a Option<String>);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(location) => write!(f, " at {location}"),
            None => Ok(()),
        }
    }
}

struct Frames<'a>(&'a [String]);

impl fmt::Display for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            frames => write!(f, " (in {})", frames.join(", from ")),
        }
    }
}

struct Reported<'a>(&'a Problem);

impl fmt::Display for Reported<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Problem::Rows(message) => write!(f, "the rule cannot use the answer: {message}"),
            Problem::State(message) => write!(f, "the rule cannot read its state: {message}"),
            Problem::Other(message) => write!(f, "the rule reports: {message}"),
        }
    }
}
