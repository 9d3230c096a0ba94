//! `new_term`: a value that a field did not have for a long while.
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

mod parts; // the past, asked as buckets
mod step; // how exactly it is known when a term was seen last
mod term; // the values of a row

use term::{Found, Term};

#[cfg(test)]
mod tests;

/// Announces values of fields that were not seen for a while, each once.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["field", "value", "missing", "count", "new"]))]
#[serde(deny_unknown_fields)]
pub struct NewTerm {
    /// The fields whose new values are announced, at most 16; a list of fields stands for their combinations.
    #[schemars(length(min = 1, max = 16))]
    fields: Vec<Term>,
    /// How long a value is known after it was seen last.
    #[serde(default = "a_month")]
    window: Duration,
    /// Also announce a document without the field: missing is a value like any other.
    #[serde(default)]
    alert_on_missing_field: bool,
}

/// What is known of the past.
#[derive(Default, Serialize, Deserialize)]
pub struct Known {
    /// From where on the past was read: only what comes long enough after that can be told to be new.
    since: Option<Timestamp>,
    /// As of when terms were forgotten last.
    settled: Option<LastSeen>,
    terms: KeyMap<LastSeen>,
    /// How many questions of the round ask for buckets.
    #[serde(skip)]
    asked: usize,
    /// What is new at one instant, and in which document, by the labels of its rows: they are told together.
    #[serde(skip)]
    pending: Option<(Timestamp, Pending)>,
}

type Pending = BTreeMap<Labels, Vec<(Found, Evidence)>>;

const FIELDS_MAX: usize = 16;
/// How many new values a signal lists.
const LISTED_MAX: usize = 50;
/// What waits for the end of its instant must be told before the state is kept and before the run ends, and both lie
/// on the grid.
const GRID: Duration = Duration::from_secs(1);

fn a_month() -> Duration {
    Duration::from_mins(30 * 24 * 60)
}

#[watchbell_sdk::rule(
    name = "new_term",
    summary = "Announces values of fields that were not seen for a while"
)]
impl Rule for NewTerm {
    type State = Known;

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = Vec::new();
        if self.fields.is_empty() || self.fields.len() > FIELDS_MAX {
            let message = format!("must name 1 to {FIELDS_MAX} fields, or combinations of them");
            faults.push(Fault::new("/fields", message));
        }
        for (index, term) in self.fields.iter().enumerate() {
            faults.extend(term.fault(index));
            if self.fields[..index].contains(term) {
                faults.push(Fault::new(format!("/fields/{index}"), "stands there already"));
            }
        }
        if self.window.is_zero() {
            faults.push(Fault::new("/window", "must be longer than zero"));
        }
        if faults.is_empty() { Ok(Plan::checks(self.history(), GRID)) } else { Err(faults) }
    }

    fn ask_round(&self, round: usize, over: Range, _: &Context, known: &mut Known) -> Vec<Question> {
        let since = *known.since.get_or_insert(over.start);
        let (questions, buckets) = parts::questions(self, round, over, since + self.history());
        known.asked = buckets;
        questions
    }

    fn row(&self, row: &Row<'_>, known: &mut Known, out: &mut Signals) {
        if row.question() < known.asked {
            let index = row.question() % self.fields.len();
            self.each_term(index, row, &mut |key, _| {
                known.see(key, row.time(), self);
            });
            return;
        }
        if known.pending.as_ref().is_some_and(|(at, _)| *at < row.time()) {
            known.tell(self, out);
        }
        let can_be_new = known.since.is_some_and(|since| row.time() >= since + self.history());
        for index in 0..self.fields.len() {
            self.each_term(index, row, &mut |key, values| {
                if known.see(key, row.time(), self) && can_be_new {
                    known.keep(row, Found::new(&self.fields[index], values));
                }
            });
        }
    }

    fn check(&self, _at: Timestamp, known: &mut Known, out: &mut Signals) {
        known.tell(self, out);
    }

    /// Which terms are known changes with the step of the clock, and so does what is forgotten.
    fn settle(&self, at: Timestamp, known: &mut Known) {
        let now = self.seen(at);
        if known.settled.is_none_or(|settled| settled < now) {
            known.terms.retain(|_, seen| self.is_known(*seen, now));
            known.settled = Some(now);
        }
    }
}

impl NewTerm {
    /// A term is known for up to a step longer than the window.
    fn history(&self) -> Duration {
        self.window + self.step()
    }

    fn step(&self) -> Duration {
        step::of(self.window)
    }

    fn seen(&self, at: Timestamp) -> LastSeen {
        LastSeen::new(at, self.step())
    }

    fn is_known(&self, seen: LastSeen, now: LastSeen) -> bool {
        u64::from(seen.cells_until(now)) <= self.window.millis().div_ceil(self.step().millis())
    }

    /// Calls `each` with the key of every value of a term, and the value; with none where it is missing.
    fn each_term(&self, index: usize, row: &Row<'_>, each: &mut dyn FnMut(Key, &[Value<'_>])) {
        let key = Key::of([]).with(Some(Value::Integer(index as i64)));
        if !self.fields[index].each(row, key, each) && self.alert_on_missing_field {
            each(key.with(None), &[]);
        }
    }

    fn signal(&self, at: Timestamp, labels: Labels, found: Vec<(Found, Evidence)>) -> Signal {
        let (found, documents): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let mut summary = found.first().map_or(String::new(), Found::summary);
        if found.len() > 1 {
            summary.push_str(&format!(" (and {} more)", found.len() - 1));
        }
        let mut details = found.first().map_or_else(|| json!({}), Found::details);
        let listed = found.iter().take(LISTED_MAX).map(Found::details);
        details["count"] = found.len().into();
        details["new"] = listed.collect();
        // By the terms: a late document may turn out to have been the first to have one.
        let terms: Vec<_> = found.iter().map(Found::details).collect();
        let signal = Signal::event(labels, at).identity(json!(terms).to_string());
        let signal = signal.value(found.len() as f64).summary(summary).details(&details);
        Signal { evidence: documents.into_iter().next(), ..signal }
    }
}

impl Known {
    /// Notes that a term was seen, and says whether it is new.
    fn see(&mut self, key: Key, at: Timestamp, rule: &NewTerm) -> bool {
        let now = rule.seen(at);
        let mut is_first = false;
        let seen = self.terms.entry_with(key, || {
            is_first = true;
            now
        });
        let is_new = is_first || !rule.is_known(*seen, now);
        *seen = now.max(*seen);
        is_new
    }

    fn keep(&mut self, row: &Row<'_>, found: Found) {
        let (_, pending) = self.pending.get_or_insert_with(|| (row.time(), BTreeMap::new()));
        pending.entry(row.labels()).or_default().push((found, row.evidence()));
    }

    fn tell(&mut self, rule: &NewTerm, out: &mut Signals) {
        let Some((at, pending)) = self.pending.take() else { return };
        for (labels, mut found) in pending {
            // Documents of one instant come in an order of their own.
            found.sort_by(|(one, _), (other, _)| one.cmp(other));
            out.push(rule.signal(at, labels, found));
        }
    }
}
