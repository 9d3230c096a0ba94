//! The trait that alerters implement.
use crate::Fault;
use crate::http::Failure;
use crate::mail;
use crate::wire::alerter::exports::watchbell::plugin::alerter as wire;
pub use crate::wire::alerter::exports::watchbell::plugin::alerter::{
    Cause, Intent, Receipt, Severity, TextFormat,
};

/// Delivers messages to the products it describes.
///
/// The attribute [`alerter`](crate::alerter) fills in the constants and exports the alerter from the module:
///
/// ```
/// use watchbell_sdk::http::{Request, send};
/// use watchbell_sdk::{AlertRefusal, Alerter, Fault, Intent, Product, Receipt};
///
/// struct Hook;
///
/// #[watchbell_sdk::alerter(name = "hook")]
/// impl Alerter for Hook {
///     fn products() -> Vec<Product> {
///         vec![Product::new("hook", "A POST of the title")]
///     }
///
///     fn prepare(_product: &str, _params: &str) -> Result<(), Vec<Fault>> {
///         Ok(())
///     }
///
///     fn deliver(_product: &str, _params: &str, intent: Intent) -> Result<Receipt, AlertRefusal> {
///         let body = watchbell_sdk::json!({ "title": intent.title }).to_string();
///         let response = send(0, &Request::post_json(body).header("Idempotency-Key", &intent.id))?;
///         if response.is_success() {
///             Ok(Receipt { reference: None })
///         } else {
///             Err(AlertRefusal::refused(format!("answered {}", response.status)))
///         }
///     }
/// }
/// ```
pub trait Alerter: 'static {
    /// The module's name.
    const NAME: &'static str;
    /// The module's own version, for people.
    const VERSION: &'static str;

    /// The products that it delivers to, 1 to 256. Called once, when the module is loaded.
    fn products() -> Vec<Product>;

    /// Checks a destination's parameters: a JSON object that is valid by the product's schema.
    ///
    /// # Errors
    /// All faults at once, each with the JSON pointer of its parameter. The host reports the first 100.
    fn prepare(product: &str, params: &str) -> Result<(), Vec<Fault>>;

    /// Delivers one message, in at most 16 requests, numbered from 0. Of several requests, those that were answered
    /// before the delivery failed are not sent again in the next attempt: see [`send`](crate::http::send).
    ///
    /// # Errors
    /// `Refused` ends the delivery; `Unavailable` postpones it.
    fn deliver(product: &str, params: &str, intent: Intent) -> Result<Receipt, AlertRefusal>;
}

/// One product, for example `slack`.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// The name in a destination's `use:`, for example `slack`; 1 to 4,096 bytes.
    pub name: String,
    /// One sentence for people, 4,096 bytes at most.
    pub summary: String,
    /// The JSON Schema of a destination's `params`, as text; at most 256 KiB.
    pub params_schema: String,
    /// The format and the maximum lengths of its texts.
    pub text: AlertText,
}

/// The text format of a product.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlertText {
    /// The markup that it understands; the host renders texts in it.
    pub format: TextFormat,
    /// The maximum length of a title, in characters; the host shortens longer titles.
    pub title_max: u32,
    /// The maximum length of a body, in characters; the host shortens longer bodies.
    pub body_max: u32,
}

/// Why a delivery failed; the variant decides what happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertRefusal {
    /// Retrying is pointless: the message becomes a dead letter.
    Refused(String),
    /// Retry later.
    Unavailable {
        /// What happened, for the log and for the dead letter; truncated to 4 KiB.
        reason: String,
        /// After how many milliseconds to retry, if the receiver named a time.
        retry_after: Option<u64>,
    },
}

impl Product {
    /// A product without parameters that accepts plain text: a title of at most 256 characters and a body of at most
    /// 16,384.
    pub fn new(name: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            summary: summary.into(),
            params_schema: r#"{"type":"object","additionalProperties":false}"#.into(),
            text: AlertText { format: TextFormat::Plain, title_max: 256, body_max: 16_384 },
        }
    }

    /// Derives the parameter schema from a type.
    pub fn params<P: schemars::JsonSchema>(mut self) -> Self {
        self.params_schema = crate::schema::schema::<P>();
        self
    }

    /// Sets the markup that it understands, and the maximum lengths of title and body in characters; the host shortens
    /// longer texts.
    pub fn text(mut self, format: TextFormat, title_max: u32, body_max: u32) -> Self {
        self.text = AlertText { format, title_max, body_max };
        self
    }

    pub(crate) fn into_wire(self) -> wire::Product {
        wire::Product {
            name: self.name,
            summary: self.summary,
            params_schema: self.params_schema,
            text: wire::TextLimits {
                format: self.text.format,
                title_max: self.text.title_max,
                body_max: self.text.body_max,
            },
        }
    }
}

impl AlertRefusal {
    /// Ends the delivery: the message becomes a dead letter. `reason` is truncated to 4 KiB.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }

    /// Postpones the delivery, as the destination's `retry` defines. `reason` is truncated to 4 KiB.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), retry_after: None }
    }

    pub(crate) fn into_wire(self) -> wire::Refusal {
        match self {
            Self::Refused(reason) => wire::Refusal::Refused(reason),
            Self::Unavailable { reason, retry_after } => {
                wire::Refusal::Unavailable(wire::Later { reason, retry_after })
            }
        }
    }
}

/// `Denied` and `Invalid` become `Refused`, because retrying changes nothing; `Unreachable` and `Interrupted` become
/// `Unavailable`.
impl From<Failure> for AlertRefusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Denied(reason) | Failure::Invalid(reason) => Self::refused(reason),
            Failure::Unreachable(reason) | Failure::Interrupted(reason) => Self::unavailable(reason),
        }
    }
}

/// `Denied`, `Invalid` and `Refused` become `Refused`, because retrying changes nothing; the others become
/// `Unavailable`.
impl From<mail::Failure> for AlertRefusal {
    fn from(failure: mail::Failure) -> Self {
        match failure {
            mail::Failure::Denied(reason)
            | mail::Failure::Invalid(reason)
            | mail::Failure::Refused(reason) => Self::refused(reason),
            mail::Failure::Unavailable(reason) | mail::Failure::Interrupted(reason) => {
                Self::unavailable(reason)
            }
        }
    }
}
