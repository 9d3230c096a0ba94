//! `query`: any search, with thresholds on values picked from its answer.
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use watchbell_sdk::prelude::*;
use watchbell_sdk::{Ask, Bounds, Crossed, RawSearch, cell, cell_start};

#[cfg(test)]
mod tests;

/// Asks a search about the last `over`, every `every`, and fires while a value picked from the answer is above or below
/// what it should be.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["values", "crossed"]))]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The body of the search. The manifest's filter and the time range always apply as well.
    #[schemars(extend("x-watchbell-search" = true))]
    body: Map<String, Json>,
    /// A name for each value of the answer that matters, with its JSON pointer, such as
    /// `/aggregations/slow/doc_count`.
    pick: BTreeMap<String, String>,
    /// Any one of them suffices.
    #[schemars(length(min = 1))]
    fire: Vec<Fire>,
    /// How often it asks.
    #[schemars(extend("x-watchbell-past" = true))]
    every: Duration,
    /// How much of the past it asks about; `every` by default.
    #[schemars(extend("x-watchbell-past" = true))]
    over: Option<Duration>,
    /// What it means that the answer has nothing at a pointer. An average of nothing is no number, so `ignore` is right
    /// where there may be nothing to measure; else it is a mistake in the pointer, and the run fails.
    #[serde(default)]
    missing: Missing,
}

/// When it fires.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fire {
    /// One of the names of `pick`.
    value: String,
    /// Fires above this, and not at it.
    above: Option<f64>,
    /// Fires below this, and not at it.
    below: Option<f64>,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Missing {
    #[default]
    Fail,
    Ignore,
}

/// Whether the last answer fired, and how far was asked. A handful of bytes.
#[derive(Default, Serialize, Deserialize)]
pub struct Watch {
    is_firing: bool,
    /// The end of the last window. Checks up to it were made once; they are made again for late documents alone.
    asked_to: i64,
    /// The first check of the run, which is asked about in several rounds.
    #[serde(skip)]
    first: i64,
    /// What the answer held, by the order of `pick`, until the check that it was asked for.
    #[serde(skip)]
    heard: Option<Vec<Option<f64>>>,
}

/// Checks of one round, and the rounds of a run: it may ask no more questions.
const QUESTIONS_MAX: i64 = 64;
const ROUNDS_MAX: i64 = 4;
const CHECKS_MAX: i64 = QUESTIONS_MAX * ROUNDS_MAX;
/// Picked values: each is a column, and stands in every signal.
const PICKS_MAX: usize = 100;

#[watchbell_sdk::rule(
    name = "query",
    summary = "Fires while a value picked from the answer to a search is above or below what it should be",
    state_version = 2
)]
impl Rule for Query {
    type State = Watch;

    fn plan(&self, context: &Context) -> Result<Plan, Vec<Fault>> {
        let faults = self.faults(&context.key);
        // Without a state it knows of no level to end: one that is open then lapses.
        if faults.is_empty() { Ok(Plan::checks(Duration::ZERO, self.every)) } else { Err(faults) }
    }

    /// A question for each grid point of the window, each about its own past. Of points that were asked about before, the
    /// oldest are left out where there are too many; of others none is: then the host gives a smaller window.
    fn ask_round(&self, round: usize, over: Range, _: &Context, watch: &mut Watch) -> Vec<Question> {
        let (before, last) = (cell(over.start, self.every), cell(over.end, self.every));
        if round == 0 {
            let new = cell(Timestamp(watch.asked_to.clamp(over.start.0, over.end.0)), self.every);
            if last - new > CHECKS_MAX {
                return self.checks(new + 1, last);
            }
            watch.first = (before + 1).max(last - CHECKS_MAX + 1);
            if watch.first > before + 1 {
                watchbell_sdk::log::warn(format_args!(
                    "`lateness` is {} checks long: only the last {CHECKS_MAX} are made again for late documents",
                    last - before
                ));
            }
            watch.asked_to = watch.asked_to.max(over.end.0);
        }
        let first = watch.first + i64::try_from(round).unwrap_or(ROUNDS_MAX) * QUESTIONS_MAX;
        self.checks(first, last.min(first + QUESTIONS_MAX - 1))
    }

    /// An answer carries the last instant of what was asked about: the check after it is its own.
    fn row(&self, row: &Row<'_>, watch: &mut Watch, _out: &mut Signals) {
        let picked = self.pick.iter().map(|(name, pointer)| {
            if !row.has(name) && self.missing == Missing::Fail {
                row.refuse(|| {
                    format!(
                        "the answer has nothing at `{pointer}`, which `pick` calls `{name}`: compare the pointer with an answer of the cluster's, or set `missing: ignore` if there may be nothing to measure"
                    )
                });
            }
            row.number(name)
        });
        watch.heard = Some(picked.collect());
    }

    fn check(&self, at: Timestamp, watch: &mut Watch, out: &mut Signals) {
        let Some(heard) = watch.heard.take() else { return };
        let values: BTreeMap<&str, Option<f64>> = self.pick.keys().map(String::as_str).zip(heard).collect();
        let crossed: Vec<_> = self.fire.iter().filter_map(|fire| fire.crossed(&values)).collect();
        if !crossed.is_empty() {
            watch.is_firing = true;
            out.push(self.signal(at, &values, &crossed));
        } else if std::mem::take(&mut watch.is_firing) {
            let summary = "no value is above or below what it should be";
            out.push(
                Signal::clear(Labels::default(), at).summary(summary).details(&json!({ "values": values })),
            );
        }
    }
}

/// What a search's answer says of how many documents it found; a cluster counts to 10,000 and no further by default.
const TOTAL: &str = "/hits/total";
const COUNTING: &str = "track_total_hits";

impl Query {
    /// The body, which has the cluster count all documents if their number is picked.
    fn exact_body(&self) -> Map<String, Json> {
        let mut body = self.body.clone();
        if self.picks_total() && !body.contains_key(COUNTING) {
            body.insert(COUNTING.into(), Json::Bool(true));
        }
        body
    }

    fn picks_total(&self) -> bool {
        let is_total = |pointer: &String| {
            pointer.strip_prefix(TOTAL).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.pick.values().any(is_total)
    }

    fn checks(&self, first: i64, last: i64) -> Vec<Question> {
        let body = Json::Object(self.exact_body()).to_string();
        let pick: Vec<_> = self.pick.iter().map(|(name, pointer)| (name.clone(), pointer.clone())).collect();
        (first..=last)
            .map(|point| {
                let ask = Ask::Search(RawSearch { body: body.clone(), picks: pick.clone() });
                Question { over: self.past(cell_start(point, self.every)), only: vec![], filter: None, ask }
            })
            .collect()
    }

    fn past(&self, at: Timestamp) -> Range {
        Range::new(at - self.over.unwrap_or(self.every), at)
    }

    fn faults(&self, key: &[String]) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !key.is_empty() {
            let message = "a search gives one answer: leave `key:` out of the manifest, or count by key with another rule";
            faults.push(Fault::new("", message));
        }
        if self.every.is_zero() {
            faults.push(Fault::new("/every", "must be longer than zero"));
        }
        if self.over.is_some_and(Duration::is_zero) {
            faults.push(Fault::new("/over", "must be longer than zero"));
        }
        if self.pick.is_empty() || self.pick.len() > PICKS_MAX {
            faults.push(Fault::new("/pick", format!("must name 1 to {PICKS_MAX} values of the answer")));
        }
        for (name, pointer) in &self.pick {
            if !pointer.starts_with('/') {
                let message =
                    format!("`{pointer}` is not a JSON pointer: write it like `/aggregations/{name}/value`");
                faults.push(Fault::new(format!("/pick/{name}"), message));
            }
        }
        if let Some(counting) = self.body.get(COUNTING).filter(|counting| **counting != Json::Bool(true))
            && self.picks_total()
        {
            let message = format!(
                "is {counting}, but `pick` reads `{TOTAL}`, which is then no number of all documents: leave it out, or set it to true"
            );
            faults.push(Fault::new(format!("/body/{COUNTING}"), message));
        }
        if self.fire.is_empty() {
            faults.push(Fault::new("/fire", "is empty: nothing would ever fire"));
        }
        for (number, fire) in self.fire.iter().enumerate() {
            if !self.pick.contains_key(&fire.value) {
                let known = self.pick.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let message = format!("`{}` is not picked; picked are: {known}", fire.value);
                faults.push(Fault::new(format!("/fire/{number}/value"), message));
            }
            let bounds = fire.bounds().faults("above", "below");
            let placed = |fault: Fault| Fault::new(format!("/fire/{number}{}", fault.path), fault.message);
            faults.extend(bounds.into_iter().map(placed));
        }
        faults
    }

    fn signal(
        &self,
        at: Timestamp,
        values: &BTreeMap<&str, Option<f64>>,
        crossed: &[(&str, f64, Crossed)],
    ) -> Signal {
        let told = |(name, value, crossed): &(&str, f64, Crossed)| {
            format!(
                "{name} {} is {} {}",
                Value::Number(*value),
                crossed.word(),
                Value::Number(crossed.threshold())
            )
        };
        let listed: Vec<_> = crossed
            .iter()
            .map(|(name, value, crossed)| {
                json!({ "value": name, "is": value, "crossed": crossed.word(), "threshold": crossed.threshold() })
            })
            .collect();
        let signal = Signal::firing(Labels::default(), at)
            .until(at + self.every * 2)
            .summary(crossed.iter().map(told).collect::<Vec<_>>().join(", "))
            .details(&json!({ "values": values, "crossed": listed }))
            .evidence(Evidence::over(self.past(at)));
        match crossed.first() {
            Some((_, value, crossed)) => signal.value(*value).threshold(crossed.threshold()),
            None => signal,
        }
    }
}

impl Fire {
    fn bounds(&self) -> Bounds {
        Bounds::exclusive(self.above, self.below)
    }

    fn crossed<'f>(&'f self, values: &BTreeMap<&str, Option<f64>>) -> Option<(&'f str, f64, Crossed)> {
        let value = values.get(self.value.as_str()).copied().flatten()?;
        Some((&self.value, value, self.bounds().crossed(value)?))
    }
}
