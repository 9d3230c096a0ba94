//! `flatline`: fewer events than there should be.
use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

mod cells; // counts of grid cells, packed
mod series; // what is known of a key
mod expected; // which keys must be there
#[cfg(test)]
mod tests;

use expected::Expected;
pub use series::Series;

/// Fires while a key has fewer than `threshold` events within the last `timeframe`.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["count", "last_before"]))]
#[serde(deny_unknown_fields)]
pub struct Flatline {
    /// How many events there must be.
    threshold: NonZeroU32,
    /// Within how long, in whole seconds. It is judged at every point of a grid that divides it: 5m every 30s, 10m to 2h
    /// every minute, 1d every 24m.
    timeframe: Duration,
    /// Forget a key once it was told: it is new when it comes again.
    #[serde(default)]
    forget_keys: bool,
    /// Values of the key that must be there even if they were never seen, as the field's type reads them; at most 1,000,
    /// and only with one key field.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    expected: Expected,
    /// Read each document, or have the cluster count them by key and grid cell; the verdict is the same.
    #[serde(default)]
    fetch: Fetch,
    /// Whether the manifest has key fields; `plan` is told, with which every run begins.
    #[serde(skip)]
    is_keyed: Cell<bool>,
    /// The only key field, where there is one.
    #[serde(skip)]
    key: RefCell<String>,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Fetch {
    #[default]
    Hits,
    Buckets,
}

#[derive(Default, Serialize, Deserialize)]
pub struct Watched {
    /// The first check: what lies a timeframe before was not read.
    began: Option<Timestamp>,
    keys: NamedMap<Series>,
}

const EXPECTED_MAX: usize = 1_000;
/// How much of the past is read at least, to know the keys there are.
const HISTORY_MIN: Duration = Duration::from_mins(60);

#[watchbell_sdk::rule(
    name = "flatline",
    summary = "Fires while events of a key come too seldom, or not at all"
)]
impl Rule for Flatline {
    type State = Watched;

    fn plan(&self, context: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = Vec::new();
        if !self.timeframe.is_whole_seconds() {
            faults.push(Fault::new("/timeframe", "must be one or more whole seconds"));
        }
        if self.expected.len() > EXPECTED_MAX {
            let message = format!("must be at most {EXPECTED_MAX} values, not {}", self.expected.len());
            faults.push(Fault::new("/expected", message));
        }
        if !self.expected.is_empty() && context.key.len() != 1 {
            let message = format!("needs one field in the manifest's `key:`, not {}", context.key.len());
            faults.push(Fault::new("/expected", message));
        }
        if self.forget_keys && context.key.is_empty() {
            faults.push(Fault::new("/forget_keys", "needs a `key:` in the manifest"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        self.is_keyed.set(!context.key.is_empty());
        self.key.replace(context.key.first().cloned().unwrap_or_default());
        Ok(Plan::checks(self.history(), self.timeframe.grid()))
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        vec![match self.fetch {
            Fetch::Hits => self.expected.ask(Question::hits(over), &self.key.borrow()),
            Fetch::Buckets => {
                let question = Question::buckets(over, Some(self.timeframe.grid()));
                if self.expected.is_empty() { question } else { question.field(self.key.borrow().as_str()) }
            }
        }]
    }

    fn row(&self, row: &Row<'_>, watched: &mut Self::State, _out: &mut Signals) {
        let count = match self.fetch {
            Fetch::Hits => 1,
            Fetch::Buckets => u32::try_from(row.integer("_count").unwrap_or(0)).unwrap_or(u32::MAX),
        };
        let cell = self.cell(row.time());
        let key = self.key.borrow();
        let kind = match self.fetch {
            Fetch::Hits if !self.expected.is_empty() => row.type_of(&key),
            _ => None,
        };
        let expected = self.expected.of(row, &key, kind);
        for &value in &expected {
            let make = || Series::new(named(value), cell);
            watched.keys.update(Key::of([Some(value)]), make, |series| series.add(cell, count));
        }
        if expected.is_empty() {
            watched.keys.update(
                row.key(),
                || Series::new(Name::of(row), cell),
                |series| series.add(cell, count),
            );
        }
    }

    fn check(&self, at: Timestamp, watched: &mut Self::State, out: &mut Signals) {
        let began = *watched.began.get_or_insert(at);
        self.meet_expected(&mut watched.keys);
        let beat_cells = (self.cells() / 2).max(1);
        let start = self.cell(at - self.timeframe);
        watched.keys.retain(|key, series| {
            series.forget_before(start, self.threshold.get());
            let count = series.count_since(start);
            let is_known = match series.is_expected {
                // Where nothing was ever seen, data may be about to come for the first time.
                true if !self.is_keyed.get() && series.newest_cell().is_none() => {
                    at.since(began) >= self.history() + self.timeframe
                }
                true => at.since(began) >= self.timeframe,
                false => series.first < start,
            };
            let was_low = series.is_low;
            series.is_low = is_known && count < u64::from(self.threshold.get());
            // A level that lasts is told again, each key at instants of its own, so that it holds, and is known to a
            // host that was not told at first.
            let place = self.cell(at).rem_euclid(beat_cells as i64) as u64;
            let is_beat = place == key.part_of(beat_cells);
            match (was_low, series.is_low) {
                (true, false) => out.push(self.clear(series, at)),
                (false, true) => out.push(self.firing(series, at, count)),
                (true, true) if is_beat => out.push(self.firing(series, at, count)),
                _ => {}
            }
            !(self.forget_keys && series.is_low && !series.is_expected)
        });
    }
}

fn named(value: &str) -> Name {
    Name::from(&Labels(vec![Some(value.to_owned())]))
}

impl Flatline {
    /// Without a key, what is silent at the first check is told then. Keys must first be met, and then be silent.
    fn history(&self) -> Duration {
        if self.is_keyed.get() { (self.timeframe * 3).max(HISTORY_MIN) } else { self.timeframe }
    }

    fn cells(&self) -> u64 {
        self.timeframe.millis() / self.timeframe.grid().millis()
    }

    fn cell(&self, at: Timestamp) -> i64 {
        watchbell_sdk::cell(at, self.timeframe.grid())
    }

    /// Makes sure of the keys that must be there: those that are named, and the only one where there are no key fields.
    fn meet_expected(&self, keys: &mut NamedMap<Series>) {
        if !self.is_keyed.get() {
            let make = || Series::unseen(Name::default());
            keys.update(Key::of([]), make, |series| series.is_expected = true);
        }
        for value in self.expected.iter() {
            let make = || Series::unseen(named(value));
            keys.update(Key::of([Some(value)]), make, |series| series.is_expected = true);
        }
    }

    fn firing(&self, series: &Series, at: Timestamp, count: u64) -> Signal {
        let summary = match count {
            0 => format!("no events within {}", self.timeframe),
            1 => format!("1 event within {}, fewer than {}", self.timeframe, self.threshold),
            count => format!("{count} events within {}, fewer than {}", self.timeframe, self.threshold),
        };
        let last =
            series.newest_cell().map(|cell| watchbell_sdk::cell_start(cell + 1, self.timeframe.grid()));
        Signal::firing(series.name.labels(), at)
            .until(at + self.timeframe)
            .value(count as f64)
            .threshold(f64::from(self.threshold.get()))
            .summary(summary)
            .details(&json!({ "count": count, "last_before": last.map(|last| last.to_string()) }))
            .evidence(Evidence::over(Range::new(at - self.timeframe, at)))
    }

    /// Without a count: once there are enough, no more are kept.
    fn clear(&self, series: &Series, at: Timestamp) -> Signal {
        Signal::clear(series.name.labels(), at)
            .threshold(f64::from(self.threshold.get()))
            .summary(format!("again {} or more within {}", self.threshold, self.timeframe))
    }
}
