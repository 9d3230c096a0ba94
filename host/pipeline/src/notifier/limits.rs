//! What becomes of messages to a destination whose `limit` is reached. First messages and events are left out, and one
//! message says so when the limit's span is over; repeats are dropped; what else is due to those who know of an episode
//! waits in the outbox.
use watchbell_contract::{Cause, Duration, Severity, Timestamp};

use crate::action::Note;
use crate::message::{Message, Wording};
use crate::reason::HoldReason;
use crate::record::{IntentRecord, LEFT_OUT_LINES_MAX, LeftOut};
use crate::spec::DestinationName;

use super::backlog::Room;
use super::decider::{Context, Decider};
use super::escalation::Verdict;
use super::host_messages::About;
use super::outbox::Reached;

/// How long a line names what was left out, in characters.
const LINE_CHARS_MAX: usize = 200;

/// A summary that still waits is not followed by another for this long.
const SUMMARY_PAUSE: Duration = Duration::from_mins(1);

impl Decider {
    /// Whether `message` may be queued for `destination`. If not, that is remembered, and said to it later.
    pub(super) fn fits(
        &mut self,
        message: &Message,
        destination: &DestinationName,
        context: &mut Context<'_>,
    ) -> bool {
        if self.is_left_out(message, destination, context) {
            return false;
        }
        let most = self.episodes_max(&message.rule);
        let waiting = self.waiting(&message.rule, destination);
        match self.backlog.room(message, destination, waiting, most) {
            Room::Fits => return true,
            Room::Full => self.tell_backlog(&message.rule, destination, None, context),
            Room::StillFull => {}
        }
        let reason = HoldReason::Backlog { destination: destination.clone() };
        self.remember(&message.rule, &Verdict::Hold(reason), context);
        false
    }

    fn is_left_out(
        &mut self,
        message: &Message,
        destination: &DestinationName,
        context: &mut Context<'_>,
    ) -> bool {
        let begins = matches!(message.cause, Cause::Opened | Cause::Was | Cause::Event | Cause::Summary);
        let repeats = message.cause == Cause::Repeat && message.wording != Wording::Unacknowledged;
        if !begins && !repeats {
            return false;
        }
        let Some(until) = self.outbox.full_until(destination, context.now) else { return false };
        if begins {
            let record = self.outbox.remembered(destination);
            let nothing =
                LeftOut { since: context.now, until, count: 0, severity: Severity::Info, lines: Vec::new() };
            record.left_out.get_or_insert(nothing).add(message, until);
            context.draft.destination(destination, record);
        }
        let reason = HoldReason::Limited { destination: destination.clone(), until };
        self.remember(&message.rule, &Verdict::Hold(reason), context);
        true
    }

    /// Says what was left out to each destination whose limit's span is over.
    pub(super) fn end_limits(&mut self, context: &mut Context<'_>) {
        for name in self.outbox.left_out_until(context.now) {
            // It has no room, or is down: the summary that waits says enough until it is sent.
            if self.outbox.has_waiting(&name, Wording::Limited) {
                let until = self.outbox.full_until(&name, context.now);
                let record = self.outbox.remembered(&name);
                if let Some(left_out) = &mut record.left_out {
                    left_out.until = until.unwrap_or(context.now + SUMMARY_PAUSE);
                }
                context.draft.destination(&name, record);
                continue;
            }
            let record = self.outbox.remembered(&name);
            let Some(left_out) = record.left_out.take() else { continue };
            context.draft.destination(&name, record);
            let about = summary(&name, left_out);
            let message = about.message(context.incarnation, context.config.environment.clone(), context.now);
            self.queue(&message, 0, &name, context);
        }
    }

    /// Other limits are in force: what was left out is said when there is room by these.
    pub(super) fn follow_limits(&mut self, context: &mut Context<'_>) {
        for name in self.outbox.left_out_until(Timestamp::MAX) {
            let until = self.outbox.full_until(&name, context.now).unwrap_or(context.now);
            let record = self.outbox.remembered(&name);
            if let Some(left_out) = record.left_out.as_mut().filter(|left_out| until < left_out.until) {
                left_out.until = until;
                context.draft.destination(&name, record);
            }
        }
    }

    /// When the first summary of what was left out is due.
    pub(super) fn next_limit(&self) -> Option<Timestamp> {
        self.outbox.next_left_out()
    }

    /// Messages were claimed: stores what was counted, and tells that limits are reached.
    pub(super) fn counted(
        &mut self,
        claims: &[IntentRecord],
        reached: Vec<Reached>,
        context: &mut Context<'_>,
    ) {
        self.keep_counts(claims.iter().filter(|record| record.delivery.attempts() == 1), context);
        for reached in reached {
            self.tell_reached(&reached, context);
        }
    }

    /// Claims were given back: what was not sent is not counted.
    pub(super) fn give_back(&mut self, released: Vec<IntentRecord>, context: &mut Context<'_>) {
        self.keep_counts(released.iter().filter(|record| record.delivery.attempts() == 0), context);
        released.into_iter().for_each(|record| context.draft.intent(record));
    }

    fn keep_counts<'a>(
        &mut self,
        records: impl Iterator<Item = &'a IntentRecord>,
        context: &mut Context<'_>,
    ) {
        for name in records.map(|record| &record.destination) {
            if self.outbox.is_limited(name) {
                context.draft.destination(name, self.outbox.remembered(name));
            }
        }
    }

    fn tell_reached(&mut self, reached: &Reached, context: &mut Context<'_>) {
        let Reached { destination, span, most, bounds } = reached;
        let (span, until) = (span.as_str(), bounds.end);
        let messages = if *most == 1 { "1 message".to_owned() } else { format!("{most} messages") };
        let summary = format!("`{destination}` was sent {messages} this {span}, as many as its limit allows");
        let about = About {
            what: &format!("limit-per-{span}"),
            destination,
            cause: Cause::Event,
            severity: Severity::Warning,
            wording: Wording::Host,
            since: bounds.start,
            summary: summary.clone(),
            more: vec![
                format!("until {until}, first messages and events are left out; one message then says which"),
                "repeats are dropped; steps, rises in severity and ends wait".to_owned(),
                format!("next: `watchbell explain` a rule, or raise `limit` of `{destination}`"),
            ],
            count: 1,
        };
        self.tell_about(about, context);
        let message = format!("{summary}, until {until}");
        context.draft.note(Note::DestinationChanged {
            destination: destination.clone(),
            message,
            is_bad: true,
        });
    }
}

fn summary(name: &DestinationName, left_out: LeftOut) -> About<'_> {
    let LeftOut { since, until, count, severity, mut lines } = left_out;
    let unnamed = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(lines.len());
    if unnamed > 0 {
        lines.push(format!("and {unnamed} more"));
    }
    let were = if count == 1 { "message was" } else { "messages were" };
    About {
        what: "left-out",
        destination: name,
        cause: Cause::Summary,
        severity,
        wording: Wording::Limited,
        since,
        summary: format!(
            "{count} {were} left out from {since} to {until}: the limit of `{name}` was reached"
        ),
        more: lines,
        count,
    }
}

impl LeftOut {
    fn add(&mut self, message: &Message, until: Timestamp) {
        self.until = self.until.max(until);
        self.count = self.count.saturating_add(1);
        self.severity = self.severity.max(message.severity);
        if self.lines.len() < LEFT_OUT_LINES_MAX {
            let values = message.named.iter().filter_map(|label| label.value.as_deref());
            let values: Vec<&str> = values.collect();
            let key = if values.is_empty() { message.last.summary.clone() } else { values.join(", ") };
            let line = format!("{}: {key}", message.rule);
            self.lines.push(line.chars().take(LINE_CHARS_MAX).collect());
        }
    }
}
