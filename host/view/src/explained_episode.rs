use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watchbell_contract::{Cause, Timestamp};
use watchbell_pipeline::outlook::Outlook;
use watchbell_pipeline::record::{Command, CommandRecord, Delivery, EpisodeRecord, IntentRecord};
use watchbell_pipeline::spec::RuleSpec;

use crate::outlook::{OutlookView, number};
use crate::{ComingView, DeliveryView, EpisodeView, HoldView, SilenceView, Source, StepView, Time, VERSION};

/// Why an episode is as it is, who was notified, and what comes next: `watchbell explain EPISODE --json` and
/// `GET /api/v1/episodes/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EpisodeExplanation {
    /// The version of this document's format.
    #[schemars(extend("const" = VERSION))]
    pub version: u32,
    /// The episode's environment.
    pub environment: String,
    /// When this was current.
    pub at: Time,
    /// Where this information comes from. `ended`: the rule is not in force any more, so nothing is said of what comes.
    pub source: Source,
    /// The rule's name.
    pub rule: String,
    /// Its owner; null if it has none.
    pub owner: Option<String>,
    /// The episode.
    pub episode: EpisodeView,
    /// Wall time when its acknowledgement ends; null if it has none, or one without end.
    pub acknowledged_until: Option<Time>,
    /// What holds its messages back now; the reason that counts first.
    pub holds: Vec<HoldView>,
    /// The messages to come if nothing changes, in order; at most 5.
    pub coming: Vec<ComingView>,
    /// The steps of the rule's escalation.
    pub steps: Vec<StepView>,
    /// The silences that choose it, in force or to come.
    pub silences: Vec<SilenceView>,
    /// Its messages, oldest first; at most 100, the newest.
    pub messages: Vec<MessageView>,
    /// What people did about it, oldest first, as far as the store remembers.
    pub commands: Vec<ActView>,
}

/// A message about an episode, with its times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MessageView {
    /// The message, and the state of its delivery.
    #[serde(flatten)]
    pub delivery: DeliveryView,
    /// The escalation step that notified the destination for the first time by it, from 1; null otherwise.
    pub step: Option<u32>,
    /// The instant of the signal that it is about, on the data's clock.
    pub signal_at: Time,
    /// Seconds from that instant to the decision; null for messages that no new signal causes. For a level, the instant
    /// is where its window showed it, which may be the window's end.
    pub signal_to_decision_seconds: Option<f64>,
    /// Seconds from the decision to the receiver's answer; null until it has accepted the message.
    pub decision_to_receiver_seconds: Option<f64>,
}

/// A command about an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActView {
    /// Wall time.
    pub at: Time,
    /// Who gave it.
    pub by: String,
    /// `acknowledge`, `unacknowledge`, `resolve` or `note`.
    pub command: String,
    /// The text of a note; null for others.
    pub text: Option<String>,
    /// Why it was refused; null if it was carried out.
    pub refused: Option<String>,
}

/// What an episode's explanation is made of.
pub struct Facts<'a> {
    /// The environment that the host or the call names.
    pub environment: String,
    /// Where this comes from.
    pub source: Source,
    /// The episode.
    pub episode: &'a EpisodeRecord,
    /// The rule in force; `None` if it is not.
    pub rule: Option<&'a RuleSpec>,
    /// What comes; `None` if the rule is not in force.
    pub outlook: Option<&'a Outlook>,
    /// Its messages, newest first.
    pub intents: &'a [IntentRecord],
    /// Commands, newest first, about any episode.
    pub commands: &'a [CommandRecord],
    /// When this is current.
    pub now: Timestamp,
}

impl EpisodeExplanation {
    /// Of records.
    pub fn of(facts: Facts<'_>) -> Self {
        let Facts { episode, rule, .. } = facts;
        let nothing = OutlookView { holds: vec![], coming: vec![], steps: vec![], silences: vec![] };
        let OutlookView { holds, coming, steps, silences } = facts.outlook.map_or(nothing, OutlookView::of);
        let owner = match rule {
            Some(rule) => rule.owner.clone(),
            None => facts.intents.first().and_then(|intent| intent.message.owner.clone()),
        };
        Self {
            version: VERSION,
            environment: facts.environment,
            at: Time(facts.now),
            source: facts.source,
            rule: episode.rule.0.clone(),
            owner,
            acknowledged_until: episode.progress.acknowledged_until.map(Time),
            holds,
            coming,
            steps,
            silences,
            messages: facts
                .intents
                .iter()
                .rev()
                .map(|intent| MessageView::of(intent, episode, rule))
                .collect(),
            commands: facts.commands.iter().rev().filter_map(|record| ActView::of(record, episode)).collect(),
            episode: EpisodeView::of(episode),
        }
    }
}

impl MessageView {
    fn of(intent: &IntentRecord, episode: &EpisodeRecord, rule: Option<&RuleSpec>) -> Self {
        let signal_at = intent.message.last.at;
        let is_of_signal = match intent.message.cause {
            Cause::Opened | Cause::Worse | Cause::Event | Cause::Summary => true,
            Cause::Repeat
            | Cause::Escalated
            | Cause::Acknowledged
            | Cause::Resolved
            | Cause::Was
            | Cause::Test => false,
        };
        let accepted_at = match intent.delivery {
            Delivery::Delivered { at, .. } => Some(at),
            Delivery::Owed { .. }
            | Delivery::Claimed { .. }
            | Delivery::Dead { .. }
            | Delivery::Merged { .. } => None,
        };
        Self {
            delivery: DeliveryView::of(intent),
            step: rule.and_then(|rule| step_of(intent, episode, rule)),
            signal_at: Time(signal_at),
            signal_to_decision_seconds: is_of_signal.then(|| seconds(signal_at, intent.created_at)),
            decision_to_receiver_seconds: accepted_at.map(|at| seconds(intent.created_at, at)),
        }
    }
}

/// The step that notified the message's destination first, if that was by this message.
fn step_of(intent: &IntentRecord, episode: &EpisodeRecord, rule: &RuleSpec) -> Option<u32> {
    let is_it = |notified: &&watchbell_pipeline::record::Notified| {
        notified.destination == intent.destination && notified.at == intent.created_at
    };
    let id = episode.notified.iter().find(is_it)?.step?;
    rule.alert.steps.iter().position(|step| step.id() == id).map(number)
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.0.saturating_sub(from.0) as f64 / 1_000.0
}

impl ActView {
    /// `None` if it is about something else.
    fn of(record: &CommandRecord, about: &EpisodeRecord) -> Option<Self> {
        let (episode, command, text) = match &record.command {
            Command::Acknowledge { episode } => (episode, "acknowledge", None),
            Command::Unacknowledge { episode } => (episode, "unacknowledge", None),
            Command::Resolve { episode } => (episode, "resolve", None),
            Command::Note { episode, text } => (episode, "note", Some(text.clone())),
            _ => return None,
        };
        (*episode == about.id).then(|| Self {
            at: Time(record.at),
            by: record.by.clone(),
            command: command.into(),
            text,
            refused: record.refused.clone(),
        })
    }
}
