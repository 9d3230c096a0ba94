//! The one clock of the build commands: they measure and wait for real processes.
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "build commands measure real processes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Between two looks at a process that is running.
#[expect(clippy::disallowed_methods, reason = "build commands wait for real processes")]
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// `0.4 s`, `12 s`, `3 min 20 s`.
pub(crate) fn short(time: Duration) -> String {
    match time.as_secs() {
        0..=9 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..=119 => format!("{seconds} s"),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}
