//! `spike`: many more, or many fewer, events in one timeframe than in the one before.
use std::cell::Cell;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;
use watchbell_sdk::{Ask, Calc, Direction, Metric, TwoWindows, Way, cell, cell_end, cell_start};

mod series; // what is known of a key

use series::Series;

#[cfg(test)]
mod tests;

/// Compares the events of the last `timeframe` with those of the timeframe before it, at every event and grid point.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["current", "reference", "direction", "current_events", "reference_events", "exact"]))]
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
    /// Whether to read every event, and judge at each, or to let the cluster count them for each key and grid cell, and
    /// judge on the grid alone.
    #[serde(default)]
    fetch: Fetch,
    /// How far apart the checks are; a whole part of the timeframe, at least a 1,440th. By default the longest of 1, 2,
    /// 3, 4, 5, 6, 10, 12, 15, 20, 30 and 60 seconds that is one and at most a tenth, or 1 second; where that makes
    /// more than 120 checks within a timeframe, the shortest whole seconds that make 60 or fewer.
    check_every: Option<Duration>,
    /// How long a silent key stays known, so that it is judged at once when it comes again; 7d by default. On its first
    /// run the rule asks once for all keys of that time.
    #[serde(default = "week")]
    #[schemars(extend("x-watchbell-meaning" = false, "x-watchbell-past" = true))]
    known_for: Duration,
    /// Whether the answers that come are the keys of the past.
    #[serde(skip)]
    is_priming: Cell<bool>,
}

fn week() -> Duration {
    Duration::from_mins(7 * 24 * 60)
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
    keys: KeyMap<Series, KEYS_MAX, SERIES_BYTES_MAX>,
    /// When each key was seen last, roughly.
    known: KeyMap<LastSeen, KNOWN_MAX, KNOWN_BYTES_MAX>,
    /// For how many milliseconds of the past its keys were asked.
    primed_for: Option<u64>,
    /// Up to where silent keys were forgotten.
    forgotten: Option<LastSeen>,
    /// How many instants are kept of all keys.
    instants: usize,
}

/// Names are kept, so fewer keys than a map holds by default.
const KEYS_MAX: usize = 200_000;
const SERIES_BYTES_MAX: usize = 27 << 20;
/// Keys that are known, most of them silent.
const KNOWN_MAX: usize = 400_000;
const KNOWN_BYTES_MAX: usize = 7 << 20;
/// How many steps of the clock a silent key is known.
const KNOWN_STEPS: u32 = 60;
/// The columns of buckets, which no field has.
const SUM: &str = "_sum";
const VALUES: &str = "_values";

#[watchbell_sdk::rule(
    state_version = 4,
    name = "spike",
    summary = "Fires when events of a key become many more or many fewer at once"
)]
impl Rule for Spike {
    type State = Watched;

    fn plan(&self, context: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = self.windows().faults("check_every");
        if self.field.as_deref() == Some("") {
            faults.push(Fault::new("/field", "must not be empty: leave it out to compare counts"));
        }
        if faults.is_empty() { Ok(self.windows().plan(!context.key.is_empty())) } else { Err(faults) }
    }

    fn ask_round(
        &self,
        round: usize,
        over: Range,
        context: &Context,
        watched: &mut Watched,
    ) -> Vec<Question> {
        let is_first = watched.primed_for.replace(self.known_for.millis()) != Some(self.known_for.millis());
        let past = Range::new(over.start - self.known_for, over.start);
        // Without a key the past was read, and a word may say that new keys are not waited for.
        let is_priming =
            is_first && !context.key.is_empty() && !self.alert_on_new_data && !self.known_for.is_zero();
        if is_first {
            // The steps of the clock have another length.
            let seen = self.seen(over.start - Duration(1));
            (watched.known, watched.forgotten) = (KeyMap::default(), None);
            watched.keys.values_mut().for_each(|series| series.seen = seen);
        }
        match round {
            0 if is_priming => {
                self.is_priming.set(true);
                vec![Question::buckets(past, None)]
            }
            0 => vec![self.events(over)],
            _ if self.is_priming.take() => vec![self.events(over)],
            _ => vec![],
        }
    }

    fn is_scouted(&self, _round: usize) -> bool {
        self.is_priming.get()
    }

    /// A key of the past, seen before the window at an instant that nobody asked for.
    fn scout(&self, row: &Row<'_>, watched: &mut Watched) {
        let seen = self.seen(row.time() + self.known_for - Duration(1));
        watched.known.entry_with(row.key(), || seen);
    }

    fn row(&self, row: &Row<'_>, watched: &mut Watched, out: &mut Signals) {
        let (key, time, grid) = (row.key(), row.time(), self.grid());
        let (count, sum) = self.read(row);
        if count == 0 {
            return;
        }
        let (known, seen) = (&mut watched.known, self.seen(time));
        let new = || {
            let was_known = known.get(key).is_some_and(|last| self.is_remembered(*last, seen));
            let known_since = if was_known { time - self.timeframe * 3 } else { time };
            *known.entry_with(key, || seen) = seen;
            Series::new(row.labels(), known_since, seen)
        };
        let series = watched.keys.entry_with(key, new);
        if series.seen != seen {
            series.seen = seen;
            *watched.known.entry_with(key, || seen) = seen;
        }
        if self.judges_events() {
            if series.instants.newest() != Some(time) {
                self.judge_newest(series, out);
            }
            series.add(time, grid, &mut watched.instants);
            series.is_open = true;
            return;
        }
        series.add_many(time, count, grid);
        if self.field.is_some() {
            *series.sums.entry(time, grid) += sum;
        }
    }

    fn check(&self, at: Timestamp, watched: &mut Watched, out: &mut Signals) {
        let (windows, grid) = (self.windows(), self.grid());
        let is_beat = windows.is_beat(at);
        let mut instants = 0;
        watched.keys.retain(|_, series| {
            self.judge_newest(series, out);
            series.forget_before(windows.reference(at).start, grid);
            let (reference, current) = self.held_at(series, at);
            let known_since = cell_end(series.known_since, grid);
            match self.judge(series, windows.is_known(known_since, at), current, reference) {
                Some(way) => {
                    let ratio = TwoWindows::ratio(current.amount, reference.amount);
                    if series.level.tells(ratio, way == Way::Up, is_beat) {
                        let over = windows.current(at);
                        let is_exact = !self.judges_events() || series.counts.is_empty();
                        out.push(self.signal(&series.labels, at, over, [current, reference], way, is_exact));
                    }
                }
                None => series.level.end(),
            }
            instants += series.instants.len();
            !series.is_empty()
        });
        watched.instants = instants;
    }

    /// The next check is a grid step later. A key itself stays until then: what was told of it still counts.
    fn settle(&self, at: Timestamp, watched: &mut Watched) {
        let (grid, now) = (self.grid(), self.seen(at));
        let first = self.windows().reference(at).start + Duration(1);
        for series in watched.keys.values_mut() {
            series.forget_before(first, grid);
        }
        if watched.forgotten.replace(now) != Some(now) {
            watched.known.retain(|_, last| self.is_remembered(*last, now));
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
                    Value::Boolean(_) | Value::Word(_) | Value::Point(_) => (count, sum),
                }),
                None => (0, 0.0),
            },
        }
    }

    fn events(&self, over: Range) -> Question {
        let mut question = match self.fetch {
            Fetch::Hits => Question::hits(over),
            Fetch::Buckets => Question::buckets(over, Some(self.grid())),
        };
        match (&mut question.ask, &self.field) {
            (Ask::Hits(hits), Some(field)) => hits.fields.push(field.clone()),
            (Ask::Buckets(buckets), Some(field)) => {
                let metric = |name: &str, calc| Metric::of_field(name, field, calc);
                buckets.metrics = vec![metric(SUM, Calc::Sum), metric(VALUES, Calc::ValueCount)];
            }
            _ => {}
        }
        question
    }

    /// Whether events are judged as they come: sums of values are kept by cells alone.
    fn judges_events(&self) -> bool {
        self.fetch == Fetch::Hits && self.field.is_none()
    }

    fn seen(&self, at: Timestamp) -> LastSeen {
        LastSeen::new(at, Duration((self.known_for.millis() / u64::from(KNOWN_STEPS)).max(1)))
    }

    fn is_remembered(&self, last: LastSeen, now: LastSeen) -> bool {
        !self.known_for.is_zero() && last.cells_until(now) <= KNOWN_STEPS
    }

    /// Judges a key at its newest event, if every instant of both windows is known: the timeframe that ends with the event,
    /// and the reference before it. That is done when all events of the instant are there, for a fall is none that the
    /// next of them takes back. A level that was told is left to the checks.
    fn judge_newest(&self, series: &mut Series, out: &mut Signals) {
        if !std::mem::take(&mut series.is_open) {
            return;
        }
        let Some(at) = series.instants.newest() else { return };
        let start = at - self.timeframe + Duration(1);
        series.forget_before(start - self.timeframe, self.grid());
        if !series.counts.is_empty() {
            return;
        }
        let (reference, current) = series.instants.split(start);
        let (current, reference) = (Held::of(current), Held::of(reference));
        let is_known = self.windows().is_known(series.known_since, at);
        let Some(way) = self.judge(series, is_known, current, reference) else { return };
        if series.level.begins(TwoWindows::ratio(current.amount, reference.amount), way == Way::Up) {
            // After what the check of the same instant said, for signals of one instant have no order.
            let is_checked = cell_start(cell(at, self.grid()), self.grid()) == at;
            let told_at = if is_checked { at + Duration(1) } else { at };
            let over = Range::new(start, at + Duration(1));
            out.push(self.signal(&series.labels, told_at, over, [current, reference], way, true));
        }
    }

    /// What the reference and the current window of a grid point hold.
    fn held_at(&self, series: &mut Series, at: Timestamp) -> (Held, Held) {
        let windows = self.windows();
        let (reference, current) = (windows.reference(at), windows.current(at));
        let (before, since) = series.instants.split(current.start);
        (self.held(series, reference, before), self.held(series, current, since))
    }

    fn held(&self, series: &Series, over: Range, instants: u64) -> Held {
        let events = instants + series.counts.over(over, self.grid()).copied().map(u64::from).sum::<u64>();
        let amount = match (&self.field, events) {
            (None, _) => events as f64,
            (Some(_), 0) => 0.0,
            (Some(_), _) => series.sums.over(over, self.grid()).sum::<f64>() / events as f64,
        };
        Held { events, amount }
    }

    /// Which way a known key spikes, if it does. Means are compared with means only: a window without values, or one
    /// whose mean is 0, says nothing about the other.
    fn judge(&self, series: &Series, is_known: bool, current: Held, reference: Held) -> Option<Way> {
        let is_enough = current.events >= self.threshold_cur && reference.events >= self.threshold_ref;
        let is_comparable = self.field.is_none() || current.amount != 0.0 && reference.amount != 0.0;
        if !is_enough || !is_comparable || !self.may_spike(series, is_known, reference) {
            return None;
        }
        self.windows().judge(current.amount, reference.amount)
    }

    /// A new key must have been there for both windows, and one that comes and goes must have been there in the
    /// reference, unless a word says how many events are a spike by themselves: else first traffic would always be
    /// one. A rule without key fields watches one series, whose past was read: its silence counts.
    fn may_spike(&self, series: &Series, is_known: bool, reference: Held) -> bool {
        series.labels.0.is_empty()
            || self.alert_on_new_data
            || is_known && (reference.events > 0 || self.threshold_cur > 0)
    }

    fn signal(
        &self,
        labels: &Labels,
        at: Timestamp,
        over: Range,
        [current, reference]: [Held; 2],
        way: Way,
        is_exact: bool,
    ) -> Signal {
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
        let mut details = match &self.field {
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
        if !is_exact {
            details["exact"] = json!(false);
        }
        Signal::firing(labels.clone(), at)
            .until(at + self.timeframe)
            .value(ratio)
            .threshold(self.windows().threshold(way))
            .summary(summary)
            .details(&details)
            .evidence(Evidence::over(over))
    }
}

fn counted(count: Option<i64>) -> u32 {
    count.map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX))
}

impl Held {
    fn of(events: u64) -> Self {
        Self { events, amount: events as f64 }
    }
}
