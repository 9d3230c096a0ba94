use crate::reason::HoldReason;

use super::{Hold, What};

/// `when:` of a step: it waits for these hours.
pub(super) struct StepHours;

impl Hold for StepHours {
    fn holds(&self, what: &What<'_>) -> Option<HoldReason> {
        let What::Step(of, number, step) = what else { return None };
        let hours = step.when.as_ref().filter(|hours| !hours.holds(of.clock.now))?;
        Some(HoldReason::StepHours { step: *number as u32, until: hours.next_from(of.clock.now) })
    }
}
