use crate::{Duration, Label, Timestamp};

/// How bad it is, the least bad first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// To be looked at; what a rule has unless its manifest says otherwise.
    #[default]
    Warning,
    /// To be dealt with now.
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
    /// The episode ended.
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
    /// No markup.
    Plain,
    /// CommonMark.
    Markdown,
    /// HTML.
    Html,
    /// Slack's markup.
    Mrkdwn,
}

/// The form of text that a destination takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertText {
    /// The markup that titles and bodies are rendered in.
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
    /// The name in a destination's `use:`, for example `slack`; 1 to 4,096 bytes.
    pub name: String,
    /// One sentence for people, 4,096 bytes at most.
    pub summary: String,
    /// JSON Schema of a destination's `params`, as text.
    pub params_schema: String,
    /// What its titles and bodies may be.
    pub text: AlertText,
}

/// What an alerter says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlerterAbout {
    /// The module's name; 1 to 4,096 bytes.
    pub name: String,
    /// The module's own version, for people.
    pub version: String,
    /// What it speaks to; 1 to 256.
    pub products: Vec<Product>,
}

/// One message to deliver, as the alerter gets it; fields as in the WIT.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The same for every attempt.
    pub id: String,
    /// The same for all messages of one episode.
    pub episode: String,
    /// The rule's name.
    pub rule: String,
    /// The rule's owner, as its manifest names one.
    pub owner: Option<String>,
    /// The environment's name.
    pub environment: String,
    /// The key fields' values, in the manifest's order; none without a key.
    pub labels: Vec<Label>,
    /// Why it is sent.
    pub cause: Cause,
    /// How bad it is now.
    pub severity: Severity,
    /// The signal's instant.
    pub at: Timestamp,
    /// When the episode opened.
    pub since: Timestamp,
    /// The number that was judged, if there is one.
    pub value: Option<f64>,
    /// What it was compared with.
    pub threshold: Option<f64>,
    /// Rendered for the destination, as long as its product allows.
    pub title: String,
    /// Rendered for the destination, as long as its product allows.
    pub body: String,
    /// One line for people, without markup.
    pub summary: String,
    /// A JSON object as text.
    pub details: String,
    /// Where to look further: Kibana or OpenSearch Dashboards.
    pub link: Option<String>,
    /// From 1.
    pub attempt: u32,
    /// An earlier attempt may have arrived.
    pub maybe_repeated: bool,
}

/// What a receiver said when it took a message.
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
    Unavailable {
        /// What happened, for the log and for the dead letter.
        reason: String,
        /// When to try again, if the receiver named a time.
        retry_after: Option<Duration>,
    },
    /// Back to the outbox, but the receiver may have it: a request went out, and its answer was lost.
    Unanswered {
        /// What happened, for the log and for the dead letter.
        reason: String,
        /// When to try again, if the receiver named a time.
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
            Self::Resolved => "resolved",
            Self::Event => "event",
            Self::Was => "was",
            Self::Test => "test",
        }
    }
}
