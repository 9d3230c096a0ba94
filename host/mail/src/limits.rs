//! What one delivery may send, and what a server may answer.

/// Mails of one delivery.
pub const MAILS_MAX: u32 = 16;
/// Bytes of a mail's text, and of its HTML.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Recipients of one mail: as many as every server must accept (RFC 5321, 4.5.3.1.8).
pub(crate) const RECIPIENTS_MAX: usize = 100;
/// Bytes of a mail's subject, and of each header that an alerter sets.
pub(crate) const LINE_BYTES_MAX: usize = 998;
/// Headers that an alerter sets on one mail.
pub(crate) const HEADERS_MAX: usize = 64;
/// Earlier mails that one mail refers to.
pub(crate) const REFERENCES_MAX: usize = 20;
/// Bytes of a line of a server's answer, bytes of the whole, and its lines.
pub(crate) const ANSWER_LINE_BYTES_MAX: usize = 2_000;
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 10;
pub(crate) const ANSWER_LINES_MAX: usize = 200;
/// Bytes of a server's answer, or of a name, in a message for people.
pub(crate) const SHOWN_BYTES_MAX: usize = 500;
