//! Mails through the destination that an alerter delivers to.
//!
//! The host owns the server, the credentials, the sender and the list of recipients, and encodes the mail; an alerter
//! writes it. An alerter that calls [`send`] delivers to destinations with a mail server, and one that calls
//! [`http::send`](crate::http::send) to those with a URL; one module cannot do both.
use crate::host;
pub use crate::wire::alerter::watchbell::plugin::mail::{Failure, Mail, Refusal, Sent};
pub use crate::wire::types::Field;

/// Sends a mail and waits for the server's answer. A delivery may send 16 mails.
///
/// `number` identifies the mail among those of the message, from 0 to 15, the same in every attempt. Who was accepted as
/// a recipient is recorded with the message at once: a later attempt sends the mail only to those who are left, and
/// gets the result of the first if nobody is.
///
/// # Errors
/// `Denied`, `Invalid` and `Refused`: retrying is pointless. `Unavailable`: another attempt may work. `Interrupted`: so
/// it may, but the server may also have accepted the mail.
pub fn send(number: u32, mail: &Mail) -> Result<Sent, Failure> {
    host::send_mail(number, mail)
}

impl Mail {
    /// A mail to everyone whom the destination lists. `subject` is one line.
    pub fn new(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            to: vec![],
            cc: vec![],
            bcc: vec![],
            reply_to: vec![],
            subject: subject.into(),
            text: text.into(),
            html: None,
            headers: vec![],
            references: vec![],
        }
    }

    /// Adds the same text as HTML.
    pub fn html(mut self, html: impl Into<String>) -> Self {
        self.html = Some(html.into());
        self
    }

    /// Adds a header: `Auto-Submitted`, `Importance`, `Keywords`, `Precedence`, `Priority`, or a name that begins with
    /// `X-`; 64 at most, each of one line.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Field { name: name.into(), value: value.into() });
        self
    }

    /// Continues the thread of an earlier mail, by its `Message-ID`.
    pub fn answers(mut self, message_id: impl Into<String>) -> Self {
        self.references.push(message_id.into());
        self
    }
}
