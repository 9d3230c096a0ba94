//! The trait that rules implement.
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Duration, Question, Range, Row, Signals, Timestamp};

/// A rule: a struct of parameters with functions that process rows.
///
/// The SDK calls [`row`](Self::row) for every row in order of time, and [`check`](Self::check) at every step of the
/// plan's grid (or of [`check_every`](Self::check_every)), counted back from the window's end. A check at an instant
/// sees exactly the rows before it. Both only change the state and push signals. Signals must not depend on anything
/// else: then windows can be split, merged and repeated, and processes restarted, without changing the result.
///
/// The attribute [`rule`](crate::rule) fills in the constants and exports the rule from the module.
pub trait Rule: DeserializeOwned + JsonSchema + 'static {
    /// The name in a manifest's `use:`, for example `spike`.
    const NAME: &'static str;
    /// The module's own version, for people.
    const VERSION: &'static str;
    /// One sentence for people.
    const SUMMARY: &'static str;
    /// Increase it when the layout of `State` changes: the host then rebuilds the state from the past.
    const STATE_VERSION: u32;

    /// The state kept between runs. Serialized by postcard: it must not need field names or `#[serde(flatten)]`.
    type State: Default + Serialize + DeserializeOwned;

    /// Checks the parameters against each other and the key fields, and returns what the rule needs.
    ///
    /// # Errors
    /// All errors at once, each with the parameter's JSON pointer.
    fn plan(&self, key: &[String]) -> Result<Plan, Vec<Fault>>;

    /// The questions about `over`. By default, every document with only its key fields.
    ///
    /// Rows arrive page by page, for one question or for several that cover consecutive ranges. Questions that overlap
    /// are merged by time, for which the SDK holds all their pages in memory.
    fn ask(&self, over: Range) -> Vec<Question> {
        vec![Question::hits(over)]
    }

    /// The questions about `over` in each round, counted from 0, until there are none; at most four rounds. By
    /// default [`ask`](Self::ask) in the first, and no other.
    ///
    /// `state` includes all rows before `over.start` and the answers of earlier rounds. The rows of a round must not be
    /// earlier than those of the round before. A rule that needs to know how far back its past was read, or whether it
    /// has key fields, stores that here.
    fn ask_round(&self, round: usize, over: Range, key: &[String], state: &mut Self::State) -> Vec<Question> {
        let _ = (key, state);
        if round == 0 { self.ask(over) } else { vec![] }
    }

    /// Whether the rows of a round only determine the questions of the next one. They are passed to
    /// [`scout`](Self::scout) before any others; no checks run and no snapshot is taken. The next round may also ask
    /// about the time before `over`, which the state already includes. Called after [`ask_round`](Self::ask_round) of
    /// the same round.
    fn is_scouted(&self, round: usize) -> bool {
        let _ = round;
        false
    }

    /// Processes a row of a round that [`is_scouted`](Self::is_scouted).
    fn scout(&self, row: &Row<'_>, state: &mut Self::State) {
        let _ = (row, state);
    }

    /// Handles one row.
    fn row(&self, row: &Row<'_>, state: &mut Self::State, out: &mut Signals);

    /// The interval between checks; zero: no checks. By default the plan's grid, on which windows end too. Override it
    /// for a rule whose windows may end anywhere but that still needs checks at regular instants.
    fn check_every(&self, plan: &Plan) -> Duration {
        plan.grid
    }

    /// Runs a check at a multiple of [`check_every`](Self::check_every).
    fn check(&self, at: Timestamp, state: &mut Self::State, out: &mut Signals) {
        let _ = (at, state, out);
    }

    /// Drops everything from the state that no row or check after `at` can need. Called before the state is stored.
    fn settle(&self, at: Timestamp, state: &mut Self::State) {
        let _ = (at, state);
    }
}

/// What a rule needs from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How much history a rule must read before its first window to evaluate it correctly; at most 400 days.
    pub history: Duration,
    /// The interval between checks, at most 7 days. They count back from a window's end: on multiples of the grid with
    /// `every`, otherwise from the instants of `cron`. Zero: no checks, and windows as the manifest says.
    pub grid: Duration,
}

/// An invalid parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A JSON pointer into the parameters, such as `/timeframe`; empty for the whole.
    pub path: String,
    /// What is wrong, for the manifest's author.
    pub message: String,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The answer lacks something that the rule needs.
    Rows(String),
    /// The state cannot be read: the host primes the rule again.
    State(String),
    /// Anything else; the host retries, then searches for the rows that cause it.
    Other(String),
}

impl Plan {
    /// A rule that evaluates only when rows arrive.
    pub fn rows(history: Duration) -> Self {
        Self { history, grid: Duration::ZERO }
    }

    /// A rule that also checks every `grid`, which must not be zero.
    pub fn checks(history: Duration, grid: Duration) -> Self {
        Self { history, grid }
    }
}

impl Fault {
    /// An error in the parameter at `path`, a JSON pointer; empty for the parameters as a whole.
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

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rows(message) | Self::State(message) | Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Problem {}
