//! `sequence`: one thing and then another, or one thing that the other does not follow.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

mod instant; // documents of one instant, which have no order
#[cfg(test)]
mod tests;

use instant::Instant;

/// Fires for a key when `then` follows `first` within a time, or when `without` does not.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("x-watchbell-details" = ["first", "then", "took", "deadline"]))]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// What it begins with, in Lucene's syntax.
    first: String,
    /// What makes it complete: fires when it comes. This or `without`.
    then: Option<String>,
    /// What must follow: fires when it did not. This or `then`.
    without: Option<String>,
    /// How long after `first` the other may come; exactly this long is too late.
    within: Duration,
}

/// Which of the two a rule waits for, and what that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode<'r> {
    Then(&'r str),
    Without(&'r str),
}

/// What is known of a key.
#[derive(Serialize, Deserialize)]
pub struct Waiting {
    name: Name,
    /// `then`: its newest `first`. `without`: the `first` that it waits since.
    since: Option<Timestamp>,
    /// Which document that was.
    first: DocumentId,
    /// `without`: when it was told that nothing followed.
    told: Option<Timestamp>,
}

#[derive(Default, Serialize, Deserialize)]
pub struct Open {
    keys: NamedMap<Waiting>,
    /// Never kept: a snapshot lies between two instants.
    #[serde(skip)]
    instant: Instant,
}

const FIRST: &str = "first";
/// Missing things are looked for at least this often.
const GRID_MAX: Duration = Duration::from_mins(5);

#[watchbell_sdk::rule(
    state_version = 2,
    name = "sequence",
    summary = "Fires when one thing follows another of the same key, or when it does not"
)]
impl Rule for Sequence {
    type State = Open;

    fn plan(&self, context: &Context) -> Result<Plan, Vec<Fault>> {
        let mut faults = Vec::new();
        if context.key.is_empty() {
            faults.push(Fault::new("", "needs a `key:` in the manifest: it says what belongs together"));
        }
        if let Some(taken) = context.key.iter().find(|key| [FIRST, "then", "without"].contains(&key.as_str()))
        {
            let message = format!("the key field `{taken}` is called like a part of the sequence");
            faults.push(Fault::new("", message));
        }
        if self.then.is_some() == self.without.is_some() {
            faults.push(Fault::new("", "needs one of `then` and `without`"));
        }
        let texts =
            [("first", Some(&self.first)), ("then", self.then.as_ref()), ("without", self.without.as_ref())];
        for (name, text) in texts {
            if text.is_some_and(|text| text.trim().is_empty()) {
                faults.push(Fault::new(format!("/{name}"), "must be a filter, such as `event.action:login`"));
            }
        }
        if self.within.is_zero() {
            faults.push(Fault::new("/within", "must be longer than zero"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(match self.mode() {
            Mode::Then(_) => Plan::rows(self.within),
            Mode::Without(_) => Plan::checks(self.within * 2 + self.grid(), self.grid()),
        })
    }

    fn ask(&self, over: Range) -> Vec<Question> {
        let hits = Question::hits(over).identified().named_filter(FIRST, self.first.as_str());
        vec![hits.named_filter(self.mode().name(), self.mode().filter()).named_only()]
    }

    fn row(&self, row: &Row<'_>, open: &mut Self::State, out: &mut Signals) {
        self.pass(row.time(), open);
        let mode = self.mode();
        let is_first = row.boolean(FIRST) == Some(true);
        let is_other = row.boolean(mode.name()) == Some(true);
        if !is_first && !is_other {
            return;
        }
        let seen = open.instant.see(row, is_first, is_other);
        match mode {
            Mode::Then(_) if seen.is_pair || is_other => self.complete(row, open, seen.is_pair, out),
            Mode::Without(_) if is_other => self.follow(row, open, out),
            _ => {}
        }
    }

    fn check(&self, at: Timestamp, open: &mut Self::State, out: &mut Signals) {
        self.pass(at, open);
        if !matches!(self.mode(), Mode::Without(_)) {
            return;
        }
        open.keys.retain(|_, key| {
            if let Some(since) = key.since.filter(|since| *since + self.within <= at) {
                out.push(self.missed(key, since, at));
                (key.since, key.told) = (None, Some(at));
                key.first.forget();
            }
            key.told = key.told.filter(|told| at.since(*told) < self.within);
            key.since.is_some() || key.told.is_some()
        });
    }

    fn settle(&self, at: Timestamp, open: &mut Self::State) {
        self.pass(at, open);
        if let Mode::Then(_) = self.mode() {
            open.keys.retain(|_, key| key.since.is_some_and(|since| at.since(since) < self.within));
        }
    }
}

impl Mode<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Then(_) => "then",
            Self::Without(_) => "without",
        }
    }

    fn filter(&self) -> &str {
        match self {
            Self::Then(filter) | Self::Without(filter) => filter,
        }
    }
}

impl Sequence {
    fn mode(&self) -> Mode<'_> {
        match (&self.then, &self.without) {
            (Some(then), _) => Mode::Then(then),
            (None, without) => Mode::Without(without.as_deref().unwrap_or_default()),
        }
    }

    fn grid(&self) -> Duration {
        self.within.grid().min(GRID_MAX)
    }

    /// Once time has moved on, what began in the last instant waits, unless the same instant ended it.
    fn pass(&self, at: Timestamp, open: &mut Open) {
        let Some((since, begun)) = open.instant.end(at) else { return };
        let is_then = matches!(self.mode(), Mode::Then(_));
        for (key, name, first) in begun {
            let make = || Waiting { name, since: None, first: DocumentId::default(), told: None };
            open.keys.update(key, make, |waiting| {
                // Of several, the newest can still be followed; but what was not followed is late by the oldest.
                if is_then || waiting.since.is_none() {
                    (waiting.since, waiting.first) = (Some(since), first);
                }
            });
        }
    }

    /// `then`: fires if the other follows a `first` of before, or one of the same instant.
    fn complete(&self, row: &Row<'_>, open: &mut Open, is_pair: bool, out: &mut Signals) {
        let at = row.time();
        let before = open.keys.get(row.key()).and_then(|key| Some((key.since?, key.first.clone())));
        let before = before.filter(|(since, _)| at.since(*since) < self.within);
        let (first, then) = open.instant.pair(row.key());
        let Some((since, first)) = before.or(is_pair.then_some((at, first))) else { return };
        if open.instant.settle(row.key()) {
            open.keys.remove(row.key());
            out.push(self.followed(row, since, [(at, &then), (since, &first)]));
        }
    }

    /// `without`: nothing is missing any more.
    fn follow(&self, row: &Row<'_>, open: &mut Open, out: &mut Signals) {
        open.instant.settle(row.key());
        let Some(key) = open.keys.remove(row.key()) else { return };
        let at = row.time();
        if key.told.is_some_and(|told| at.since(told) < self.within) {
            out.push(Signal::clear(row.labels(), at).summary("it came after all"));
        }
    }

    fn followed(&self, row: &Row<'_>, since: Timestamp, documents: [(Timestamp, &DocumentId); 2]) -> Signal {
        let (at, took) = (row.time(), row.time().since(since));
        Signal::firing(row.labels(), at)
            .until(at + self.within)
            .value(took.millis() as f64 / 1_000.0)
            .threshold(self.within.millis() as f64 / 1_000.0)
            .summary(format!("followed after {took}, within {}", self.within))
            .details(&json!({ "first": since.to_string(), "then": at.to_string(), "took": took.to_string() }))
            .evidence(self.evidence(Range::new(since, at + Duration(1))).newest(2).documents(documents))
    }

    fn missed(&self, key: &Waiting, since: Timestamp, at: Timestamp) -> Signal {
        Signal::firing(key.name.labels(), at)
            .until(at + self.within)
            .value(at.since(since).millis() as f64 / 1_000.0)
            .threshold(self.within.millis() as f64 / 1_000.0)
            .summary(format!("not followed within {}", self.within))
            .details(&json!({ "first": since.to_string(), "deadline": (since + self.within).to_string() }))
            .evidence(self.evidence(Range::new(since, at)).newest(1).documents([(since, &key.first)]))
    }

    fn evidence(&self, over: Range) -> Evidence {
        let mode = self.mode();
        Evidence::over(over).filter(format!("({}) OR ({})", self.first, mode.filter()))
    }
}

impl Aged for Waiting {
    fn newest(&self) -> Option<Timestamp> {
        self.since.max(self.told)
    }

    fn heap_bytes(&self) -> usize {
        self.name.heap_bytes() + self.first.heap_bytes()
    }

    fn spare(&mut self) {
        self.first.forget();
    }
}
