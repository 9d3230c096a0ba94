/// A mail as an alerter writes it. Addresses are some of those that the destination lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// With `to`, `cc` and `bcc` empty: everyone whom the destination lists.
    pub to: Vec<String>,
    pub cc: Vec<String>,
    pub bcc: Vec<String>,
    /// Empty: those of the destination.
    pub reply_to: Vec<String>,
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// `Message-ID`s of earlier mails of the same thread, oldest first.
    pub references: Vec<String>,
}

/// What a server accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub message_id: String,
    pub refused: Vec<Refusal>,
}

/// A recipient that the server refused, although it accepted others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub address: String,
    pub reason: String,
}

/// Why a mail was not sent; without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The destination does not allow it.
    Denied(String),
    /// The mail itself is malformed.
    Invalid(String),
    /// The server refused the mail, or each of its recipients, for good.
    Refused(String),
    /// Nobody or only some got the mail, but another attempt may work.
    Unavailable(String),
    /// The server may have accepted the mail, but its answer was lost.
    Interrupted(String),
}
