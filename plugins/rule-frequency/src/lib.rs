//! `frequency`: many events of one key within a timeframe.
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

mod who; // counts first, documents of few keys then

use who::Who;

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
    /// Remove it: the alert's texts decide which documents are fetched.
    #[serde(default)]
    #[schemars(extend("deprecated" = true))]
    attach_related: bool,
    /// What is fetched: every document with its key, or counts of each key and documents only of keys that could match.
    #[serde(default)]
    fetch: Fetch,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Fetch {
    #[default]
    Hits,
    WhoThenWhen,
}

/// Of the two parts, one is used.
#[derive(Default, Serialize, Deserialize)]
pub struct Counted {
    /// A window that has fired is dropped, so each holds fewer than `num_events` events.
    windows: KeyMap<EventWindow>,
    who: Who,
}

#[watchbell_sdk::rule(
    state_version = 2,
    name = "frequency",
    summary = "Fires when events of a key come often within a timeframe"
)]
impl Rule for Frequency {
    type State = Counted;

    fn plan(&self, _key: &[String]) -> Result<Plan, Vec<Fault>> {
        if self.timeframe.is_zero() {
            return Err(Fault::new("/timeframe", "must be longer than nothing").into());
        }
        match self.fetch {
            Fetch::Hits => Ok(Plan::rows(self.timeframe)),
            Fetch::WhoThenWhen if !self.timeframe.millis().is_multiple_of(1_000) => {
                let message = "must be whole seconds where keys are counted by cells: or leave `fetch` out";
                Err(Fault::new("/timeframe", message).into())
            }
            // Cells must lie on either side of what is settled.
            Fetch::WhoThenWhen => Ok(Plan::checks(self.timeframe, self.grid())),
        }
    }

    fn ask_round(&self, round: usize, over: Range, key: &[String], counted: &mut Counted) -> Vec<Question> {
        match self.fetch {
            Fetch::Hits if round == 0 => vec![Question::hits(over)],
            Fetch::Hits => vec![],
            Fetch::WhoThenWhen => counted.who.ask(self, round, over, key),
        }
    }

    fn is_scouted(&self, round: usize) -> bool {
        self.fetch == Fetch::WhoThenWhen && round == 0
    }

    fn scout(&self, row: &Row<'_>, counted: &mut Counted) {
        counted.who.scout(self, row);
    }

    fn row(&self, row: &Row<'_>, counted: &mut Counted, out: &mut Signals) {
        if self.fetch == Fetch::WhoThenWhen {
            return counted.who.row(self, row, out);
        }
        let window = counted.windows.entry(row.key());
        window.push(row.time(), self.timeframe);
        if window.count() >= u64::from(self.num_events.get()) {
            out.push(self.signal(row, window));
            counted.windows.remove(row.key());
        }
    }

    /// Any row after `at` would push these events out of their window.
    fn settle(&self, at: Timestamp, counted: &mut Counted) {
        match self.fetch {
            Fetch::Hits => counted
                .windows
                .retain(|window| window.newest().is_some_and(|newest| at.since(newest) < self.timeframe)),
            Fetch::WhoThenWhen => counted.who.settle(self, at),
        }
    }
}

impl Frequency {
    fn grid(&self) -> Duration {
        Tally::grid(self.timeframe)
    }

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
