//! `spike`: many more, or many fewer, events in one timeframe than in the one before.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;
use watchbell_sdk::{Ask, Calc, Cells, Direction, Level, Metric, TwoWindows, Way, cell_end};

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
    /// Compare the means of this numeric field instead of counts. Then the values are the events: documents without one
    /// do not count.
    field: Option<String>,
    /// Whether to read every event or to let the cluster count them for each key and grid cell. The verdict is the same.
    #[serde(default)]
    fetch: Fetch,
    /// How far apart the checks are; a whole part of the timeframe, at least a 1,440th. By default the longest of 1, 2,
    /// 3, 4, 5, 6, 10, 12, 15, 20, 30 and 60 seconds that is one and at most a tenth, or 1 second; where that makes
    /// more than 120 checks within a timeframe, the shortest whole seconds that make 60 or fewer.
    check_every: Option<Duration>,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Fetch {
    #[default]
    Hits,
    Buckets,
}

/// What is known of a key. It is forgotten when both its windows are empty.
#[derive(Serialize, Deserialize)]
pub struct Series {
    labels: Labels,
    /// The end of the cell of its first event since both its windows were empty.
    known_since: Timestamp,
    counts: Cells<u32>,
    /// Of the field's values, where there is one.
    sums: Cells<f64>,
    /// Of the ratio.
    level: Level,
}

/// Names are kept, so fewer keys than a map holds by default.
const KEYS_MAX: usize = 200_000;
/// The columns of buckets, which no field has.
const SUM: &str = "_sum";
const VALUES: &str = "_values";

#[watchbell_sdk::rule(
    state_version = 3,
    name = "spike",
    summary = "Fires when events of a key become many more or many fewer at once"
)]
impl Rule for Spike {
    type State = KeyMap<Series, KEYS_MAX>;

    fn plan(&self, key: &[String]) -> Result<Plan, Vec<Fault>> {
        let mut faults = self.windows().faults("check_every");
        if self.field.as_deref() == Some("") {
            faults.push(Fault::new("/field", "must not be empty: leave it out to compare counts"));
        }
        if faults.is_empty() { Ok(self.windows().plan(!key.is_empty())) } else { Err(faults) }
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        let mut question = match self.fetch {
            Fetch::Hits => Question::hits(over),
            Fetch::Buckets => Question::buckets(over, Some(self.grid())),
        };
        match (&mut question.ask, &self.field) {
            (Ask::Hits(hits), Some(field)) => hits.fields.push(field.clone()),
            (Ask::Buckets(buckets), Some(field)) => {
                let metric = |name: &str, calc| Metric { name: name.into(), field: field.clone(), calc };
                buckets.metrics = vec![metric(SUM, Calc::Sum), metric(VALUES, Calc::ValueCount)];
            }
            _ => {}
        }
        vec![question]
    }

    fn row(&self, row: &Row<'_>, keys: &mut Self::State, _out: &mut Signals) {
        let (time, grid) = (row.time(), self.grid());
        let (count, sum) = self.read(row);
        if count == 0 {
            return;
        }
        let series = keys.entry_with(row.key(), || Series::new(row.labels(), cell_end(time, grid)));
        let counted = series.counts.entry(time, grid);
        *counted = counted.saturating_add(count);
        if self.field.is_some() {
            *series.sums.entry(time, grid) += sum;
        }
    }

    fn check(&self, at: Timestamp, keys: &mut Self::State, out: &mut Signals) {
        let (windows, grid) = (self.windows(), self.grid());
        let is_beat = windows.is_beat(at);
        keys.retain(|series| {
            series.counts.forget_before(windows.reference(at).start, grid);
            series.sums.forget_before(windows.reference(at).start, grid);
            let (current, reference) =
                (self.held(series, windows.current(at)), self.held(series, windows.reference(at)));
            match self.judge(series, at, current, reference) {
                Some(way) => {
                    let ratio = TwoWindows::ratio(current.amount, reference.amount);
                    if series.level.tells(ratio, way == Way::Up, is_beat) {
                        out.push(self.signal(&series.labels, at, current, reference, way));
                    }
                }
                None => series.level.end(),
            }
            !series.counts.is_empty()
        });
    }

    /// The next check is a grid step later. A key itself stays until then: what was told of it still counts.
    fn settle(&self, at: Timestamp, keys: &mut Self::State) {
        let grid = self.grid();
        let first = self.windows().reference(at + grid).start;
        for series in keys.values_mut() {
            series.counts.forget_before(first, grid);
            series.sums.forget_before(first, grid);
        }
    }
}

/// What a window holds.
#[derive(Clone, Copy)]
struct Held {
    events: u64,
    /// What is compared: the count, or the field's mean (0 if there is no value).
    amount: f64,
}

impl Spike {
    fn windows(&self) -> TwoWindows {
        let (timeframe, height, direction) = (self.timeframe, self.height, self.direction);
        TwoWindows { timeframe, grid: self.grid(), height, direction }
    }

    fn grid(&self) -> Duration {
        self.check_every.unwrap_or_else(|| TwoWindows::grid_of(self.timeframe))
    }

    /// How many events a row stands for, and the sum of their values where there is a field.
    #[inline]
    fn read(&self, row: &Row<'_>) -> (u32, f64) {
        match (self.fetch, &self.field) {
            (Fetch::Hits, None) => (1, 0.0),
            (Fetch::Buckets, None) => (counted(row.integer("_count")), 0.0),
            (Fetch::Buckets, Some(_)) => {
                (counted(row.number(VALUES).map(|count| count as i64)), row.number(SUM).unwrap_or_default())
            }
            // The first value says whether the field is one of numbers: if it is not, the run fails in words.
            (Fetch::Hits, Some(field)) => match row.number(field) {
                Some(_) => row.values(field).fold((0, 0.0), |(count, sum), value| match value {
                    Value::Integer(number) => (count + 1, sum + number as f64),
                    Value::Number(number) => (count + 1, sum + number),
                    Value::Boolean(_) | Value::Word(_) => (count, sum),
                }),
                None => (0, 0.0),
            },
        }
    }

    fn held(&self, series: &Series, over: Range) -> Held {
        let events: u64 = series.counts.over(over, self.grid()).copied().map(u64::from).sum();
        let amount = match (&self.field, events) {
            (None, _) => events as f64,
            (Some(_), 0) => 0.0,
            (Some(_), _) => series.sums.over(over, self.grid()).sum::<f64>() / events as f64,
        };
        Held { events, amount }
    }

    /// Which way a known key spikes, if it does. Means are compared with means only: a window without values, or one
    /// whose mean is 0, says nothing about the other.
    fn judge(&self, series: &Series, at: Timestamp, current: Held, reference: Held) -> Option<Way> {
        let is_enough = current.events >= self.threshold_cur && reference.events >= self.threshold_ref;
        let is_comparable = self.field.is_none() || current.amount != 0.0 && reference.amount != 0.0;
        if !is_enough || !is_comparable || !self.is_known(series, at, reference) {
            return None;
        }
        self.windows().judge(current.amount, reference.amount)
    }

    /// A new key must have been there for both windows, and one that comes and goes must have been there in the
    /// reference, unless a word says how many events are a spike by themselves: else first traffic would always be
    /// one. A rule without key fields watches one series, whose past was read: its silence counts.
    fn is_known(&self, series: &Series, at: Timestamp, reference: Held) -> bool {
        series.labels.0.is_empty()
            || self.alert_on_new_data
            || self.windows().is_known(series.known_since, at)
                && (reference.events > 0 || self.threshold_cur > 0)
    }

    fn signal(&self, labels: &Labels, at: Timestamp, current: Held, reference: Held, way: Way) -> Signal {
        let ratio = TwoWindows::ratio(current.amount, reference.amount);
        let shown = TwoWindows::shown(ratio);
        let summary = match &self.field {
            None if reference.events == 0 => {
                format!("{} events within {}, after none", current.events, self.timeframe)
            }
            None => format!(
                "{} events within {}, {shown} times the {} before",
                current.events, self.timeframe, reference.events
            ),
            Some(field) => format!(
                "mean of {field} {} within {}, {shown} times the {} before",
                TwoWindows::shown(current.amount),
                self.timeframe,
                TwoWindows::shown(reference.amount)
            ),
        };
        let details = match &self.field {
            None => {
                json!({ "current": current.events, "reference": reference.events, "direction": way.word() })
            }
            Some(_) => json!({
                "current": current.amount,
                "reference": reference.amount,
                "direction": way.word(),
                "current_events": current.events,
                "reference_events": reference.events,
            }),
        };
        Signal::firing(labels.clone(), at)
            .until(at + self.timeframe)
            .value(ratio)
            .threshold(self.windows().threshold(way))
            .summary(summary)
            .details(&details)
            .evidence(Evidence::over(self.windows().current(at)))
    }
}

fn counted(count: Option<i64>) -> u32 {
    count.map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX))
}

impl Series {
    fn new(labels: Labels, known_since: Timestamp) -> Self {
        Self {
            labels,
            known_since,
            counts: Cells::default(),
            sums: Cells::default(),
            level: Level::default(),
        }
    }
}

impl Aged for Series {
    fn newest(&self) -> Option<Timestamp> {
        self.counts.newest_place().map(Timestamp)
    }

    fn heap_bytes(&self) -> usize {
        let labels = self.labels.0.iter().flatten().map(|value| value.capacity() + 16);
        16 + self.labels.0.capacity() * size_of::<Option<String>>()
            + labels.sum::<usize>()
            + self.counts.heap_bytes()
            + self.sums.heap_bytes()
    }
}
