//! `frequency`: many events of one key within a timeframe.
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;
use watchbell_sdk::{KEYS_MAX, cell, cell_start};

mod firing; // what the keys that fire have had
mod prefilter; // counts first, documents of few keys then

use firing::{Count, Exactness, Firing};
use prefilter::Prefilter;

#[cfg(test)]
mod tests;

/// Fires when a key has at least `num_events` events within `timeframe`, then counts anew.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["count", "first", "last", "exact", "counted"]))]
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

/// Of `windows` and `prefilter`, one is used.
#[derive(Default, Serialize, Deserialize)]
pub struct Counted {
    /// A window that has fired is dropped, so each holds fewer than `num_events` events.
    windows: KeyMap<EventWindow, KEYS_MAX, WINDOWS_BYTES_MAX>,
    prefilter: Prefilter,
    firing: Firing,
}

/// What a map holds by default, less what the keys that fire take.
const WINDOWS_BYTES_MAX: usize = 30 << 20;
/// Cells in which the events of a key that fires are counted.
const CELLS_MAX: u64 = 60;

#[watchbell_sdk::rule(
    state_version = 3,
    name = "frequency",
    summary = "Fires when events of a key come often within a timeframe"
)]
impl Rule for Frequency {
    type State = Counted;

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        if self.timeframe.is_zero() {
            return Err(Fault::new("/timeframe", "must be longer than zero").into());
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

    /// Windows of hits may end anywhere. What counts on is looked at on the grid.
    fn check_every(&self, _plan: &Plan) -> Option<Duration> {
        Some(self.grid())
    }

    fn ask_round(
        &self,
        round: usize,
        over: Range,
        context: &Context,
        counted: &mut Counted,
    ) -> Vec<Question> {
        match self.fetch {
            Fetch::Hits if round == 0 => vec![Question::hits(over)],
            Fetch::Hits => vec![],
            Fetch::WhoThenWhen => counted.prefilter.ask(self, round, over, &context.key),
        }
    }

    fn is_scouted(&self, round: usize) -> bool {
        self.fetch == Fetch::WhoThenWhen && round == 0
    }

    fn scout(&self, row: &Row<'_>, counted: &mut Counted) {
        counted.prefilter.scout(self, row, &counted.firing);
    }

    fn row(&self, row: &Row<'_>, counted: &mut Counted, out: &mut Signals) {
        if self.fetch == Fetch::WhoThenWhen {
            return counted.prefilter.row(self, row, &mut counted.firing, out);
        }
        let window = counted.windows.entry(row.key());
        window.push(row.time(), self.timeframe);
        if window.count() >= u64::from(self.num_events.get()) {
            let count = counted.firing.matched(self, row, window);
            out.push(self.matched(row, count));
            counted.windows.remove(row.key());
        } else if !counted.firing.is_empty() {
            counted.firing.see(self, row.key(), row.time());
        }
    }

    fn check(&self, at: Timestamp, counted: &mut Counted, out: &mut Signals) {
        if counted.firing.is_empty() {
            return;
        }
        let Counted { prefilter, firing, .. } = counted;
        match self.fetch {
            Fetch::Hits => firing.check(self, at, |_| 0, out),
            Fetch::WhoThenWhen => firing.check(self, at, |key| prefilter.unseen(self, key, at), out),
        }
    }

    /// Any row after `at` would push these events out of their window.
    fn settle(&self, at: Timestamp, counted: &mut Counted) {
        match self.fetch {
            Fetch::Hits => counted
                .windows
                .retain(|_, window| window.newest().is_some_and(|newest| at.since(newest) < self.timeframe)),
            Fetch::WhoThenWhen => counted.prefilter.settle(self, at),
        }
    }
}

impl Frequency {
    /// Whole cells make a timeframe. Where it is whole seconds, both ways to fetch have the same.
    fn grid(&self) -> Duration {
        let millis = self.timeframe.millis();
        if !self.timeframe.is_whole_seconds() {
            let cells = (2..=CELLS_MAX.min(millis / 1_000)).rev().find(|cells| millis.is_multiple_of(*cells));
            return Duration(millis / cells.unwrap_or(1));
        }
        let (grid, secs) = (Tally::grid(self.timeframe), millis / 1_000);
        match millis / grid.millis() > CELLS_MAX {
            true => (2..=CELLS_MAX).rev().find(|cells| secs.is_multiple_of(*cells)),
            false => None,
        }
        .map_or(grid, |cells| Duration::from_secs(secs / cells))
    }

    fn cells(&self) -> usize {
        usize::try_from(self.timeframe.millis() / self.grid().millis()).unwrap_or(1)
    }

    fn cell(&self, at: Timestamp) -> i64 {
        cell(at, self.grid())
    }

    fn cell_start(&self, cell: i64) -> Timestamp {
        cell_start(cell, self.grid())
    }

    fn knows_instants(&self) -> bool {
        self.fetch == Fetch::Hits
    }

    fn matched(&self, row: &Row<'_>, count: Count) -> Signal {
        self.level(row.labels(), row.time() + self.timeframe, count)
    }

    fn level(&self, labels: Labels, until: Timestamp, counted: Count) -> Signal {
        let Count { at, count, first, last, exactness } = counted;
        let mut details = json!({ "count": count, "first": first.to_string(), "last": last.to_string() });
        let at_least = match exactness {
            Exactness::Exact => "",
            Exactness::AtLeast | Exactness::SinceMatch => "at least ",
        };
        if exactness != Exactness::Exact {
            details["exact"] = json!(false);
        }
        if exactness == Exactness::SinceMatch {
            details["counted"] = json!("since the match before");
        }
        let newest = if self.attach_related { u32::try_from(count).unwrap_or(u32::MAX) } else { 0 };
        Signal::firing(labels, at)
            .until(until)
            .value(count as f64)
            .threshold(f64::from(self.num_events.get()))
            .summary(format!("{at_least}{count} events within {}", self.timeframe))
            .details(&details)
            .evidence(Evidence::over(Range::new(first, last + Duration(1))).newest(newest))
    }
}
