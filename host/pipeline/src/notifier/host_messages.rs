//! What the host tells of itself: messages about a destination to other destinations. They belong to no rule.
use watchbell_contract::{Cause, Label, Severity, Timestamp};

use crate::digest;
use crate::message::{HOST, Message, Route, Wording};
use crate::record::{Incarnation, LastSignal, Told};
use crate::spec::{DestinationName, RuleName};

use super::decider::{Context, Decider};

/// Stands where messages name their rule.
pub(super) fn rule() -> RuleName {
    RuleName(HOST.to_owned())
}

/// The label that names the destination.
const DESTINATION: &str = "destination";

/// What a message of the host says.
pub(super) struct About<'a> {
    /// Distinguishes messages about the same destination.
    pub(super) what: &'a str,
    pub(super) destination: &'a DestinationName,
    pub(super) cause: Cause,
    pub(super) severity: Severity,
    pub(super) wording: Wording,
    /// Since when it is so: begin and end of the same have the same instant.
    pub(super) since: Timestamp,
    pub(super) summary: String,
    pub(super) more: Vec<String>,
    pub(super) count: u32,
}

impl About<'_> {
    pub(super) fn message(self, incarnation: &Incarnation, environment: String, now: Timestamp) -> Message {
        let rule = rule();
        let labels = vec![Label { name: DESTINATION.to_owned(), value: Some(self.destination.0.clone()) }];
        Message {
            episode: digest::once_id(incarnation, self.what, &[], &rule, &labels, self.since),
            rule,
            owner: None,
            environment,
            named: labels.clone(),
            labels,
            severity: self.severity,
            cause: self.cause,
            person: None,
            since: self.since,
            last: LastSignal::said(now, self.summary),
            count: self.count,
            more: self.more,
            wording: self.wording,
            route: Route::default(),
        }
    }
}

/// The destination that a message of the host is about.
pub(super) fn destination(message: &Message) -> Option<DestinationName> {
    let label = message.labels.iter().find(|label| label.name == DESTINATION)?;
    label.value.clone().map(DestinationName).filter(|_| message.wording == Wording::Host)
}

impl Decider {
    /// Tells those to whom the environment's `host_alerts` go, but never the destination concerned. Gives who is told.
    pub(super) fn tell_about(&mut self, about: About<'_>, context: &mut Context<'_>) -> Told {
        let concerned = about.destination.clone();
        let to: Vec<DestinationName> =
            self.standing.host_alerts().iter().filter(|name| **name != concerned).cloned().collect();
        let mut message = about.message(context.incarnation, context.config.environment.clone(), context.now);
        // Nor does it come to the destination concerned as the fallback of another.
        message.route.to = to.iter().cloned().chain([concerned]).collect();
        to.iter().for_each(|name| self.queue(&message, 0, name, context));
        Told { episode: message.episode, to }
    }

    /// Tells those who were told of the beginning.
    pub(super) fn tell_end(&mut self, about: About<'_>, told: Told, context: &mut Context<'_>) {
        let concerned = about.destination.clone();
        let mut message = about.message(context.incarnation, context.config.environment.clone(), context.now);
        message.episode = told.episode;
        message.route.to = told.to.iter().cloned().chain([concerned]).collect();
        told.to.iter().for_each(|name| self.queue(&message, 0, name, context));
    }
}
