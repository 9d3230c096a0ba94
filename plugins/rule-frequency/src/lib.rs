//! `frequency`: many events of one key within a timeframe.
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;
use watchbell_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// Fires when a key has at least `num_events` events within `timeframe`, then counts anew.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Frequency {
    /// How many events it takes.
    num_events: NonZeroU32,
    /// Within how long. Two events exactly this far apart do not count together.
    timeframe: Duration,
    /// Fetch the newest of the counted documents (at most 10) for the alert's text.
    #[serde(default)]
    attach_related: bool,
}

#[watchbell_sdk::rule(
    name = "frequency",
    summary = "Fires when events of a key come often within a timeframe"
)]
impl Rule for Frequency {
    /// A window that has fired is dropped, so each holds fewer than `num_events` events.
    type State = KeyMap<EventWindow>;

    fn plan(&self, _key: &[String]) -> Result<Plan, Vec<Fault>> {
        if self.timeframe.is_zero() {
            return Err(Fault::new("/timeframe", "must be longer than nothing").into());
        }
        Ok(Plan::rows(self.timeframe))
    }

    fn row(&self, row: &Row<'_>, windows: &mut Self::State, out: &mut Signals) {
        let window = windows.entry(row.key());
        window.push(row.time(), self.timeframe);
        if window.count() >= u64::from(self.num_events.get()) {
            out.push(self.signal(row, window));
            windows.remove(row.key());
        }
    }

    /// Any row after `at` would push these events out of their window.
    fn settle(&self, at: Timestamp, windows: &mut Self::State) {
        windows.retain(|window| window.newest().is_some_and(|newest| at.since(newest) < self.timeframe));
    }
}

impl Frequency {
    fn signal(&self, row: &Row<'_>, window: &EventWindow) -> Signal {
        let count = window.count();
        let last = window.newest().unwrap_or(row.time());
        let first = window.oldest().unwrap_or(last);
        let newest = if self.attach_related { u32::try_from(count).unwrap_or(u32::MAX) } else { 0 };
        Signal::firing(row.labels(), last)
            .until(last + self.timeframe)
            .value(count as f64)
            .threshold(f64::from(self.num_events.get()))
            .summary(format!("{count} events within {}", self.timeframe))
            .details(&json!({ "count": count, "first": first.to_string(), "last": last.to_string() }))
            .evidence(Evidence::over(Range::new(first, last + Duration(1))).newest(newest))
    }
}
