//! How messages are acknowledged from outside: the links in them, and what their products sign answers with.
use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::sync::watch;
use watchbell_contract::{Cause, Duration, Intent, Timestamp};
use watchbell_links::{Keys, Link};
use watchbell_manifest as manifest;
use watchbell_manifest::AlerterRef;
use watchbell_pipeline::message::HOST;
use watchbell_pipeline::record::{EpisodeId, Incarnation};
use watchbell_pipeline::spec::DestinationName;
use watchbell_sandbox::Secret;

use crate::credentials::reveal;

/// How long a link can be used.
const LIFETIME: Duration = Duration::from_hours(7 * 24);
/// Links end on multiples of it, so that every attempt of a delivery sends the same link, but for those around midnight.
const END_GRID: Duration = Duration::from_hours(24);

/// What the environment in force says about it.
#[derive(Debug)]
pub(crate) struct Acknowledge {
    pub(crate) keys: Keys,
    /// Without a final slash.
    pub(crate) public_url: String,
    /// The destinations whose products sign what they send to the host.
    pub(crate) signing: BTreeMap<DestinationName, Signing>,
}

#[derive(Debug)]
pub(crate) struct Signing {
    pub(crate) secret: Secret,
    pub(crate) answers: Answers,
}

/// How a product's messages are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// By a button that sends the token.
    Slack,
    /// By text messages from these numbers.
    Sms { numbers: Vec<String> },
}

/// What follows a link for a template that makes a button of it: the message can be acknowledged in Slack itself.
const SLACK_MARK: &str = "#slack";

impl Acknowledge {
    /// `None` if the environment has no `public_url` or no `ack_keys`.
    ///
    /// # Errors
    /// A secret that cannot be read, or keys that cannot be used; the message names them.
    pub(crate) fn of(environment: &manifest::Environment) -> Result<Option<Self>> {
        let Some(spec) = &environment.acknowledge else { return Ok(None) };
        let keys: Result<Vec<Secret>> = spec.keys.iter().map(reveal).collect();
        let keys = Keys::new(keys.context("`ack_keys`")?)
            .context("`ack_keys`: make a key with `openssl rand -hex 32`")?;
        let mut signing = BTreeMap::new();
        for (name, destination) in &environment.destinations {
            let Some(named) = &destination.signing_secret else { continue };
            let Some(answers) = answers(&destination.alerter, &destination.params) else {
                tracing::warn!(destination = name, "`{}` sends no signed answers", destination.alerter);
                continue;
            };
            let secret = reveal(named).with_context(|| format!("destination `{name}`"))?;
            signing.insert(DestinationName(name.clone()), Signing { secret, answers });
        }
        Ok(Some(Self { keys, public_url: spec.public_url.clone(), signing }))
    }

    /// The link by which a message to `destination` acknowledges `episode`, of the store `store`; `None` where there is
    /// nothing to acknowledge. What follows a `#` stays with whoever reads the message: a code for replies, or that a button works.
    pub(crate) fn link(
        &self,
        intent: &Intent,
        episode: &EpisodeId,
        destination: &DestinationName,
        store: &Incarnation,
        now: Timestamp,
    ) -> Option<String> {
        let is_open = matches!(intent.cause, Cause::Opened | Cause::Worse | Cause::Repeat | Cause::Escalated);
        // What the host says of itself is no episode of a rule.
        if !is_open || intent.rule == HOST {
            return None;
        }
        let link = Link {
            episode: episode.0.clone(),
            destination: destination.0.clone(),
            expires: (now + LIFETIME).floor(END_GRID) + END_GRID,
        };
        let token = self.keys.sign(&link, &store.0)?;
        let mark = match self.signing.get(destination).map(|signing| &signing.answers) {
            None => String::new(),
            Some(Answers::Slack) => SLACK_MARK.to_owned(),
            Some(Answers::Sms { .. }) => format!("#{}", self.keys.code(&episode.0)),
        };
        Some(format!("{}/a/{token}{mark}", self.public_url))
    }
}

/// How the messages of a product with these parameters are answered, if it has a way.
fn answers(alerter: &AlerterRef, params: &Value) -> Option<Answers> {
    // A signature is the vendor's, so it says nothing of another module's product with the same name.
    let product = alerter.builtin()?;
    if product.starts_with("slack") {
        return Some(Answers::Slack);
    }
    if product != "twilio" {
        return None;
    }
    let to = &params["to"];
    let listed = to.as_array().map_or(std::slice::from_ref(to), Vec::as_slice);
    Some(Answers::Sms { numbers: listed.iter().filter_map(|to| to.as_str().map(str::to_owned)).collect() })
}

/// Links as of the bundle in force, for the shell, which makes them, and the web, which takes them.
pub(crate) struct Links {
    pub(crate) store: Incarnation,
    in_force: watch::Sender<Option<Arc<Acknowledge>>>,
}

impl Links {
    pub(crate) fn new(store: Incarnation, first: Option<Arc<Acknowledge>>) -> Self {
        Self { store, in_force: watch::Sender::new(first) }
    }

    /// Another bundle has come into force.
    pub(crate) fn replace(&self, next: Option<Arc<Acknowledge>>) {
        self.in_force.send_replace(next);
    }

    pub(crate) fn in_force(&self) -> watch::Receiver<Option<Arc<Acknowledge>>> {
        self.in_force.subscribe()
    }

    /// As `Acknowledge::link`.
    pub(crate) fn link(
        &self,
        intent: &Intent,
        episode: &EpisodeId,
        destination: &DestinationName,
        now: Timestamp,
    ) -> Option<String> {
        self.in_force.borrow().as_ref()?.link(intent, episode, destination, &self.store, now)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use watchbell_manifest::ModuleRef;

    use super::*;

    #[test]
    fn no_signature_is_believed_because_of_a_products_name() {
        let of = |module: ModuleRef, product: &str| {
            answers(&AlerterRef { module, product: product.into() }, &json!({ "to": "+15005550006" }))
        };
        let elsewhere = [
            ModuleRef::File { path: "slack.wasm".into(), sha256: "0".repeat(64) },
            ModuleRef::Registry { place: "registry.example.com/slack".into(), digest: "0".repeat(64) },
        ];
        for product in ["slack", "slack-bot", "twilio"] {
            assert!(of(ModuleRef::Builtin(product.into()), product).is_some(), "{product}");
            for module in &elsewhere {
                assert_eq!(of(module.clone(), product), None, "{product} of {module}");
            }
        }
        assert_eq!(of(ModuleRef::Builtin("webhook".into()), "webhook"), None);
    }
}
