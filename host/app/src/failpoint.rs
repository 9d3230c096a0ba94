//! Named points where a test kills the real process. In a release build every function here is empty.

/// The numbered steps between a row and a delivery, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A run has ended; none of it is committed.
    Evaluated = 1,
    /// A commit is about to be written.
    Writing = 2,
    /// It is written, but the engine does not know yet.
    Written = 3,
    /// The engine knows, but has not acted on it yet.
    Acknowledged = 4,
    /// A claim is committed, and the request is about to be sent.
    Sending = 5,
    /// The receiver has answered, but nobody knows yet.
    Sent = 6,
    /// The answer is known but not committed yet.
    Answered = 7,
}

/// Every step, for the test that walks them.
pub const STEPS: [Step; 7] = [
    Step::Evaluated,
    Step::Writing,
    Step::Written,
    Step::Acknowledged,
    Step::Sending,
    Step::Sent,
    Step::Answered,
];

/// Dies as by `kill -9` if `WATCHBELL_CRASH_AT` is this step's number, optionally followed by `:N` for the Nth time.
#[cfg(debug_assertions)]
pub(crate) fn reach(step: Step) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static PASSED: [AtomicU32; 8] = [const { AtomicU32::new(0) }; 8];

    let Ok(wanted) = std::env::var("WATCHBELL_CRASH_AT") else { return };
    let (number, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    let passed = PASSED[step as usize].fetch_add(1, Ordering::Relaxed) + 1;
    if number.parse() == Ok(step as u32) && nth.parse() == Ok(passed) {
        let _ = std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn reach(_: Step) {}
