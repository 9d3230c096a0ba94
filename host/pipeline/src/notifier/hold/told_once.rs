use crate::level;
use crate::reason::HoldReason;

use super::{Hold, What};

/// That a rule cannot run is told once, to those whom its first step reaches: nobody can end an outage by being told
/// again, for each rule.
pub(super) struct ToldOnce;

impl Hold for ToldOnce {
    fn holds(&self, what: &What<'_>) -> Option<HoldReason> {
        let (What::Step(of, ..) | What::Repeat(of)) = what else { return None };
        let is_told = level::is_cannot_run(&of.episode.labels) && of.episode.ordinal > 0;
        is_told.then_some(HoldReason::ToldOnce)
    }
}
