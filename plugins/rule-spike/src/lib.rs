//! `spike`: many more, or many fewer, events in one timeframe than in the one before.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// Compares the events of the last `timeframe` with those of the timeframe before it, at every grid point.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spike {
    /// The length of both windows, in whole seconds.
    timeframe: Duration,
    /// How many times as many (or as few) events as in the reference window make a spike; more than 1.
    #[schemars(extend("exclusiveMinimum" = 1))]
    height: f64,
    /// Which way counts.
    direction: Direction,
    /// The reference window must hold at least this many events. `0`, written out, lets a key that was never seen
    /// before be judged at once, against nothing.
    threshold_ref: Option<u64>,
    /// The current window must hold at least this many events. Where it is given, a spike may rise from nothing.
    threshold_cur: Option<u64>,
    /// How far apart the checks are; a whole part of the timeframe. By default the longest of 1, 2, 3, 4, 5, 6, 10,
    /// 12, 15, 20, 30 and 60 seconds that is one and at most a tenth, or else 1 second.
    check_every: Option<Duration>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Up,
    Down,
    Both,
}

/// What is known of a key. It is forgotten when both its windows are empty.
#[derive(Serialize, Deserialize)]
pub struct Series {
    labels: Labels,
    /// Since when there was no silence of two timeframes.
    known_since: Timestamp,
    newest: Timestamp,
    tally: Tally,
}

/// The keys' names and counts are kept, so there is room for fewer than in a map of bare keys.
const KEYS_MAX: usize = 50_000;

#[watchbell_sdk::rule(
    name = "spike",
    summary = "Fires when events of a key become many more or many fewer at once"
)]
impl Rule for Spike {
    type State = KeyMap<Series, KEYS_MAX>;

    fn plan(&self, key: &[String]) -> Result<Plan, Vec<Fault>> {
        let mut faults = Vec::new();
        if self.timeframe.is_zero() || !self.timeframe.millis().is_multiple_of(1_000) {
            faults.push(Fault::new("/timeframe", "must be one or more whole seconds"));
        }
        if !(self.height > 1.0 && self.height.is_finite()) {
            faults.push(Fault::new("/height", "must be more than 1: steady traffic is once as high"));
        }
        if let Some(every) = self.check_every
            && (every.is_zero() || !self.timeframe.millis().is_multiple_of(every.millis()))
        {
            let message =
                format!("must be a whole part of the timeframe: {} is not one of {every}", self.timeframe);
            faults.push(Fault::new("/check_every", message));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        // Two timeframes fill both windows. Whether a key was known two timeframes ago shows in the two before.
        let history = self.timeframe * if key.is_empty() { 2 } else { 4 };
        Ok(Plan::checks(history, self.grid()))
    }

    fn row(&self, row: &Row<'_>, keys: &mut Self::State, _out: &mut Signals) {
        let time = row.time();
        let series = keys.entry_with(row.key(), || Series::new(row.labels(), time));
        if time.since(series.newest) >= self.timeframe * 2 {
            series.known_since = time;
        }
        series.newest = time;
        series.tally.add(time, self.grid());
    }

    fn check(&self, at: Timestamp, keys: &mut Self::State, out: &mut Signals) {
        let grid = self.grid();
        let current = Range::new(at - self.timeframe, at);
        let reference = Range::new(current.start - self.timeframe, current.start);
        keys.retain(|series| {
            series.tally.forget_before(reference.start, grid);
            if series.is_known(at, self) {
                let counts = Counts {
                    current: series.tally.count(current, grid),
                    reference: series.tally.count(reference, grid),
                };
                if let Some(direction) = self.judge(counts) {
                    out.push(self.signal(&series.labels, at, counts, direction));
                }
            }
            !series.tally.is_empty()
        });
    }
}

#[derive(Clone, Copy)]
struct Counts {
    current: u64,
    reference: u64,
}

impl Spike {
    fn grid(&self) -> Duration {
        const SECS: [u64; 12] = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];
        self.check_every.unwrap_or_else(|| {
            let timeframe = self.timeframe.millis();
            let fits = |secs: &u64| timeframe.is_multiple_of(secs * 1_000) && secs * 10_000 <= timeframe;
            Duration::from_secs(SECS.into_iter().find(fits).unwrap_or(1))
        })
    }

    /// Which way the counts spike, if they do. Nothing against nothing never does.
    fn judge(&self, counts: Counts) -> Option<Direction> {
        let (current, reference) = (counts.current, counts.reference);
        if current < self.threshold_cur.unwrap_or(0) || reference < self.threshold_ref.unwrap_or(0) {
            return None;
        }
        if reference == 0 {
            // Nothing to divide by: it takes a word of the author's on how many events are a spike by themselves.
            let spoken = self.threshold_cur.is_some_and(|least| least > 0) || self.threshold_ref == Some(0);
            return (spoken && current > 0 && self.direction != Direction::Down).then_some(Direction::Up);
        }
        let (current, reference) = (current as f64, reference as f64);
        if self.direction != Direction::Down && current >= reference * self.height {
            return Some(Direction::Up);
        }
        if self.direction != Direction::Up && current <= reference / self.height {
            return Some(Direction::Down);
        }
        None
    }

    fn signal(&self, labels: &Labels, at: Timestamp, counts: Counts, direction: Direction) -> Signal {
        // From nothing, the rise is measured as from a single event.
        let ratio = counts.current as f64 / counts.reference.max(1) as f64;
        let shown =
            if ratio >= 1.0 { (ratio * 10.0).round() / 10.0 } else { (ratio * 100.0).round() / 100.0 };
        let (threshold, way) = match direction {
            Direction::Down => (1.0 / self.height, "down"),
            Direction::Up | Direction::Both => (self.height, "up"),
        };
        let summary = if counts.reference == 0 {
            format!("{} events within {}, after none", counts.current, self.timeframe)
        } else {
            format!(
                "{} events within {}, {shown} times the {} before",
                counts.current, self.timeframe, counts.reference
            )
        };
        Signal::firing(labels.clone(), at)
            .until(at + self.timeframe)
            .value(shown)
            .threshold(threshold)
            .summary(summary)
            .details(&json!({ "current": counts.current, "reference": counts.reference, "direction": way }))
            .evidence(Evidence::over(Range::new(at - self.timeframe, at)))
    }
}

impl Series {
    fn new(labels: Labels, time: Timestamp) -> Self {
        Self { labels, known_since: time, newest: time, tally: Tally::default() }
    }

    /// A new key must have been there for both windows: else its first traffic would always be a spike. A rule
    /// without key fields watches one series, whose past was read: its silence counts.
    fn is_known(&self, at: Timestamp, rule: &Spike) -> bool {
        self.labels.0.is_empty()
            || rule.threshold_ref == Some(0)
            || at.since(self.known_since) >= rule.timeframe * 2
    }
}

impl Aged for Series {
    fn newest(&self) -> Option<Timestamp> {
        Some(self.newest)
    }
}
