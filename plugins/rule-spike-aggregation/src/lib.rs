//! `spike_aggregation`: a metric that is many times what it was just before, or a small part of it.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;
use watchbell_sdk::{Cells, Direction, Level, Measure, MetricKind, Reading, TwoWindows, Way, cell_end};

#[cfg(test)]
mod tests;

/// Compares a metric of the last `timeframe` with that of the timeframe before it, for each key, every `step`.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["metric", "field", "current", "reference", "direction"]))]
#[serde(deny_unknown_fields)]
pub struct SpikeAggregation {
    /// What is made of the documents of a step. Of the steps of a window it is the least, the greatest, the mean of all
    /// values, and else the sum.
    metric: MetricKind,
    /// The field that is measured.
    field: Option<String>,
    /// Instead of a field, with `metric: avg`: Painless that gives a number for each document.
    #[schemars(extend("x-watchbell-needs" = "scripts"))]
    script: Option<String>,
    /// With `metric: percentile`: which one, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    percentile: Option<f64>,
    /// How many times as much (or as little) as in the reference window is a spike; more than 1.
    #[schemars(extend("exclusiveMinimum" = 1))]
    height: f64,
    /// Which way counts.
    direction: Direction,
    /// The length of both windows, in whole seconds.
    timeframe: Duration,
    /// The width of one data point, and how far apart the checks are; a whole part of the timeframe, at least a 1,440th.
    /// By default as the checks of `spike`: at most a tenth of the timeframe and a minute.
    step: Option<Duration>,
    /// The metric of the reference window must be at least this.
    #[serde(default)]
    threshold_ref: f64,
    /// The metric of the current window must be at least this.
    #[serde(default)]
    threshold_cur: f64,
    /// Judge a key from its first documents on, against nothing; else once it has been known for two timeframes.
    #[serde(default)]
    alert_on_new_data: bool,
    /// A step with fewer documents is no data point.
    #[serde(default = "one")]
    min_doc_count: u32,
}

/// What is known of a key. It is forgotten when both its windows are empty.
#[derive(Serialize, Deserialize)]
pub struct Series {
    labels: Labels,
    /// The end of its first data point since both its windows were empty.
    known_since: Timestamp,
    points: Cells<Reading>,
    /// Of the ratio.
    level: Level,
}

/// Names are kept, so fewer keys than a map holds by default.
const KEYS_MAX: usize = 200_000;

fn one() -> u32 {
    1
}

#[watchbell_sdk::rule(
    name = "spike_aggregation",
    summary = "Fires when a metric of a key's documents becomes many times more or less at once"
)]
impl Rule for SpikeAggregation {
    type State = KeyMap<Series, KEYS_MAX>;

    fn plan(&self, context: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = self.measure().faults();
        faults.extend(self.windows().faults("step"));
        if faults.is_empty() { Ok(self.windows().plan(!context.key.is_empty())) } else { Err(faults) }
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        vec![self.measure().ask(Question::buckets(over, Some(self.step())))]
    }

    fn row(&self, row: &Row<'_>, keys: &mut Self::State, _out: &mut Signals) {
        let (measure, step) = (self.measure(), self.step());
        let reading = measure.read(row);
        // A step in which there was nothing to measure is no point; of a sum it is one of 0.
        if reading.documents < self.min_doc_count || measure.value(reading).is_none() {
            return;
        }
        let since = cell_end(row.time(), step);
        let series = keys.entry_with(row.key(), || Series::new(row.labels(), since));
        let held = series.points.entry(row.time(), step);
        *held = measure.merge([*held, reading]);
    }

    fn check(&self, at: Timestamp, keys: &mut Self::State, out: &mut Signals) {
        let windows = self.windows();
        let is_beat = windows.is_beat(at);
        keys.retain(|_, series| {
            series.points.forget_before(windows.reference(at).start, windows.grid);
            let (current, reference) =
                (self.held(series, windows.current(at)), self.held(series, windows.reference(at)));
            match self.judge(series, at, current, reference) {
                Some((current, reference, way)) => {
                    let ratio = TwoWindows::ratio(current, reference);
                    if series.level.tells(ratio, way == Way::Up, is_beat) {
                        out.push(self.signal(&series.labels, at, current, reference, way));
                    }
                }
                None => series.level.end(),
            }
            !series.points.is_empty()
        });
    }

    /// The next check is a step later. A key itself stays until then: what was told of it still counts.
    fn settle(&self, at: Timestamp, keys: &mut Self::State) {
        let step = self.step();
        let first = self.windows().reference(at + step).start;
        keys.values_mut().for_each(|series| series.points.forget_before(first, step));
    }
}

impl SpikeAggregation {
    fn measure(&self) -> Measure<'_> {
        let (field, script) = (self.field.as_deref(), self.script.as_deref());
        Measure { kind: self.metric, field, script, percentile: self.percentile }
    }

    fn windows(&self) -> TwoWindows {
        let (timeframe, height, direction) = (self.timeframe, self.height, self.direction);
        TwoWindows { timeframe, grid: self.step(), height, direction }
    }

    fn step(&self) -> Duration {
        self.step.unwrap_or_else(|| TwoWindows::grid_of(self.timeframe))
    }

    fn held(&self, series: &Series, over: Range) -> Reading {
        self.measure().merge(series.points.over(over, self.step()).copied())
    }

    /// The two values and which way a known key spikes, if it does. A window without a value is compared with nothing.
    fn judge(
        &self,
        series: &Series,
        at: Timestamp,
        current: Reading,
        reference: Reading,
    ) -> Option<(f64, f64, Way)> {
        if !self.is_known(series, at, reference) {
            return None;
        }
        let (current, reference) = (self.measure().value(current)?, self.measure().value(reference)?);
        if current < self.threshold_cur || reference < self.threshold_ref {
            return None;
        }
        Some((current, reference, self.windows().judge(current, reference)?))
    }

    /// As `spike` does: a new key must have been there for both windows, and one that comes and goes must have been
    /// there in the reference, unless a word says how much is a spike by itself. A rule without key fields watches one
    /// series, whose past was read: its silence counts.
    fn is_known(&self, series: &Series, at: Timestamp, reference: Reading) -> bool {
        series.labels.0.is_empty()
            || self.alert_on_new_data
            || self.windows().is_known(series.known_since, at)
                && (reference.documents > 0 || self.threshold_cur > 0.0)
    }

    fn signal(&self, labels: &Labels, at: Timestamp, current: f64, reference: f64, way: Way) -> Signal {
        let ratio = TwoWindows::ratio(current, reference);
        let what = self.measure().words();
        let (timeframe, now, before) = (self.timeframe, Value::Number(current), Value::Number(reference));
        let summary = if reference == 0.0 {
            format!("{what} {now} within {timeframe}, after 0")
        } else {
            format!("{what} {now} within {timeframe}, {} times the {before} before", TwoWindows::shown(ratio))
        };
        Signal::firing(labels.clone(), at)
            .until(at + timeframe)
            .value(ratio)
            .threshold(self.windows().threshold(way))
            .summary(summary)
            .details(&json!({
                "metric": self.metric.word(),
                "field": self.field,
                "current": current,
                "reference": reference,
                "direction": way.word(),
            }))
            .evidence(Evidence::over(self.windows().current(at)))
    }
}

impl Series {
    fn new(labels: Labels, known_since: Timestamp) -> Self {
        Self { labels, known_since, points: Cells::default(), level: Level::default() }
    }
}

impl Aged for Series {
    fn newest(&self) -> Option<Timestamp> {
        self.points.newest_place().map(Timestamp)
    }

    fn heap_bytes(&self) -> usize {
        let labels = self.labels.0.iter().flatten().map(|value| value.capacity() + 16);
        16 + self.labels.0.capacity() * size_of::<Option<String>>()
            + labels.sum::<usize>()
            + self.points.heap_bytes()
    }
}
