use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_pipeline::record::RunSummary;

use crate::Time;

/// The last run of a rule that was committed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunView {
    /// Where its window begins, inclusive.
    pub window_start: Time,
    /// Where its window ends, exclusive.
    pub window_end: Time,
    /// The number of rows given to the rule.
    pub rows: u64,
    /// The number of new signals it emitted.
    pub signals: u32,
    /// How long it took, queries included, in milliseconds.
    pub took_ms: u64,
    /// Wall time when it ended.
    pub ended_at: Time,
}

impl RunView {
    pub(crate) fn of(run: &RunSummary) -> Self {
        Self {
            window_start: Time(run.window.start),
            window_end: Time(run.window.end),
            rows: run.rows,
            signals: run.signals,
            took_ms: run.took.millis(),
            ended_at: Time(run.ended_at),
        }
    }
}
