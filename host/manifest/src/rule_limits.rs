//! Limits that a manifest or an environment sets.
use watchbell_contract::Duration;

/// Limits on a rule's module, runs and episodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleLimits {
    pub memory_bytes: Option<u64>,
    pub state_bytes: Option<u64>,
    pub output_bytes: Option<u64>,
    /// The module's own CPU time in one call.
    pub time: Option<Duration>,
    /// Wall-clock time of a whole run, queries included.
    pub deadline: Option<Duration>,
    /// Open episodes.
    pub episodes: Option<usize>,
}

impl RuleLimits {
    /// The limits of `self`, and those of `under` where `self` has none.
    pub fn over(self, under: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.or(under.memory_bytes),
            state_bytes: self.state_bytes.or(under.state_bytes),
            output_bytes: self.output_bytes.or(under.output_bytes),
            time: self.time.or(under.time),
            deadline: self.deadline.or(under.deadline),
            episodes: self.episodes.or(under.episodes),
        }
    }
}
