//! What one evaluation of a rule is given.
use crate::wire::types as wire;
use crate::{Duration, Signal, Timestamp};

/// What a rule knows of its manifest besides its parameters.
///
/// ```
/// use watchbell_sdk::prelude::*;
///
/// fn plan(within: Duration, context: &Context) -> Result<Plan, Vec<Fault>> {
///     if context.key.is_empty() {
///         return Err(Fault::new("", "needs a `key`: the field of the user").into());
///     }
///     Ok(Plan::rows(within))
/// }
///
/// assert_eq!(plan(Duration::from_mins(5), &Context::of_key([])).unwrap_err()[0].path, "");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The key fields, in the manifest's order; empty without a key.
    pub key: Vec<String>,
    /// The interval between the ends of windows; `None` if the manifest's schedule is `cron`.
    pub every: Option<Duration>,
    /// How late a document may arrive and still be evaluated.
    pub lateness: Duration,
    /// The index patterns that are searched.
    pub indices: Vec<String>,
}

/// The slice of time that one run evaluates, `start <= settled <= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The given state is the fold of all rows before this instant and of all checks up to and including it.
    pub start: Timestamp,
    /// The returned state is the fold of all rows before this instant and of all checks up to and including it. Rows at
    /// or after it are evaluated, and come again in the next run.
    pub settled: Timestamp,
    /// Rows at or after this instant belong to the next window; a check at it belongs to this one.
    pub end: Timestamp,
}

/// One evaluation of one window.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// A JSON object.
    pub params: &'a str,
    /// What the rule knows of its manifest.
    pub context: &'a Context,
    /// What the previous run returned; `None` for the first.
    pub state: Option<&'a [u8]>,
    /// The window that the run evaluates.
    pub window: Window,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// In order of time.
    pub signals: Vec<Signal>,
    /// The state at the window's `settled`, as bytes.
    pub state: Vec<u8>,
}

impl Context {
    /// The context of a rule with these key fields, for tests: windows of a minute, nothing late, no index.
    pub fn of_key<'k>(key: impl IntoIterator<Item = &'k str>) -> Self {
        let key = key.into_iter().map(str::to_owned).collect();
        Self { key, every: Some(Duration::from_mins(1)), ..Self::default() }
    }

    pub(crate) fn from_wire(context: wire::Context) -> Self {
        Self {
            key: context.key,
            every: context.every.map(Duration),
            lateness: Duration(context.lateness),
            indices: context.indices,
        }
    }
}

impl Window {
    pub(crate) fn from_wire(window: wire::Window) -> Self {
        Self {
            start: Timestamp(window.start),
            settled: Timestamp(window.settled),
            end: Timestamp(window.end),
        }
    }
}
