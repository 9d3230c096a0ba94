//! What the shell drives: facts in, the next step out.
use watchbell_contract::Timestamp;

use crate::facts::Facts;
use crate::judge::Explained;
use crate::wait::{Gate, Progress, Step, Trouble};

/// The gate, a drain or a restart.
pub trait Procedure {
    /// What to do next; the same again until it was done.
    fn step(&mut self, now: Timestamp) -> Step;
    /// Takes in what a look brought.
    fn look(&mut self, now: Timestamp, looked: Result<Facts, Trouble>);
    /// Takes in the explanations that were asked for.
    fn explained(&mut self, now: Timestamp, answers: &[Explained]);
    /// Takes in that the settings were written, or why not.
    fn written(&mut self, now: Timestamp, written: Result<(), Trouble>);
    /// Takes in that the caller was told.
    fn told(&mut self, now: Timestamp);
    /// Somebody wants it to end: what it wrote is undone first.
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
