use crate::{Duration, Label, Timestamp};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Info,
    #[default]
    Warning,
    Critical,
}

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The episode's first message.
    Opened,
    /// Its severity rose.
    Worse,
    /// `repeat:` fell due.
    Repeat,
    /// A later step of the escalation.
    Escalated,
    Resolved,
    /// A signal without a lifecycle.
    Event,
    /// An episode that opened and closed before anybody was told.
    Was,
    /// Sent by hand, to try a destination.
    Test,
}

/// How an alerter wants its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextFormat {
    Plain,
    Markdown,
    Html,
    Mrkdwn,
}

/// The form of text that a destination takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertText {
    pub format: TextFormat,
    /// Whether it may have styles, and links behind words. Otherwise `format` only says how a character is written so
    /// that the receiver shows it as it is.
    pub styles: bool,
    /// In characters.
    pub title_max: u32,
    /// In characters.
    pub body_max: u32,
}

/// One product that an alerter module speaks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    pub name: String,
    pub summary: String,
    /// JSON Schema of a destination's `params`, as text.
    pub params_schema: String,
    pub text: AlertText,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlerterAbout {
    pub name: String,
    pub version: String,
    pub products: Vec<Product>,
}

/// One message to deliver, as the alerter gets it; fields as in the WIT.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    pub id: String,
    pub episode: String,
    pub rule: String,
    pub owner: Option<String>,
    pub environment: String,
    pub labels: Vec<Label>,
    pub cause: Cause,
    pub severity: Severity,
    pub at: Timestamp,
    pub since: Timestamp,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    pub title: String,
    pub body: String,
    pub summary: String,
    /// A JSON object as text.
    pub details: String,
    pub link: Option<String>,
    /// From 1.
    pub attempt: u32,
    /// An earlier attempt may have arrived.
    pub maybe_repeated: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// What the receiver calls the message.
    pub reference: Option<String>,
}

/// Why a delivery did not happen; the variant decides what comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Trying again changes nothing: a dead letter.
    Refused(String),
    /// Back to the outbox.
    Unavailable { reason: String, retry_after: Option<Duration> },
    /// Back to the outbox, but the receiver may have it: a request went out, and its answer was lost.
    Unanswered { reason: String, retry_after: Option<Duration> },
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Cause {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Worse => "worse",
            Self::Repeat => "repeat",
            Self::Escalated => "escalated",
            Self::Resolved => "resolved",
            Self::Event => "event",
            Self::Was => "was",
            Self::Test => "test",
        }
    }
}
