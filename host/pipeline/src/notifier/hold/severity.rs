use crate::reason::HoldReason;

use super::{Hold, What};

/// A step requires a severity that the episode has not reached.
pub(super) struct BelowSeverity;

impl Hold for BelowSeverity {
    fn holds(&self, what: &What<'_>) -> Option<HoldReason> {
        let What::Step(of, number, step) = what else { return None };
        let severity = step.severity.filter(|least| of.episode.severity < *least)?;
        Some(HoldReason::BelowSeverity { step: *number as u32, severity })
    }
}
