use crate::level;
use crate::reason::HoldReason;
use crate::record::Phase;

use super::{Hold, What};

/// `active:`: nothing begins outside these hours; what is already open continues.
pub(super) struct Hours;

impl Hold for Hours {
    fn holds(&self, what: &What<'_>) -> Option<HoldReason> {
        if let What::Event(event) = what {
            let active = event.spec.active.as_ref().filter(|active| !active.holds(event.at))?;
            return Some(HoldReason::Inactive { until: active.next_from(event.at) });
        }
        let of = what.of().filter(|of| of.episode.phase == Phase::Pending)?;
        let until = level::begins(of.spec, of.episode.since);
        let held = of.episode.since + of.spec.alert.hold;
        (until != Some(held)).then_some(HoldReason::Inactive { until })
    }
}
