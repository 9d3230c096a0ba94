use crate::{Duration, Label, Timestamp};

/// How severe it is, from least to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// For information.
    Info,
    /// Needs attention; the default severity of a rule.
    #[default]
    Warning,
    /// Needs action now.
    Critical,
}

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The episode's first message.
    Opened,
    /// Its severity rose.
    Worse,
    /// `repeat:` is due.
    Repeat,
    /// A later step of the escalation.
    Escalated,
    /// A person has taken the episode over.
    Acknowledged,
    /// The episode was resolved.
    Resolved,
    /// A signal without a lifecycle.
    Event,
    /// An episode that was opened and resolved before anyone was notified.
    Was,
    /// Several episodes or events in one message.
    Summary,
    /// Sent by hand, to test a destination.
    Test,
}

/// The markup of an alerter's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextFormat {
    /// No markup.
    Plain,
    /// CommonMark.
    Markdown,
    /// HTML.
    Html,
    /// Slack's markup.
    Mrkdwn,
}

/// The text format that a destination accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertText {
    /// The markup that titles and bodies are rendered in.
    pub format: TextFormat,
    /// Whether texts may have styles and links behind words. If not, `format` only says how to escape characters so
    /// that the receiver shows them unchanged.
    pub styles: bool,
    /// The maximum length of a title, in characters.
    pub title_max: u32,
    /// The maximum length of a body, in characters.
    pub body_max: u32,
}

/// One product that an alerter module delivers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// The name in a destination's `use:`, for example `slack`; 1 to 4,096 bytes.
    pub name: String,
    /// One sentence for people, 4,096 bytes at most.
    pub summary: String,
    /// JSON Schema of a destination's `params`, as text.
    pub params_schema: String,
    /// The format and maximum lengths of its titles and bodies.
    pub text: AlertText,
}

/// An alerter's description of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlerterAbout {
    /// The module's name; 1 to 4,096 bytes.
    pub name: String,
    /// The module's own version, for people.
    pub version: String,
    /// The products that it delivers to; 1 to 256.
    pub products: Vec<Product>,
}

/// One message to deliver, as the alerter receives it; the fields are those of the WIT.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The same for every attempt.
    pub id: String,
    /// The same for all messages of one episode.
    pub episode: String,
    /// The rule's name.
    pub rule: String,
    /// The rule's owner, if its manifest names one.
    pub owner: Option<String>,
    /// The environment's name.
    pub environment: String,
    /// The key fields' values, in the manifest's order; none without a key.
    pub labels: Vec<Label>,
    /// Why the message is sent.
    pub cause: Cause,
    /// Who acknowledged or resolved the episode, if a person did.
    pub person: Option<String>,
    /// The current severity.
    pub severity: Severity,
    /// The signal's instant.
    pub at: Timestamp,
    /// When the episode opened.
    pub since: Timestamp,
    /// The evaluated number, if there is one.
    pub value: Option<f64>,
    /// The threshold that it was compared with.
    pub threshold: Option<f64>,
    /// Rendered for the destination, at most as long as its product allows.
    pub title: String,
    /// Rendered for the destination, at most as long as its product allows.
    pub body: String,
    /// One line for people, without markup.
    pub summary: String,
    /// A JSON object as text.
    pub details: String,
    /// A link to the documents in Kibana or OpenSearch Dashboards.
    pub link: Option<String>,
    /// Where the episode can be acknowledged.
    pub acknowledge_link: Option<String>,
    /// What the receiver returned for the episode's first message to this destination.
    pub previous: Option<Receipt>,
    /// The responses to earlier attempts' requests that need not be sent again.
    pub recorded: Vec<RecordedCall>,
    /// From 1.
    pub attempt: u32,
    /// Whether an earlier attempt may have arrived.
    pub maybe_repeated: bool,
}

/// A receiver's confirmation of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The receiver's own id for the message.
    pub reference: Option<String>,
}

/// A numbered request of a message, and its response: one that a receiver accepted is never sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    /// From 0, at most 15.
    pub number: u32,
    /// 200 to 299.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// At most 64 KiB.
    pub body: Vec<u8>,
}

/// Why a delivery failed; the variant decides what happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Retrying is pointless: the message becomes a dead letter.
    Refused(String),
    /// Back to the outbox, to be retried.
    Unavailable {
        /// What happened, for the log and for the dead letter.
        reason: String,
        /// When to retry, if the receiver named a time.
        retry_after: Option<Duration>,
    },
    /// Back to the outbox, to be retried, although the receiver may have the message: a request was sent, and its
    /// response was lost.
    Unanswered {
        /// What happened, for the log and for the dead letter.
        reason: String,
        /// When to retry, if the receiver named a time.
        retry_after: Option<Duration>,
    },
}

impl Severity {
    /// The name in stored rows, metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Cause {
    /// The name in stored rows, metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Worse => "worse",
            Self::Repeat => "repeat",
            Self::Escalated => "escalated",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Event => "event",
            Self::Was => "was",
            Self::Summary => "summary",
            Self::Test => "test",
        }
    }
}
