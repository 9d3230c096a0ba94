//! What is sent to people: one set of data shared by the text, the intent and the store. A decision creates it; its
//! text is rendered when it is claimed.
use watchbell_contract::{Cause, Intent, Label, Severity, Timestamp};
use watchbell_text::{Subject, Text};

use crate::level::{self, overflow};
use crate::record::{Delivery, EpisodeId, EpisodeRecord, IntentRecord, LastSignal};
use crate::spec::{DestinationName, RuleName};

/// Stands for the rule in messages that the host sends about itself. No rule has this name.
pub const HOST: &str = "watchbell";

/// One message, the same for every destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub episode: EpisodeId,
    pub rule: RuleName,
    pub owner: Option<String>,
    pub environment: String,
    pub labels: Vec<Label>,
    /// The labels as shown in the text: for events with several keys, the most frequent values.
    pub named: Vec<Label>,
    pub severity: Severity,
    pub cause: Cause,
    /// Who has acknowledged or resolved the episode, if a person did.
    pub person: Option<String>,
    pub since: Timestamp,
    pub last: LastSignal,
    /// How many signals or episodes it stands for; at least 1.
    pub count: u32,
    /// One line for each signal or episode that the message does not describe itself.
    pub more: Vec<String>,
    pub wording: Wording,
    pub route: Route,
}

/// Who else is sent a message, and whom it did not reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Who is sent it: nobody else's failure makes it theirs a second time. Empty in records from before this field.
    pub to: Vec<DestinationName>,
    /// A destination that did not take it, for which this is the fallback.
    pub instead: Option<Instead>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instead {
    pub of: DestinationName,
    /// Why it did not take the message.
    pub why: String,
}

/// Which templates a message uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wording {
    /// The rule's templates, as they are when the message is claimed.
    #[default]
    Rule,
    /// The rule's templates, followed by a note that the rule is no longer in force.
    RuleEnded,
    /// The rule's templates, followed by a note that it happened before the store was made: nobody knows here what an
    /// earlier host told.
    BeforeStore,
    /// The rule's templates, followed by who has acknowledged it.
    Acknowledged,
    /// The rule's templates, followed by a note that an acknowledgement is over; `person` gave it.
    Unacknowledged,
    /// The host's own, for a slice of time that could not be evaluated.
    Gap,
    /// The host's own, for a rule that cannot run, or runs again.
    CannotRun,
    /// The host's own, for many episodes that an edit made overdue.
    Edited,
    /// The host's own, for messages that are left out because too many of their rule wait.
    Backlog,
    /// The host's own, for the keys beyond a rule's limit of open episodes.
    Overflow,
    /// The host's own, for messages that a destination's limit left out.
    Limited,
    /// The host's own, about itself.
    Host,
    /// The rule's templates, followed by the keys of a group.
    Grouped,
}

impl Wording {
    /// How to say that it ended because its rule did.
    pub(crate) fn of_ended_rule(self) -> Self {
        if self == Self::Rule { Self::RuleEnded } else { self }
    }
}

impl Message {
    pub(crate) fn of(
        episode: &EpisodeRecord,
        cause: Cause,
        owner: Option<String>,
        environment: String,
    ) -> Self {
        let is_overflow = overflow::is_overflow(&episode.labels);
        let (count, more) = if is_overflow { overflow::told(&episode.last) } else { (1, Vec::new()) };
        Self {
            episode: episode.id.clone(),
            rule: episode.rule.clone(),
            owner,
            environment,
            labels: episode.labels.clone(),
            named: episode.labels.clone(),
            severity: episode.severity,
            cause,
            person: episode.phase.person().map(str::to_owned),
            since: episode.since,
            last: episode.last.clone(),
            count,
            more,
            wording: match () {
                () if is_overflow => Wording::Overflow,
                () if level::is_cannot_run(&episode.labels) => Wording::CannotRun,
                () => Wording::Rule,
            },
            route: Route::default(),
        }
    }

    /// As its template sees it.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            rule: &self.rule.0,
            owner: self.owner.as_deref(),
            environment: &self.environment,
            severity: self.severity,
            cause: self.cause,
            person: self.person.as_deref(),
            labels: &self.named,
            at: self.last.at,
            since: self.since,
            value: self.last.value,
            threshold: self.last.threshold,
            summary: &self.last.summary,
            details: &self.last.details,
            link: self.last.link.as_deref(),
            count: self.count,
            more: &self.more,
        }
    }
}

impl IntentRecord {
    /// As the alerter receives it, without what it cannot know of itself: the receipt of its episode's first message and
    /// where the episode can be acknowledged. Before it is claimed it has no text, and its summary is used instead.
    pub fn intent(&self) -> Intent {
        let Message { last, .. } = &self.message;
        let text = self.text.clone();
        let Text { title, body } =
            text.unwrap_or_else(|| Text { title: last.summary.clone(), body: String::new() });
        Intent {
            id: self.id.0.clone(),
            episode: self.message.episode.0.clone(),
            rule: self.message.rule.0.clone(),
            owner: self.message.owner.clone(),
            environment: self.message.environment.clone(),
            labels: self.message.labels.clone(),
            cause: self.message.cause,
            person: self.message.person.clone(),
            severity: self.message.severity,
            at: last.at,
            since: self.message.since,
            value: last.value,
            threshold: last.threshold,
            title,
            body,
            summary: last.summary.clone(),
            details: last.details.clone(),
            link: last.link.clone(),
            acknowledge_link: None,
            previous: None,
            recorded: self.recorded.clone(),
            attempt: self.delivery.attempts(),
            maybe_repeated: self.maybe_repeated,
        }
    }
}

impl Delivery {
    /// The number of attempts started.
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Owed { attempt, .. }
            | Self::Claimed { attempt, .. }
            | Self::Delivered { attempt, .. }
            | Self::Dead { attempt, .. } => *attempt,
            Self::Merged { .. } => 0,
        }
    }
}
