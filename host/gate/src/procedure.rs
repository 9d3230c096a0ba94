//! What the shell drives: facts in, the next step out.
use watchbell_contract::Timestamp;

use crate::facts::Facts;
use crate::judge::Explained;
use crate::wait::{Gate, Progress, Step, Trouble};

/// The gate, a drain or a restart.
pub trait Procedure {
    /// The next step; the same until it is done.
    fn step(&mut self, now: Timestamp) -> Step;
    /// Takes the result of a look.
    fn look(&mut self, now: Timestamp, looked: Result<Facts, Trouble>);
    /// Takes the requested explanations.
    fn explained(&mut self, now: Timestamp, answers: &[Explained]);
    /// Takes the outcome of writing the settings.
    fn written(&mut self, now: Timestamp, written: Result<(), Trouble>);
    /// Notes that the caller was told.
    fn told(&mut self, now: Timestamp);
    /// Interrupts: what was written is undone first.
    fn interrupt(&mut self, now: Timestamp);
    fn progress(&self) -> &Progress;
}

impl Procedure for Gate {
    fn step(&mut self, now: Timestamp) -> Step {
        self.step(now)
    }

    fn look(&mut self, now: Timestamp, looked: Result<Facts, Trouble>) {
        self.look(now, looked);
    }

    fn explained(&mut self, now: Timestamp, answers: &[Explained]) {
        self.explained(now, answers);
    }

    fn written(&mut self, _: Timestamp, _: Result<(), Trouble>) {}

    fn told(&mut self, _: Timestamp) {}

    fn interrupt(&mut self, now: Timestamp) {
        self.interrupted(now);
    }

    fn progress(&self) -> &Progress {
        self.progress()
    }
}
