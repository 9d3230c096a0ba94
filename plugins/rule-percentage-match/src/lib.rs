//! `percentage_match`: how many of the documents match, in percent, is too high or too low.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;
use watchbell_sdk::{Bounds, Cells, Crossed, Level, Steps, cell_end};

#[cfg(test)]
mod tests;

/// Fires for a key while more than `max_percentage` or less than `min_percentage` of its documents of the last
/// `timeframe` match, judged every `step`.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["percentage", "denominator", "matching", "crossed"]))]
#[serde(deny_unknown_fields)]
pub struct PercentageMatch {
    /// Which documents are counted, in Lucene syntax; the percentage is of all that the manifest's filter keeps.
    r#match: String,
    /// Fires above this, and not at it.
    #[schemars(range(min = 0, max = 100))]
    max_percentage: Option<f64>,
    /// Fires below this, and not at it.
    #[schemars(range(min = 0, max = 100))]
    min_percentage: Option<f64>,
    /// How much data each percentage is made of.
    timeframe: Duration,
    /// How far apart percentages are judged; a whole part of the timeframe, at least a 1,440th. The timeframe by
    /// default.
    step: Option<Duration>,
    /// A timeframe with fewer documents is not judged; one with none never is.
    #[serde(default)]
    min_denominator: u64,
}

/// What is kept of a key: nothing, unless a timeframe is made of several steps.
#[derive(Serialize, Deserialize)]
pub struct Series {
    labels: Labels,
    shares: Cells<Share>,
    level: Level,
}

/// How many documents there are, and how many of them match.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Share {
    all: u32,
    matching: u32,
}

/// Names are kept, so fewer keys than a map holds by default.
const KEYS_MAX: usize = 200_000;
/// The column of the documents that match, which no field has.
const MATCHING: &str = "_match";

#[watchbell_sdk::rule(
    name = "percentage_match",
    summary = "Fires while too many or too few of a key's documents match"
)]
impl Rule for PercentageMatch {
    type State = KeyMap<Series, KEYS_MAX>;

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        let faults = self.faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        let plan = self.steps().plan();
        Ok(if self.steps().is_one() { Plan { history: Duration::ZERO, ..plan } } else { plan })
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        vec![Question::buckets(over, Some(self.steps().step)).named_filter(MATCHING, &self.r#match)]
    }

    /// The bucket of a key is there with all its documents: where it is the whole timeframe, nothing needs to be kept.
    fn row(&self, row: &Row<'_>, keys: &mut Self::State, out: &mut Signals) {
        let share = Share { all: counted(row, "_count"), matching: counted(row, MATCHING) };
        if self.steps().is_one() {
            if let Some((percentage, crossed)) = self.judge(share) {
                out.push(self.signal(
                    row.labels(),
                    cell_end(row.time(), self.steps().step),
                    share,
                    percentage,
                    crossed,
                ));
            }
            return;
        }
        let series = keys.entry_with(row.key(), || Series::new(row.labels()));
        let held = series.shares.entry(row.time(), self.steps().step);
        *held = held.and(share);
    }

    fn check(&self, at: Timestamp, keys: &mut Self::State, out: &mut Signals) {
        let steps = self.steps();
        let (over, is_beat) = (steps.over(at), steps.is_beat(at));
        keys.retain(|_, series| {
            series.shares.forget_before(over.start, steps.step);
            let share =
                series.shares.over(over, steps.step).fold(Share::default(), |sum, share| sum.and(*share));
            match self.judge(share) {
                Some((percentage, crossed)) => {
                    if series.level.tells(percentage, crossed.is_above(), is_beat) {
                        out.push(self.signal(series.labels.clone(), at, share, percentage, crossed));
                    }
                }
                None => series.level.end(),
            }
            !series.shares.is_empty()
        });
    }

    /// The next check is a step later. A key itself stays until then: what was told of it still counts.
    fn settle(&self, at: Timestamp, keys: &mut Self::State) {
        let steps = self.steps();
        let first = steps.over(at + steps.step).start;
        keys.values_mut().for_each(|series| series.shares.forget_before(first, steps.step));
    }
}

impl PercentageMatch {
    fn bounds(&self) -> Bounds {
        Bounds::exclusive(self.max_percentage, self.min_percentage)
    }

    fn steps(&self) -> Steps {
        Steps::new(self.timeframe, self.step)
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = self.bounds().faults("max_percentage", "min_percentage");
        if self.r#match.trim().is_empty() {
            faults.push(Fault::new("/match", "must say which documents match, in Lucene syntax"));
        }
        for (name, bound) in
            [("max_percentage", self.max_percentage), ("min_percentage", self.min_percentage)]
        {
            if bound.is_some_and(|percentage| !(0.0..=100.0).contains(&percentage)) {
                faults.push(Fault::new(format!("/{name}"), "must be from 0 to 100"));
            }
        }
        faults.extend(self.steps().fault());
        faults
    }

    fn judge(&self, share: Share) -> Option<(f64, Crossed)> {
        if share.all == 0 || u64::from(share.all) < self.min_denominator {
            return None;
        }
        let percentage = 100.0 * f64::from(share.matching) / f64::from(share.all);
        Some((percentage, self.bounds().crossed(percentage)?))
    }

    fn signal(
        &self,
        labels: Labels,
        at: Timestamp,
        share: Share,
        percentage: f64,
        crossed: Crossed,
    ) -> Signal {
        let (threshold, timeframe) = (crossed.threshold(), self.timeframe);
        let shown = (percentage * 100.0).round() / 100.0;
        let Share { all, matching } = share;
        Signal::firing(labels, at)
            .until(at + timeframe)
            .value(percentage)
            .threshold(threshold)
            .summary(format!(
                "{shown}% of {all} documents match within {timeframe}, {} {threshold}%",
                crossed.word()
            ))
            .details(&json!({
                "percentage": percentage,
                "denominator": all,
                "matching": matching,
                "crossed": crossed.word(),
            }))
            .evidence(Evidence::over(self.steps().over(at)).filter(&self.r#match))
    }
}

fn counted(row: &Row<'_>, column: &str) -> u32 {
    row.integer(column).map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX))
}

impl Share {
    fn and(self, other: Self) -> Self {
        Self {
            all: self.all.saturating_add(other.all),
            matching: self.matching.saturating_add(other.matching),
        }
    }
}

impl Series {
    fn new(labels: Labels) -> Self {
        Self { labels, shares: Cells::default(), level: Level::default() }
    }
}

impl Aged for Series {
    fn newest(&self) -> Option<Timestamp> {
        self.shares.newest_place().map(Timestamp)
    }

    fn heap_bytes(&self) -> usize {
        let labels = self.labels.0.iter().flatten().map(|value| value.capacity() + 16);
        16 + self.labels.0.capacity() * size_of::<Option<String>>()
            + labels.sum::<usize>()
            + self.shares.heap_bytes()
    }
}
