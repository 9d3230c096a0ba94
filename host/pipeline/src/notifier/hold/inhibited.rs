use crate::reason::HoldReason;

use super::{Hold, What};

/// An open episode mutes it, or may do so in a moment: a first message waits for a source that is judged a little later.
pub(super) struct Inhibited;

impl Hold for Inhibited {
    fn holds(&self, what: &What<'_>) -> Option<HoldReason> {
        let (clock, subject) = (what.clock(), what.subject());
        let own = what.of().map(|of| &of.episode.id);
        if let Some(source) = clock.standing.inhibitor(&subject, own) {
            return Some(HoldReason::Inhibited { by: source.clone() });
        }
        let of = what.of().filter(|of| of.episode.ordinal == 0)?;
        let until = of.episode.opened_at + clock.standing.wait(&subject)?;
        (clock.now < until).then_some(HoldReason::InhibitWait { until })
    }
}
