//! Mails through a destination's server. What an alerter writes is checked and encoded here, and sent to whom the
//! destination lists; what became of each recipient is remembered for the next attempt.
mod mail; // a mail as an alerter writes it, and what became of it
mod server; // the server, the addresses and the limits
mod message; // the mail, checked and encoded
mod connect; // a connection to a checked address
mod session; // what is said over it
mod delivery; // sends the mails of a delivery, and remembers who has them
pub mod limits; // sizes and counts

pub use delivery::Access;
pub use lettre::message::Mailbox;
pub use mail::{Failure, Mail, Refusal, Sent};
pub use server::{MailError, MailGrants, MailServer, MailSettings, MailTls};
