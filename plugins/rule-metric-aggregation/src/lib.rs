//! `metric_aggregation`: a number made of many documents that is too high or too low.
use std::cell::Cell;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;
use watchbell_sdk::{Bounds, Cells, Crossed, Level, Measure, MetricKind, Reading, Steps, cell_end};

#[cfg(test)]
mod tests;

/// Fires for a key while a metric of its documents of the last `timeframe` is above `max_threshold` or below
/// `min_threshold`, judged every `step`.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["metric", "field", "value", "documents", "crossed"]))]
#[serde(deny_unknown_fields)]
pub struct MetricAggregation {
    /// What is made of the documents of a timeframe.
    metric: MetricKind,
    /// The field that is measured.
    field: Option<String>,
    /// Instead of a field, with `metric: avg`: Painless that gives a number for each document.
    #[schemars(extend("x-watchbell-needs" = "scripts"))]
    script: Option<String>,
    /// With `metric: percentile`: which one, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    percentile: Option<f64>,
    /// Fires above this, and not at it.
    max_threshold: Option<f64>,
    /// Fires below this, and not at it.
    min_threshold: Option<f64>,
    /// How much data each value is made of.
    timeframe: Duration,
    /// How far apart values are judged; a whole part of the timeframe, at least a 1,440th. The timeframe by default.
    step: Option<Duration>,
    /// A timeframe with fewer documents is not judged. 1 by default, and 0 without key fields: then the sum or the count
    /// of nothing is 0, and is judged.
    min_doc_count: Option<u32>,
    /// Whether there are key fields; known from `plan` on.
    #[serde(skip)]
    #[schemars(skip)]
    is_keyed: Cell<bool>,
}

/// What is kept of a key: nothing, unless a timeframe is made of several steps.
#[derive(Serialize, Deserialize)]
pub struct Series {
    labels: Labels,
    readings: Cells<Reading>,
    level: Level,
}

/// Names are kept, so fewer keys than a map holds by default.
const KEYS_MAX: usize = 200_000;

#[watchbell_sdk::rule(
    name = "metric_aggregation",
    summary = "Fires while a metric of a key's documents is too high or too low"
)]
impl Rule for MetricAggregation {
    type State = KeyMap<Series, KEYS_MAX>;

    fn plan(&self, context: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = self.measure().faults();
        faults.extend(self.bounds().faults("max_threshold", "min_threshold"));
        faults.extend(self.step_fault());
        self.is_keyed.set(!context.key.is_empty());
        if !faults.is_empty() {
            return Err(faults);
        }
        let plan = self.steps().plan();
        Ok(if self.is_judged_at_once() { Plan { history: Duration::ZERO, ..plan } } else { plan })
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        vec![self.measure().ask(Question::buckets(over, Some(self.steps().step)))]
    }

    /// The bucket of a key is there with all its documents: where it is the whole timeframe, nothing needs to be kept.
    fn row(&self, row: &Row<'_>, keys: &mut Self::State, out: &mut Signals) {
        let reading = self.measure().read(row);
        if self.is_judged_at_once() {
            if let Some((value, crossed)) = self.judge(reading) {
                let at = cell_end(row.time(), self.steps().step);
                out.push(self.signal(row.labels(), at, reading, value, crossed));
            }
            return;
        }
        let series = keys.entry_with(row.key(), || Series::new(row.labels()));
        let held = series.readings.entry(row.time(), self.steps().step);
        *held = self.measure().merge([*held, reading]);
    }

    fn check(&self, at: Timestamp, keys: &mut Self::State, out: &mut Signals) {
        if self.is_judged_at_once() {
            return;
        }
        let (measure, steps) = (self.measure(), self.steps());
        let (over, is_beat) = (steps.over(at), steps.is_beat(at));
        if !self.is_keyed.get() {
            // Of nothing there are no buckets: it is judged all the same.
            keys.entry_with(Key::of([]), || Series::new(Labels::default()));
        }
        keys.retain(|_, series| {
            series.readings.forget_before(over.start, steps.step);
            let reading = measure.merge(series.readings.over(over, steps.step).copied());
            match self.judge(reading) {
                Some((value, crossed)) => {
                    if series.level.tells(value, crossed.is_above(), is_beat) {
                        out.push(self.signal(series.labels.clone(), at, reading, value, crossed));
                    }
                }
                None => series.level.end(),
            }
            !series.readings.is_empty() || !self.is_keyed.get()
        });
    }

    /// The next check is a step later. A key itself stays until then: what was told of it still counts.
    fn settle(&self, at: Timestamp, keys: &mut Self::State) {
        let steps = self.steps();
        let first = steps.over(at + steps.step).start;
        keys.values_mut().for_each(|series| series.readings.forget_before(first, steps.step));
    }
}

impl MetricAggregation {
    fn measure(&self) -> Measure<'_> {
        let (field, script) = (self.field.as_deref(), self.script.as_deref());
        Measure { kind: self.metric, field, script, percentile: self.percentile }
    }

    fn bounds(&self) -> Bounds {
        Bounds::exclusive(self.max_threshold, self.min_threshold)
    }

    fn steps(&self) -> Steps {
        Steps::new(self.timeframe, self.step)
    }

    /// Each bucket is a key's whole timeframe, and a key without one is not judged.
    fn is_judged_at_once(&self) -> bool {
        self.is_keyed.get() && self.steps().is_one()
    }

    fn step_fault(&self) -> Option<Fault> {
        let Steps { timeframe, step } = self.steps();
        if let Some(fault) = self.steps().fault() {
            return Some(fault);
        }
        if self.steps().is_one() || self.measure().is_mergeable() {
            return None;
        }
        let what = if self.script.is_some() { "script's average" } else { self.metric.word() };
        let message = format!(
            "must be the timeframe: a {what} of {timeframe} cannot be made of several of {step}; leave `step` out, or take a timeframe of {step}"
        );
        Some(Fault::new("/step", message))
    }

    fn judge(&self, reading: Reading) -> Option<(f64, Crossed)> {
        let documents_min = self.min_doc_count.unwrap_or(u32::from(self.is_keyed.get()));
        let value = self.measure().value(reading).filter(|_| reading.documents >= documents_min)?;
        Some((value, self.bounds().crossed(value)?))
    }

    fn signal(
        &self,
        labels: Labels,
        at: Timestamp,
        reading: Reading,
        value: f64,
        crossed: Crossed,
    ) -> Signal {
        let (threshold, timeframe) = (crossed.threshold(), self.timeframe);
        Signal::firing(labels, at)
            .until(at + timeframe)
            .value(value)
            .threshold(threshold)
            .summary(format!(
                "{} {} within {timeframe}, {} {}",
                self.measure().words(),
                Value::Number(value),
                crossed.word(),
                Value::Number(threshold)
            ))
            .details(&json!({
                "metric": self.metric.word(),
                "field": self.field,
                "value": value,
                "documents": reading.documents,
                "crossed": crossed.word(),
            }))
            .evidence(Evidence::over(self.steps().over(at)))
    }
}

impl Series {
    fn new(labels: Labels) -> Self {
        Self { labels, readings: Cells::default(), level: Level::default() }
    }
}

impl Aged for Series {
    fn newest(&self) -> Option<Timestamp> {
        self.readings.newest_place().map(Timestamp)
    }

    fn heap_bytes(&self) -> usize {
        let labels = self.labels.0.iter().flatten().map(|value| value.capacity() + 16);
        16 + self.labels.0.capacity() * size_of::<Option<String>>()
            + labels.sum::<usize>()
            + self.readings.heap_bytes()
    }
}
