use crate::reason::HoldReason;

use super::{Hold, What};

/// A maintenance window of the environment.
pub(super) struct UnderMaintenance;

impl Hold for UnderMaintenance {
    fn holds(&self, what: &What<'_>) -> Option<HoldReason> {
        let clock = what.clock();
        let (name, until) = clock.standing.maintenance(&what.subject(), clock.now)?;
        Some(HoldReason::Maintenance { name: name.to_owned(), until })
    }
}
