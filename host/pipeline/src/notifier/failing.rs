//! A destination that keeps failing: others are told once when that begins, and once when it takes a message again.
use watchbell_contract::{Cause, Duration, Severity, Timestamp};

use crate::action::Note;
use crate::message::{Message, Wording};
use crate::record::{Delivery, IntentRecord, Trouble};
use crate::spec::DestinationName;

use super::decider::{Context, Decider};
use super::host_messages::{self, About};

/// It keeps failing once a message is a dead letter, or once this many attempts have failed over this time.
const ATTEMPTS_MIN: u32 = 3;
const FAILING_AFTER: Duration = Duration::from_mins(5);

/// How much of an error is kept, in characters.
const ERROR_CHARS_MAX: usize = 500;

impl Decider {
    /// Follows what the outcome of a message says of its destination.
    pub(super) fn follow_outcome(&mut self, record: &IntentRecord, context: &mut Context<'_>) {
        let name = &record.destination;
        if !self.outbox.is_configured(name) {
            return;
        }
        match &record.delivery {
            Delivery::Delivered { .. } => self.end_trouble(name, "takes messages again", context),
            Delivery::Dead { last, .. } => self.failed(name, last, true, context),
            Delivery::Owed { last: Some(last), .. } => self.failed(name, last, false, context),
            Delivery::Owed { last: None, .. } | Delivery::Claimed { .. } | Delivery::Merged { .. } => {}
        }
    }

    /// Destinations that are no longer configured fail no more.
    pub(super) fn end_troubles_of_gone(&mut self, context: &mut Context<'_>) {
        for name in self.outbox.gone_in_trouble() {
            self.end_trouble(&name, "is no longer configured", context);
        }
    }

    fn failed(&mut self, name: &DestinationName, why: &str, is_dead: bool, context: &mut Context<'_>) {
        let waiting = self.outbox.waiting(name);
        let trouble = &mut self.outbox.remembered(name).trouble;
        let trouble = trouble.get_or_insert_with(|| Trouble::new(context.now));
        trouble.add(why, is_dead);
        if trouble.told.is_none() && trouble.keeps_failing(context.now) {
            let about = trouble.about(name, waiting);
            let message = format!("{}: {}", about.summary, about.more.join("; "));
            let told = self.tell_about(about, context);
            if let Some(trouble) = &mut self.outbox.remembered(name).trouble {
                trouble.told = Some(told);
            }
            context.draft.note(Note::DestinationChanged { destination: name.clone(), message, is_bad: true });
        }
        context.draft.destination(name, self.outbox.remembered(name));
    }

    fn end_trouble(&mut self, name: &DestinationName, how: &str, context: &mut Context<'_>) {
        let record = self.outbox.remembered(name);
        let Some(trouble) = record.trouble.take() else { return };
        context.draft.destination(name, record);
        let Some(told) = trouble.told else { return };
        let message = format!("`{name}` {how}");
        let about = About {
            what: WHAT,
            destination: name,
            cause: Cause::Resolved,
            severity: Severity::Critical,
            wording: Wording::Host,
            since: trouble.since,
            summary: message.clone(),
            more: vec![
                format!("it failed from {} to {}", trouble.since, context.now),
                dead(trouble.dead) + ": see `watchbell dead-letter list`",
            ],
            count: 1,
        };
        self.tell_end(about, told, context);
        context.draft.note(Note::DestinationChanged { destination: name.clone(), message, is_bad: false });
    }

    /// Whether `message` is the host's alert about a destination that still fails.
    pub(super) fn is_failing_still(&mut self, message: &Message) -> bool {
        let Some(name) = host_messages::destination(message) else { return false };
        let told = self.outbox.remembered(&name).trouble.as_ref().and_then(|trouble| trouble.told.as_ref());
        told.is_some_and(|told| told.episode == message.episode)
    }

    /// The host's alert about a failing destination did not reach whom it was sent to, and went to `instead`, if to
    /// anybody: the end is told to those who know of the beginning.
    pub(super) fn alert_died(
        &mut self,
        record: &IntentRecord,
        instead: Option<&DestinationName>,
        context: &mut Context<'_>,
    ) {
        if record.message.cause != Cause::Opened || !self.is_failing_still(&record.message) {
            return;
        }
        let Some(name) = host_messages::destination(&record.message) else { return };
        let kept = self.outbox.remembered(&name);
        if let Some(told) = kept.trouble.as_mut().and_then(|trouble| trouble.told.as_mut()) {
            told.to.retain(|to| *to != record.destination);
            told.to.extend(instead.cloned());
        }
        context.draft.destination(&name, kept);
    }
}

/// Distinguishes its messages from others about a destination.
const WHAT: &str = "failing";

impl Trouble {
    fn new(since: Timestamp) -> Self {
        Self { since, attempts: 0, dead: 0, last: String::new(), told: None }
    }

    fn add(&mut self, why: &str, is_dead: bool) {
        match is_dead {
            true => self.dead = self.dead.saturating_add(1),
            false => self.attempts = self.attempts.saturating_add(1),
        }
        self.last = why.chars().take(ERROR_CHARS_MAX).collect();
    }

    fn keeps_failing(&self, now: Timestamp) -> bool {
        self.dead > 0 || self.attempts >= ATTEMPTS_MIN && now.since(self.since) >= FAILING_AFTER
    }

    fn about<'a>(&self, name: &'a DestinationName, waiting: usize) -> About<'a> {
        let wait =
            if waiting == 1 { "1 message waits".to_owned() } else { format!("{waiting} messages wait") };
        About {
            what: WHAT,
            destination: name,
            cause: Cause::Opened,
            severity: Severity::Critical,
            wording: Wording::Host,
            since: self.since,
            summary: format!("messages to `{name}` keep failing"),
            more: vec![
                format!("since {}", self.since),
                format!("the last error: {}", self.last),
                format!("{wait}, {}", dead(self.dead)),
                format!("next: `watchbell destination test {name}`, then `watchbell dead-letter list`"),
            ],
            count: 1,
        }
    }
}

fn dead(count: u32) -> String {
    if count == 1 { "1 is a dead letter".to_owned() } else { format!("{count} are dead letters") }
}
