//! `plugin-name`: a burst of events with the same key.
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;
use watchbell_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// Fires when a key has at least `at_least` events `within` a duration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginName {
    /// The number of events.
    at_least: NonZeroU32,
    /// The duration.
    within: Duration,
}

#[watchbell_sdk::rule(
    name = "plugin-name",
    summary = "Fires on a burst of events with the same key"
)]
impl Rule for PluginName {
    /// A fold over the rows and nothing else: the host splits time into windows as it likes, and passes rows again
    /// when documents arrive late. Set `state_version = 2` in the attribute when its meaning changes.
    type State = KeyMap<EventWindow>;

    /// Checks the parameters, and returns how much of the past the first run must read.
    fn plan(&self, _context: &Context) -> Result<Plan, Vec<Fault>> {
        if self.within.is_zero() {
            return Err(Fault::new("/within", "must be longer than nothing").into());
        }
        Ok(Plan::rows(self.within))
    }

    /// Called for each row in order of time, once for each key that the row belongs to.
    fn row(&self, row: &Row<'_>, seen: &mut Self::State, out: &mut Signals) {
        let window = seen.entry(row.key());
        window.push(row.time(), self.within);
        let count = window.count();
        if count >= u64::from(self.at_least.get()) {
            out.push(
                Signal::firing(row.labels(), row.time())
                    .until(row.time() + self.within)
                    .value(count as f64)
                    .threshold(f64::from(self.at_least.get()))
                    .summary(format!("{count} events within {}", self.within))
                    .details(&json!({ "count": count })),
            );
        }
    }

    /// Drops from the state what rows after `at` no longer need.
    fn settle(&self, at: Timestamp, seen: &mut Self::State) {
        seen.retain(|_, window| {
            window
                .newest()
                .is_some_and(|newest| at - newest < self.within)
        });
    }
}
