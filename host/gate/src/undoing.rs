//! Ends a procedure that wrote something: read the settings, undo what this program wrote, and check that it is gone.
use watchbell_contract::{Duration, Timestamp};

use crate::change::{Change, Leftover, Leftovers};
use crate::facts::Facts;
use crate::finding::{Code, Finding};
use crate::wait::{Outcome, Step, Trouble, Verdict};

/// Attempts; after that, the rest is left for a later call.
const ATTEMPTS_MAX: u32 = 5;

#[derive(Debug)]
pub(crate) struct Undoing {
    verdict: Verdict,
    what: What,
    poll: Duration,
    attempts: u32,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Nothing,
    Drain,
    Restart,
}

#[derive(Debug)]
enum Phase {
    Looking { next: Timestamp },
    Writing(Change),
    Done,
}

impl Undoing {
    pub(crate) fn none(verdict: Verdict) -> Self {
        Self { verdict, what: What::Nothing, poll: Duration::ZERO, attempts: 0, phase: Phase::Done }
    }

    pub(crate) fn of_drain(verdict: Verdict, now: Timestamp, poll: Duration) -> Self {
        Self { verdict, what: What::Drain, poll, attempts: 0, phase: Phase::Looking { next: now } }
    }

    pub(crate) fn of_restart(verdict: Verdict, now: Timestamp, poll: Duration) -> Self {
        Self { verdict, what: What::Restart, poll, attempts: 0, phase: Phase::Looking { next: now } }
    }

    /// Whether there was anything to undo.
    pub(crate) fn is_real(&self) -> bool {
        self.what != What::Nothing
    }

    pub(crate) fn step(&self) -> Step {
        match &self.phase {
            Phase::Looking { next } => Step::Look(*next),
            Phase::Writing(change) => Step::Write(change.clone()),
            Phase::Done => Step::Done(Box::new(self.verdict.clone())),
        }
    }

    pub(crate) fn look(&mut self, now: Timestamp, looked: Result<Facts, Trouble>) {
        let facts = match looked {
            Ok(facts) => facts,
            Err(trouble) => return self.again(now, &trouble),
        };
        let leftovers = Leftovers::of(&facts.settings);
        let ours = leftovers.iter().find(|one| match one {
            Leftover::Drain(_) => self.what == What::Drain,
            Leftover::Restart(_) => self.what == What::Restart,
            Leftover::Unreadable(..) => false,
        });
        self.phase = match ours {
            Some(leftover) => Phase::Writing(leftover.undo(&facts.settings).change),
            None => Phase::Done,
        };
    }

    pub(crate) fn written(&mut self, now: Timestamp, written: Result<(), Trouble>) {
        match written {
            // The next look checks that it is gone.
            Ok(()) => self.phase = Phase::Looking { next: now },
            Err(trouble) => self.again(now, &trouble),
        }
    }

    fn again(&mut self, now: Timestamp, trouble: &Trouble) {
        self.attempts += 1;
        self.phase = Phase::Looking { next: now + self.poll };
        if self.attempts >= ATTEMPTS_MAX {
            let what = format!("the changes could not be undone: {}", trouble.message);
            let help = "run `watchbell upgrade-gate --put-back` with the same cluster once it responds";
            self.verdict.findings.insert(0, Finding::unknown(Code::Leftover, what, help));
            // This needs attention, whatever else happened.
            self.verdict.outcome = Outcome::CouldNotTell;
            self.phase = Phase::Done;
        }
    }
}
