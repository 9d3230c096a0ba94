//! Permission to acknowledge, as it travels in messages, and proof of who sends an answer to one. Computes only: no IO,
//! no clock, no HTTP.
#![deny(missing_docs)]

mod mac; // HMAC over named parts
mod keys; // the environment's `ack_keys`
mod token; // the signed part of a link
mod code; // what a person types into a text message
mod slack; // whether Slack sent a request
mod twilio; // whether Twilio sent a request

pub use code::{CODE_CHARS, Reply};
pub use keys::{KEY_BYTES_MIN, Keys, KeysFault};
pub use slack::{SLACK_AGE_MAX, SlackFault, verify_slack};
pub use token::{Link, LinkFault, TOKEN_CHARS_MAX};
pub use twilio::{TwilioFault, verify_twilio};
