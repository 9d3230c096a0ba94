//! Mails: text and HTML in one, one thread per episode.
//!
//! The host renders the manifest's Markdown as HTML, with every value escaped, and the plain text is made of that. The
//! other way round, a Markdown parser would be half of this module, and could be of another mind than the host about
//! what a value may be.
mod facts; // what a mail says besides the message's own text
mod html; // the part for those who read HTML
mod plain; // HTML as plain text
mod subject; // the line that people see first

use serde::Deserialize;
use watchbell_sdk::mail::{Mail, send};
use watchbell_sdk::{AlertRefusal, Alerter, Cause, Fault, Intent, Product, Receipt, Severity, TextFormat};

/// Characters of a title, and of a body.
const TITLE_MAX: u32 = 200;
const BODY_MAX: u32 = 50_000;

/// The parameters of a destination.
#[derive(Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// What every subject begins with, for example `[production]`.
    #[serde(default)]
    #[schemars(length(max = 100))]
    subject_prefix: String,
}

pub struct AlerterEmail;

#[watchbell_sdk::alerter(name = "email")]
impl Alerter for AlerterEmail {
    fn products() -> Vec<Product> {
        let product = Product::new("email", "Mails, through a mail server");
        vec![product.params::<Params>().text(TextFormat::Html, TITLE_MAX, BODY_MAX)]
    }

    fn prepare(_product: &str, params: &str) -> Result<(), Vec<Fault>> {
        let params = read(params).map_err(|message| vec![Fault::new("", message)])?;
        if params.subject_prefix.chars().any(char::is_control) {
            return Err(vec![Fault::new("/subject_prefix", "contains a line break")]);
        }
        Ok(())
    }

    fn deliver(_product: &str, params: &str, intent: Intent) -> Result<Receipt, AlertRefusal> {
        let params = read(params).map_err(AlertRefusal::refused)?;
        let sent = send(0, &mail(&params, &intent))?;
        Ok(Receipt { reference: Some(sent.message_id) })
    }
}

fn read(params: &str) -> Result<Params, String> {
    serde_json::from_str(params).map_err(|error| format!("the parameters cannot be read: {error}"))
}

fn mail(params: &Params, intent: &Intent) -> Mail {
    let facts = facts::of(intent);
    let mut mail = Mail::new(subject::of(&params.subject_prefix, intent), plain::mail(intent, &facts))
        .html(html::mail(intent, &facts))
        // So that no absence notice answers it.
        .header("Auto-Submitted", "auto-generated")
        .header("X-Auto-Response-Suppress", "All")
        .header("X-Watchbell-Rule", subject::line(&intent.rule, subject::LINE_BYTES_MAX))
        .header("X-Watchbell-Episode", subject::line(&intent.episode, subject::LINE_BYTES_MAX))
        .header("X-Watchbell-Severity", facts::severity(intent.severity));
    if intent.severity == Severity::Critical && is_pressing(intent.cause) {
        mail = mail.header("Importance", "high").header("X-Priority", "1");
    }
    // All mails of an episode answer its first one.
    let first = intent.previous.as_ref().and_then(|receipt| receipt.reference.as_deref());
    if let Some(first) = first.filter(|first| is_message_id(first)) {
        mail = mail.answers(first);
    }
    mail
}

/// Whether a reference is one of a mail: the destination may have been of another product when the episode opened.
fn is_message_id(reference: &str) -> bool {
    const BYTES_MAX: usize = 250;
    let inner = reference.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    reference.len() <= BYTES_MAX
        && inner.is_some_and(|id| {
            id.contains('@') && id.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>')
        })
}

/// Whether somebody has to do something.
fn is_pressing(cause: Cause) -> bool {
    match cause {
        Cause::Opened | Cause::Worse | Cause::Repeat | Cause::Escalated | Cause::Event | Cause::Summary => {
            true
        }
        Cause::Acknowledged | Cause::Resolved | Cause::Was | Cause::Test => false,
    }
}
