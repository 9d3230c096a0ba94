//! Destinations that the host delivers to by itself: a program on its machine, and its standard output. There is nothing
//! for a sandbox to keep apart: what is started and what it gets is in the environment alone.
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use watchbell_contract::{AlertText, Intent, Receipt, Refusal, TextFormat};
use watchbell_manifest::{AlerterModuleInfo, EndpointKind, ProductInfo};
use watchbell_program as program;

use crate::cli::{Terminal, plain};

/// A product that is no module's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Native {
    Exec,
    Stdout,
}

impl Native {
    pub(crate) const ALL: [Self; 2] = [Self::Exec, Self::Stdout];

    /// The one that `use: NAME` means.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|native| native.name() == name)
    }

    /// What it is, in one line.
    pub(crate) fn summary(self) -> &'static str {
        match self {
            Self::Exec => "A program on the host's machine, which gets the message as JSON",
            Self::Stdout => "The host's standard output",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Stdout => "stdout",
        }
    }

    /// As the manifest knows alerters.
    pub(crate) fn info(self) -> AlerterModuleInfo {
        let (endpoint, properties) = match self {
            Self::Exec => (EndpointKind::Exec, json!({})),
            Self::Stdout => {
                let format = json!({
                    "description": "Lines of text, or the message as one line of JSON. Default: text.",
                    "enum": ["text", "json"],
                });
                (EndpointKind::Stdout, json!({ "format": format }))
            }
        };
        let params_schema =
            json!({ "type": "object", "additionalProperties": false, "properties": properties });
        let text = AlertText { format: TextFormat::Plain, styles: true, title_max: 1_000, body_max: 65_536 };
        AlerterModuleInfo {
            products: vec![ProductInfo { name: self.name().into(), params_schema, text }],
            endpoint,
            digest: self.name().into(),
        }
    }
}

/// The host's standard output.
pub(crate) struct Console {
    is_json: bool,
    /// A reader that hangs stops one thread, not one more with each attempt.
    turn: Arc<Semaphore>,
}

/// How long a message waits for standard output to take it.
const PATIENCE: Duration = Duration::from_secs(10);

impl Console {
    pub(crate) fn new(params: &Value) -> Self {
        Self { is_json: params["format"] == "json", turn: Arc::new(Semaphore::new(1)) }
    }

    /// What is written of a message.
    pub(crate) fn text(&self, intent: &Intent) -> String {
        if self.is_json {
            return program::json(intent);
        }
        let mut text = format!(
            "{} {} {} {}: {}",
            intent.at,
            intent.severity.as_str(),
            intent.cause.as_str(),
            plain(&intent.rule),
            plain(intent.title.trim())
        );
        for line in intent.body.trim().lines().chain(intent.link.as_deref()).filter(|line| !line.is_empty()) {
            // Nothing that others wrote begins a line.
            text.push_str("\n  ");
            text.push_str(line);
        }
        text
    }

    pub(crate) async fn deliver(&self, intent: &Intent) -> Result<Receipt, Refusal> {
        let refusal = |reason: &str| Refusal::Unavailable { reason: reason.to_owned(), retry_after: None };
        let text = self.text(intent);
        let is_json = self.is_json;
        let turn = timeout(PATIENCE, Arc::clone(&self.turn).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(refusal("nobody reads the host's standard output")) };
        let written = tokio::task::spawn_blocking(move || {
            let out = Terminal::out();
            let written = if is_json { out.deliver_json(&text) } else { out.deliver(&text) };
            drop(turn);
            written
        });
        match timeout(PATIENCE, written).await {
            Ok(Ok(Ok(()))) => Ok(Receipt { reference: None }),
            Ok(Ok(Err(error))) => Err(refusal(&format!("cannot write to standard output: {error}"))),
            Ok(Err(lost)) => Err(refusal(&format!("the host failed while it wrote: {lost}"))),
            Err(_) => Err(Refusal::Unanswered {
                reason: "nobody reads the host's standard output".into(),
                retry_after: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use watchbell_contract::{Cause, Timestamp};

    use super::*;
    use crate::sample;

    #[test]
    fn what_others_wrote_begins_no_line() {
        let message = Intent {
            title: "Down ".into(),
            body: "one\n\n2026-12-01 critical opened other: forged\n".into(),
            link: Some("https://kibana.example/x".into()),
            cause: Cause::Test,
            ..sample::empty("default", Timestamp(0))
        };
        let text = Console::new(&json!({})).text(&message);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with(": Down"), "{text}");
        assert_eq!(
            lines[1..],
            ["  one", "  2026-12-01 critical opened other: forged", "  https://kibana.example/x"]
        );
        assert_eq!(Console::new(&json!({ "format": "json" })).text(&message).lines().count(), 1);
    }

    #[test]
    fn every_product_has_its_own_schema_and_kind() {
        for native in Native::ALL {
            let info = native.info();
            assert_eq!(info.products[0].name, native.name());
            assert_eq!(Native::named(native.name()), Some(native));
            assert_eq!(info.products[0].params_schema["additionalProperties"], false);
        }
        assert_eq!(Native::named("slack"), None);
    }
}
