use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_pipeline::record::{self, GapRecord};

use crate::Time;

/// A slice of time that was not evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GapView {
    /// Where it begins, inclusive.
    pub start: Time,
    /// Where it ends, exclusive.
    pub end: Time,
    /// Why it was not evaluated.
    pub reason: GapReason,
    /// Wall time when it was recorded.
    pub recorded_at: Time,
    /// A human-readable sentence.
    pub message: String,
}

/// Why a slice of time was not evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// Skipped by `catch_up: latest`.
    Skipped,
    /// The rule keeps failing on it, or it is too much for one run.
    Poisoned,
    /// The rule was disabled or removed.
    Disabled,
}

impl GapView {
    pub(crate) fn of(gap: &GapRecord) -> Self {
        Self {
            start: Time(gap.over.start),
            end: Time(gap.over.end),
            reason: gap.reason.into(),
            recorded_at: Time(gap.recorded_at),
            message: gap.message.clone(),
        }
    }
}

impl From<record::GapReason> for GapReason {
    fn from(reason: record::GapReason) -> Self {
        match reason {
            record::GapReason::Skipped => Self::Skipped,
            record::GapReason::Poisoned => Self::Poisoned,
            record::GapReason::Disabled => Self::Disabled,
        }
    }
}
