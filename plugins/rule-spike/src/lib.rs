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
    /// The reference window must hold at least this many events.
    #[serde(default)]
    threshold_ref: u64,
    /// The current window must hold at least this many events.
    #[serde(default)]
    threshold_cur: u64,
    /// Judge a key from its first events on, against nothing; else once it has been known for two timeframes.
    #[serde(default)]
    alert_on_new_data: bool,
    /// How far apart the checks are; a whole part of the timeframe, at least a 1,440th. By default the longest of 1, 2,
    /// 3, 4, 5, 6, 10, 12, 15, 20, 30 and 60 seconds that is one and at most a tenth, or 1 second; where that makes
    /// more than 120 checks within a timeframe, the shortest whole seconds that make 60 or fewer.
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
    /// The ratio that was told last, while the spike lasts. It is forgotten at each beat, so that it follows from no
    /// more of the past than that.
    told: Option<f64>,
}

/// Checks within a timeframe: each may hold a count for each of two windows, for each key.
const CHECKS_MAX: u64 = 1_440;
/// The same, where the rule chooses: beyond the first it takes the second or fewer.
const CHECKS_FINE: u64 = 120;
const CHECKS_COARSE: u64 = 60;

#[watchbell_sdk::rule(
    state_version = 2,
    name = "spike",
    summary = "Fires when events of a key become many more or many fewer at once"
)]
impl Rule for Spike {
    type State = KeyMap<Series>;

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
        } else if faults.is_empty() && self.grid() * CHECKS_MAX < self.timeframe {
            let message = format!("must be at least a {CHECKS_MAX}th of the timeframe, not {}", self.grid());
            faults.push(Fault::new("/check_every", message));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        // Two timeframes fill both windows. Whether a key was known two timeframes ago shows in the two before. What was
        // told since the last beat shows in half of one more.
        let history = self.timeframe * if key.is_empty() { 3 } else { 5 };
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
        let is_beat = at.0.rem_euclid(self.beat().signed()) == 0;
        keys.retain(|series| {
            series.tally.forget_before(reference.start, grid);
            let counts = Counts {
                current: series.tally.count(current, grid),
                reference: series.tally.count(reference, grid),
            };
            match self.judge(counts).filter(|_| series.is_known(at, self, counts)) {
                Some(direction) => {
                    let told = series.told.filter(|_| !is_beat);
                    if told.is_none_or(|told| is_notably_worse(counts.ratio(), told)) {
                        series.told = Some(counts.ratio());
                        out.push(self.signal(&series.labels, at, counts, direction));
                    }
                }
                None => series.told = None,
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

impl Counts {
    /// From nothing, the rise is measured as from a single event.
    fn ratio(self) -> f64 {
        self.current as f64 / self.reference.max(1) as f64
    }
}

/// A tenth further from 1 than what was told, up or down.
fn is_notably_worse(ratio: f64, told: f64) -> bool {
    if told >= 1.0 { ratio >= told * 1.1 || ratio < 1.0 } else { ratio <= told / 1.1 || ratio >= 1.0 }
}

impl Spike {
    /// How often a lasting spike is told again: well before its level lapses, at the same instants for all keys and
    /// all ways to cut time.
    fn beat(&self) -> Duration {
        let grid = self.grid().millis();
        Duration((self.timeframe.millis() / 2 / grid * grid).max(grid))
    }

    fn grid(&self) -> Duration {
        const SECS: [u64; 12] = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];
        self.check_every.unwrap_or_else(|| {
            let secs = self.timeframe.millis() / 1_000;
            let fine = SECS.into_iter().find(|every| secs.is_multiple_of(*every) && every * 10 <= secs);
            let fine = fine.unwrap_or(1);
            if secs / fine <= CHECKS_FINE {
                return Duration::from_secs(fine);
            }
            let coarse = (2..=CHECKS_COARSE).rev().find(|checks| secs.is_multiple_of(*checks));
            Duration::from_secs(coarse.map_or(fine, |checks| secs / checks))
        })
    }

    /// Which way the counts spike, if they do. Nothing against nothing never does; something after nothing is up,
    /// however high.
    fn judge(&self, counts: Counts) -> Option<Direction> {
        if counts.current < self.threshold_cur || counts.reference < self.threshold_ref {
            return None;
        }
        if counts.current == 0 && counts.reference == 0 {
            return None;
        }
        let (current, reference) = (counts.current as f64, counts.reference as f64);
        if self.direction != Direction::Down && current >= reference * self.height {
            return Some(Direction::Up);
        }
        if self.direction != Direction::Up && current <= reference / self.height {
            return Some(Direction::Down);
        }
        None
    }

    fn signal(&self, labels: &Labels, at: Timestamp, counts: Counts, direction: Direction) -> Signal {
        let ratio = counts.ratio();
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
            .value(ratio)
            .threshold(threshold)
            .summary(summary)
            .details(&json!({ "current": counts.current, "reference": counts.reference, "direction": way }))
            .evidence(Evidence::over(Range::new(at - self.timeframe, at)))
    }
}

impl Series {
    fn new(labels: Labels, time: Timestamp) -> Self {
        Self { labels, known_since: time, newest: time, tally: Tally::default(), told: None }
    }

    /// A new key must have been there for both windows, and one that comes and goes must have been there in the
    /// reference, unless a word says how many events are a spike by themselves: else first traffic would always be
    /// one. A rule without key fields watches one series, whose past was read: its silence counts.
    fn is_known(&self, at: Timestamp, rule: &Spike, counts: Counts) -> bool {
        let is_old = at.since(self.known_since) >= rule.timeframe * 2;
        self.labels.0.is_empty()
            || rule.alert_on_new_data
            || is_old && (counts.reference > 0 || rule.threshold_cur > 0)
    }
}

impl Aged for Series {
    fn newest(&self) -> Option<Timestamp> {
        Some(self.newest)
    }

    fn heap_bytes(&self) -> usize {
        let labels = self.labels.0.iter().flatten().map(|value| value.capacity() + 16);
        16 + self.labels.0.capacity() * size_of::<Option<String>>()
            + labels.sum::<usize>()
            + self.tally.heap_bytes()
    }
}
