//! `cardinality`: too many or too few different values of a field within a timeframe.
use schemars::JsonSchema;
use serde::Deserialize;
use watchbell_sdk::prelude::*;
use watchbell_sdk::{Level, cell, cell_start};

mod distinct; // what is known of keys and values
mod last; // when a value was seen last

use distinct::{Distinct, Seen, Way};
use last::Last;

#[cfg(test)]
mod tests;

/// Counts the different values of a field within the last `timeframe`, for each key.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["field", "count", "way", "exact"]))]
#[serde(deny_unknown_fields)]
pub struct Cardinality {
    /// The field whose values are counted.
    field: String,
    /// Within how long; in whole seconds.
    timeframe: Duration,
    /// More different values than this fire, at the document that brings them.
    max_cardinality: Option<u32>,
    /// Fewer different values than this fire, at a check.
    min_cardinality: Option<u32>,
    /// What is fetched: documents, with which values leave at the instant, or counts of each value in each cell of the
    /// grid, with which they leave by cells.
    #[serde(default)]
    fetch: Fetch,
    /// How long a silent key is known to have too few values, with `min_cardinality`; 7d by default, and two timeframes at
    /// least.
    #[serde(default = "week")]
    #[schemars(extend("x-watchbell-meaning" = false))]
    known_for: Duration,
}

fn week() -> Duration {
    Duration::from_mins(7 * 24 * 60)
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Fetch {
    #[default]
    Hits,
    Buckets,
}

#[watchbell_sdk::rule(
    state_version = 2,
    name = "cardinality",
    summary = "Fires when a field has too many or too few different values within a timeframe"
)]
impl Rule for Cardinality {
    type State = Seen;

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = Vec::new();
        if self.field.is_empty() {
            faults.push(Fault::new("/field", "must name a field"));
        }
        if self.timeframe.is_zero() || !self.timeframe.millis().is_multiple_of(1_000) {
            faults.push(Fault::new("/timeframe", "must be one or more whole seconds"));
        }
        match (self.max_cardinality, self.min_cardinality) {
            (None, None) => {
                faults.push(Fault::new("", "needs `max_cardinality`, `min_cardinality` or both"));
            }
            (Some(max), Some(min)) if min > max => {
                let message =
                    format!("must not be more than `max_cardinality`, {max}: nothing would be right");
                faults.push(Fault::new("/min_cardinality", message));
            }
            (_, Some(0)) => {
                faults.push(Fault::new(
                    "/min_cardinality",
                    "must be more than 0: there are never fewer values",
                ));
            }
            _ => {}
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        // One timeframe fills the cells, half of one more shows what was told since the last beat. Whether a key was known
        // a timeframe ago shows in the two before.
        let history = self.timeframe * if self.min_cardinality.is_some() { 4 } else { 2 };
        Ok(Plan::checks(history, self.grid()))
    }

    fn ask_round(&self, round: usize, over: Range, context: &Context, seen: &mut Seen) -> Vec<Question> {
        if round > 0 {
            return vec![];
        }
        if context.key.is_empty() && self.min_cardinality.is_some() {
            // The only key of a rule without key fields is known though nothing came.
            seen.know_whole(LastSeen::new(over.start, self.grid()));
        }
        let question = match self.fetch {
            Fetch::Hits => Question::hits(over),
            Fetch::Buckets => Question::buckets(over, Some(self.grid())),
        };
        vec![question.field(&self.field)]
    }

    fn row(&self, row: &Row<'_>, seen: &mut Seen, out: &mut Signals) {
        let now = Last::new(row.time(), self.grid());
        for value in row.values(&self.field) {
            if !seen.has_room(row.key(), value, now, self) {
                continue;
            }
            let Some(distinct) = seen.see(row, value, now, self) else { continue };
            let count = distinct.count();
            // One that has too few is told to have too many at the next check: its level lasts anyway.
            if self.max_cardinality.is_some_and(|max| count > u64::from(max)) && distinct.told.is_none() {
                distinct.told = Some((Way::Above, count));
                let is_exact = self.is_exact(distinct);
                let labels = distinct.labels.get_or_insert_with(|| Box::new(row.labels()));
                out.push(self.signal(labels, self.told_at(row.time()), Way::Above, count, is_exact));
            }
        }
    }

    fn check(&self, at: Timestamp, seen: &mut Seen, out: &mut Signals) {
        let is_beat = Level::is_beat(at, self.beat());
        let now = LastSeen::new(at, self.grid());
        let mut instants = 0;
        seen.keys.retain(|_, distinct| {
            distinct.forget_before(at - self.timeframe, self.grid());
            let count = distinct.count();
            let way = self.judge(count, distinct, now);
            match (way, distinct.told, distinct.labels.as_deref()) {
                (Some(way), told, Some(labels)) => {
                    let is_news = told.is_none_or(|(before, told)| {
                        before != way || way == Way::Above && is_notably_worse(count, told)
                    });
                    if is_news || is_beat {
                        out.push(self.signal(labels, at, way, count, self.is_exact(distinct)));
                        distinct.told = Some((way, count));
                    }
                }
                (None, Some(_), Some(labels)) => {
                    out.push(self.clear(labels, at, count));
                    distinct.told = None;
                }
                _ => {}
            }
            if distinct.told.is_none() && self.min_cardinality.is_none() {
                // The next document that is too many brings them again.
                distinct.labels = None;
            }
            // What is known by cells changes between checks by what comes alone: what leaves does so at the end of a cell.
            distinct.forget_cells_before(at - self.timeframe + self.grid(), self.grid());
            instants += distinct.instants();
            self.keeps(distinct, now)
        });
        seen.instants = instants;
    }

    fn settle(&self, at: Timestamp, seen: &mut Seen) {
        seen.forget_values(LastSeen::new(at, self.grid()), self.cells());
    }
}

/// A tenth more than what was told.
fn is_notably_worse(count: u64, told: u64) -> bool {
    count.saturating_mul(10) >= told.saturating_mul(11)
}

impl Cardinality {
    fn grid(&self) -> Duration {
        Tally::grid(self.timeframe)
    }

    /// How many cells a timeframe has.
    fn cells(&self) -> u32 {
        u32::try_from(self.timeframe.millis() / self.grid().millis()).unwrap_or(u32::MAX)
    }

    /// When a row fires. After what the check at the beginning of its cell said, for signals of one instant have no order.
    fn told_at(&self, row: Timestamp) -> Timestamp {
        let grid = self.grid();
        match self.fetch {
            Fetch::Buckets => row + grid - Duration(1),
            Fetch::Hits if cell_start(cell(row, grid), grid) == row => row + Duration(1),
            Fetch::Hits => row,
        }
    }

    /// How often what lasts is told again: well before its level lapses, at the same instants for all keys and all ways
    /// to cut time.
    fn beat(&self) -> Duration {
        self.grid() * u64::from((self.cells() / 2).max(1))
    }

    /// A key must have been known for a timeframe before it can have too few values; one that had too few has until it has
    /// enough.
    fn judge(&self, count: u64, distinct: &Distinct, now: LastSeen) -> Option<Way> {
        if self.max_cardinality.is_some_and(|max| count > u64::from(max)) {
            return Some(Way::Above);
        }
        let is_below = self.min_cardinality.is_some_and(|min| count < u64::from(min));
        let had_too_few = distinct.told.is_some_and(|(way, _)| way == Way::Below);
        (is_below && (had_too_few || distinct.cells_known(now) >= self.cells())).then_some(Way::Below)
    }

    /// Whether instants are kept, of a key with few values.
    fn keeps_instants(&self) -> bool {
        self.fetch == Fetch::Hits
    }

    /// Whether a key's values are counted as exactly as they can be.
    fn is_exact(&self, distinct: &Distinct) -> bool {
        !self.keeps_instants() || distinct.knows_instants()
    }

    /// For how many cells a silent key is known.
    fn cells_remembered(&self) -> u32 {
        let cells = self.known_for.millis().div_ceil(self.grid().millis());
        u32::try_from(cells).unwrap_or(u32::MAX).max(self.cells().saturating_mul(2))
    }

    /// Whether a key may still be judged: until all its values have left and that was told, and for too few values, until
    /// nobody remembers it.
    fn keeps(&self, distinct: &Distinct, now: LastSeen) -> bool {
        let is_whole = distinct.labels.as_ref().is_some_and(|labels| labels.0.is_empty());
        let is_above = distinct.told.is_some_and(|(way, _)| way == Way::Above);
        let is_known = self.min_cardinality.is_some()
            && (is_whole || distinct.cells_silent(now) < self.cells_remembered());
        !distinct.is_empty() || is_above || is_known
    }

    fn signal(&self, labels: &Labels, at: Timestamp, way: Way, count: u64, is_exact: bool) -> Signal {
        let (threshold, than, name) = match way {
            Way::Above => (self.max_cardinality, "more", "above"),
            Way::Below => (self.min_cardinality, "fewer", "below"),
        };
        let threshold = threshold.unwrap_or(0);
        let mut details = json!({ "field": self.field, "count": count, "way": name });
        if !is_exact {
            details["exact"] = json!(false);
        }
        Signal::firing(labels.clone(), at)
            .until(at + self.timeframe)
            .value(count as f64)
            .threshold(f64::from(threshold))
            .summary(format!(
                "{count} different values of {} within {}, {than} than {threshold}",
                self.field, self.timeframe
            ))
            .details(&details)
            .evidence(Evidence::over(Range::new(at - self.timeframe, at + Duration(1))))
    }

    fn clear(&self, labels: &Labels, at: Timestamp, count: u64) -> Signal {
        Signal::clear(labels.clone(), at)
            .value(count as f64)
            .summary(format!("{count} different values of {} within {}", self.field, self.timeframe))
            .details(&json!({ "field": self.field, "count": count }))
    }
}
