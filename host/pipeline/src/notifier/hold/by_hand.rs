use crate::reason::HoldReason;
use crate::record::Phase;

use super::{Hold, What};

/// A person resolved it: it stays quiet until its level has ended once.
pub(super) struct ByHand;

impl Hold for ByHand {
    fn holds(&self, what: &What<'_>) -> Option<HoldReason> {
        let of = what.of()?;
        matches!(of.episode.phase, Phase::ResolvedByHand { .. }).then_some(HoldReason::ResolvedByHand)
    }
}
