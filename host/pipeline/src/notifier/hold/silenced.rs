use crate::reason::HoldReason;

use super::{Hold, What};

/// A person has silenced what these conditions choose.
pub(super) struct Silenced;

impl Hold for Silenced {
    fn holds(&self, what: &What<'_>) -> Option<HoldReason> {
        let clock = what.clock();
        let silence = clock.standing.silence(&what.subject(), clock.now)?;
        Some(HoldReason::Silenced { silence: silence.id.clone(), until: silence.spec.until })
    }
}
