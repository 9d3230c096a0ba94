//! `beaconing`: connections at nearly constant intervals, as malware makes them that asks its server for orders.
use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// Fires while the last `intervals` between documents of a key are nearly equal.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-watchbell-details" = ["every", "variation", "connections"]))]
pub struct Beaconing {
    /// How many intervals are compared, 3 to 1,000.
    #[serde(default = "intervals")]
    intervals: u32,
    /// The largest coefficient of variation: the standard deviation of the intervals, divided by their mean.
    #[serde(default = "variation")]
    variation: f64,
    /// Longer intervals start anew.
    #[serde(default = "longest")]
    longest: Duration,
    /// Shorter mean intervals are ordinary traffic.
    #[serde(default = "shortest")]
    shortest: Duration,
}

fn intervals() -> u32 {
    10
}

fn variation() -> f64 {
    0.1
}

fn longest() -> Duration {
    Duration::from_hours(1)
}

fn shortest() -> Duration {
    Duration::from_secs(1)
}

/// The newest documents of a key, one more than there are intervals.
#[derive(Default, Serialize, Deserialize, Aged)]
pub struct Beat {
    times: VecDeque<Timestamp>,
    /// Until when the level holds that was reported last.
    #[aged(skip)]
    until: Option<Timestamp>,
}

#[watchbell_sdk::rule(name = "beaconing", summary = "Fires on connections at nearly constant intervals")]
impl Rule for Beaconing {
    type State = KeyMap<Beat>;

    fn plan(&self, context: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = Vec::new();
        if context.key.is_empty() {
            faults.push(Fault::new("", "needs the fields of source and destination as `key`"));
        }
        if !(3..=1_000).contains(&self.intervals) {
            faults.push(Fault::new("/intervals", "must be from 3 to 1000"));
        }
        if !(0.0..=1.0).contains(&self.variation) {
            faults.push(Fault::new("/variation", "must be from 0 to 1"));
        }
        if self.shortest >= self.longest {
            faults.push(Fault::new(
                "/shortest",
                format!("must be shorter than `longest`, which is {}", self.longest),
            ));
        }
        if faults.is_empty() { Ok(Plan::rows(self.history())) } else { Err(faults) }
    }

    fn row(&self, row: &Row<'_>, keys: &mut Self::State, out: &mut Signals) {
        let (at, beat) = (row.time(), keys.entry(row.key()));
        if beat.times.back().is_some_and(|last| at - *last > self.longest) {
            *beat = Beat::default();
        }
        beat.times.push_back(at);
        if beat.times.len() > self.intervals as usize + 1 {
            beat.times.pop_front();
        }
        let Some(rhythm) = self.rhythm(&beat.times) else { return };
        if rhythm.variation <= self.variation {
            // The next one is due after one interval; one may be lost.
            let until = at + rhythm.mean * 2;
            beat.until = Some(until);
            let (first, count) = (beat.times[0], beat.times.len());
            let signal = Signal::firing(row.labels(), at)
                .until(until)
                .value(rhythm.variation)
                .threshold(self.variation)
                .summary(format!("a connection every {}, {} times in a row", rhythm.shown(), count - 1))
                .details(&json!({
                    "every": rhythm.shown(), "variation": rhythm.variation, "connections": count,
                }))
                .evidence(Evidence::over(Range::new(first, at + Duration::from_millis(1))).newest(10));
            out.push(signal);
        } else if beat.until.take().is_some_and(|until| at < until) {
            let signal = Signal::clear(row.labels(), at).value(rhythm.variation);
            out.push(signal.summary("connections at other intervals"));
        }
    }

    /// A later document would start anew.
    fn settle(&self, at: Timestamp, keys: &mut Self::State) {
        keys.retain(|_, beat| beat.times.back().is_some_and(|last| at - *last <= self.longest));
    }
}

/// How regular the intervals are.
struct Rhythm {
    mean: Duration,
    variation: f64,
}

impl Beaconing {
    /// The intervals of a row, and those of one whose level still holds.
    fn history(&self) -> Duration {
        self.longest * (u64::from(self.intervals) + 2)
    }

    /// `None` if there are too few intervals, or if they are too short.
    fn rhythm(&self, times: &VecDeque<Timestamp>) -> Option<Rhythm> {
        if times.len() <= self.intervals as usize {
            return None;
        }
        let all = *times.back()? - *times.front()?;
        let count = u64::from(self.intervals);
        let mean = all.millis() as f64 / count as f64;
        if mean < self.shortest.millis() as f64 {
            return None;
        }
        let intervals = times.iter().zip(times.iter().skip(1)).map(|(one, next)| *next - *one);
        let squares: f64 = intervals.map(|interval| (interval.millis() as f64 - mean).powi(2)).sum();
        Some(Rhythm { mean: all / count, variation: (squares / count as f64).sqrt() / mean })
    }
}

impl Rhythm {
    /// Rounded to seconds.
    fn shown(&self) -> Duration {
        Duration::from_secs((self.mean + Duration::from_millis(500)).as_secs())
    }
}
