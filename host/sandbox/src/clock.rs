//! Measures a module's own CPU time.
use std::time::Duration;

use crate::os;

/// The guest's own time: it runs while the guest computes and stops while the host works for it.
///
/// The guest moves between threads only while it waits in a host call, never while it computes. So the thread's CPU
/// time is the guest's.
pub(crate) struct GuestClock {
    budget: Duration,
    used: Duration,
    since: Option<Duration>,
}

impl GuestClock {
    pub(crate) fn new(budget: Duration) -> Self {
        Self { budget, used: Duration::ZERO, since: None }
    }

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
