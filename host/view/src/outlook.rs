use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_contract::Timestamp;
use watchbell_pipeline::HoldReason;
use watchbell_pipeline::outlook::{Announcement, Outlook, StepOutlook, StepState};
use watchbell_pipeline::record::{SilenceId, SilenceRecord};

use crate::{MessageCause, Time};

/// Something that holds an episode's messages back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldView {
    /// The reason's name, as in metrics: `pending`, `silenced`, `inhibited`.
    pub reason: String,
    /// A human-readable sentence.
    pub message: String,
    /// When it ends; null if that is unknown. Of `pending` and `inactive`, on the data's clock.
    pub until: Option<Time>,
}

/// A message to come, if nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComingView {
    /// Wall time; not after `at` of the explanation if it is due, and no host has sent it yet.
    pub at: Time,
    /// Why it will be sent.
    pub cause: MessageCause,
    /// The same as a sentence.
    pub message: String,
    /// The escalation step that causes it, from 1; null if none does.
    pub step: Option<u32>,
    /// Where it goes: of a rotation, to the destination of the person who is on call then.
    pub to: Vec<String>,
}

/// A step of the rule's escalation, for one episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepView {
    /// From 1.
    pub step: u32,
    /// Seconds after the episode opened, as its own clock counts them.
    pub after_seconds: u64,
    /// The destinations and rotations that the rule names.
    pub to: Vec<String>,
    /// What becomes of it; the members next to `state` depend on it.
    #[serde(flatten)]
    pub state: StepFate,
}

/// What becomes of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StepFate {
    /// It notified somebody.
    Fired {
        /// Wall time when its message was decided.
        fired_at: Time,
    },
    /// Its time is over, and it notified nobody who was not notified already.
    Passed {
        /// Why it was dropped, as things stand; null if it was not.
        dropped: Option<String>,
    },
    /// It waits for its hours (`when`).
    Waits {
        /// Wall time when they begin; null if they never do.
        until: Option<Time>,
    },
    /// It will fire.
    Coming {
        /// Wall time; null while nobody knows when what holds the episode ends.
        fires_at: Option<Time>,
    },
    /// It will not fire, as things stand.
    Dropped {
        /// Why.
        why: String,
    },
    /// The episode ended first.
    Over,
}

/// A silence that chooses the episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SilenceView {
    /// Its id.
    pub id: String,
    /// Its conditions, which are met together.
    pub matchers: Vec<String>,
    /// Wall time when it begins.
    pub from: Time,
    /// Wall time when it ends.
    pub until: Time,
    /// Why it was made.
    pub reason: String,
    /// Who made it.
    pub by: String,
}

/// What comes of an episode, in the words of the read model.
pub(crate) struct OutlookView {
    pub(crate) holds: Vec<HoldView>,
    pub(crate) coming: Vec<ComingView>,
    pub(crate) steps: Vec<StepView>,
    pub(crate) silences: Vec<SilenceView>,
}

impl OutlookView {
    pub(crate) fn of(outlook: &Outlook) -> Self {
        Self {
            holds: outlook.holds.iter().map(HoldView::of).collect(),
            coming: outlook.coming.iter().map(ComingView::of).collect(),
            steps: outlook.steps.iter().enumerate().map(|(place, step)| StepView::of(place, step)).collect(),
            silences: outlook.silences.iter().map(SilenceView::of).collect(),
        }
    }
}

impl HoldView {
    /// As the notifier gives it.
    pub fn of(reason: &HoldReason) -> Self {
        Self { reason: reason.name().into(), message: reason.to_string(), until: until(reason).map(Time) }
    }
}

/// When a hold ends, if it says so.
fn until(reason: &HoldReason) -> Option<Timestamp> {
    match reason {
        HoldReason::Pending { until }
        | HoldReason::Paused { until }
        | HoldReason::Silenced { until, .. }
        | HoldReason::Maintenance { until, .. }
        | HoldReason::InhibitWait { until }
        | HoldReason::StepLater { until, .. }
        | HoldReason::RepeatLater { until } => Some(*until),
        HoldReason::Inactive { until } | HoldReason::StepHours { until, .. } => *until,
        _ => None,
    }
}

impl ComingView {
    fn of(found: &Announcement) -> Self {
        Self {
            at: Time(found.at),
            cause: found.cause.into(),
            message: found.reason.to_string(),
            step: found.step.map(number),
            to: found.to.iter().map(|name| name.0.clone()).collect(),
        }
    }
}

impl StepView {
    fn of(place: usize, step: &StepOutlook) -> Self {
        let state = match &step.state {
            StepState::Fired { at } => StepFate::Fired { fired_at: Time(*at) },
            StepState::Passed { dropped } => {
                StepFate::Passed { dropped: dropped.as_ref().map(ToString::to_string) }
            }
            StepState::Late { until } => StepFate::Waits { until: until.map(Time) },
            StepState::Coming { at } => StepFate::Coming { fires_at: at.map(Time) },
            StepState::Dropped { why } => StepFate::Dropped { why: why.to_string() },
            StepState::Over => StepFate::Over,
        };
        Self {
            step: number(place),
            after_seconds: step.after.millis() / 1_000,
            to: step.to.iter().map(|name| name.0.clone()).collect(),
            state,
        }
    }
}

impl SilenceView {
    fn of(silence: &SilenceRecord) -> Self {
        let SilenceId(id) = &silence.id;
        Self {
            id: id.clone(),
            matchers: silence.spec.matchers.iter().map(ToString::to_string).collect(),
            from: Time(silence.spec.from),
            until: Time(silence.spec.until),
            reason: silence.spec.reason.clone(),
            by: silence.by.clone(),
        }
    }
}

/// The number of the step at `place`, from 1.
pub(crate) fn number(place: usize) -> u32 {
    u32::try_from(place + 1).unwrap_or(u32::MAX)
}
