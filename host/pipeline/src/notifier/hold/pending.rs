use crate::level;
use crate::reason::HoldReason;
use crate::record::Phase;

use super::{Hold, What};

/// `for:`: a level must hold this long, in window time, before anybody is told.
pub(super) struct Pending;

impl Hold for Pending {
    fn holds(&self, what: &What<'_>) -> Option<HoldReason> {
        let of = what.of().filter(|of| of.episode.phase == Phase::Pending)?;
        let until = of.episode.since + of.spec.alert.hold;
        // Where the hours of `active:` have not come either, it is they that hold it once `for` has passed.
        let is_alone = level::begins(of.spec, of.episode.since) == Some(until);
        (of.judged < until || is_alone).then_some(HoldReason::Pending { until })
    }
}
