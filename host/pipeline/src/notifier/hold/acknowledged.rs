use crate::reason::HoldReason;
use crate::record::Phase;

use super::{Hold, What};

/// A person is working on it: it is not repeated, and steps with `unless: acknowledged` do not fire. A rise in severity
/// ends the acknowledgement (`on_worse`).
pub(super) struct Acknowledged;

impl Hold for Acknowledged {
    fn holds(&self, what: &What<'_>) -> Option<HoldReason> {
        what.of().filter(|of| matches!(of.episode.phase, Phase::Acknowledged { .. }))?;
        let is_held = match what {
            What::Step(_, _, step) => step.unless_acknowledged,
            What::Repeat(_) => true,
            What::Opening(_) | What::Worse(_) | What::Event(..) => false,
        };
        is_held.then_some(HoldReason::Acknowledged)
    }
}
