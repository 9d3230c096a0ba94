//! `burn-rate`: an error budget that is spent too fast, over a long and a short window.
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// The columns of the first question.
const BAD: &str = "_bad";
const COUNT: &str = "_count";

/// The maximum number of values of `blame` that are counted for a key. Documents with others count as `OTHERS`.
const BLAMED_MAX: usize = 50;
const OTHERS: &str = "(others)";

/// Fires while a key spends its error budget at least `burn` times as fast as its objective allows, in both windows.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-watchbell-details" = ["long", "short", "bad", "total", "blamed"]))]
pub struct BurnRate {
    /// The percentage of events that must be good, for example 99.9.
    objective: f64,
    /// Which events are bad, in Lucene query-string syntax.
    bad: String,
    /// The rate of spending; 1 spends exactly the whole budget.
    burn: f64,
    /// The long window: the burn is significant.
    long: Duration,
    /// The short window: the burn continues.
    short: Duration,
    /// A field; the alert names its value with the most bad events.
    blame: Option<String>,
}

/// What is known of a key.
#[derive(Serialize, Deserialize, Aged)]
pub struct Budget {
    /// A check has no row that could name the key.
    name: Name,
    counts: Cells<Counts>,
    blamed: BTreeMap<String, Tally>,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize, Aged)]
#[aged(part)]
struct Counts {
    bad: u64,
    total: u64,
}

#[watchbell_sdk::rule(
    name = "burn-rate",
    summary = "Fires while an error budget is spent too fast, over a long and a short window"
)]
impl Rule for BurnRate {
    type State = NamedMap<Budget>;

    fn plan(&self, _context: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = Vec::new();
        if !(self.objective > 0.0 && self.objective < 100.0) {
            faults.push(Fault::new("/objective", "must be greater than 0 and less than 100"));
        }
        if !(self.burn > 0.0 && self.burn.is_finite()) {
            faults.push(Fault::new("/burn", "must be greater than 0"));
        }
        if !self.short.is_whole_seconds() {
            faults.push(Fault::new("/short", "must be one or more whole seconds"));
        } else if self.long <= self.short || !self.long.is_multiple_of(self.grid()) {
            let message = format!("must be longer than `short`, and a multiple of {}", self.grid());
            faults.push(Fault::new("/long", message));
        }
        if faults.is_empty() { Ok(Plan::checks(self.long, self.grid())) } else { Err(faults) }
    }

    /// Two questions, both for counts: the cluster does the work, and the rule gets a row per key and step of the grid.
    fn ask(&self, over: Range) -> Vec<Question> {
        let all = Question::buckets(over, Some(self.grid())).named_filter(BAD, &self.bad);
        let blamed = self
            .blame
            .as_ref()
            .map(|field| Question::buckets(over, Some(self.grid())).field(field).filter(&self.bad));
        [all].into_iter().chain(blamed).collect()
    }

    /// The rows of both questions come in order of time; `row.question()` says which of them a row answers.
    fn row(&self, row: &Row<'_>, keys: &mut Self::State, _out: &mut Signals) {
        let make = || Budget { name: Name::of(row), counts: Cells::default(), blamed: BTreeMap::new() };
        let budget = keys.entry_with(row.key(), make);
        let count = |column| u64::try_from(row.integer(column).unwrap_or_default()).unwrap_or_default();
        if row.question() == 0 {
            let counts = budget.counts.entry(row.time(), self.grid());
            counts.total += count(COUNT);
            counts.bad += count(BAD);
        } else if let Some(blamed) = self.blame.as_ref().and_then(|field| row.value(field)) {
            let mut blamed = watchbell_sdk::kept(blamed.to_string()).into_string();
            if budget.blamed.len() >= BLAMED_MAX && !budget.blamed.contains_key(&blamed) {
                blamed = OTHERS.into();
            }
            let events = u32::try_from(count(COUNT)).unwrap_or(u32::MAX);
            budget.blamed.entry(blamed).or_default().add_many(row.time(), events, self.grid());
        }
    }

    /// Called at each point of the grid. All buckets before it are complete.
    fn check(&self, at: Timestamp, keys: &mut Self::State, out: &mut Signals) {
        let (long, short) = (Range::new(at - self.long, at), Range::new(at - self.short, at));
        keys.retain(|_, budget| {
            budget.counts.forget_before(long.start, self.grid());
            budget.blamed.retain(|_, events| {
                events.forget_before(short.start, self.grid());
                !events.is_empty()
            });
            let (over_long, over_short) = (self.sum(budget, long), self.sum(budget, short));
            let (long_burn, short_burn) = (self.burn_of(over_long), self.burn_of(over_short));
            if long_burn >= self.burn && short_burn >= self.burn {
                // Without `until`, it holds to the next point of the grid.
                let signal = Signal::firing(budget.name.labels(), at)
                    .value(long_burn)
                    .threshold(self.burn)
                    .summary(format!(
                        "spends the error budget {long_burn:.1} times too fast over {}, and {short_burn:.1} times over {}",
                        self.long, self.short
                    ))
                    .details(&json!({
                        "long": long_burn, "short": short_burn, "bad": over_long.bad, "total": over_long.total,
                        "blamed": budget.blamed(short, self.grid()),
                    }))
                    .evidence(Evidence::over(short).filter(&self.bad).newest(5));
                out.push(signal);
            }
            !budget.counts.is_empty()
        });
    }
}

impl BurnRate {
    /// The interval between checks, and the length of a bucket.
    fn grid(&self) -> Duration {
        self.short.grid()
    }

    fn sum(&self, budget: &Budget, over: Range) -> Counts {
        budget.counts.over(over, self.grid()).fold(Counts::default(), |sum, counts| Counts {
            bad: sum.bad + counts.bad,
            total: sum.total + counts.total,
        })
    }

    /// How many times as fast as allowed the budget is spent; 0 without events.
    fn burn_of(&self, counts: Counts) -> f64 {
        if counts.total == 0 {
            return 0.0;
        }
        let burn = counts.bad as f64 * 100.0 / (counts.total as f64 * (100.0 - self.objective));
        // 100 - 99.99 is not exactly 0.01: a burn of exactly the limit must be one.
        (burn * 1e9).round() / 1e9
    }
}

impl Budget {
    /// The value with the most bad events; of several, the first in alphabetical order.
    fn blamed(&self, over: Range, grid: Duration) -> Option<&str> {
        let events = |tally: &Tally| tally.count(over, grid);
        let worst = self.blamed.iter().rev().max_by_key(|(_, tally)| events(tally))?;
        Some(worst.0.as_str())
    }
}
