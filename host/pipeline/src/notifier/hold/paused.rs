use crate::reason::HoldReason;

use super::{Hold, What};

/// A person has paused everything. Events and ends are decided all the same; the outbox keeps them until the pause is
/// over.
pub(super) struct Paused;

impl Hold for Paused {
    fn holds(&self, what: &What<'_>) -> Option<HoldReason> {
        if matches!(what, What::Event(..)) {
            return None;
        }
        let clock = what.clock();
        clock.standing.pause(clock.now).map(|pause| HoldReason::Paused { until: pause.until })
    }
}
