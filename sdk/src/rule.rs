//! The trait that rules implement.
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Context, Duration, Question, Range, Row, Signals, Timestamp};

/// A rule: a struct of parameters with functions that process rows.
///
/// The SDK calls [`row`](Self::row) for every row, in order of time, and [`check`](Self::check) at every point of the
/// plan's grid (or every [`check_every`](Self::check_every)). A check at an instant sees exactly the rows before that
/// instant. Both functions may only change the state and push signals, and signals must depend on nothing but the
/// parameters, the rows and the state: then windows can be split, merged and repeated, and processes restarted, without
/// changing the result.
///
/// The attribute [`rule`](crate::rule) fills in the constants and exports the rule from the module.
pub trait Rule: DeserializeOwned + JsonSchema + 'static {
    /// The rule's name, for example `spike`; 1 to 4,096 bytes. For a built-in rule it is what manifests write after
    /// `use:`.
    const NAME: &'static str;
    /// The module's own version, for people; at most 4,096 bytes.
    const VERSION: &'static str;
    /// One sentence for people; at most 4,096 bytes.
    const SUMMARY: &'static str;
    /// Increase it when the meaning of `State` changes: the host then rebuilds the state from the past. A change of its
    /// layout does that too, but the host says that the version was forgotten.
    const STATE_VERSION: u32;

    /// The state kept between runs, at most 16 MiB by default when serialized. The encoding is postcard, which has no
    /// field names: `#[serde(flatten)]` and `skip_serializing_if` do not work.
    type State: Default + Serialize + DeserializeOwned;

    /// Checks the parameters against each other and the context, and returns what the rule needs.
    ///
    /// # Errors
    /// All faults at once, each with the JSON pointer of its parameter. The host reports the first 100.
    fn plan(&self, context: &Context) -> Result<Plan, Vec<Fault>>;

    /// The questions about `over`, at most 64. By default, a single one: every document, with only its key fields.
    ///
    /// Rows arrive page by page for a single question, and for several that cover consecutive ranges. If questions
    /// overlap, the host merges their rows by time, for which it holds all their pages in memory.
    fn ask(&self, over: Range) -> Vec<Question> {
        vec![Question::hits(over)]
    }

    /// The questions about `over` in one round, at most 64. Called with `round` 0, 1 and so on until it returns none;
    /// at most four rounds may have questions. By default, round 0 has those of [`ask`](Self::ask), and there is no
    /// other.
    ///
    /// `state` includes all rows before `over.start` and the answers of earlier rounds. The rows of a round must not be
    /// earlier than those of the round before. A rule that needs to know later how far back its past was read, or
    /// whether it has key fields, stores that in the state here.
    fn ask_round(
        &self,
        round: usize,
        over: Range,
        context: &Context,
        state: &mut Self::State,
    ) -> Vec<Question> {
        let _ = (context, state);
        if round == 0 { self.ask(over) } else { vec![] }
    }

    /// Whether the rows of a round serve only to decide what the next round asks. If so, they are passed to
    /// [`scout`](Self::scout) instead of [`row`](Self::row), and neither checks nor the snapshot happen in that round.
    /// The next round may also ask about the time before `over`, which the state already includes. Called after
    /// [`ask_round`](Self::ask_round) for the same round. False by default.
    fn is_scouted(&self, round: usize) -> bool {
        let _ = round;
        false
    }

    /// Processes a row of a round for which [`is_scouted`](Self::is_scouted) returned true.
    fn scout(&self, row: &Row<'_>, state: &mut Self::State) {
        let _ = (row, state);
    }

    /// Processes one row. A row whose key fields have several values comes once for each of its groups, at most 64
    /// times.
    fn row(&self, row: &Row<'_>, state: &mut Self::State, out: &mut Signals);

    /// The interval between checks; `None`: no checks. By default the plan's grid, on which windows end as well. Override
    /// it, and return a plan without a grid, for a rule that needs checks at regular instants (multiples of this
    /// interval) but whose windows may end anywhere.
    fn check_every(&self, plan: &Plan) -> Option<Duration> {
        plan.grid
    }

    /// Runs a check at `at`, whether or not there were rows. Every row before `at` has been processed, and none at or
    /// after it.
    fn check(&self, at: Timestamp, state: &mut Self::State, out: &mut Signals) {
        let _ = (at, state, out);
    }

    /// Drops everything from the state that no row at or after `at`, and no later check, can need. Called just before
    /// the state is stored.
    fn settle(&self, at: Timestamp, state: &mut Self::State) {
        let _ = (at, state);
    }
}

/// What a rule needs from the host.
///
/// ```
/// use watchbell_sdk::prelude::*;
///
/// // Evaluated when rows arrive; five minutes of the past decide.
/// let rows = Plan::rows(Duration::from_mins(5));
/// // Evaluated every minute as well, whether or not rows arrive; windows end on minutes.
/// let checks = Plan::checks(Duration::from_hours(1), Duration::from_mins(1));
/// assert_eq!((rows.grid, checks.grid), (None, Some(Duration::from_mins(1))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How much history a rule must read before its first window to evaluate it correctly; at most 400 days.
    pub history: Duration,
    /// The interval between checks, at most 7 days. With `every`, checks are at multiples of it, counted from
    /// 1970-01-01T00:00:00Z; with `cron`, they count back from the scheduled instants. `None`: no checks, and windows end
    /// as the manifest says.
    pub grid: Option<Duration>,
}

/// An invalid parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A JSON pointer into the parameters, such as `/timeframe`; empty for the parameters as a whole.
    pub path: String,
    /// What is wrong, for the manifest's author.
    pub message: String,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The answer lacks something that the rule needs.
    Rows(String),
    /// The state cannot be read: the host primes the rule again, from past data.
    State(String),
    /// Anything else: the host retries, then looks for the rows that cause it.
    Other(String),
}

impl Plan {
    /// A rule that evaluates only when rows arrive.
    pub fn rows(history: Duration) -> Self {
        Self { history, grid: None }
    }

    /// A rule that also runs a check every `grid`, which must not be zero.
    pub fn checks(history: Duration, grid: Duration) -> Self {
        Self { history, grid: Some(grid) }
    }
}

impl Fault {
    /// A fault in the parameter at `path`, a JSON pointer; empty for the parameters as a whole.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

/// Converts one fault to a list, so that `Err(fault.into())` works.
impl From<Fault> for Vec<Fault> {
    fn from(fault: Fault) -> Self {
        vec![fault]
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rows(message) | Self::State(message) | Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Problem {}
