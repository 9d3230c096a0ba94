use crate::level;
use crate::reason::HoldReason;
use crate::record::Phase;

use super::{Hold, What};

/// `for:`: a level must hold this long, in window time, before anyone is notified.
pub(super) struct Pending;

impl Hold for Pending {
    fn holds(&self, what: &What<'_>) -> Option<HoldReason> {
        let of = what.of().filter(|of| of.episode.phase == Phase::Pending)?;
        let until = of.episode.since + of.spec.alert.hold;
        // Once `for` has passed, an episode still outside the `active:` hours is held by those.
        let is_alone = level::begins(of.spec, of.episode.since) == Some(until);
        (of.clock.judged < until || is_alone).then_some(HoldReason::Pending { until })
    }
}
